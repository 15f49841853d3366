"""Shapley values of single images from sampled coalitions of a masked model, with the fitted games as control variate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...game.control_variate import Estimates, Known, estimate_games
from ...game.pairs import check_coalitions
from .context_net import ContextNet
from .image_game import ImageGame
from .patches import to_tensor

# Maps images and masks of players, bool of shape (n_images, n_players), to outputs of shape (n_images, n_outputs).
Play = Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[np.float64]]


def estimate_residual(
    play: Play, game: ImageGame, context: ContextNet | None, images: NDArray[Any], n_coalitions: int, seed: int
) -> Estimates:
    """Estimate the Shapley values that the additive game and the context net leave.

    Parameters
    ----------
    play : callable
        The value function F, on the scale of the game.
    game : ImageGame
    context : ContextNet or None
    images : ndarray
    n_coalitions, seed : int
        As in :func:`instashap.game.control_variate.estimate_games`.
    """
    check_coalitions(n_coalitions, game.n_players, "patches")
    return estimate_games(
        lambda numbers, masks: play(images[numbers], masks),
        lambda numbers, masks: evaluate_control(game, context, images[numbers], masks),
        (len(images), game.n_players),
        n_coalitions,
        seed,
    )


def evaluate_control(game: ImageGame, context: ContextNet | None, images: NDArray[Any], masks: NDArray[np.bool_]) -> Known:
    """Shapley values of the fitted games, and their values at masks of shape (n_images, n_masks, n_players)."""
    device = game.base.device
    with torch.no_grad():
        seen = to_tensor(images).to(device)
        values = game.explain(seen)
        known = _predict_masks(game, seen, torch.as_tensor(masks, device=device))
        if context is not None:
            extra = context.explain(seen)
            values = values + extra
            known = known + torch.einsum("nkp,npc->nkc", torch.as_tensor(masks, device=device).to(extra.dtype), extra)
    return Known(values.double().cpu().numpy(), known.double().cpu().numpy())


def _predict_masks(game: ImageGame, images: Tensor, masks: Tensor) -> Tensor:
    """Values of the additive game at masks, shape (n_images, n_masks, n_outputs); the net reads each image once."""
    parts, embeddings = game(images)
    return torch.stack([game.combine(parts, embeddings, masks[:, number]) for number in range(masks.shape[1])], dim=1)
