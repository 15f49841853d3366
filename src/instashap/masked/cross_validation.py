"""Held-out masked risk of one candidate under some strengths, from fold moments alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from .._status import Status, merge_worst
from .._threads import map_threads
from ..linear.conjugate_gradients import conjugate_gradients
from .candidate import Solved
from .coupling import Coupling
from .few_rows import RowSystems
from .fold_moments import FoldMoments, Split
from .linear_base import LinearBase
from .problem import MaskedProblem, Penalty
from .solve import MAX_DENSE, Solution, compute_masked_risk, make_block_preconditioner, solve_problem, transfer, weigh_target
from .strengths import Strengths

# Fold solutions start from the full-data one; stopped early they would still know their held-out rows, and too little
# smoothing would win.
_FOLD_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Trial:
    """Held-out risks under some strengths, and the solutions on all rows and outside each fold.

    That of all rows is not needed to judge by: it may be made when it is first asked for.
    """

    fold_risks: NDArray[np.float64]  # what each fold adds to the risk
    full_risk: float
    solve: Callable[[], Solution]
    fold_coefficients: list[NDArray[np.float64]]
    status: Status

    @cached_property
    def solution(self) -> Solution:
        return replace(self.solve(), precondition=_forget)

    @property
    def risk(self) -> float:
        return float(self.fold_risks.sum())


# With fewer rows an unknown the folds differ too much from the whole for its factor to precondition them well.
_ROWS_PER_UNKNOWN = 4
# Unknowns above which a factorisation for each fold is too slow.
_MAX_APART = 1500
# Unknowns above which conjugate gradients from a poorer model's solutions are faster than any factorisation.
_MAX_JUDGED_DENSE = 3000
# A product with (presence sets × functions) entries must then be this many times cheaper than one with the matrix.
_PRODUCT_SAVING = 10
# Residual of normal equations that count as solved.
SOLVED = 1e-6
# Folds by which the strengths of large problems are chosen; the chosen ones are then judged by all.
WALKED_FOLDS = 2
# By then the risk stands to its fourth digit in the worst cases seen (fewer rows than unknowns, correlated columns).
_FOLD_STEPS = 60
# Risks of large problems stand to their fourth digit from this residual on (latent classes, bike sharing; 10 to 20 000
# unknowns).
_LARGE_TOLERANCE = 1e-3
_LARGE_STEPS = 80


def cross_validate_folds(
    problem: MaskedProblem,
    moments: FoldMoments,
    base: LinearBase | None,
    splits: Sequence[Split],
    strengths: Strengths,
    large: "Systems | None",
    *,
    is_walk: bool = False,
) -> Trial:
    """Masked and full-coalition risk over some folds, the first; on the way to other strengths large problems have no solution.

    With a single fold (all rows alike) there is nothing to judge by: risks are infinite and the first candidate stays.
    """
    penalty = strengths.penalise(moments.functions)
    if large is not None:
        whole, solutions, status = large.solve(penalty, len(splits), is_walk=is_walk)
        solve = partial(_return, whole)
    elif not splits or len(problem) > _MAX_APART or len(problem) * _ROWS_PER_UNKNOWN < moments.n_known:
        whole = solve_problem(problem, *moments.whole, penalty, base=base)
        solutions, status = _solve_folds_together(problem, splits, penalty, whole)
        solve = partial(_return, replace(whole, precondition=_forget))  # a factor takes memory
    else:
        solutions, status = _solve_folds_apart(problem, splits, penalty)
        solve = partial(solve_problem, problem, *moments.whole, penalty, base=base)
    found = zip(splits, solutions, strict=True)
    risks = [np.stack(compute_masked_risk(problem, coefficients, *split.held_out, split.base)) for split, coefficients in found]
    return Trial(*_weigh_risks(moments, splits, risks), solve, solutions, status)


def judge_by_rows(systems: RowSystems, moments: FoldMoments, splits: Sequence[Split], strengths: Strengths) -> Trial:
    """The same of main effects with more functions than rows."""
    whole, solutions, risks, residual = systems.cross_validate(strengths.penalise(moments.functions))
    status = Status(residual <= SOLVED, 0, residual)
    solve = partial(_return, Solution(whole, residual, _forget, status))
    return Trial(*_weigh_risks(moments, splits, risks), solve, solutions, status)


def _return(solution: Solution) -> Solution:
    return solution


def _weigh_risks(
    moments: FoldMoments, splits: Sequence[Split], risks: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], float]:
    """What each fold adds to the masked risk, relative to the outputs' variances, and the risk at the full coalition."""
    if not splits:
        return np.full(1, np.inf), np.inf
    shares = np.array([split.share for split in splits])
    weighted = np.stack(risks, axis=1) * (shares / shares.sum())[:, None]  # (2, n_folds, n_outputs)
    variances = moments.total.output_scatter / moments.total.weight
    relative = np.divide(weighted, variances, out=np.zeros_like(weighted), where=variances > 0).sum(axis=2)
    return relative[0], float(relative[1].sum())


