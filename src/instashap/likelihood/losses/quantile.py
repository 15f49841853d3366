"""A quantile."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ..family import AmountFamily


@dataclass(frozen=True)
class Quantile(AmountFamily):
    """A quantile in target units: the pinball loss, smoothed over a width.

    ``q u + h log(1 + exp(-u / h))``, ``u = y - score``: the pinball loss convolved with a logistic density of scale h
    (Fernandes, Guerre & Horta 2021). The curve then lies where a share ``q`` of the smoothed targets is below.
    """

    quantile: float
    width: float

    @classmethod
    def from_labels(cls, target: NDArray[np.float64], weights: NDArray[np.float64], options: Mapping[str, Any]) -> Self:
        """Smoothed over a width that falls with the cube root of the rows, a third of the spread at one row."""
        quantile = options["quantile"]
        if not (isinstance(quantile, float) and 0.0 < quantile < 1.0):
            raise ValueError(f"quantile={quantile!r} must be a number between 0 and 1, both excluded")
        middle = np.average(target, weights=weights)
        spread = float(np.sqrt(np.average((target - middle) ** 2, weights=weights)))
        return cls(quantile, max(spread, 1e-12) / (3.0 * float(np.cbrt(weights.sum()))))

    @property
    def output_transform(self) -> str:  # type: ignore[override]
        """Scale of the scores, with the quantile."""
        return f"quantile {self.quantile:g}, target units"

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

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        """Mean loss: the scale of the asymmetric Laplace law whose likelihood the pinball loss is."""
        return float(np.average(self.differentiate(scores, target)[0], weights=weights))
