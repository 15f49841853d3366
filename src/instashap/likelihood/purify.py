"""From fitted scores to the game of those scores, without changing a single one.

A fit by likelihood gives value tables whose sum is the score of a row; how they share it between terms, and what the score
is when features are absent, is left open. Two moves settle both, and neither changes the score at the full coalition:

1. *Between nested value sets*: what of an interaction is a function of fewer columns is moved to that term, from the highest
   order down, by one joint projection each (the decomposition of Stone 1994 and Hooker 2007).
2. *Between nested presence sets*: a function counted once its own features are present is counted, in part, only under a
   larger set, ``b(x_U) (1[R ⊆ S] - 1[U ⊆ S])``. The coefficients are those of least masked risk: they make ``g(x; S)`` the
   best conditional mean of the scores that leaves ``g(x; [d])`` as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse import csr_array

from ..game.terms import ValueSet
from ..table.bases import LearntColumn, LocalBasis
from ..table.encoding import Encoded
from .tables import TableDesign

# Relative to the largest entry of the diagonal: directions no row tells apart (all nodes of both sides together) stay put.
_RIDGE = 1e-9
_REFINEMENTS = 3

Tables = dict[ValueSet, NDArray[np.float64]]


@dataclass(frozen=True)
class PureTables:
    """Tables of mean zero, each without a part that fewer columns could say, and the mean score.

    Attributes
    ----------
    tables : dict of value set to ndarray of shape (n_nodes_1, …, n_outputs)
    base_value : ndarray of shape (n_outputs,), float64
    """

    tables: Tables
    base_value: NDArray[np.float64]


def purify_tables(
    design: TableDesign, vector: NDArray[np.float64], encoded: Encoded, weights: NDArray[np.float64]
) -> PureTables:
    """Move every part of an interaction that is a function of fewer columns to the term of those, then centre.

    Parameters
    ----------
    design : TableDesign
        Value sets with all their subsets.
    vector : ndarray of shape (size,), float64
        Tables and intercepts. The sum of all terms stays what it was, on any row.
    encoded : Encoded
    weights : ndarray of shape (n_rows,), float64
    """
    tables = {values: design.view(vector, term).copy() for term, values in enumerate(design.value_sets)}
    base = vector[design.starts[-1] :].copy()
    rows = _LocalRows(design.columns, encoded, weights)
    for values in sorted(tables, key=lambda each: (-len(each), each)):
        if len(values) > 1:
            _move_down(values, tables, rows)
        mean = rows.mean(values, tables[values])
        tables[values] -= mean
        base += mean
    return PureTables(tables, base)


def centre_tables(
    tables: Tables,
    base_value: NDArray[np.float64],
    columns: Sequence[LearntColumn],
    encoded: Encoded,
    weights: NDArray[np.float64],
) -> PureTables:
    """Tables of mean zero on rows, their means in the base value, and nothing else moved."""
    rows, centred, base = _LocalRows(columns, encoded, weights), {}, base_value.copy()
    for values, table in tables.items():
        mean = rows.mean(values, table)
        centred[values] = table - mean
        base += mean
    return PureTables(centred, base)


class _LocalRows:
    """Rows as sparse matrices of the local functions of some columns, at the basis of terms of a size."""

    def __init__(self, columns: Sequence[LearntColumn], encoded: Encoded, weights: NDArray[np.float64]) -> None:
        self.columns, self.encoded = columns, encoded
        self.shares = weights / weights.sum()
        self._axes: dict[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.float64]]] = {}

    def basis(self, size: int, column: int) -> LocalBasis:
        return self.columns[column].axes[size - 1].basis

    def make_matrix(self, size: int, values: ValueSet) -> csr_array:
        """Products of the columns' functions, one nonzero for every active node; shape (n_rows, n_nodes)."""
        n_rows = len(self.shares)
        nodes, factors, n_nodes = np.zeros((n_rows, 1), dtype=np.int64), np.ones((n_rows, 1)), 1
        for column in values:
            places, weights = self._weigh(size, column)
            n = self.basis(size, column).n_functions
            nodes = (nodes[:, :, None] * n + places[:, None, :]).reshape(n_rows, -1)
            factors = (factors[:, :, None] * weights[:, None, :]).reshape(n_rows, -1)
            n_nodes *= n
        starts = np.arange(n_rows + 1) * nodes.shape[1]
        return csr_array((factors.ravel(), nodes.ravel(), starts), shape=(n_rows, n_nodes))

    def mean(self, values: ValueSet, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted mean of a term, shape (n_outputs,)."""
        masses = self.make_matrix(len(values), values).T @ self.shares
        return np.asarray(masses @ table.reshape(len(masses), -1))

    def _weigh(self, size: int, column: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        if (size, column) not in self._axes:
            basis, cells = self.basis(size, column), self.encoded.cells[:, column]
            places = basis.first[cells].astype(np.int64)[:, None] + np.arange(basis.width)
            self._axes[size, column] = places, basis.weigh(cells, self.encoded.offsets[:, column])
        return self._axes[size, column]


def _move_down(values: ValueSet, tables: Tables, rows: _LocalRows) -> None:
    """Project a term on the functions of all but one of its columns, jointly, and hand each part down."""
    size = len(values)
    table = tables[values]
    effect = rows.make_matrix(size, values) @ table.reshape(-1, table.shape[-1])
    parts = [tuple(column for column in values if column != left_out) for left_out in values]
    matrices = [rows.make_matrix(size, part) for part in parts]
    weighted = [(matrix * rows.shares[:, None]).T.tocsr() for matrix in matrices]
    gram = np.block([[(left @ right).toarray() for right in matrices] for left in weighted])
    target = np.vstack([left @ effect for left in weighted])
    solution = _solve_singular(gram, target)
    start = 0
    for place, (part, matrix) in enumerate(zip(parts, matrices, strict=True)):
        n_nodes = matrix.shape[1]
        shape = tuple(rows.basis(size, column).n_functions for column in part)
        moved = solution[start : start + n_nodes].reshape(*shape, -1)
        start += n_nodes
        tables[values] = tables[values] - np.expand_dims(moved, place)
        for axis, column in enumerate(part):
            finer = express(rows.basis(size, column), rows.basis(size - 1, column))
            moved = np.moveaxis(np.tensordot(finer, moved, axes=(1, axis)), 0, axis)
        tables[part] = tables[part] + moved


def _solve_singular(gram: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """A solution of normal equations that need not be unique; the ridge holds what is not, and is refined away else."""
    ridged = gram + _RIDGE * max(np.diag(gram).max(), 1e-300) * np.eye(len(gram))
    factor = lu_factor(ridged)
    solution = lu_solve(factor, target)
    for _ in range(_REFINEMENTS):
        solution += lu_solve(factor, target - gram @ solution)
    return np.asarray(solution)


def express(coarse: LocalBasis, fine: LocalBasis) -> NDArray[np.float64]:
    """Functions of a basis as combinations of a finer one's on the same cells; shape (fine.n_functions, coarse.n_functions).

    Knots are nested, so the two agree in every cell, polynomial by polynomial.
    """
    return np.asarray(np.linalg.lstsq(_spread(fine), _spread(coarse), rcond=None)[0])


def _spread(basis: LocalBasis) -> NDArray[np.float64]:
    """Every function's polynomials, cell after cell: shape (n_cells · 4, n_functions)."""
    n_cells, width, n_powers = basis.polynomials.shape
    spread = np.zeros((n_cells, 4, basis.n_functions))
    for m in range(width):
        spread[np.arange(n_cells)[:, None], np.arange(n_powers)[None, :], (basis.first + m)[:, None]] = basis.polynomials[:, m]
    return spread.reshape(-1, basis.n_functions)
