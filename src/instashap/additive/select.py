"""Smoothness, resolution, order and presence order chosen by exact held-out masked risk, from fold moments alone."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from .._status import Status, merge_worst
from ..game.terms import ANY, PresenceSet
from .choose import lowers_risk, walk
from .design import ValueFunctions
from .moments import Moments, merge_all
from .solve import (
    MAX_DENSE,
    MaskedProblem,
    Penalty,
    Solution,
    compute_masked_risk,
    conjugate_gradients,
    make_block_preconditioner,
    make_problem,
    solve_problem,
    transfer,
)

# Grids, by factors of ten: smoothing from almost none to almost a parabola.
ROUGHNESS_GRID = tuple(10.0**power for power in range(-11, 2))
# A ridge of 1e-5 shrinks nothing anyone could see, and keeps ten digits in the answer.
RIDGE_GRID = tuple(10.0**power for power in range(-5, 2))
INTERACTION_GRID = (1.0, 3.0, 10.0, 30.0, 100.0)
PRESENCE_GRID = (0.0, 1.0, 10.0)
# From weak to strong: the stronger the penalty, the simpler the model.
_GRIDS = {
    "roughness": ROUGHNESS_GRID,
    "ridge": RIDGE_GRID,
    "interaction": INTERACTION_GRID,
    "presence": PRESENCE_GRID,
}
# Fold solutions start from the full-data one; stopped early they would still know their held-out rows, and too little
# smoothing would win.
_FOLD_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Strengths:
    """Penalty strengths.

    Attributes
    ----------
    roughness : float
        On squared derivatives.
    ridge : float
        On prior precision (about pseudo-rows per row for rare categories).
    interaction : float
        Factor on both for every column of a term beyond the first.
    presence : float
        Factor of what is added for parts under presence sets larger than the function's own players.
    """

    roughness: float = 1e-5
    ridge: float = 1e-5
    interaction: float = 1.0
    presence: float = 0.0

    def penalise(self, functions: ValueFunctions) -> Penalty:
        """The penalty these strengths mean for some functions."""
        own = self.roughness * functions.roughness + self.ridge * functions.ridge
        return Penalty(own * self.interaction ** (functions.sizes - 1.0), self.presence)


@dataclass(frozen=True)
class FoldMoments:
    """Moments of disjoint folds of the rows, and of all.

    Attributes
    ----------
    functions : ValueFunctions
    folds : tuple of Moments
    total : Moments
    n_judged : int or None
        Models are judged by so many of the folds, the first; None means all. Functions learnt from rows are judged by others.
    """

    functions: ValueFunctions
    folds: tuple[Moments, ...]
    total: Moments
    n_judged: int | None = None

    @classmethod
    def from_folds(
        cls, functions: ValueFunctions, folds: Sequence[Moments], n_judged: int | None = None
    ) -> "FoldMoments":
        return cls(functions, tuple(folds), merge_all(folds), n_judged)

    @cached_property
    def whole(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centred ``G`` and ``r`` of all rows."""
        gram, cross, _ = self.total.around(self.total)
        return gram, cross

    @cached_property
    def splits(self) -> "list[_Split]":
        """Training and held-out moments of each fold that judges; none if there is a single fold."""
        if len(self.folds) < 2:
            return []
        splits = []
        for fold in self.folds[: self.n_judged]:
            train = self.total - fold
            held_out = fold.around(train)
            gram = np.divide(train.scatter, train.weight, out=train.scatter)  # in place: these matrices are large
            splits.append(_Split(fold.weight / self.total.weight, (gram, train.cross / train.weight), held_out))
        return splits

    def select(self, is_kept: NDArray[np.bool_]) -> "FoldMoments":
        """Of some of the functions."""
        if is_kept.all():
            return self
        chosen = np.flatnonzero(is_kept)
        folds = tuple(fold.select(chosen) for fold in self.folds)
        return FoldMoments(self.functions.select(is_kept), folds, self.total.select(chosen), self.n_judged)


