"""Gaussian likelihood: the squared error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..family import AmountFamily


@dataclass(frozen=True)
class Gaussian(AmountFamily):
    """Gaussian family: the loss is half the squared error, in squared target units."""

    def start(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.atleast_1d(np.average(target, weights=weights))

    def differentiate(
        self, scores: NDArray[np.float64], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        error = scores[:, 0] - target
        return 0.5 * error**2, error[:, None], np.ones((len(error), 1))

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        """Mean squared error."""
        return float(np.average((scores[:, 0] - target) ** 2, weights=weights))
