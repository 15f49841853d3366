"""Distributions of a table's rows, estimated once: whole rows, and rows given some of their columns.

Every drawn value occurs in the column in some row of the table, so that any kind of column keeps its type: a sampler returns
positions of rows, one per column.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..game.grouping import group_masks, group_rows
from .margins import Margin
from .mixture import learn_components, relearn_components

# Kinds by name.
KINDS = ("copula", "gaussian", "mixture", "neighbours")
# The most rows in which neighbours are searched, and the least number that share the weight of a draw.
_MAX_DONORS = 4000
_MIN_NEIGHBOURS = 20
# Rows whose weights of all neighbours are in memory at once.
_BLOCK_ROWS = 512
# Width of the neighbours' kernel in standard deviations per column, as recommended by Aas, Jullum and Løland (2021).
_WIDTH = 0.1
# Added to variances, so that exact copies of columns have an inverse.
_JITTER = 1e-9
# Least eigenvalue of a correlation matrix of latent scores that had to be repaired.
_FLOOR = 1e-2
# Reliability of scores from which a column counts as continuous: a hundred different values have more.
_CONTINUOUS = 0.99
# Shares of the identity among which the correlation matrix of a Gaussian is chosen.
_SHRINKAGES = (1e-6, 1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0)


class Sampler(Protocol):
    """A distribution of rows in normal scores of the columns."""

    def draw(
        self, scores: NDArray[np.float64], masks: NDArray[np.bool_], noise: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Positions of table rows, one a column, for the absent columns of each row; shape (n_rows, n_columns).

        Parameters
        ----------
        scores : ndarray of shape (n_rows, n_columns), float64
            Of the known columns; others are not read.
        masks : ndarray of shape (n_rows, n_columns), bool
            True = known. Positions of known columns mean nothing.
        noise : ndarray of shape (n_rows, n_columns + 1), float64
            Uniform in (0, 1), what makes a draw random: one a column, and the last one for what all columns share.
        """


