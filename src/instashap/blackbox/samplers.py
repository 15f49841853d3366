"""Distributions of a table's rows, estimated once: whole rows, and rows given some of their columns.

Every drawn value occurs in the column in some row of the table, so that any kind of column keeps its type: a sampler returns
positions of rows, one per column.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .margins import Margin

# Kinds by name.
KINDS = ("copula", "gaussian", "mixture", "neighbours")
# The most components of the mixtures that are tried; the criterion of Schwarz (1978) chooses.
_MAX_COMPONENTS = 6
# The most rows in which neighbours are searched, and the least number that share the weight of a draw.
_MAX_DONORS = 4000
_MIN_NEIGHBOURS = 20
# Width of the neighbours' kernel in standard deviations per column, as recommended by Aas, Jullum and Løland (2021).
_WIDTH = 0.1
# Added to variances, so that exact copies of columns have an inverse.
_JITTER = 1e-9


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
    """

    margins: tuple[Margin, ...]
    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    loadings: NDArray[np.float64]
    errors: NDArray[np.float64]

    def draw(
        self, scores: NDArray[np.float64], masks: NDArray[np.bool_], noise: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """See :class:`Sampler`."""
        from scipy.special import ndtr, ndtri

        normal = ndtri(noise[:, :-1])
        latent = np.zeros_like(scores)
        patterns, owner = np.unique(masks, axis=0, return_inverse=True)
        order = np.argsort(owner.reshape(-1), kind="stable")
        ends = np.searchsorted(owner.reshape(-1)[order], np.arange(len(patterns) + 1))
        for number, mask in enumerate(patterns):
            rows = order[ends[number] : ends[number + 1]]
            if not mask.all():
                latent[np.ix_(rows, ~mask)] = self._draw_absent(mask, scores[rows], normal[rows], noise[rows, -1])
        uniform = ndtr(latent)
        return np.stack([margin.find_rows(each) for margin, each in zip(self.margins, uniform.T, strict=True)], axis=1)

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
        root = vectors * np.sqrt(np.clip(values, 0.0, None))
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
        patterns, owner = np.unique(masks, axis=0, return_inverse=True)
        for number, mask in enumerate(patterns):
            rows = np.flatnonzero(owner.reshape(-1) == number)
            for start in range(0, len(rows), 512):
                block = rows[start : start + 512]
                shares = np.cumsum(self._weigh(mask, scores[block]), axis=1)
                wanted = noise[block, -1] * shares[:, -1]
                chosen[block] = np.minimum((wanted[:, None] > shares).sum(axis=1), len(self.donors) - 1)
        return np.repeat(self.donors[chosen][:, None], scores.shape[1], axis=1)

    def _weigh(self, mask: NDArray[np.bool_], scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight of each donor for each row, shape (n_rows, n_donors)."""
        if not mask.any():
            return np.ones((len(scores), len(self.donors)))
        covariance = self.covariance[np.ix_(mask, mask)] + _JITTER * np.eye(int(mask.sum()))
        factor = np.linalg.cholesky(covariance)
        own = np.linalg.solve(factor, scores[:, mask].T).T
        others = np.linalg.solve(factor, self.scores[:, mask].T).T
        squares = (own**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * own @ others.T
        distances = np.maximum(squares, 0.0) / mask.sum()
        n_near = min(_MIN_NEIGHBOURS, len(self.donors)) - 1
        reach = np.partition(distances, n_near, axis=1)[:, n_near, None]
        width = np.maximum(_WIDTH**2, reach)
        nearest = distances - distances.min(axis=1, keepdims=True)
        return np.asarray(np.exp(-nearest / (2 * width)))


def learn_sampler(kind: str, margins: tuple[Margin, ...], scores: NDArray[np.float64]) -> Sampler:
    """Estimate a distribution of rows.

    Parameters
    ----------
    kind : {"copula", "gaussian", "mixture", "neighbours"}
        A Gaussian copula; one Gaussian; a mixture of Gaussians in normal scores; or the nearest rows.
    margins : tuple of Margin
        For "gaussian" those that keep continuous columns on their own scale.
    scores : ndarray of shape (n_rows, n_columns), float64
        Of the rows of the margins.
    """
    if kind == "neighbours":
        step = max(-(-len(scores) // _MAX_DONORS), 1)
        donors = np.lexsort(scores.T)[::step]  # in an order of their own: that of the table does not matter
        return NeighbourSampler(scores[donors], donors, _estimate_covariance(scores))
    if kind == "mixture":
        return _learn_mixture(margins, scores)
    loadings = np.array([margin.reliability for margin in margins])
    latent = _estimate_latent(scores, loadings)
    errors = loadings - loadings**2
    return GaussianSampler(margins, np.ones(1), np.zeros((1, len(loadings))), latent[None], loadings, errors)


def _estimate_covariance(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance of scores, shrunk as the number of rows asks for (Ledoit and Wolf 2004); a column of one value has none."""
    from sklearn.covariance import ledoit_wolf_shrinkage

    spread = scores.std(axis=0)
    scaled = scores / np.where(spread > 0, spread, 1.0)
    correlation = scaled.T @ scaled / len(scaled)
    share = float(ledoit_wolf_shrinkage(scaled)) if scores.shape[1] > 1 else 0.0
    shrunk = (1 - share) * correlation + share * np.diag(np.diag(correlation))
    return np.asarray(shrunk * np.outer(spread, spread))


def _estimate_latent(scores: NDArray[np.float64], loadings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of the latent scores: that of the observed ones, divided by both columns' reliabilities."""
    scale = np.where(loadings > 0, loadings, 1.0)
    latent = np.clip(_estimate_covariance(scores) / np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(latent, 1.0)
    values, vectors = np.linalg.eigh(latent)
    if values[0] < 0:  # correlations estimated pair by pair need not belong to a distribution
        latent = (vectors * np.clip(values, _JITTER, None)) @ vectors.T
    spread = np.sqrt(np.diag(latent))
    return np.asarray(latent / np.outer(spread, spread))


def _learn_mixture(margins: tuple[Margin, ...], scores: NDArray[np.float64]) -> GaussianSampler:
    from sklearn.mixture import GaussianMixture

    n_rows, n_columns = scores.shape
    n_most = int(np.clip(n_rows // (5 * (n_columns + 1)), 1, _MAX_COMPONENTS))
    fits = [
        GaussianMixture(number, reg_covar=1e-4, random_state=0, max_iter=200, n_init=2).fit(scores)
        for number in range(1, n_most + 1)
    ]
    best = min(fits, key=lambda fit: fit.bic(scores))
    whole = np.ones(n_columns), np.zeros(n_columns)
    return GaussianSampler(margins, best.weights_, best.means_, best.covariances_, *whole)
