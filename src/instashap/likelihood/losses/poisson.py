"""Counts and rates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..family import MAX_SCORE, AmountFamily


@dataclass(frozen=True)
class Poisson(AmountFamily):
    """Counts or rates, logarithm of their mean; targets 0 or more.

    Attributes
    ----------
    unit : float
        Losses are measured in it: with the mean target, rates a day and rates a year have the same losses.
    """

    unit: float = 1.0
    output_transform = "log of the mean"
    is_positive = True

    @classmethod
    def from_labels(cls, target: NDArray[np.float64], weights: NDArray[np.float64], options: Mapping[str, Any]) -> Self:
        """Losses in units of the mean target."""
        lowest = float(target[weights > 0].min())
        if lowest < 0 or not target @ weights > 0:
            raise ValueError(f"loss='poisson' needs y of 0 or more, not all 0; the smallest is {lowest:g}")
        return cls(float(np.average(target, weights=weights)))

    @staticmethod
    def prepare_weights(target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights of counts as they are; of rates they are exposures, whose unit means nothing, and get the mean 1."""
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

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        """Pearson's statistic a row: counts vary more than Poisson's law wherever something was not measured."""
        mean = self.respond(scores)
        return float(np.average((target - mean) ** 2 / mean, weights=weights)) / self.unit
