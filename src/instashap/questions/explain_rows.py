"""Shapley values of rows, with their trust, errors and positions relative to the fitted rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..blackbox.held_model import HeldModel
from ..fitted.explanation import Explanation, squeeze_outputs
from ..fitted.game import FittedGame
from ..fitted.shown_rows import make_explanation
from ..table.columns import Table
from ..table.reach import Place
from ..trust.rows import compute_output_share, find_strangeness
from .answers import get_biases, get_errors, get_residuals, get_scales
from .model_outputs import ask_outputs
from .outside import name_outside, place_rows, warn_outside


@dataclass(frozen=True)
class RowRequest:
    """Options of an explanation of rows.

    Attributes
    ----------
    errors : bool
        Whether to add standard errors.
    outputs : array, True or None
        The model's own outputs for the rows; True lets the model predict them.
    held : HeldModel
    asks_model : bool
        Whether the values of the game are outputs of the model, so that a warning about rows outside the data advises
        refine(X).
    n_jobs : int or None
    marginal : True, table, Marginal or None
        Background of the marginal game whose values are given beside; None for none.
    fit_rows : table or None
        Rows of the fit as the user gave them.
    """

    errors: bool
    outputs: Any
    held: HeldModel
    asks_model: bool
    n_jobs: int | None
    marginal: Any = None
    fit_rows: Any = None


def explain_rows(fitted: FittedGame, X: Any, request: RowRequest) -> Explanation:
    """Explain rows of a user's table; see :meth:`instashap.Explainer.__call__`."""
    n_jobs = request.n_jobs
    table = fitted.read(X)
    values = fitted.compute_shapley_values(table, n_jobs)
    spread = fitted.look_up(get_errors(fitted).credits, table, n_jobs) if request.errors else None
    place = place_rows(fitted, table)
    share, interval = _compute_output_share(fitted, table, values, place, n_jobs)
    explanation = make_explanation(fitted, table, values, fitted.model.base_value)
    explanation = replace(explanation, output_share=share, output_share_interval=interval)
    if place is not None:
        warn_outside(place, fitted.schema.names, share is not None, request.asks_model)
        outside, pairs = name_outside(place, fitted.schema.names)
        explanation = replace(explanation, outside=outside, new_pairs=pairs)
    if request.outputs is not None:
        given = None if request.outputs is True else request.outputs
        own = ask_outputs(fitted, X, request.held, given, table.n_rows)
        explanation = explanation.add_outputs(squeeze_outputs(own))
    if request.marginal is not None and request.marginal is not False:
        from .marginal_values import compute_marginal

        asked = compute_marginal(fitted, X, table, request.marginal, request.held, request.fit_rows)
        explanation = replace(explanation, marginal_values=squeeze_outputs(asked[0]), marginal_errors=squeeze_outputs(asked[1]))
    if spread is None:
        return explanation
    biases = get_biases(fitted)
    total = None if biases is None else squeeze_outputs(np.hypot(spread, biases))
    return replace(explanation, standard_errors=squeeze_outputs(spread), total_errors=total)


def _compute_output_share(
    fitted: FittedGame, table: Table, values: NDArray[np.float64], place: Place | None, n_jobs: int | None
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Share of each row's output that the values reproduce, and its interval; None if held-out residuals are not known."""
    if fitted.answers.residuals is None and fitted.record is None:
        return None, None
    effects = fitted.look_up(get_scales(fitted), table, n_jobs)[:, 0, 0]
    strangeness = None if place is None else find_strangeness(place, fitted.players)
    return compute_output_share(get_residuals(fitted), effects, values, strangeness)
