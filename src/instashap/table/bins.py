"""Columns cut into given bins, with one step function per bin."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .bases import Axis, ColumnEncoder, LearntColumn, LocalBasis
from .encoding import Encoded

# Terms of one, two and three columns.
N_SIZES = 3


def cut_numbers(
    name: str, cuts: list[NDArray[np.float64]], lowest: float, highest: float
) -> tuple[ColumnEncoder, NDArray[np.int64]]:
    """Cells of a number column, cut where any size of term has a cut, and the bin of each cell.

    Parameters
    ----------
    name : str
    cuts : list of ndarray, float64, rising
        For terms of one, two and three columns; bin b holds ``cuts[b-1] <= x < cuts[b]``. Cells elsewhere include their upper
        edge instead, so that each edge is the next number below a cut.
    lowest, highest : float
        Least and greatest value of the rows; plots span this range.

    Returns
    -------
    encoder : ColumnEncoder
        Without bases.
    bins : ndarray of shape (n_cells, 3), int64
        Bin of each cell for each size, counted from 0; missing values are -1.
    """
    every = np.unique(np.concatenate(cuts))
    begins = np.concatenate([[-np.inf], every])
    bins = np.stack([np.searchsorted(each, begins, side="right") for each in cuts], axis=1)
    bounds = np.concatenate([[min([lowest, *every[:1]])], every, [max([highest, *every[-1:]])]])
    spans = np.diff(bounds)
    scales = np.divide(1.0, spans, out=np.zeros_like(spans), where=spans > 0)
    encoder = ColumnEncoder(name, np.nextafter(every, -np.inf), bounds[:-1].copy(), scales, None, ())
    return encoder, np.vstack([bins, np.full((1, bins.shape[1]), -1)]).astype(np.int64)


def name_categories(name: str, levels: tuple[object, ...]) -> ColumnEncoder:
    """A category column with these levels; without bases."""
    empty = np.empty(0)
    return ColumnEncoder(name, empty, empty, empty, levels, ())


def bin_column(encoder: ColumnEncoder, bins: NDArray[np.int64]) -> tuple[ColumnEncoder, list[NDArray[np.int64]]]:
    """A column with one function for each of its bins, and the bin of each function.

    Bases are nested: if bins of interactions are not unions of bins of smaller terms, the latter are cut further.

    Parameters
    ----------
    encoder : ColumnEncoder
        Its bases are replaced.
    bins : ndarray of shape (n_cells, 3), int64
        Bin of each cell for terms of one, two and three columns. Missing values, in the last cell, have bins of their own.

    Returns
    -------
    encoder : ColumnEncoder
    owners : list of ndarray of shape (n_functions,), int64
        For each size, the bin of each function.
    """
    bases, owners = [], []
    for size in range(1, N_SIZES + 1):
        _, begins, functions = np.unique(bins[:, size - 1 :], axis=0, return_index=True, return_inverse=True)
        order = np.argsort(begins)
        first = np.argsort(order)[functions.ravel()]
        bases.append(LocalBasis(first.astype(np.int32), np.ones((len(bins), 1, 1)), len(order)))
        owners.append(bins[begins[order], size - 1])
    return replace(encoder, bases=tuple(bases)), owners


def fit_curves(
    encoder: ColumnEncoder, cells: NDArray[np.int32], ordinary: LearntColumn, encoded: Encoded, column: int
) -> LearntColumn:
    """A column of bins whose axes are an ordinary column's curves, averaged over the rows of each bin.

    A fit then has the same smoothness, and as few leading functions, as on an ordinary column. In a bin without rows, curves
    are interpolated between its neighbours.

    Parameters
    ----------
    encoder : ColumnEncoder
    cells : ndarray of shape (n_rows,), int32
        Cells of the column of bins.
    ordinary : LearntColumn
        The same column with the basis that an ordinary fit chooses.
    encoded : Encoded
        The rows, encoded with ordinary columns; ``column`` is the position of this one.
    """
    axes = []
    for basis, axis in zip(encoder.bases, ordinary.axes, strict=True):
        values = axis.basis.combine(encoded.cells[:, column], encoded.offsets[:, column], axis.expansion)  # (n_rows, n_raw)
        functions = basis.first[cells]
        counts = np.bincount(functions, minlength=basis.n_functions)
        sums = np.stack([np.bincount(functions, weights=each, minlength=basis.n_functions) for each in values.T], axis=1)
        missing = basis.n_functions - 1
        known = np.flatnonzero(counts[:missing])
        expansion = np.zeros((basis.n_functions, values.shape[1]))
        expansion[known] = sums[known] / counts[known, None]
        if not encoder.is_category and len(known):
            places = np.arange(missing)
            expansion[:missing] = np.stack([np.interp(places, known, each) for each in expansion[known].T], axis=1)
        axes.append(Axis(basis, expansion, axis.roughness, (missing,)))
    return LearntColumn(encoder, tuple(axes))
