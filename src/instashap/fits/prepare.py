"""What every fit does before it fits: judge options, drop rows of weight 0, merge and thin copies, learn and encode columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import check_choice, check_groups, check_interactions, check_order, check_positive
from ..game.coalitions import compute_shapley_size_law
from ..masked.codes import find_codes
from ..masked.find_jumps import find_jumps
from ..masked.folds import count_copies, take_census
from ..masked.search_limits import AXIS_LIMITS
from ..table.bases import LearntColumn
from ..table.columns import Table
from ..table.encoding import Encoded, TableEncoder, learn_table
from ..table.near_rows import merge_near_rows
from .null_players import Roster, find_constant, make_roster

# Columns have local bases for terms of one, two and three.
MAX_ORDER = 3
# Rows that a fit is planned on; of a longer table the others enter by their sums alone.
PLAN_ROWS = 100_000

Learn = Callable[[Table, NDArray[Any], NDArray[np.float64]], tuple[TableEncoder, tuple[LearntColumn, ...]]]


@dataclass(frozen=True)
class FitOptions:
    """Choices of a fit, as the user gave them; see :class:`instashap.Explainer`."""

    order: Any = 2
    presence_order: Any = "auto"
    interactions: Any = "auto"
    fitter: Any = "closed-form"
    groups: Any = None
    full_weight: float = 1.0
    plan_rows: int | None = PLAN_ROWS


@dataclass(frozen=True)
class JudgedOptions:
    """Options of a fit, judged against the table's columns."""

    feature_names: tuple[str, ...]
    players: tuple[int, ...]
    order: int
    presence_order: int | str
    interactions: Any
    full_weight: float


@dataclass(frozen=True)
class PreparedRows:
    """Rows ready for a fitter.

    Attributes
    ----------
    table : Table
        Without the rows of weight 0, and with the same numbers for near copies (:func:`merge_near_rows`).
    target : ndarray of shape (n_rows, ...)
        Outputs or labels of these rows.
    weights : ndarray of shape (n_rows,), float64
        Above zero; thinned where all rows are copies (:func:`thin_copies`).
    n_copies : float
        The weight given to the weight left by thinning.
    encoder : TableEncoder
    columns : tuple of LearntColumn
    encoded : Encoded
    roster : Roster
        The players: features that vary.
    size_law : ndarray of shape (n_varying_players + 1,), float64
    """

    table: Table
    target: NDArray[Any]
    weights: NDArray[np.float64]
    n_copies: float
    encoder: TableEncoder
    columns: tuple[LearntColumn, ...]
    encoded: Encoded
    roster: Roster
    size_law: NDArray[np.float64]


def judge_options(options: FitOptions, names: tuple[str, ...]) -> JudgedOptions:
    """Options as clean values, orders capped by the columns and features there are.

    Raises ``ValueError`` or ``TypeError`` naming the option, what came and what to do.
    """
    feature_names, players = check_groups(options.groups, names)
    order = check_order(options.order, len(names), largest=MAX_ORDER)
    presence_order = _check_presence_order(options.presence_order, order, len(feature_names))
    interactions = check_interactions(options.interactions, names, order)
    full_weight = check_positive(options.full_weight, "full_weight")
    return JudgedOptions(feature_names, players, order, presence_order, interactions, full_weight)


def _check_presence_order(presence_order: Any, order: int, n_players: int) -> Any:
    if isinstance(presence_order, str):
        return check_choice(presence_order, ("auto",), "presence_order")
    checked = check_order(presence_order, n_players, "presence_order")
    if checked < min(order, n_players):
        raise ValueError(
            f"presence_order={checked} is below order={order}: a term counts only with all its own features present"
        )
    return checked


def prepare_rows(
    table: Table,
    target: NDArray[Any],
    weights: NDArray[np.float64],
    judged: JudgedOptions,
    learn: Learn,
    find_null: Callable[[Table, TableEncoder, Encoded], Sequence[bool]] | None = None,
) -> PreparedRows:
    """Rows of positive weight, their columns learnt and encoded, and the players of the game on them.

    Parameters
    ----------
    table : Table
    target : ndarray of shape (n_rows, ...)
        Outputs or labels.
    weights : ndarray of shape (n_rows,), float64
        Not negative.
    judged : JudgedOptions
    learn : callable
        Gives an encoder and columns for a table, its target and its weights, for example :func:`learn_columns`.
    find_null : callable, optional
        Says of each column whether nothing can depend on it, given the table, its encoder and its encoded rows; by default that
        it has one value.
    """
    kept = np.flatnonzero(weights > 0)
    if len(kept) < table.n_rows:
        table, target, weights = table.take(kept), target[kept], weights[kept]
    total = float(weights.sum())
    table, target = merge_near_rows(table, target, weights)
    weights = thin_copies(table, target, weights)
    encoder, columns = learn(table, target, weights)
    encoded = encoder.encode(table)
    is_null = find_constant(encoded) if find_null is None else find_null(table, encoder, encoded)
    roster = make_roster(judged.players, is_null)
    size_law = compute_shapley_size_law(len(roster.varying), judged.full_weight)
    return PreparedRows(table, target, weights, total / float(weights.sum()), encoder, columns, encoded, roster, size_law)


def learn_columns(
    table: Table, outputs: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[TableEncoder, tuple[LearntColumn, ...]]:
    """Columns as curves and levels, and as codes where the outputs say so (:mod:`instashap.masked.codes`)."""
    encoder, columns = learn_table(table, weights)
    codes = find_codes(table, encoder, columns, outputs, weights, AXIS_LIMITS[0])
    return learn_table(table, weights, codes=codes) if codes else (encoder, columns)


def learn_jumping_columns(
    table: Table, outputs: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[TableEncoder, tuple[LearntColumn, ...]]:
    """The same with jumps in the curves along which an output jumps (:mod:`instashap.masked.find_jumps`)."""
    encoder, columns = learn_columns(table, outputs, weights)
    jumps = find_jumps(table, encoder.encode(table), columns, outputs, weights, AXIS_LIMITS[0])
    if not jumps:
        return encoder, columns
    codes = [number for number, column in enumerate(columns) if column.axes[0].is_code]
    return learn_table(table, weights, codes=codes, jumps=jumps, known=columns)


def learn_plain_columns(
    table: Table, _: NDArray[Any], weights: NDArray[np.float64]
) -> tuple[TableEncoder, tuple[LearntColumn, ...]]:
    """Columns as curves and levels, whatever the outputs are."""
    return learn_table(table, weights)


def thin_copies(table: Table, outputs: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights that sum to the number of different rows where every row was copied with its outputs; else as they are.

    Knots, unknowns and penalties then go by the different rows: copies, and large counts of rows of continuous columns, hold no
    information of their own (:class:`instashap.masked.folds.RowCensus`). Different outputs of equal rows are measurements.
    """
    values = np.column_stack([np.asarray(table.numbers, dtype=np.float64), *(codes for codes, _ in table.categories)])
    owner = _number_rows(values)
    if np.bincount(owner, weights=count_copies(weights)).min() < 2:
        return weights
    if _number_rows(np.column_stack([values, outputs])).max() > owner.max():
        return weights
    census = take_census(learn_table(table, weights)[0].encode(table), weights)
    return weights * (census.n_distinct / weights.sum()) if census.is_copied else weights


def _number_rows(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The same number for equal rows, from 0 on; NaN equals NaN."""
    plain = np.ascontiguousarray(np.where(np.isnan(values), np.nan, values) + 0.0)
    keys = plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1])))
    return np.unique(keys, return_inverse=True)[1].reshape(-1)
