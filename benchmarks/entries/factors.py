"""Many correlated columns: Shapley values of linear functions, and what one column explains alone."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

import instashap
from instashap.linear.subsets import solve_prefixes

from ..runner import Bench, Figure, judge

# Orders of the columns for the exact values, and held at once.
N_ORDERS, _BATCH = 2000, 50
N_ROWS, N_TESTED = 1500, 200


def make_covariance(n_columns: int, n_factors: int, seed: int = 0) -> NDArray[np.float64]:
    """Correlations of columns with common factors and a noise of their own."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(n_columns, n_factors))
    covariance = loadings @ loadings.T + np.diag(rng.uniform(0.5, 2.0, n_columns))
    scale = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(scale, scale))


def explain_linear(
    X: NDArray[np.float64], covariance: NDArray[np.float64], slopes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shapley values of ``slopes · E[x | x_S]`` of Gaussian columns: the mean over orders of what each adds to those before."""
    n_columns = len(slopes)
    rng, credits = np.random.default_rng(1), np.zeros((n_columns, n_columns))
    for _ in range(0, N_ORDERS, _BATCH):
        orders = rng.permuted(np.tile(np.arange(n_columns), (_BATCH, 1)), axis=1)
        solved = solve_prefixes(covariance, (covariance @ slopes)[:, None], orders)[..., 0]
        steps = np.diff(solved, axis=1, prepend=0.0)
        for order, step in zip(orders, steps, strict=True):
            credits[order] += step / N_ORDERS
    return X @ credits.T


def measure_linear(n_columns: int, n_extra: int) -> tuple[float, float]:
    """SHAP R², and processor seconds of the fit, with some independent columns of nonlinear effect added."""
    covariance = make_covariance(n_columns, 4)
    slopes = np.random.default_rng(3).normal(size=n_columns)
    size = np.sqrt(slopes @ covariance @ slopes)
    rng = np.random.default_rng(2)

    def draw(n_rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        X = rng.multivariate_normal(np.zeros(n_columns), covariance, n_rows)
        extra = rng.normal(size=(n_rows, 2))
        effects = size * np.column_stack([0.6 * np.sin(2 * extra[:, 0]), 0.4 * (extra[:, 1] ** 2 - 1)])[:, :n_extra]
        return np.hstack([X, extra[:, :n_extra]]), X @ slopes + effects.sum(axis=1), effects

    X, f, _ = draw(N_ROWS)
    rows, _, effects = draw(N_TESTED)
    start = time.process_time()
    explainer = instashap.Explainer().fit(X, outputs=f)
    seconds = time.process_time() - start
    exact = np.hstack([explain_linear(rows[:, :n_columns], covariance, slopes), effects])
    missed = explainer.shap_values(rows) - exact
    return float(1 - (missed**2).sum() / (exact**2).sum()), seconds


def measure_alone(n_blocks: int, size: int = 10) -> tuple[float, float]:
    """R² of ``v({c})`` on new rows, mean over columns, of the explainer and of boosting on that column."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    blocks = [make_covariance(size, 2, seed) for seed in range(n_blocks)]
    rng = np.random.default_rng(4)
    slopes = rng.normal(size=n_blocks * size) * (rng.random(n_blocks * size) < 0.5)

    def draw(n_rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        X = np.hstack([rng.multivariate_normal(np.zeros(size), block, n_rows) for block in blocks])
        return X, X @ slopes + 1.5 * np.maximum(X[:, 0], X[:, 11]) + np.sin(2 * X[:, 4])

    (X, f), (rows, output) = draw(N_ROWS), draw(10_000)
    explainer = instashap.Explainer().fit(X, outputs=f)
    found: list[Any] = []
    for column in range(X.shape[1]):
        boosted = HistGradientBoostingRegressor(max_leaf_nodes=8, learning_rate=0.05, max_iter=60).fit(X[:, [column]], f)
        alone = explainer.mobius_values(rows, [column]) + explainer.expected_value, boosted.predict(rows[:, [column]])
        found.append([1 - np.mean((output - each) ** 2) / output.var() for each in alone])
    own, other = np.mean(found, axis=0)
    return float(own), float(other)


def run(bench: Bench) -> dict[str, Figure]:
    """60 columns of four factors, with and without two nonlinear ones; 100 columns in blocks of ten."""
    n_columns, n_blocks = bench.choose((60, 10), (16, 2))
    figures = {}
    for n_extra in (0, 2):
        r2, seconds = measure_linear(n_columns, n_extra)
        name = f"{n_columns} columns, four factors" + (", two nonlinear added" if n_extra else "")
        figures[f"{name}: SHAP R²"] = judge(r2)
        figures[f"{name}: processor"] = judge(seconds, "s")
    own, boosted = measure_alone(n_blocks)
    figures[f"{10 * n_blocks} columns in blocks, one alone: R²"] = judge(own)
    figures[f"{10 * n_blocks} columns in blocks, one alone: R² of boosting"] = judge(boosted)
    return figures
