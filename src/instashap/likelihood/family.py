"""Interface of likelihood families: loss, its two derivatives, and the response on the scale of the labels.

Scores have shape (n_rows, n_outputs), targets (n_rows,). Losses are negative log-likelihoods up to a term that depends on the
target alone, in nats for categories and counts. A quadratic penalty is then a Gaussian prior, and its strength a precision.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

# Scores of a logarithmic link are clipped here before exponentials: e^30 is beyond any count, and its square is still a float.
MAX_SCORE = 30.0


class Family(Protocol):
    """A likelihood with its link.

    Attributes
    ----------
    n_outputs : int
        Scores per row.
    strength_unit : float
        Unit of the strengths of penalties: that of the loss over that of squared scores. 1 where the targets' unit cancels.
    """

    @property
    def n_outputs(self) -> int: ...

    @property
    def strength_unit(self) -> float: ...

    def start(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Start of a descent: approximately the best constant scores, shape (n_outputs,)."""

    def differentiate(
        self, scores: NDArray[np.float64], target: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Loss (n_rows,), its gradient and (an upper bound of) the diagonal of its curvature, both (n_rows, n_outputs)."""

    def respond(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities (n_rows, n_classes), or the mean or quantile of the target (n_rows,)."""

    def measure_noise(
        self, scores: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> float:
        """Dispersion: the factor by which the loss must be divided to be a log-likelihood; 1 for categories."""


class AmountFamily:
    """Base of the families for numeric targets: one score per row, by default on the scale of the target.

    :class:`instashap.AdditiveRegressor` makes its family from the labels by :meth:`from_labels`.

    Attributes
    ----------
    output_transform : str
        Scale of the scores.
    is_positive : bool
        Whether targets below 0 are refused.
    has_unit : bool
        Whether the family has a unit of its own for the targets; else they are divided by one before.
    """

    n_outputs: int = 1
    strength_unit: float = 1.0
    output_transform: str = "target units"
    is_positive: ClassVar[bool] = False
    has_unit: ClassVar[bool] = False

    @classmethod
    def from_labels(cls, target: NDArray[np.float64], weights: NDArray[np.float64], options: Mapping[str, Any]) -> Self:
        """The family for these labels; raises ``ValueError`` for labels that the likelihood does not allow.

        Parameters
        ----------
        target, weights : ndarray of shape (n_rows,), float64
        options : mapping
            Parameters of the estimator by name.
        """
        return cls()

    @staticmethod
    def prepare_weights(target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Row weights in the unit that the family uses."""
        return weights

    def respond(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The target's mean or quantile, shape (n_rows,)."""
        return scores[:, 0]

    def measure_loss(self, response: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
        """Loss of responses, shape (n_rows,), which is 0 where a response is the target; here the squared error."""
        return np.asarray((target - response) ** 2)

    @property
    def settings(self) -> dict[str, float]:
        """Numbers that, with its name, make the family again."""
        return {}
