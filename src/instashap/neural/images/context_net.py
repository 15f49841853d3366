"""Shapley values of the patches of a masked model by one net that reads the whole image.

An additive game of patches cannot hold values that depend on the rest of the image. This net learns them from few sampled
coalitions of each image, by the regression whose solution they are: its values of an image should add up to the value function
at these coalitions (FastSHAP's loss, Jethani et al. 2022). Ours: pairs of complements, stratified by size, are asked about once
and read in every epoch; an additive game is a control variate, which removes its interactions from the noise; the net also
predicts interactions, so that its whole game is known and is in turn a control variate of ``refine``; training starts from the
weights of the black box.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..held_out import compute_kept_share
from ..training import TrainingPlan, seed_weights, train
from .black_box import MaskedResNet
from .image_training import hold_out
from .interactions import RANK, InteractionNet
from .patches import Patches, split_rows, to_tensor

# Channels and stride of the trunk if the black box has none of its own to start from.
_WIDTHS, _STRIDE = (16, 32, 64), 2
# Initial weights of the last layer are scaled by this factor, so that training starts from the additive game.
_START = 0.1


class ContextNet(nn.Module):
    """Games of patches from the whole image: values, which sum to zero, and interactions without Shapley values.

    Parameters
    ----------
    patches : Patches
    n_channels, n_outputs : int
    widths, stride
        As in :class:`MaskedResNet`.
    rank : int
        Number of products of three patches among the interactions; 0: values only, as in older files.
    """

    pool: Tensor
    spread: Tensor

    def __init__(
        self, patches: Patches, n_channels: int, n_outputs: int, widths: Sequence[int], stride: int, rank: int = RANK
    ) -> None:
        super().__init__()
        self.trunk = MaskedResNet(n_channels, 1, widths, stride)
        self.trunk.head = nn.Identity()  # type: ignore[assignment]
        width, d = widths[-1], patches.n_players
        self.inner = nn.Linear(2 * width, width)
        self.place = nn.Parameter(torch.zeros(d, width))
        self.last = nn.Linear(width, n_outputs)
        self.interactions = InteractionNet(d, n_outputs, width, rank) if rank else None
        with torch.no_grad():
            self.last.weight.mul_(_START)
            self.last.bias.zero_()
        self.register_buffer("spread", torch.ones(()))
        self.register_buffer("pool", _make_pool(self.trunk, patches, n_channels), persistent=False)

    def forward(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Games of images, channels first, divided by ``spread``.

        Returns
        -------
        values : Tensor of shape (n_images, n_players, n_outputs)
        interactions : Tensor of shape (n_images, n_masks, n_outputs)
            At masks of shape (n_images, n_masks, n_players), bool.
        """
        features, whole = self._read(images)
        values = self._find_values(features)
        if self.interactions is None:
            return values, values.new_zeros(*masks.shape[:2], values.shape[2])
        return values, self.interactions(features, whole, masks)

    def explain(self, images: Tensor) -> Tensor:
        """Shapley values without equal shares of their total, shape (n_images, n_players, n_outputs)."""
        return self._find_values(self._read(images)[0]) * self.spread

    def evaluate(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """The values of :meth:`explain`, and the interactions at masks, on the same scale."""
        values, interactions = self(images, masks)
        return values * self.spread, interactions * self.spread

    def _read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features of each patch beside those of its image, and those of the images."""
        features = self.trunk.read(images, torch.ones_like(images[:, :1])).flatten(2)
        own, whole = torch.einsum("nfq,pq->npf", features, self.pool), features.mean(dim=2)
        return torch.cat([own, whole[:, None].expand_as(own)], dim=2), whole

    def _find_values(self, features: Tensor) -> Tensor:
        values: Tensor = self.last(nn.functional.gelu(self.inner(features) + self.place))
        return values - values.mean(dim=1, keepdim=True)


@dataclass(frozen=True)
class PairLabels:
    """Games of images at sampled pairs of coalitions (:mod:`instashap.game.pairs`).

    Attributes
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, n_channels)
    centred : ndarray of shape (n_images, n_pairs, n_outputs), float32
        Odd values ``(v(S) - v(N \\ S)) / 2`` without the equal shares of the total.
    masks : ndarray of shape (n_samples, n_pairs, n_players), bool
        The smaller coalitions of the samples' pairs; images take the samples in turn.
    weights : ndarray of shape (n_pairs,), float64
    """

    images: NDArray[Any]
    centred: NDArray[np.float32]
    masks: NDArray[np.bool_]
    weights: NDArray[np.float64]


def train_context(
    labels: PairLabels, patches: Patches, source: nn.Module | None, plan: TrainingPlan, device: torch.device
) -> ContextNet:
    """A net of the games' Shapley values; scaled to zero where it does not lower the held-out error of equal values.

    Parameters
    ----------
    labels : PairLabels
    patches : Patches
    source : Module or None
        The black box's own net; the weights of a :class:`MaskedResNet` are where the training starts.
    plan : TrainingPlan
    device : device
    """
    n_channels = 1 if labels.images.ndim == 3 else labels.images.shape[3]
    net = _start_net(labels, patches, source, n_channels, plan.seed).to(device)
    roots = torch.as_tensor(np.sqrt(labels.weights), dtype=torch.float32)
    masks = torch.as_tensor(labels.masks)
    targets = torch.as_tensor(labels.centred) * (roots[:, None] / net.spread.cpu())
    held_out, kept = hold_out(len(labels.images), plan.seed)

    def read(rows: Tensor) -> tuple[Tensor, Tensor]:
        """Games of the net at the pairs, and what they should be, each of shape (n_rows, n_pairs, n_outputs)."""
        present = masks[rows % len(masks)].to(device)
        values, interactions = net(to_tensor(labels.images[rows.numpy()]).to(device), present)
        games = present.to(values.dtype) @ values + interactions  # the values sum to zero
        return games * roots[:, None].to(device), targets[rows].to(device)

    def measure(rows: Tensor) -> Tensor:
        found, wanted = read(rows)
        return (found - wanted).square().sum(dim=1).mean()

    def measure_held_out() -> float:
        batches = [held_out[rows] for rows in split_rows(len(held_out))]
        return sum(float(measure(rows)) * len(rows) for rows in batches) / len(held_out)

    train(net, lambda rows, _: measure(kept[rows]), len(kept), measure_held_out, plan)
    with torch.no_grad():
        found, wanted = zip(*(read(held_out[rows]) for rows in split_rows(len(held_out))), strict=True)
    corrections, left = (torch.cat(each).double().cpu().numpy() for each in (found, wanted))
    net.spread.mul_(compute_kept_share(corrections, left, np.ones(len(held_out))))
    return net


def _start_net(labels: PairLabels, patches: Patches, source: nn.Module | None, n_channels: int, seed: int) -> ContextNet:
    """A net before training, on the scale of the labels."""
    own = source if isinstance(source, MaskedResNet) else None
    with seed_weights(seed):
        widths, stride = (_WIDTHS, _STRIDE) if own is None else (own.widths, own.stride)
        net = ContextNet(patches, n_channels, labels.centred.shape[2], widths, stride)
    if own is None:
        pixels = to_tensor(labels.images[:10_000])
        net.trunk.mean.copy_(pixels.mean(dim=(0, 2, 3))[:, None, None])
        net.trunk.scale.copy_(pixels.std(dim=(0, 2, 3)).clamp_min(1e-6)[:, None, None])
    else:
        weights = {name: value for name, value in own.state_dict().items() if not name.startswith("head.")}
        net.trunk.load_state_dict(deepcopy(weights))
    square = np.einsum("npc,p->", np.square(labels.centred), labels.weights) / (len(labels.centred) * labels.centred.shape[2])
    net.spread.fill_(float(np.sqrt(square / patches.n_players)) or 1.0)
    return net


def _make_pool(trunk: MaskedResNet, patches: Patches, n_channels: int) -> Tensor:
    """Share of each position of the feature map in the mean of each patch, shape (n_players, n_positions)."""
    with torch.no_grad():
        was_training = trunk.training
        shape = trunk.eval().read(torch.zeros(1, n_channels, *patches.shape), torch.ones(1, 1, *patches.shape)).shape[2:]
        trunk.train(was_training)
    members = torch.as_tensor(np.arange(patches.n_players)[:, None, None] == patches.segments).float()
    shares = nn.functional.adaptive_avg_pool2d(members, (int(shape[0]), int(shape[1]))).flatten(1)
    return shares / shares.sum(dim=1, keepdim=True)
