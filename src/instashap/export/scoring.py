"""The tables of a fitted game with every coefficient beside the part of a term that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._validation import LARGEST_INTEGER
from ..fitted.game import FittedGame
from ..fitted.index_file import unpack_index
from ..game.shapley import Shapley
from ..game.terms import PresenceSet, count_live
from ..model.index_part import IndexPart
from ..table.fixed_sums import make_no_sums
from .scorer_tables import check_text, pack_scorer


class ScoredBasis(NamedTuple):
    """Functions of a column in terms of one size.

    Attributes
    ----------
    first : ndarray of shape (n_cells,), int64
        First function that is not zero in each cell.
    polynomials : ndarray of shape (n_cells, width, n_powers), float64
        Coefficients of the functions ``first … first + width - 1`` by rising power of t.
    """

    first: NDArray[np.int64]
    polynomials: NDArray[np.float64]


@dataclass(frozen=True)
class ScoredColumn:
    """How a value becomes a cell and a position t in it; see :class:`instashap.table.bases.ColumnEncoder`."""

    name: str
    edges: NDArray[np.float64]
    lows: NDArray[np.float64]
    scales: NDArray[np.float64]
    levels: tuple[Any, ...] | None
    is_boolean: bool
    bases: tuple[ScoredBasis, ...]

    @property
    def n_cells(self) -> int:
        return len(self.bases[0].first)

    @property
    def level_kind(self) -> type | None:
        """Kind of a category's levels: ``str``, ``bool`` or ``float``; None for a number column.

        Raises ``ValueError`` for levels of several kinds, which no typed column of another program can hold, and for whole
        numbers from 2**53 on, which are compared as float64 there.
        """
        if self.levels is None:
            return None
        kinds = {type(level) if isinstance(level, (bool, str)) else float for level in self.levels} or {str}
        if len(kinds) > 1:
            firsts = (next(each for each in self.levels if _is_of(each, kind)) for kind in (str, bool, float) if kind in kinds)
            shown = ", ".join(map(repr, firsts))
            raise ValueError(
                f"column {self.name!r} holds values of several kinds ({shown}), which a column of another program cannot hold: "
                "make them all text before the fit, and fit again"
            )
        large = next((each for each in self.levels if isinstance(each, int) and abs(each) >= LARGEST_INTEGER), None)
        if large is not None:
            raise ValueError(
                f"column {self.name!r} holds the number {large}; from 2**53 on other programs make different whole numbers "
                "equal: make the column text before the fit, and fit again"
            )
        return kinds.pop()


def _is_of(level: Any, kind: type) -> bool:
    return isinstance(level, kind) if kind is not float else not isinstance(level, (bool, str))


class ScoredTerm(NamedTuple):
    """One term: functions of some columns.

    Attributes
    ----------
    columns : tuple of int
    table : ndarray of shape (n_nodes_1, …, n_parts), float64
    sums : ndarray of shape (n_parts, n_outputs), float64
        Coefficient of each part in the prediction.
    credits : ndarray of shape (n_parts, n_players, n_outputs), float64
        Coefficient of each part in each player's Shapley value.
    """

    columns: tuple[int, ...]
    table: NDArray[np.float64]
    sums: NDArray[np.float64]
    credits: NDArray[np.float64]


class ShareTables(NamedTuple):
    """What a row's output share is computed from; see :func:`instashap.trust.rows.compute_output_share`.

    Attributes
    ----------
    level : float
    typical : tuple of three float
        Quantiles of held-out residual sizes, rising.
    spread : ndarray of shape (n_outputs,), float64
    curves : tuple of ndarray of shape (n_functions,), float64
        Effect of each column on the log size of a residual, in its basis of main effects.
    """

    level: float
    typical: tuple[float, ...]
    spread: NDArray[np.float64]
    curves: tuple[NDArray[np.float64], ...]


class ReachTables(NamedTuple):
    """The region of the fitted rows; attributes of :class:`instashap.table.reach.Reach` and of its fixed sums."""

    margin: float
    side: int
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    lengths: NDArray[np.float64]
    bins: tuple[NDArray[np.int64], ...]
    is_seen: NDArray[np.bool_]
    pairs: NDArray[np.int64]
    gaps: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    constants: NDArray[np.float64]


class ScoredIndex(NamedTuple):
    """Functions of linear predictions of columns, in the Shapley values alone.

    Attributes
    ----------
    part : IndexPart
    shares : ndarray of shape (n_indices, n_players), float64
        Coefficient of each function in each player's Shapley value.
    """

    part: IndexPart
    shares: NDArray[np.float64]

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns that have a score."""
        return self.part.columns


@dataclass(frozen=True)
class Scoring:
    """Everything that scores a row, by name.

    Attributes
    ----------
    columns : tuple of ScoredColumn
    terms : tuple of ScoredTerm
    base : ndarray of shape (n_outputs,), float64
    feature_names, output_names : tuple of str
    players : tuple of int
        Player of each column.
    output_transform, game : str
    index : ScoredIndex or None
    share : ShareTables or None
    reach : ReachTables or None
    """

    columns: tuple[ScoredColumn, ...]
    terms: tuple[ScoredTerm, ...]
    base: NDArray[np.float64]
    feature_names: tuple[str, ...]
    output_names: tuple[str, ...]
    players: tuple[int, ...]
    output_transform: str
    game: str
    index: ScoredIndex | None
    share: ShareTables | None
    reach: ReachTables | None

    @property
    def value_names(self) -> list[str]:
        """Names of the values in the order of ``credits``: features, and outputs of each if there are several."""
        ends = [""] if len(self.output_names) == 1 else [f" · {output}" for output in self.output_names]
        return [f"shap_{feature}{end}" for feature in self.feature_names for end in ends]

    @property
    def prediction_names(self) -> list[str]:
        """Names of the predictions, one an output."""
        ends = [""] if len(self.output_names) == 1 else [f" · {output}" for output in self.output_names]
        return [f"prediction{end}" for end in ends]

    @property
    def base_names(self) -> list[str]:
        """Names of the base values, one an output."""
        return [name.replace("prediction", "base_value", 1) for name in self.prediction_names]


