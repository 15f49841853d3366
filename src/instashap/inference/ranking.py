"""Greedy forward ranking of terms by the exact drop of the masked risk.

The gain of a term (all its unknowns, or those under one presence set) given the terms ranked before it is a Schur complement of
the normal equations: a Sobol-like index that remains valid under correlation. It is computed from moments alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.blas import dsyrk

from .._errors import TooLargeError
from .._threads import limit_threads
from ..game.terms import PresenceSet, ValueSet, close_downwards
from ..masked.design import ValueFunctions
from ..masked.folds import assign_folds
from ..masked.moments import CentredMoments, accumulate_moments
from ..masked.problem import MaskedProblem, Penalty
from ..masked.restrict import choose_unknowns, restrict
from ..masked.search_limits import N_FOLDS
from ..masked.solve import MAX_DENSE

if TYPE_CHECKING:
    from ..masked.fitter import FitRecord

# Added to the diagonal, relative to it: collinear columns then share an effect, as in the fit.
_JITTER = 1e-11
# Largest number of entries in a stack of small matrices: 32 MB.
_STACK_NUMBERS = 2**22

_Moments = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Ranking:
    """Terms from the largest to the smallest gain, and what the model of the first k terms explains, for every k.

    Shares are means over outputs that vary.

    Attributes
    ----------
    order : ndarray of shape (n_ranked,), int64
        Positions of the terms among the model's value sets.
    presence : tuple of tuple of int
        Presence set of each ranked part; empty where terms are ranked whole.
    gains : ndarray of shape (n_ranked,), float64
        Drop of the penalised masked risk, the criterion of the fit, as a share of the masked risk of the base value alone.
    variance_shares : ndarray of shape (n_ranked,), float64
        Rise of R² at the full coalition on the fitted rows.
    masked_risks : ndarray of shape (n_ranked,), float64
        Cross-validated masked risk with this and all earlier terms, as a share of that of the base value alone; NaN where
        nothing could be held out.
    r2 : ndarray of shape (n_ranked,), float64
        Cross-validated R² at the full coalition with this and all earlier terms; NaN where nothing could be held out.
    """

    order: NDArray[np.int64]
    presence: tuple[PresenceSet, ...]
    gains: NDArray[np.float64]
    variance_shares: NDArray[np.float64]
    masked_risks: NDArray[np.float64]
    r2: NDArray[np.float64]


def rank_terms(record: "FitRecord", n_terms: int | None = None, presence: bool = False) -> Ranking:
    """Rank the terms of a fit at its penalty strengths.

    A term comes after all terms on subsets of its columns. A term and those of its subsets that are not ranked yet enter
    together as a bundle, ranked by gain per term, so that a product of two columns without main effects is found.

    With ``presence`` the part of a term under each presence set is ranked separately, after the part that counts once the
    term's own players are present.

    If the fit has more than 6 500 unknowns, the finest parts under larger presence sets are left out. So are a linear base and
    linear predictions of columns: terms are ranked as those of a model without, which have to explain what these do.

    Parameters
    ----------
    record : FitRecord
    n_terms : int, optional
        Stop after this many terms (and the bundle that is being added).
    presence : bool
        Rank the parts under each presence set separately.

    Raises
    ------
    TooLargeError
        If more than 6 500 unknowns remain even then; nothing has been allocated.
    """
    whole_problem, functions, total = _leave_out_indices(record)
    problem = restrict(whole_problem, choose_unknowns(whole_problem, functions, MAX_DENSE))
    if len(problem) > MAX_DENSE:
        raise TooLargeError(
            f"ranking factorises the normal equations, which have at least {len(problem)} unknowns here; its limit is "
            f"{MAX_DENSE}: fit with fewer interactions (interactions=50)"
        )
    if not len(problem):
        return Ranking(np.empty(0, dtype=np.int64), (), *np.empty((4, 0)))
    penalty = record.result.chosen.strengths.penalise(functions)
    variance = total.output_scatter / total.weight
    is_live = variance > 0
    scale = np.divide(1.0, variance, out=np.zeros_like(variance), where=is_live) / max(int(is_live.sum()), 1)
    with limit_threads(len(problem)):
        whole = total.around(total)
        target = problem.weigh_target(whole[1]) * np.sqrt(scale)
        terms = (_find_parts if presence else _find_terms)(problem, functions)
        order = _order_terms(_Elimination(_assemble(problem, whole[0], penalty), target, terms), n_terms)
        path = _Path(problem, penalty, [terms[term].every for term in order])
        gains, _, full = path.follow(whole[:2], whole, scale)
        held_out = np.zeros((2, len(order)))
        for share, train, test in _split(record, functions, total):
            held_out += share * np.stack(path.follow(train, test, scale)[1:])
    if not held_out.any():
        held_out[:] = np.nan  # a single fold
    ranked = [terms[each] for each in order]
    return Ranking(
        np.array([each.number for each in ranked], dtype=np.int64),
        tuple(problem.presence_sets[problem.presence[each.every[0]]] for each in ranked) if presence else (),
        gains,
        -np.diff(full, prepend=float(is_live.any())),
        held_out[0],
        1.0 - held_out[1],
    )


class _Term(NamedTuple):
    """A term, or the part of one under a presence set.

    Attributes
    ----------
    number : int
        Position of its value set.
    own, every : ndarray, int64
        Positions of its unknowns: those that count while it is in a bundle with others, and all of them (consecutive).
    needs : list of int
        Positions of the terms that must come before it, and its own position.
    depth : tuple of int
        Sort key within a bundle: number of columns, and whether the presence set is a larger one.
    """

    number: int
    own: NDArray[np.int64]
    every: NDArray[np.int64]
    needs: list[int]
    depth: tuple[int, int]


def _find_terms(problem: MaskedProblem, functions: ValueFunctions) -> list[_Term]:
    """Whole terms; within a bundle only their unknowns under their own players count."""
    value_sets = functions.value_sets
    position = {values: term for term, values in enumerate(value_sets)}
    needs = [[position[part] for part in close_downwards([values]) if part in position] for values in value_sets]
    return [
        _Term(number, each[~problem.is_extra[each]], each, needs[number], (len(value_sets[number]), 0))
        for number, each in enumerate(_find_places(problem, functions))
    ]


def _find_parts(problem: MaskedProblem, functions: ValueFunctions) -> list[_Term]:
    """Parts of terms, one per presence set, for each term the part under its own players first."""
    found: list[_Term] = []
    own: dict[ValueSet, int] = {}
    for number, (values, places) in enumerate(zip(functions.value_sets, _find_places(problem, functions), strict=True)):
        for part in np.split(places, np.flatnonzero(np.diff(problem.presence[places])) + 1):
            is_extra = bool(problem.is_extra[part[0]])
            if not is_extra:
                own[values] = len(found)
            found.append(_Term(number, part, part, [], (len(values), int(is_extra))))
    for place, term in enumerate(found):
        before = [own[each] for each in close_downwards([functions.value_sets[term.number]]) if each in own]
        term.needs.extend([*before, place] if term.depth[1] else before)
    return found


def _find_places(problem: MaskedProblem, functions: ValueFunctions) -> list[NDArray[np.int64]]:
    """Positions of each value set's unknowns."""
    starts = np.searchsorted(functions.owners[problem.functions], np.arange(len(functions.value_sets) + 1))
    return [np.arange(*span) for span in pairwise(starts)]


