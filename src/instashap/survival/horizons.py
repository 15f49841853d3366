"""Survival at some times as the outputs of a survival model, for an explainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .._sentences import write_number


def survive_at(model: Any, times: Sequence[float]) -> Callable[[Any], pd.DataFrame]:
    """A function from rows to the probabilities of no event until some times: one output for each time.

    ``Explainer(survive_at(model, [1, 2, 5])).fit(X)`` then explains survival at all these times by one fit.

    Parameters
    ----------
    model : AdditiveSurvival, or a fitted model of scikit-survival or lifelines
        With ``predict_survival(X, times)``; or ``predict_survival_function(X, return_array=True)`` and ``unique_times_``
        (scikit-survival); or ``predict_survival_function(X, times=...)`` that returns a table with one column a row
        (lifelines).
    times : sequence of float
        Rising, not below 0.

    Raises
    ------
    TypeError
        If the model has none of these methods.
    ValueError
        If the times do not rise, or one is beyond the last time that a model of scikit-survival knows.
    """
    asked = np.asarray(times, dtype=np.float64).ravel()
    if not len(asked) or not np.isfinite(asked).all() or asked[0] < 0 or (np.diff(asked) <= 0).any():
        raise ValueError(f"times must be numbers that rise, from 0 or later; got {list(times)!r}")
    names = [f"survival at {write_number(time, 6)}" for time in asked.tolist()]
    predict = _find_method(model)

    def predict_survival(X: Any) -> pd.DataFrame:
        return pd.DataFrame(predict(model, X, asked), columns=names, index=getattr(X, "index", None))

    predict_survival.output_names = tuple(names)  # type: ignore[attr-defined]
    return predict_survival


def _find_method(model: Any) -> Callable[[Any, Any, Any], Any]:
    if callable(getattr(model, "predict_survival", None)):
        return lambda model, X, times: model.predict_survival(X, times)
    if not callable(getattr(model, "predict_survival_function", None)):
        raise TypeError(
            f"{type(model).__name__} has neither predict_survival(X, times) nor predict_survival_function: pass a function of "
            "the rows to Explainer that returns one column for each time"
        )
    return _ask_steps if hasattr(model, "unique_times_") or hasattr(model, "event_times_") else _ask_columns


def _ask_steps(model: Any, X: Any, times: Any) -> Any:
    """Step functions of scikit-survival: 1 before the first known time, then the value at the last known time."""
    known = np.asarray(getattr(model, "unique_times_", None) if hasattr(model, "unique_times_") else model.event_times_)
    if times[-1] > known[-1]:
        raise ValueError(
            f"{type(model).__name__} knows survival up to {write_number(float(known[-1]), 6)}, the last time of its fit, and "
            f"{write_number(float(times[-1]), 6)} was asked for: pass times up to there"
        )
    steps = np.asarray(model.predict_survival_function(X, return_array=True))
    return np.hstack([np.ones((len(steps), 1)), steps])[:, np.searchsorted(known, times, side="right")]


def _ask_columns(model: Any, X: Any, times: Any) -> Any:
    """Tables of lifelines, one column a row."""
    return np.asarray(model.predict_survival_function(X, times=times)).T
