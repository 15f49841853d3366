"""Demmler–Reinsch functions: a column's basis made orthonormal on the data and sorted by roughness.

In these functions every penalty is diagonal, the first few carry what data can support, and a model of some thousand
unknowns holds what a plain spline basis needs ten times as many for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..linear.singular import svd
from ..table.bases import Axis, LocalBasis

# Share of the penalty added to the Gram matrix before whitening by it: the smooth functions, which matter, then come out
# as the large, well separated eigenvalues 1 / (1 + share · roughness).
_PENALTY_SHARE = {"curve": 1e-6, "levels": 1e-3}
# Directions below this share of the largest eigenvalue are absent from the data.
_RANK_TOLERANCE = 1e-10
# Roughness below this is rounding: an unpenalised curve, such as x and x². (The next curve has 10⁴ and more.)
_UNPENALISED = 1.0
# Levels have no order of smoothness: so many share a rank, the heaviest first.
LEVELS_PER_RANK = 4
# Up to so many levels become orthonormal functions, which costs the cube of their number; beyond, each has its indicator.
MAX_ORTHONORMAL = 256
# A spike of its own (zero, missing) matters about as much as the parabola; four share a rank, the heaviest first.
SPIKE_RANK = 2
# Steps come after all curves: they are not repeated under larger presence sets.
STEP_RANK = 100


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
    ranks : ndarray of shape (n_axis_functions,), int64
        Resolution a function belongs to, 1 the coarsest: curves count up, levels without order come four to a rank.
    ridge : ndarray of shape (n_axis_functions,), float64
        Prior precision: 1 for curves, about one over the share of rows for categories and spikes.
    """

    basis: LocalBasis
    coefficients: NDArray[np.float64]
    roughness: NDArray[np.float64]
    ridge: NDArray[np.float64]
    ranks: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.roughness)

    def pick(self, kept: NDArray[np.int64]) -> "AxisFunctions":
        """Some of the functions, in this order."""
        return AxisFunctions(self.basis, self.coefficients[:, kept], self.roughness[kept], self.ridge[kept], self.ranks[kept])


