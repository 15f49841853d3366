"""Cross-fitted predictions of one order: each row by a model of the fit that has not seen it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from ..game.terms import count_by_size, make_presence_masks, pack_players
from ..masked.expand import expand_solution
from ..masked.fitter import FitRecord
from ..masked.folds import RowCensus, assign_folds, count_copies, hash_rows, take_census
from ..masked.moments import BLOCK_ROWS, CentredMoments
from ..model.additive_model import AdditiveModel
from ..model.kernels import sum_live
from ..table.bases import ColumnEncoder
from ..table.encoding import Encoded
from ..table.row_hash import mix
from .figures import N_GROUPS

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

Part = tuple[NDArray[np.int64], AdditiveModel]


@dataclass(frozen=True)
class Rows:
    """The rows of an audit.

    Attributes
    ----------
    encoded : Encoded
    outputs : ndarray of shape (n_rows, n_outputs), float64
        Outputs of the black box, on the scale that is explained.
    weights : ndarray of shape (n_rows,), float64
    columns : tuple of ColumnEncoder
    players : tuple of int
        Player of each column.
    feature_names : tuple of str
        Names of the players.
    flags : frozenset of str
        Names of the number columns that held only true and false.
    """

    encoded: Encoded
    outputs: NDArray[np.float64]
    weights: NDArray[np.float64]
    columns: tuple[ColumnEncoder, ...]
    players: tuple[int, ...]
    feature_names: tuple[str, ...]
    flags: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.outputs)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def census(self) -> RowCensus:
        """How often rows are equal."""
        return take_census(self.encoded, self.weights)

    @property
    def n_different(self) -> int:
        """Different rows."""
        return self.census.n_distinct

    @cached_property
    def n_independent(self) -> int:
        """Rows that say something of their own: all where equal rows are chance, as of a few levels; else the different ones.

        They are copies where some column has different values in most of the different rows.
        """
        n_different = self.census.n_distinct
        n_values = max(len(np.unique(column)) for column in self.values.T)
        is_chance = self.census.is_discrete or 2 * n_values <= n_different
        return int(count_copies(self.weights).sum()) if is_chance else n_different

    @cached_property
    def keys(self) -> NDArray[np.uint64]:
        """A hash of each row, other than the one that makes the folds of a fit.

        Equal rows of a table are dealt out one by one; where every row was copied they stay together.
        """
        _, placed = hash_rows(self.encoded)
        keys = mix(placed ^ mix((self.outputs + 0.0).view(np.uint64)).sum(axis=1, dtype=np.uint64))
        if self.census.is_copied:
            return keys
        order = np.argsort(keys, kind="stable")
        copies = np.empty(len(keys), dtype=np.int64)
        copies[order] = np.arange(len(keys)) - np.searchsorted(keys[order], keys[order])
        return mix(keys + _GOLDEN * copies.astype(np.uint64))

    @cached_property
    def repeats(self) -> float:
        """Chance that a new row is equal to one of these: less that of the rows seen once (Good 1953); 0 for copied rows."""
        if self.census.is_copied:
            return 0.0
        _, placed = hash_rows(self.encoded)
        _, which = np.unique(placed, return_inverse=True)
        own = np.bincount(which, weights=count_copies(self.weights))
        return float(1.0 - own[own <= 1.0].sum() / own.sum())

    @cached_property
    def is_repeated(self) -> NDArray[np.bool_]:
        """Whether the table holds an equal row beside each; never where every row was copied."""
        if self.census.is_copied:
            return np.zeros(len(self), dtype=bool)
        _, placed = hash_rows(self.encoded)
        _, which = np.unique(placed, return_inverse=True)
        own = np.bincount(which, weights=count_copies(self.weights))
        return np.asarray(own[which] > 1.0)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Group of each row for the jackknife."""
        return (self.keys % np.uint64(N_GROUPS)).astype(np.int64)

    @cached_property
    def halves(self) -> NDArray[np.bool_]:
        """Half of the rows, by a hash: what is found on one is measured on the other."""
        return np.asarray((self.keys >> np.uint64(20)) % np.uint64(2) == 0)

    @cached_property
    def spread(self) -> NDArray[np.float64]:
        """Standard deviation of each output; 1 for a constant one."""
        mean = np.average(self.outputs, axis=0, weights=self.weights)
        spread = np.sqrt(np.average((self.outputs - mean) ** 2, axis=0, weights=self.weights))
        return np.where(spread > 1e-12 * np.maximum(np.abs(mean), 1e-300), spread, 1.0)

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """Columns as numbers, shape (n_rows, n_columns): numbers themselves (missing: NaN), cells of categories."""
        cells, offsets = self.encoded
        values = np.empty(cells.shape)
        for position, column in enumerate(self.columns):
            own = cells[:, position]
            if column.is_category:
                values[:, position] = own
                continue
            lows = np.append(column.lows, np.nan)
            steps = np.append(np.divide(1.0, column.scales, out=np.zeros_like(column.scales), where=column.scales > 0), 0.0)
            values[:, position] = lows[own] + offsets[:, position] * steps[own]
        return values

    def take(self, rows: NDArray[np.int64]) -> "Rows":
        """Some of the rows."""
        return replace(
            self, encoded=take_encoded(self.encoded, rows), outputs=self.outputs[rows], weights=self.weights[rows]
        )

    def choose(self, limit: int) -> NDArray[np.int64]:
        """Positions of at most ``limit`` rows: those of the smallest hashes, in their order."""
        return np.argsort(self.keys, kind="stable")[:limit]


