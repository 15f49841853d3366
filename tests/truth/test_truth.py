"""Accuracy against exact Shapley values: simulators of the project, and the shared truth files where they are.

Floors stand within .003 of what was reached.
"""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import instashap
from instashap import datasets

SHARED = Path(__file__).parents[3] / "shared" / "truth"
needs_truth = pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of truth files is not beside the project")


def compute_r2(values: np.ndarray, truth: np.ndarray) -> float:
    return 1 - ((values - truth) ** 2).sum() / (truth**2).sum()


def explain(X: np.ndarray, f: np.ndarray, rows: np.ndarray, **options: object) -> np.ndarray:
    return instashap.Explainer(**options).fit(X, outputs=f).shap_values(rows)


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
@pytest.mark.parametrize(
    ("name", "floor", "paper_floor"),
    [
        ("equicorrelated_0.6", 0.998, 0.966),
        ("factor_rank3", 0.997, 0.845),
        ("panel_k1_rho0", 0.9998, 0.9993),
        ("panel_k1_rho0.707", 0.9995, 0.9993),
        ("panel_k2_rho0", 0.998, 0.998),
        ("panel_k2_rho0.707", 0.995, 0.833),
        pytest.param("latent_bike", 0.985, 0.970, marks=pytest.mark.slow),  # make floors runs it, too
    ],
)
@needs_truth
def test_shared_truth_is_met(name: str, floor: float, paper_floor: float) -> None:
    with np.load(SHARED / f"{name}.npz") as file:
        data = (file["X_train"], file["f_train"], file["X_test"])
        truth = file["shap_test"]
    assert compute_r2(explain(*data), truth) > floor
    assert compute_r2(explain(*data, presence_order=2), truth) > paper_floor


@pytest.mark.parametrize(
    ("make", "n_rows", "floor"),
    [
        (lambda: datasets.make_equicorrelated(6, 0.5, random_state=1), 6000, 0.995),
        (lambda: datasets.make_factor(6, rank=3, random_state=2), 6000, 0.993),
        (lambda: datasets.make_panel(2, 0.707, random_state=3), 6000, 0.9905),
        (lambda: datasets.make_latent_class(5, n_levels=4, n_classes=6, random_state=4), 6000, 0.968),
        (lambda: datasets.make_factor(10, rank=3, random_state=6), 6000, 0.987),
        (lambda: datasets.make_factor(12, rank=3, random_state=0), 6000, 0.9905),  # .989 without tied quadruples
        (lambda: datasets.make_factor(6, rank=3, random_state=2), 600, 0.957),
        (lambda: datasets.make_panel(2, 0.707, random_state=3), 600, 0.947),
    ],
)
@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
def test_simulators_with_exact_truth_are_met(make: object, n_rows: int, floor: float) -> None:
    simulator = make()
    X, f = simulator.sample(n_rows, random_state=0)
    rows, _ = simulator.sample(100, random_state=1)
    assert compute_r2(explain(X, f, rows), simulator.shap_values(rows)) > floor


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
def test_a_correlated_sum_shares_out_as_the_formula_says() -> None:
    # f = x1 + x2, correlation r: SHAP1 = x1 + r (x1 - x2) / 2 (conditional game)
    r = 0.6
    X = np.random.default_rng(0).multivariate_normal([0, 0], [[1, r], [r, 1]], size=20_000)
    values = explain(X, X.sum(axis=1), X)
    np.testing.assert_allclose(values[:, 0], X[:, 0] + r * (X[:, 0] - X[:, 1]) / 2, atol=0.04)


def load_model(name: str) -> Any:
    """The black box of a shared truth file."""
    specification = importlib.util.spec_from_file_location("families", SHARED / "families.py")
    assert specification is not None
    assert specification.loader is not None
    families = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(families)
    return families.make(name).f


@needs_truth
def test_synthetic_rows_bring_a_fit_of_few_rows_nearer_to_the_truth() -> None:
    with np.load(SHARED / "cop_trees.npz") as file:
        X, rows, truth = file["X_train"][:300], file["X_test"], file["shap_test"]
    explainer = instashap.Explainer(load_model("cop_trees"), order=1, synthetic_rows=4096).fit(X)
    assert compute_r2(explainer.shap_values(rows), truth) > 0.73  # .638 with rows alone


@needs_truth
@pytest.mark.parametrize(
    ("name", "kind", "floor"),
    [("cop_trees", "copula", 0.98), pytest.param("mog_mixed", "mixture", 0.95, marks=pytest.mark.slow)],
)
def test_a_conditional_game_asked_of_the_model_meets_the_truth(name: str, kind: str, floor: float) -> None:
    model = load_model(name)
    with np.load(SHARED / f"{name}.npz") as file:
        rows, truth = file["X_test"][:10], file["shap_test"][:10]
        X = file["X_train"][:2000]
    explainer = instashap.Explainer(model, order=1, synthetic_rows=0).fit(X)  # the game is asked at every coalition
    refined = explainer.refine(rows, value_function=instashap.Conditional(kind, X), n_coalitions=2 ** X.shape[1])
    assert compute_r2(refined.values, truth) > floor
