"""Fit of an explainer: reads the table, calls the model, and starts the fit of the chosen game."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._alignment import align_rows, get_index
from .._errors import FitWarning, warn_caller
from .._progress import show_progress
from .._row_arrays import check_weights
from ..blackbox.classes import warn_of_cut
from ..blackbox.drawn_game import Conditional
from ..blackbox.model import BlackBox
from ..blackbox.named import is_closed_form, make_value_function
from ..fits.asked import fit_value_function
from ..fits.conditional import fit_game
from ..fits.prepare import FitOptions
from ..fits.synthetic_fit import choose_number, make_asking
from ..fitted.game import FittedGame, follow_recipe
from ..table.chosen_bases import choose_bases
from ..table.columns import Table, read_table
from ..table.groups import choose_groups
from .options import ExplainerOptions, hold_model


def fit_explainer(options: ExplainerOptions, X: Any, outputs: Any, sample_weight: Any) -> FittedGame:
    """The fitted game of a black box on rows; see :meth:`instashap.Explainer.fit`."""
    table = choose_bases(read_table(follow_recipe(options.recipe, X), categorical=options.categorical), options.bases)
    weights = check_weights(align_rows(sample_weight, get_index(X), "sample_weight"), table.n_rows)
    is_fitted_to_outputs = is_closed_form(options.value_function) or isinstance(options.value_function, Conditional)
    fit = _fit_conditional if is_fitted_to_outputs else _fit_asked
    fitted, box = fit(options, X, table, weights, outputs)
    return keep_scale(fitted, box)


def keep_scale(fitted: FittedGame, box: BlackBox | None) -> FittedGame:
    """The game with the limits at which log-odds of its rows were clipped, so that later rows are clipped there too."""
    if box is None or box.scale is None:
        return fitted
    warn_of_cut(box)
    return replace(fitted, facts={**fitted.facts, "scale": box.scale})


def _fit_conditional(
    options: ExplainerOptions, X: Any, table: Table, weights: NDArray[np.float64], outputs: Any
) -> tuple[FittedGame, BlackBox]:
    """The conditional game, fitted to the model's outputs for these rows alone."""
    choices = choose_fit(options, table)
    start = perf_counter()
    answer = hold_model(options).ask(X, table.n_rows, outputs)
    named: Any = {"output_names": answer.output_names, "output_transform": answer.box.description}
    if outputs is None and _has_own_columns(options, X, table):
        seconds = (perf_counter() - start) / max(table.n_rows, 1)
        named["asking"] = make_asking(answer.box, X, table, choose_number(options.synthetic_rows, table.n_rows, seconds))
    with show_progress(options.verbose) as progress:
        fitted = fit_game(
            table, answer.values, weights, choices, **named, is_computed=outputs is None, progress=progress
        )
    return fitted if options.recipe is None else replace(fitted, recipe=options.recipe), answer.box


def _has_own_columns(options: ExplainerOptions, X: Any, table: Table) -> bool:
    """Whether each column of a table was read from one of the user's, so that rows can be made up of their values.

    Warns if synthetic rows were asked for by number and cannot be made: a date is read as several columns.
    """
    if options.recipe is None or table.schema.names == tuple(map(str, getattr(X, "columns", table.schema.names))):
        return True
    if not isinstance(options.synthetic_rows, str) and options.synthetic_rows:
        warn_caller(
            f"synthetic_rows={options.synthetic_rows} is not used: no rows can be made up of the values of columns that are "
            "read as several, as dates are; derive their parts in the file to have such rows",
            FitWarning,
        )
    return False


def _fit_asked(
    options: ExplainerOptions, X: Any, table: Table, weights: NDArray[np.float64], outputs: Any
) -> tuple[FittedGame, BlackBox | None]:
    """A game whose values need outputs of the model, if there is one, for rows that are not in X."""
    choices = choose_fit(options, table)
    if outputs is not None:
        raise ValueError(
            "outputs= can be used with the conditional game only: other games need values of rows that are not in X; "
            "pass a model, or a value_function F(X, masks)"
        )
    value_function = make_value_function(options.value_function, X)
    asked: list[BlackBox] = []

    def make_box() -> BlackBox:
        asked.append(hold_model(options).wrap().prepare(X, table.n_rows).learn_names(X, table.n_rows))
        return asked[0]

    with show_progress(options.verbose) as progress:
        fitted = fit_value_function(
            X, table, value_function, make_box, weights, choices, seed=options.random_state, progress=progress
        )
    return fitted, asked[0] if asked else None


def choose_fit(options: ExplainerOptions, table: Table) -> FitOptions:
    """The options that all fits have in common."""
    if options.bases and options.fitter != "closed-form":
        raise ValueError("bases= can be used with the closed form only, and fitter= names another fit: leave one of them out")
    orders = options.order, options.presence_order
    groups = choose_groups(options.groups, table)
    shared = options.interactions, options.fitter, groups, options.full_weight
    return FitOptions(*orders, *shared, plan_rows=options.plan_rows)
