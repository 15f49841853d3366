"""One shared net for all patches: what each adds, what several add together, and an embedding for every pair of them.

Patches are cut out before the net reads anything: a part reads the pixels of its own players and no others, so masked
patches cannot leak into what is counted.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...game.terms import PresenceSet
from .patches import Patches

# Weights of the last layers start this much smaller than usual: a net starts near the base value.
_START = 0.1


class PatchNet(nn.Module):
    """Parts of images, and embeddings of their patches if all pairs are to count.

    The trunk reads every patch with the same weights (a convolution as large as a patch and 1 × 1 ones after it) and adds
    what stands for its place; sets of several players read the trunk's features of each, side by side.

    Parameters
    ----------
    patches : Patches
    presence_sets : sequence of tuple of int
        Parts, single players and sets of several, in the order in which they come out.
    n_channels, n_modes, n_outputs : int
    width : int
        Features of a patch.
    rank : int
        Numbers of an embedding; 0 for none.
    """

    pixels: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        patches: Patches,
        presence_sets: Sequence[PresenceSet],
        n_channels: int,
        n_modes: int,
        n_outputs: int,
        width: int = 128,
        rank: int = 0,
    ) -> None:
        super().__init__()
        self.shape = n_modes, n_outputs
        self.register_buffer("pixels", torch.as_tensor(patches.pixels), persistent=False)
        self.register_buffer("mean", torch.zeros(n_channels, 1))
        self.register_buffer("scale", torch.ones(n_channels, 1))
        n_players = patches.n_players
        self.stem = nn.Linear(n_channels * patches.pixels.shape[1], width)
        self.place = nn.Parameter(torch.randn(n_players, width) / width**0.5)
        self.trunk = nn.Sequential(_Residual(width, n_players), _Residual(width, n_players))
        by_size: dict[int, list[int]] = {}
        for number, players in enumerate(presence_sets):
            by_size.setdefault(len(players), []).append(number)
        self.order = torch.tensor([number for numbers in by_size.values() for number in numbers]).argsort()
        self.heads = nn.ModuleList(
            _Head([presence_sets[number] for number in numbers], width, n_modes * n_outputs) for numbers in by_size.values()
        )
        self.embed = nn.Linear(width, rank) if rank else None
        self.embed_place = nn.Parameter(torch.ones(n_players, rank))
        self.signs = nn.Parameter(_START * torch.randn(n_modes, n_outputs, rank) / max(rank, 1) ** 0.5)

    def set_scale(self, images: Tensor) -> None:
        """Pixels are standardised by channel, as those of some images, (n_images, n_channels, height, width), are spread."""
        self.mean.copy_(images.mean(dim=(0, 2, 3))[:, None])
        self.scale.copy_(images.std(dim=(0, 2, 3)).clamp_min(1e-6)[:, None])

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Parts (n_images, n_sets, n_modes, n_outputs) and embeddings (n_images, n_players, rank) of images, channels first."""
        flat = (images.flatten(2) - self.mean) / self.scale
        padded = nn.functional.pad(flat, (0, 1))  # what is outside of a patch is at the mean
        cut = padded[:, :, self.pixels].transpose(1, 2).flatten(2)  # (n_images, n_players, n_channels · n_most)
        features = self.trunk(nn.functional.gelu(self.stem(cut) + self.place))
        parts = torch.cat([head(features) for head in self.heads], dim=1)[:, self.order]
        embeddings = None if self.embed is None else self.embed(features) * self.embed_place
        return parts.reshape(*parts.shape[:2], *self.shape), embeddings


class _Residual(nn.Module):
    """``x + W gelu(V norm(x) + place)``: what stands for the place is added again, as it decides what a pattern means."""

    def __init__(self, width: int, n_places: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)
        self.place = nn.Parameter(torch.zeros(n_places, width))

    def forward(self, features: Tensor) -> Tensor:
        inner = nn.functional.gelu(self.inner(self.norm(features)) + self.place)
        changed: Tensor = features + self.outer(inner)
        return changed


class _Head(nn.Module):
    """Parts of presence sets of one size: features of their players, mixed by shared weights, read out set by set."""

    members: Tensor

    def __init__(self, presence_sets: Sequence[PresenceSet], width: int, n_numbers: int) -> None:
        super().__init__()
        members = torch.tensor(list(presence_sets))
        self.register_buffer("members", members, persistent=False)
        n_sets, size = members.shape
        self.mix = None if size == 1 else nn.Linear(size * width, width)
        self.inner = nn.Identity() if size == 1 else _Residual(width, n_sets)
        self.weights = nn.Parameter(_START * torch.randn(n_sets, width, n_numbers) / width**0.5)
        self.biases = nn.Parameter(torch.zeros(n_sets, n_numbers))

    def forward(self, features: Tensor) -> Tensor:
        own = features[:, self.members].flatten(2)  # (n_images, n_sets, size · width)
        read = own if self.mix is None else self.inner(nn.functional.gelu(self.mix(own)))
        return torch.einsum("nsw,swk->nsk", read, self.weights) + self.biases
