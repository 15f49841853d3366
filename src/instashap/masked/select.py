"""Smoothness, resolution, order and presence order chosen by exact held-out masked risk, from fold moments alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._threads import limit_threads
from ..game.terms import PresenceSet
from .candidate import Candidate, Judgement, Solved, make_candidate_problem
from .choose import MIN_LARGE_STEP_GAIN, MIN_STEP_GAIN
from .coupling import Coupling
from .cross_validation import WALKED_FOLDS, Systems, Trial, cross_validate_folds, is_large, judge_by_rows
from .design import ValueFunctions
from .few_rows import FoldRows, MainEffects, RowSystems
from .fold_moments import FoldMoments, Split
from .linear_base import BaseSetting, LinearBase, choose_scores, find_players, make_coalitions
from .moments import CentredMoments
from .problem import MaskedProblem
from .solve import MAX_DENSE, Solution, solve_problem
from .strengths import Strengths, descend


class Judge:
    """Cross-validated masked risk of candidates over one set of fold moments.

    Parameters
    ----------
    moments : FoldMoments
    presence_sets : mapping of int to sequence of presence sets
        Presence sets on offer, by size.
    players : sequence of int
        Player of each column.
    size_law : ndarray of shape (n_players + 1,), float64
    """

    def __init__(
        self,
        moments: FoldMoments,
        presence_sets: Mapping[int, Sequence[PresenceSet]],
        players: Sequence[int],
        size_law: NDArray[np.float64],
    ) -> None:
        self.moments = moments
        self.presence_sets = presence_sets
        self.players = players
        self.size_law = size_law

    def make_problem(self, candidate: Candidate, functions: ValueFunctions) -> MaskedProblem:
        """Unknowns of a candidate."""
        return make_candidate_problem(candidate, functions, self.presence_sets, self.players, self.size_law)

    def judge(
        self, candidate: Candidate, start: Strengths, free: Sequence[str], near: Solved | None = None
    ) -> tuple[Judgement, Solved]:
        """Best strengths of a candidate along the ``free`` coordinates, the risks there, and what was solved.

        Large problems are solved step by step from ``near``, a poorer model whose folds are these.
        """
        moments = self.moments.select(candidate.keeps(self.moments.functions)).blend(start.synthetic)
        problem = self.make_problem(candidate, moments.functions)
        return judge_problem(problem, moments, candidate, start, free, near)

    def polish(self, judgement: Judgement, solved: Solved) -> tuple[Solution, CentredMoments]:
        """The solution to full accuracy, and the moments of all rows it belongs to."""
        kept = judgement.candidate.keeps(self.moments.functions)
        moments = self.moments.select(kept).blend(judgement.strengths.synthetic)
        return polish(moments, judgement, solved), moments.total


def judge_problem(
    problem: MaskedProblem,
    moments: FoldMoments,
    candidate: Candidate,
    start: Strengths,
    free: Sequence[str],
    near: Solved | None = None,
) -> tuple[Judgement, Solved]:
    """See :meth:`Judge.judge`; of a candidate whose unknowns and fold moments are there."""
    problem, base, splits = _make_bases(problem, moments, candidate.base)
    by_rows = None if moments.rows is None or base is not None else _make_row_systems(problem, moments.rows, len(splits))
    large = Systems(problem, moments, base, splits, near) if by_rows is None and is_large(problem) else None
    walked = splits if large is None else splits[:WALKED_FOLDS]
    if large is not None or base is not None or moments.drawn is None:
        free = [name for name in free if name != "synthetic"]
    seen: dict[tuple[Any, ...], Trial] = {}
    blends = {start.synthetic: moments}

    def find(strengths: Strengths) -> Trial:
        penalty = strengths.penalise(moments.functions)
        key = penalty.functions.tobytes(), penalty.extra, strengths.synthetic  # straight lines have no roughness, for example
        if key not in seen:
            own = blends.setdefault(strengths.synthetic, moments.blend(strengths.synthetic))
            judges = walked if own is moments else own.splits
            seen[key] = (
                cross_validate_folds(problem, own, base, judges, strengths, large, is_walk=True)
                if by_rows is None
                else judge_by_rows(by_rows, moments, splits, strengths)
            )
        return seen[key]

    with limit_threads(len(problem)):
        gain = MIN_STEP_GAIN if large is None else MIN_LARGE_STEP_GAIN
        best = descend(lambda strengths: find(strengths).risk, start, free, gain) if free or large is None else start
        trial = find(best) if large is None else cross_validate_folds(problem, moments, base, splits, best, large)
    fold_bases = tuple(split.base for split in splits if split.base is not None)
    solved = Solved(problem, moments.functions, trial.solution, tuple(trial.fold_coefficients), base, fold_bases)
    return Judgement(candidate, best, trial.risk, trial.full_risk, len(problem), trial.fold_risks, trial.status), solved


def polish(moments: FoldMoments, judgement: Judgement, solved: Solved) -> Solution:
    """The solution of all rows to full accuracy."""
    solution = solved.solution
    if is_large(solved.problem) and solution.status.n_steps:  # an exact answer took no steps
        penalty = judgement.strengths.penalise(solved.functions)
        product = Coupling.from_gram(solved.problem, moments.whole[0]).under(penalty)
        known = solved.problem, *moments.whole, penalty
        options: dict[str, Any] = {"base": solved.base, "start": solution.coefficients, "product": product}
        solution = solve_problem(*known, **options, max_dense=0)
        if not solution.status.has_converged and len(solved.problem) <= MAX_DENSE:
            solution = solve_problem(*known, **options)
    return solution


def _make_row_systems(problem: MaskedProblem, rows: FoldRows, n_folds: int) -> RowSystems | None:
    effects = MainEffects.from_problem(problem)
    return None if effects is None else RowSystems(effects, rows, n_folds)


def _make_bases(
    problem: MaskedProblem, moments: FoldMoments, setting: BaseSetting | None
) -> "tuple[MaskedProblem, LinearBase | None, list[Split]]":
    """The problem beside a linear base, the base of all rows, and the splits with that of the rows outside each fold."""
    if setting is None:
        return problem, None, moments.splits
    scores = choose_scores(moments.functions, setting.rank)
    players = find_players(problem, scores)
    listed = make_coalitions(problem.size_law, moments.whole[1][scores], players)

    def make(known: tuple[NDArray[np.float64], NDArray[np.float64]]) -> LinearBase:
        return LinearBase.from_moments(setting, scores, players, known, listed, problem.presence_sets)

    problem = replace(problem, coalitions=listed) if len(listed.orders) else problem
    return problem, make(moments.whole), [replace(split, base=make(split.train)) for split in moments.splits]
