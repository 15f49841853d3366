"""Mixtures of Gaussians by expectation and maximisation, for weighted rows, the same in any order of rows and columns."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .first_lowest import take_first_lowest

# Mixtures with so many components at most are tried.
_MAX_COMPONENTS = 6
# Added to the variances of scores, which are about 1.
_FLOOR = 1e-4
# Steps of each number of components, and the gain of the mean log density that ends them.
_MAX_STEPS = 100
_TOLERANCE = 1e-4
# Steps after rows were taken out: the start is the mixture of all.
_FEW_STEPS = 4

# The form of a distribution is chosen, and its parameters first found, by so many of the rows.
_MAX_ROWS = 4096
# Digits to which distances from the centre are different.
_DIGITS = 9

# Shares (n_components,), means (n_components, n_columns), covariances (n_components, n_columns, n_columns).
Components = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def learn_components(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> Components:
    """Shares, means and covariances of a mixture, of as many components as Schwarz's criterion asks for.

    One component after the other is added: the widest one is split along its longest axis. Of many rows some thousand, spread
    evenly over the distances from the centre, decide the number.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_columns), float64
    weights : ndarray of shape (n_rows,), float64
        Above zero.
    """
    some = spread_rows(scores)
    if len(some) < len(scores):
        return _iterate(scores, weights, learn_components(scores[some], weights[some]), _MAX_STEPS)[0]
    return take_first_lowest(_add_components(scores, weights))


def _add_components(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> Iterator[tuple[float, Components]]:
    """Mixtures of one component and more, each after its criterion (Schwarz 1978)."""
    n_columns, total = scores.shape[1], float(weights.sum())
    n_most = int(np.clip(total // (5 * (n_columns + 1)), 1, _MAX_COMPONENTS))
    found = _maximise(scores, weights[:, None])
    for n_components in range(1, n_most + 1):
        if n_components > 1:
            found = _split_widest(found, scores, weights)
        found, density = _iterate(scores, weights, found, _MAX_STEPS)
        n_parameters = n_components * (1 + n_columns + n_columns * (n_columns + 1) // 2) - 1
        yield n_parameters * np.log(total) - 2 * density * total, found


def spread_rows(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions of all rows, or of at most 4 096, spread evenly over the distances from the centre."""
    step = max(-(-len(scores) // _MAX_ROWS), 1)
    if step == 1:
        return np.arange(len(scores))
    return np.lexsort((*scores.T, np.round((scores**2).sum(axis=1), _DIGITS)))[::step]


def relearn_components(start: Components, scores: NDArray[np.float64], weights: NDArray[np.float64]) -> Components:
    """The mixture of other weights of the rows, near one that is known."""
    return _iterate(scores, weights, start, _FEW_STEPS)[0]


def _iterate(
    scores: NDArray[np.float64], weights: NDArray[np.float64], start: Components, n_steps: int
) -> tuple[Components, float]:
    """Expectation and maximisation in turn; the components and the mean log density."""
    found, last = start, -np.inf
    for _ in range(n_steps):
        logs = _measure_logs(scores, found)
        most = logs.max(axis=1, keepdims=True)
        shares = np.exp(logs - most)
        sums = shares.sum(axis=1, keepdims=True)
        density = float(weights @ (most + np.log(sums))[:, 0] / weights.sum())
        if density - last < _TOLERANCE:
            break
        last = density
        found = _maximise(scores, shares / sums * weights[:, None])
    return found, density


def _measure_logs(scores: NDArray[np.float64], components: Components) -> NDArray[np.float64]:
    """Log of share times density of each component at each row, shape (n_rows, n_components)."""
    logs = np.empty((len(scores), len(components[0])))
    for place, (share, mean, covariance) in enumerate(zip(*components, strict=True)):
        factor = np.linalg.cholesky(covariance)
        white = np.linalg.inv(factor) @ (scores - mean).T  # few columns, many rows
        logs[:, place] = np.log(max(share, 1e-300)) - 0.5 * (white**2).sum(axis=0) - np.log(np.diag(factor)).sum()
    return np.asarray(logs - 0.5 * scores.shape[1] * np.log(2 * np.pi))


def _maximise(scores: NDArray[np.float64], shares: NDArray[np.float64]) -> Components:
    """Components of rows that belong to each with a weight, shape (n_rows, n_components)."""
    sums = np.maximum(shares.sum(axis=0), 1e-300)
    means = shares.T @ scores / sums[:, None]
    covariances = np.empty((len(sums), scores.shape[1], scores.shape[1]))
    for place, mean in enumerate(means):
        away = scores - mean
        covariances[place] = (away * shares[:, place, None]).T @ away / sums[place] + _FLOOR * np.eye(scores.shape[1])
    return sums / sums.sum(), means, covariances


def _split_widest(components: Components, scores: NDArray[np.float64], weights: NDArray[np.float64]) -> Components:
    """The component of the largest share times longest axis in two, one at either end of the axis.

    The one at the short tail of the rows comes first, whatever the order and the signs of the columns.
    """
    shares, means, covariances = components
    axes = [np.linalg.eigh(covariance) for covariance in covariances]
    widest = int(np.argmax([share * values[-1] for share, (values, _) in zip(shares, axes, strict=True)]))
    values, vectors = axes[widest]
    axis = vectors[:, -1] * np.sqrt(values[-1])
    along = (scores - means[widest]) @ axis
    logs = _measure_logs(scores, components)
    own = weights * np.exp(logs[:, widest] - logs.max(axis=1)) / np.exp(logs - logs.max(axis=1, keepdims=True)).sum(axis=1)
    axis *= np.sign(own @ along**3) or 1.0
    shrunk = covariances[widest] - 0.75 * np.outer(axis, axis)
    return (
        np.append(np.delete(shares, widest), [shares[widest] / 2] * 2),
        np.vstack([np.delete(means, widest, axis=0), means[widest] - axis * 0.75, means[widest] + axis * 0.75]),
        np.concatenate([np.delete(covariances, widest, axis=0), [shrunk, shrunk]]),
    )
