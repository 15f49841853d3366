"""LightGBM's native Booster: its objective determines whether ``predict`` returns probabilities."""

from collections.abc import Callable
from typing import Any

from ..classes import Margin, describe_classes
from ..model import BlackBox, keep_values
from .families import comes_from, order_columns, refuse_probability
from .margins import read_objective

# A booster does not keep the start scores of the user's Dataset.
_NOTE = ", without init_score"


def wrap_lightgbm(model: Any, output: str) -> BlackBox | None:
    """Black box of a classifier for binary, multiclass and cross-entropy objectives, else of ``predict`` or the raw score."""
    if not comes_from(model, "lightgbm", "Booster"):
        return None
    objective = read_objective(model)
    source = f"Booster.predict ({objective})"
    predict, margin = _predict(model), Margin(_predict(model, raw_score=True), "raw_score")
    if objective in ("binary", "cross_entropy"):
        return describe_classes(predict, ("1",), output, source, margin=margin, note=_NOTE)
    if objective in ("multiclass", "multiclassova"):
        names = tuple(map(str, range(model.num_model_per_iteration())))
        are_apart = objective == "multiclassova"
        return describe_classes(predict, names, output, source, margin=margin, are_apart=are_apart, note=_NOTE)
    refuse_probability(model, output, f"has the objective {objective}")
    if output == "raw":
        return BlackBox(margin.call, keep_values, (), f"raw score, objective {objective}{_NOTE}", source)
    return BlackBox(predict, keep_values, (), f"output of predict, objective {objective}{_NOTE}", source)


def _predict(model: Any, **options: Any) -> Callable[[Any], Any]:
    return lambda X: model.predict(order_columns(X, model.feature_name()), **options)
