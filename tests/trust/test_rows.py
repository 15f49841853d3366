"""Trust of single rows: does its interval hold the share in nine rows of ten?"""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor

import instashap
from instashap import Explainer

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")


def compute_share(explanation: instashap.Explanation, outputs: np.ndarray) -> np.ndarray:
    bars = np.abs(explanation.values).sum(axis=1)
    share: np.ndarray = bars / (bars + np.abs(outputs - explanation.predictions))
    return share


def quadruple(X: np.ndarray) -> np.ndarray:
    """Pairs cannot say it, least of all where the first column is large."""
    value: np.ndarray = X[:, 1] + X[:, 2] * X[:, 3] + 3 * X[:, 0] ** 2 * np.sign(X[:, 2] * X[:, 3] * X[:, 4])
    return value


@pytest.mark.parametrize("order", [1, 2])
def test_intervals_hold_nine_rows_of_ten(order: int) -> None:
    rng = np.random.default_rng(order)
    X, fresh = rng.uniform(-1, 1, size=(3000, 5)), rng.uniform(-1, 1, size=(6000, 5))
    explanation = Explainer(quadruple, order=order).fit(X)(fresh)
    share = compute_share(explanation, quadruple(fresh))
    low, high = explanation.trust_interval.T
    covered = (low <= share) & (share <= high)
    assert 0.85 <= covered.mean() <= 0.95
    assert (low <= explanation.trust).all()
    assert (explanation.trust <= high).all()
    # … and also where rows are easy, and where they are hard: the scale is local.
    is_hard = np.abs(fresh[:, 0]) > 0.6
    assert min(covered[is_hard].mean(), covered[~is_hard].mean()) >= 0.8
    assert explanation.trust[is_hard].mean() < explanation.trust[~is_hard].mean() - 0.1


def test_a_models_own_rows_and_a_loaded_explainer_agree(tmp_path: Path) -> None:
    X, y = make_friedman1(1500, n_features=5, noise=1.0, random_state=0)
    model = HistGradientBoostingRegressor(random_state=0, max_iter=50).fit(X, y)
    explainer = Explainer(model).fit(X)
    explanation = explainer(X[:40])
    explainer.save(tmp_path / "e.insta")
    loaded = instashap.load(tmp_path / "e.insta")(X[:40])
    np.testing.assert_array_equal(explanation.trust, loaded.trust)
    np.testing.assert_array_equal(explanation.trust_interval, loaded.trust_interval)
    part = explanation[3:5]
    np.testing.assert_array_equal(part.trust, explanation.trust[3:5])
    np.testing.assert_array_equal(part.trust_interval, explanation.trust_interval[3:5])


def test_an_exact_explanation_carries_all_and_a_constant_model_has_nothing_to_lose() -> None:
    X = np.random.default_rng(0).normal(size=(800, 3))
    assert Explainer(order=1).fit(X, outputs=X @ [1.0, 2.0, 3.0])(X[:50]).trust.min() > 0.98
    assert Explainer(order=1).fit(X, outputs=np.full(800, 7.0))(X[:50]).trust == pytest.approx(1.0)


def test_other_games_have_no_held_out_residuals() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    explainer = Explainer(lambda X: X.sum(axis=1), order=1, value_function=instashap.Baseline(X[0])).fit(X)
    assert explainer(X[:3]).trust is None