def is_large(problem: MaskedProblem) -> bool:
    """Whether a problem is judged by conjugate gradients, its matrix never formed."""
    n_entries = len(problem.presence_sets) * problem.n_functions
    is_saving = _PRODUCT_SAVING * n_entries < len(problem) ** 2
    return len(problem) > MAX_DENSE or (len(problem) > _MAX_JUDGED_DENSE and is_saving)


class Systems:
    """Normal equations of all rows and outside each fold, of a candidate whose matrix is never formed.

    Conjugate gradients go side by side, good enough to judge by. They start where the last ones ended, the first from a
    poorer model's solutions: a fold's start has not seen its held-out rows.
    """

    def __init__(
        self,
        problem: MaskedProblem,
        moments: FoldMoments,
        base: LinearBase | None,
        splits: Sequence[Split],
        near: Solved | None,
    ) -> None:
        self.problem, self.moments, self.base, self.splits = problem, moments, base, splits
        self._prepared: dict[int, tuple[Coupling, NDArray[np.float64]]] = {}
        nothing = np.zeros((len(problem), len(moments.total.output_means)))
        self._starts = [nothing] * (len(splits) + 1)
        if near is not None:
            known = [near.solution.coefficients, *near.fold_coefficients]
            own = problem, moments.functions
            together = transfer(np.hstack(known), (near.problem, near.functions), own)
            self._starts[: len(known)] = np.split(together, len(known), axis=1)

    def solve(
        self, penalty: Penalty, n_folds: int, *, is_walk: bool
    ) -> tuple[Solution, list[NDArray[np.float64]], Status]:
        """Solutions of all rows and of so many folds; while strengths are walked on a few folds, of those alone."""
        precondition = make_block_preconditioner(self.problem, self.moments.whole[0], penalty)
        numbers = list(range(int(is_walk), n_folds + 1))

        def work(number: int) -> tuple[NDArray[np.float64], Status]:
            coupling, target = self._prepared.get(number) or self._prepare(number)
            if is_walk:
                self._prepared[number] = coupling, target
            start = self._starts[number]
            return conjugate_gradients(
                *(coupling.under(penalty), precondition, target),
                tolerance=_LARGE_TOLERANCE,
                start=start,
                max_steps=_LARGE_STEPS,
            )

        found = dict(zip(numbers, map_threads(work, numbers), strict=True))
        for number, (coefficients, _) in found.items():
            self._starts[number] = coefficients
        folds = [found[fold][0] for fold in range(1, n_folds + 1)]
        status = merge_worst(each for _, each in found.values())
        return Solution(self._starts[0], status.residual, precondition, status), folds, status

    def _prepare(self, number: int) -> tuple[Coupling, NDArray[np.float64]]:
        """Matrix and right-hand side: of all rows, then outside each fold."""
        gram, cross = self.splits[number - 1].train if number else self.moments.whole
        base = self.splits[number - 1].base if number else self.base
        return Coupling.from_gram(self.problem, gram), weigh_target(self.problem, gram, cross, base)


def _solve_folds_together(
    problem: MaskedProblem, splits: Sequence[Split], penalty: Penalty, whole: Solution
) -> tuple[list[NDArray[np.float64]], Status]:
    """Every fold by conjugate gradients, the factor of all rows as their preconditioner."""
    if not splits:
        return [], whole.status

    def work(split: Split) -> tuple[NDArray[np.float64], Status]:
        gram, cross = split.train
        product = Coupling.from_gram(problem, gram).under(penalty)
        return conjugate_gradients(
            *(product, whole.precondition, weigh_target(problem, gram, cross, split.base)),
            tolerance=_FOLD_TOLERANCE,
            start=whole.coefficients,
            max_steps=_FOLD_STEPS,
        )

    solved, statuses = zip(*map_threads(work, splits, len(problem)), strict=True)
    return list(solved), merge_worst(statuses)


def _solve_folds_apart(
    problem: MaskedProblem, splits: Sequence[Split], penalty: Penalty
) -> tuple[list[NDArray[np.float64]], Status]:
    """Every fold by its own factorisation."""
    solved = [solve_problem(problem, *split.train, penalty, base=split.base) for split in splits]
    return [each.coefficients for each in solved], merge_worst(each.status for each in solved)


def _forget(target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stands for a released factorisation."""
    raise RuntimeError("the factorisation of a judged candidate was released")