def read_scoring(fitted: FittedGame, form: str) -> Scoring:
    """The tables of a game for a ``form``, whose name begins the messages of what it cannot express.

    Raises
    ------
    ValueError
        For parts that exports do not know, text that a recipe converts, and levels of several kinds.
    """
    check_text(fitted, form)
    described, arrays = pack_scorer(fitted)
    columns = tuple(_read_column(described, arrays, number) for number in range(len(described["columns"])))
    for column in columns:
        _ = column.level_kind
    sets = zip(described["value_sets"], described["presence_sets"], strict=True)
    terms = [_read_term(described, arrays, number, *each) for number, each in enumerate(sets)]
    return Scoring(
        columns,
        tuple(term for term in terms if term.table.any()),
        arrays["base_value"],
        tuple(map(str, described["feature_names"])),
        tuple(map(str, described["output_names"])),
        tuple(described["players"]),
        described["output_transform"],
        described["game"],
        _read_index(described, arrays),
        _read_share(described, arrays, len(columns)),
        _read_reach(described, arrays, len(columns)),
    )


def _read_column(described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], number: int) -> ScoredColumn:
    own = described["columns"][number]
    prefix = f"column_{number:05d}"
    bases = tuple(
        ScoredBasis(arrays[f"{prefix}_first_{size}"].astype(np.int64), arrays[f"{prefix}_polynomials_{size}"])
        for size in range(len(own["n_functions"]))
    )
    edges, lows, scales = (arrays[f"{prefix}_{part}"] for part in ("edges", "lows", "scales"))
    levels = None if own["levels"] is None else tuple(own["levels"])
    is_boolean = bool(described["is_boolean"] and described["is_boolean"][number])
    return ScoredColumn(str(own["name"]), edges, lows, scales, levels, is_boolean, bases)


def _read_term(
    described: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    number: int,
    columns: tuple[int, ...],
    presence_sets: tuple[PresenceSet, ...],
) -> ScoredTerm:
    """A term with the shares of its parts, as :meth:`AdditiveModel.make_credits` has them."""
    n_players, null = len(described["feature_names"]), described["null_players"]
    mixing = arrays[f"mixing_{number:05d}"]
    is_player = np.isin(np.arange(n_players), null, invert=True)
    named, equal = Shapley().split(presence_sets, n_players, tuple(null))
    shares = named + np.where(is_player, equal[:, None], 0.0)
    sums = np.einsum("prc,r->pc", mixing, count_live(presence_sets, is_player))
    return ScoredTerm(tuple(columns), arrays[f"table_{number:05d}"], sums, np.einsum("prc,ri->pic", mixing, shares))


def _read_index(described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> ScoredIndex | None:
    if "index" not in described:
        return None
    part = unpack_index(described["index"], arrays)
    return ScoredIndex(part, part.share_out(Shapley(), len(described["feature_names"])))


def _read_share(described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], n_columns: int) -> ShareTables | None:
    if "residuals" not in described:
        return None
    facts = described["residuals"]
    curves = tuple(arrays[f"residual_curves_{number:05d}"][:, 0] for number in range(n_columns))
    return ShareTables(facts["level"], tuple(facts["typical"]), arrays["residual_spread"], curves)


def _read_reach(described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], n_columns: int) -> ReachTables | None:
    if "reach" not in described:
        return None
    facts, seen = described["reach"], arrays["reach_pairs"]
    pairs = np.array(list(combinations(range(n_columns), 2)), dtype=np.int64).reshape(-1, 2)[: len(seen)]
    bins = tuple(arrays[f"reach_bins_{number:05d}"].astype(np.int64) for number in range(n_columns))
    ranges = arrays["reach_lows"], arrays["reach_highs"], arrays["reach_lengths"]
    sums = (arrays["reach_coefficients"], arrays["reach_constants"]) if "n_fixed_sums" in facts else make_no_sums(n_columns)
    return ReachTables(facts["margin"], facts["side"], *ranges, bins, seen, pairs, arrays["reach_gaps"], *sums)


def list_numbers(scoring: Scoring, term: ScoredTerm) -> NDArray[np.float64]:
    """Numbers of a term by what they are looked up by; the last axis is that of parts, the one before is combined.

    A term of one column: by cell, the coefficients of a polynomial in the position. Others: by the first active function of
    each column, the table's entries at all products of active functions.
    """
    size, n_parts = len(term.columns), term.table.shape[-1]
    bases = [scoring.columns[column].bases[size - 1] for column in term.columns]
    if size == 1:
        (basis,) = bases
        active = basis.first[:, None] + np.arange(basis.polynomials.shape[1])
        return np.asarray(np.einsum("cmk,cmp->ckp", basis.polynomials, term.table[active]))
    widths = [basis.polynomials.shape[1] for basis in bases]
    starts = [np.arange(int(basis.first.max()) + 1) for basis in bases]
    nodes = [start[:, None] + np.arange(width) for start, width in zip(starts, widths, strict=True)]
    picked = term.table[np.ix_(*(each.ravel() for each in nodes))]
    shape = [number for start, width in zip(starts, widths, strict=True) for number in (len(start), width)]
    axes = [*range(0, 2 * size, 2), *range(1, 2 * size, 2), 2 * size]
    return picked.reshape(*shape, n_parts).transpose(axes).reshape(*(len(each) for each in starts), -1, n_parts)
