"""Random coalitions for training as tensors, drawn by a size law."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def draw_masks(size_law: NDArray[np.float64], n_rows: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Masks of shape (n_rows, n_players), True = present; sizes by the law, then members uniformly.

    The law may have mass at sizes 0 and d, and its total is arbitrary. The same generator state gives the same masks on every
    device, because they are drawn on the generator's device.
    """
    law = torch.as_tensor(size_law / size_law.sum(), dtype=torch.float32)
    sizes = torch.multinomial(law, n_rows, replacement=True, generator=generator)
    ranks = torch.rand(n_rows, len(size_law) - 1, generator=generator).argsort(dim=1).argsort(dim=1)
    return (ranks < sizes[:, None]).to(device)


def draw_paired_masks(size_law: NDArray[np.float64], n_rows: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Masks as :func:`draw_masks` gives, and their complements: row ``n_rows + k`` is that of row k; for symmetric laws."""
    masks = draw_masks(size_law, n_rows, generator, device)
    return torch.cat([masks, ~masks])
