"""Sums over rows of the products of ``[1, B, f - centre]``: what one pass over any number of rows leaves of them.

The centre of the outputs is fixed before the pass and the functions' own means are near zero on the rows they were learnt from,
so that nothing has to be centred while rows come in, and sums of different rows are plain sums: they add, and subtract.

Products are in double precision. In single precision they take 0.6 of the time, but what was added and subtracted again then
leaves 6e-3 of the outputs' standard deviation in Shapley values (six correlated columns), where double precision leaves 1e-11.

A block of rows is evaluated by one thread. Then the Gram matrix is worked tile by tile, each tile by one thread and block after
block, so that the bits do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._threads import count_cores, map_threads
from ..table.columns import Table
from ..table.encoding import Encoded
from .moments import CentredMoments, mirror_upper

if TYPE_CHECKING:
    from .plan import Plan

# Functions of a tile: its products stay within a core's cache, and BLAS works at full speed.
_TILE = 512
# Bytes of a block's values, and its fewest and most rows; two blocks a thread at most are in memory.
_BLOCK_BYTES = 2**26
_BLOCK_ROWS = 1024, 16_384

# Of sums of squares that were added in another order, relative to their size.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class RowSums:
    """Sums of products over the rows of each fold; they add over disjoint rows, and subtract.

    Attributes
    ----------
    products : ndarray of shape (n_folds, n_entries), float64
        Upper triangle, row after row, of ``sum w z zᵀ`` with ``z = [1, B, f - centre]``.
    n_rows : int
        Rows of positive weight.
    """

    products: NDArray[np.float64] = field(repr=False)
    n_rows: int

    @property
    def total_weight(self) -> float:
        """Weight of all rows."""
        return float(self.products[:, 0].sum())

    def __add__(self, other: RowSums) -> RowSums:
        return RowSums(self.products + other.products, self.n_rows + other.n_rows)

    def __sub__(self, other: RowSums) -> RowSums:
        return RowSums(self.products - other.products, self.n_rows - other.n_rows)

    def are_within(self, whole: RowSums) -> bool:
        """Whether these rows can be among others': no mean square is the larger here, in any fold, beyond rounding."""
        places = np.arange(_count_rows(self.products.shape[1]), 0, -1).cumsum()
        own, others = (sums.products[:, np.append(0, places[:-1])] for sums in (self, whole))
        return bool((own <= others + _ROUNDING * np.maximum(others, own)).all())

    def describe_fold(self, fold: int, centre: NDArray[np.float64], share: float = 1.0) -> CentredMoments:
        """Moments of a fold's rows, or of rows alike with a ``share`` of their weight.

        Parameters
        ----------
        fold : int
        centre : ndarray of shape (n_outputs,), float64
            About which the outputs were summed.
        share : float
        """
        products = _unpack(self.products[fold])
        products *= share
        stop = len(products) - len(centre)
        weight = products[0, 0]
        means = products[0, 1:] / weight
        own, of_outputs = means[: stop - 1], means[stop - 1 :]
        scatter = products[1:stop, 1:stop] - weight * np.outer(own, own)
        cross = products[1:stop, stop:] - weight * np.outer(own, of_outputs)
        output_scatter = np.diag(products)[stop:] - weight * of_outputs**2
        return CentredMoments(float(weight), own, scatter, centre + of_outputs, cross, np.maximum(output_scatter, 0.0))


def count_entries(size: int) -> int:
    """Entries of the upper triangle of a matrix."""
    return size * (size + 1) // 2


