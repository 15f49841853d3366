"""The conditional game of fixed scores: parts of functions are moved to larger presence sets, which changes no score."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..game.terms import PresenceSet, players_of
from ..masked.choose import MIN_STEP_GAIN
from ..masked.design import ValueFunctions, make_value_functions
from ..masked.folds import assign_folds, find_varying, take_census
from ..masked.penalties import AxisFunctions, compute_axis_functions, compute_local_moments
from ..model.additive_model import AdditiveModel
from ..model.orthogonal import make_plain_model
from ..table.bases import LearntColumn
from ..table.encoding import Encoded
from .moves import WIDTHS, MoveProblem, Moves, accumulate_products, apply_moves, offer_moves
from .pure_tables import PureTables

N_FOLDS = 5
# Held-out rows that suffice to compare penalties: large tables use fewer folds.
HELD_OUT_ROWS = 5000
# The most unknowns, which take about a second to solve; the limit is lower where rows are few.
MAX_UNKNOWNS, UNKNOWNS_PER_ROW, MIN_UNKNOWNS = 4000, 1.5, 500
# Up to so many players, all triples of players are candidates; and at most so many pairs are, the best if there are more.
MAX_PLAYERS_TRIPLES = 14
MAX_PAIRS = 3000
# The most functions whose products with each other are summed; each column of a wide table has fewer functions.
MAX_FUNCTIONS = 3000
# Penalties tried: on prior precision and, times a fixed share, on squared derivatives. Two more are tried, half a step to
# either side of the best (on the example of two factors with 5 000 labels: .980 becomes .984).
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
HALF_STEP = 10.0**0.5
ROUGHNESS_SHARE = 1e-3


@dataclass(frozen=True)
class ConditionalFit:
    """A model whose presence terms were matched to conditional means of its scores.

    Attributes
    ----------
    model : AdditiveModel
    presence_order : int
        Players in the largest presence set used.
    strength : float or None
        Penalty chosen; None if no function was moved.
    risk_saved : float
        Held-out masked risk saved by moving functions, in output variances, summed over outputs.
    """

    model: AdditiveModel
    presence_order: int
    strength: float | None
    risk_saved: float


def fit_presence(
    columns: tuple[LearntColumn, ...],
    pure: PureTables,
    encoded: Encoded,
    weights: NDArray[np.float64],
    players: tuple[int, ...],
    size_law: NDArray[np.float64],
    presence_order: Any = "auto",
) -> ConditionalFit:
    """The model of least masked risk among those with the given scores: its game estimates their conditional means.

    Parameters
    ----------
    columns : tuple of LearntColumn
    pure : PureTables
    encoded : Encoded
    weights : ndarray of shape (n_rows,), float64
    players : tuple of int
        Player of each column.
    size_law : ndarray of shape (n_players + 1,), float64
    presence_order : int or "auto"
        The most players in a presence set; "auto" is 3, or no move at all if moves do not lower the held-out masked risk.
    """
    bases = tuple(column.encoder.bases for column in columns)
    plain = make_plain_model(bases, pure.tables, pure.base_value, players, len(size_law) - 1)
    fitter = _PresenceFitter(plain, columns, encoded, weights, players, size_law)
    smallest = max((len(each) for sets in plain.presence_sets for each in sets), default=1)
    best = ConditionalFit(plain, smallest, None, 0.0)
    if not isinstance(presence_order, str):
        return fitter.fit(presence_order) or best
    trial = fitter.fit(3)
    return trial if trial is not None and trial.risk_saved > 0.0 else best


class _PresenceFitter:
    """Fitter of moves for one plain model, in which every function counts once its own players are known."""

    def __init__(
        self,
        plain: AdditiveModel,
        columns: tuple[LearntColumn, ...],
        encoded: Encoded,
        weights: NDArray[np.float64],
        players: tuple[int, ...],
        size_law: NDArray[np.float64],
    ) -> None:
        self.plain, self.columns, self.encoded, self.weights = plain, columns, encoded, weights
        self.players, self.size_law = players, size_law
        self.live_players = sorted({players[column] for column in np.flatnonzero(find_varying(encoded))})
        n_known = min(float(weights.sum()), take_census(encoded, weights).n_distinct)
        self.budget = int(np.clip(UNKNOWNS_PER_ROW * n_known, MIN_UNKNOWNS, MAX_UNKNOWNS))
        scores = plain.predict(encoded) - plain.base_value
        self.variances = np.maximum(np.average(scores**2, axis=0, weights=weights), 1e-300)
        self.folds = assign_folds(encoded, scores, weights, N_FOLDS)

    def fit(self, presence_order: int) -> ConditionalFit | None:
        """The model of the best penalty with presence sets of at most so many players; None if there is nothing to move."""
        n_live = len(self.live_players)
        largest = min(presence_order, n_live if n_live <= MAX_PLAYERS_TRIPLES else 2)
        functions = self._make_functions(largest)
        if not len(functions):
            return None
        splits, whole, means = self._accumulate_folds(functions)
        moves = offer_moves(functions, self._offer_sets(largest, functions, *whole), self.players)
        if not len(moves):
            return None
        moves = self._keep_best(moves, functions, *whole)
        problem = self._make_problem(moves)
        measured: dict[float, float] = {}

        def penalise(strength: float) -> NDArray[np.float64]:
            return np.asarray(strength * (functions.ridge + ROUGHNESS_SHARE * functions.roughness))

        def try_strengths(strengths: Sequence[float]) -> float:
            """The largest of the strengths tried so far whose risk is within the tolerance of the least."""
            for strength in strengths:
                solved = [(problem.solve(train[0], train[1], penalise(strength)), test) for train, test in splits]
                saved = [-problem.change_risk(coefficients, *test) for coefficients, test in solved]
                measured[strength] = float((np.mean(saved, axis=0) / self.variances).sum()) if saved else 0.0
            least = max(measured.values()) - MIN_STEP_GAIN
            return max(each for each, risk_saved in measured.items() if risk_saved >= least)

        strength = try_strengths(STRENGTHS if splits else STRENGTHS[:1])
        if splits and len(STRENGTHS) > 1:
            strength = try_strengths((strength / HALF_STEP, strength * HALF_STEP))
        solution = problem.solve(whole[0], whole[1], penalise(strength))
        model = apply_moves(self.plain, moves, functions, solution, means)
        used = max(len(moves.presence_sets[number]) for number in moves.presence)
        return ConditionalFit(model, used, strength, measured[strength])

    def _offer_sets(
        self, largest: int, functions: ValueFunctions, gram: NDArray[np.float64], cross: NDArray[np.float64]
    ) -> list[PresenceSet]:
        """Candidate presence sets: all of two players and more, or the pairs whose players' main effects correlate most."""
        if comb(len(self.live_players), 2) <= MAX_PAIRS:
            return [each for size in range(2, largest + 1) for each in combinations(self.live_players, size)]
        single = np.array([sets[0][0] if len(sets[0]) == 1 else -1 for sets in self.plain.presence_sets])
        owners = [players_of(values, self.players) for values in functions.value_sets]
        owner = np.array([own[0] if len(own) == 1 else -1 for own in owners])[functions.owners]
        by_term = np.moveaxis(cross.reshape(len(cross), len(single), -1), 1, 0)
        n_players = len(self.size_law) - 1
        by_player = np.zeros((n_players, *by_term.shape[1:]))
        np.add.at(by_player, single[single >= 0], by_term[single >= 0])
        # Squared correlations of players' main effects with functions, in output variances, shape (n_players, n_functions).
        shared = (by_player**2 / self.variances).sum(axis=2) / np.maximum(np.diag(gram), 1e-300)
        scores = np.zeros((n_players, n_players))
        np.add.at(scores, owner[owner >= 0], shared.T[owner >= 0])
        live = np.asarray(self.live_players)
        first, second = (live[places] for places in np.triu_indices(len(live), k=1))
        order = np.argsort(-(scores + scores.T)[first, second], kind="stable")[:MAX_PAIRS]
        return [(int(first[place]), int(second[place])) for place in np.sort(order)]

    def _make_functions(self, largest: int) -> ValueFunctions:
        value_sets = [
            values for values in self.plain.value_sets if len(values) < 3 and len(players_of(values, self.players)) < largest
        ]
        axes: dict[tuple[int, int], AxisFunctions] = {}
        n_most = int(np.clip(MAX_FUNCTIONS // max(len(self.columns), 1), 1, 2 * WIDTHS[0][1]))
        for values in value_sets:
            for column in values:
                key = len(values), column
                if key not in axes:
                    axis = self.columns[column].axes[key[0] - 1]
                    cells, offsets = self.encoded.cells[:, column], self.encoded.offsets[:, column]
                    moments = compute_local_moments(axis.basis, cells, offsets, self.weights)
                    axes[key] = compute_axis_functions(axis, *moments, 2, n_most)
        return make_value_functions(value_sets, axes, {2: WIDTHS[0][2]})

    def _accumulate_folds(self, functions: ValueFunctions) -> tuple[list[tuple[Any, Any]], Any, NDArray[np.float64]]:
        """Moments of training and held-out rows of each fold used, those of all rows, and the functions' means."""
        parts = [
            accumulate_products(functions, self.plain, self.encoded.take(rows), weights)
            for rows, weights in self.folds
        ]
        total = sum(parts[1:], start=parts[0])
        means = total.sums / total.weight
        n_used = int(np.clip(np.ceil(HELD_OUT_ROWS * len(parts) / self.weights.sum()), 1, len(parts))) if len(parts) > 1 else 0
        splits = []
        for held_out in range(n_used):
            others = [part for number, part in enumerate(parts) if number != held_out]
            train = sum(others[1:], start=others[0])
            splits.append((train.around(means), parts[held_out].around(means)))
        return splits, total.around(means), means

    def _make_problem(self, moves: Moves) -> MoveProblem:
        terms = [sets[0] for sets in self.plain.presence_sets]
        return MoveProblem.from_moves(moves, terms, self.size_law)

    def _keep_best(
        self, moves: Moves, functions: ValueFunctions, gram: NDArray[np.float64], cross: NDArray[np.float64]
    ) -> Moves:
        """As many moves as there may be unknowns: those that lower the masked risk most when each is used alone."""
        if len(moves) <= self.budget:
            return moves
        gains = np.zeros(len(moves))
        for rows in np.array_split(np.arange(len(moves)), len(moves) // MAX_UNKNOWNS + 1):
            problem = self._make_problem(moves.take(rows))
            own = np.diag(gram)[moves.functions[rows]] * problem.own_masses
            gains[rows] = (problem.weigh_target(cross) ** 2 / self.variances).sum(axis=1) / np.maximum(own, 1e-300)
        order = np.lexsort((np.arange(len(moves)), -gains))
        return moves.take(np.sort(order[: self.budget]))
