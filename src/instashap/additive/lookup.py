"""Tables laid out flat for the look-up kernel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..game.terms import ValueSet
from ..table.bases import LocalBasis
from ..table.encoding import Encoded
from .kernels import look_up


@dataclass(frozen=True)
class Lookup:
    """A sum of table terms into slots (players, terms, or one prediction), ready for the kernel.

    Attributes
    ----------
    n_slots : int
    n_outputs : int
    plan : tuple of ndarray
        Arguments of :func:`instashap.additive.kernels.look_up` after cells and offsets.
    """

    n_slots: int
    n_outputs: int
    plan: tuple[NDArray[Any], ...]

    def apply(self, encoded: Encoded, totals: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Sums for encoded rows, shape (n_rows, n_slots, n_outputs); added to ``totals`` if given (C order)."""
        n_rows = len(encoded.cells)
        if totals is None:
            totals = np.zeros((n_rows, self.n_slots, self.n_outputs))
        look_up(encoded.cells, encoded.offsets, *self.plan, totals.reshape(n_rows, -1))
        return totals


def make_lookup(
    bases: Sequence[Sequence[LocalBasis]],
    value_sets: Sequence[ValueSet],
    tables: Sequence[NDArray[np.float64]],
    slots: Sequence[Sequence[int]],
    n_slots: int,
    n_outputs: int,
) -> Lookup:
    """Lay out terms for the kernel.

    Parameters
    ----------
    bases : of each column, its local bases for terms of one, two and three columns
    value_sets : columns of each term
    tables : of each term, an array of shape (n_nodes_1, …, n_slots_of_term, n_outputs)
    slots : of each term, the slots its entries go to
    """
    keys = sorted({(len(columns), column) for columns in value_sets for column in columns})
    axis_of = {key: number for number, key in enumerate(keys)}
    used = [bases[column][size - 1] for size, column in keys]
    n_terms = len(value_sets)
    term_axes = np.full((n_terms, 3), -1, dtype=np.int64)
    strides = np.zeros((n_terms, 3), dtype=np.int64)
    widths = np.zeros(n_terms, dtype=np.int64)
    slot_starts = np.full(n_terms, -1, dtype=np.int64)
    flat_slots: list[int] = []
    for term, (columns, table, targets) in enumerate(zip(value_sets, tables, slots, strict=True)):
        size = len(columns)
        term_axes[term, :size] = [axis_of[size, column] for column in columns]
        widths[term] = table.shape[-2] * table.shape[-1]
        strides[term, :size] = [int(np.prod(table.shape[axis + 1 :])) for axis in range(size)]
        if list(targets) != list(range(n_slots)):
            slot_starts[term] = len(flat_slots)
            flat_slots += [target * n_outputs + output for target in targets for output in range(n_outputs)]
    plan = (
        np.array([column for _, column in keys], dtype=np.int64),
        _starts([len(basis.first) for basis in used]),
        _flatten([basis.first.astype(np.int64) for basis in used], np.int64),
        _starts([basis.polynomials.size for basis in used]),
        _flatten([basis.polynomials for basis in used], np.float64),
        np.array([basis.width for basis in used], dtype=np.int64),
        np.array([basis.polynomials.shape[2] for basis in used], dtype=np.int64),
        term_axes,
        strides,
        _starts([table.size for table in tables]),
        widths,
        slot_starts,
        np.array(flat_slots or [0], dtype=np.int64),
        _flatten(tables, np.float64),
    )
    return Lookup(n_slots, n_outputs, plan)


def _starts(sizes: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64) if len(sizes) else np.empty(0, dtype=np.int64)


def _flatten(parts: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate([np.asarray(part, dtype=dtype).ravel() for part in parts]) if len(parts) else np.empty(0, dtype=dtype)
