"""Value tables as the unknowns of a fit: scores of rows, and the adjoint, sums of rows' values at the nodes."""

from __future__ import annotations  # functions are defined in every pass: their annotations are not evaluated

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..game.terms import ValueSet
from ..model.kernels import TILE
from ..model.lookup import count_through, lay_out_axes
from ..table.bases import LearntColumn
from ..table.encoding import Encoded
from .over_outputs import sum_outputs
from .table_kernels import add_products, add_tables, list_products, scatter_products, scatter_rows

# Each pass has at most so many blocks of rows. The blocks' sums are added in order, so that the result has the same bits for
# any number of threads.
MAX_BLOCKS = 8
MIN_BLOCK_ROWS = 4096
# Passes over the same rows find the active functions once, if they are no more than so many in all: 100 MB.
MAX_PRODUCTS = 2**23

# Nodes and values of the active functions of the rows of each block, by its first row; None if they are found in each pass.
Products = dict[int, tuple[NDArray[np.int32], NDArray[np.float64]]] | None
# From a block of rows and their scores: the loss, and the values that are summed at the nodes.
Work = Callable[[slice, NDArray[np.float64]], tuple[float, NDArray[np.float64]]]


@dataclass(frozen=True)
class TableDesign:
    """Layout of several terms' tables in one vector, and the passes over rows that read and fill the vector.

    The vector holds term after term: nodes in C order of the term's axes, outputs fastest; then one intercept per output.

    Attributes
    ----------
    columns : tuple of LearntColumn
    value_sets : tuple of tuple of int
    n_outputs : int
    n_threads : int
    starts : ndarray of shape (n_terms + 1,), int64
        Position of each term in the vector; the last is that of the intercepts.
    """

    columns: tuple[LearntColumn, ...]
    value_sets: tuple[ValueSet, ...]
    n_outputs: int
    n_threads: int = 1
    starts: NDArray[np.int64] = field(init=False, repr=False)
    _layout: tuple[Any, ...] = field(init=False, repr=False)
    _repeats: tuple[tuple[int, int, int, int], ...] = field(init=False, repr=False)  # term, axis, first node, nodes repeated

    def __post_init__(self) -> None:
        keys = sorted({(len(values), column) for values in self.value_sets for column in values})
        axis_of = {key: number for number, key in enumerate(keys)}
        used = [self.columns[column].axes[size - 1].basis for size, column in keys]
        axes = np.full((len(self.value_sets), 3), -1, dtype=np.int64)
        strides = np.zeros((len(self.value_sets), 3), dtype=np.int64)
        counts = np.ones(len(self.value_sets), dtype=np.int64)
        for number, values in enumerate(self.value_sets):
            shape = self.get_shape(number)
            for place, column in enumerate(values):
                axis = axis_of[len(values), column]
                axes[number, place] = axis
                strides[number, place] = int(np.prod(shape[place + 1 :])) * self.n_outputs
                counts[number] *= used[axis].width
        sizes = [int(np.prod(self.get_shape(number))) * self.n_outputs for number in range(len(self.value_sets))]
        starts = count_through(sizes)
        plan = lay_out_axes([column for _, column in keys], used)
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "_layout", (plan, axes, strides, starts[:-1].copy(), counts))
        object.__setattr__(self, "_repeats", tuple(self._find_repeats()))

    def _find_repeats(self) -> Iterator[tuple[int, int, int, int]]:
        for term, values in enumerate(self.value_sets):
            for place, column in enumerate(values):
                basis = self.columns[column].axes[len(values) - 1].basis
                if basis.n_repeated:
                    yield term, place, int(basis.first[0]), basis.n_repeated

    def __len__(self) -> int:
        """Entries of the vector."""
        return int(self.starts[-1]) + self.n_outputs

    @property
    def work(self) -> int:
        """Number of products per row in a pass."""
        return int(self._layout[4].sum()) * self.n_outputs

    def get_shape(self, term: int) -> tuple[int, ...]:
        """Nodes along each axis of a term."""
        values = self.value_sets[term]
        return tuple(self.columns[column].axes[len(values) - 1].basis.n_functions for column in values)

    def view(self, vector: NDArray[np.float64], term: int) -> NDArray[np.float64]:
        """One term's table in a vector, shape (n_nodes_1, …, n_outputs); writing to it writes to the vector."""
        return vector[self.starts[term] : self.starts[term + 1]].reshape(*self.get_shape(term), self.n_outputs)

    def centre(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """The vector minus its mean over outputs, if there are several: the likelihood of classes does not depend on it."""
        if self.n_outputs == 1:
            return vector
        by_output = vector.reshape(-1, self.n_outputs)
        return np.asarray((by_output - sum_outputs(by_output) / self.n_outputs).ravel())

    def tie(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """The nearest vector whose tables end as they begin along axes that repeat their first nodes at the end."""
        if not self._repeats:
            return vector
        result = vector.copy()
        for term, axis, low, n_repeated in self._repeats:
            lines = np.moveaxis(self.view(result, term), axis, 0)
            first, last = lines[low : low + n_repeated], lines[len(lines) - n_repeated :]
            first[...] = last[...] = (first + last) / 2
        return result

    def score(self, vector: NDArray[np.float64], encoded: Encoded) -> NDArray[np.float64]:
        """Sum of all terms and the intercepts on rows, shape (n_rows, n_outputs)."""
        scores = self._repeat_intercepts(vector, len(encoded.cells))

        def run(rows: slice) -> None:
            add_tables(*encoded.take(rows), *self._layout, vector, scores[rows])

        self._map(run, len(scores))
        return scores

    def scatter(self, encoded: Encoded, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Vector of the sums over rows of values (n_rows, n_outputs) times the function of each entry."""
        return self._sum(encoded, lambda rows: (0.0, values[rows]), None)[1]

    def find_products(self, encoded: Encoded) -> Products:
        """Active functions of rows, for many passes over them; None if there are more than :data:`MAX_PRODUCTS`."""
        n_products, n_rows = int(self._layout[4].sum()), len(encoded.cells)
        if n_products * n_rows > MAX_PRODUCTS:
            return None

        def run(rows: slice) -> tuple[int, tuple[NDArray[np.int32], NDArray[np.float64]]]:
            shape = -(-(rows.stop - rows.start) // TILE), n_products, TILE
            found = np.empty(shape, dtype=np.int32), np.empty(shape)
            list_products(*encoded.take(rows), *self._layout, *found)
            return rows.start, found

        return dict(self._map(run, n_rows))

    def pass_over(
        self, vector: NDArray[np.float64], encoded: Encoded, work: Work, products: Products = None
    ) -> tuple[float, NDArray[np.float64]]:
        """Sums over rows of the loss, and of values times each entry's function; ``work`` gives both from the rows' scores.

        ``products`` of these rows, from :meth:`find_products`, save most of the time and change no bit.
        """

        def run(rows: slice) -> tuple[float, NDArray[np.float64]]:
            scores = self._repeat_intercepts(vector, rows.stop - rows.start)
            if products is None:
                add_tables(*encoded.take(rows), *self._layout, vector, scores)
            else:
                add_products(*products[rows.start], vector, scores)
            return work(rows, scores)

        return self._sum(encoded, run, products)

    def _repeat_intercepts(self, vector: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
        scores = np.empty((n_rows, self.n_outputs))
        scores[:] = vector[self.starts[-1] :]
        return scores

    def _sum(
        self, encoded: Encoded, run: Callable[[slice], tuple[float, NDArray[np.float64]]], products: Products
    ) -> tuple[float, NDArray[np.float64]]:
        def work(rows: slice) -> tuple[float, NDArray[np.float64]]:
            loss, values = run(rows)
            totals = np.zeros(len(self))
            values = np.ascontiguousarray(values)
            if products is None:
                scatter_rows(*encoded.take(rows), *self._layout, values, totals)
            else:
                scatter_products(*products[rows.start], values, totals)
            totals[self.starts[-1] :] = values.sum(axis=0)
            return loss, totals

        parts = self._map(work, len(encoded.cells))
        loss, totals = parts[0]
        for part_loss, part in parts[1:]:
            loss += part_loss
            totals += part
        return loss, totals

    def _map(self, run: Callable[[slice], Any], n_rows: int) -> list[Any]:
        blocks = _cut(n_rows, MIN_BLOCK_ROWS)
        if len(blocks) == 1 or self.n_threads == 1:
            return [run(rows) for rows in blocks]
        with ThreadPoolExecutor(self.n_threads) as pool:
            return list(pool.map(run, blocks))


@cache
def _cut(n_rows: int, least: int) -> list[slice]:
    """Blocks of rows of a pass, none of fewer than ``least`` where there are several."""
    n_blocks = int(np.clip(n_rows // least, 1, MAX_BLOCKS))
    edges = np.linspace(0, n_rows, n_blocks + 1).astype(np.int64).tolist()
    return [slice(start, stop) for start, stop in pairwise(edges)]
