"""Shapley values of single images from sampled coalitions of a masked model, with the fitted games as control variate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._validation import check_choice
from ...game.control_variate import Ask, Control, Estimates, Known, draw_samples, estimate_games, sample_games
from ...game.pairs import PRIOR_PAIRS, check_coalitions
from .context_net import ContextNet, PairLabels
from .image_game import ImageGame
from .patches import Patches, to_tensor
from .reading import ImageModel, ask_masked

# What a context net leaves has smaller linear parts than most games: the fit of a sample's pairs is shrunk more.
_PRIOR = 1.2

# Maps images and masks of players, bool of shape (n_images, n_players), to outputs of shape (n_images, n_outputs).
Play = Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[np.float64]]


def make_play(value_function: Any, model: ImageModel | None, patches: Patches) -> Play | None:
    """The masked value function of images and masks of players; None for the conditional game."""
    if isinstance(value_function, str):
        check_choice(value_function, ("conditional",), "value_function")
        return None
    if not callable(value_function):
        raise TypeError(f"value_function must be 'conditional' or a function of images and masks, got {value_function!r}")
    return lambda images, masks: ask_masked(model, value_function, images, patches.spread(masks))


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
    ask, control = _make_games(play, game, context, images)
    prior = PRIOR_PAIRS if context is None else _PRIOR
    return estimate_games(ask, control, (len(images), game.n_players), n_coalitions, seed, prior)


def sample_labels(play: Play, game: ImageGame, images: NDArray[Any], n_coalitions: int, seed: int) -> PairLabels:
    """Values at sampled coalitions from which a context net learns; the additive game is a control variate.

    What the additive game g leaves at a coalition, plus the sum of g's Shapley values over its players: a game with the Shapley
    values of the value function, in which the interactions of g no longer count as noise.
    """
    check_coalitions(n_coalitions, game.n_players, "patches")
    samples = draw_samples((len(images), game.n_players), n_coalitions, seed)
    blocks = sample_games(*_make_games(play, game, None, images), samples, len(images))
    targets = []
    for block in blocks:
        own = block.numbers % len(samples)
        left = [samples[k].centre(odd, total) for k, odd, total in zip(own, block.odd, block.totals, strict=True)]
        members = np.stack([samples[k].members for k in own])
        targets.append((np.stack(left) + members @ block.control).astype(np.float32))
    return PairLabels(images, np.concatenate(targets), np.stack([sample.masks for sample in samples]), samples[0].weights)


def _make_games(play: Play, game: ImageGame, context: ContextNet | None, images: NDArray[Any]) -> tuple[Ask, Control]:
    """The value function and the fitted games of some images, by their numbers."""
    return (
        lambda numbers, masks: play(images[numbers], masks),
        lambda numbers, masks: evaluate_control(game, context, images[numbers], masks),
    )


def evaluate_control(game: ImageGame, context: ContextNet | None, images: NDArray[Any], masks: NDArray[np.bool_]) -> Known:
    """Shapley values of the fitted games, and their values at masks of shape (n_images, n_masks, n_players).

    With a context net each player of the additive game also adds what the net's value differs from the game's, and the net's
    interactions are added, which have no Shapley values.
    """
    device = game.base.device
    with torch.no_grad():
        seen = to_tensor(images).to(device)
        values = game.explain(seen)
        known = _predict_masks(game, seen, torch.as_tensor(masks, device=device))
        if context is not None:
            present = torch.as_tensor(masks, device=device)
            better, interactions = context.evaluate(seen, present)
            known = known + present.to(values.dtype) @ (better - values) + interactions
            values = better
    return Known(values.double().cpu().numpy(), known.double().cpu().numpy())


def _predict_masks(game: ImageGame, images: Tensor, masks: Tensor) -> Tensor:
    """Values of the additive game at masks, shape (n_images, n_masks, n_outputs); the net reads each image once."""
    parts, embeddings = game(images)
    return torch.stack([game.combine(parts, embeddings, masks[:, number]) for number in range(masks.shape[1])], dim=1)
