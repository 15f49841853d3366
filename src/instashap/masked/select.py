"""Smoothness, resolution, order and presence order chosen by exact held-out masked risk, from fold moments alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import comb

import numpy as np
from numpy.typing import NDArray

from .._status import Status, merge_worst
from .._threads import limit_threads, map_threads
from ..game.terms import ANY, PresenceSet
from ..linear.conjugate_gradients import conjugate_gradients
from .choose import lowers_risk, walk
from .coupling import Coupling
from .design import ValueFunctions
from .drawn import DrawnMoments, blend_moments
from .few_rows import FoldRows, MainEffects, cross_validate
from .linear_base import BaseSetting, LinearBase, choose_scores, find_players, make_coalitions
from .moments import Moments, merge_all
from .solve import (
    MAX_DENSE,
    MaskedProblem,
    Penalty,
    Solution,
    compute_masked_risk,
    make_block_preconditioner,
    make_problem,
    solve_problem,
    transfer,
    weigh_target,
)

# Grids, by factors of ten: smoothing from almost none to almost a parabola.
ROUGHNESS_GRID = tuple(10.0**power for power in range(-11, 2))
# A ridge of 1e-5 shrinks nothing anyone could see, and keeps ten digits in the answer.
RIDGE_GRID = tuple(10.0**power for power in range(-5, 2))
INTERACTION_GRID = (1.0, 3.0, 10.0, 30.0, 100.0)
PRESENCE_GRID = (0.0, 1.0, 10.0)
# Shares of synthetic rows, if there are any: none is the simplest.
SYNTHETIC_GRID = (0.97, 0.9, 0.75, 0.5, 0.25, 0.1, 0.0)
# From weak to strong: the stronger the penalty, the simpler the model.
_GRIDS = {
    "roughness": ROUGHNESS_GRID,
    "ridge": RIDGE_GRID,
    "interaction": INTERACTION_GRID,
    "presence": PRESENCE_GRID,
    "synthetic": SYNTHETIC_GRID,
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
    synthetic : float
        Share of the moments that come from synthetic rows (:mod:`.synthetic`).
    """

    roughness: float = 1e-5
    ridge: float = 1e-5
    interaction: float = 1.0
    presence: float = 0.0
    synthetic: float = 0.0

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
    rows : FoldRows or None
        The functions' values, where rows are few.
    drawn : DrawnMoments or None
        Of synthetic rows.
    synthetic : float
        Share of these in the moments that are fitted. They are taken about their own means: those of the rows stay the centre
        of the model.
    """

    functions: ValueFunctions
    folds: tuple[Moments, ...]
    total: Moments
    n_judged: int | None = None
    rows: FoldRows | None = None
    drawn: DrawnMoments | None = None
    synthetic: float = 0.0

    @classmethod
    def from_folds(
        cls,
        functions: ValueFunctions,
        folds: Sequence[Moments],
        n_judged: int | None = None,
        rows: FoldRows | None = None,
    ) -> "FoldMoments":
        return cls(functions, tuple(folds), merge_all(folds), n_judged, rows)

    @cached_property
    def whole(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centred ``G`` and ``r`` of all rows."""
        return blend_moments(self.total, None if self.drawn is None else self.drawn.total, self.synthetic)

    @cached_property
    def splits(self) -> "list[_Split]":
        """Training and held-out moments of each fold that judges; none if there is a single fold."""
        if len(self.folds) < 2:
            return []
        drawn = self.drawn if self.synthetic else None
        folds = enumerate(self.folds[: self.n_judged])
        return [_Split(fold, self.total, None, drawn, number, self.synthetic) for number, fold in folds]

    @property
    def n_known(self) -> float:
        """Rows that the moments come from, synthetic ones among them."""
        return self.total.weight + (self.drawn.total.weight if self.drawn and self.synthetic else 0.0)

    def blend(self, share: float) -> "FoldMoments":
        """The same with another share of synthetic rows, if there are any."""
        return replace(self, synthetic=share) if self.drawn and share != self.synthetic else self

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
    base : BaseSetting or None
        Strengths of a linear base that the functions are fitted beside.
    """

    order: int
    presence_order: int
    resolution: Mapping[int, int]
    extra_ranks: tuple[int, ...]
    written_order: int | None = None
    base: BaseSetting | None = None

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
    base: LinearBase | None = None
    fold_bases: tuple[LinearBase, ...] = ()


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
        moments = self.moments.select(candidate.keeps(self.moments.functions)).blend(start.synthetic)
        problem = self.make_problem(candidate, moments.functions)
        return judge_problem(problem, moments, candidate, start, free, near)

    def polish(self, judgement: Judgement, solved: Solved) -> tuple[Solution, Moments]:
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
    effects = None if moments.rows is None or base is not None else MainEffects.from_problem(problem)
    large = _Systems(problem, moments, base, splits, near) if effects is None and _is_large(problem) else None
    walked = splits if large is None else splits[:_WALKED_FOLDS]
    if large is not None or base is not None or moments.drawn is None:
        free = [name for name in free if name != "synthetic"]
    seen: dict[Strengths, _Trial] = {}
    blends = {start.synthetic: moments}

    def evaluate(strengths: Strengths) -> float:
        if strengths not in seen:
            own = blends.setdefault(strengths.synthetic, moments.blend(strengths.synthetic))
            seen[strengths] = (
                _cross_validate(problem, own, base, walked if own is moments else own.splits, strengths, large)
                if effects is None
                else _judge_by_rows(effects, moments, splits, strengths)
            )
        return seen[strengths].risk

    with limit_threads(len(problem)):
        best = _descend(evaluate, start, free) if free or large is None else start
        trial = seen[best] if large is None else _cross_validate(problem, moments, base, splits, best, large)
    fold_bases = tuple(split.base for split in splits if split.base is not None)
    solved = Solved(problem, moments.functions, trial.solution, tuple(trial.fold_coefficients), base, fold_bases)
    return Judgement(candidate, best, trial.risk, trial.full_risk, len(problem), trial.fold_risks, trial.status), solved


def polish(moments: FoldMoments, judgement: Judgement, solved: Solved) -> Solution:
    """The solution of all rows to full accuracy."""
    solution = solved.solution
    if _is_large(solved.problem) and solution.status.n_steps:  # an exact answer took no steps
        penalty = judgement.strengths.penalise(solved.functions)
        product = Coupling.from_gram(solved.problem, moments.whole[0]).under(penalty)
        solution = solve_problem(
            solved.problem, *moments.whole, penalty, base=solved.base, start=solution.coefficients, product=product
        )
    return solution


def _make_bases(
    problem: MaskedProblem, moments: FoldMoments, setting: BaseSetting | None
) -> "tuple[MaskedProblem, LinearBase | None, list[_Split]]":
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


# Functions up to which the second moments of the rows outside each fold are kept between trials: 5 matrices of 32 MB.
_MAX_KEPT = 2000


@dataclass(frozen=True)
class _Split:
    """One fold and the rest of the rows; second moments are made when asked for, those of small problems once."""

    fold: Moments
    total: Moments
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
        outside = None if self.drawn is None else self.drawn.get_outside(self.number)
        return blend_moments(self.total - self.fold, outside, self.synthetic)

    @property
    def held_out(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Moments of the fold about the means of the other rows, with a share of synthetic rows if they are held out too."""
        means, output_means = (
            (self.total.weight * whole - self.fold.weight * own) / (self.total.weight - self.fold.weight)
            for whole, own in ((self.total.means, self.fold.means), (self.total.output_means, self.fold.output_means))
        )
        found = self.fold.around(replace(self.total, means=means, output_means=output_means))
        if self.drawn is None or not self.drawn.is_judge:
            return found
        drawn = self.drawn.folds[self.number].around(self.drawn.get_outside(self.number))
        gram, cross, variance = (
            (1.0 - self.synthetic) * own + self.synthetic * other for own, other in zip(found, drawn, strict=True)
        )
        return gram, cross, variance


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
# Residual of normal equations that count as solved.
SOLVED = 1e-6
# Folds by which the strengths of large problems are chosen; the chosen ones are then judged by all.
_WALKED_FOLDS = 2
# By then the risk stands to its fourth digit in the worst cases seen (fewer rows than unknowns, correlated columns).
_FOLD_STEPS = 60
# Risks of large problems stand to their fourth digit from this residual on (latent classes, bike sharing; 10 to 20 000
# unknowns).
_LARGE_TOLERANCE = 1e-3
_LARGE_STEPS = 80


