"""Value functions given as tables: learnt elsewhere, then solved and judged like products of axis functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..game.terms import ValueSet
from ..linear.singular import svd
from ..masked.design import Axes, ValueFunctions
from ..model.lookup import Lookup, LookupTerm, make_lookup
from ..model.nested import Bases, transform
from ..model.places import sample_places
from ..table.bases import LearntColumn
from ..table.encoding import BLOCK_ROWS, Encoded

# Least coefficient a function counts with when functions are ordered, as a share of the largest coefficient.
_LEAST_USE = 1e-2
# Largest penalty (of a function whose learnt coefficient is zero), relative to that of the function with the largest one.
_MAX_PENALTY = 1e8
# Directions of a value set's functions below this share of its largest variance are rounding.
_SAME = 1e-8
# From this number of columns on there is one sample point per function and axis; full grids would be too large.
_MANY_AXES = 3


class RawFunctions(NamedTuple):
    """Learnt functions of a value set, before they are decorrelated.

    Attributes
    ----------
    table : ndarray of shape (n_nodes_1, …, n_functions), float64
    uses : ndarray of shape (n_functions, n_uses), float64
        Learnt coefficients of the functions.
    """

    table: NDArray[np.float64]
    uses: NDArray[np.float64]


@dataclass(frozen=True)
class TabulatedFunctions(ValueFunctions):
    """Functions given by their tables in the columns' local bases.

    Attributes
    ----------
    tables : tuple of ndarray of shape (n_nodes_1, …, n_functions_of_set), float64
        One table per value set.
    bases : tuple of tuple of LocalBasis
        For each column, its bases for terms of one, two and three columns.
    """

    tables: tuple[NDArray[np.float64], ...]
    bases: Bases

    @cached_property
    def _lookup(self) -> Lookup:
        terms, start = [], 0
        for values, table in zip(self.value_sets, self.tables, strict=True):
            terms.append(_list_parts(values, table, start))
            start += table.shape[-1]
        return make_lookup(self.bases, terms, len(self), 1)

    def evaluate(self, encoded: Encoded) -> NDArray[np.float64]:
        """Values on rows, shape (n_functions, n_rows), C order."""
        return np.ascontiguousarray(self._lookup.apply(encoded)[:, :, 0].T)

    def select(self, is_kept: NDArray[np.bool_]) -> "TabulatedFunctions":
        """The functions where ``is_kept``; sets without any are dropped."""
        parts = [table[..., is_kept[self.owners == owner]] for owner, table in enumerate(self.tables)]
        return _add_tables(super().select(is_kept), [part for part in parts if part.shape[-1]], self.bases)

    def expand(self, owner: int, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Table of a value set, from coefficients of shape (n_functions_of_set, ...)."""
        return np.asarray(np.tensordot(self.tables[owner], coefficients, axes=1))


def _add_tables(plain: ValueFunctions, tables: Sequence[NDArray[np.float64]], bases: Bases) -> TabulatedFunctions:
    own = {name: getattr(plain, name) for name in ValueFunctions.__dataclass_fields__}
    return TabulatedFunctions(**own, tables=tuple(tables), bases=bases)


