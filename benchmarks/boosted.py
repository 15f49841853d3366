"""A boosted ensemble on correlated Gaussians, its marginal game, and exact interventional Shapley values of held-out rows."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .runner import Bench, Skipped

N_COLUMNS = 30
CORRELATION = 0.5
N_BACKGROUND = 100


@dataclass(frozen=True)
class Case:
    """A model to explain, and the truth.

    Attributes
    ----------
    model : XGBRegressor
    X : ndarray of shape (n_rows, 30)
        Rows to fit on.
    background : ndarray of shape (100, 30)
    held_out : ndarray of shape (n_held_out, 30)
    exact : ndarray of shape (n_held_out, 30)
        Interventional values of ``shap.TreeExplainer`` over the background.
    """

    model: Any
    X: NDArray[np.float64]
    background: NDArray[np.float64]
    held_out: NDArray[np.float64]
    exact: NDArray[np.float64]


def make_case(bench: Bench) -> Case:
    """100 trees of depth 4 on 5 000 rows of 30 Gaussians, all pairs correlated .5; 400 rows held out."""
    if find_spec("xgboost") is None or find_spec("shap") is None:
        raise Skipped("needs xgboost and shap")
    import shap
    from xgboost import XGBRegressor

    n_rows, n_held_out = bench.choose(5000, 600), bench.choose(400, 10)
    rng = np.random.default_rng(0)
    covariance = np.full((N_COLUMNS, N_COLUMNS), CORRELATION) + (1 - CORRELATION) * np.eye(N_COLUMNS)
    rows = rng.multivariate_normal(np.zeros(N_COLUMNS), covariance, size=n_rows + n_held_out)
    y = compute_target(rows) + 0.1 * rng.normal(size=len(rows))
    X, held_out = rows[:n_rows], rows[n_rows:]
    model = XGBRegressor(n_estimators=100, max_depth=4, random_state=0).fit(X, y[:n_rows])
    background = X[np.random.default_rng(1).choice(n_rows, N_BACKGROUND, replace=False)]
    tree = shap.TreeExplainer(model, background, feature_perturbation="interventional")
    return Case(model, X, background, held_out, np.asarray(tree.shap_values(held_out), dtype=np.float64))


def compute_target(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the trees are trained on: curves, products, steps and a maximum; columns 20 to 29 do nothing."""
    curves = X[:, 0] + np.sin(2 * X[:, 1]) + 0.5 * X[:, 10] ** 2 + 0.5 * np.abs(X[:, 11] - X[:, 12])
    products = X[:, 2] * X[:, 3] + (X[:, 7] > 0) * X[:, 8] * X[:, 9] + X[:, 13] * np.tanh(X[:, 14])
    return np.asarray(curves + products + np.maximum(X[:, 4], X[:, 5]) * X[:, 6] + 0.3 * X[:, 15:20].sum(axis=1))


def compute_relative_error(found: NDArray[np.float64], exact: NDArray[np.float64]) -> float:
    """``‖found - exact‖ / ‖exact‖`` over all rows and features."""
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def truncate_to_pairs(case: Case, n_rows: int) -> NDArray[np.float64]:
    """Shapley values of the exact game without its components of three players and more, shape (n_rows, 30)."""
    singles = np.eye(N_COLUMNS, dtype=bool)
    first, second = np.triu_indices(N_COLUMNS, k=1)
    masks = np.concatenate([np.zeros((1, N_COLUMNS), dtype=bool), singles, singles[first] | singles[second]])
    values = np.empty((n_rows, N_COLUMNS))
    for number, row in enumerate(case.held_out[:n_rows]):
        hybrids = np.where(masks[:, None], row, case.background).reshape(-1, N_COLUMNS)
        game = case.model.predict(hybrids).astype(np.float64).reshape(len(masks), -1).mean(axis=1)
        alone = game[1 : N_COLUMNS + 1] - game[0]
        pairs = (game[N_COLUMNS + 1 :] - game[0] - alone[first] - alone[second]) / 2
        np.add.at(alone, first, pairs)
        np.add.at(alone, second, pairs)
        values[number] = alone
    return values
