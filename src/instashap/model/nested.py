"""Nested local bases of a model's columns, and means of their functions over rows."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq
from scipy.sparse import csr_array, kron

from ..game.terms import ValueSet
from ..table.bases import LocalBasis, pack_basis
from ..table.encoding import Encoded

# Largest error, counted as rounding, of expressing a function of one basis in another.
_SAME = 1e-9
# Local polynomials are cubic at most.
_N_POWERS = 4

Bases = tuple[tuple[LocalBasis, ...], ...]


class NestedBases:
    """Local bases of a model's columns, nested: smaller terms' bases span every function of an interaction's axis.

    Where they do not (a hat has kinks that a cubic spline lacks), the functions of the interaction's basis are added.
    """

    def __init__(self, columns: Bases, value_sets: Iterable[ValueSet]) -> None:
        reach = [1] * len(columns)
        for values in value_sets:
            for column in values:
                reach[column] = max(reach[column], len(values))
        self.columns: Bases = tuple(_nest(bases, size) for bases, size in zip(columns, reach, strict=True))
        self._inclusions: dict[tuple[int, int, int], NDArray[np.float64]] = {}
        self._constants: dict[tuple[int, int], NDArray[np.float64]] = {}

    def make_span(self, size: int, columns: ValueSet) -> csr_array | None:
        """Tables of the columns in terms of ``size`` columns that end as they begin where they must; None if any table may be.

        Shape (n_nodes, n_free).
        """
        bases = [self.columns[column][size - 1] for column in columns]
        if not any(basis.n_repeated for basis in bases):
            return None
        span = csr_array(np.ones((1, 1)))
        for basis in bases:
            span = kron(span, basis.free, format="csr")
        return csr_array(span)

    def shape(self, size: int, columns: ValueSet) -> tuple[int, ...]:
        """Numbers of functions of the columns in terms of ``size`` columns."""
        return count_functions(self.columns, size, columns)

    def lift(self, table: NDArray[np.float64], subset: ValueSet, values: ValueSet, size: int) -> NDArray[np.float64]:
        """A table on ``subset`` extended to ``values`` as a constant along the others, both in bases for terms of ``size``."""
        for axis, column in enumerate(values):
            if column not in subset:
                constant = self._get_constant(size, column)
                table = np.expand_dims(table, axis) * constant.reshape(-1, *(1,) * (table.ndim - axis))
        return table

    def lower(self, table: NDArray[np.float64], columns: ValueSet, size: int) -> NDArray[np.float64]:
        """A table in the bases for terms of ``size`` columns, converted to the bases for a term of its own columns."""
        for axis, column in enumerate(columns):
            table = transform(table, axis, self._get_inclusion(column, size, len(columns)))
        return table

    def _get_inclusion(self, column: int, size: int, smaller: int) -> NDArray[np.float64]:
        key = column, size, smaller
        if key not in self._inclusions:
            self._inclusions[key] = express(self.columns[column][size - 1], self.columns[column][smaller - 1])
        return self._inclusions[key]

    def _get_constant(self, size: int, column: int) -> NDArray[np.float64]:
        key = size, column
        if key not in self._constants:
            basis = self.columns[column][size - 1]
            n_cells = len(basis.first)
            one = LocalBasis(np.zeros(n_cells, dtype=np.int32), np.ones((n_cells, 1, 1)), 1)
            self._constants[key] = express(one, basis)[:, 0]
        return self._constants[key]


class LocalRows:
    """Values of local functions on rows as sparse matrices, and their weighted means."""

    def __init__(self, columns: Bases, encoded: Encoded, weights: NDArray[np.float64]) -> None:
        self.columns, self.encoded = columns, encoded
        self.shares = weights / weights.sum()
        self._axes: dict[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.float64]]] = {}

    def make_matrix(self, size: int, columns: ValueSet) -> csr_array:
        """Products of the columns' functions for terms of ``size`` columns on every row; shape (n_rows, n_nodes)."""
        n_rows = len(self.shares)
        nodes, factors, n_nodes = np.zeros((n_rows, 1), dtype=np.int64), np.ones((n_rows, 1)), 1
        for column in columns:
            places, values = self._weigh(size, column)
            n_functions = self.columns[column][size - 1].n_functions
            nodes = (nodes[:, :, None] * n_functions + places[:, None, :]).reshape(n_rows, -1)
            factors = (factors[:, :, None] * values[:, None, :]).reshape(n_rows, -1)
            n_nodes *= n_functions
        starts = np.arange(n_rows + 1) * nodes.shape[1]
        return csr_array((factors.ravel(), nodes.ravel(), starts), shape=(n_rows, n_nodes))

    def compute_means(self, size: int, columns: ValueSet) -> NDArray[np.float64]:
        """Mean of each product of functions, shape (n_nodes_1, …)."""
        return np.asarray(self.make_matrix(size, columns).T @ self.shares).reshape(count_functions(self.columns, size, columns))

    def average(self, size: int, columns: ValueSet, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean over the rows of a table in the bases for terms of ``size`` columns, shape (n_outputs,)."""
        return np.asarray(self.compute_means(size, columns).ravel() @ table.reshape(-1, table.shape[-1]))

    def _weigh(self, size: int, column: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Positions and values of a column's non-zero functions on each row, both of shape (n_rows, width)."""
        if (size, column) not in self._axes:
            basis, cells = self.columns[column][size - 1], self.encoded.cells[:, column]
            places = basis.first[cells].astype(np.int64)[:, None] + np.arange(basis.width)
            self._axes[size, column] = places, basis.weigh(cells, self.encoded.offsets[:, column])
        return self._axes[size, column]


def count_functions(columns: Bases, size: int, chosen: ValueSet) -> tuple[int, ...]:
    """Numbers of functions of the chosen columns in terms of ``size`` columns."""
    return tuple(columns[column][size - 1].n_functions for column in chosen)


def transform(table: NDArray[np.float64], axis: int, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """A table with one axis multiplied by a matrix of shape (n_new, n_old)."""
    return np.moveaxis(np.tensordot(matrix, table, axes=(1, axis)), 0, axis)


def _nest(bases: tuple[LocalBasis, ...], n_nested: int) -> tuple[LocalBasis, ...]:
    nested = list(bases)
    for size in range(n_nested - 1, 0, -1):
        fine, coarse = nested[size - 1], nested[size]
        if np.abs(_spread(fine) @ express(coarse, fine) - _spread(coarse)).max() > _SAME:
            nested[size - 1] = _merge(fine, coarse)
    return tuple(nested)


def _merge(fine: LocalBasis, coarse: LocalBasis) -> LocalBasis:
    """Basis of the functions of both bases, each once, in order of their first non-zero coefficient."""
    functions = np.unique(np.hstack([_spread(fine), _spread(coarse)]).T, axis=0)
    functions = functions[np.argsort(np.argmax(functions != 0, axis=1), kind="stable")]
    return pack_basis(np.moveaxis(functions.reshape(len(functions), -1, _N_POWERS), 0, 1))


def express(coarse: LocalBasis, fine: LocalBasis) -> NDArray[np.float64]:
    """Coefficients of each function of ``coarse`` in the basis ``fine``; shape (fine.n_functions, coarse.n_functions).

    Both bases have the same cells, so polynomials are compared cell by cell. A function that ``fine`` does not span is
    approximated by least squares on these coefficients.
    """
    source, target = _spread(fine), _spread(coarse)
    if fine.polynomials.shape[1:] == (1, 1):  # bins, often thousands: at most one function is non-zero in a cell
        lengths = (source**2).sum(axis=0)[:, None]
        return np.asarray((source.T @ target) / np.where(lengths > 0, lengths, 1.0))
    return np.asarray(lstsq(source, target)[0])


def _spread(basis: LocalBasis) -> NDArray[np.float64]:
    """Polynomial coefficients of every function in every cell, shape (n_cells · 4, n_functions)."""
    n_cells, width, n_powers = basis.polynomials.shape
    spread = np.zeros((n_cells, _N_POWERS, basis.n_functions))
    for shift in range(width):
        spread[np.arange(n_cells)[:, None], np.arange(n_powers), (basis.first + shift)[:, None]] = basis.polynomials[:, shift]
    return spread.reshape(-1, basis.n_functions)
