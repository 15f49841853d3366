"""The neural fit: small nets learn the value functions, and the closed form weighs them.

Nets are trained under the exact masked loss, with presence sets; what they have learnt is then tabulated in the columns' local
bases, and the masked problem in these functions is solved exactly, like any other. The result is a model of tables: explaining
it needs no torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..additive.design import ValueFunctions
from ..additive.fitter import FitResult, finish_search
from ..additive.moments import assign_folds
from ..additive.search import Search
from ..additive.select import Strengths
from ..additive.tabulated import RawFunctions, TabulatedFunctions, make_tabulated_functions, tabulate
from ..game.terms import PresenceSet, ValueSet
from ..table.bases import LearntColumn
from ..table.encoding import Encoded
from .canonical import CanonicalRows, canonicalise
from .devices import choose_device
from .inputs import TableInputs, learn_inputs
from .losses import compute_exact_loss, make_mask_masses
from .nets import AdditiveNet, NetShape
from .training import Training, TrainingPlan, seed_weights, train

# Rows held out of the training, to stop it by: one fold's.
_N_FOLDS = 10
# Presence sets up to which all of a size take part in the training of the nets; their matrix is formed for every row.
_MAX_PRESENCE_SETS = 400
# Rows evaluated at once.
_BLOCK_ROWS = 8192


@dataclass(frozen=True)
class NeuralFitter:
    """The masked additive model with value functions learnt by nets; see :class:`instashap.additive.fitter.Fitter`.

    Parameters
    ----------
    columns, players, order, presence_order, interactions, progress
        As in :class:`instashap.additive.fitter.ClosedFormFitter`.
    smoothness : Strengths or None
        Fixed penalty strengths: nothing is chosen then.
    shape : NetShape
    plan : TrainingPlan
    functions : ValueFunctions or None
        Functions of an earlier fit: nothing is trained then, and the fit is linear in the outputs.
    """

    columns: tuple[LearntColumn, ...]
    players: tuple[int, ...]
    order: int = 2
    presence_order: int | str = "auto"
    interactions: Any = "auto"
    smoothness: Strengths | None = None
    shape: NetShape = field(default_factory=NetShape)
    plan: TrainingPlan = field(default_factory=TrainingPlan)
    functions: ValueFunctions | None = None
    progress: Callable[[float, str], None] | None = None

    def fit(
        self, encoded: Encoded, outputs: NDArray[np.float64], weights: NDArray[np.float64], size_law: NDArray[np.float64]
    ) -> FitResult:
        """See :class:`instashap.additive.fitter.Fitter`."""
        search = Search(self, encoded, outputs, weights, size_law)
        if self.smoothness is not None:
            functions = self.functions or self._learn(search, search.list_value_sets())
            search.fit_as_told(self.smoothness, functions, {})
        else:
            search.fit_main_effects()
            search.fit_functions(self.functions or self._learn(search, search.choose_value_sets()))
            search.enrich_presence()
        return finish_search(search, self.columns)

    def _learn(self, search: Search, value_sets: Sequence[ValueSet]) -> TabulatedFunctions:
        """Train the nets, and tabulate what they have learnt."""
        rows = canonicalise(search.encoded, search.outputs, search.weights)
        columns = [self.columns[column] for column in rows.order]
        inputs = learn_inputs(columns, rows.encoded, rows.weights)
        players = _number_players([self.players[column] for column in rows.order])
        named = sorted((rows.rename(values) for values in value_sets), key=lambda values: (len(values), values))
        with seed_weights(self.plan.seed):
            net = AdditiveNet(
                inputs.columns, named, players, self._choose_presence(search.n_players), rows.outputs.shape[1], self.shape
            )
        train_net(net, inputs.evaluate(rows.encoded), rows, search.size_law, replace(self.plan, progress=self._report))
        learnt = LearntNet(net.cpu().double(), inputs, rows)
        raw = {values: learnt.tabulate(self.columns, values) for values in value_sets}
        bases = tuple(each.encoder.bases for each in self.columns)
        return make_tabulated_functions(bases, search.learn_axes(value_sets), raw, search.encoded, search.weights)

    def _choose_presence(self, n_players: int) -> list[PresenceSet]:
        """All presence sets of two players and more, size by size while they are few."""
        asked = self.presence_order if isinstance(self.presence_order, int) else 3
        chosen: list[PresenceSet] = []
        for size in range(2, min(asked, n_players) + 1):
            if len(chosen) + comb(n_players, size) > _MAX_PRESENCE_SETS:
                break
            chosen += combinations(range(n_players), size)
        return chosen

    def _report(self, share: float, what: str) -> None:
        """Training is most of a fit: from a fifth to seven tenths of it."""
        if self.progress is not None:
            self.progress(0.2 + 0.5 * share, f"nets, {what}")


def _number_players(players: Sequence[int]) -> list[int]:
    """Players by first appearance."""
    numbers = {player: number for number, player in enumerate(dict.fromkeys(players))}
    return [numbers[player] for player in players]


@dataclass(frozen=True)
class LearntNet:
    """A trained net, in double precision, and what it reads."""

    net: AdditiveNet
    inputs: TableInputs
    rows: CanonicalRows

    def tabulate(self, columns: Sequence[LearntColumn], values: ValueSet) -> RawFunctions:
        """A net's functions, of one column beside those it was given, and how they are used."""
        named = self.rows.rename(values)
        own = self.inputs.columns == named[0]

        def ask(places: Encoded) -> NDArray[np.float64]:
            read = self.inputs.evaluate(self.rows.permute(places)).astype(np.float64)
            with torch.no_grad():
                blocks = [self.net.compute_features_of(named, block) for block in _cut(torch.as_tensor(read))]
            found = torch.cat(blocks).numpy()
            return np.hstack([read[:, own], found]) if len(values) == 1 else found

        uses = self.net.get_uses(named).detach().numpy()
        if len(values) == 1:
            line = self.net.linear.detach().numpy()[own]
            uses = np.vstack([np.pad(line, ((0, 0), (0, uses.shape[1] - line.shape[1]))), uses])
        return RawFunctions(tabulate(columns, values, ask), uses)


