"""Adapters for families of models: one per file, tried in the order of :data:`ADAPTERS`.

An adapter is a function ``(model, output) -> BlackBox or None``: None if the model is not of its family. A library is imported
only after a model of that library was recognised by the module of its class.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..._validation import check_at_least, check_choice
from ..model import BATCH_ROWS, BlackBox
from .catboost_model import wrap_catboost
from .estimator import wrap_estimator
from .function import wrap_function
from .keras_model import wrap_keras
from .lightgbm_booster import wrap_lightgbm
from .torch_module import wrap_torch
from .xgboost_booster import wrap_xgboost

Adapter = Callable[[Any, str], BlackBox | None]

# Special families before general ones, as a booster has a method predict too.
ADAPTERS: list[Adapter] = [
    wrap_xgboost,
    wrap_lightgbm,
    wrap_catboost,
    wrap_keras,
    wrap_torch,
    wrap_estimator,
    wrap_function,
]


def wrap_model(model: Any, output: str = "auto", batch_rows: int = BATCH_ROWS) -> BlackBox:
    """The black box of a model, which predicts by the adapter of its family.

    Parameters
    ----------
    model : estimator or callable
        A classifier is explained on log-odds (``output="raw"``; binary: of ``classes_[1]``; more classes: log-probabilities
        minus their mean over the classes) or on probabilities (``output="probability"``). Without ``predict_proba``, the
        output of its ``decision_function`` is explained. For any other model the output of ``predict`` is explained, and for a
        callable its result. With ``output="raw"``, the score before the link is explained for models of boosting libraries.
        Native boosters of XGBoost, LightGBM and CatBoost are classifiers if their objective is one for classes. For modules of
        torch and models of Keras, their output is explained.
    output : {"auto", "raw", "probability"}
    batch_rows : int
        The most rows in one call of the model.

    Raises
    ------
    TypeError
        If the model has no method to predict, or not the requested output.
    """
    check_choice(output, ("auto", "raw", "probability"), "output")
    check_at_least(batch_rows, 1, "batch_rows", "the model is asked about whole rows")
    if isinstance(model, type):
        raise TypeError(f"model is the class {model.__name__}; pass a fitted instance")
    for adapt in ADAPTERS:
        box = adapt(model, output)
        if box is not None:
            return replace(box, batch_rows=int(batch_rows))
    raise TypeError(f"model must have predict or predict_proba, or be callable; got {type(model).__name__}")
