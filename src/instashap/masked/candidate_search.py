"""What every search for a fit does, whatever its moments are sums over: candidates from simple to rich.

Main effects come first, then pairs at rising resolution, then triples; each candidate is kept only if it lowers the held-out
risk of the best before it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ..game.terms import ValueSet
from ..table.bases import Axis, LearntColumn
from .candidate import Candidate, Judgement, Solved
from .choose import prefer_simplest
from .design import Axes, ValueFunctions
from .penalties import AxisFunctions
from .screen import choose_triples, choose_value_sets
from .search_limits import AXIS_LIMITS, LEVEL_LIMITS, MAIN_SHARE, MAX_FUNCTIONS, MIN_AXIS, PAIR_RESOLUTIONS
from .select import Judge
from .strengths import Strengths

Found = tuple[Judge, Judgement, Solved]
# Strengths that a candidate of another order chooses anew.
_EVERY = ("interaction", "roughness", "ridge")


class CandidateOptions(Protocol):
    """What a search reads of a fitter, whatever its moments are."""

    @property
    def columns(self) -> tuple[LearntColumn, ...]: ...

    @property
    def order(self) -> int: ...

    @property
    def interactions(self) -> Any: ...

    @property
    def progress(self) -> Callable[[float, str], None] | None: ...


class CandidateSearch(ABC):
    """Judges candidates from simple to rich and keeps each only if it lowers the held-out risk.

    Subclasses say what their moments are sums over, which functions there are, and what one candidate costs.

    Parameters
    ----------
    fitter : CandidateOptions
    budget : int
        Unknowns that a candidate may have.
    n_varying : int
        Columns that share the unknowns.
    """

    # Resolutions of pairs that are tried, coarse to fine.
    resolutions: tuple[int, ...] = PAIR_RESOLUTIONS
    # Whether strengths are chosen anew at every resolution; else at the first and, on from those, at the second.
    tunes_every_step = False
    # Where the strengths of nearly straight main effects are walked from; None: from weak ones, and smoothness is chosen too.
    start: Strengths | None = None
    fitter: CandidateOptions

    def __init__(self, fitter: CandidateOptions, budget: int, n_varying: int) -> None:
        self.fitter = fitter
        self.budget, self.n_varying = budget, n_varying
        self.derivative = 3
        # Columns whose derivatives are those by rank.
        self.ranked: frozenset[int] = frozenset()
        self.judgements: list[Judgement] = []
        self._axes: dict[tuple[int, int, int, int, bool], AxisFunctions] = {}
        self.best: Found
        self.main_effects: Found

    @property
    @abstractmethod
    def pair_scores(self) -> Mapping[ValueSet, float]:
        """How much each pair of columns may explain of what the main effects leave."""

    @abstractmethod
    def make_functions(self, value_sets: Sequence[ValueSet], resolution: int) -> ValueFunctions:
        """Products of axis functions, those of pairs up to a resolution."""

    @abstractmethod
    def make_judge(self, functions: ValueFunctions) -> Judge:
        """Fold moments of the functions; refuses, before allocating, what would not fit."""

    @abstractmethod
    def make_candidate(self, order: int, resolution: int) -> Candidate:
        """Every function up to an order, pairs up to a resolution."""

    def make_triples_candidate(self, resolution: int) -> Candidate:
        """Triples on top of the best candidate's pairs."""
        return self.make_candidate(3, resolution)

    @abstractmethod
    def learn_axis(self, size: int, column: int) -> AxisFunctions:
        """Axis functions of a column in terms of a size."""

    @abstractmethod
    def count_unknowns(self, functions: ValueFunctions, candidate: Candidate) -> int:
        """Unknowns of a candidate."""

    def may_try(self, functions: ValueFunctions, candidate: Candidate) -> bool:
        """Whether a candidate that nobody asked for is worth its moments."""
        return len(functions) <= MAX_FUNCTIONS and self.count_unknowns(functions, candidate) <= self.budget

    def fulfils_request(self, candidate: Candidate, before: Judgement) -> bool:
        """Whether a candidate is kept because it is the first that is what was asked for."""
        return False

    def choose_derivative(self) -> None:
        """Choose on main effects which derivative is penalised."""
        trials: dict[int, Found] = {}
        for derivative in (3, 2) if self.start is None else (2,):
            self.derivative = derivative
            trial = self.try_smoothness(may_skip=bool(trials))
            if trial is None:
                break  # lines and levels alone: neither derivative penalises anything
            trials[derivative] = trial
        # A penalty on the third derivative leaves parabolas alone: the smoother of two curves that are as good.
        self.derivative = prefer_simplest([(derivative, trials[derivative][1].fold_risks) for derivative in trials])
        self.best = self.main_effects = trials[self.derivative]

    def try_smoothness(self, *, may_skip: bool) -> Found | None:
        """Main effects judged under the present kind of smoothness; None if nothing is penalised and they may be skipped."""
        functions = self.make_functions([(column,) for column in range(len(self.fitter.columns))], 1)
        if may_skip and not functions.roughness.any():
            return None
        judge = self.make_judge(functions)
        free = ("roughness", "ridge", "roughness")
        return judge, *self.judge_candidate(judge, self.make_candidate(1, 1), self.start or Strengths(), free)

    def fit_interactions(self) -> None:
        """Pairs at rising resolution while this lowers the risk; then triples on top of them."""
        value_sets = self.choose_value_sets()
        order = max(map(len, value_sets))
        if order == 1:
            return
        is_asked = self.fitter.interactions != "auto"
        for step, resolution in enumerate(self.resolutions):
            functions = self.make_functions(value_sets, resolution)
            candidate = self.make_candidate(order, resolution)
            if (step > 0 or not is_asked) and not self.may_try(functions, candidate):
                break
            judge = self.make_judge(functions)
            attempt = self.judge_and_keep if is_asked and step == 0 else self.try_within_budget
            tried = attempt(judge, candidate, _EVERY if step == 0 or self.tunes_every_step else ())
            self.report(0.3 + 0.2 * step, f"interactions at resolution {resolution}")
            if not tried:
                break
            if step == 1 and not self.tunes_every_step:
                self.try_within_budget(judge, candidate, ("roughness", "ridge", "interaction"))
        if self.fitter.order > 2 and not isinstance(self.fitter.interactions, list):
            self._fit_triples(value_sets)

    def _fit_triples(self, pairs: list[ValueSet]) -> None:
        """Triples on top of the best model's pairs: all that are asked for, or as many as the unknowns allow."""
        candidate = self.make_triples_candidate(resolution := self.best[1].candidate.resolution.get(2, PAIR_RESOLUTIONS[0]))
        n_spare = self.budget - self.best[1].n_unknowns
        while triples := choose_triples(pairs, lambda: self.pair_scores, self.fitter.interactions, n_spare):
            functions = self.make_functions([*pairs, *triples], resolution)
            if self.fitter.interactions != "auto" or self.count_unknowns(functions, candidate) <= self.budget:
                self.try_candidate(self.make_judge(functions), candidate, ("interaction", "roughness"))
                break
            n_spare //= 2
        self.report(0.8, "triples")

    def choose_value_sets(self) -> list[ValueSet]:
        """Main effects and interactions, screened on the residual of the main-effects model where they are many."""
        functions = self.main_effects[0].moments.functions
        live = [values[0] for values in functions.value_sets]
        asked, n_columns = self.fitter.interactions, len(self.fitter.columns)
        candidate = self.make_candidate(2, PAIR_RESOLUTIONS[0])
        n_spare = min(self.budget, MAX_FUNCTIONS) - len(functions)
        while True:
            value_sets = choose_value_sets(n_columns, live, lambda: self.pair_scores, asked, n_spare)
            count = self.count_unknowns(self.make_functions(value_sets, PAIR_RESOLUTIONS[0]), candidate)
            if asked != "auto" or count <= self.budget or len(value_sets) <= n_columns + 1:
                return value_sets
            n_spare = int(0.8 * n_spare)  # pairs bring presence sets of their own: fewer of them

    def try_within_budget(self, judge: Judge, candidate: Candidate, free: Sequence[str]) -> bool:
        """:meth:`try_candidate`, unless it has more unknowns than a candidate may have."""
        is_small = self.count_unknowns(judge.moments.functions, candidate) <= self.budget
        return is_small and self.try_candidate(judge, candidate, free)

    def try_candidate(self, judge: Judge, candidate: Candidate, free: Sequence[str]) -> bool:
        """Judge a candidate; keep it if it is the best so far, or the first that is what was asked for."""
        before = self.best
        is_kept = self.judge_and_keep(judge, candidate, free) or self.fulfils_request(candidate, before[1])
        if not is_kept:
            self.best = before
        return is_kept

    def judge_and_keep(self, judge: Judge, candidate: Candidate, free: Sequence[str]) -> bool:
        """Judge a candidate and keep it; whether it lowers the risk."""
        _, best, solved = self.best
        judgement, found = self.judge_candidate(judge, candidate, best.strengths, free, solved)
        self.best = judge, judgement, found
        return judgement.lowers_risk(best)

    def judge_candidate(
        self, judge: Judge, candidate: Candidate, start: Strengths, free: Sequence[str], near: Solved | None = None
    ) -> tuple[Judgement, Solved]:
        """Judge a candidate and note that it was tried."""
        judgement, solved = judge.judge(candidate, start, free, near)
        self.judgements.append(judgement)
        return judgement, solved

    def learn_axes(self, value_sets: Sequence[ValueSet]) -> Axes:
        """Axis functions of every column of some value sets."""
        keys = sorted({(len(values), column) for values in value_sets for column in values})
        places = {key: (*key, self.derivative, self.budget, key[1] in self.ranked) for key in keys}
        for key, place in places.items():
            if place not in self._axes:
                self._axes[place] = self.learn_axis(*key)
        return {key: self._axes[place] for key, place in places.items()}

    def limit_axis(self, axis: Axis, size: int) -> int:
        """Functions that a column may have in terms of a size."""
        share = int(MAIN_SHARE * self.budget / self.n_varying)
        least = int(np.clip(MAX_FUNCTIONS // self.n_varying, 1, MIN_AXIS))
        return min(AXIS_LIMITS[size - 1], max(share, least)) if axis.roughness else LEVEL_LIMITS[size - 1]

    def report(self, share: float, what: str) -> None:
        """Say how much is done, and what is."""
        if self.fitter.progress is not None:
            self.fitter.progress(share, what)