def _cut(rows: Tensor) -> list[Tensor]:
    return [rows[start : start + _BLOCK_ROWS] for start in range(0, len(rows), _BLOCK_ROWS)]


def train_net(
    net: AdditiveNet, inputs: NDArray[np.float32], rows: CanonicalRows, size_law: NDArray[np.float64], plan: TrainingPlan
) -> Training:
    """Train a net in place under the exact masked loss of outputs, each on the scale of its own spread.

    One row in ten is held out to stop by, chosen by a hash.
    """
    device = choose_device(plan.device)
    mean = rows.weights @ rows.outputs / rows.weights.sum()
    spread = np.sqrt(rows.weights @ (rows.outputs - mean) ** 2 / rows.weights.sum())
    deviations = (rows.outputs - mean) / np.where(spread > 0, spread, 1.0)
    arrays = inputs, deviations, rows.weights
    read, target, weight = (torch.as_tensor(each, dtype=torch.float32).to(device) for each in arrays)
    training, held_out = _split(rows)
    masses = make_mask_masses(net.presence_sets, size_law).to(device)
    net.to(device)

    def compute_loss(batch: Tensor) -> Tensor:
        chosen = batch.to(device)
        return compute_exact_loss(net(read[chosen]), target[chosen], weight[chosen], masses)

    def compute_held_out_loss() -> float:
        blocks = _cut(held_out)
        shares = [float(weight[block.to(device)].sum()) for block in blocks]
        return float(np.average([float(compute_loss(block)) for block in blocks], weights=shares))

    return train(net, lambda batch, _: compute_loss(training[batch]), len(training), compute_held_out_loss, plan)


def _split(rows: CanonicalRows) -> tuple[Tensor, Tensor]:
    """Rows to train on and rows to stop by; all of them for both if they are too few."""
    everything = np.arange(len(rows.weights))
    held_out = assign_folds(rows.encoded, rows.outputs, rows.weights, _N_FOLDS)[0][0]
    rest = np.setdiff1d(everything, held_out)
    if not len(rest):
        rest = held_out = everything
    return torch.as_tensor(rest), torch.as_tensor(held_out)
