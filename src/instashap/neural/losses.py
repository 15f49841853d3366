"""Losses of masked additive nets: exact over all masks, or by sampled masks.

A net computes parts ``h_R(x)`` that count if all players of R are present: ``g(x; S) = base + sum_R 1[R ⊆ S] h_R(x)``.
The masked loss ``E_x E_S (f(x) - g(x; S))²`` (InstaSHAP, Eq. 20) is a quadratic form of the parts whose coefficients are
masses of coalitions, so its mask expectation needs no masks:
``E_x [π_0 e² - 2 e sum_R π_{|R|} h_R + sum_{R,R'} π_{|R ∪ R'|} h_R h_R']`` with ``e = f - base``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..game.coalitions import compute_containment_masses
from ..game.terms import PresenceSet, count_unions, make_presence_masks


@dataclass(frozen=True)
class MaskMasses:
    """Masses of a mask law that the exact loss needs.

    Attributes
    ----------
    total : float
        ``π_0``, the law's total mass.
    own : Tensor of shape (n_parts,)
        ``π_{|R|}``.
    unions : Tensor of shape (n_parts, n_parts)
        ``π_{|R ∪ R'|}``.
    """

    total: float
    own: Tensor
    unions: Tensor

    def to(self, device: torch.device) -> "MaskMasses":
        """The masses on a device."""
        return MaskMasses(self.total, self.own.to(device), self.unions.to(device))


def make_mask_masses(
    presence_sets: Sequence[PresenceSet], size_law: NDArray[np.float64], dtype: torch.dtype = torch.float32
) -> MaskMasses:
    """Masses of the parts' presence sets under a size law of shape (n_players + 1,).

    Examples
    --------
    >>> from instashap.game.coalitions import compute_shapley_size_law
    >>> make_mask_masses([(0,), (0, 1)], compute_shapley_size_law(2)).own
    tensor([1.5000, 1.0000])
    """
    masses = compute_containment_masses(size_law)
    unions = masses[count_unions(make_presence_masks(presence_sets, len(size_law) - 1))]
    as_tensor = torch.as_tensor(unions, dtype=dtype)
    return MaskMasses(float(masses[0]), as_tensor.diagonal().clone(), as_tensor)


def compute_exact_loss(parts: Tensor, deviations: Tensor, weights: Tensor, masses: MaskMasses) -> Tensor:
    """Masked squared loss with an exact mask expectation, so that sampled masks add no noise to the gradient.

    Parameters
    ----------
    parts : Tensor of shape (n_rows, n_parts, n_outputs)
        ``h_R(x)``.
    deviations : Tensor of shape (n_rows, n_outputs)
        Outputs minus the base value: ``e``.
    weights : Tensor of shape (n_rows,)
        Row weights; the loss is a weighted mean over rows, summed over outputs.
    masses : MaskMasses

    Returns
    -------
    Tensor of shape ()
    """
    linear = torch.einsum("p,npc->nc", masses.own, parts)
    quadratic = (torch.einsum("pq,nqc->npc", masses.unions, parts) * parts).sum(dim=1)
    rows = (masses.total * deviations.square() - 2 * deviations * linear + quadratic).sum(dim=1)
    return (weights * rows).sum() / weights.sum()


def sum_live_parts(parts: Tensor, masks: Tensor, members: Tensor) -> Tensor:
    """Values of a net at masks: sums of the parts whose players are all present, shape (n_rows, n_outputs).

    Parameters
    ----------
    parts : Tensor of shape (n_rows, n_parts, n_outputs)
    masks : Tensor of shape (n_rows, n_players), bool
        True = present.
    members : Tensor of shape (n_parts, n_players), bool
        Players of each part's presence set.
    """
    n_absent = (~masks).to(parts.dtype) @ members.to(parts.dtype).T  # of each part's players
    return torch.einsum("npc,np->nc", parts, (n_absent < 0.5).to(parts.dtype))


def compute_sampled_loss(predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean squared error at sampled masks, summed over outputs; predictions and targets (n_rows, n_outputs)."""
    return (weights * (predictions - targets).square().sum(dim=1)).sum() / weights.sum()


def compute_cross_entropy(scores: Tensor, shares: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean cross-entropy at sampled masks; its game is "log-odds of ``E[y | x_S]``".

    Parameters
    ----------
    scores : Tensor of shape (n_rows, 1) or (n_rows, n_classes)
        Log-odds of the second class, or log-probabilities up to a constant.
    shares : Tensor of the same shape
        Share of the second class among labels of the row, or the share of every class.
    weights : Tensor of shape (n_rows,)
    """
    if scores.shape[1] == 1:
        rows = nn.functional.binary_cross_entropy_with_logits(scores, shares, reduction="none")[:, 0]
    else:
        rows = nn.functional.cross_entropy(scores, shares, reduction="none")
    return (weights * rows).sum() / weights.sum()
