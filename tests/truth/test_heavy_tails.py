"""Columns with heavy tails: more rows never make an explanation worse."""

from itertools import pairwise

import numpy as np
import pytest

import instashap

# Rows that are explained; far from the tails' ends, so that no single one decides.
N_EXPLAINED = 200


def _draw_student(n_rows: int, seed: int) -> np.ndarray:
    """Uncorrelated multivariate t of 3 degrees of freedom, four columns."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, 4)) / np.sqrt(rng.chisquare(3, (n_rows, 1)) / 3)


def _explain_student(X: np.ndarray) -> np.ndarray:
    # f = x0 + 2 x1 - x2: given any columns the others have mean 0.
    return X * np.array([1.0, 2.0, -1.0, 0.0])


def _draw_lognormal(n_rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(sigma=1.2, size=(n_rows, 4))


def _explain_lognormal(X: np.ndarray) -> np.ndarray:
    # f = x0 x1 + 3 x2 of independent columns of mean m: v(0) = x0 m, v(1) = m x1, v(01) = x0 x1, less m² everywhere.
    mean = np.exp(1.2**2 / 2)
    first = ((X[:, 0] - mean) * mean + X[:, 0] * X[:, 1] - mean * X[:, 1]) / 2
    second = ((X[:, 1] - mean) * mean + X[:, 0] * X[:, 1] - mean * X[:, 0]) / 2
    return np.column_stack([first, second, 3 * (X[:, 2] - mean), np.zeros(len(X))])


STUDENT = _draw_student, _explain_student, lambda X: X @ np.array([1.0, 2.0, -1.0, 0.0])
LOGNORMAL = _draw_lognormal, _explain_lognormal, lambda X: X[:, 0] * X[:, 1] + 3 * X[:, 2]


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
@pytest.mark.parametrize(
    ("simulator", "order", "floors"),
    [(STUDENT, 1, (0.98, 0.998, 0.999)), (LOGNORMAL, 2, (0.91, 0.98, 0.998))],
    ids=["student", "lognormal"],
)
def test_more_rows_of_heavy_tails_never_make_it_worse(simulator, order, floors):
    draw, explain, f = simulator
    rows = draw(3 * N_EXPLAINED, 1)
    rows = rows[np.argsort(np.abs(rows).max(axis=1))[:N_EXPLAINED]]
    exact = explain(rows)
    found = []
    for n_rows in (300, 2000, 20_000):
        X = draw(n_rows, 0)
        values = instashap.Explainer(order=order).fit(X, outputs=f(X)).shap_values(rows)
        found.append(1 - ((values - exact) ** 2).sum() / (exact**2).sum())
    assert all(r2 > floor for r2, floor in zip(found, floors, strict=True))
    assert all(later > earlier - 0.002 for earlier, later in pairwise(found))
