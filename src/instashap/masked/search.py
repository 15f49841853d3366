"""The search for a fit: candidates from simple to rich, each kept only if it lowers the held-out risk."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import TooLargeError
from ..game.terms import ANY, PresenceSet, ValueSet, close_downwards
from ..table.encoding import Encoded
from .candidate import Candidate, Judgement, Solved, make_candidate_problem
from .candidate_search import CandidateSearch, Found
from .design import ValueFunctions, make_value_functions
from .few_rows import MIN_FUNCTIONS, FoldRows
from .fold_moments import FoldMoments
from .folds import assign_folds, find_varying, hold_rows_out, take_census
from .moments import CentredMoments, accumulate_moments
from .offer_presence import offer_presence
from .penalties import AxisFunctions, compute_axis_functions, compute_local_moments
from .screen import choose_triples, score_pairs
from .search_limits import (
    EXTRA_RANKS,
    MAX_FUNCTIONS,
    MAX_PLAYERS_PRESENCE,
    MAX_PLAYERS_TIED_QUADRUPLES,
    MAX_PRESENCE_SETS,
    MAX_TUNED_PRESENCE,
    MAX_UNKNOWNS,
    MAX_UNKNOWNS_ALL_OUTPUTS,
    MIN_PRESENCE_UNKNOWNS,
    MIN_UNKNOWNS,
    N_FOLDS,
    TRIPLE_RESOLUTION,
    UNKNOWNS_PER_ROW,
    WORTHWHILE,
)
from .search_options import SearchOptions
from .select import Judge
from .solve import MAX_DENSE
from .strengths import Strengths


class Search(CandidateSearch):
    """The search over moments of rows, which has presence sets to choose too."""

    fitter: SearchOptions

    def __init__(
        self,
        fitter: SearchOptions,
        encoded: Encoded,
        outputs: NDArray[np.float64],
        weights: NDArray[np.float64],
        size_law: NDArray[np.float64],
        n_folds: int = N_FOLDS,
    ) -> None:
        most = int(np.clip(MAX_UNKNOWNS_ALL_OUTPUTS / outputs.shape[1], MAX_DENSE, MAX_UNKNOWNS))
        n_known = min(float(weights.sum()), take_census(encoded, weights).n_distinct)
        varying = np.flatnonzero(find_varying(encoded))
        super().__init__(fitter, int(np.clip(UNKNOWNS_PER_ROW * n_known, MIN_UNKNOWNS, most)), max(len(varying), 1))
        self.n_folds = n_folds
        self.encoded, self.outputs, self.weights, self.size_law = encoded, outputs, weights, size_law
        self.n_players = len(size_law) - 1
        self.folds = assign_folds(encoded, outputs, weights, n_folds)
        self.is_held_out = hold_rows_out(self.folds, len(weights))
        self.simplest: Found
        # A player of columns that do not vary changes nothing: no presence set holds it, no choice depends on it.
        self.live_players = sorted({fitter.players[column] for column in varying})
        self.presence_sets: dict[int, list[PresenceSet]] = {1: [(player,) for player in self.live_players]}

    @property
    def max_presence(self) -> int:
        asked = self.fitter.presence_order
        n_live = max(len(self.live_players), 1)
        default = 4 if n_live <= MAX_PLAYERS_TIED_QUADRUPLES else 3
        return min(n_live, max(default, self.fitter.order) if isinstance(asked, str) else asked)

    @property
    def min_presence(self) -> int:
        asked = self.fitter.presence_order
        return 1 if isinstance(asked, str) else min(asked, max(len(self.live_players), 1))

    def fit_main_effects(self) -> None:
        """Choose the penalised derivative and the strengths on main effects; then try presence pairs."""
        uneven = frozenset(column for column, learnt in enumerate(self.fitter.columns) if learnt.axes[0].rank_roughness)
        self.ranked = frozenset() if self.start is None else uneven
        self.choose_derivative()
        if self.start is None:
            self._offer_ranks(uneven)
        self.report(0.2, "main effects")
        self.simplest = self.best
        if not self._may_enrich:
            return
        for presence in range(2, self.max_presence + 1):
            offer_presence(self, presence)
        if self.max_presence > 1:
            self.try_within_budget(self.best[0], Candidate(1, 2, {}, EXTRA_RANKS[0]), ("roughness",))
        self.simplest = self.best

    def _offer_ranks(self, uneven: frozenset[int]) -> None:
        """Penalise derivatives by rank where tails are heavy, if this clearly lowers the risk."""
        self.ranked = uneven
        is_bent = self.best[0].moments.functions.roughness.any()  # straight lines stay those of the values
        trial = self.try_smoothness(may_skip=False) if self.ranked and is_bent else None
        if trial is not None and trial[1].lowers_risk(self.best[1]):
            self.best = self.main_effects = trial
        else:
            self.ranked = frozenset()

    @property
    def _may_enrich(self) -> bool:
        """Whether presence sets of several players can be had beside the main effects."""
        is_asked = not isinstance(self.fitter.presence_order, str)
        n_own = len(self.main_effects[0].moments.functions)
        is_small = n_own < max(self.budget, MIN_PRESENCE_UNKNOWNS) and self.n_players <= MAX_PLAYERS_PRESENCE
        return self.max_presence > 1 and (is_asked or is_small)

    def fit_at(self, strengths: Strengths, functions: ValueFunctions, resolution: Mapping[int, int]) -> None:
        """One candidate, with nothing chosen: its functions up to a resolution, under every presence set of the order asked."""
        presence = self.fitter.order if isinstance(self.fitter.presence_order, str) else self.fitter.presence_order
        for size in range(2, min(presence, len(self.live_players)) + 1):
            self.presence_sets[size] = list(combinations(self.live_players, size))
        candidate = Candidate(self.fitter.order, presence, resolution, EXTRA_RANKS[0])
        judge = self.make_judge(functions)
        self.best = judge, *self.judge_candidate(judge, candidate, strengths, ())

    def list_value_sets(self) -> list[ValueSet]:
        """Value sets where nothing is chosen: all up to the order, or those asked for with all parts of theirs."""
        asked, columns = self.fitter.interactions, range(len(self.fitter.columns))
        every = [each for size in range(1, self.fitter.order + 1) for each in combinations(columns, size)]
        return close_downwards([*every[: len(columns)], *asked]) if isinstance(asked, list) else every

    def fit_functions(self, functions: ValueFunctions) -> None:
        """Value functions learnt outside the first fold in place of splines, judged by that fold.

        Main effects come first, then terms of two and of three columns while these lower the risk.
        """
        judge = self.make_judge(functions, n_judged=1)
        every = ("roughness", "ridge", "interaction", "roughness")
        self.judge_and_keep(judge, Candidate(1, 1, {}, EXTRA_RANKS[0]), every)
        is_asked = self.fitter.interactions != "auto"
        for order in range(2, max(map(len, functions.value_sets)) + 1):
            candidate = Candidate(order, min(self.max_presence, order), {}, EXTRA_RANKS[0])
            if not (self.judge_and_keep if is_asked else self.try_candidate)(judge, candidate, every) and not is_asked:
                break

    def enrich_presence(self) -> None:
        """Larger presence sets, and more functions under them, for the best model so far."""
        if not self._may_enrich:
            return
        judge, start, _ = self.best
        self.budget = max(self.budget, MIN_PRESENCE_UNKNOWNS)
        for presence in range(max(start.candidate.presence_order, 2), self.max_presence + 1):
            if all(ANY in each for each in self.presence_sets.get(presence, ())):
                break
            # One width below what served under smaller sets, or what the unknowns allow.
            level = max(EXTRA_RANKS.index(self.best[1].candidate.extra_ranks) - 1, 0)
            ladder = [replace(start.candidate, presence_order=presence, extra_ranks=extra) for extra in EXTRA_RANKS]
            while level > 0 and self.count_unknowns(judge.moments.functions, ladder[level]) > self.budget:
                level -= 1
            # Where not even all triples are on offer, the time is better spent on none of the wider.
            for candidate in ladder[level:] if self.has_all_triples else ladder[:1]:
                before = self.best[1]
                if candidate == before.candidate:
                    continue
                is_better = self.try_within_budget(judge, candidate, ())
                if not is_better or self.best[1].risk > before.risk * (1 - WORTHWHILE):
                    break  # wider parts are not worth trying where narrower ones did not help
            self.report(0.7 + 0.05 * presence, f"presence sets of {presence}")
        best = self.best[1]
        if best.candidate.presence_order > 1 and best.n_unknowns <= MAX_TUNED_PRESENCE:
            self.try_candidate(self.best[0], best.candidate, ("presence",))

    def tie_presence(self) -> None:
        """Tied presence sets for the best model so far, where not all can be written out: as large as the unknowns allow."""
        sizes = [size for size, sets in self.presence_sets.items() if any(ANY in each for each in sets)]
        judge, best, _ = self.best
        # Rows too few for tied sets beside the triples written out may have room for them in their place.
        written = dict.fromkeys((best.candidate.presence_order, min(best.candidate.presence_order, 2)))
        ladder = [
            replace(best.candidate, presence_order=presence, written_order=each)
            for presence in sorted(sizes, reverse=True)
            for each in written
        ]
        for candidate in ladder:
            if self.count_unknowns(judge.moments.functions, candidate) <= self.budget:
                self.try_candidate(judge, candidate, ())
                break
        self.report(0.95, "tied presence sets")

    def climb_presence(self) -> None:
        """Larger presence sets, written out and tied, for the best model so far."""
        self.enrich_presence()
        self.tie_presence()

    def reconsider_main_effects(self) -> None:
        """Main effects under all presence sets there is room for, where interactions have left too little for theirs.

        An order is judged at its own best: 101 columns of 3 000 rows have room for pairs, or for tied presence sets of main
        effects, which lower the risk more.
        """
        judge, chosen, _ = richer = self.best
        if self.fitter.interactions != "auto" or chosen.candidate.order == 1 or self.has_all_triples:
            return
        has_tied = any(ANY in each for sets in self.presence_sets.values() for each in sets)
        widest = replace(chosen.candidate, presence_order=self.max_presence, written_order=2 if has_tied else None)
        if self.count_unknowns(judge.moments.functions, widest) <= self.budget:
            return
        self.best = self.simplest
        self.climb_presence()
        if chosen.lowers_risk(self.best[1]):
            self.best = richer

    def finish(self) -> tuple[Judgement, Solved, CentredMoments]:
        """The best candidate, its solution to full accuracy, and the moments of all rows."""
        judge, judgement, solved = self.best
        solution, total = judge.polish(judgement, solved)
        return judgement, replace(solved, solution=solution), total

    def make_candidate(self, order: int, resolution: int) -> Candidate:
        """See :meth:`CandidateSearch.make_candidate`."""
        if order == 1:
            return Candidate(1, 1, {}, EXTRA_RANKS[0])
        presence = max(2, min(self.max_presence, order))
        return Candidate(order, presence, {2: resolution, 3: TRIPLE_RESOLUTION}, EXTRA_RANKS[0])

    def make_triples_candidate(self, resolution: int) -> Candidate:
        """Triples under the best candidate's presence sets, or those of three."""
        current = self.best[1].candidate
        presence = min(max(3, current.presence_order), self.max_presence)
        return replace(self.make_candidate(3, resolution), presence_order=presence, extra_ranks=current.extra_ranks)

    def fulfils_request(self, candidate: Candidate, before: Judgement) -> bool:
        """Whether a candidate is the first of the presence order asked for."""
        return candidate.presence_order >= self.min_presence > before.candidate.presence_order

    def count_unknowns(self, functions: ValueFunctions, candidate: Candidate) -> int:
        """See :meth:`CandidateSearch.count_unknowns`."""
        kept = functions.select(candidate.keeps(functions))
        return len(make_candidate_problem(candidate, kept, self.presence_sets, self.fitter.players, self.size_law))

    def make_functions(self, value_sets: Sequence[ValueSet], resolution: int) -> ValueFunctions:
        """Products of axis functions, those of pairs up to a resolution."""
        return make_value_functions(value_sets, self.learn_axes(value_sets), {2: resolution, 3: TRIPLE_RESOLUTION})

    def make_judge(
        self, functions: ValueFunctions, n_judged: int | None = None, known: FoldMoments | None = None
    ) -> Judge:
        """Fold moments of the functions, the first of which may be known; refuses, before allocating, what would not fit."""
        if len(functions) > 2 * MAX_FUNCTIONS:
            needed = 8.0 * len(functions) ** 2 * (2 * N_FOLDS + 2)
            raise TooLargeError(
                f"the fit would have {len(functions)} functions and need about {needed / 2**30:.0f} GiB; "
                "ask for fewer interactions (interactions=50), order=1, or pass fewer columns"
            )
        parts = [(*self._take(rows), weights) for rows, weights in self.folds]
        if len(functions) >= max(MIN_FUNCTIONS, 2 * len(self.outputs)):
            values, outputs, weights = zip(*((functions.evaluate(part[0]), *part[1:]) for part in parts), strict=True)
            moments = FoldMoments.from_rows(functions, FoldRows(values, outputs, weights), n_judged)
        else:
            own = known.folds if known is not None else [None] * len(parts)
            every = zip(parts, own, strict=True)
            folds = [accumulate_moments(functions.evaluate, *part, len(functions), first) for part, first in every]
            moments = FoldMoments.from_folds(functions, folds, n_judged)
        return Judge(moments, self.presence_sets, self.fitter.players, self.size_law)

    def _take(self, rows: NDArray[np.int64]) -> tuple[Encoded, NDArray[np.float64]]:
        return Encoded(self.encoded.cells[rows], self.encoded.offsets[rows]), self.outputs[rows]

    def learn_axis(self, size: int, column: int) -> AxisFunctions:
        """Axis functions of a column in terms of a size, orthogonal over the rows."""
        axis = self.fitter.columns[column].axes[size - 1]
        axis = axis.use_ranks() if column in self.ranked else axis
        moments = compute_local_moments(
            axis.basis, self.encoded.cells[:, column], self.encoded.offsets[:, column], self.weights
        )
        return compute_axis_functions(axis, *moments, self.derivative, self.limit_axis(axis, size))

    @property
    def has_all_triples(self) -> bool:
        """Whether every triple of players is on offer as a presence set; where not, tied sets are in their place."""
        return comb(len(self.live_players), 3) <= MAX_PRESENCE_SETS

    @cached_property
    def pair_scores(self) -> dict[ValueSet, float]:
        judge, _, solved = self.main_effects
        merged = solved.problem.merge(solved.solution.coefficients)
        return score_pairs(judge.moments, merged, (self.encoded, self.outputs, self.weights))

    def choose_triples(self, pairs: list[ValueSet], n_most: int) -> list[ValueSet]:
        """Triples on top of pairs: those asked for, or the best where nobody says how many."""
        if self.fitter.order < 3 or isinstance(self.fitter.interactions, list):
            return []
        asked = self.fitter.interactions
        if asked == "auto":
            asked = n_most + sum(len(values) == 2 for values in pairs)
        return choose_triples(pairs, lambda: self.pair_scores, asked, 0)

    def get_drawn(self, chosen: Judgement) -> Any:
        """Drawn rows that have a share in a candidate's fit; None: this search has none."""
