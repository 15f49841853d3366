"""Tied presence sets."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instashap.datasets import GaussianQuadratic

_BATCH = 200

def sample_shap_values(
    simulator: GaussianQuadratic, X: NDArray[np.float64], n_permutations: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Conditional Shapley values of many columns from random orders and their reverses, and their standard errors.

    Every marginal contribution is a quadratic function of the row, so that one sample of orders serves every row. Columns
    are known one after the other: each adds one rank to the map of the row to conditional means, and takes one from the
    conditional covariance.
    """
    d = simulator.n_features
    sums = []
    for _ in range(max(n_permutations // (2 * _BATCH), 2)):
        orders = rng.random((_BATCH, d)).argsort(axis=1)
        sums.append(_average_contributions(simulator, np.concatenate([orders, orders[:, ::-1]])))
    values = np.stack([_evaluate(each, X) for each in sums])
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def _average_contributions(simulator: GaussianQuadratic, orders: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean coefficients (constant, linear, quadratic) of each player's contribution, shape (d, 1 + d + d²)."""
    n, d = orders.shape
    linear, quadratic = simulator.coef_linear, simulator.coef_quadratic
    spread = np.repeat(simulator.covariance[None], n, axis=0)
    means = np.zeros((n, d, d))
    every = np.arange(n)
    total = np.zeros((d, 1 + d + d * d))
    before = np.concatenate([np.full((n, 1), np.sum(quadratic * simulator.covariance)), np.zeros((n, d + d * d))], axis=1)
    for step in range(d):
        players = orders[:, step]
        column = spread[every, :, players]
        gain = column / column[every, players][:, None]
        news = -means[every, players]
        news[every, players] += 1.0
        means += gain[:, :, None] * news[:, None, :]
        spread -= gain[:, :, None] * column[:, None, :]
        constant = np.einsum("ij,nij->n", quadratic, spread)
        square = np.matmul(means.transpose(0, 2, 1), quadratic @ means)
        after = np.concatenate([constant[:, None], linear @ means, square.reshape(n, -1)], axis=1)
        np.add.at(total, players, (after - before) / n)
        before = after
    return total


def _evaluate(coefficients: NDArray[np.float64], X: NDArray[np.float64]) -> NDArray[np.float64]:
    d = X.shape[1]
    square = coefficients[:, 1 + d :].reshape(-1, d, d)
    quadratic = np.stack([np.einsum("ni,ni->n", X @ each, X) for each in square], axis=1)
    return coefficients[:, 0] + X @ coefficients[:, 1 : 1 + d].T + quadratic
