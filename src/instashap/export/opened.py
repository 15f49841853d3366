"""The fitted game of what a user passes to an export."""

from __future__ import annotations

from typing import Any

from ..explain.explainer import Explainer
from ..fitted.game import FittedGame


def open_fitted(explainer: Any) -> FittedGame:
    """The game of a fitted explainer; raises ``TypeError`` for another object, and ``NotFittedError`` before ``fit``.

    Estimators are refused, with advice: their predictions may be classes, probabilities or amounts, where tables
    give log-odds or logarithms.
    """
    if isinstance(explainer, FittedGame):
        return explainer
    if isinstance(explainer, Explainer):
        return explainer._check_fitted()
    kind = type(explainer).__name__
    if callable(getattr(explainer, "to_explainer", None)):
        raise TypeError(
            "an export gives outputs on the scale of the shape functions (log-odds, logarithms or target units), which need "
            f"not be those that predict() of its class ({kind}) gives: pass its to_explainer()"
        )
    raise TypeError(f"an export needs a fitted instashap.Explainer, got a {kind}: fit an Explainer on the model and pass it")
