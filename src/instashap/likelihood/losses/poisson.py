"""Poisson likelihood of counts and rates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from ..family import MAX_SCORE, AmountFamily


@dataclass(frozen=True)
class Poisson(AmountFamily):
    """Poisson family of counts or rates: the score is the log of the mean, targets are 0 or more.

    Attributes
    ----------
    unit : float
        Unit of the targets in the loss. It is the mean target, so that rates per day and rates per year have equal losses.
    """

    unit: float = 1.0
    output_transform = "log of the mean"
    is_positive = True
    has_unit = True

    @classmethod
    def from_labels(cls, target: NDArray[np.float64], weights: NDArray[np.float64], options: Mapping[str, Any]) -> Self:
        """The family, with losses in units of the mean target; raises ``ValueError`` for targets below 0 or all 0."""
        lowest = float(target[weights > 0].min())
        if lowest < 0 or not target @ weights > 0:
            raise ValueError(f"loss='poisson' needs y of 0 or more, not all 0; the smallest is {lowest:g}")
        return cls(float(np.average(target, weights=weights)))

    @staticmethod
    def prepare_weights(target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Row weights: unchanged for counts; for rates they are exposures in an arbitrary unit, scaled to the mean 1."""
        if (target == np.floor(target)).all():
            return weights
        return np.asarray(weights / weights[weights > 0].mean())

    def start(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log(np.atleast_1d(np.average(target, weights=weights)))

    def differentiate(
        self, scores: NDArray[np.float64], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        score, ratio = np.minimum(scores[:, 0] - np.log(self.unit), MAX_SCORE), target / self.unit
        mean = np.exp(score)
        return mean - ratio * score, (mean - ratio)[:, None], mean[:, None]

    def respond(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.unit * np.exp(np.minimum(scores[:, 0] - np.log(self.unit), MAX_SCORE)))

    def measure_loss(self, response: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
        """The deviance, ``2 (y log(y / mean) - y + mean)``."""
        mean = np.maximum(response, np.finfo(np.float64).tiny)
        return np.asarray(2.0 * (xlogy(target, target / mean) - target + mean))

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        """Pearson's statistic per row: counts are overdispersed wherever a cause was not measured."""
        mean = self.respond(scores)
        return float(np.average((target - mean) ** 2 / mean, weights=weights)) / self.unit
