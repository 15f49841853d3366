"""A search whose moments have a share of other rows than those of the table, or of the same with other weights."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .candidate import Candidate, Judgement, Solved
from .candidate_search import Found
from .design import ValueFunctions
from .drawn import DrawnMoments
from .fold_moments import FoldMoments
from .search import Search
from .select import Judge
from .strengths import Strengths


class DrawnRows(Protocol):
    """Rows whose moments may have a share in a fit."""

    def weigh(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight of each if the rows of the fit had other weights."""

    def describe_parts(
        self, functions: ValueFunctions, n_parts: int, known: DrawnMoments | None = None
    ) -> DrawnMoments:
        """Moments of value functions on all of them, and on a part for each fold of the rows of the fit.

        Those of the first functions may be known.
        """

    def describe_folds(
        self, functions: ValueFunctions, shares: Sequence[NDArray[np.float64]], n_folds: int = 0
    ) -> DrawnMoments:
        """Moments of value functions on all of them, and with each of some weights."""


class DrawnSearch(Search):
    """A search by a share of drawn rows; these are held out as rows are, and judge with the same share."""

    # Folds by which candidates are compared; None means all.
    n_compared: int | None = None

    def __init__(self, drawn: DrawnRows, share: float, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.drawn, self.share = drawn, share

    def make_judge(
        self, functions: ValueFunctions, n_judged: int | None = None, known: FoldMoments | None = None
    ) -> Judge:
        judge = super().make_judge(functions, self.n_compared if n_judged is None else n_judged, known)
        drawn = self.drawn.describe_parts(functions, len(self.folds), None if known is None else known.drawn)
        judge.moments = replace(judge.moments, rows=None, drawn=drawn)
        return judge

    def judge_candidate(
        self, judge: Judge, candidate: Candidate, start: Strengths, free: Sequence[str], near: Solved | None = None
    ) -> tuple[Judgement, Solved]:
        return super().judge_candidate(judge, candidate, replace(start, synthetic=self.share), free, near)

    def judge_by_rows(self, found: Found) -> Found:
        """A candidate with the search's share, judged by every fold of the rows alone."""
        judge, judgement, solved = found
        drawn = judge.moments.drawn
        assert drawn is not None
        judge.moments = replace(judge.moments, drawn=replace(drawn, is_judge=False), n_judged=None)
        return judge, *self.judge_candidate(judge, judgement.candidate, judgement.strengths, (), solved)

    def get_drawn(self, chosen: Judgement) -> DrawnRows | None:
        """See :meth:`Search.get_drawn`."""
        return self.drawn if chosen.strengths.synthetic else None
