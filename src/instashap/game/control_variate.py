"""Shapley values of single games from sampled coalitions, with a game whose values are known as control variate.

``Shapley(F) = Shapley(g) + Shapley(F - g)``: the first is known, the second is estimated from pairs of coalitions
(:mod:`instashap.game.pairs`), unbiased whatever g is. Images and texts differ only in the two functions that they pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .pairs import PRIOR_PAIRS, PairSample, check_coalitions, count_pairs, sample_pairs

# Different samples of coalitions, which games take in turn, so that their chance errors are not shared.
_N_SAMPLES = 128
# Coalitions in one block.
_BLOCK = 8192

# Maps numbers of games, (n_asked,), and masks of players, bool of shape (n_asked, n_players), to outputs (n_asked, n_outputs).
Ask = Callable[[NDArray[np.int64], NDArray[np.bool_]], NDArray[np.float64]]


class Known(NamedTuple):
    """A game g of which everything is known.

    Attributes
    ----------
    values : ndarray of shape (n_games, n_players, n_outputs), float64
        Its Shapley values.
    at_masks : ndarray of shape (n_games, n_masks, n_outputs), float64
        Its values at the masks that were asked for.
    """

    values: NDArray[np.float64]
    at_masks: NDArray[np.float64]


# Maps numbers of games, (n_games,), and their masks, bool of shape (n_games, n_masks, n_players), to what is known of them.
Control = Callable[[NDArray[np.int64], NDArray[np.bool_]], Known]


@dataclass(frozen=True)
class Estimates:
    """Estimates of the Shapley values of residual games ``F - g``.

    Attributes
    ----------
    values, variances : ndarray of shape (n_games, n_players, n_outputs), float64
        ``values`` sum to the game's total exactly.
    control : ndarray of shape (n_games, n_players, n_outputs), float64
        Shapley values of g.
    base : ndarray of shape (n_games, n_outputs), float64
        ``F(∅)``.
    """

    values: NDArray[np.float64]
    variances: NDArray[np.float64]
    control: NDArray[np.float64]
    base: NDArray[np.float64]

    def shrink(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values pulled towards equal shares of each game's total, and their standard errors, by empirical Bayes.

        What an output's estimates deviate from equal shares has, over all games and players, the mean square of the true
        deviations plus the mean variance. The pull is by the ratio of the two, one for each output; sums are kept.
        """
        equal = self.values.mean(axis=1, keepdims=True)
        square = np.square(self.values - equal).mean(axis=(0, 1))
        noise = self.variances.mean(axis=(0, 1))
        kept = np.clip(1.0 - noise / np.maximum(square, 1e-300), 0.0, 1.0)
        return equal + kept * (self.values - equal), np.sqrt(kept * self.variances)


def estimate_games(
    ask: Ask, control: Control, shape: tuple[int, int], n_coalitions: int, seed: int, prior: float = PRIOR_PAIRS
) -> Estimates:
    """Estimate the Shapley values that the known games leave.

    Parameters
    ----------
    ask : callable
        The games F, by their numbers.
    control : callable
        The games g, on the scale of F.
    shape : (int, int)
        Numbers of games and of players.
    n_coalitions : int
        Coalitions of each game, the empty and the full one among them; from ``2**n_players`` on the values are exact.
    seed : int
    prior : float
        As in :class:`instashap.game.pairs.PairSample`.

    Raises
    ------
    ValueError
        If there are fewer coalitions than one pair of each size needs.

    Examples
    --------
    >>> nothing = lambda numbers, masks: Known(np.zeros((1, 2, 1)), np.zeros((1, masks.shape[1], 1)))
    >>> product = lambda numbers, masks: 6.0 * masks.all(axis=1, keepdims=True)
    >>> estimate_games(product, nothing, (1, 2), 4, 0).values.ravel()
    array([3., 3.])
    """
    samples = draw_samples(shape, n_coalitions, seed, prior)
    found: list[tuple[NDArray[np.float64], ...]] = []
    for block in sample_games(ask, control, samples, shape[0]):
        own = [samples[number % len(samples)] for number in block.numbers]
        pairs = [sample.estimate(odd, total) for sample, odd, total in zip(own, block.odd, block.totals, strict=True)]
        values, variances = (np.stack(parts) for parts in zip(*pairs, strict=True))
        found.append((values, variances, block.control, block.base))
    return Estimates(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def draw_samples(shape: tuple[int, int], n_coalitions: int, seed: int, prior: float = PRIOR_PAIRS) -> list[PairSample]:
    """Samples of coalitions that the games take in turn; arguments as of :func:`estimate_games`."""
    n, d = shape
    check_coalitions(n_coalitions, d, "players")
    n_all = int(count_pairs(d).sum())
    n_pairs = min((n_coalitions - 2) // 2, n_all)
    rng = np.random.default_rng(seed)
    return [sample_pairs(n_pairs, d, rng, prior) for _ in range(1 if n_pairs == n_all else min(_N_SAMPLES, n))]


class SampledGames(NamedTuple):
    """Values of some residual games ``F - g`` at their sampled coalitions.

    Attributes
    ----------
    numbers : ndarray of shape (n_games,), int64
    odd : ndarray of shape (n_games, n_pairs, n_outputs), float64
        ``(v(S) - v(N \\ S)) / 2`` for each pair of the game's sample.
    totals : ndarray of shape (n_games, n_outputs), float64
        ``v(N) - v(∅)``.
    control, base
        As in :class:`Estimates`.
    """

    numbers: NDArray[np.int64]
    odd: NDArray[np.float64]
    totals: NDArray[np.float64]
    control: NDArray[np.float64]
    base: NDArray[np.float64]


def sample_games(ask: Ask, control: Control, samples: list[PairSample], n_games: int) -> Iterator[SampledGames]:
    """Values of the residual games, block by block; game number k has sample ``k % len(samples)``."""
    step = max(_BLOCK // max(2 * len(samples[0].masks), 1), 1)
    for start in range(0, n_games, step):
        numbers = np.arange(start, min(start + step, n_games))
        yield _sample_block(ask, control, numbers, [samples[number % len(samples)] for number in numbers])


def _sample_block(ask: Ask, control: Control, numbers: NDArray[np.int64], samples: list[PairSample]) -> SampledGames:
    n, d = len(numbers), samples[0].n_players
    masks = np.stack([np.concatenate([sample.masks, ~sample.masks]) for sample in samples])
    nothing, whole = (ask(numbers, np.full((n, d), present)) for present in (False, True))
    asked = nothing[:, None][:, :0]
    if masks.size:
        asked = ask(np.repeat(numbers, masks.shape[1]), masks.reshape(-1, d)).reshape(n, masks.shape[1], -1)
    known = control(numbers, masks)
    present, absent = np.split(asked - known.at_masks, 2, axis=1)
    return SampledGames(numbers, (present - absent) / 2, (whole - nothing) - known.values.sum(axis=1), known.values, nothing)
