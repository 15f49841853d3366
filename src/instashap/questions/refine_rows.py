"""Refined Shapley values of a user's rows as an explanation, from a game of the black box on these rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..blackbox.drawn_game import Conditional
from ..blackbox.held_model import HeldModel
from ..blackbox.model import BlackBox
from ..blackbox.named import make_value_function
from ..blackbox.value_functions import ScaledGame
from ..fits.asked import bind_game, check_can_ask, describe_game
from ..fitted.explanation import Explanation, squeeze_outputs
from ..fitted.game import FittedGame
from ..fitted.shown_rows import make_explanation
from ..table.columns import Table
from .model_outputs import wrap_matched
from .refine import Refined, refine_values

_NO_MODEL = "the value function needs a model, and this explainer holds none: pass model="


@dataclass(frozen=True)
class RefinedGame:
    """The game to refine, and the coalitions at which it is evaluated.

    Attributes
    ----------
    value_function : Conditional, Marginal, Baseline, or callable
    held : HeldModel
    fit_rows : table or None
        Rows of the fit, for a value function without rows of its own.
    n_coalitions : int
        Number of coalitions for each row and reference.
    seed : int
        Seed of the random coalitions.
    """

    value_function: Any
    held: HeldModel
    fit_rows: Any
    n_coalitions: int
    seed: int


def refine_rows(fitted: FittedGame, X: Any, game: RefinedGame) -> Explanation:
    """Unbiased Shapley values of rows, with standard errors; see :meth:`instashap.Explainer.refine`."""
    table = fitted.read(X)
    refined = refine_table(fitted, X, table, game)
    explanation = make_explanation(fitted, table, refined.values, refined.base_value)
    errors = squeeze_outputs(refined.standard_errors)
    return replace(explanation, standard_errors=errors, game=refined.game, output_transform=refined.output_transform)


def refine_table(fitted: FittedGame, X: Any, table: Table, asked: RefinedGame) -> Refined:
    """Refined values of rows: X as passed to the model, and ``table`` with the same rows in the fitted columns."""
    chosen = make_value_function(asked.value_function, asked.fit_rows)
    if isinstance(chosen, Conditional):
        chosen = chosen.with_rows(asked.fit_rows)
    check_can_ask(chosen, fitted.game)

    def make_box() -> BlackBox:
        return wrap_matched(fitted, X, asked.held, table.n_rows, _NO_MODEL)

    game = bind_game(chosen, make_box, X, table.n_rows, fitted.schema, fitted.players)
    rng = np.random.default_rng(asked.seed)
    unit = fitted.output_unit
    if unit == 1.0:
        return refine_values(fitted, table, game, describe_game(chosen), asked.n_coalitions, rng)
    in_unit = replace(fitted, model=fitted.model.scale(1.0 / unit))
    found = refine_values(in_unit, table, ScaledGame(game, unit), describe_game(chosen), asked.n_coalitions, rng)
    return found._replace(
        values=found.values * unit, standard_errors=found.standard_errors * unit, base_value=found.base_value * unit
    )
