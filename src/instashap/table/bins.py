"""Columns cut into given bins: one function a bin, steps and nothing between."""

import numpy as np
from numpy.typing import NDArray

from .bases import MAX_AXIS_LEVELS, Axis, ColumnEncoder, LearntColumn, LocalBasis, _compute_roughness

# Terms of one, two and three columns.
N_SIZES = 3


def cut_numbers(
    name: str, cuts: list[NDArray[np.float64]], lowest: float, highest: float
) -> tuple[ColumnEncoder, NDArray[np.int64]]:
    """A number column's cells, for the cuts of all sizes together, and each cell's bin.

    Parameters
    ----------
    name : str
    cuts : list of ndarray, float64, rising
        For terms of one, two and three columns; bin b holds ``cuts[b-1] <= x < cuts[b]``, the other side of a cut than
        elsewhere here, so that edges are the next smaller number.
    lowest, highest : float
        Of the values seen; where drawings begin and end.

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


def bin_column(encoder: ColumnEncoder, bins: NDArray[np.int64]) -> tuple[LearntColumn, list[NDArray[np.int64]]]:
    """A column whose functions are its bins, and the bin each function stands for.

    Bases are nested: where the bins of interactions are no unions of smaller terms' bins, these are cut further.

    Parameters
    ----------
    encoder : ColumnEncoder
        Its bases are replaced.
    bins : ndarray of shape (n_cells, 3), int64
        Bin of each cell for terms of one, two and three columns. Missing values, the last cell, have bins of their own.

    Returns
    -------
    column : LearntColumn
    owners : list of ndarray of shape (n_functions,), int64
        For each size, the bin of each function.
    """
    axes, owners = [], []
    for size in range(1, N_SIZES + 1):
        _, begins, functions = np.unique(bins[:, size - 1 :], axis=0, return_index=True, return_inverse=True)
        order = np.argsort(begins)
        first = np.argsort(order)[functions.ravel()]
        basis = LocalBasis(first.astype(np.int32), np.ones((len(bins), 1, 1)), len(order))
        axes.append(_make_axis(basis, encoder.is_category, MAX_AXIS_LEVELS[size - 1]))
        owners.append(bins[begins[order], size - 1])
    found = ColumnEncoder(
        encoder.name, encoder.edges, encoder.lows, encoder.scales, encoder.levels, tuple(axis.basis for axis in axes)
    )
    return LearntColumn(found, tuple(axes)), owners


def _make_axis(basis: LocalBasis, is_category: bool, limit: int) -> Axis:
    """Bins of numbers are joined by hats on at most so many knots, on the scale of their ranks; categories stand apart."""
    n_bins = basis.n_functions - 1  # the last is that of missing values
    spikes = (n_bins,)
    if is_category:
        return Axis(basis, np.eye(n_bins + 1)[:, :n_bins], {}, spikes)
    positions = np.arange(n_bins, dtype=np.float64)
    step = int(np.ceil((n_bins - 1) / (limit - 1))) if n_bins > limit else 1
    knots = np.unique(np.append(positions[::step], positions[-1:]))
    hats = np.stack([np.interp(positions, knots, one) for one in np.eye(len(knots))], axis=1)
    roughness = {order: _compute_roughness(knots, 1, 2, float(len(knots))) for order in (2, 3)}
    return Axis(basis, np.vstack([hats, np.zeros((1, len(knots)))]), roughness, spikes)
