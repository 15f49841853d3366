"""Held-out rows: their choice, and the share of a net's correction that they support."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# A correction must lower the held-out loss by this many standard errors, because its epoch was chosen on the same rows.
_LEAST_Z = 2.0


def split_rows(n_rows: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Training rows and held-out rows, at least one of each if there are two; a single row is in both.

    Raises ``ValueError`` for a share that is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"held_out={share!r} must be a share between 0 and 1, such as 0.1")
    order = torch.randperm(n_rows, generator=torch.Generator().manual_seed(seed))
    n_held_out = min(max(round(share * n_rows), 1), max(n_rows - 1, 1))
    return order[n_held_out:] if n_rows > 1 else order, order[:n_held_out]


def compute_kept_share(corrections: NDArray[np.float64], targets: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The multiple of a correction, 0 to 1, with the least held-out squared error; 0 unless the decrease is significant.

    Parameters
    ----------
    corrections, targets : ndarray of shape (n_rows, n_masks, n_outputs), float64
        Outputs of a net at some masks of each row, and the residuals that it should correct there.
    weights : ndarray of shape (n_rows,), float64

    Examples
    --------
    >>> targets = np.array([1.0, -1.0, 1.0, -1.1]).reshape(4, 1, 1)
    >>> round(compute_kept_share(2 * targets, targets, np.ones(4)), 6), compute_kept_share(-targets, targets, np.ones(4))
    (0.5, 0.0)
    """
    own, cross = (np.sum(corrections * each, axis=(1, 2)) for each in (corrections, targets))
    if not np.sum(weights * own) > 0:
        return 0.0
    share = float(np.clip(np.sum(weights * cross) / np.sum(weights * own), 0.0, 1.0))
    gains = 2 * share * cross - share**2 * own  # decrease of each row's squared error
    mean = np.average(gains, weights=weights)
    spread = np.sqrt(np.sum((weights * (gains - mean)) ** 2)) / weights.sum()
    return share if mean > _LEAST_Z * spread else 0.0
