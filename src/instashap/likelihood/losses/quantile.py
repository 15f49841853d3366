"""Smoothed pinball loss of a quantile."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ..family import AmountFamily


@dataclass(frozen=True)
class Quantile(AmountFamily):
    """Family of a quantile in target units, whose loss is the pinball loss, smoothed over a width.

    ``q u + h log(1 + exp(-u / h))``, ``u = y - score``: the pinball loss convolved with a logistic density of scale h
    (Fernandes, Guerre & Horta 2021). A share ``q`` of the smoothed targets then lies below the fitted curve.
    """

    quantile: float
    width: float

    @classmethod
    def from_labels(cls, target: NDArray[np.float64], weights: NDArray[np.float64], options: Mapping[str, Any]) -> Self:
        """The family with the width ``sd / (3 n^(1/3))``, sd the standard deviation of the targets and n their total weight."""
        quantile = options["quantile"]
        if not (isinstance(quantile, float) and 0.0 < quantile < 1.0):
            raise ValueError(f"quantile={quantile!r} must be a number between 0 and 1, both excluded")
        middle = np.average(target, weights=weights)
        spread = float(np.sqrt(np.average((target - middle) ** 2, weights=weights)))
        return cls(quantile, max(spread, 1e-12) / (3.0 * float(np.cbrt(weights.sum()))))

    @property
    def strength_unit(self) -> float:  # type: ignore[override]
        """One over the width: the loss has the targets' unit, squared scores its square."""
        return 1.0 / self.width

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

    def measure_loss(self, response: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
        """The pinball loss, not smoothed."""
        error = target - response
        return np.maximum(self.quantile * error, (self.quantile - 1.0) * error)

    @property
    def settings(self) -> dict[str, float]:
        return {"quantile": self.quantile}

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        """Mean loss: the scale of the asymmetric Laplace distribution, whose negative log-likelihood is the pinball loss."""
        return float(np.average(self.differentiate(scores, target)[0], weights=weights))
