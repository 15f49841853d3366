"""LightGBM's native Booster: the objective says whether ``predict`` gives probabilities."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model import BlackBox, describe_classes, keep_values
from .families import comes_from, order_columns, refuse_probability


def wrap_lightgbm(model: Any, output: str) -> BlackBox | None:
    """Binary, multiclass and cross-entropy objectives are classifiers; anything else is explained on ``predict``."""
    if not comes_from(model, "lightgbm", "Booster"):
        return None
    objective = _read_objective(model)
    source = f"Booster.predict ({objective})"

    def predict(X: Any) -> Any:
        return model.predict(order_columns(X, model.feature_name()))

    if objective in ("binary", "cross_entropy"):
        return describe_classes(predict, ("1",), output, source)
    if objective in ("multiclass", "multiclassova"):
        names = tuple(map(str, range(model.num_model_per_iteration())))
        return describe_classes(predict, names, output, source, to_probabilities=_normalise)
    refuse_probability(model, output, f"has the objective {objective}")
    return BlackBox(predict, keep_values, (), f"output of predict, objective {objective}", source)


def _normalise(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """One against all others gives a probability for each class, which need not add up to one."""
    return np.asarray(values / values.sum(axis=1, keepdims=True))


def _read_objective(model: Any) -> str:
    """The first word of the line of the model file: parameters are lost when a booster is loaded."""
    lines = model.model_to_string(num_iteration=1).splitlines()
    found = next((line for line in lines if line.startswith("objective=")), "objective=custom")
    return str(found.removeprefix("objective=").split(" ")[0])
