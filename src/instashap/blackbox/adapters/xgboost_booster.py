"""XGBoost's native Booster: rows are converted to a DMatrix, and the objective determines the kind of output."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from ..._row_arrays import fill_masked
from ..classes import Margin, compute_probabilities, describe_classes
from ..model import BlackBox, keep_values
from .families import comes_from, order_columns, refuse_probability

# A booster does not store either of these: they belong to the DMatrix that the user made.
_NOTE = ", with missing=NaN and without base_margin"


def wrap_xgboost(model: Any, output: str) -> BlackBox | None:
    """Black box of a classifier by its margin, which all objectives for classes have; else of ``predict`` or the margin."""
    if not comes_from(model, "xgboost", "Booster"):
        return None
    learner = json.loads(model.save_config())["learner"]
    objective = learner["objective"]["name"]
    source = f"Booster.predict ({objective})"
    margin = Margin(_predict(model, output_margin=True), "output_margin", is_known=True)
    if objective.startswith(("binary:logi", "multi:")):
        n_classes = max(int(learner["learner_model_param"]["num_class"]), 2)
        names = ("1",) if n_classes == 2 else tuple(map(str, range(n_classes)))
        squash = compute_probabilities
        return describe_classes(margin.call, names, output, source, margin=margin, to_probabilities=squash, note=_NOTE)
    refuse_probability(model, output, f"has the objective {objective}")
    if output == "raw":
        return BlackBox(margin.call, keep_values, (), f"raw margin, objective {objective}{_NOTE}", source)
    return BlackBox(_predict(model), keep_values, (), f"output of predict, objective {objective}{_NOTE}", source)


def _predict(model: Any, **options: Any) -> Callable[[Any], Any]:
    return lambda X: model.predict(_make_matrix(model, X), **options)


def _make_matrix(model: Any, X: Any) -> Any:
    import xgboost

    X = order_columns(X, model.feature_names)
    if hasattr(X, "columns") or model.feature_names is None:
        return xgboost.DMatrix(fill_masked(X), enable_categorical=True)
    return xgboost.DMatrix(np.asarray(fill_masked(X)), feature_names=model.feature_names, feature_types=model.feature_types)
