"""Multinomial likelihood of three and more classes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..over_outputs import find_largest, sum_outputs

# Rows added to each class at the start of a descent, as a fold may lack a class.
PSEUDO_ROWS = 0.5


@dataclass(frozen=True)
class Multinomial:
    """Multinomial family: one score per class, probabilities by softmax, targets 0 … n_outputs - 1."""

    n_outputs: int
    strength_unit: ClassVar[float] = 1.0

    def start(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        logs = np.log(np.bincount(target.astype(np.int64), weights=weights, minlength=self.n_outputs) + PSEUDO_ROWS)
        return np.asarray(logs - logs.mean())

    def differentiate(
        self, scores: NDArray[np.float64], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        own_places = np.arange(len(scores)) * self.n_outputs + target.astype(np.int64)  # in all shares, row after row
        shares = np.subtract(scores, find_largest(scores), order="C")
        own = shares.ravel()[own_places]
        np.exp(shares, out=shares)
        total = sum_outputs(shares)
        shares /= total
        curvature = shares * (1.0 - shares)
        shares.reshape(-1)[own_places] -= 1.0
        return np.log(total[:, 0]) - own, shares, curvature

    def respond(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        shares = np.exp(scores - find_largest(scores))
        return np.asarray(shares / sum_outputs(shares))

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        return 1.0
