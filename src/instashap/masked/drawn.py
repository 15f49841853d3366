"""Moments of synthetic rows beside those of rows: how they enter what is fitted, and what it is judged by."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .moments import CentredMoments, add_outer, add_scaled


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

    def get_outside(self, fold: int) -> tuple[CentredMoments, CentredMoments | None]:
        """What is fitted outside a fold: moments, and those that are left out of them."""
        return (self.total, self.folds[fold]) if self.is_partition else (self.folds[fold], None)


def blend_moments(
    real: CentredMoments,
    drawn: CentredMoments | None,
    share: float,
    without: tuple[CentredMoments | None, CentredMoments | None] = (None, None),
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``G`` and ``r`` of rows and of synthetic rows, each about their own means, the latter with a share of the weight.

    Of either some may be left out, which must be among them; their own moments are not made on the way.
    """
    parts = [(1.0 - share if drawn is not None else 1.0, real, without[0])]
    if drawn is not None and share:
        parts.append((share, drawn, without[1]))
    gram, cross = np.zeros_like(real.scatter), np.zeros_like(real.cross)
    for own_share, moments, fold in parts:
        weight = moments.weight - (0.0 if fold is None else fold.weight)
        add_scaled(gram, own_share / weight, moments.scatter)
        cross += own_share / weight * moments.cross
        if fold is not None:
            step, output_step = fold.means - moments.means, fold.output_means - moments.output_means
            factor = -own_share / weight
            add_scaled(gram, factor, fold.scatter)
            add_outer(gram, factor * moments.weight * fold.weight / weight, step)
            cross += factor * (fold.cross + moments.weight * fold.weight / weight * np.outer(step, output_step))
    return gram, cross