def tabulate(
    columns: Sequence[LearntColumn], values: ValueSet, ask: Callable[[Encoded], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Table of functions of some columns, least squares at sample points of the bases: shape (n_nodes_1, …, n_functions).

    Parameters
    ----------
    columns : sequence of LearntColumn
    values : tuple of int
    ask : callable
        Maps encoded rows, of which it reads the columns of ``values`` only, to values of shape (n_rows, n_functions).
    """
    sides = [sample_places(columns[column].encoder, len(values)) for column in values]
    if len(values) >= _MANY_AXES:
        sides = [side.thin() for side in sides]
    grid = np.meshgrid(*(np.arange(len(side)) for side in sides), indexing="ij")
    shape = grid[0].size, len(columns)
    encoded = Encoded(np.zeros(shape, dtype=np.int32), np.zeros(shape))
    for column, side, where in zip(values, sides, grid, strict=True):
        encoded.cells[:, column], encoded.offsets[:, column] = side.cells[where.ravel()], side.offsets[where.ravel()]
    answers = ask(encoded)
    table = answers.reshape(*grid[0].shape, answers.shape[1])
    inverses = [np.asarray(np.linalg.pinv(side.matrix)) for side in sides]
    return reduce(lambda found, axis: transform(found, axis, inverses[axis]), range(len(sides)), table)


def make_tabulated_functions(
    bases: Bases,
    axes: Axes,
    raw: Mapping[ValueSet, RawFunctions],
    encoded: Encoded,
    weights: NDArray[np.float64],
) -> TabulatedFunctions:
    """Functions of unit variance, uncorrelated within a value set, the one with the largest learnt coefficient first.

    Functions of several columns are centred along each column (by its own distribution), because main effects have their own
    functions. Functions of cells without rows are zero.

    Parameters
    ----------
    bases : tuple of tuple of LocalBasis
    axes : mapping of (size, column) to AxisFunctions
        Axis functions of every column of a value set.
    raw : mapping of value set to RawFunctions
    encoded : Encoded
    weights : ndarray of shape (n_rows,), float64
    """
    value_sets = tuple(sorted(raw, key=lambda values: (len(values), values)))
    rows = _Rows(bases, encoded, weights)
    pairs = [rows.whiten(values, rows.contrast(values, raw[values].table), raw[values].uses) for values in value_sets]
    tables = [table for table, _ in pairs]
    sizes = np.concatenate([np.empty(0), *(size for _, size in pairs)])
    counts = [table.shape[-1] for table in tables]
    numbers = [np.arange(count) for count in counts]
    plain = ValueFunctions(
        value_sets,
        axes,
        tuple(np.repeat(each[:, None], len(values), axis=1) for each, values in zip(numbers, value_sets, strict=True)),
        np.repeat(np.arange(len(value_sets)), counts),
        np.concatenate([np.empty(0, dtype=np.int64), *numbers]) + 1,
        np.minimum((sizes.max(initial=0.0) / np.maximum(sizes, 1e-300)) ** 2, _MAX_PENALTY),
        np.ones(sum(counts)),
    )
    # The value set of a constant column has no functions; select drops it.
    return _add_tables(plain, tables, bases).select(np.ones(sum(counts), dtype=bool))


class _Rows:
    """Rows of the fit and their moments in the local bases."""

    def __init__(self, bases: Bases, encoded: Encoded, weights: NDArray[np.float64]) -> None:
        self.bases, self.encoded, self.weights = bases, encoded, weights

    def contrast(self, values: ValueSet, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """A table minus its averages along each axis, zero in cells without rows."""
        for place, column in enumerate(values):
            masses = self._compute_masses(len(values), column)
            table = table - np.expand_dims(np.tensordot(masses, table, axes=(0, place)), place)
            table[(slice(None),) * place + (masses <= 0,)] = 0.0
        return table

    def _compute_masses(self, size: int, column: int) -> NDArray[np.float64]:
        """Mean of each local function of a column over the rows, shape (n_functions,)."""
        basis, cells = self.bases[column][size - 1], self.encoded.cells[:, column]
        places = basis.first[cells].astype(np.int64)[:, None] + np.arange(basis.width)
        weighted = basis.weigh(cells, self.encoded.offsets[:, column]) * self.weights[:, None]
        return np.asarray(np.bincount(places.ravel(), weighted.ravel(), basis.n_functions) / self.weights.sum())

    def whiten(
        self, values: ValueSet, table: NDArray[np.float64], uses: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Uncorrelated combinations of unit variance, and the sizes of their learnt coefficients, the largest first."""
        means, second = self._compute_moments(values, table)
        variances, directions = np.linalg.eigh(second - np.outer(means, means))
        kept = variances > _SAME * max(variances[-1], 1e-300)
        roots = np.sqrt(variances[kept])
        # Directions with zero coefficients would be in arbitrary order: every function counts a little, the first the most.
        least = np.diag(_LEAST_USE * max(np.abs(uses).max(initial=0.0), 1e-300) / np.arange(1, len(uses) + 1))
        order, sizes, _ = svd((directions[:, kept] * roots).T @ np.hstack([uses, least]), full_matrices=False)
        centred = np.where(table.any(axis=-1, keepdims=True), table - means, 0.0)
        return np.asarray(centred @ ((directions[:, kept] / roots) @ order)), sizes

    def _compute_moments(self, values: ValueSet, table: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        n = table.shape[-1]
        lookup = make_lookup(self.bases, [_list_parts(values, table, 0)], n, 1)
        sums, second = np.zeros(n), np.zeros((n, n))
        for start in range(0, len(self.weights), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            on_rows = lookup.apply(self.encoded.take(block))[:, :, 0]
            sums += self.weights[block] @ on_rows
            second += on_rows.T @ (on_rows * self.weights[block, None])
        return sums / self.weights.sum(), second / self.weights.sum()


def _list_parts(values: ValueSet, table: NDArray[np.float64], start: int) -> LookupTerm:
    """Look-up term that adds each function of a table to its own slot, the first to slot ``start``."""
    n = table.shape[-1]
    return LookupTerm(values, table, list(start + np.arange(n)[:, None]), [np.ones(1)] * n)
