"""Margins: a model's own scores, before a link turns them into probabilities or amounts."""

from functools import partial
from typing import Any

from ..classes import Margin
from .families import comes_from

# Options with which ``predict`` of boosting libraries' estimators returns the sum of trees.
_OPTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("xgboost", "XGBModel", {"output_margin": True}),
    ("lightgbm", "LGBMModel", {"raw_score": True}),
    ("catboost", "CatBoost", {"prediction_type": "RawFormulaVal"}),
)
# Wrappers that do not change the probabilities of the estimator in them.
_THRESHOLDS = ("FixedThresholdClassifier", "TunedThresholdClassifierCV")


def find_inner(model: Any) -> Any:
    """The pipeline or single estimator that predicts inside parameter searches and threshold classifiers."""
    while True:
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif type(model).__name__ in _THRESHOLDS and hasattr(model, "estimator_"):
            model = model.estimator_
        else:
            return model


def find_last(model: Any) -> Any:
    """The final estimator inside searches and pipelines, whose attributes determine the kind of output."""
    inner = find_inner(model)
    while getattr(inner, "steps", None):
        inner = find_inner(inner.steps[-1][1])
    return inner


def find_margin(model: Any) -> Margin | None:
    """Scores that may be log-odds, or None; :class:`ClassBox` checks whether they are."""
    booster = find_booster_margin(model)
    if booster is not None:
        return booster
    if hasattr(model, "decision_function"):
        return Margin(model.decision_function, "decision_function")
    if hasattr(model, "predict_log_proba"):
        return Margin(model.predict_log_proba, "predict_log_proba", is_exact=False)
    return None


def gives_labels(model: Any) -> bool:
    """Whether ``predict_proba`` returns 0 or 1 by the sign of a margin that is no log-odds: boosting with the hinge loss."""
    last = find_last(model)
    return comes_from(last, "xgboost", "XGBModel") and getattr(last, "objective", None) == "binary:hinge"


def are_apart(model: Any) -> bool:
    """Whether an estimator of a boosting library trains each class against all others: its probabilities do not sum to one."""
    last = find_last(model)
    if comes_from(last, "lightgbm", "LGBMModel"):
        return bool(read_objective(last.booster_) == "multiclassova")
    return comes_from(last, "catboost", "CatBoost") and last.get_all_params().get("loss_function") == "MultiClassOneVsAll"


def read_objective(model: Any) -> str:
    """Name of a LightGBM booster's objective, from the text of the model: a loaded booster does not hold its parameters."""
    lines = model.model_to_string(num_iteration=1).splitlines()
    found = next((line for line in lines if line.startswith("objective=")), "objective=custom")
    return str(found.removeprefix("objective=").split(" ")[0])


def find_booster_margin(model: Any) -> Margin | None:
    """The sum of trees of an estimator of a boosting library, through pipelines; None for other models."""
    inner, last = find_inner(model), find_last(model)
    for package, name, options in _OPTIONS:
        if comes_from(last, package, name):
            label = "RawFormulaVal" if package == "catboost" else next(iter(options))
            return Margin(partial(inner.predict, **options), label)
    return None
