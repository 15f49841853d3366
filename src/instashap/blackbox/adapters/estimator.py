"""Models with the methods of a scikit-learn estimator."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from ..classes import describe_classes, name_classes
from ..model import BlackBox, keep_values
from .families import comes_from, refuse_other_order, refuse_probability, watch_labels
from .margins import are_apart, find_booster_margin, find_last, find_margin, gives_labels


def wrap_estimator(model: Any, output: str) -> BlackBox | None:
    """Black box of ``predict_proba``, else of ``decision_function``, else of ``predict``."""
    name = type(model).__name__
    if hasattr(model, "predict_proba"):
        _refuse_several_labels(model)
        classes = getattr(model, "classes_", None)
        names = () if classes is None else name_classes(classes)
        margin = find_margin(model)
        if margin is not None and gives_labels(model):
            refuse_probability(model, output, "predicts 0 or 1 in their place")
            what = f"decision function of the classifier ({margin.name})"
            return BlackBox(margin.call, keep_values, names, what, f"{name}.predict")
        if margin is not None:
            margin = margin._replace(call=_guard_order(model, margin.call))
        call, source = _guard_order(model, model.predict_proba), f"{name}.predict_proba"
        return describe_classes(call, names, output, source, margin=margin, are_apart=are_apart(model))
    if hasattr(model, "decision_function"):
        refuse_probability(model, output, "has no predict_proba")
        _refuse_several_labels(model)
        names, what = _describe_decision(model)
        return BlackBox(model.decision_function, keep_values, names, what, f"{name}.decision_function")
    if hasattr(model, "predict"):
        refuse_probability(model, output, "has no predict_proba")
        return _wrap_predict(model, output, name)
    return None


def _describe_decision(model: Any) -> tuple[tuple[str, ...], str]:
    """Names of the outputs of a decision function, and their description."""
    if not hasattr(model, "classes_"):
        return (), "decision function"
    classes = np.asarray(model.classes_).ravel().tolist()
    if getattr(find_last(model), "decision_function_shape", None) == "ovo" and len(classes) > 2:
        pairs = tuple(f"{one} over {other}" for one, other in combinations(classes, 2))
        return pairs, "decision function of each pair of classes"
    return name_classes(model.classes_), "decision function of the classifier"


def _wrap_predict(model: Any, output: str, name: str) -> BlackBox:
    _refuse_clusters(model)
    _refuse_several_labels(model)
    if hasattr(model, "classes_"):
        raise TypeError(
            f"{name} is a classifier with neither predict_proba nor decision_function; explain whether it predicts one class "
            "by a function, for example lambda X: (model.predict(X) == model.classes_[1]).astype(float)"
        )
    source = f"{name}.predict"
    if output == "raw":
        margin = find_booster_margin(model)
        if margin is not None:
            return BlackBox(_guard_order(model, margin.call), keep_values, (), f"raw score ({margin.name})", source)
        _refuse_log_link(model)
    return BlackBox(watch_labels(_guard_order(model, model.predict), source), keep_values, (), "output of predict", source)


def _guard_order(model: Any, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The call, with an error for columns in another order: LightGBM's estimators ignore names and would confuse them."""
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
            f"lambda X: {_write_first_label(model)}"
        )


def _write_first_label(model: Any) -> str:
    """An expression for the first label: chains return an array with one column per label, others one array per label."""
    if hasattr(model, "predict_proba"):
        is_chain = comes_from(find_last(model), "sklearn", "ClassifierChain")
        return "model.predict_proba(X)[:, 0]" if is_chain else "model.predict_proba(X)[0][:, 1]"
    if hasattr(model, "decision_function"):
        return "model.decision_function(X)[:, 0]"
    return "(model.predict(X)[:, 0] == model.classes_[0][1]).astype(float)"


def _refuse_clusters(model: Any) -> None:
    """Raise for models that predict numbers of clusters, which have no order: the mean of 0 and 2 is not cluster 1."""
    if not any(hasattr(find_last(model), name) for name in ("labels_", "cluster_centers_")):
        return
    if hasattr(model, "transform"):
        way = "the distance to one cluster by a function, for example lambda X: model.transform(X)[:, 0]"
    else:
        way = "whether a row is in one cluster by a function, for example lambda X: (model.predict(X) == 0).astype(float)"
    raise TypeError(f"{type(model).__name__}.predict gives numbers of clusters, which are not amounts; explain {way}")


def _refuse_log_link(model: Any) -> None:
    """Raise for models that predict a function of a score, such as its exponential, and have no method for the score."""
    last = find_last(model)
    if comes_from(last, "sklearn", "TransformedTargetRegressor"):
        advice = "pass lambda X: model.regressor_.predict(X)" if last is model else "explain its regressor_ on the rows it gets"
        raise TypeError(f"output='raw' needs the score before the link, which {type(model).__name__} does not give; {advice}")
    has_link = comes_from(last, "sklearn", "PoissonRegressor") or comes_from(last, "sklearn", "GammaRegressor")
    is_tweedie = comes_from(last, "sklearn", "TweedieRegressor") and (last.power > 0 or last.link == "log")
    if has_link or is_tweedie or getattr(last, "loss", None) in ("poisson", "gamma"):
        raise TypeError(
            f"output='raw' needs the score before the link, which {type(model).__name__} does not give; "
            "it is the logarithm of the prediction: pass lambda X: np.log(model.predict(X))"
        )
