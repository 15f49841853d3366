"""Encoding of tables: each value becomes a cell and a position t within it, block by block."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bases import ColumnEncoder, LearntColumn, LocalBasis
from .categories import learn_categories
from .columns import Schema, Table
from .counted import count_values
from .encoding_kernel import encode_numbers
from .grain import SMOOTH, Grain
from .level_order import measure_rows
from .number_columns import learn_numbers
from .units import find_column_unit, warn_of_far_cells

# Rows of a block: its cells and offsets (13 columns) fit into a core's cache.
BLOCK_ROWS = 4096
# Blocks of a wide table have at most so many numbers: 8 MB.
BLOCK_NUMBERS = 2**20


class Encoded(NamedTuple):
    """Encoded rows.

    Attributes
    ----------
    cells : ndarray of shape (n_rows, n_columns), int32, C order
    offsets : ndarray of shape (n_rows, n_columns), float64, C order
        Position t in [0, 1] within the cell; -0.0 for a missing number, and for nothing else.
    """

    cells: NDArray[np.int32]
    offsets: NDArray[np.float64]

    def take(self, rows: Any) -> "Encoded":
        """Some of the rows: positions, a slice or a mask."""
        return Encoded(self.cells[rows], self.offsets[rows])


@dataclass(frozen=True)
class TableEncoder:
    """Encoder of tables like that of the fit, as cells and offsets."""

    schema: Schema
    columns: tuple[ColumnEncoder, ...]
    _plan: tuple[Any, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        numeric = [position for position, column in enumerate(self.columns) if not column.is_category]
        chosen = [self.columns[position] for position in numeric]
        starts = np.concatenate([[0], np.cumsum([len(column.edges) for column in chosen])]).astype(np.int64)
        plan = (
            np.array(numeric, dtype=np.int64),
            _join([column.edges for column in chosen]),
            starts,
            _join([column.lows for column in chosen]),
            _join([column.scales for column in chosen]),
            np.array([column.missing_cell for column in chosen], dtype=np.int32),
        )
        object.__setattr__(self, "_plan", plan)

    def encode(self, table: Table, start: int = 0, stop: int | None = None) -> Encoded:
        """Cells and offsets of rows ``start … stop - 1``.

        Raises ``ValueError`` for infinite values, naming the column.
        """
        stop = table.n_rows if stop is None else min(stop, table.n_rows)
        shape = (stop - start, len(self.columns))
        encoded = Encoded(np.empty(shape, dtype=np.int32), np.empty(shape))
        if len(self._plan[0]):
            step = int(np.clip(BLOCK_NUMBERS // len(self._plan[0]), 1, BLOCK_ROWS))
            for first in range(start, stop, step):  # a whole memory map, frame or sparse matrix is never copied at once
                last = min(first + step, stop)
                block = slice(first - start, last - start)
                numbers = np.require(table.numbers[first:last], dtype=np.float64, requirements=("C", "A", "W"))
                bad = encode_numbers(numbers, *self._plan, encoded.cells[block], encoded.offsets[block])
                if bad >= 0:
                    values = np.asarray(table.numbers[start:stop, bad], dtype=np.float64)
                    self._refuse_infinite(values, self.schema.names[self._plan[0][bad]])
        text = (position for position, column in enumerate(self.columns) if column.is_category)
        for position, (codes, levels) in zip(text, table.categories, strict=True):
            encoded.cells[:, position] = self.columns[position].find_cells(codes[start:stop], levels)
            encoded.offsets[:, position] = 0.0
        return encoded

    def check_levels(self, table: Table) -> None:
        """Raise ``ValueError``, with the column's name, for a category column in which every value is new.

        A single new value is accepted, and so are new values if rows of the fit were pooled: such rows can be explained, as
        rows outside the data.
        """
        text = (column for column in self.columns if column.is_category)
        for column, (codes, levels) in zip(text, table.categories, strict=True):
            places = np.flatnonzero(np.bincount(codes + 1, minlength=len(levels) + 1)[1:])
            given = [levels[place] for place in places]
            if given and column.levels and (column.find_cells(places, levels) == column.missing_cell - 1).all():
                kinds, fitted_kinds = ({_name_kind(level) for level in each} for each in (given, column.levels))
                is_other_kind = not kinds & fitted_kinds
                if is_other_kind or (len(given) > 1 and not column.has_pooled):
                    alone = "" if is_other_kind else f"; if they are new, explain the rows of each alone, such as {given[0]!r}"
                    raise ValueError(
                        f"column {column.name!r} holds no value that the fit saw: it holds {_list_levels(given)}, the fit saw "
                        f"{_list_levels(column.levels)}; write its values as in the fit, or fit again{alone}"
                    )

    def iterate(self, table: Table, block_rows: int = BLOCK_ROWS) -> Iterator[tuple[slice, Encoded]]:
        """Encoded blocks of rows, in order."""
        for start in range(0, table.n_rows, block_rows):
            rows = slice(start, min(start + block_rows, table.n_rows))
            yield rows, self.encode(table, rows.start, rows.stop)

    @staticmethod
    def _refuse_infinite(values: NDArray[np.float64], name: str) -> None:
        count = int(np.isinf(values).sum())
        raise ValueError(
            f"column {name!r} holds {count} infinite values (Input X contains infinity); replace them or drop the rows"
        )

    @property
    def bases(self) -> tuple[tuple[LocalBasis, ...], ...]:
        """Bases of each column, for terms of one, two and three columns."""
        return tuple(column.bases for column in self.columns)


def _name_kind(level: Any) -> str:
    return "flag" if isinstance(level, bool) else "text" if isinstance(level, str) else "number"


def _list_levels(levels: Sequence[Any], limit: int = 4) -> str:
    return ", ".join(map(repr, levels[:limit])) + f", … ({len(levels)} values)" * (len(levels) > limit)


def _join(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.ascontiguousarray(np.concatenate(parts)) if parts else np.empty(0)


def learn_table(
    table: Table,
    weights: NDArray[np.float64],
    grain: Grain = SMOOTH,
    without_spikes: Collection[int] = (),
    codes: Collection[int] = (),
    jumps: Mapping[int, NDArray[np.float64]] | None = None,
    known: Sequence[LearntColumn] | None = None,
) -> tuple[TableEncoder, tuple[LearntColumn, ...]]:
    """Encoder of a table, and every column with the axes of a fit; rows of weight 0 should have been dropped.

    All values of the columns ``without_spikes`` lie on the curve, however many rows share one. Each value of the columns
    ``codes`` has a main effect of its own, without an order. The curves of the columns ``jumps`` may jump at its values. If
    all columns are ``known`` without jumps, only these are learnt anew.
    """
    jumps = jumps or {}
    grain = _share_levels(table, grain, codes)
    numeric = iter(range(table.numbers.shape[1]))
    categories = iter(zip(table.categories, table.is_ordered or [False] * len(table.categories), strict=True))
    mark_rows = cache(lambda: measure_rows(table, weights))
    learnt = []
    for position, (name, is_category) in enumerate(zip(table.schema.names, table.schema.is_category, strict=True)):
        place: Any = next(categories) if is_category else next(numeric)
        if known is not None and position not in jumps:
            learnt.append(known[position])
        elif is_category:
            (found, levels), is_ordered = place
            learnt.append(learn_categories(name, found, levels, weights, grain, is_ordered, mark_rows))
        else:
            values = np.asarray(table.numbers[:, place], dtype=np.float64)
            if np.isinf(values).any():
                TableEncoder._refuse_infinite(values, name)
            unit = find_column_unit(values, name)
            warn_of_far_cells(values, name)
            counted = count_values(name, values, weights, unit)
            if position in table.bases:
                column = table.bases[position].learn(counted, grain)
            else:
                where = jumps[position] / unit if position in jumps else None
                is_code, may_spike = position in codes, position not in without_spikes
                column = learn_numbers(counted, grain, may_spike=may_spike, is_code=is_code, jumps=where)
            learnt.append(column if unit == 1.0 else replace(column, encoder=column.encoder.scale(unit)))
    return TableEncoder(table.schema, tuple(column.encoder for column in learnt)), tuple(learnt)


def _share_levels(table: Table, grain: Grain, codes: Collection[int]) -> Grain:
    """The grain with the number of levels per main effect limited, so that all columns together stay within its limit."""
    numbers = [position for position, is_category in enumerate(table.schema.is_category) if not is_category]
    coded = [place for place, position in enumerate(numbers) if position in codes]
    of_codes = [len(np.unique(table.numbers[:, place])) for place in coded]
    counts = sorted([len(levels) for _, levels in table.categories] + of_codes)
    left = most = grain.axis_levels[0]
    for place, count in enumerate(counts):
        most = left // (len(counts) - place)
        if count > most:
            break
        left -= count
        most = grain.axis_levels[0]
    return replace(grain, axis_levels=(max(most, grain.axis_levels[1]), *grain.axis_levels[1:]))
