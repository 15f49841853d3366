"""Gamma likelihood of positive amounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..family import MAX_SCORE, AmountFamily


@dataclass(frozen=True)
class Gamma(AmountFamily):
    """Gamma family of positive targets: the score is the log of the mean, and the coefficient of variation is constant.

    Attributes
    ----------
    unit : float
        The mean target, from which scores are limited: amounts in cents have the model of amounts in millions.
    """

    unit: float = 1.0
    output_transform = "log of the mean"
    is_positive = True
    has_unit = True

    @classmethod
    def from_labels(cls, target: NDArray[np.float64], weights: NDArray[np.float64], options: Mapping[str, Any]) -> Self:
        """The family; raises ``ValueError`` unless all targets are above 0."""
        lowest = float(target[weights > 0].min())
        if lowest <= 0:
            raise ValueError(f"loss='gamma' needs positive y; the smallest is {lowest:g}")
        return cls(float(np.average(target, weights=weights)))

    def start(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log(np.atleast_1d(np.average(target, weights=weights)))

    def differentiate(
        self, scores: NDArray[np.float64], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        score = scores[:, 0] - np.log(self.unit)
        ratio = target / self.unit * np.exp(-np.maximum(score, -MAX_SCORE))
        # The expected curvature is 1, the observed one is the ratio; the larger of the two keeps steps from overshooting.
        return score + ratio, (1.0 - ratio)[:, None], np.maximum(ratio, 1.0)[:, None]

    def respond(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.unit * np.exp(np.clip(scores[:, 0] - np.log(self.unit), -MAX_SCORE, MAX_SCORE)))

    def measure_loss(self, response: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
        """The deviance, ``2 (y / mean - 1 - log(y / mean))``."""
        ratio = target / np.maximum(response, np.finfo(np.float64).tiny)
        return np.asarray(2.0 * (ratio - 1.0 - np.log(ratio)))

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        """Squared coefficient of variation."""
        mean = self.respond(scores)
        return float(np.average((target / mean - 1.0) ** 2, weights=weights))
