"""The additive game of an image: parts and pairs of a net, their means, and the Shapley values of patches."""

from collections.abc import Iterable, Sequence
from math import factorial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...game.terms import PresenceSet, make_presence_masks
from ..losses import sum_live_parts
from .image_nets import PatchNet
from .pair_loss import average_pairs, compute_size_modes
from .patches import Patches


def compute_shares(n_players: int, size: int, n_modes: int) -> NDArray[np.float64]:
    """Shapley values of the game ``b_m(|S|) 1[T ⊆ S]`` with ``|T| = size``, shape (2, n_modes).

    First row: the value of each member, which completes T, ``sum_s w(s) C(d - t, s - t + 1) b_m(s + 1)``. Second row: the value
    of each other player, which changes the factor of T, ``sum_s w(s) C(d - t - 1, s - t) (b_m(s + 1) - b_m(s))``. Here s is the
    number of players before it and ``w(s) = s! (d - s - 1)! / d!`` (method.md, section 6). All players together have
    ``b_m(d)``: 1 for mode 0, 0 for the others.

    Examples
    --------
    >>> compute_shares(3, 1, 2).round(3)
    array([[ 1.  ,  0.5 ],
           [ 0.  , -0.25]])
    """
    d, t = n_players, size
    modes = compute_size_modes(d, n_modes)
    shares = np.zeros((2, n_modes))
    for s in range(t - 1, d):
        weight = factorial(s) * factorial(d - s - 1) / factorial(d)
        shares[0] += weight * _choose(d - t, s - t + 1) * modes[:, s + 1]
        if s >= t:
            shares[1] += weight * _choose(d - t - 1, s - t) * (modes[:, s + 1] - modes[:, s])
    return shares


def _choose(n: int, k: int) -> int:
    return factorial(n) // (factorial(k) * factorial(n - k)) if 0 <= k <= n else 0


class ImageGame(nn.Module):
    """``g(x; S) = base + sum_m b_m(|S|) [sum_R 1[R ⊆ S] h_R^m(x) + sum_{i<j} 1[i, j ∈ S] p_ij^m(x)]`` of an image x.

    Parameters
    ----------
    patches : Patches
    presence_sets : sequence of tuple of int
    n_channels, n_modes, n_outputs, width, rank : int
        As in :class:`PatchNet`.
    """

    base: Tensor
    spread: Tensor
    part_means: Tensor
    pair_means: Tensor
    members: Tensor
    own: Tensor
    others: Tensor
    pair_shares: Tensor
    modes: Tensor

    def __init__(
        self,
        patches: Patches,
        presence_sets: Sequence[PresenceSet],
        n_channels: int,
        n_modes: int,
        n_outputs: int,
        width: int,
        rank: int,
    ) -> None:
        super().__init__()
        self.net = PatchNet(patches, presence_sets, n_channels, n_modes, n_outputs, width, rank)
        d, n_sets = patches.n_players, len(presence_sets)
        self.n_players = d
        self.register_buffer("base", torch.zeros(n_outputs))
        self.register_buffer("spread", torch.ones(()))
        self.register_buffer("part_means", torch.zeros(n_sets, n_modes, n_outputs))
        self.register_buffer("pair_means", torch.zeros(d if rank else 0, d if rank else 0, n_modes, n_outputs))
        members = make_presence_masks(presence_sets, d)
        shares = np.array([compute_shares(d, int(size), n_modes) for size in members.sum(axis=1)])  # (n_sets, 2, n_modes)
        fixed = {
            "members": members,
            "own": shares[:, 0] - shares[:, 1],
            "others": shares[:, 1],
            "pair_shares": compute_shares(d, 2, n_modes),
            "modes": compute_size_modes(d, n_modes),
        }
        for name, values in fixed.items():
            self.register_buffer(name, torch.as_tensor(values.astype(np.float32)), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Centred parts, and embeddings, on the scale of the net: outputs minus the base value, divided by ``spread``."""
        parts, embeddings = self.net(images)
        return parts - self.part_means, embeddings

    def explain(self, images: Tensor) -> Tensor:
        """Shapley values, shape (n_images, n_players, n_outputs): one pass of the net, then sums."""
        parts, embeddings = self(images)
        members = self.members
        values = torch.einsum("rp,nrc->npc", members, torch.einsum("nrmc,rm->nrc", parts, self.own))
        shared = torch.einsum("nrmc,rm->nc", parts, self.others)
        if embeddings is not None:
            rows = self._sum_rows(embeddings)
            member, other = self.pair_shares.unbind()
            values = values + torch.einsum("npmc,m->npc", rows, member - other)
            shared = shared + torch.einsum("npmc,m->nc", rows, other) / 2
        return (values + shared.unsqueeze(1)) * self.spread

    def _sum_rows(self, embeddings: Tensor) -> Tensor:
        """Centred sums ``r_i`` of the pairs of each player, shape (n_images, n_players, n_modes, n_outputs)."""
        whole = embeddings.sum(dim=1, keepdim=True)
        rows = torch.einsum("npk,mck->npmc", embeddings * (whole - embeddings), self.net.signs)
        return rows - self.pair_means.sum(dim=1)

    def predict(self, images: Tensor, masks: Tensor) -> Tensor:
        """Values of the game at masks of players, (n_images, n_players), bool; shape (n_images, n_outputs)."""
        parts, embeddings = self(images)
        return self.combine(parts, embeddings, masks)

    def combine(self, parts: Tensor, embeddings: Tensor | None, masks: Tensor) -> Tensor:
        """Values of the game at masks, from parts and embeddings of the images."""
        live = sum_live_parts(parts.flatten(2), masks, self.members).reshape(len(masks), *self.net.shape)
        if embeddings is not None:
            live = live + self._sum_live_pairs(embeddings, masks.to(parts.dtype))
        factors = self.modes.T[masks.sum(dim=1)]  # (n_images, n_modes)
        return self.base + self.spread * torch.einsum("nmc,nm->nc", live, factors)

    def _sum_live_pairs(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Sum of the pairs of present players, shape (n_images, n_modes, n_outputs)."""
        known = embeddings * present.unsqueeze(2)
        products = torch.einsum("nk,mck->nmc", known.sum(dim=1).square() - known.square().sum(dim=1), self.net.signs)
        means = torch.einsum("np,nq,pqmc->nmc", present, present, self.pair_means)
        return (products - means) / 2

    def centre(self, batches: Iterable[Tensor]) -> None:
        """Centre every part and pair, so that its mean over all images of the batches is zero."""
        with torch.no_grad():
            self.part_means.zero_()
            means, pair_means, n_images = torch.zeros_like(self.part_means), torch.zeros_like(self.pair_means), 0
            for images in batches:
                parts, embeddings = self(images)
                means += parts.sum(dim=0)
                if embeddings is not None:
                    pair_means += len(images) * average_pairs(embeddings, self.net.signs)
                n_images += len(images)
            self.part_means.copy_(means / n_images)
            self.pair_means.copy_(pair_means / n_images)
