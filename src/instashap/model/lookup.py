"""Tables as flat arrays for the look-up kernel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..game.terms import ValueSet
from ..table.bases import LocalBasis
from ..table.encoding import Encoded
from .index_part import IndexLookup
from .kernels import look_up


@dataclass(frozen=True)
class LookupTerm:
    """One term of a look-up: a table of parts, and the slots to which each part is added.

    Attributes
    ----------
    values : tuple of int
        Columns of the table's axes.
    table : ndarray of shape (n_nodes_1, …, n_parts), float64
    slots, shares : sequences of ndarray, one of each per part
        Part p adds ``shares[p][k]`` times its value to slot ``slots[p][k]``.
    """

    values: ValueSet
    table: NDArray[np.float64]
    slots: Sequence[NDArray[np.int64]]
    shares: Sequence[NDArray[np.float64]]


@dataclass(frozen=True)
class Lookup:
    """Sums of table terms into slots (players, terms, or one prediction), as arguments of the kernel.

    Attributes
    ----------
    n_slots : int
    n_outputs : int
    plan : tuple
        Arguments of :func:`instashap.model.kernels.look_up` after cells and offsets.
    shared : Lookup of one slot, optional
        Added to every slot, or to those where ``has_shared`` is true.
    index : IndexLookup, optional
        Sums of the functions of a model's index part, added to the slots.
    has_shared : ndarray of shape (n_slots,), bool, optional
    """

    n_slots: int
    n_outputs: int
    plan: tuple[Any, ...]
    shared: "Lookup | None" = None
    has_shared: NDArray[np.bool_] | None = None
    index: IndexLookup | None = None

    def apply(self, encoded: Encoded, totals: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Sums for encoded rows, shape (n_rows, n_slots, n_outputs); added to ``totals`` if given (C order)."""
        n_rows = len(encoded.cells)
        if totals is None:
            totals = np.zeros((n_rows, self.n_slots, self.n_outputs))
        look_up(encoded.cells, encoded.offsets, *self.plan, totals.reshape(n_rows, self.n_slots * self.n_outputs))
        if self.shared is not None:
            shared = self.shared.apply(encoded)
            totals += shared if self.has_shared is None else np.where(self.has_shared[:, None], shared, 0.0)
        if self.index is not None:
            self.index.apply(encoded, totals)
        return totals


def make_lookup(bases: Sequence[Sequence[LocalBasis]], terms: Sequence[LookupTerm], n_slots: int, n_outputs: int) -> Lookup:
    """Look-up of some terms.

    Parameters
    ----------
    bases : sequence of sequence of LocalBasis
        For each column, its local bases for terms of one, two and three columns.
    terms : sequence of LookupTerm
        Their slots number ``n_slots × n_outputs`` consecutively, the output fastest.
    n_slots, n_outputs : int
    """
    keys = sorted({(len(term.values), column) for term in terms for column in term.values})
    axis_of = {key: number for number, key in enumerate(keys)}
    used = [bases[column][size - 1] for size, column in keys]
    axes = np.full((len(terms), 3), -1, dtype=np.int64)
    strides = np.zeros((len(terms), 3), dtype=np.int64)
    slots: list[NDArray[np.int64]] = []
    shares: list[NDArray[np.float64]] = []
    for number, term in enumerate(terms):
        size = len(term.values)
        axes[number, :size] = [axis_of[size, column] for column in term.values]
        strides[number, :size] = [int(np.prod(term.table.shape[axis + 1 :])) for axis in range(size)]
        slots += term.slots
        shares += term.shares
    plan = (
        *lay_out_axes([column for _, column in keys], used),
        axes,
        strides,
        count_through([term.table.size for term in terms])[:-1],
        count_through([term.table.shape[-1] for term in terms]),
        flatten([term.table for term in terms], np.float64),
        np.repeat(np.arange(len(slots)), [len(each) for each in slots]).astype(np.int64),
        flatten(slots, np.int64),
        flatten(shares, np.float64),
    )
    return Lookup(n_slots, n_outputs, plan)


def lay_out_axes(columns: Sequence[int], bases: Sequence[LocalBasis]) -> tuple[NDArray[Any], ...]:
    """Bases of some columns for :func:`instashap.model.kernels.weigh_axes`, all of them in one array after another."""
    return (
        np.array(columns, dtype=np.int64),
        count_through([len(basis.first) for basis in bases])[:-1],
        flatten([basis.first for basis in bases], np.int64),
        count_through([basis.polynomials.size for basis in bases])[:-1],
        flatten([basis.polynomials for basis in bases], np.float64),
        np.array([basis.width for basis in bases], dtype=np.int64),
        np.array([basis.polynomials.shape[2] for basis in bases], dtype=np.int64),
    )


def count_through(sizes: Sequence[int]) -> NDArray[np.int64]:
    """Start of each piece, and the end of the last; shape (n_pieces + 1,)."""
    return np.concatenate([[0], np.cumsum(np.asarray(sizes, dtype=np.int64))]).astype(np.int64)


def flatten(parts: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    """All numbers of some arrays in one."""
    return np.concatenate([np.asarray(part, dtype=dtype).ravel() for part in parts]) if len(parts) else np.empty(0, dtype=dtype)