def _assemble(problem: MaskedProblem, gram: NDArray[np.float64], penalty: Penalty) -> NDArray[np.float64]:
    matrix = problem.assemble(gram, penalty)
    matrix.flat[:: len(matrix) + 1] *= 1.0 + _JITTER
    return matrix.T  # symmetric; in Fortran order BLAS works in place


def _leave_out_indices(record: "FitRecord") -> tuple[MaskedProblem, ValueFunctions, CentredMoments]:
    """Problem, functions and moments of a fit without the functions of linear predictions, which are the last."""
    solved, total = record.result.solved, record.result.total
    if solved.functions.indices is None:
        return solved.problem, solved.functions, total
    is_kept = solved.functions.sizes > 0
    kept = np.flatnonzero(is_kept)
    problem = restrict(solved.problem, np.flatnonzero(is_kept[solved.problem.functions]))
    return replace(problem, n_functions=len(kept)), solved.functions.select(is_kept), total.select(kept)


def _split(
    record: "FitRecord", functions: ValueFunctions, total: CentredMoments
) -> Iterator[tuple[float, tuple[NDArray[np.float64], NDArray[np.float64]], _Moments]]:
    """Yield the weight share, training moments and held-out moments of each fold of the fit."""
    folds = assign_folds(record.encoded, record.outputs, record.weights, N_FOLDS)
    for rows, weights in folds if len(folds) > 1 else []:
        encoded = record.encoded.take(rows)
        fold = accumulate_moments(functions.evaluate, encoded, record.outputs[rows], weights, len(functions))
        train = total - fold
        test = fold.around(train)
        yield fold.weight / total.weight, (train.scatter / train.weight, train.cross / train.weight), test


