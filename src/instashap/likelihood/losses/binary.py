"""Bernoulli likelihood of two classes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from .multinomial import PSEUDO_ROWS


@dataclass(frozen=True)
class Binary:
    """Bernoulli family: the score is the log-odds of the second class, targets are 0 and 1."""

    n_outputs: int = 1
    strength_unit: ClassVar[float] = 1.0

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
