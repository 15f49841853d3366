"""Whatever has the methods of a scikit-learn estimator."""

from collections.abc import Callable
from typing import Any

from ..model import BlackBox, describe_classes, keep_values, name_classes
from .families import refuse_other_order, refuse_probability


def wrap_estimator(model: Any, output: str) -> BlackBox | None:
    """By ``predict_proba``, else ``decision_function``, else ``predict``."""
    name = type(model).__name__
    if hasattr(model, "predict_proba"):
        _refuse_several_labels(model)
        classes = getattr(model, "classes_", None)
        names = () if classes is None else name_classes(classes)
        return describe_classes(_guard_order(model, model.predict_proba), names, output, f"{name}.predict_proba")
    if hasattr(model, "decision_function"):
        refuse_probability(model, output, "has no predict_proba")
        _refuse_several_labels(model)
        is_classifier = hasattr(model, "classes_")
        names = name_classes(model.classes_) if is_classifier else ()
        what = "decision function of the classifier" if is_classifier else "decision function"
        return BlackBox(model.decision_function, keep_values, names, what, f"{name}.decision_function")
    if hasattr(model, "predict"):
        refuse_probability(model, output, "has no predict_proba")
        if hasattr(model, "classes_"):
            raise TypeError(f"{name} is a classifier with neither predict_proba nor decision_function; pass a function instead")
        return BlackBox(_guard_order(model, model.predict), keep_values, (), "output of predict", f"{name}.predict")
    return None


def _guard_order(model: Any, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """LightGBM's estimators do not look at names: columns in another order would be taken for each other in silence."""
    names = getattr(model, "feature_name_", None)
    if names is None:
        return call

    def predict(X: Any) -> Any:
        refuse_other_order(X, names, type(model).__name__)
        return call(X)

    return predict


def _refuse_several_labels(model: Any) -> None:
    classes = getattr(model, "classes_", None)
    if isinstance(classes, list) and classes and hasattr(classes[0], "__len__") and not isinstance(classes[0], str):
        raise TypeError(
            f"{type(model).__name__} predicts {len(classes)} labels at once; explain one at a time by a function, for example "
            "lambda X: model.predict_proba(X)[0][:, 1]"
        )