def compute_local_moments(
    basis: LocalBasis, cells: NDArray[np.int32], offsets: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted means and second moments of the local functions; shapes (n_functions,), (n_functions, n_functions)."""
    sums, products = basis.sum_products(cells, offsets, weights)
    total = weights.sum()
    return sums / total, products / total


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
        The most functions to return; beside these one for each value of a code, and one for each jump.
    """
    if not axis.roughness and axis.expansion.shape[1] > MAX_ORTHONORMAL:
        curves, roughness, ridge = _compute_indicators(axis, means)
    else:
        curves, roughness, ridge = _compute_curves(axis, means, second, order)
    spikes, spike_ridge = _compute_spikes(axis, means)
    steps = _compute_steps(axis, means, second)
    limit += (len(spike_ridge) if axis.is_code else 0) + steps.shape[1]
    n_curves, n_spikes = curves.shape[1], len(spike_ridge)
    ranks = np.arange(n_curves) + 1 if axis.roughness else np.arange(n_curves) // LEVELS_PER_RANK + 1
    everything = AxisFunctions(
        axis.basis,
        np.hstack([curves, spikes, steps]),
        np.concatenate([roughness, np.zeros(n_spikes + steps.shape[1])]),
        np.concatenate([ridge, spike_ridge, np.ones(steps.shape[1])]),
        np.concatenate([ranks, np.arange(n_spikes) // LEVELS_PER_RANK + SPIKE_RANK, np.full(steps.shape[1], STEP_RANK)]),
    )
    ranked = np.argsort(everything.ranks, kind="stable")
    n_first = min(limit, len(ranked)) - steps.shape[1]
    return everything.pick(np.concatenate([ranked[:n_first], ranked[len(ranked) - steps.shape[1] :]]))


def _compute_steps(axis: Axis, means: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Step functions, centred and of unit variance; 0 for missing values."""
    if axis.steps is None:
        return np.empty((len(means), 0))
    missing = axis.spikes[-1]
    is_present = np.ones(len(means))
    is_present[missing] = 0.0
    centred = axis.steps - np.outer(is_present, means @ axis.steps / (1.0 - means[missing]))
    sizes = np.sqrt(np.einsum("ij,ij->j", centred, second @ centred))
    return np.asarray(centred[:, sizes > 0] / sizes[sizes > 0])


def _compute_curves(
    axis: Axis, means: NDArray[np.float64], second: NDArray[np.float64], order: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    missing = axis.spikes[-1]
    share = 1.0 - means[missing]
    empty = np.empty((len(means), 0)), np.empty(0), np.empty(0)
    if share <= 0.0:
        return empty
    raw_means = axis.expansion.T @ means / share
    is_present = np.ones(len(means))
    is_present[missing] = 0.0
    centred = axis.expansion - np.outer(is_present, raw_means)
    # Coefficients of mean zero: the constant is the base value's.
    basis = _find_complement(raw_means)
    gram = basis.T @ (axis.expansion.T @ second @ axis.expansion) @ basis
    if np.trace(gram) <= 1e-14:
        return empty
    if axis.roughness:
        directions, values = _sort_by_roughness(gram, axis.roughness[order] @ basis, _PENALTY_SHARE["curve"])
        directions = _order_unpenalised(basis @ directions, values, axis.roughness[2])
        coefficients = centred @ _fix_signs(directions)
        return coefficients, values, np.ones(len(values))
    directions, values = _sort_by_roughness(gram, centred[means > 0] @ basis, _PENALTY_SHARE["levels"])
    coefficients = centred @ _fix_signs(basis @ directions)
    coefficients[means <= 0] = 0.0  # a level nobody has: no effect known
    return coefficients, np.zeros(len(values)), np.maximum(values, 1.0)


def _find_complement(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal basis of the vectors orthogonal to one, shape (n, n - 1): columns of its Householder reflection.

    A vector of zeros counts as the first axis.
    """
    mirror = vector / (np.abs(vector).max() or 1.0)
    mirror[0] += np.copysign(np.linalg.norm(mirror) or 1.0, mirror[0])
    return np.asarray(np.eye(len(vector))[:, 1:] - np.outer(mirror, mirror[1:]) * (2.0 / (mirror @ mirror)))


def _sort_by_roughness(
    gram: NDArray[np.float64], penalty: NDArray[np.float64], share: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions of unit variance in which the penalty is diagonal, the smoothest first, and that diagonal.

    Parameters
    ----------
    gram : ndarray of shape (n, n), float64
    penalty : ndarray of shape (n_rows, n), float64
        Factor D of the penalty ``Dᵀ D``; singular values of the stacked factors keep the digits that products would lose.
    share : float
    """
    variances, vectors = np.linalg.eigh(gram)
    root = np.sqrt(np.maximum(variances, 0.0))[:, None] * vectors.T
    _, sizes, rotation = svd(np.vstack([root, np.sqrt(share) * penalty]), full_matrices=False)
    kept = sizes > _RANK_TOLERANCE * sizes[0]
    whiten = rotation[kept].T / sizes[kept]
    _, smoothness, axes = svd(root @ whiten)
    found = np.flatnonzero(smoothness > np.sqrt(_RANK_TOLERANCE))
    smoothness = np.minimum(smoothness[found], 1.0)
    roughness = (1 / smoothness**2 - 1) / share
    roughness[roughness < _UNPENALISED] = 0.0
    return whiten @ (axes[found].T / smoothness), roughness


def _order_unpenalised(
    raw: NDArray[np.float64], roughness: NDArray[np.float64], second_order: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Put the straight line before the parabola where neither is penalised."""
    free = int((roughness == 0.0).sum())
    if free < 2:
        return raw
    bends = second_order @ raw[:, :free]
    _, _, rotation = svd(bends, full_matrices=len(bends) < free)
    return np.hstack([raw[:, :free] @ rotation[::-1].T, raw[:, free:]])


def _compute_indicators(
    axis: Axis, means: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Indicators of all levels, the heaviest first: the penalty is on squared effects of levels, as for all categories."""
    levels = _rank_shares(means[:-1])
    coefficients, ridge = _make_indicators(means, levels, axis.spikes[-1])
    coefficients[:-1][means[:-1] <= 0] = 0.0  # a level nobody has: no effect known
    return coefficients, np.zeros(len(ridge)), ridge


def _compute_spikes(axis: Axis, means: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Indicators of spikes and of missing values, centred and of unit variance, with ridge one over their share."""
    spikes = np.array(axis.spikes)
    return _make_indicators(means, spikes[_rank_shares(means[spikes])], axis.spikes[-1])


def _rank_shares(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions from the largest share to the smallest; of shares that are equal but for rounding the first comes first."""
    return np.argsort(-np.round(shares, 12), kind="stable")


def _make_indicators(
    means: NDArray[np.float64], functions: NDArray[np.int64], missing: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    used = functions[(means[functions] > 1e-12) & (means[functions] < 1 - 1e-12)]
    shares = means[used]
    coefficients = np.tile(-shares, (len(means), 1))
    coefficients[used, np.arange(len(used))] += 1.0
    coefficients /= np.sqrt(shares * (1 - shares))
    if means[missing] <= 0:
        coefficients[missing, used != missing] = 0.0  # missing was never seen: no effect known
    return coefficients, 1.0 / shares


def _fix_signs(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Eigenvectors have no sign of their own; the largest coefficient is made positive."""
    if not raw.size:
        return raw
    largest = raw[np.argmax(np.abs(raw), axis=0), np.arange(raw.shape[1])]
    return raw * np.where(largest < 0, -1.0, 1.0)
