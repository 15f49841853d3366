"""XGBoost's native Booster: rows become a DMatrix, and the objective says what comes out."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._validation import fill_masked
from ..model import BlackBox, describe_classes, keep_values
from .families import comes_from, order_columns, refuse_probability


def wrap_xgboost(model: Any, output: str) -> BlackBox | None:
    """Classifiers by their margin, which every objective for classes has; anything else by ``predict``."""
    if not comes_from(model, "xgboost", "Booster"):
        return None
    learner = json.loads(model.save_config())["learner"]
    objective = learner["objective"]["name"]
    source = f"Booster.predict ({objective})"
    if objective.startswith(("binary:logi", "multi:")):
        n_classes = max(int(learner["learner_model_param"]["num_class"]), 2)
        names = ("1",) if n_classes == 2 else tuple(map(str, range(n_classes)))
        return describe_classes(
            lambda X: model.predict(_make_matrix(model, X), output_margin=True),
            names,
            output,
            source,
            to_probabilities=_squash,
        )
    refuse_probability(model, output, f"has the objective {objective}")
    return BlackBox(
        lambda X: model.predict(_make_matrix(model, X)), keep_values, (), f"output of predict, objective {objective}", source
    )


def _make_matrix(model: Any, X: Any) -> Any:
    import xgboost

    X = order_columns(X, model.feature_names)
    if hasattr(X, "columns") or model.feature_names is None:
        return xgboost.DMatrix(fill_masked(X), enable_categorical=True)
    return xgboost.DMatrix(np.asarray(fill_masked(X)), feature_names=model.feature_names, feature_types=model.feature_types)


def _squash(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of margins: of the positive class if there is one column, else of every class."""
    if margins.shape[1] == 1:
        return np.asarray(np.exp(-np.logaddexp(0.0, -margins)))
    powers = np.exp(margins - margins.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
