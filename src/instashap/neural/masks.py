"""Coalitions drawn for training, as tensors: by a size law, each beside its complement."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def draw_masks(size_law: NDArray[np.float64], n_rows: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Masks of shape (n_rows, n_players), True = present; sizes by the law, then members uniformly.

    The law may have mass at the ends. Its total does not matter. The same generator state gives the same masks on every
    device: they are drawn on the generator's own.
    """
    law = torch.as_tensor(size_law / size_law.sum(), dtype=torch.float32)
    sizes = torch.multinomial(law, n_rows, replacement=True, generator=generator)
    ranks = torch.rand(n_rows, len(size_law) - 1, generator=generator).argsort(dim=1).argsort(dim=1)
    return (ranks < sizes[:, None]).to(device)


def draw_paired_masks(size_law: NDArray[np.float64], n_rows: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """The same with row ``n_rows + k`` the complement of row k (antithetic); for laws symmetric in the size."""
    masks = draw_masks(size_law, n_rows, generator, device)
    return torch.cat([masks, ~masks])
