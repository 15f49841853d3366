"""One net shared by all patches: parts of single patches and of sets of patches, and embeddings whose products are pairs.

Patches are cut out before the net is applied, so a part depends on the pixels of its own players only, and absent patches
cannot influence the parts that count.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...game.terms import PresenceSet
from .patches import Patches

# Initial weights of the last layers are scaled by this factor, so that a net starts near the base value.
_START = 0.1


class PatchNet(nn.Module):
    """Parts of images, and embeddings of their patches if there is a term for every pair.

    The trunk has the same weights for every patch (a convolution as large as a patch, then 1 × 1 convolutions) and adds learnt
    vectors for the patch's position; parts of several players read the concatenated features of their patches.

    Parameters
    ----------
    patches : Patches
    presence_sets : sequence of tuple of int
        Players of each part, in the order of the parts.
    n_channels, n_modes, n_outputs : int
    width : int
        Number of features of a patch.
    rank : int
        Length of an embedding; 0 for no embeddings.
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
        """Set mean and scale of each channel to those of some images, shape (n_images, n_channels, height, width)."""
        self.mean.copy_(images.mean(dim=(0, 2, 3))[:, None])
        self.scale.copy_(images.std(dim=(0, 2, 3)).clamp_min(1e-6)[:, None])

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Parts (n_images, n_sets, n_modes, n_outputs) and embeddings (n_images, n_players, rank) of images, channels first."""
        flat = (images.flatten(2) - self.mean) / self.scale
        padded = nn.functional.pad(flat, (0, 1))  # positions of a box outside its patch are at the mean
        cut = padded[:, :, self.pixels].transpose(1, 2).flatten(2)  # (n_images, n_players, n_channels · n_most)
        features = self.trunk(nn.functional.gelu(self.stem(cut) + self.place))
        parts = torch.cat([head(features) for head in self.heads], dim=1)[:, self.order]
        embeddings = None if self.embed is None else self.embed(features) * self.embed_place
        return parts.reshape(*parts.shape[:2], *self.shape), embeddings


class _Residual(nn.Module):
    """``x + W gelu(V norm(x) + place)``: a position vector is added again, because the meaning of a pattern depends on it."""

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
    """Parts of presence sets of one size: features of their players, mixed by shared weights; each set has its own output."""

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
