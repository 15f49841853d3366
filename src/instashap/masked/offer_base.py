"""A linear base beside the best model of a search: offered last, and kept only if it clearly lowers the held-out risk."""

from dataclasses import replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from .candidate import Judgement, Solved
from .choose import walk
from .fold_moments import FoldMoments
from .linear_base import BaseSetting, LinearBase, choose_scores, find_players, is_affordable, make_coalitions
from .problem import MaskedProblem
from .search import Search
from .select import Judge

# Second moments ``G`` and ``r``; of held-out rows with the outputs' variances.
Known = tuple[NDArray[np.float64], NDArray[np.float64]]
HeldOut = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

# Shares of the covariances between scores that are dropped, from the richest base to the simplest.
SHRINKAGES = (0.001, 0.01, 0.03, 0.1, 0.3)
# Largest ranks of a column's functions that are scores: straight lines, parabolas besides.
RANKS = (1, 2)
# Folds by which the strengths of a base are chosen; models with it are then judged by all.
_N_CHOOSING = 2
# A linear part must lower the held-out risk by this share: models with one are harder to read, and gains of a quarter of a
# percent (bike sharing, trees under a copula) left Shapley values and predictions as they were.
_MIN_GAIN = 5e-3
# Below this share of the outputs' variance there is nothing to gain.
_WORTHWHILE = 1e-3


def offer_base(search: Search) -> None:
    """Judge models with a linear base, from simple to rich; the best of them replaces that without, if its risk is lower.

    Main effects come first: where a base serves them no better than presence sets of two, nothing else is tried. Where
    coalitions are those of sampled orders, the model without a base is judged by the same ones.
    """
    without = search.best
    judge, chosen, _ = without
    if not 0 < chosen.full_risk < inf or search.n_players < 2:
        return
    setting = _choose_setting(search)
    if setting is None:
        return
    poorest = replace(chosen.candidate, presence_order=1, written_order=None)
    trials = [_judge(search, search.main_effects[0], search.main_effects[1], setting, is_free=True)]
    if not _is_worth_it(trials[0][1], search.simplest[1]):
        return  # larger presence sets serve main effects better: the rest of the time is saved
    own = [poorest, chosen.candidate] if chosen.candidate.order > 1 else [chosen.candidate]
    for candidate in own if chosen.candidate != search.main_effects[1].candidate else []:
        trials.append(_judge(search, judge, replace(chosen, candidate=candidate), setting))
    best = trials[0]
    for trial in trials[1:]:
        best = trial if trial[1].lowers_risk(best[1]) else best
    reference = chosen
    if best[2].problem.coalitions is not None:  # a base of weight 0 is none, judged by the coalitions of the others
        reference = judge.judge(replace(chosen.candidate, base=replace(setting, weight=0.0)), chosen.strengths, ())[0]
    if _is_worth_it(best[1], reference):
        search.best = best
    search.report(0.98, "linear base")


def _is_worth_it(richer: Judgement, simpler: Judgement) -> bool:
    return richer.lowers_risk(simpler) and richer.risk < (1 - _MIN_GAIN) * simpler.risk


def _judge(
    search: Search, judge: Judge, near: Judgement, setting: BaseSetting, *, is_free: bool = False
) -> tuple[Judge, Judgement, Solved]:
    candidate = replace(near.candidate, base=setting)
    found = judge.judge(candidate, near.strengths, ("ridge", "roughness") if is_free else ())
    search.judgements.append(found[0])
    return judge, *found


def _choose_setting(search: Search) -> BaseSetting | None:
    """Scores and shrinkage by the held-out masked risk of the base alone; None if it does not explain anything."""
    judge, chosen, _ = search.main_effects
    moments = judge.moments.select(chosen.candidate.keeps(judge.moments.functions))
    problem = judge.make_problem(chosen.candidate, moments.functions)
    best, risk, place = None, -_WORTHWHILE, 1
    for rank in RANKS:
        scores = choose_scores(moments.functions, rank)
        if len(scores) < 2 or not is_affordable(search.n_players, len(scores), moments.total.cross.shape[1]):
            continue
        judged = _BaseRisks(moments, problem, scores, rank)
        place = walk(judged.measure, place, len(SHRINKAGES))
        if judged.measure(place) < risk - _WORTHWHILE * abs(risk):
            best, risk = judged.make_setting(place), judged.measure(place)
    return best


class _BaseRisks:
    """Held-out masked risk of a base alone, less that of the base value, by its shrinkage."""

    def __init__(self, moments: FoldMoments, problem: MaskedProblem, scores: NDArray[np.int64], rank: int) -> None:
        self.scores, self.rank = scores, rank
        self.players = find_players(problem, scores)
        self.listed = make_coalitions(problem.size_law, moments.whole[1][scores], self.players)
        self.variances = moments.total.output_scatter / moments.total.weight
        self.splits = [(split.train, split.held_out) for split in moments.splits[:_N_CHOOSING]]
        self._known: dict[int, float] = {}

    def make_setting(self, place: int) -> BaseSetting:
        return BaseSetting(self.rank, SHRINKAGES[place])

    def measure(self, place: int) -> float:
        """The risk at one of the shrinkages, as a share of the outputs' variances."""
        if place not in self._known:
            drops = [self._lower_risk(place, *split) for split in self.splits]
            shares = np.divide(np.mean(drops, axis=0), self.variances, out=np.zeros_like(drops[0]), where=self.variances > 0)
            self._known[place] = -float(shares.sum())
        return self._known[place]

    def _lower_risk(self, place: int, train: Known, held_out: HeldOut) -> NDArray[np.float64]:
        base = LinearBase.from_moments(self.make_setting(place), self.scores, self.players, train, self.listed)
        return base.lower_risk(held_out[0], held_out[1])[0]
