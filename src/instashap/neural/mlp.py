"""Multilayer perceptrons: one of a partly known row, one with a value for every player."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def make_layers(n_inputs: int, hidden: Sequence[int], n_outputs: int) -> nn.Sequential:
    """Linear layers with SiLU between them; the weights of the last are zero, so an untrained net returns zero."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(n_inputs, width), nn.SiLU()]
        n_inputs = width
    last = nn.Linear(n_inputs, n_outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


def scale_last(layers: nn.Sequential, share: float) -> None:
    """Multiply the layers' output by a number, in place."""
    last = layers[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.mul_(share)
        last.bias.mul_(share)


class MaskedNet(nn.Module):
    """A net of ``[x ∘ S, S]`` minus its value at the empty coalition.

    Parameters
    ----------
    owners : Tensor of shape (n_inputs,), int64
        Player of each input.
    n_players, n_outputs : int
    hidden : sequence of int
        Widths of the hidden layers.
    """

    owners: Tensor

    def __init__(self, owners: Tensor, n_players: int, n_outputs: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("owners", owners, persistent=False)
        self.layers = make_layers(len(owners) + n_players, hidden, n_outputs)

    def forward(self, inputs: Tensor, masks: Tensor) -> Tensor:
        """Inputs (n_rows, n_inputs) and masks (n_rows, n_players), True = present, to (n_rows, n_outputs)."""
        present = masks.to(inputs.dtype)
        seen = torch.cat([inputs * present[:, self.owners], present], dim=1)
        values: Tensor = self.layers(seen)
        nothing: Tensor = self.layers(seen.new_zeros(1, seen.shape[1]))
        return values - nothing


class ValueNet(nn.Module):
    """A net from a row to a value for every player and output; each value may depend on the whole row."""

    def __init__(self, n_inputs: int, n_players: int, n_outputs: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.shape = n_players, n_outputs
        self.layers = make_layers(n_inputs, hidden, n_players * n_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (n_rows, n_inputs) to (n_rows, n_players, n_outputs)."""
        values: Tensor = self.layers(inputs)
        return values.reshape(-1, *self.shape)


def share_out(values: Tensor, totals: Tensor) -> Tensor:
    """Values plus equal shares of their difference from a total, so that they sum to it (FastSHAP's additive normalisation).

    ``φ_i + (total - sum_j φ_j) / d``

    Parameters
    ----------
    values : Tensor of shape (n_rows, n_players, n_outputs)
    totals : Tensor of shape (n_rows, n_outputs)

    Examples
    --------
    >>> share_out(torch.tensor([[[1.0], [2.0]]]), torch.tensor([[5.0]])).ravel()
    tensor([2., 3.])
    """
    return values + ((totals - values.sum(dim=1)) / values.shape[1])[:, None]
