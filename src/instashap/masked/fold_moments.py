"""Moments of folds, and of the rows outside each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .design import ValueFunctions
from .drawn import DrawnMoments, blend_moments
from .few_rows import FoldRows
from .linear_base import LinearBase
from .moments import CentredMoments, RowMoments, add_outer, add_scaled, merge_all


@dataclass(frozen=True)
class FoldMoments:
    """Moments of disjoint folds of the rows, and of all.

    Attributes
    ----------
    functions : ValueFunctions
    folds : tuple of CentredMoments
    total : CentredMoments
    n_judged : int or None
        Models are judged by so many of the folds, the first; None means all. Functions learnt from rows are judged by others.
    rows : FoldRows or None
        The functions' values, where rows are few.
    drawn : DrawnMoments or None
        Of synthetic rows.
    synthetic : float
        Share of these in the moments that are fitted. They are taken about their own means: those of the rows stay the centre
        of the model.
    """

    functions: ValueFunctions
    folds: tuple[CentredMoments, ...]
    total: CentredMoments
    n_judged: int | None = None
    rows: FoldRows | None = None
    drawn: DrawnMoments | None = None
    synthetic: float = 0.0

    @classmethod
    def from_folds(
        cls,
        functions: ValueFunctions,
        folds: Sequence[CentredMoments],
        n_judged: int | None = None,
    ) -> "FoldMoments":
        return cls(functions, tuple(folds), merge_all(folds), n_judged)

    @classmethod
    def from_rows(cls, functions: ValueFunctions, rows: FoldRows, n_judged: int | None = None) -> "FoldMoments":
        """The same of functions whose values are in memory."""
        parts = zip(rows.values, rows.outputs, rows.weights, strict=True)
        folds = tuple(RowMoments([values], [outputs], [weights]) for values, outputs, weights in parts)
        return cls(functions, folds, RowMoments(rows.values, rows.outputs, rows.weights), n_judged, rows)

    @cached_property
    def whole(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centred ``G`` and ``r`` of all rows."""
        return blend_moments(self.total, None if self.drawn is None else self.drawn.total, self.synthetic)

    @cached_property
    def splits(self) -> "list[Split]":
        """Training and held-out moments of each fold that judges; none if there is a single fold."""
        if len(self.folds) < 2:
            return []
        drawn = self.drawn if self.synthetic else None
        folds = enumerate(self.folds[: self.n_judged])
        return [Split(fold, self.total, None, drawn, number, self.synthetic) for number, fold in folds]

    @property
    def n_known(self) -> float:
        """Rows that the moments come from, synthetic ones among them."""
        return self.total.weight + (self.drawn.total.weight if self.drawn and self.synthetic else 0.0)

    def blend(self, share: float) -> "FoldMoments":
        """The same with another share of synthetic rows, if there are any."""
        if not self.drawn or share == self.synthetic:
            return self
        if share not in self._blends:
            self._blends.clear()  # the last is kept: candidates in turn have the same share
            self._blends[share] = replace(self, synthetic=share)
        return self._blends[share]

    @cached_property
    def _blends(self) -> "dict[float, FoldMoments]":
        return {}

    def select(self, is_kept: NDArray[np.bool_]) -> "FoldMoments":
        """Moments of the selected functions."""
        if is_kept.all():
            return self
        chosen = np.flatnonzero(is_kept)
        folds = tuple(fold.select(chosen) for fold in self.folds)
        rows = None if self.rows is None else self.rows.select(chosen)
        drawn = None if self.drawn is None else self.drawn.select(chosen)
        functions, total = self.functions.select(is_kept), self.total.select(chosen)
        return replace(self, functions=functions, folds=folds, total=total, rows=rows, drawn=drawn)


# Functions up to which the second moments of each fold and of the rows outside it are kept between trials: 10 of 32 MB.
_MAX_KEPT = 2000


@dataclass(frozen=True)
class Split:
    """One fold and the rest of the rows; second moments are made when asked for, those of small problems once."""

    fold: CentredMoments
    total: CentredMoments
    base: LinearBase | None = None
    drawn: DrawnMoments | None = None
    number: int = 0
    synthetic: float = 0.0

    @property
    def share(self) -> float:
        """Share of the weight that lies in the fold."""
        return self.fold.weight / self.total.weight

    @property
    def train(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``G`` and ``r`` of the other rows."""
        return self._known if len(self.total.means) <= _MAX_KEPT else self._describe_others()

    @cached_property
    def _known(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._describe_others()

    def _describe_others(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        drawn, fold = (None, None) if self.drawn is None else self.drawn.get_outside(self.number)
        return blend_moments(self.total, drawn, self.synthetic, (self.fold, fold))

    @property
    def held_out(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Moments of the fold about the means of the other rows, with a share of synthetic rows if they are held out too."""
        return self._left_out if len(self.total.means) <= _MAX_KEPT else self._describe_fold()

    @cached_property
    def _left_out(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        return self._describe_fold()

    def _describe_fold(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        found = self.fold.about(*self.total.find_means_without(self.fold))
        if self.drawn is None or not self.drawn.is_judge:
            return found
        own = self.drawn.folds[self.number]
        outside, fold = self.drawn.get_outside(self.number)
        centre = (outside.means, outside.output_means) if fold is None else outside.find_means_without(fold)
        gram, cross, variance = found
        gram *= 1.0 - self.synthetic
        add_scaled(gram, self.synthetic / own.weight, own.scatter)
        add_outer(gram, self.synthetic, own.means - centre[0])
        other, spread = own.cross_about(*centre)
        share = self.synthetic
        return gram, (1.0 - share) * cross + share * other, (1.0 - share) * variance + share * spread
