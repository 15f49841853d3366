"""The neural fit: small nets learn the value functions, and the closed form computes their coefficients.

Nets are trained under the exact masked loss, with presence sets; the learnt functions are then tabulated in the columns' local
bases, and the masked problem in these functions is solved exactly, as in other fits. The result is a model of tables, which is
explained without torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..asked.asked_rows import AskedRows
from ..asked.tabulated import TabulatedFunctions, make_tabulated_functions
from ..fits.null_players import RosterGame
from ..game.terms import PresenceSet, ValueSet
from ..masked.design import ValueFunctions
from ..masked.fallback import fall_back
from ..masked.fitter import FitResult, finish_search
from ..masked.search import Search
from ..masked.strengths import Strengths
from ..model.additive_model import AdditiveModel
from ..table.bases import LearntColumn
from ..table.encoding import Encoded
from .canonical import canonicalise
from .games import fit_game_nets
from .inputs import learn_inputs
from .learning import N_FOLDS, NetOnRows, train_exactly
from .nets import AdditiveNet, NetShape
from .readout import describe_nets
from .training import TrainingPlan, seed_weights

# Largest number of presence sets in the training of the nets: the loss needs a product with their matrix for every row.
_MAX_PRESENCE_SETS = 400
# Number of triples with a net for interactions="auto".
_MAX_TRIPLES = 40
# Default training plan of additive nets: many small steps.
PLAN = TrainingPlan(batch_rows=256, learning_rate=1e-2)


@dataclass(frozen=True)
class NeuralFitter:
    """The masked additive model with value functions learnt by nets; see :class:`instashap.masked.fitter.Fitter`.

    Parameters
    ----------
    columns, players, order, presence_order, interactions, progress
        As in :class:`instashap.masked.fitter.ClosedFormFitter`.
    smoothness : Strengths or None
        Fixed penalty strengths; None chooses them.
    shape : NetShape
    plan : TrainingPlan
    functions : ValueFunctions or None
        Functions of an earlier fit, used instead of training nets; the fit is then linear in the outputs.
    """

    columns: tuple[LearntColumn, ...]
    players: tuple[int, ...]
    order: int = 2
    presence_order: int | str = "auto"
    interactions: Any = "auto"
    smoothness: Strengths | None = None
    shape: NetShape = field(default_factory=NetShape)
    plan: TrainingPlan = PLAN
    functions: ValueFunctions | None = None
    progress: Callable[[float, str], None] | None = None

    def fit(
        self, encoded: Encoded, outputs: NDArray[np.float64], weights: NDArray[np.float64], size_law: NDArray[np.float64]
    ) -> FitResult:
        """See :class:`instashap.masked.fitter.Fitter`."""
        search, note = Search(self, encoded, outputs, weights, size_law, N_FOLDS), ""
        if self.smoothness is not None:
            functions = self.functions or self._learn(search, search.list_value_sets())
            search.fit_at(self.smoothness, functions, {})
        else:
            search.fit_main_effects()
            search.fit_functions(self.functions or self._learn(search, self.choose_value_sets(search)))
            search.climb_presence()
            note = fall_back(search)
        return replace(finish_search(search, self.columns), note=note)

    def fit_game(
        self,
        game: RosterGame,
        places: NDArray[np.int64],
        encoded: Encoded,
        full: NDArray[np.float64],
        weights: NDArray[np.float64],
        size_law: NDArray[np.float64],
    ) -> tuple[AdditiveModel, dict[str, Any]]:
        """Model of nets trained on values of a game at its rows ``places``, and figures of the fit as JSON."""
        model = fit_game_nets(self, game, AskedRows(encoded, places, full, weights), size_law)
        return model, describe_nets(model, len(places), float(weights.sum()), "squared error at sampled coalitions")

    def _learn(self, search: Search, value_sets: Sequence[ValueSet]) -> TabulatedFunctions:
        """Train the nets, and return their functions as tables."""
        made = self.make_net(search, value_sets)
        train_exactly(made, search.size_law, self.make_plan())
        learnt = made.finish()
        raw = {values: learnt.tabulate(self.columns, values) for values in value_sets}
        bases = tuple(each.encoder.bases for each in self.columns)
        return make_tabulated_functions(bases, search.learn_axes(value_sets), raw, search.encoded, search.weights)

    def choose_value_sets(self, search: Search) -> list[ValueSet]:
        """Value sets that get a net; if there are many, they are screened on the residuals of main effects."""
        pairs = search.choose_value_sets() if self.order > 1 else search.list_value_sets()
        return [*pairs, *search.choose_triples(pairs, _MAX_TRIPLES)]

    def make_net(self, search: Search, value_sets: Sequence[ValueSet]) -> NetOnRows:
        """Untrained nets of some value sets with random weights, and the rows of their training."""
        rows = canonicalise(search.encoded, search.outputs, search.weights)
        columns = [self.columns[column] for column in rows.order]
        inputs = learn_inputs(columns, rows.encoded, rows.weights)
        owners = [self.players[column] for column in rows.order]
        players = tuple(dict.fromkeys(owners))  # by first appearance
        named = sorted((rows.rename(values) for values in value_sets), key=lambda values: (len(values), values))
        with seed_weights(self.plan.seed):
            net = AdditiveNet(
                inputs.columns,
                named,
                [players.index(owner) for owner in owners],
                self._choose_presence(search.n_players),
                rows.outputs.shape[1],
                self.shape,
            )
        return NetOnRows(net, inputs, rows, players)

    def make_plan(self) -> TrainingPlan:
        """The training plan, with its progress reported as the middle part of the fit."""
        return replace(self.plan, progress=self._report)

    def _choose_presence(self, n_players: int) -> list[PresenceSet]:
        """All presence sets of two or more players, by size, as long as their number is within the limit."""
        asked = self.presence_order if isinstance(self.presence_order, int) else 3
        chosen: list[PresenceSet] = []
        for size in range(2, min(asked, n_players) + 1):
            if len(chosen) + comb(n_players, size) > _MAX_PRESENCE_SETS:
                break
            chosen += combinations(range(n_players), size)
        return chosen

    def _report(self, share: float, what: str) -> None:
        """Report training as the part of the fit from a fifth to seven tenths."""
        if self.progress is not None:
            self.progress(0.2 + 0.5 * share, f"nets, {what}")