@dataclass(frozen=True)
class GaussianSampler:
    """A mixture of Gaussians in latent scores ``z``; the observed score of a column is ``loading · z + error``.

    A column with few values determines its latent score only in part; a continuous one has loading 1 and no error. Given the
    known columns, the latent scores of the others are Gaussian in each component.

    Attributes
    ----------
    margins : tuple of Margin
    weights : ndarray of shape (n_components,), float64
    means : ndarray of shape (n_components, n_columns), float64
    covariances : ndarray of shape (n_components, n_columns, n_columns), float64
        Of the latent scores.
    loadings : ndarray of shape (n_columns,), float64
    errors : ndarray of shape (n_columns,), float64
        Variances.
    shrinkage : float
        Share of the identity in the correlation matrix of a single Gaussian.
    """

    margins: tuple[Margin, ...]
    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    loadings: NDArray[np.float64]
    errors: NDArray[np.float64]
    shrinkage: float = 0.0

    def draw(
        self, scores: NDArray[np.float64], masks: NDArray[np.bool_], noise: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """See :class:`Sampler`."""
        from scipy.special import ndtri

        normal = ndtri(noise[:, :-1])
        latent = np.zeros_like(scores)
        for mask, rows in group_masks(masks):
            if not mask.all():
                latent[np.ix_(rows, ~mask)] = self._draw_absent(mask, scores[rows], normal[rows], noise[rows, -1])
        return self.find_rows(latent)

    def find_rows(self, latent: NDArray[np.float64]) -> NDArray[np.int64]:
        """Positions of table rows, one a column, whose values belong to latent scores; shape (n_rows, n_columns)."""
        return np.stack([margin.find_rows(each) for margin, each in zip(self.margins, latent.T, strict=True)], axis=1)

    def sample(self, noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """Latent scores of whole rows, shape (n_rows, n_columns); ``noise`` as in :meth:`draw`."""
        from scipy.special import ndtri

        nobody = np.zeros(len(self.loadings), dtype=bool)
        return self._draw_absent(nobody, np.empty_like(noise[:, :-1]), ndtri(noise[:, :-1]), noise[:, -1])

    def relearn(self, scores: NDArray[np.float64], weights: NDArray[np.float64]) -> "GaussianSampler":
        """The same kind of distribution under other weights of the rows; those of weight 0 are not looked at."""
        scores, weights = scores[weights > 0], weights[weights > 0]
        if len(self.weights) == 1:
            return learn_gaussian(self.margins, scores, weights, self.shrinkage)
        found = relearn_components((self.weights, self.means, self.covariances), scores, weights)
        return replace(self, weights=found[0], means=found[1], covariances=found[2])

    def measure_log_density(self, latent: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logarithm of the density of latent scores, but for a constant; shape (n_rows,)."""
        logs = []
        for weight, mean, covariance in zip(self.weights, self.means, self.covariances, strict=True):
            factor = np.linalg.cholesky(covariance + _JITTER * np.eye(len(mean)))
            white = np.linalg.inv(factor) @ (latent - mean).T
            logs.append(np.log(weight) - 0.5 * (white**2).sum(axis=0) - np.log(np.diag(factor)).sum())
        most = np.max(logs, axis=0)
        return np.asarray(most + np.log(np.exp(logs - most).sum(axis=0)))

    def _draw_absent(
        self, mask: NDArray[np.bool_], scores: NDArray[np.float64], normal: NDArray[np.float64], pick: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Latent scores of the absent columns, shape (n_rows, n_absent)."""
        known = scores[:, mask]
        parts = [self._condition(component, mask, known) for component in range(len(self.weights))]
        logs = np.stack([log for log, _, _ in parts], axis=1)  # (n_rows, n_components)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        steps = np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1)
        chosen = np.minimum((pick[:, None] > steps).sum(axis=1), len(parts) - 1)
        drawn = np.empty((len(scores), int((~mask).sum())))
        for component, (_, centre, root) in enumerate(parts):
            own = chosen == component
            drawn[own] = centre[own] + normal[own][:, ~mask] @ root.T
        return drawn

    def _condition(
        self, component: int, mask: NDArray[np.bool_], known: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Log weight of a component for each row, means of the absent columns there, and a root of their covariance."""
        mean, covariance = self.means[component], self.covariances[component]
        loadings = self.loadings[mask]
        crossed = covariance[np.ix_(~mask, mask)] * loadings  # of absent latent with known observed scores
        observed = covariance[np.ix_(mask, mask)] * np.outer(loadings, loadings)
        observed[np.diag_indices(len(observed))] += self.errors[mask] + _JITTER
        away = known - mean[mask] * loadings
        factor = np.linalg.cholesky(observed) if len(observed) else observed
        white = np.linalg.solve(factor, away.T).T if len(observed) else away
        slopes = np.linalg.solve(observed, crossed.T).T if len(observed) else crossed
        rest = covariance[np.ix_(~mask, ~mask)] - slopes @ crossed.T
        values, vectors = np.linalg.eigh((rest + rest.T) / 2)
        root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T  # symmetric: no column comes first
        log = np.log(self.weights[component]) - 0.5 * (white**2).sum(axis=1) - np.log(np.diag(factor)).sum()
        return log, mean[~mask] + away @ slopes.T, root


@dataclass(frozen=True)
class NeighbourSampler:
    """Rows of the table that are near in the known columns, without parameters: all absent columns come from one of them.

    Attributes
    ----------
    scores : ndarray of shape (n_donors, n_columns), float64
    donors : ndarray of shape (n_donors,), int64
        Positions of their rows.
    covariance : ndarray of shape (n_columns, n_columns), float64
        Distances are those of Mahalanobis in the known columns, divided by their number.
    """

    scores: NDArray[np.float64]
    donors: NDArray[np.int64]
    covariance: NDArray[np.float64]

    def draw(
        self, scores: NDArray[np.float64], masks: NDArray[np.bool_], noise: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """See :class:`Sampler`."""
        chosen = np.empty(len(scores), dtype=np.int64)
        for mask, rows in group_masks(masks):
            # Rows that are drawn for several times, or are the same in the known columns, have one set of weights.
            known = scores[np.ix_(rows, np.flatnonzero(mask))]
            alike = [rows[same] for same in group_rows(known)] if mask.any() else [rows]
            for start in range(0, len(alike), _BLOCK_ROWS):
                block = alike[start : start + _BLOCK_ROWS]
                every = self._weigh(mask, scores[[same[0] for same in block]])
                np.cumsum(every, axis=1, out=every)
                for shares, some in zip(every, block, strict=True):
                    chosen[some] = np.searchsorted(shares, noise[some, -1] * shares[-1])
        chosen = np.minimum(chosen, len(self.donors) - 1)
        return np.repeat(self.donors[chosen][:, None], scores.shape[1], axis=1)

    def _weigh(self, mask: NDArray[np.bool_], scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight of each donor for each row, shape (n_rows, n_donors)."""
        if not mask.any():
            return np.ones((len(scores), len(self.donors)))
        covariance = self.covariance[np.ix_(mask, mask)] + _JITTER * np.eye(int(mask.sum()))
        factor = np.linalg.cholesky(covariance)
        own = np.linalg.solve(factor, scores[:, mask].T).T
        others = np.linalg.solve(factor, self.scores[:, mask].T).T
        weights = (own**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)  # squares of distances, then weights, in one array
        weights -= 2 * own @ others.T
        np.maximum(weights, 0.0, out=weights)
        weights /= mask.sum()
        n_near = min(_MIN_NEIGHBOURS, len(self.donors)) - 1
        reach = np.partition(weights, n_near, axis=1)[:, n_near, None]
        weights -= weights.min(axis=1, keepdims=True)
        weights /= -2 * np.maximum(_WIDTH**2, reach)
        return np.asarray(np.exp(weights, out=weights))


def learn_sampler(
    kind: str, margins: tuple[Margin, ...], scores: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> Sampler:
    """Estimate a distribution of rows.

    Parameters
    ----------
    kind : {"copula", "gaussian", "mixture", "neighbours"}
        A Gaussian copula; one Gaussian; a mixture of Gaussians in normal scores; or the nearest rows.
    margins : tuple of Margin
        For "gaussian" those that keep continuous columns on their own scale.
    scores : ndarray of shape (n_rows, n_columns), float64
        Of the rows of the margins.
    weights : ndarray of shape (n_rows,), float64, optional
        Above zero.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    if kind == "neighbours":
        step = max(-(-len(scores) // _MAX_DONORS), 1)
        donors = np.lexsort(scores.T)[::step]  # in an order of their own: that of the table does not matter
        covariance = estimate_covariance(scores, weights, choose_shrinkage(scores, weights))
        return NeighbourSampler(scores[donors], donors, covariance)
    if kind == "mixture":
        whole = np.ones(len(margins)), np.zeros(len(margins))
        return GaussianSampler(margins, *learn_components(scores, weights), *whole)
    return learn_gaussian(margins, scores, weights)


def learn_gaussian(
    margins: tuple[Margin, ...],
    scores: NDArray[np.float64],
    weights: NDArray[np.float64],
    shrinkage: float | None = None,
) -> GaussianSampler:
    """A single Gaussian in the latent scores."""
    loadings = np.array([margin.reliability for margin in margins])
    shrinkage = choose_shrinkage(scores, weights) if shrinkage is None else shrinkage
    loadings = np.where(loadings > _CONTINUOUS, 1.0, loadings)
    correlation, _ = _correlate(scores, weights)
    latent = _estimate_latent((1 - shrinkage) * correlation + shrinkage * np.eye(len(loadings)), loadings)
    parts = np.ones(1), np.zeros((1, len(loadings))), latent[None]
    return GaussianSampler(margins, *parts, loadings, loadings - loadings**2, shrinkage)


def estimate_covariance(
    scores: NDArray[np.float64], weights: NDArray[np.float64], shrinkage: float
) -> NDArray[np.float64]:
    """Covariance of scores about 0, its correlations shrunk; a column of one value has none."""
    correlation, scale = _correlate(scores, weights)
    shrunk = (1 - shrinkage) * correlation + shrinkage * np.eye(len(scale))
    return np.asarray(shrunk * np.outer(scale, scale))


def _correlate(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlation matrix about 0, and standard deviations; 0 and the identity's row for a column of one value."""
    second = (scores * weights[:, None]).T @ scores / weights.sum()
    spread = np.sqrt(np.diag(second))
    scale = np.where(spread > 0, spread, 1.0)
    correlation = second / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    return correlation, spread


def choose_shrinkage(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Share of the identity in a correlation matrix under which each row is likeliest given the others.

    Hoffbeck and Landgrebe (1996): near-copies of columns are not pulled apart where there are rows enough to see them.
    """
    correlation, spread = _correlate(scores, weights)
    scaled = scores / np.where(spread > 0, spread, 1.0)
    losses = [_miss_without_row(share, correlation, scaled, weights) for share in _SHRINKAGES]
    return _SHRINKAGES[int(np.argmin(losses))]


def _miss_without_row(
    share: float, correlation: NDArray[np.float64], scaled: NDArray[np.float64], weights: NDArray[np.float64]
) -> float:
    """Mean of ``x' A⁻¹ x + log det A`` over the rows, each with the matrix of the others: a rank-one change of one factor."""
    total = weights.sum()
    if total <= 1:
        return 0.0 if share == 1.0 else np.inf
    step = (1 - share) / (total - 1)
    matrix = step * total * correlation + (share + _JITTER) * np.eye(len(correlation))
    factor = np.linalg.cholesky(matrix)
    squares = (np.linalg.solve(factor, scaled.T) ** 2).sum(axis=0)
    left = np.maximum(1 - step * squares, 1e-12)
    return float(weights @ (squares / left + np.log(left)) / total + 2 * np.log(np.diag(factor)).sum())


def _estimate_latent(correlation: NDArray[np.float64], loadings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of the latent scores: that of the observed ones, divided by the roots of both columns' reliabilities."""
    scale = np.sqrt(np.where(loadings > 0, loadings, 1.0))
    latent = np.clip(correlation / np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(latent, 1.0)
    values, vectors = np.linalg.eigh(latent)
    if values[0] < 0:  # correlations estimated pair by pair need not belong to a distribution
        latent = (vectors * np.clip(values, _FLOOR, None)) @ vectors.T
    spread = np.sqrt(np.diag(latent))
    return np.asarray(latent / np.outer(spread, spread))
