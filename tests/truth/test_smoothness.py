"""The chosen smoothness against a grid: never more than 2 % worse in held-out masked risk than the best grid point."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from instashap import datasets
from instashap.game.coalitions import compute_shapley_size_law
from instashap.masked.fitter import ClosedFormFitter
from instashap.masked.strengths import Strengths
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table

GRID = 10.0 ** np.linspace(-9, 0, 9)


def make_stepped() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 4))
    X[:, 1] += X[:, 0]
    return X, np.floor(X[:, 0]) + (X[:, 1] > 0) * X[:, 2] + 0.3 * rng.normal(size=1500)


def make_gaussian() -> tuple[np.ndarray, np.ndarray]:
    return datasets.make_equicorrelated(6, 0.5, random_state=0).sample(1500, random_state=1)


@pytest.mark.parametrize("make", [make_stepped, make_gaussian, lambda: load_diabetes(return_X_y=True)])
def test_chosen_smoothness_is_within_two_percent_of_the_best_of_a_grid(
    make: Callable[[], tuple[np.ndarray, np.ndarray]],
) -> None:
    X, f = make()
    table = read_table(X)
    weights = np.ones(len(X))
    encoder, columns = learn_table(table, weights)
    arguments = encoder.encode(table), f[:, None], weights, compute_shapley_size_law(X.shape[1])
    players = tuple(range(X.shape[1]))
    chosen = ClosedFormFitter(columns, players).fit(*arguments).chosen.risk
    risks = []
    for roughness in GRID:
        fixed = ClosedFormFitter(columns, players, presence_order=2, smoothness=Strengths(roughness, 1e-5), resolution=4)
        risks.append(fixed.fit(*arguments).chosen.risk)
    assert min(risks) < max(risks)
    assert chosen <= 1.02 * min(risks)
