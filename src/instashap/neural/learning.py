"""Additive nets on the rows of a table: trained under the exact masked loss, then converted to tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..asked.tabulated import RawFunctions, tabulate
from ..game.terms import PresenceSet, ValueSet
from ..masked.folds import assign_folds
from ..table.bases import LearntColumn
from ..table.encoding import Encoded
from .canonical import CanonicalRows
from .devices import choose_device
from .inputs import TableInputs
from .losses import compute_exact_loss, make_mask_masses
from .nets import AdditiveNet
from .training import Training, TrainingPlan, train

# One row in this many is held out of the training; its early stopping and the search use these rows.
N_FOLDS = 10
# Number of rows evaluated at once.
_BLOCK_ROWS = 8192


@dataclass(frozen=True)
class NetOnRows:
    """An additive net, its inputs, and the rows of its training.

    Attributes
    ----------
    net : AdditiveNet
        Net of the columns in the rows' canonical order.
    inputs : TableInputs
    rows : CanonicalRows
    players : tuple of int
        The table's player for each player of the net.
    """

    net: AdditiveNet
    inputs: TableInputs
    rows: CanonicalRows
    players: tuple[int, ...]

    @property
    def presence_sets(self) -> list[PresenceSet]:
        """Presence sets of the net's parts, in numbers of the table's players."""
        return [tuple(sorted(self.players[player] for player in presence)) for presence in self.net.presence_sets]

    def finish(self) -> "NetOnRows":
        """Move the net to the CPU in double precision, so that tables do not depend on the order of places; returns self."""
        self.net.cpu().double()
        return self

    def tabulate(self, columns: Sequence[LearntColumn], values: ValueSet) -> RawFunctions:
        """Functions of the net of ``values`` and their coefficients; for one column also its inputs.

        Parameters
        ----------
        columns : sequence of LearntColumn
            Columns in the table's order.
        values : tuple of int
            Positions among these.
        """
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


# Maps parts of rows (n, n_presence_sets, n_outputs), targets (n, n_outputs), weights (n,) and a generator to a loss.
PartsLoss = Callable[[Tensor, Tensor, Tensor, torch.Generator], Tensor]


def train_on_rows(made: NetOnRows, targets: NDArray[np.float64], compute_loss: PartsLoss, plan: TrainingPlan) -> Training:
    """Train a net in place on its rows; the held-out loss uses the same random draws after every epoch."""
    device = choose_device(plan.device)
    arrays = made.inputs.evaluate(made.rows.encoded), targets, made.rows.weights
    read, target, weight = (torch.as_tensor(each, dtype=torch.float32).to(device) for each in arrays)
    training, held_out = _split(made.rows)
    made.net.to(device)

    def compute(batch: Tensor, generator: torch.Generator) -> Tensor:
        chosen = batch.to(device)
        return compute_loss(made.net(read[chosen]), target[chosen], weight[chosen], generator)

    def compute_held_out_loss() -> float:
        generator = torch.Generator().manual_seed(plan.seed)
        blocks = _cut(held_out)
        shares = [float(weight[block.to(device)].sum()) for block in blocks]
        return float(np.average([float(compute(block, generator)) for block in blocks], weights=shares))

    return train(made.net, lambda batch, draws: compute(training[batch], draws), len(training), compute_held_out_loss, plan)


def train_exactly(made: NetOnRows, size_law: NDArray[np.float64], plan: TrainingPlan) -> Training:
    """Train under the exact masked loss of the outputs, each divided by its standard deviation."""
    outputs, weights = made.rows.outputs, made.rows.weights
    mean = weights @ outputs / weights.sum()
    spread = np.sqrt(weights @ (outputs - mean) ** 2 / weights.sum())
    masses = make_mask_masses(made.net.presence_sets, size_law).to(choose_device(plan.device))

    def compute_loss(parts: Tensor, deviations: Tensor, weight: Tensor, _: torch.Generator) -> Tensor:
        return compute_exact_loss(parts, deviations, weight, masses)

    return train_on_rows(made, (outputs - mean) / np.where(spread > 0, spread, 1.0), compute_loss, plan)


def _cut(rows: Tensor) -> list[Tensor]:
    return [rows[start : start + _BLOCK_ROWS] for start in range(0, len(rows), _BLOCK_ROWS)]


def _split(rows: CanonicalRows) -> tuple[Tensor, Tensor]:
    """Training rows, and the first fold for early stopping, which the search uses too; all rows for both if they are few."""
    everything = np.arange(len(rows.weights))
    held_out = assign_folds(rows.encoded, rows.outputs, rows.weights, N_FOLDS)[0][0]
    rest = np.setdiff1d(everything, held_out)
    if not len(rest):
        rest = held_out = everything
    return torch.as_tensor(rest), torch.as_tensor(held_out)