@dataclass(frozen=True)
class Candidate:
    """A model to be judged: which functions, under which presence sets.

    Attributes
    ----------
    order : int
        The most columns a shape function reads.
    presence_order : int
        The most players a presence set holds.
    resolution : mapping of int to int
        Largest rank kept of the terms of each size.
    extra_ranks : tuple of int
        For terms of one, two, three columns: ranks that are repeated under larger presence sets.
    written_order : int or None
        The most players a presence set holds that is written out; larger ones are tied, and so are some of those up to it
        that are not on offer by themselves. None: no set is tied.
    """

    order: int
    presence_order: int
    resolution: Mapping[int, int]
    extra_ranks: tuple[int, ...]
    written_order: int | None = None

    def offers(self, presence: PresenceSet) -> bool:
        """Whether a presence set may be used."""
        if ANY in presence:
            return self.written_order is not None and len(presence) <= self.presence_order
        return len(presence) <= (self.presence_order if self.written_order is None else self.written_order)

    def keeps(self, functions: ValueFunctions) -> NDArray[np.bool_]:
        """Which functions belong to the candidate."""
        sizes = functions.sizes
        limit = np.array([0] + [self.resolution.get(size, 10**9) for size in (1, 2, 3)])
        return (sizes <= self.order) & (functions.ranks <= limit[sizes])


@dataclass(frozen=True)
class Solved:
    """A candidate's unknowns and their values: on all rows, and on the rows outside each fold that judges.

    Solutions of large problems are good enough to judge by; the one kept is :meth:`Judge.polish`-ed.
    """

    problem: MaskedProblem
    functions: ValueFunctions
    solution: Solution
    fold_coefficients: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class Judgement:
    """A candidate with its best strengths and its held-out risks.

    ``risk`` and ``full_risk`` are summed over outputs, each relative to the output's variance; ``full_risk`` is at the full
    coalition (one minus the cross-validated R²). ``fold_risks`` are what the folds add to ``risk``, and ``status`` is that of
    the solves it was judged by.
    """

    candidate: Candidate
    strengths: Strengths
    risk: float
    full_risk: float
    n_unknowns: int
    fold_risks: NDArray[np.float64] = field(default_factory=lambda: np.full(1, np.inf), repr=False, compare=False)
    status: Status = field(default_factory=lambda: Status(True, 0, 0.0), repr=False)

    def lowers_risk(self, simpler: "Judgement") -> bool:
        """Whether this candidate's risk is below a simpler one's by more than the tolerance of :mod:`.choose`."""
        return lowers_risk(self.fold_risks, simpler.fold_risks)


def make_candidate_problem(
    candidate: Candidate,
    functions: ValueFunctions,
    presence_sets: Mapping[int, Sequence[PresenceSet]],
    players: Sequence[int],
    size_law: NDArray[np.float64],
) -> MaskedProblem:
    """Unknowns of a candidate, given the presence sets on offer by size.

    Tied sets say nothing that all sets of their size have not said.
    """
    offered: list[PresenceSet] = []
    for size, sets in presence_sets.items():
        own = [each for each in sets if candidate.offers(each)]
        written = [each for each in own if ANY not in each]
        offered += written if len(written) == comb(len(size_law) - 1, size) else own
    return make_problem(functions, offered, candidate.extra_ranks, players, size_law)


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
        moments = self.moments.select(candidate.keeps(self.moments.functions))
        problem = self.make_problem(candidate, moments.functions)
        splits = moments.splits
        starts = _embed(near, problem, moments.functions) if near is not None and _is_large(problem) else None
        seen: dict[Strengths, _Trial] = {}

        def evaluate(strengths: Strengths) -> float:
            if strengths not in seen:
                seen[strengths] = _cross_validate(problem, moments, splits, strengths, starts)
            return seen[strengths].risk

        with _limit_threads(len(problem)):
            best = _descend(evaluate, start, free)
        trial = seen[best]
        solved = Solved(problem, moments.functions, trial.solution, tuple(trial.fold_coefficients))
        return Judgement(candidate, best, trial.risk, trial.full_risk, len(problem), trial.fold_risks, trial.status), solved

    def polish(self, judgement: Judgement, solved: Solved) -> tuple[Solution, Moments]:
        """The solution to full accuracy, and the moments of all rows it belongs to."""
        moments = self.moments.select(judgement.candidate.keeps(self.moments.functions))
        solution = solved.solution
        if _is_large(solved.problem):
            penalty = judgement.strengths.penalise(solved.functions)
            solution = solve_problem(solved.problem, *moments.whole, penalty, start=solution.coefficients)
        return solution, moments.total


