"""Values of a game at sampled coalitions, for the training of an explainer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .losses import compute_sampled_loss
from .mlp import ValueNet, share_out


@dataclass(frozen=True)
class KernelSample:
    """Sampled coalitions of rows, and the game's values there minus the base value (and the base), in units of ``scale``.

    Attributes
    ----------
    inputs : Tensor of shape (n_rows, n_inputs)
    masks : Tensor of shape (n_rows, n_masks, n_players), bool
    targets : Tensor of shape (n_rows, n_masks, n_outputs)
    totals : Tensor of shape (n_rows, n_outputs)
        Targets at the full coalition.
    weights : Tensor of shape (n_rows,)
    scale : float
    """

    inputs: Tensor
    masks: Tensor
    targets: Tensor
    totals: Tensor
    weights: Tensor
    scale: float

    def to(self, device: torch.device) -> KernelSample:
        names = ("inputs", "masks", "targets", "totals", "weights")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def sum_present(self, values: Tensor, rows: Tensor) -> Tensor:
        """Sums of the values of present players for each coalition of some rows, shape (n_rows, n_masks, n_outputs)."""
        return torch.einsum("nkp,npc->nkc", self.masks[rows].to(values.dtype), values)

    def compute_loss(self, net: ValueNet, rows: Tensor) -> Tensor:
        values = share_out(net(self.inputs[rows]), self.totals[rows])
        predicted, wanted = (each.flatten(1) for each in (self.sum_present(values, rows), self.targets[rows]))
        return compute_sampled_loss(predicted, wanted, self.weights[rows]) / self.masks.shape[1]

    def evaluate(self, net: ValueNet, rows: Tensor) -> tuple[NDArray[np.float64], ...]:
        """A net's changes of the sums over coalitions, the residuals of equal shares of the totals there, and row weights."""
        with torch.no_grad():
            values, totals = net(self.inputs[rows]), self.totals[rows]
            changed = self.sum_present(share_out(values, torch.zeros_like(totals)), rows)
            lacking = self.targets[rows] - self.sum_present(share_out(torch.zeros_like(values), totals), rows)
        return tuple(each.cpu().numpy().astype(np.float64) for each in (changed, lacking, self.weights[rows]))
