"""Moments of synthetic rows beside those of rows: how they enter what is fitted, and what it is judged by."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .moments import CentredMoments


@dataclass(frozen=True)
class DrawnMoments:
    """Moments of synthetic rows, and of those that belong to each fold of the rows.

    Attributes
    ----------
    total : CentredMoments
    folds : tuple of CentredMoments
    is_partition : bool
        Whether the folds are parts of the synthetic rows, left out of what is fitted outside the fold; or else all of them,
        weighted as what is known outside a fold of the rows would have them.
    is_judge : bool
        Whether parts that are left out judge together with the rows of the fold, with the same share.
    """

    total: CentredMoments
    folds: tuple[CentredMoments, ...]
    is_partition: bool
    is_judge: bool

    def select(self, functions: NDArray[np.int64]) -> "DrawnMoments":
        """Moments of some of the functions."""
        folds = tuple(each.select(functions) for each in self.folds)
        return replace(self, total=self.total.select(functions), folds=folds)

    def get_outside(self, fold: int) -> CentredMoments:
        """What is fitted outside a fold."""
        return self.total - self.folds[fold] if self.is_partition else self.folds[fold]


def blend_moments(
    real: CentredMoments, drawn: CentredMoments | None, share: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``G`` and ``r`` of rows and of synthetic rows, each about their own means, the latter with a share of the weight."""
    gram, cross = real.scatter / real.weight, real.cross / real.weight
    if drawn is not None and share:
        gram *= 1.0 - share
        gram += (share / drawn.weight) * drawn.scatter
        cross = (1.0 - share) * cross + (share / drawn.weight) * drawn.cross
    return gram, cross