def _cross_validate(
    problem: MaskedProblem,
    moments: FoldMoments,
    base: LinearBase | None,
    splits: Sequence[_Split],
    strengths: Strengths,
    large: "_Systems | None",
) -> _Trial:
    """Masked and full-coalition risk over some folds, the first.

    With a single fold (all rows alike) there is nothing to judge by: risks are infinite and the first candidate stays.
    """
    penalty = strengths.penalise(moments.functions)
    if large is not None:
        whole, solutions, status = large.solve(penalty, len(splits))
    else:
        whole = solve_problem(problem, *moments.whole, penalty, base=base)
        is_near = len(problem) > _MAX_APART or len(problem) * _ROWS_PER_UNKNOWN < moments.n_known
        solutions, status = (
            _solve_folds_together(problem, splits, penalty, whole)
            if is_near
            else _solve_folds_apart(problem, splits, penalty)
        )
    found = zip(splits, solutions, strict=True)
    risks = [np.stack(compute_masked_risk(problem, coefficients, *split.held_out, split.base)) for split, coefficients in found]
    return _Trial(*_weigh_risks(moments, splits, risks), replace(whole, precondition=_forget), solutions, status)


def _judge_by_rows(
    effects: MainEffects, moments: FoldMoments, splits: Sequence[_Split], strengths: Strengths
) -> _Trial:
    """The same of main effects with more functions than rows."""
    assert moments.rows is not None
    penalty = strengths.penalise(moments.functions)
    whole, solutions, risks = cross_validate(effects, moments.rows, len(splits), penalty)
    gradient = effects.measure_gradient(moments.rows.gather(), penalty, whole)
    status = Status(gradient <= SOLVED, 0, gradient)
    return _Trial(*_weigh_risks(moments, splits, risks), Solution(whole, gradient, _forget, status), solutions, status)