# Unknowns below which a solve takes less than the threads' waiting for each other on a busy machine.
_SINGLE_THREAD = 1000


@cache
def _find_blas() -> ThreadpoolController:
    return ThreadpoolController()


def _limit_threads(n_unknowns: int) -> AbstractContextManager[Any]:
    """One BLAS thread for small problems."""
    return _find_blas().limit(limits=1, user_api="blas") if n_unknowns < _SINGLE_THREAD else nullcontext()


@dataclass(frozen=True)
class _Split:
    """One fold's second moments: of the training rows, and of the held-out rows about the training means."""

    share: float
    train: tuple[NDArray[np.float64], NDArray[np.float64]]
    held_out: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class _Trial:
    """Held-out risks under some strengths, and the solutions on all rows and outside each fold."""

    fold_risks: NDArray[np.float64]  # what each fold adds to the risk
    full_risk: float
    solution: Solution
    fold_coefficients: list[NDArray[np.float64]]
    status: Status

    @property
    def risk(self) -> float:
        return float(self.fold_risks.sum())


# With fewer rows an unknown the folds differ too much from the whole for its factor to precondition them well.
_ROWS_PER_UNKNOWN = 4
# … but a factorisation a fold gets too slow above so many unknowns,
_MAX_APART = 1500
# … and above so many conjugate gradients from a poorer model's solutions beat any factorisation,
_MAX_JUDGED_DENSE = 3000
# … if the product with (presence sets × functions) entries is so many times cheaper than one with the matrix.
_PRODUCT_SAVING = 10
# By then the risk stands to its fourth digit in the worst cases seen (fewer rows than unknowns, correlated columns).
_FOLD_STEPS = 60
# Risks of large problems stand to their fourth digit from this residual on (latent classes, bike sharing; 10 to 20 000
# unknowns).
_LARGE_TOLERANCE = 1e-3
_LARGE_STEPS = 80


def _cross_validate(
    problem: MaskedProblem,
    moments: FoldMoments,
    splits: Sequence[_Split],
    strengths: Strengths,
    starts: list[NDArray[np.float64]] | None,
) -> _Trial:
    """Masked and full-coalition risk over the folds.

    With a single fold (all rows alike) there is nothing to judge by: risks are infinite and the first candidate stays.
    """
    penalty = strengths.penalise(moments.functions)
    if _is_large(problem):
        whole, solutions, status = _solve_large(problem, moments, splits, penalty, starts)
    else:
        whole = solve_problem(problem, *moments.whole, penalty)
        is_near = len(problem) > _MAX_APART or len(problem) * _ROWS_PER_UNKNOWN < moments.total.weight
        solutions, status = (
            _solve_folds_together(problem, splits, penalty, whole)
            if is_near
            else _solve_folds_apart(problem, splits, penalty)
        )
    variances = moments.total.output_scatter / moments.total.weight
    share = sum(split.share for split in splits) if moments.n_judged else 1.0
    fold_risks = np.zeros((2, len(splits) or 1))
    for fold, (split, coefficients) in enumerate(zip(splits, solutions, strict=True)):
        risks = split.share / share * np.stack(compute_masked_risk(problem, coefficients, *split.held_out))
        fold_risks[:, fold] = np.divide(risks, variances, out=np.zeros_like(risks), where=variances > 0).sum(axis=1)
    if not splits:
        fold_risks[:] = np.inf
    kept = replace(whole, precondition=_forget)
    return _Trial(fold_risks[0], float(fold_risks[1].sum()), kept, solutions, status)


def _is_large(problem: MaskedProblem) -> bool:
    """Whether a problem is judged by conjugate gradients, its matrix never formed."""
    n_entries = len(problem.presence_sets) * problem.n_functions
    is_saving = _PRODUCT_SAVING * n_entries < len(problem) ** 2
    return len(problem) > MAX_DENSE or (len(problem) > _MAX_JUDGED_DENSE and is_saving)