def _unpack(entries: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric matrix of an upper triangle."""
    size = _count_rows(len(entries))
    matrix = np.zeros((size, size))
    start = 0
    for row in range(size):
        matrix[row, row:] = entries[start : start + size - row]
        start += size - row
    mirror_upper(matrix)
    return matrix


def _count_rows(n_entries: int) -> int:
    """Rows of the symmetric matrix whose upper triangle has so many entries."""
    return int((np.sqrt(8 * n_entries + 1) - 1) / 2)


class _Block(NamedTuple):
    """Values of ``z`` on some rows, sorted by fold.

    Attributes
    ----------
    values : ndarray of shape (n_products, n_rows), float64
        Each row times the root of its weight.
    bounds : ndarray of shape (n_folds + 1,), int64
        Where each fold's rows begin.
    """

    values: NDArray[np.float64]
    bounds: NDArray[np.int64]


class Accumulator:
    """The pass over rows: :meth:`add` them part by part, then :meth:`finish`.

    Parameters
    ----------
    plan : Plan
    progress : callable or None
        Called with the share of a table's rows that is done, and what is being done.
    """

    def __init__(self, plan: Plan, progress: Callable[[float, str], None] | None = None) -> None:
        self.plan, self.progress = plan, progress
        self.n_rows = 0
        self._size = plan.size
        self._panels = [slice(start, min(start + _TILE, self._size)) for start in range(0, self._size, _TILE)]
        pairs = list(combinations_with_replacement(range(len(self._panels)), 2))
        self._tiles = {
            (fold, *pair): np.zeros(tuple(self._panels[panel].stop - self._panels[panel].start for panel in pair))
            for fold in range(plan.n_sums)
            for pair in pairs
        }
        self._block_rows = int(np.clip(_BLOCK_BYTES // (8 * self._size), *_BLOCK_ROWS))
        # Memory is used again and again: a page that is new costs more than what is computed on it.
        self._buffers: list[NDArray[np.float64]] = []
        self._scratch: list[NDArray[np.float64]] = []

    def add(self, table: Table, outputs: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        """Add rows: a table as its container holds them, read by the plan's schema.

        Parameters
        ----------
        table : Table
        outputs : ndarray of shape (n_rows, n_outputs), float64
        weights : ndarray of shape (n_rows,), float64
            Not negative.
        """
        self.add_encoded(lambda rows: self.plan.encoder.encode(table, rows.start, rows.stop), outputs, weights)

    def add_encoded(
        self, encode: Callable[[slice], Encoded], outputs: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> None:
        """Add rows that ``encode`` gives, a slice at a time; it is called from several threads."""
        n_rows = len(outputs)
        self.n_rows += int((weights > 0).sum())

        def evaluate(numbered: tuple[int, int]) -> _Block:
            number, start = numbered
            rows = slice(start, min(start + self._block_rows, n_rows))
            return self._evaluate(encode(rows), outputs[rows], weights[rows], self._buffers[number])

        step = self._block_rows * count_cores()
        for first in range(0, n_rows, step):
            starts = list(enumerate(range(first, min(first + step, n_rows), self._block_rows)))
            while len(self._buffers) < len(starts):
                self._buffers.append(np.empty((self._size, self._block_rows)))
            blocks = map_threads(evaluate, starts)
            map_threads(partial(self._multiply, blocks), self._tiles)
            if self.progress is not None:
                self.progress(min((first + step) / n_rows, 1.0), "sums over all rows")

    def finish(self) -> RowSums:
        """Sums of all rows added; the accumulator is used up."""
        products = np.empty((self.plan.n_sums, count_entries(self._size)))
        for fold, entries in enumerate(products):
            start = 0
            for number in range(len(self._panels)):
                tiles = [self._tiles.pop((fold, number, other)) for other in range(number, len(self._panels))]
                for row, parts in enumerate(zip(*tiles, strict=True)):
                    rest = np.concatenate(parts)[row:]
                    entries[start : start + len(rest)] = rest
                    start += len(rest)
        return RowSums(products, self.n_rows)

    def _evaluate(
        self,
        encoded: Encoded,
        outputs: NDArray[np.float64],
        weights: NDArray[np.float64],
        buffer: NDArray[np.float64],
    ) -> _Block:
        plan = self.plan
        folds = plan.assign_folds(encoded, outputs)
        order = np.argsort(folds, kind="stable")
        values = buffer[:, : len(order)]
        values[0] = 1.0
        stop = 1 + len(plan.functions)
        plan.functions.write_values(Encoded(encoded.cells[order], encoded.offsets[order]), values[1:stop])
        values[stop:] = (outputs[order] - plan.centre).T
        if (weights != 1.0).any():
            values *= np.sqrt(weights[order])
        return _Block(values, np.searchsorted(folds[order], np.arange(plan.n_sums + 1)))

    def _multiply(self, blocks: list[_Block], key: tuple[int, int, int]) -> None:
        """Add the products of two panels of functions over a fold's rows of some blocks, in order."""
        fold, one, other = key
        tile = self._tiles[key]
        try:
            memory = self._scratch.pop()
        except IndexError:  # as often as there are threads
            memory = np.empty(_TILE**2)
        product = memory[: tile.size].reshape(tile.shape)
        for values, bounds in blocks:
            rows = slice(bounds[fold], bounds[fold + 1])
            if rows.stop > rows.start:
                tile += np.matmul(values[self._panels[one], rows], values[self._panels[other], rows].T, out=product)
        self._scratch.append(memory)


def accumulate(
    plan: Plan,
    table: Table,
    outputs: NDArray[np.float64],
    weights: NDArray[np.float64],
    progress: Callable[[float, str], None] | None = None,
) -> RowSums:
    """Sums of a table's rows, block by block; see :class:`Accumulator`."""
    accumulator = Accumulator(plan, progress)
    accumulator.add(table, outputs, weights)
    return accumulator.finish()
