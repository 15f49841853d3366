"""The fit of a game whose target depends on the coalition: marginal, baseline, or the user's own.

Where ``F(x; S)`` is not a conditional mean of the output, regressing on the output would fit the conditional game instead. The
normal equations are therefore accumulated over sampled ``(x, S, F(x; S))`` (method: value functions whose target depends on S):
the design is ``1[players(U) ⊆ S] B_u(x)``; folds, penalties and the choice among candidates are those of the conditional fit.
(The exact mask expectation on the left-hand side beside a sampled right-hand side was tried too, iterated on the residual: at
equal numbers of model calls the relative error was .39 instead of .33 on boosted trees, and 1e-1 instead of 1e-4 on a function
of the model class, where sampled equations on both sides have no noise.)

Components of these games do not have mean zero: under correlation a component of several players has a mean. So the base value
is ``F(x; ∅)``, moments are taken about zero, and constants are fitted (:mod:`instashap.asked.anchored`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import TooLargeError
from ..game.coalitions import compute_containment_masses
from ..game.terms import PresenceSet, ValueSet, players_of
from ..masked.candidate import Candidate, Judgement, Solved
from ..masked.candidate_search import CandidateSearch
from ..masked.design import ValueFunctions
from ..masked.fallback import Rival, choose_rival
from ..masked.fitter import FitResult
from ..masked.fold_moments import FoldMoments
from ..masked.folds import assign_folds, hold_rows_out
from ..masked.penalties import AxisFunctions
from ..masked.search_limits import N_FOLDS
from ..masked.select import Judge
from ..masked.strengths import Strengths
from ..model.additive_model import AdditiveModel
from ..table.bases import LearntColumn
from ..table.encoding import Encoded
from .anchored import compute_anchored_axis, make_anchored_functions
from .sample import CoalitionSample, accumulate_masked_moments, iterate_masked

# Largest number of unknowns (functions): their moments take some seconds, and more did not lower the error (boosted trees, 30
# columns).
MAX_UNKNOWNS = 2500
MIN_UNKNOWNS = 500
# Least number of samples per unknown.
SAMPLES_PER_UNKNOWN = 4
# Leading functions that score a pair: line, parabola, one step; as in the conditional fit.
_N_LEADING = 3
# A near-zero penalty is tried first, because the values have no noise: a model that contains the game reproduces it exactly.
_LIGHT = Strengths(1e-10, 1e-7, 1.0)
# Held-out risk below which the fit is exact and no further candidate is tried.
EXACT = 1e-9
# Ranks repeated under larger presence sets: none. Each presence set holds the players of its value set, the masks are part of
# the functions, and the solver's mask law is "all present".
_PLAIN = (0, 0, 0)


@dataclass(frozen=True)
class SampledFitter:
    """Fits the masked additive model of a game by sampled normal equations.

    Parameters
    ----------
    columns : tuple of LearntColumn
    players : tuple of int
        Player of each column.
    order : int
        Largest number of columns of a shape function, 1 to 3. A part counts once the players of its columns are present.
    interactions : "auto", "all", int, or list of column tuples
    progress : callable or None
        Called with the share that is done (0 to 1) and the current stage.
    is_null : tuple of bool
        Whether each column belongs to a null player and gets no function; empty if none does. Its constant would be a
        second one of the player that it is counted with, and take a part of that player's function.
    """

    columns: tuple[LearntColumn, ...]
    players: tuple[int, ...]
    order: int = 2
    interactions: Any = "auto"
    progress: Callable[[float, str], None] | None = None
    is_null: tuple[bool, ...] = ()

    def fit(
        self,
        encoded: Encoded,
        weights: NDArray[np.float64],
        sample: CoalitionSample,
        references: Encoded,
        base_value: NDArray[np.float64],
        size_law: NDArray[np.float64],
    ) -> FitResult:
        """Choose terms and smoothness by held-out masked risk, and solve.

        Parameters
        ----------
        encoded : Encoded
        weights : ndarray of shape (n_rows,), float64
        sample : CoalitionSample
            Sampled coalitions of the encoded rows.
        references : Encoded
            Rows that stand in for absent columns.
        base_value : ndarray of shape (n_outputs,), float64
            ``F(x; ∅)``.
        size_law : ndarray of shape (n_players + 1,), float64
        """
        search = SampledSearch(self, encoded, weights, sample, references, size_law)
        search.choose_derivative()
        search.report(0.2, "main effects")
        if self.order > 1:
            search.fit_interactions()
        return search.expand_best(base_value)


class SampledSearch(CandidateSearch):
    """The search over moments of sampled coalitions, where a part counts once the players of its columns are present."""

    tunes_every_step = True
    fitter: SampledFitter

    def __init__(
        self,
        fitter: SampledFitter,
        encoded: Encoded,
        weights: NDArray[np.float64],
        sample: CoalitionSample,
        references: Encoded,
        size_law: NDArray[np.float64],
    ) -> None:
        budget = int(np.clip(len(sample.rows) / SAMPLES_PER_UNKNOWN, MIN_UNKNOWNS, MAX_UNKNOWNS))
        super().__init__(fitter, budget, len(fitter.columns))
        self.encoded, self.weights, self.sample, self.references = encoded, weights, sample, references
        self.masses = compute_containment_masses(size_law) / size_law.sum()
        self.folds, self.is_held_out = _assign_sample_folds(encoded, weights, sample)

    @property
    def n_players(self) -> int:
        return len(self.masses) - 1

    def make_candidate(self, order: int, resolution: int) -> Candidate:
        """See :meth:`CandidateSearch.make_candidate`."""
        return Candidate(order, order, {2: resolution} if order > 1 else {}, _PLAIN)

    def count_unknowns(self, functions: ValueFunctions, candidate: Candidate) -> int:
        """One for each function."""
        return len(functions)

    def may_try(self, functions: ValueFunctions, candidate: Candidate) -> bool:
        """Whether there are more functions than before, within the limit, and the best candidate is not exact."""
        _, best, _ = self.best
        return best.risk > EXACT and best.n_unknowns < len(functions) <= self.budget

    def expand_best(self, base_value: NDArray[np.float64]) -> FitResult:
        """Return the best candidate as tables, with its cross-validated fidelity at the full coalition."""
        judge, chosen, solved, note = self._fall_back()
        solution, total = judge.polish(chosen, solved)
        functions, coefficients = solved.functions, solved.problem.merge(solution.coefficients)
        owners = range(len(functions.value_sets))
        model = AdditiveModel(
            tuple(column.encoder.bases for column in self.fitter.columns),
            functions.value_sets,
            tuple((presence,) for presence in self._find_presence(functions)),
            tuple(functions.expand(owner, coefficients[functions.owners == owner]) for owner in owners),
            tuple(np.eye(len(base_value))[:, None, :] for _ in owners),
            base_value,
            self.n_players,
        )
        self.report(1.0, "done")
        solved = replace(solved, solution=solution)
        return FitResult(model, tuple(self.judgements), chosen, solved, total, is_held_out=self.is_held_out, note=note)

    def _fall_back(self) -> tuple[Judge, Judgement, Solved, str]:
        """Best candidate at the full coalition; main effects or the base value alone where those have the lower risk."""
        judge, best, solved = self.best
        if not solved.fold_coefficients:  # nothing could be held out
            return judge, best, solved, ""
        judge = self.main_effects[0]
        nothing = judge.judge(Candidate(1, 1, {1: 0}, _PLAIN), Strengths(), ())
        models, rivals = [], []
        names = (f"chosen terms of order {self.best[1].candidate.order}", "main effects", "base value")
        for name, (own, judged, solved) in zip(names, (self.best, self.main_effects, (judge, *nothing)), strict=True):
            rated = replace(judged, full_risk=self._compute_full_risk(solved))
            models.append((own, judged, rated, solved))
            rivals.append(Rival(name, rated.risk, rated.full_risk / self.sample.gains.shape[1]))
        first = int(self.best is self.main_effects)
        place, note = choose_rival(rivals[first:])
        own, judged, rated, solved = models[first + place]
        self.judgements = [rated if each is judged else each for each in self.judgements]
        if rated not in self.judgements:
            self.judgements.append(rated)
        return own, rated, solved, note

    def _compute_full_risk(self, solved: Solved) -> float:
        """Held-out risk at the full coalition, summed over outputs, each relative to its variance."""
        is_full = np.asarray(self.sample.masks.all(axis=1))
        gains = self.sample.gains[is_full]
        mean = np.average(gains, axis=0, weights=self.sample.weights[is_full])
        missed, spread = np.zeros(len(mean)), np.zeros(len(mean))
        for rows, found in zip(self.folds, solved.fold_coefficients, strict=True):
            coefficients = solved.problem.merge(found)
            for values, block in self._iterate(solved.functions, self.sample.take(rows[is_full[rows]])):
                missed += block.weights @ (block.gains - values.T @ coefficients) ** 2
                spread += block.weights @ (block.gains - mean) ** 2
        return float(np.divide(missed, spread, out=np.zeros_like(missed), where=spread > 0).sum())

    def judge_candidate(
        self, judge: Judge, candidate: Candidate, start: Strengths, free: Sequence[str], near: Solved | None = None
    ) -> tuple[Judgement, Solved]:
        """Better of two candidates: a near-zero penalty, and, unless that is exact, strengths tuned from ``start``."""
        light = self._judge(judge, candidate, _LIGHT, ())
        if light[0].risk <= EXACT:
            return light
        chosen = self._judge(judge, candidate, start, free)
        return light if light[0].lowers_risk(chosen[0]) else chosen

    def _judge(
        self, judge: Judge, candidate: Candidate, start: Strengths, free: Sequence[str]
    ) -> tuple[Judgement, Solved]:
        judgement, solved = judge.judge(candidate, start, free)
        judgement = replace(judgement, full_risk=float("inf"))  # computed in _fall_back, for the rivals there
        self.judgements.append(judgement)
        return judgement, solved

    def make_judge(self, functions: ValueFunctions) -> Judge:
        """Judge over fold moments of the masked functions; raises ``TooLargeError`` before it allocates too much."""
        if len(functions) > 2 * MAX_UNKNOWNS:
            raise TooLargeError(
                f"the fit would have {len(functions)} functions, more than the limit of {2 * MAX_UNKNOWNS}; "
                "ask for fewer interactions (interactions=50), order=1, or pass fewer columns"
            )
        presence = self._find_presence(functions)
        folds = [
            accumulate_masked_moments(functions, presence, self.encoded, self.sample.take(rows)) for rows in self.folds
        ]
        full_only = np.zeros(self.n_players + 1)
        full_only[-1] = 1.0
        return Judge(FoldMoments.from_folds(functions, folds), {}, self.fitter.players, full_only)

    def _find_presence(self, functions: ValueFunctions) -> list[PresenceSet]:
        return [players_of(values, self.fitter.players) for values in functions.value_sets]

    def _iterate(
        self, functions: ValueFunctions, sample: CoalitionSample
    ) -> Iterator[tuple[NDArray[np.float64], CoalitionSample]]:
        return iterate_masked(functions, self._find_presence(functions), self.encoded, sample)

    def make_functions(self, value_sets: Sequence[ValueSet], resolution: int) -> ValueFunctions:
        """Products of axis functions and constants, each penalty times the mass of the coalitions where its function counts."""
        null = {column for column, is_null in enumerate(self.fitter.is_null) if is_null}
        value_sets = [values for values in value_sets if null.isdisjoint(values)]
        functions = make_anchored_functions(value_sets, self.learn_axes(value_sets), resolution)
        masses = np.array([self.masses[len(presence)] for presence in self._find_presence(functions)])[functions.owners]
        return replace(functions, roughness=functions.roughness * masses, ridge=functions.ridge * masses)

    def learn_axis(self, size: int, column: int) -> AxisFunctions:
        """Axis functions of a column in terms of a size, and its constant."""
        axis = self.fitter.columns[column].axes[size - 1]
        places, references = ((rows.cells[:, column], rows.offsets[:, column]) for rows in (self.encoded, self.references))
        return compute_anchored_axis(axis, places, self.weights, references, self.derivative, self.limit_axis(axis, size))

    @cached_property
    def pair_scores(self) -> dict[ValueSet, float]:
        """Squared covariances of the main effects' residual with masked products of two columns' leading functions."""
        judge, _, solved = self.main_effects
        functions, total = solved.functions, judge.moments.total
        coefficients = solved.problem.merge(solved.solution.coefficients)
        leading = np.flatnonzero(functions.ranks <= _N_LEADING)
        products = np.zeros((len(total.output_scatter), len(leading), len(leading)))
        for values, block in self._iterate(functions, self.sample):
            residual = (block.gains - values.T @ coefficients) * block.weights[:, None]
            for output, weighted in enumerate(residual.T):
                products[output] += (values[leading] * weighted) @ values[leading].T
        squares = (products**2 / np.maximum(total.output_scatter, 1e-300)[:, None, None]).sum(axis=0)
        columns = [values[0] for values in functions.value_sets]
        members = functions.owners[leading] == np.arange(len(columns))[:, None]
        summed = members.astype(np.float64) @ squares @ members.T
        return {(columns[i], columns[j]): float(summed[i, j]) for i in range(len(columns)) for j in range(i + 1, len(columns))}


def _assign_sample_folds(
    encoded: Encoded, weights: NDArray[np.float64], sample: CoalitionSample
) -> tuple[list[NDArray[np.int64]], bool]:
    """Samples of each fold, and whether they hold rows out: where too few distinct rows are there, it is every fifth sample."""
    rows_of_folds = assign_folds(encoded, np.zeros((len(weights), 1)), weights, N_FOLDS)
    if not hold_rows_out(rows_of_folds, len(weights)):
        return [np.arange(fold, len(sample.rows), N_FOLDS) for fold in range(min(N_FOLDS, len(sample.rows)))], False
    fold_of_row = np.empty(len(weights), dtype=np.int64)
    for fold, (rows, _) in enumerate(rows_of_folds):
        fold_of_row[rows] = fold
    fold_of_sample = fold_of_row[sample.rows]
    return [np.flatnonzero(fold_of_sample == fold) for fold in np.unique(fold_of_sample)], True
