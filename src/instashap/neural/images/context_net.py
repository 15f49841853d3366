"""Shapley values of what an additive game leaves of a masked model, by one net that reads the whole image.

An additive game of patches cannot hold values that depend on the rest of the image. Let F be the value function and g the
additive game. Shapley values are linear in the game: those of F are those of g, sums of parts, plus those of F - g. The net is
trained on unbiased estimates of the latter, each from few coalitions of one image: noise that has mean zero averages out over
the images (stochastic amortisation, Covert et al. 2024; the additive game as the start is ours).
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
from .patches import Patches, split_rows, to_tensor

# Channels and stride of the trunk if the black box has none of its own to start from.
_WIDTHS, _STRIDE = (16, 32, 64), 2
# Initial weights of the last layer are scaled by this factor, so that training starts from the additive game.
_START = 0.1


class ContextNet(nn.Module):
    """Values of patches from the whole image: features of the patch and of the image; an image's values sum to zero.

    Parameters
    ----------
    patches : Patches
    n_channels, n_outputs : int
    widths, stride
        As in :class:`MaskedResNet`.
    """

    pool: Tensor
    spread: Tensor

    def __init__(self, patches: Patches, n_channels: int, n_outputs: int, widths: Sequence[int], stride: int) -> None:
        super().__init__()
        self.trunk = MaskedResNet(n_channels, 1, widths, stride)
        self.trunk.head = nn.Identity()  # type: ignore[assignment]
        width, d = widths[-1], patches.n_players
        self.inner = nn.Linear(2 * width, width)
        self.place = nn.Parameter(torch.zeros(d, width))
        self.last = nn.Linear(width, n_outputs)
        with torch.no_grad():
            self.last.weight.mul_(_START)
            self.last.bias.zero_()
        self.register_buffer("spread", torch.ones(()))
        self.register_buffer("pool", _make_pool(self.trunk, patches, n_channels), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Values divided by ``spread``, (n_images, n_players, n_outputs), of images (n_images, n_channels, height, width)."""
        features = self.trunk.read(images, torch.ones_like(images[:, :1])).flatten(2)
        own = torch.einsum("nfq,pq->npf", features, self.pool)
        whole = features.mean(dim=2)[:, None].expand_as(own)
        values: Tensor = self.last(nn.functional.gelu(self.inner(torch.cat([own, whole], dim=2)) + self.place))
        return values - values.mean(dim=1, keepdim=True)

    def explain(self, images: Tensor) -> Tensor:
        """Shapley values of the residual game without its total, shape (n_images, n_players, n_outputs)."""
        values: Tensor = self(images) * self.spread
        return values


@dataclass(frozen=True)
class Labels:
    """Unbiased Shapley values of the residual game of images, without the equal shares of its total.

    Attributes
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, n_channels)
    values : ndarray of shape (n_images, n_players, n_outputs), float32
    held_out : ndarray of shape (n_held_out,), int64
        Positions of the images by which the epoch and the net's share are chosen.
    """

    images: NDArray[Any]
    values: NDArray[np.float32]
    held_out: NDArray[np.int64]


def train_context(
    labels: Labels, patches: Patches, source: nn.Module | None, plan: TrainingPlan, device: torch.device
) -> ContextNet:
    """A net of the residual game; scaled to zero where it does not lower the held-out error.

    Parameters
    ----------
    labels : Labels
    patches : Patches
    source : Module or None
        The black box's own net; the weights of a :class:`MaskedResNet` are where the training starts.
    plan : TrainingPlan
    device : device
    """
    n_channels = 1 if labels.images.ndim == 3 else labels.images.shape[3]
    net = _start_net(labels, patches, source, n_channels, plan.seed).to(device)
    targets = torch.as_tensor(labels.values) / float(net.spread)
    kept = torch.as_tensor(np.setdiff1d(np.arange(len(labels.images)), labels.held_out))
    held_out = torch.as_tensor(labels.held_out)

    def measure(rows: Tensor) -> Tensor:
        found = net(to_tensor(labels.images[rows.numpy()]).to(device))
        loss: Tensor = (found - targets[rows].to(device)).square().mean()
        return loss

    def measure_held_out() -> float:
        batches = [held_out[rows] for rows in split_rows(len(held_out))]
        return sum(float(measure(rows)) * len(rows) for rows in batches) / len(held_out)

    train(net, lambda rows, _: measure(kept[rows]), len(kept), measure_held_out, plan)
    with torch.no_grad():
        batches = (labels.images[labels.held_out[rows]] for rows in split_rows(len(held_out)))
        corrections = torch.cat([net(to_tensor(some).to(device)).cpu() for some in batches]).double().numpy()
    share = compute_kept_share(corrections, targets[held_out].double().numpy(), np.ones(len(held_out)))
    net.spread.mul_(share)
    return net


def _start_net(labels: Labels, patches: Patches, source: nn.Module | None, n_channels: int, seed: int) -> ContextNet:
    """A net before training, on the scale of the labels."""
    own = source if isinstance(source, MaskedResNet) else None
    with seed_weights(seed):
        widths, stride = (_WIDTHS, _STRIDE) if own is None else (own.widths, own.stride)
        net = ContextNet(patches, n_channels, labels.values.shape[2], widths, stride)
    if own is None:
        pixels = to_tensor(labels.images[:10_000])
        net.trunk.mean.copy_(pixels.mean(dim=(0, 2, 3))[:, None, None])
        net.trunk.scale.copy_(pixels.std(dim=(0, 2, 3)).clamp_min(1e-6)[:, None, None])
    else:
        weights = {name: value for name, value in own.state_dict().items() if not name.startswith("head.")}
        net.trunk.load_state_dict(deepcopy(weights))
    net.spread.fill_(float(np.sqrt(np.square(labels.values).mean())) or 1.0)
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
