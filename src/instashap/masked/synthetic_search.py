"""The search for a model with synthetic rows: terms and presence sets are chosen coarse, and only then pairs are refined.

Synthetic rows are many, so what is chosen by them needs few folds; the model's answers have no noise, so fine detail of pairs
can be read off what the coarse model leaves over, and is fitted once.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .candidate import Candidate, Judgement, Solved
from .design import ValueFunctions, gather_functions, make_value_functions
from .drawn_search import DrawnSearch
from .screen import choose_products
from .search_limits import MAX_SYNTHETIC_UNKNOWNS, PAIR_RESOLUTIONS, TRIPLE_RESOLUTION, UNKNOWNS_PER_ROW
from .select import Judge
from .strengths import SYNTHETIC_GRID
from .synthetic import SyntheticRows, coarsen, find_pooled_share

# Folds by which candidates of few rows are compared while synthetic rows judge with the others.
_N_JUDGED = 2
# Rows from which a search takes longer anyway: every fold judges, and pairs have a second resolution before they are refined.
_MANY_ROWS = 1000
# Functions that refine pairs, in all: for few rows, and for each row beyond that.
_MIN_REFINED, _MAX_REFINED = 800, 2400
# Rows among the synthetic ones whose moments choose their share, once for each fold.
_N_WEIGHED = 4096
# Part of the risk that a lower share must save a coarse model: finer ones have more use for synthetic rows.
_MIN_SHARE_GAIN = 0.003


class SyntheticSearch(DrawnSearch):
    """A search with synthetic rows."""

    drawn: SyntheticRows

    def __init__(self, drawn: SyntheticRows, *arguments: Any) -> None:
        # While the search goes on, a synthetic row counts as much as another: best where the distribution is right.
        super().__init__(drawn, 0.0, *arguments)
        n_rows = float(self.weights.sum())  # a row of weight 2 is two rows
        self.share = find_pooled_share(len(drawn.outputs), n_rows)
        is_quick = n_rows < _MANY_ROWS
        self.resolutions = PAIR_RESOLUTIONS[: 1 if is_quick else 2]
        self.n_compared = min(_N_JUDGED, len(self.folds)) if is_quick else None
        more = int(UNKNOWNS_PER_ROW * len(drawn.outputs))
        self.budget = max(self.budget, min(self.budget + more, MAX_SYNTHETIC_UNKNOWNS))

    def choose_share(self) -> None:
        """Choose the share by the rows alone and a coarse model; if there is one, refine the pairs of the best candidate."""
        judge, best, _ = self.best
        candidate = coarsen(judge, best.candidate)
        moments = judge.moments.select(candidate.keeps(judge.moments.functions))
        drawn = self.drawn.describe_folds(moments.functions, self.drawn.weigh_folds(self), n_most=_N_WEIGHED)
        moments = replace(moments, drawn=drawn, n_judged=None)
        self.share = self._move_share(Judge(moments, judge.presence_sets, judge.players, judge.size_law), candidate, best)
        if self.share:
            self._refine_pairs()

    def _move_share(self, judge: Judge, candidate: Candidate, best: Judgement) -> float:
        """The share under which synthetic rows count as others do, a higher one if that is better, or one that is much better.

        It is chosen by a coarse model, and finer ones have more use for synthetic rows: a lower share must save a part of the
        risk.
        """
        trials = [replace(best.strengths, synthetic=share) for share in SYNTHETIC_GRID]
        place = SYNTHETIC_GRID.index(self.share)
        chosen, _ = judge.judge(candidate, trials[place], ())
        for trial in reversed(trials[:place]):
            higher, _ = judge.judge(candidate, trial, ())
            if higher.risk >= chosen.risk:
                break
            chosen = higher
        for trial in trials[place + 1 :] if chosen.strengths == trials[place] else ():
            lower, _ = judge.judge(candidate, trial, ())
            if lower.risk > chosen.risk:
                break
            if lower.lowers_risk(chosen) and lower.risk < (1 - _MIN_SHARE_GAIN) * chosen.risk:
                chosen = lower
        return chosen.strengths.synthetic

    def _refine_pairs(self) -> None:
        """Finer functions of pairs, those that go with what the best candidate leaves over; kept if they lower the risk."""
        judge, best, solved = self.best
        own = best.candidate
        exact, _ = judge.polish(best, solved)  # what a solution is short of must not decide which functions are added
        functions = judge.moments.functions.select(own.keeps(judge.moments.functions))
        finer = self._choose_functions(functions, replace(solved, solution=exact))
        if finer is not None:
            resolution, order = {2: PAIR_RESOLUTIONS[-1], 3: TRIPLE_RESOLUTION}, max(own.order, 2)
            candidate = replace(own, order=order, presence_order=max(own.presence_order, 2), resolution=resolution)
            self.best = judge, *self.judge_candidate(judge, own, best.strengths, (), solved)  # at the share that was chosen
            self.try_candidate(self.make_judge(finer), candidate, ("roughness", "interaction"))

    def _choose_functions(self, functions: ValueFunctions, solved: Solved) -> ValueFunctions | None:
        """Functions of a model, and finer products for its pairs, or those on offer if it has none; None if nothing is new."""
        value_sets = functions.value_sets
        if self.fitter.order > 1 and max(map(len, value_sets), default=0) == 1:
            value_sets += tuple(values for values in self.choose_value_sets() if len(values) == 2)
        pairs = [values for values in value_sets if len(values) == 2]
        if not pairs:
            return None
        known = dict(zip(functions.value_sets, functions.choices, strict=True))
        known |= {pair: np.empty((0, 2), dtype=np.int64) for pair in pairs if pair not in known}
        offered = make_value_functions(pairs, self.learn_axes(pairs), {2: PAIR_RESOLUTIONS[-1]})
        n_most = int(np.clip(self.weights.sum(), _MIN_REFINED, _MAX_REFINED))
        rows = self.drawn.pick(functions, 1)
        finer = choose_products(offered, known, self.drawn.take(rows), self._measure_residual(functions, solved, rows), n_most)
        choices = [finer.get(values, known[values]) for values in value_sets]
        return gather_functions(value_sets, {**functions.axes, **offered.axes}, choices) if finer else None

    def _measure_residual(self, functions: ValueFunctions, solved: Solved, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """What a model leaves over of the outputs of synthetic rows, but for a constant, in their standard deviations."""
        outputs = self.drawn.outputs[rows]
        merged = solved.problem.merge(solved.solution.coefficients)
        residual = outputs - functions.evaluate(self.drawn.take(rows)).T @ merged
        spread = outputs.std(axis=0)
        return np.asarray(residual / np.where(spread > 0, spread, 1.0))

    def raise_share(self) -> None:
        """A higher share for the best candidate, which rows alone have judged, while it lowers their risk.

        The share was chosen by a coarse model, and finer ones have more use for synthetic rows.
        """
        judge, best, solved = self.best
        place = SYNTHETIC_GRID.index(self.share)
        for share in reversed(SYNTHETIC_GRID[:place]):
            self.share = share
            higher, found = self.judge_candidate(judge, best.candidate, best.strengths, (), solved)
            if higher.risk >= best.risk:
                break
            best, solved = higher, found
        self.share = best.strengths.synthetic
        self.best = judge, best, solved
