"""The fit of games other than the conditional one: bind the value function, ask it, and fit what it said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._alignment import name_outputs
from .._errors import FitWarning, warn_caller
from .._output_unit import find_output_unit
from ..asked.asked_rows import AskedRows
from ..asked.differences import MANY_COLUMNS, MANY_REFERENCES, fit_components
from ..asked.sample import sample_game
from ..asked.sampled import SampledFitter
from ..blackbox.model import BlackBox
from ..blackbox.value_functions import CalledGame, Game, ScaledGame, describe_function
from ..fitted.fit_kind import FitKind
from ..fitted.game import Answers, FittedGame
from ..masked.fallback import drop_if_worse
from ..table.columns import Schema, Table, read_table
from ..table.encoding import Encoded, TableEncoder
from ..table.fixed_sums import make_no_sums
from ..table.reach import Reach, learn_reach
from .conditional import FitSummary, Progress, describe_fit, warn_about_fit
from .null_players import Roster, RosterGame, find_constant_among, find_unmoved
from .prepare import FitOptions, JudgedOptions, judge_options, learn_columns, learn_plain_columns, prepare_rows
from .registry import find_fitter


def describe_game(value_function: Any) -> str:
    """What "absent" means, in a few words."""
    if isinstance(value_function, str) or hasattr(value_function, "bind"):
        return str(value_function)
    return f"value function {describe_function(value_function)}"


def check_can_ask(value_function: Any, fitted_game: str) -> None:
    """Raise ``ValueError`` if the value function is one by name only: it says what was fitted, and cannot be evaluated."""
    if isinstance(value_function, str):
        raise ValueError(
            f"refining needs a value function it can ask, and the {fitted_game} game of this explainer gives none: pass "
            "value_function=Conditional('copula', rows), which draws absent columns given the present ones; or "
            "Marginal(background), Baseline(row) or a function F(X, masks)"
        )


def bind_game(
    value_function: Any, make_box: Callable[[], BlackBox], X: Any, n_rows: int, schema: Schema, players: Sequence[int]
) -> Game:
    """A value function on the rows of a table.

    Parameters
    ----------
    value_function : Marginal, Baseline, or callable ``F(X, masks)``
    make_box : callable
        Gives the model; not asked for by a function of rows and masks.
    X : table
    n_rows : int
    schema : Schema
    players : sequence of int
        Player of each column.
    """
    if hasattr(value_function, "bind"):
        game: Game = value_function.bind(make_box(), X, schema.names if schema.has_names else None, players)
        return game
    if not callable(value_function):
        raise TypeError(
            "value_function must be 'conditional', Marginal(background), Baseline(row) or a function F(X, masks); "
            f"got {value_function!r}"
        )
    return CalledGame(value_function, X, n_rows, max(players) + 1)


def fit_value_function(
    X: Any,
    table: Table,
    value_function: Any,
    make_box: Callable[[], BlackBox],
    weights: NDArray[np.float64],
    options: FitOptions,
    *,
    seed: int | None,
    progress: Progress | None = None,
) -> FittedGame:
    """Learn the columns, ask the game about sampled coalitions, fit, and keep what explaining needs.

    Parameters
    ----------
    X : table
        As the user gave it; ``table`` is what was read from it.
    value_function, make_box
        See :func:`bind_game`.
    weights : ndarray of shape (n_rows,), float64
        Rows of weight 0 are dropped first.
    options : FitOptions
    seed : int or None
        Of the coalitions; None counts as 0.
    """
    judged = judge_options(options, table.schema.names)
    if judged.presence_order not in ("auto", judged.order):
        raise ValueError(
            f"presence_order={judged.presence_order} belongs to the conditional game: a part of the "
            f"{describe_game(value_function)} game reads all its features; use 'auto'"
        )
    game = bind_game(value_function, make_box, X, table.n_rows, table.schema, judged.players)
    kept = np.flatnonzero(weights > 0)
    game, full, unit = _choose_unit(game, kept)
    references = game.get_references()

    def read_references(part: Table) -> Table:
        return part if references is None else read_table(references, table.schema)

    def find_null(part: Table, encoder: TableEncoder, encoded: Encoded) -> Sequence[bool]:
        if references is None:
            return find_unmoved(game, kept, encoded, judged.players)
        return find_constant_among(encoded, part, read_references(part))

    learn = learn_columns if options.fitter == "closed-form" else learn_plain_columns
    rows = prepare_rows(table, full, weights, judged, learn, find_null)
    encoder, columns, encoded, weights, full = rows.encoder, rows.columns, rows.encoded, rows.weights, rows.target
    stand_ins = encoder.encode(read_references(rows.table))
    roster, size_law = rows.roster, rows.size_law
    small_game = RosterGame(game, roster)
    if progress is not None:
        progress(0.05, "asking the model")
    output_names = name_outputs(game.output_names, full.shape[1])
    described = output_names, game.output_transform, describe_game(value_function)
    named = judged.feature_names, judged.players, *described
    answers = Answers(reach=_learn_reach(encoder, encoded, stand_ins if references is not None else None))
    if options.fitter != "closed-form":
        make_fitter = find_fitter(options.fitter)
        orders = {"order": judged.order, "presence_order": judged.order}
        fitter = make_fitter(columns, roster.players, **orders, interactions=judged.interactions, progress=progress)
        if not hasattr(fitter, "fit_game"):
            raise ValueError(f"the fitter {type(fitter).__name__} fits the conditional game only: leave fitter= out")
        model, facts = fitter.fit_game(small_game, kept, encoded, full, weights, size_law)
        model, note = drop_if_worse(model, encoded, full, weights)
        if note:
            warn_caller(note, FitWarning)
        model = roster.spread(model)
        return FittedGame(encoder, model, *named, facts, kind=FitKind.OTHER_GAME, answers=answers).restore_unit(unit)
    rng = np.random.default_rng(seed or 0)
    result: FitSummary
    n_coalitions = {}
    if _has_many_pairs(judged, roster, game):
        result = fit_components(game, AskedRows(encoded, kept, full, weights), stand_ins, columns, roster.varying, rng)
        model = result.model
        if progress is not None:
            progress(1.0, "done")
    else:
        sample = sample_game(small_game, kept, full, weights, size_law, rng)
        sampled = SampledFitter(columns, roster.players, judged.order, judged.interactions, progress, roster.is_null)
        result = sampled.fit(encoded, weights, sample, stand_ins, game.reference_outputs.mean(axis=0), size_law)
        model = roster.spread(result.model)
        n_coalitions = {"n_coalitions": len(sample.rows)}
    warn_about_fit(result, judged.order, judged.interactions)
    facts = {**describe_fit(result, len(kept), float(weights.sum()), judged.full_weight), **n_coalitions}
    return FittedGame(encoder, model, *named, facts, kind=FitKind.OTHER_GAME, answers=answers).restore_unit(unit)


def _choose_unit(game: Game, kept: NDArray[np.int64]) -> tuple[Game, NDArray[np.float64], float]:
    """A game in a unit that can be squared, its values of the full coalition there, and the unit: 1 for common values."""
    full = game.evaluate_full()
    unit = find_output_unit(full[kept], "the values of the full coalition")
    return (game, full, unit) if unit == 1.0 else (ScaledGame(game, unit), full / unit, unit)


def _learn_reach(encoder: TableEncoder, encoded: Encoded, stand_ins: Encoded | None) -> Reach:
    """Where the game was asked: the rows and their stand-ins. Rows made of both combine values as no row of the table does."""
    if stand_ins is None:
        return learn_reach(encoder, encoded)
    cells = np.concatenate([encoded.cells, stand_ins.cells])
    reach = learn_reach(encoder, Encoded(cells, np.concatenate([encoded.offsets, stand_ins.offsets])))
    return replace(reach, is_seen=reach.is_seen[:0], sums=make_no_sums(len(encoder.columns)))


def _has_many_pairs(judged: JudgedOptions, roster: Roster, game: Game) -> bool:
    """Whether pairs are too many for one system to hold finely, and small coalitions of single references are cheap."""
    n_columns = len(judged.players)
    is_plain = judged.order == 2 and judged.interactions == "auto" and judged.players == tuple(range(n_columns))
    return is_plain and len(roster.varying) in MANY_COLUMNS and game.n_references >= MANY_REFERENCES
