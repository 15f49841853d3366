"""A copula of Student's t distribution: columns that are extreme together.

Under a Gaussian copula far values of two columns come independently of each other, the farther the more; under this one all
columns share a scale, so that a far value of one makes far values of others likelier on either side, even of uncorrelated ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .first_lowest import take_first_lowest
from .margins import Margin
from .mixture import spread_rows
from .samplers import GaussianSampler, choose_shrinkage, learn_gaussian

# Degrees of freedom that are tried, from those of a copula that is nearly Gaussian on.
_DEGREES = (22.0, 15.0, 10.0, 7.0, 5.0, 4.0, 3.0, 2.0)
# Steps of expectation and maximisation of the correlations, and after rows were taken out.
_N_STEPS, _FEW_STEPS = 20, 3
# Least share of the correlations that is dropped: exact copies of columns then have an inverse.
_LEAST = 1e-6
# Scores beyond which normal probabilities are 0 or 1 but for rounding.
_MAX_SCORE = 8.0


@dataclass(frozen=True)
class StudentSampler(GaussianSampler):
    """Scores of columns by a t copula: ``t_nu quantiles of Phi(z)`` have a multivariate t distribution.

    Attributes
    ----------
    degrees : float
        Degrees of freedom.
    """

    degrees: float = np.inf

    def relearn(self, scores: NDArray[np.float64], weights: NDArray[np.float64]) -> "StudentSampler":
        """The same degrees of freedom under other weights of the rows; those of weight 0 are not looked at."""
        stretched, kept = _stretch(scores[weights > 0], self.degrees), weights[weights > 0]
        correlation = _find_correlations(stretched, kept, self.degrees, self.covariances[0], self.shrinkage, _FEW_STEPS)
        return replace(self, covariances=correlation[None])

    def measure_log_density(self, latent: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logarithm of the density of latent scores, but for a constant; shape (n_rows,)."""
        copula = _measure_copula(_stretch(latent, self.degrees), self.degrees, self.covariances[0])
        return np.asarray(copula - 0.5 * (latent**2).sum(axis=1))

    def _draw_absent(
        self, mask: NDArray[np.bool_], scores: NDArray[np.float64], normal: NDArray[np.float64], pick: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Latent scores of the absent columns, shape (n_rows, n_absent).

        Given p known columns of squared Mahalanobis distance q the others are t distributed about the linear prediction, with
        nu + p degrees of freedom and the Gaussian's covariance times ``(nu + q) / (nu + p)``.
        """
        from scipy.special import chdtri

        known, covariance = _stretch(scores[:, mask], self.degrees), self.covariances[0]
        n_known = known.shape[1]
        slopes = np.linalg.solve(covariance[np.ix_(mask, mask)], covariance[np.ix_(mask, ~mask)])
        rest = covariance[np.ix_(~mask, ~mask)] - covariance[np.ix_(~mask, mask)] @ slopes
        values, vectors = np.linalg.eigh((rest + rest.T) / 2)
        root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T  # symmetric: no column comes first
        squares = (known * np.linalg.solve(covariance[np.ix_(mask, mask)], known.T).T).sum(axis=1)
        scales = np.sqrt((self.degrees + squares) / chdtri(self.degrees + n_known, pick))
        return _shrink(known @ slopes + scales[:, None] * (normal[:, ~mask] @ root), self.degrees)


def learn_student(
    margins: tuple[Margin, ...], scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> StudentSampler | None:
    """A t copula of the highest likelihood; None if a Gaussian one is as likely, or columns are not continuous."""
    gaussian = learn_gaussian(margins, scores, weights)
    if gaussian.errors.any() or len(margins) < 2 or weights.sum() < 2 * len(margins):
        return None
    some = spread_rows(scores)
    found = take_first_lowest(_try_degrees(scores[some], weights[some], gaussian.covariances[0]))
    if found is None:
        return None
    degrees, correlation = found
    stretched = _stretch(scores, degrees)
    # At a common scale rows are normal, by which the share of correlations to drop is chosen.
    scales = np.sqrt(_weigh(stretched, degrees, correlation))
    shrinkage = choose_shrinkage(stretched * scales[:, None], weights)
    correlation = _find_correlations(stretched, weights, degrees, correlation, shrinkage, _FEW_STEPS)
    parts = {name: getattr(gaussian, name) for name in ("margins", "weights", "means", "loadings", "errors")}
    return StudentSampler(**parts, covariances=correlation[None], shrinkage=shrinkage, degrees=degrees)


def _try_degrees(
    scores: NDArray[np.float64], weights: NDArray[np.float64], start: NDArray[np.float64]
) -> Iterator[tuple[float, tuple[float, NDArray[np.float64]] | None]]:
    """A Gaussian copula, as None, then degrees of freedom and correlations; each after minus its log-likelihood.

    That of the Gaussian one has a parameter less, for which it gets ``log(n)``.
    """
    yield -float(_compare_gaussian(scores, start) @ weights + np.log(weights.sum())), None
    for degrees in _DEGREES:
        stretched = _stretch(scores, degrees)
        found = _find_correlations(stretched, weights, degrees, start, _LEAST, _N_STEPS)
        yield -float(_measure_copula(stretched, degrees, found) @ weights), (degrees, found)


def _stretch(scores: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Quantiles of a t distribution for normal scores."""
    from scipy.special import ndtr, stdtrit

    low = -np.minimum(np.abs(scores), _MAX_SCORE)  # probabilities near 0 are exact, near 1 not
    return np.asarray(np.where(scores > 0, -1.0, 1.0) * stdtrit(degrees, ndtr(low)))


def _shrink(values: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Normal scores for quantiles of a t distribution."""
    from scipy.special import ndtri, stdtr

    low = np.maximum(ndtri(stdtr(degrees, -np.abs(values))), -_MAX_SCORE)
    return np.asarray(np.where(values > 0, -1.0, 1.0) * low)


def _find_correlations(
    stretched: NDArray[np.float64],
    weights: NDArray[np.float64],
    degrees: float,
    start: NDArray[np.float64],
    shrinkage: float,
    n_steps: int,
) -> NDArray[np.float64]:
    """Correlations of a multivariate t distribution about 0 by expectation and maximisation, a share of them dropped."""
    n_columns = stretched.shape[1]
    found = start
    for _ in range(n_steps):
        shares = weights * _weigh(stretched, degrees, found)
        scatter = (stretched * shares[:, None]).T @ stretched / weights.sum()
        spread = np.sqrt(np.diag(scatter))
        found = (1.0 - shrinkage) * scatter / np.outer(spread, spread) + shrinkage * np.eye(n_columns)
    return found


def _weigh(stretched: NDArray[np.float64], degrees: float, correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected inverse square of each row's scale: ``(nu + d) / (nu + q)``."""
    squares = (stretched * np.linalg.solve(correlation, stretched.T).T).sum(axis=1)
    return np.asarray((degrees + stretched.shape[1]) / (degrees + squares))


def _measure_copula(stretched: NDArray[np.float64], degrees: float, correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log density of the copula at each row of quantiles of the t distribution."""
    from scipy.special import gammaln

    n = stretched.shape[1]
    squares = (stretched * np.linalg.solve(correlation, stretched.T).T).sum(axis=1)
    constant = gammaln((degrees + n) / 2) + (n - 1) * gammaln(degrees / 2) - n * gammaln((degrees + 1) / 2)
    joint = -(degrees + n) / 2 * np.log1p(squares / degrees) - 0.5 * np.linalg.slogdet(correlation)[1]
    margins = (degrees + 1) / 2 * np.log1p(stretched**2 / degrees).sum(axis=1)
    return np.asarray(constant + joint + margins)


def _compare_gaussian(scores: NDArray[np.float64], correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log density of a Gaussian copula at each row."""
    squares = (scores * np.linalg.solve(correlation, scores.T).T).sum(axis=1)
    return np.asarray(0.5 * ((scores**2).sum(axis=1) - squares - np.linalg.slogdet(correlation)[1]))
