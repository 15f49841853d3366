"""What a label's likelihood says about scores: deviance, its two derivatives, and the response on the label's own scale.

A family's scores have shape (n_rows, n_outputs), targets (n_rows,). Losses are negative log-likelihoods up to constants of the
target, in nats for the categories and counts, so that penalties are priors and their strengths have a scale.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

# Scores of a logarithmic link are cut here before exponentials: e^30 is beyond any count, and its square still a float.
_MAX_SCORE = 30.0

# A fold may lack a class: descents start as if each had this many rows more.
PSEUDO_ROWS = 0.5


class Family(Protocol):
    """A likelihood with its link.

    Attributes
    ----------
    n_outputs : int
        Scores a row.
    """

    @property
    def n_outputs(self) -> int: ...

    def start(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where a descent begins: about the best constant scores, shape (n_outputs,)."""

    def differentiate(
        self, scores: NDArray[np.float64], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Loss (n_rows,), its gradient and (an upper bound of) the diagonal of its curvature, both (n_rows, n_outputs)."""

    def respond(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities (n_rows, n_classes), or the mean or quantile of the target (n_rows,)."""

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        """Dispersion: factor by which the loss overstates what a row tells; 1 for categories."""


@dataclass(frozen=True)
class Binary:
    """Two classes, log-odds of the second; targets 0 and 1."""

    n_outputs: int = 1

    def start(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        ones = weights @ target + PSEUDO_ROWS
        return np.array([np.log(ones) - np.log(weights.sum() + 2 * PSEUDO_ROWS - ones)])

    def differentiate(
        self, scores: NDArray[np.float64], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        score = scores[:, 0]
        share = expit(score)
        loss = np.logaddexp(0.0, score) - target * score
        return loss, (share - target)[:, None], (share * (1.0 - share))[:, None]

    def respond(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack([expit(-scores[:, 0]), expit(scores[:, 0])])

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        return 1.0


@dataclass(frozen=True)
class Multinomial:
    """Three and more classes, one score each (shares by softmax); targets 0 … n_outputs - 1."""

    n_outputs: int

    def start(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        logs = np.log(np.bincount(target.astype(np.int64), weights=weights, minlength=self.n_outputs) + PSEUDO_ROWS)
        return np.asarray(logs - logs.mean())

    def differentiate(
        self, scores: NDArray[np.float64], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        rows, codes = np.arange(len(scores)), target.astype(np.int64)
        shares = scores - scores.max(axis=1, keepdims=True)
        own = shares[rows, codes]
        np.exp(shares, out=shares)
        total = shares.sum(axis=1)
        shares /= total[:, None]
        curvature = shares * (1.0 - shares)
        shares[rows, codes] -= 1.0
        return np.log(total) - own, shares, curvature

    def respond(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        return 1.0


@dataclass(frozen=True)
class Gaussian:
    """Half the squared error, in squared target units."""

    n_outputs: int = 1

    def start(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.atleast_1d(np.average(target, weights=weights))

    def differentiate(
        self, scores: NDArray[np.float64], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        error = scores[:, 0] - target
        return 0.5 * error**2, error[:, None], np.ones((len(error), 1))

    def respond(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return scores[:, 0]

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        """Mean squared error."""
        return float(np.average((scores[:, 0] - target) ** 2, weights=weights))


@dataclass(frozen=True)
class Poisson:
    """Counts or rates, logarithm of their mean; targets 0 or more.

    Attributes
    ----------
    unit : float
        Losses are measured in it: with the mean target, rates a day and rates a year have the same losses.
    """

    n_outputs: int = 1
    unit: float = 1.0

    @classmethod
    def choose(cls, target: NDArray[np.float64], weights: NDArray[np.float64]) -> "Poisson":
        """Losses in units of the mean target."""
        return cls(unit=float(np.average(target, weights=weights)))

    def start(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log(np.atleast_1d(np.average(target, weights=weights)))

    def differentiate(
        self, scores: NDArray[np.float64], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        score, ratio = np.minimum(scores[:, 0] - np.log(self.unit), _MAX_SCORE), target / self.unit
        mean = np.exp(score)
        return mean - ratio * score, (mean - ratio)[:, None], mean[:, None]

    def respond(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.unit * np.exp(np.minimum(scores[:, 0] - np.log(self.unit), _MAX_SCORE)))

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        """Pearson's statistic a row: counts vary more than Poisson's law wherever something was not measured."""
        mean = self.respond(scores)
        return float(np.average((target - mean) ** 2 / mean, weights=weights)) / self.unit


@dataclass(frozen=True)
class Gamma:
    """Positive amounts whose spread grows with their mean, logarithm of the mean."""

    n_outputs: int = 1

    def start(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log(np.atleast_1d(np.average(target, weights=weights)))

    def differentiate(
        self, scores: NDArray[np.float64], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        ratio = target * np.exp(-np.maximum(scores[:, 0], -_MAX_SCORE))
        # The expected curvature is 1; the observed one, the ratio, is what a step must not overshoot.
        return scores[:, 0] + ratio, (1.0 - ratio)[:, None], np.maximum(ratio, 1.0)[:, None]

    def respond(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.exp(np.clip(scores[:, 0], -_MAX_SCORE, _MAX_SCORE)))

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        """Squared coefficient of variation."""
        mean = self.respond(scores)
        return float(np.average((target / mean - 1.0) ** 2, weights=weights))


@dataclass(frozen=True)
class Quantile:
    """A quantile in target units: the pinball loss, smoothed over a width.

    ``q u + h log(1 + exp(-u / h))``, ``u = y - score``: the pinball loss convolved with a logistic density of scale h
    (Fernandes, Guerre & Horta 2021). The curve then lies where a share ``q`` of the smoothed targets is below.
    """

    quantile: float
    width: float
    n_outputs: int = 1

    @classmethod
    def choose(cls, quantile: float, target: NDArray[np.float64], weights: NDArray[np.float64]) -> "Quantile":
        """Smoothed over a width that falls with the cube root of the rows, a third of the spread at one row."""
        middle = np.average(target, weights=weights)
        spread = float(np.sqrt(np.average((target - middle) ** 2, weights=weights)))
        return cls(quantile, max(spread, 1e-12) / (3.0 * float(np.cbrt(weights.sum()))))

    def start(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        order = np.argsort(target, kind="stable")
        reached = np.cumsum(weights[order])
        return np.atleast_1d(target[order][np.searchsorted(reached, self.quantile * reached[-1] * (1 - 1e-12))])

    def differentiate(
        self, scores: NDArray[np.float64], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        error = target - scores[:, 0]
        below = expit(-error / self.width)
        loss = self.quantile * error + self.width * np.logaddexp(0.0, -error / self.width)
        return loss, (below - self.quantile)[:, None], (below * (1.0 - below) / self.width)[:, None]

    def respond(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return scores[:, 0]

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        """Mean loss: the scale of the asymmetric Laplace law whose likelihood the pinball loss is."""
        return float(np.average(self.differentiate(scores, target)[0], weights=weights))
