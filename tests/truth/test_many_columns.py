"""Many correlated columns: conditional means that draw on all of them."""

import numpy as np
import pytest

import instashap

N_COLUMNS = 30


def _make_table(n_rows, seed):
    """Columns of three common factors, two independent ones with nonlinear effects, and the output."""
    loadings, slopes = np.random.default_rng(7).normal(size=(3, N_COLUMNS)), np.random.default_rng(8).normal(size=N_COLUMNS)
    covariance = loadings.T @ loadings + np.eye(N_COLUMNS)
    scale = np.sqrt(np.diag(covariance))
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n_rows, 3)) @ loadings + rng.normal(size=(n_rows, N_COLUMNS))) / scale
    others = rng.normal(size=(n_rows, 2))
    size = np.sqrt(slopes @ (covariance / np.outer(scale, scale)) @ slopes)
    effects = size * np.column_stack([0.6 * np.sin(2 * others[:, 0]), 0.4 * (others[:, 1] ** 2 - 1)])
    return np.hstack([X, others]), X @ slopes + effects.sum(axis=1), covariance / np.outer(scale, scale), slopes, effects


def _explain_linear(X, covariance, slopes, n_orders=400):
    """Shapley values of ``slopes · E[x | x_S]``: mean over orders of what a column adds to those before it."""
    rng = np.random.default_rng(0)
    values = np.zeros_like(X)
    moments = covariance @ slopes
    for _ in range(n_orders):
        order = rng.permutation(N_COLUMNS)
        before = np.zeros(len(X))
        for size in range(1, N_COLUMNS + 1):
            known = order[:size]
            now = X[:, known] @ np.linalg.solve(covariance[np.ix_(known, known)], moments[known])
            values[:, known[-1]] += (now - before) / n_orders
            before = now
    return values


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
def test_a_linear_function_of_columns_with_common_factors_is_shared_out_among_all_of_them():
    X, f, covariance, slopes, _ = _make_table(1000, 0)
    rows, _, _, _, effects = _make_table(100, 1)
    exact = np.hstack([_explain_linear(rows[:, :N_COLUMNS], covariance, slopes), effects])
    explainer = instashap.Explainer(order=1).fit(X, outputs=f)
    assert explainer.fit_facts_["chosen"]["linear_base"] is not None
    missed = explainer.shap_values(rows) - exact
    assert 1 - (missed**2).sum() / (exact**2).sum() > 0.955