def take_encoded(encoded: Encoded, rows: NDArray[np.int64]) -> Encoded:
    """Some of the rows."""
    return Encoded(encoded.cells[rows], encoded.offsets[rows])


@dataclass(frozen=True)
class Held:
    """Models of one order, each with rows it has not seen.

    Attributes
    ----------
    order : int
        Columns a shape function may read; those of the models read fewer where more did not help.
    presence_order : int
        Players a presence set holds.
    parts : tuple of (positions of rows, AdditiveModel)
        No row is in two; every row that is asked about is in one.
    is_held_out : bool
        False where nothing could be held out (a table of few distinct rows): the parts then have seen their rows.
    record : FitRecord or None
        What the models come from; None if only the finished model is there.
    """

    order: int
    presence_order: int
    parts: tuple[Part, ...]
    is_held_out: bool
    record: FitRecord | None = None

    def predict(self, rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Outputs at the full and at the empty coalition, each of shape (n_rows, n_outputs)."""
        full, empty = np.empty_like(rows.outputs), np.empty_like(rows.outputs)
        for places, model in self.parts:
            full[places] = model.predict(take_encoded(rows.encoded, places))
            empty[places] = model.base_value
        return full, empty


def hold_out(order: int, record: FitRecord, enough: float = np.inf) -> Held:
    """A fit's own cross-validation: its models without each fold, of the terms and strengths it chose.

    Folds are taken one after the other until they hold ``enough`` rows; those that judged the candidates come first.
    """
    result, solved = record.result, record.result.solved
    orders = order, result.chosen.candidate.presence_order
    folds = assign_folds(record.encoded, record.outputs, record.weights, result.n_folds)
    is_split = len(folds) == len(solved.fold_coefficients) > 1 and sum(len(rows) for rows, _ in folds) == len(record.outputs)
    if not is_split:
        return Held(*orders, ((np.arange(len(record.outputs)), result.model),), False, record)
    parts: list[Part] = []
    bases = tuple(column.encoder.bases for column in record.columns)
    linear = solved.fold_bases or (None,) * len(folds)
    for (places, weights), coefficients, base in zip(folds, solved.fold_coefficients, linear, strict=True):
        if sum(len(own) for own, _ in parts) >= enough:
            break
        others = _shift_means(record, places, weights)
        solution = replace(solved.solution, coefficients=coefficients)
        model = expand_solution(solved.problem, solved.functions, solution, others, bases, len(record.size_law) - 1, base)
        parts.append((places, model))
    return Held(*orders, tuple(parts), True, record)


def keep_held(held: Sequence[Held], rows: Rows) -> tuple[list[Held], Rows]:
    """The rows that the models of every order were held out from, and the orders with positions among these rows."""
    seen = [np.sort(np.concatenate([places for places, _ in each.parts])) for each in held]
    kept = reduce(np.intersect1d, seen)
    if len(kept) == len(rows):
        return list(held), rows
    found = []
    for each in held:
        own = [(np.searchsorted(kept, np.intersect1d(places, kept)), model) for places, model in each.parts]
        found.append(replace(each, parts=tuple(part for part in own if len(part[0]))))
    return found, rows.take(kept)


def _shift_means(record: FitRecord, places: NDArray[np.int64], weights: NDArray[np.float64]) -> CentredMoments:
    """Means without a fold; second moments are not asked for, and are left out."""
    total, functions = record.result.total, record.result.solved.functions
    sums = np.zeros(len(total.means))
    for start in range(0, len(places), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        sums += functions.evaluate(take_encoded(record.encoded, places[block])) @ weights[block]
    weight = total.weight - weights.sum()
    means = (total.weight * total.means - sums) / weight
    output_means = (total.weight * total.output_means - weights @ record.outputs[places]) / weight
    none = np.empty((0, 0))
    return CentredMoments(weight, means, none, output_means, none, none)


def iterate_masked(
    model: AdditiveModel, encoded: Encoded, masks: NDArray[np.bool_]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Blocks of rows, and the model's outputs there under several masks a row: shape (n_block, n_masks, n_outputs).

    Components are looked up once a row: ``v(x, S)`` is the sum of those whose presence set lies in S (of a tied set as often
    as one of the sets it stands for does), and what the linear part is there.

    Parameters
    ----------
    masks : ndarray of shape (n_rows, n_masks, n_players), bool
        True = present.
    """
    sets, lookup = model.components
    named = pack_players(make_presence_masks(sets, model.n_players))
    counts = count_by_size(sets, model.n_players)
    for start in range(0, len(masks), _BLOCK):
        block = slice(start, start + _BLOCK)
        values = np.tile(model.base_value, (*masks[block].shape[:2], 1))
        rows, own = Encoded(encoded.cells[block], encoded.offsets[block]), masks[block]
        if model.linear is not None:
            values += model.linear.predict(model.bases, rows, own)
        if model.index is not None:
            values += model.index.predict(model.bases, rows, own)
        if sets:
            sum_live(named, counts, pack_players(~own), own.sum(axis=2), lookup.apply(rows), values)
        yield block, values


# Rows of a block: with 1 200 presence sets the components of one output are 5 MB.
_BLOCK = 512


def mark_missing(lowest: float) -> float:
    """A number that stands for missing values below the lowest of a column, however large its numbers are."""
    return float(lowest - (1.0 + abs(lowest)))
