"""CatBoost's classes without ``predict_proba``; its classifier is an estimator like any other."""

from typing import Any

from ..model import BlackBox, describe_classes, keep_values, name_classes
from .families import comes_from, refuse_probability


def wrap_catboost(model: Any, output: str) -> BlackBox | None:
    """By probabilities if it was trained on classes, else by ``predict``."""
    if not comes_from(model, "catboost", "CatBoost") or hasattr(model, "predict_proba"):
        return None
    source = f"{type(model).__name__}.predict"
    if len(model.classes_):  # empty for other targets
        names = name_classes(model.classes_)
        return describe_classes(lambda X: model.predict(X, prediction_type="Probability"), names, output, source)
    refuse_probability(model, output, "was not trained on classes")
    return BlackBox(model.predict, keep_values, (), "output of predict", source)