class _Elimination:
    """Normal equations of the terms not yet ranked, given those that are: a block Cholesky factorisation in any order.

    Parameters
    ----------
    matrix : ndarray of shape (n_unknowns, n_unknowns), float64, Fortran order
        Overwritten; its lower triangle is updated after each elimination.
    target : ndarray of shape (n_unknowns, n_outputs), float64
    terms : list of _Term
    """

    def __init__(self, matrix: NDArray[np.float64], target: NDArray[np.float64], terms: list[_Term]) -> None:
        self.matrix, self.target, self.terms = matrix, target.copy(), terms

    def compute_gains(self, bundles: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Drop of the risk when all terms of a bundle are added, for each bundle; shape (n_bundles,).

        In a bundle of several terms only the unknowns under their own players count, which bounds the size of the systems.
        Bundles of equal size are solved together.
        """
        places = [self._find(bundle) for bundle in bundles]
        sizes = np.array([len(each) for each in places])
        gains = np.zeros(len(bundles))
        for size in np.unique(sizes):
            alike = np.flatnonzero(sizes == size)
            for part in np.array_split(alike, -(-len(alike) * size**2 // _STACK_NUMBERS)):
                where = np.stack([places[bundle] for bundle in part])
                factors = np.linalg.cholesky(self.matrix[where[:, :, None], where[:, None, :]])  # reads lower triangles
                gains[part] = (np.linalg.solve(factors, self.target[where]) ** 2).sum(axis=(1, 2))
        return gains

    def _find(self, bundle: Sequence[int]) -> NDArray[np.int64]:
        if len(bundle) == 1:
            return self.terms[bundle[0]].every
        return np.sort(np.concatenate([self.terms[term].own for term in bundle]))

    def eliminate(self, term: int) -> None:
        """Add a term to the model: condition the equations of all others on it."""
        start, stop = self.terms[term].every[[0, -1]] + [0, 1]
        rows = np.hstack([self.matrix[start:stop, :stop], self.matrix[stop:, start:stop].T])
        factor = cholesky(rows[:, start:stop], lower=True, check_finite=False)
        spread = solve_triangular(factor, rows, lower=True, check_finite=False)
        self.target -= spread.T @ solve_triangular(factor, self.target[start:stop], lower=True, check_finite=False)
        dsyrk(-1.0, spread, beta=1.0, c=self.matrix, trans=1, lower=1, overwrite_c=1)
        # The remaining equations of the term itself are rounding errors; zeros keep them out of later steps.
        self.matrix[start:stop, :stop] = 0.0
        self.matrix[stop:, start:stop] = 0.0


def _order_terms(elimination: _Elimination, n_terms: int | None) -> NDArray[np.int64]:
    """Order of the terms by repeatedly adding the bundle of largest gain per term, its smaller terms first."""
    terms = elimination.terms
    order: list[int] = []
    is_in = np.zeros(len(terms), dtype=bool)
    n_terms = len(terms) if n_terms is None else min(n_terms, len(terms))
    while len(order) < n_terms:
        bundles = [[part for part in terms[term].needs if not is_in[part]] for term in np.flatnonzero(~is_in)]
        best = bundles[int(np.argmax(elimination.compute_gains(bundles) / [len(bundle) for bundle in bundles]))]
        own = dict(zip(best, elimination.compute_gains([[term] for term in best]), strict=True))
        for term in sorted(best, key=lambda term: (terms[term].depth, -own[term])):
            elimination.eliminate(term)
            order.append(term)
            is_in[term] = True
    return np.array(order, dtype=np.int64)


class _Path:
    """Models of the first one, two, … ranked terms, solved and judged together.

    With the unknowns in the order of the ranking, each model's factor is a leading block of a single Cholesky factor.

    Parameters
    ----------
    problem : MaskedProblem
    penalty : Penalty
    places : list of ndarray
        Positions of each ranked term's unknowns.
    """

    def __init__(self, problem: MaskedProblem, penalty: Penalty, places: list[NDArray[np.int64]]) -> None:
        ranked = np.concatenate([*places, np.empty(0, dtype=np.int64)])
        self.problem = restrict(problem, ranked)
        self.penalty = penalty
        self.stops = np.cumsum([len(each) for each in places], dtype=np.int64)

    def follow(
        self, train: tuple[NDArray[np.float64], NDArray[np.float64]], test: _Moments, scale: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Gains on the training moments, and masked and full-coalition risks on the test moments; each (n_ranked,), shares.

        Parameters
        ----------
        train : tuple of ndarray
            ``G`` and ``r``.
        test : tuple of ndarray
            ``G``, ``r`` and ``E (f - φ_∅)²`` about the training means.
        scale : ndarray of shape (n_outputs,), float64
            Factor that turns an output's risk into its contribution to the mean share over outputs.
        """
        factor = cholesky(_assemble(self.problem, train[0], self.penalty), lower=True, overwrite_a=True, check_finite=False)
        forward = solve_triangular(factor, self.problem.weigh_target(train[1]), lower=True, check_finite=False)
        explained = np.cumsum(forward**2 @ scale)[self.stops - 1] / self.problem.total_mass
        is_in = np.arange(len(forward))[:, None] < self.stops  # (n_unknowns, n_ranked)
        steps = [np.where(is_in, forward[:, [output]], 0.0) for output in range(len(scale))]
        solutions = [solve_triangular(factor, step, lower=True, trans=1, check_finite=False) for step in steps]
        del factor
        return np.diff(explained, prepend=0.0), *self._judge(solutions, test, scale)

    def _judge(
        self, solutions: list[NDArray[np.float64]], test: _Moments, scale: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Risks as in :func:`instashap.masked.solve.compute_masked_risk`, by dense products for all solutions together."""
        gram, cross, variance = test
        matrix = self.problem.assemble(gram, Penalty(np.zeros(self.problem.n_functions)))
        masked, full = np.zeros(len(self.stops)), np.zeros(len(self.stops))
        for output, solution in enumerate(solutions):
            linear = cross[:, [output]]
            drop = (solution * (2 * self.problem.weigh_target(linear) - matrix @ solution)).sum(axis=0)
            masked += scale[output] * (variance[output] - drop / self.problem.total_mass)
            merged = self.problem.merge(solution)
            full += scale[output] * (variance[output] - (merged * (2 * linear - gram @ merged)).sum(axis=0))
        return masked, full
