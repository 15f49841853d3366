"""CatBoost models without ``predict_proba``; its classifier is handled like any other estimator."""

from typing import Any

from ..classes import describe_classes, name_classes
from ..model import BlackBox, keep_values
from .families import comes_from, refuse_probability
from .margins import are_apart, find_margin

# A model does not keep the start scores of the user's Pool.
_NOTE = ", without baseline"


def wrap_catboost(model: Any, output: str) -> BlackBox | None:
    """Black box of class probabilities if the model was trained on classes, else of ``predict``, or of its raw formula."""
    if not comes_from(model, "catboost", "CatBoost") or hasattr(model, "predict_proba"):
        return None
    source = f"{type(model).__name__}.predict"
    margin = find_margin(model)
    if len(model.classes_):  # empty for other targets
        names = name_classes(model.classes_)
        call = lambda X: model.predict(X, prediction_type="Probability")  # noqa: E731
        return describe_classes(call, names, output, source, margin=margin, are_apart=are_apart(model), note=_NOTE)
    refuse_probability(model, output, "was not trained on classes")
    if output == "raw" and margin is not None:
        return BlackBox(margin.call, keep_values, (), f"raw formula value{_NOTE}", source)
    return BlackBox(model.predict, keep_values, (), f"output of predict{_NOTE}", source)
