"""Demmler–Reinsch functions: a column's basis made orthonormal on the data and sorted by roughness.

In these functions every penalty is diagonal, the first few carry what data can support, and a model of some thousand
unknowns holds what a plain spline basis needs ten times as many for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from ..table.bases import Axis, LocalBasis

# Part of the second-order penalty added to the third: orders the unpenalised curves (x before x²), and no more.
_TIE_BREAK = 1e-4
# Directions with less variance than this share of the largest are absent from the data.
_RANK_TOLERANCE = 1e-9


@dataclass(frozen=True)
class AxisFunctions:
    """Functions of one column, centred and of unit variance on the data.

    Attributes
    ----------
    basis : LocalBasis
    coefficients : ndarray of shape (basis.n_functions, n_axis_functions), float64
        Each function in the local basis; zero where the data have no rows (unseen categories, missing values).
    roughness : ndarray of shape (n_axis_functions,), float64
        Penalised squared derivative; rises along the sorted curves, zero for levels without order.
    ridge : ndarray of shape (n_axis_functions,), float64
        Prior precision: 1 for curves, about one over the share of rows for categories and spikes.
    """

    basis: LocalBasis
    coefficients: NDArray[np.float64]
    roughness: NDArray[np.float64]
    ridge: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.roughness)

    def head(self, count: int) -> "AxisFunctions":
        """The first ``count`` functions."""
        return AxisFunctions(self.basis, self.coefficients[:, :count], self.roughness[:count], self.ridge[:count])


def compute_local_moments(
    basis: LocalBasis, cells: NDArray[np.int32], offsets: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted means and second moments of the local functions; shapes (n_functions,), (n_functions, n_functions)."""
    n = basis.n_functions
    values = basis.weigh(cells, offsets)
    first = basis.first[cells].astype(np.int64)
    means = np.zeros(n)
    second = np.zeros(n * n)
    for i in range(basis.width):
        weighted = weights * values[:, i]
        means += np.bincount(first + i, weights=weighted, minlength=n)
        for j in range(basis.width):
            second += np.bincount((first + i) * n + first + j, weights=weighted * values[:, j], minlength=n * n)
    total = weights.sum()
    return means / total, second.reshape(n, n) / total


def compute_axis_functions(
    axis: Axis, means: NDArray[np.float64], second: NDArray[np.float64], order: int, limit: int
) -> AxisFunctions:
    """Demmler–Reinsch functions of an axis on the data described by its local moments.

    Parameters
    ----------
    axis : Axis
    means, second : ndarray
        From :func:`compute_local_moments`.
    order : int
        Order of the penalised derivative, 2 or 3.
    limit : int
        The most functions to return.
    """
    curves, roughness, ridge = _compute_curves(axis, means, second, order)
    spikes, spike_ridge = _compute_spikes(axis, means)
    # Spikes rank after the straight line and the parabola: products of low rank are what pairs keep.
    head = min(2, curves.shape[1])
    coefficients = np.hstack([curves[:, :head], spikes, curves[:, head:]])
    rough = np.concatenate([roughness[:head], np.zeros(len(spike_ridge)), roughness[head:]])
    precision = np.concatenate([ridge[:head], spike_ridge, ridge[head:]])
    return AxisFunctions(axis.basis, coefficients, rough, precision).head(limit)


def _compute_curves(
    axis: Axis, means: NDArray[np.float64], second: NDArray[np.float64], order: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    missing = axis.spikes[-1]
    n_raw = axis.expansion.shape[1]
    share = 1.0 - means[missing]
    empty = np.empty((len(means), 0)), np.empty(0), np.empty(0)
    if share <= 0.0:
        return empty
    raw_means = axis.expansion.T @ means / share
    gram = axis.expansion.T @ second @ axis.expansion - share * np.outer(raw_means, raw_means)
    variances, directions = eigh(gram)
    kept = variances > _RANK_TOLERANCE * max(variances[-1], 0.0)
    if variances[-1] <= 1e-14:
        return empty
    whiten = directions[:, kept] / np.sqrt(variances[kept])
    is_present = np.ones(len(means))
    is_present[missing] = 0.0
    if axis.roughness:
        penalty = axis.roughness[order] + (_TIE_BREAK * axis.roughness[2] if order > 2 else 0.0)
    else:
        seen = means > 0
        centred = (axis.expansion - np.outer(is_present, raw_means))[seen]
        penalty = centred.T @ centred
    values, vectors = eigh(whiten.T @ penalty @ whiten)
    raw = _fix_signs(whiten @ vectors)
    coefficients = axis.expansion @ raw - np.outer(is_present, raw_means @ raw)
    if not axis.roughness:
        coefficients[means <= 0] = 0.0  # a level nobody has: no effect known
    values = np.maximum(values, 0.0)
    assert coefficients.shape[0] == len(means) and n_raw >= coefficients.shape[1]
    if axis.roughness:
        return coefficients, values, np.ones(len(values))
    return coefficients, np.zeros(len(values)), np.maximum(values, 1.0)


def _compute_spikes(axis: Axis, means: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Indicators of spikes and of missing values, centred and of unit variance, with ridge one over their share."""
    shares = means[list(axis.spikes)]
    used = [spike for spike, share in zip(axis.spikes, shares, strict=True) if 1e-12 < share < 1 - 1e-12]
    coefficients = np.zeros((len(means), len(used)))
    for column, spike in enumerate(used):
        share = means[spike]
        coefficients[:, column] = -share
        coefficients[spike, column] += 1.0
        coefficients[:, column] /= np.sqrt(share * (1 - share))
        if spike != axis.spikes[-1] and means[axis.spikes[-1]] <= 0:
            coefficients[axis.spikes[-1], column] = 0.0  # missing was never seen: no effect known
    return coefficients, 1.0 / means[used] if used else np.empty(0)


def _fix_signs(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Eigenvectors have no sign of their own; the largest coefficient is made positive."""
    if not raw.size:
        return raw
    largest = raw[np.argmax(np.abs(raw), axis=0), np.arange(raw.shape[1])]
    return raw * np.where(largest < 0, -1.0, 1.0)
