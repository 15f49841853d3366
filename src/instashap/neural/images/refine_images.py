"""Shapley values of single images from sampled coalitions of a masked model, with the fitted games as control variate.

As for rows of a table (:mod:`instashap.questions.refine`): ``Shapley(F) = Shapley(g) + Shapley(F - g)``, the first exact, the
second estimated from pairs of coalitions, unbiased whatever g is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._validation import check_at_least
from ...game.pairs import PairSample, count_pairs, sample_pairs
from ...questions.refine import count_least_coalitions
from .context_net import ContextNet
from .image_game import ImageGame
from .patches import to_tensor

# Different samples of coalitions, which images take in turn, so that their chance errors are not shared.
_N_SAMPLES = 128
# Masked images in one block.
_BLOCK = 8192

# Maps images and masks of players, bool of shape (n_images, n_players), to outputs of shape (n_images, n_outputs).
Play = Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[np.float64]]


@dataclass(frozen=True)
class ImageEstimates:
    """Estimates of the Shapley values of a residual game ``F - g`` of images.

    Attributes
    ----------
    values, variances : ndarray of shape (n_images, n_players, n_outputs), float64
        ``values`` sum to the game's total exactly.
    control : ndarray of shape (n_images, n_players, n_outputs), float64
        Shapley values of g.
    base : ndarray of shape (n_images, n_outputs), float64
        ``F(x; ∅)``.
    """

    values: NDArray[np.float64]
    variances: NDArray[np.float64]
    control: NDArray[np.float64]
    base: NDArray[np.float64]

    def shrink(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values pulled towards equal shares of each image's total, and their standard errors, by empirical Bayes.

        What an output's estimates deviate from equal shares has, over all images and players, the mean square of the true
        deviations plus the mean variance. The pull is by the ratio of the two, one for each output; sums are kept.
        """
        equal = self.values.mean(axis=1, keepdims=True)
        square = np.square(self.values - equal).mean(axis=(0, 1))
        noise = self.variances.mean(axis=(0, 1))
        kept = np.clip(1.0 - noise / np.maximum(square, 1e-300), 0.0, 1.0)
        return equal + kept * (self.values - equal), np.sqrt(kept * self.variances)


def estimate_residual(
    play: Play, game: ImageGame, context: ContextNet | None, images: NDArray[Any], n_coalitions: int, seed: int
) -> ImageEstimates:
    """Estimate the Shapley values that the additive game and the context net leave.

    Parameters
    ----------
    play : callable
        The value function F, on the scale of the game.
    game : ImageGame
    context : ContextNet or None
    images : ndarray
    n_coalitions : int
        Coalitions of each image, the empty and the full one among them; from ``2**n_players`` on the values are exact.
    seed : int

    Raises
    ------
    ValueError
        If there are fewer coalitions than one pair of each size needs.
    """
    d, n = game.n_players, len(images)
    check_at_least(n_coalitions, count_least_coalitions(d), "n_coalitions", f"{d} patches need a pair of each size")
    n_all = int(count_pairs(d).sum())
    n_pairs = min((n_coalitions - 2) // 2, n_all)
    rng = np.random.default_rng(seed)
    samples = [sample_pairs(n_pairs, d, rng) for _ in range(1 if n_pairs == n_all else min(_N_SAMPLES, n))]
    found: list[tuple[NDArray[np.float64], ...]] = []
    step = max(_BLOCK // (2 * n_pairs), 1)
    for start in range(0, n, step):
        numbers = np.arange(start, min(start + step, n))
        chosen = [samples[number % len(samples)] for number in numbers]
        found.append(_estimate_block(play, game, context, images[numbers], chosen))
    values, variances, control, base = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return ImageEstimates(values, variances, control, base)


def _estimate_block(
    play: Play, game: ImageGame, context: ContextNet | None, images: NDArray[Any], samples: list[PairSample]
) -> tuple[NDArray[np.float64], ...]:
    n, d = len(images), game.n_players
    masks = np.stack([np.concatenate([sample.masks, ~sample.masks]) for sample in samples])
    nothing, whole = (play(images, np.full((n, d), present)) for present in (False, True))
    asked = play(np.repeat(images, masks.shape[1], axis=0), masks.reshape(-1, d)).reshape(n, masks.shape[1], -1)
    control, known = evaluate_control(game, context, images, masks)
    left = (whole - nothing) - control.sum(axis=1)
    present, absent = np.split(asked - known, 2, axis=1)
    odd = (present - absent) / 2
    pairs = [sample.estimate(each, total) for sample, each, total in zip(samples, odd, left, strict=True)]
    values, variances = (np.stack(parts) for parts in zip(*pairs, strict=True))
    return values, variances, control, nothing


def evaluate_control(
    game: ImageGame, context: ContextNet | None, images: NDArray[Any], masks: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shapley values of the fitted games, and their values at masks of shape (n_images, n_masks, n_players).

    Returns
    -------
    values : ndarray of shape (n_images, n_players, n_outputs), float64
    at_masks : ndarray of shape (n_images, n_masks, n_outputs), float64
    """
    device = game.base.device
    with torch.no_grad():
        seen = to_tensor(images).to(device)
        values = game.explain(seen)
        known = _predict_masks(game, seen, torch.as_tensor(masks, device=device))
        if context is not None:
            extra = context.explain(seen)
            values = values + extra
            known = known + torch.einsum("nkp,npc->nkc", torch.as_tensor(masks, device=device).to(extra.dtype), extra)
    return values.double().cpu().numpy(), known.double().cpu().numpy()


def _predict_masks(game: ImageGame, images: Tensor, masks: Tensor) -> Tensor:
    """Values of the additive game at masks, shape (n_images, n_masks, n_outputs); the net reads each image once."""
    parts, embeddings = game(images)
    return torch.stack([game.combine(parts, embeddings, masks[:, number]) for number in range(masks.shape[1])], dim=1)
