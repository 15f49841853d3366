"""What a family of likelihoods has: deviance, its two derivatives, and the response on the label's own scale.

A family's scores have shape (n_rows, n_outputs), targets (n_rows,). Losses are negative log-likelihoods up to constants of the
target, in nats for the categories and counts, so that penalties are priors and their strengths have a scale.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

# Scores of a logarithmic link are cut here before exponentials: e^30 is beyond any count, and its square still a float.
MAX_SCORE = 30.0


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


class AmountFamily:
    """What families of numbers have in common, where one needs nothing else: a score a row, on the scale of the target.

    A family of :class:`instashap.AdditiveRegressor` is made from labels, by :meth:`from_labels`.

    Attributes
    ----------
    output_transform : str
        Scale of the scores.
    is_positive : bool
        Whether targets below 0 are refused.
    """

    n_outputs: int = 1
    output_transform: str = "target units"
    is_positive: ClassVar[bool] = False

    @classmethod
    def from_labels(cls, target: NDArray[np.float64], weights: NDArray[np.float64], options: Mapping[str, Any]) -> Self:
        """The family for these labels; raises ``ValueError`` for labels that it cannot have.

        Parameters
        ----------
        target, weights : ndarray of shape (n_rows,), float64
        options : mapping
            Parameters of the estimator by name.
        """
        return cls()

    @staticmethod
    def prepare_weights(target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights in the unit that the family wants."""
        return weights

    def respond(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The target's mean or quantile, shape (n_rows,)."""
        return scores[:, 0]
