"""Shapley values of rows against reference rows, by walks from one to the other, column by column.

A walk replaces the features of a reference row by those of the explained row, in a random order and in its reverse. What a
feature adds on the way is exactly zero if the model does not read it, whatever else it is correlated with. If the model is a
sum of functions of one and two features, one order and its reverse give the exact values (Mitchell et al. 2022, antithetic
orders).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..blackbox.value_functions import BATCH_ROWS, HybridGame

# Passes over all references: two to estimate the error of the orders, and doubled up to this many.
_FIRST_PASSES, MAX_PASSES = 2, 64
# Values below this share of the outputs' spread are rounding errors of the model.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Walked:
    """Values of rows against each reference.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_references, n_players), float64
        Of one output; their mean over the references is the value in the marginal game.
    errors : ndarray of shape (n_rows, n_players), float64
        Standard errors of these means that come from the sampled orders.
    outputs : ndarray of shape (n_rows,), float64
    reference_outputs : ndarray of shape (n_references,), float64
    n_passes : int
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    outputs: NDArray[np.float64]
    reference_outputs: NDArray[np.float64]
    n_passes: int

    @property
    def scale(self) -> float:
        """Spread of the outputs of rows and references together."""
        return float(np.std(np.concatenate([self.outputs, self.reference_outputs])))


def walk(game: HybridGame, output: int, error: float, seed: int) -> Walked:
    """Values whose standard errors are at most ``error`` times the outputs' spread, or those of the most passes.

    Parameters
    ----------
    game : HybridGame
    output : int
        Position of the output.
    error : float
    seed : int
        Seed of the orders.
    """
    rng = np.random.default_rng(seed)
    full, references = game.evaluate_full()[:, output], game.reference_outputs[:, output]
    shape = len(full), len(references), int(game.players.max()) + 1
    total, squares, n_passes, goal = np.zeros(shape), np.zeros(shape), 0, _FIRST_PASSES
    while True:
        while n_passes < goal:
            found = _pass_over(game, output, full, references, rng)
            total += found
            squares += found**2
            n_passes += 1
        variances = np.maximum(squares - total**2 / n_passes, 0.0) / (n_passes * (n_passes - 1))
        spread = float(np.std(np.concatenate([full, references])))
        variances[variances <= (ROUNDING * spread) ** 2] = 0.0
        errors = np.sqrt(variances.sum(axis=1)) / len(references)
        if goal >= MAX_PASSES or errors.max(initial=0.0) <= error * spread:
            return Walked(total / n_passes, errors, full, references, n_passes)
        goal *= 2


def _pass_over(
    game: HybridGame, output: int, full: NDArray[np.float64], references: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """One order and its reverse for every reference, the same for all rows; shape (n_rows, n_references, n_players)."""
    n_rows, n_references, n_players = len(full), len(references), int(game.players.max()) + 1
    values = np.zeros((n_rows, n_references, n_players))
    orders = rng.permuted(np.tile(np.arange(n_players), (n_references, 1)), axis=1)
    n_inner = n_players - 1
    step = max(BATCH_ROWS // max(n_rows * n_inner, 1), 1)
    for direction in (orders, orders[:, ::-1]):
        places = np.argsort(direction, axis=1)
        inner = places[:, None, :] < np.arange(1, n_players)[:, None]  # (n_references, n_inner, n_players)
        for start in range(0, n_references, step):
            block = np.arange(start, min(start + step, n_references))
            path = np.empty((n_rows, len(block), n_players + 1))
            path[..., 0], path[..., -1] = references[block], full[:, None]
            if n_inner:
                asked = np.broadcast_to(inner[block], (n_rows, len(block), n_inner, n_players)).reshape(-1, n_players)
                rows = np.repeat(np.arange(n_rows), len(block) * n_inner)
                places_of = np.tile(np.repeat(block, n_inner), n_rows)
                found = game.evaluate_one(rows, places_of, asked)[:, output]
                path[..., 1:-1] = found.reshape(n_rows, len(block), n_inner)
            gains = np.diff(path, axis=2)
            # A player's gain is at its place in the order.
            values[:, block] += np.take_along_axis(gains, np.broadcast_to(places[block], gains.shape), axis=2) / 2
    return values