def _weigh_risks(
    moments: FoldMoments, splits: Sequence[_Split], risks: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], float]:
    """What each fold adds to the masked risk, relative to the outputs' variances, and the risk at the full coalition."""
    if not splits:
        return np.full(1, np.inf), np.inf
    shares = np.array([split.share for split in splits])
    weighted = np.stack(risks, axis=1) * (shares / shares.sum())[:, None]  # (2, n_folds, n_outputs)
    variances = moments.total.output_scatter / moments.total.weight
    relative = np.divide(weighted, variances, out=np.zeros_like(weighted), where=variances > 0).sum(axis=2)
    return relative[0], float(relative[1].sum())


def _is_large(problem: MaskedProblem) -> bool:
    """Whether a problem is judged by conjugate gradients, its matrix never formed."""
    n_entries = len(problem.presence_sets) * problem.n_functions
    is_saving = _PRODUCT_SAVING * n_entries < len(problem) ** 2
    return len(problem) > MAX_DENSE or (len(problem) > _MAX_JUDGED_DENSE and is_saving)


class _Systems:
    """Normal equations of all rows and outside each fold, of a candidate whose matrix is never formed.

    Conjugate gradients go side by side, good enough to judge by. They start where the last ones ended, the first from a
    poorer model's solutions: a fold's start has not seen its held-out rows.
    """

    def __init__(
        self,
        problem: MaskedProblem,
        moments: FoldMoments,
        base: LinearBase | None,
        splits: Sequence[_Split],
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

    def solve(self, penalty: Penalty, n_folds: int) -> tuple[Solution, list[NDArray[np.float64]], Status]:
        """Solutions of all rows and of so many folds; while strengths are walked on a few folds, of those alone."""
        precondition = make_block_preconditioner(self.problem, self.moments.whole[0], penalty)
        numbers = list(range(0 if n_folds == len(self.splits) else 1, n_folds + 1))
        keeps = n_folds < len(self.splits)

        def work(number: int) -> tuple[NDArray[np.float64], Status]:
            coupling, target = self._prepared.get(number) or self._prepare(number)
            if keeps:
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
    problem: MaskedProblem, splits: Sequence[_Split], penalty: Penalty, whole: Solution
) -> tuple[list[NDArray[np.float64]], Status]:
    """Every fold by conjugate gradients, the factor of all rows as their preconditioner."""
    if not splits:
        return [], whole.status

    def work(split: _Split) -> tuple[NDArray[np.float64], Status]:
        gram, cross = split.train
        product = Coupling.from_gram(problem, gram).under(penalty)
        return conjugate_gradients(
            *(product, whole.precondition, weigh_target(problem, gram, cross, split.base)),
            tolerance=_FOLD_TOLERANCE,
            start=whole.coefficients,
            max_steps=_FOLD_STEPS,
        )

    solved, statuses = zip(*map_threads(work, splits), strict=True)
    return list(solved), merge_worst(statuses)


def _solve_folds_apart(
    problem: MaskedProblem, splits: Sequence[_Split], penalty: Penalty
) -> tuple[list[NDArray[np.float64]], Status]:
    """Every fold by its own factorisation."""
    solved = [solve_problem(problem, *split.train, penalty, base=split.base) for split in splits]
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