def _embed(near: Solved, problem: MaskedProblem, functions: ValueFunctions) -> list[NDArray[np.float64]]:
    """Another model's solutions, of all rows and of each fold, as starts: a fold's start has not seen its held-out rows."""
    known = [near.solution.coefficients, *near.fold_coefficients]
    together = transfer(np.hstack(known), (near.problem, near.functions), (problem, functions))
    return np.split(together, len(known), axis=1)


def _solve_large(
    problem: MaskedProblem,
    moments: FoldMoments,
    splits: Sequence[_Split],
    penalty: Penalty,
    starts: list[NDArray[np.float64]] | None,
) -> tuple[Solution, list[NDArray[np.float64]], Status]:
    """All rows and every fold by conjugate gradients, the matrix never formed; good enough to judge by."""
    everything = [moments.whole, *(split.train for split in splits)]
    precondition = make_block_preconditioner(problem, moments.whole[0], penalty)
    n_outputs = len(moments.total.output_means)
    if starts is None:
        starts = [np.zeros((len(problem), n_outputs))] * len(everything)
    solved, statuses = [], []
    for (gram, cross), start in zip(everything, starts, strict=True):

        def multiply(coefficients: NDArray[np.float64], gram: NDArray[np.float64] = gram) -> NDArray[np.float64]:
            return problem.multiply(gram, penalty, coefficients)

        target = problem.weigh_target(cross)
        found, status = conjugate_gradients(
            multiply, precondition, target, tolerance=_LARGE_TOLERANCE, start=start, max_steps=_LARGE_STEPS
        )
        solved.append(found)
        statuses.append(status)
    whole = Solution(solved[0], statuses[0].residual, precondition, statuses[0])
    return whole, solved[1:], merge_worst(statuses)


def _solve_folds_together(
    problem: MaskedProblem, splits: Sequence[_Split], penalty: Penalty, whole: Solution
) -> tuple[list[NDArray[np.float64]], Status]:
    """Every fold by conjugate gradients in step, the factor of all rows as their preconditioner."""
    if not splits:
        return [], whole.status
    n_outputs = whole.coefficients.shape[1]
    parts = [slice(fold * n_outputs, (fold + 1) * n_outputs) for fold in range(len(splits))]

    def multiply(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        pairs = zip(splits, parts, strict=True)
        return np.hstack([problem.multiply(split.train[0], penalty, coefficients[:, part]) for split, part in pairs])

    target = np.hstack([problem.weigh_target(split.train[1]) for split in splits])
    start = np.tile(whole.coefficients, len(splits))
    solved, status = conjugate_gradients(
        multiply, whole.precondition, target, tolerance=_FOLD_TOLERANCE, start=start, max_steps=_FOLD_STEPS
    )
    return [solved[:, part] for part in parts], status


def _solve_folds_apart(
    problem: MaskedProblem, splits: Sequence[_Split], penalty: Penalty
) -> tuple[list[NDArray[np.float64]], Status]:
    """Every fold by its own factorisation."""
    solved = [solve_problem(problem, *split.train, penalty) for split in splits]
    return [each.coefficients for each in solved], merge_worst(each.status for each in solved)


def _forget(target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stands for a released factorisation."""
    raise RuntimeError("the factorisation of a judged candidate was released")


def _descend(evaluate: Callable[[Strengths], float], start: Strengths, free: Sequence[str]) -> Strengths:
    """One coordinate after the other, walking on its grid; ``free`` names the order and any repeats."""
    best = start
    for name in free:
        grid = _GRIDS[name]
        logs, wanted = np.log(np.maximum(grid, 1e-300)), np.log(max(getattr(best, name), 1e-300))
        best = _walk(evaluate, best, name, int(np.argmin(np.abs(logs - wanted))))
    evaluate(best)
    return best


def _walk(evaluate: Callable[[Strengths], float], start: Strengths, name: str, nearest: int) -> Strengths:
    trials = [replace(start, **{name: value}) for value in _GRIDS[name]]
    return trials[walk(lambda point: evaluate(trials[point]), nearest, len(trials))]
