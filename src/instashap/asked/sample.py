"""Sampled coalitions of rows with their values, and the moments of masked functions over them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk

from .._row_arrays import check_magnitude
from ..blackbox.value_functions import Game
from ..game.coalitions import enumerate_coalitions, sample_coalitions
from ..game.terms import PresenceSet, make_presence_masks
from ..masked.design import ValueFunctions
from ..masked.moments import CentredMoments
from ..table.encoding import Encoded

# Target number of coalitions over all rows, and the largest number of pairs of one row.
N_COALITIONS = 20_000
MAX_ROW_PAIRS = 64
# Largest number of hybrid rows (part row, part reference) that the model predicts: seconds for boosted trees, minutes for a
# model that predicts 10 000 rows per second.
MAX_CALLS = 2_000_000
# Number of samples in one dense block of function values.
_BLOCK = 2048


@dataclass(frozen=True)
class CoalitionSample:
    """Values of sampled coalitions.

    Attributes
    ----------
    rows : ndarray of shape (n_samples,), int64
        Position among the rows of the fit.
    masks : ndarray of shape (n_samples, n_players), bool
        True = present.
    gains : ndarray of shape (n_samples, n_outputs), float64
        ``F(x; S) - F(x; ∅)``.
    weights : ndarray of shape (n_samples,), float64
        Product of the coalition's mass and the row's weight, scaled to mean one.
    """

    rows: NDArray[np.int64]
    masks: NDArray[np.bool_]
    gains: NDArray[np.float64]
    weights: NDArray[np.float64]

    def take(self, chosen: NDArray[np.int64]) -> "CoalitionSample":
        """The samples at positions ``chosen``."""
        return CoalitionSample(self.rows[chosen], self.masks[chosen], self.gains[chosen], self.weights[chosen])


def sample_game(
    game: Game,
    positions: NDArray[np.int64],
    full: NDArray[np.float64],
    weights: NDArray[np.float64],
    size_law: NDArray[np.float64],
    rng: np.random.Generator,
) -> CoalitionSample:
    """Values of a game at random coalitions, in complementary pairs, and at the full coalition of the same rows.

    Where this would take more than ``MAX_CALLS`` predictions, a random subset of the rows is used.

    Parameters
    ----------
    game : Game
    positions : ndarray of shape (n_rows,), int64
        The game's rows to use, in the order of the fit.
    full : ndarray of shape (n_rows, n_outputs), float64
        Values at the full coalition.
    weights : ndarray of shape (n_rows,), float64
    size_law : ndarray of shape (n_players + 1,), float64
    rng : Generator
    """
    n_players = len(size_law) - 1
    empty = game.reference_outputs.mean(axis=0)
    n_affordable = max(MAX_CALLS // (2 * game.n_references), 1)
    rows = np.arange(len(positions))
    if len(rows) > n_affordable:
        rows = np.sort(rng.choice(rows, n_affordable, replace=False))
    n_pairs = max(min(N_COALITIONS // (2 * len(rows)), n_affordable // len(rows), MAX_ROW_PAIRS), 1)
    masks, masses = _choose_coalitions(len(rows), n_pairs, size_law, rng)
    drawn = np.repeat(rows, masks.shape[1])
    masks = masks.reshape(-1, n_players)
    gains = game.evaluate(positions[drawn], masks) - empty if len(drawn) else np.zeros((0, len(empty)))
    check_magnitude(gains, "the values of coalitions")
    sample_weights = np.concatenate([weights[drawn] * np.tile(masses, len(rows)), weights[rows] * size_law[-1]])
    return CoalitionSample(
        np.concatenate([drawn, rows]),
        np.concatenate([masks, np.ones((len(rows), n_players), dtype=bool)]),
        np.concatenate([gains, full[rows] - empty]),
        sample_weights / sample_weights.mean(),
    )


def _choose_coalitions(
    n_rows: int, n_pairs: int, size_law: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Masks of shape (n_rows, n_coalitions, n_players) and their masses: all proper coalitions if they are few, else drawn."""
    n_players = len(size_law) - 1
    if 2**n_players - 2 <= 2 * n_pairs:
        every = enumerate_coalitions(n_players)[1:-1]
        sizes = every.sum(axis=1)
        return np.broadcast_to(every, (n_rows, *every.shape)), size_law[sizes] / np.bincount(sizes, minlength=1)[sizes]
    pairs = sample_coalitions(size_law, n_rows * n_pairs, rng).reshape(2, n_rows, n_pairs, n_players)
    mass = size_law[1:-1].sum() / (2 * n_pairs)
    return pairs.transpose(1, 0, 2, 3).reshape(n_rows, 2 * n_pairs, n_players), np.full(2 * n_pairs, mass)


def iterate_masked(
    functions: ValueFunctions, presence: list[PresenceSet], encoded: Encoded, sample: CoalitionSample
) -> Iterator[tuple[NDArray[np.float64], CoalitionSample]]:
    """Yield blocks of samples with the functions' values there, 0 where a player is absent: shape (n_functions, n_block).

    ``presence`` holds the players each value set needs.
    """
    members = make_presence_masks(presence, sample.masks.shape[1]).astype(np.float32)
    for start in range(0, len(sample.rows), _BLOCK):
        block = sample.take(np.arange(start, min(start + _BLOCK, len(sample.rows))))
        values = functions.evaluate(encoded.take(block.rows))
        missing = members @ (~block.masks).astype(np.float32).T  # (n_value_sets, n_block)
        values *= (missing == 0)[functions.owners]
        yield values, block


def accumulate_masked_moments(
    functions: ValueFunctions, presence: list[PresenceSet], encoded: Encoded, sample: CoalitionSample
) -> CentredMoments:
    """Moments of masked functions and gains about zero, not about their means, because the base value is known."""
    n_functions, n_outputs = len(functions), sample.gains.shape[1]
    scatter = np.zeros((n_functions, n_functions), order="F")
    cross = np.zeros((n_functions, n_outputs))
    for values, block in iterate_masked(functions, presence, encoded, sample) if n_functions else ():
        cross += values @ (block.gains * block.weights[:, None])
        values *= np.sqrt(block.weights)
        dsyrk(1.0, values.T, beta=1.0, c=scatter, trans=1, lower=0, overwrite_c=1)
    scatter += np.triu(scatter, 1).T
    spread = sample.weights @ sample.gains**2
    return CentredMoments(float(sample.weights.sum()), np.zeros(n_functions), scatter.T, np.zeros(n_outputs), cross, spread)
