"""Multinomial likelihood of three and more classes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

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
