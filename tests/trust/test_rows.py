"""Trust of single rows: does its interval hold the share in nine rows of ten?"""

from pathlib import Path

import numpy as np
import pandas as pd
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
    low, high = explanation.output_share_interval.T
    covered = (low <= share) & (share <= high)
    assert 0.85 <= covered.mean() <= 0.95
    assert (low <= explanation.output_share).all()
    assert (explanation.output_share <= high).all()
    # … and also where rows are easy, and where they are hard: the scale is local.
    is_hard = np.abs(fresh[:, 0]) > 0.6
    assert min(covered[is_hard].mean(), covered[~is_hard].mean()) >= 0.8
    assert explanation.output_share[is_hard].mean() < explanation.output_share[~is_hard].mean() - 0.1


def test_a_models_own_rows_and_a_loaded_explainer_agree(tmp_path: Path) -> None:
    X, y = make_friedman1(1500, n_features=5, noise=1.0, random_state=0)
    model = HistGradientBoostingRegressor(random_state=0, max_iter=50).fit(X, y)
    explainer = Explainer(model).fit(X)
    explanation = explainer(X[:40])
    explainer.save(tmp_path / "e.insta")
    loaded = instashap.load(tmp_path / "e.insta")(X[:40])
    np.testing.assert_array_equal(explanation.output_share, loaded.output_share)
    np.testing.assert_array_equal(explanation.output_share_interval, loaded.output_share_interval)
    part = explanation[3:5]
    np.testing.assert_array_equal(part.output_share, explanation.output_share[3:5])
    np.testing.assert_array_equal(part.output_share_interval, explanation.output_share_interval[3:5])


def test_an_exact_explanation_carries_all_and_a_constant_model_has_nothing_to_lose() -> None:
    X = np.random.default_rng(0).normal(size=(800, 3))
    assert Explainer(order=1).fit(X, outputs=X @ [1.0, 2.0, 3.0])(X[:50]).output_share.min() > 0.98
    assert Explainer(order=1).fit(X, outputs=np.full(800, 7.0))(X[:50]).output_share == pytest.approx(1.0)


def test_other_games_have_no_held_out_residuals() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    explainer = Explainer(lambda X: X.sum(axis=1), order=1, value_function=instashap.Baseline(X[0])).fit(X)
    assert explainer(X[:3]).output_share is None


def _fit_prices() -> tuple[Explainer, pd.DataFrame]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"price": rng.uniform(100, 200, 2000), "town": rng.choice(["a", "b"], 2000)})
    return Explainer(order=1).fit(X, outputs=(X["price"] + 50.0 * (X["town"] == "a")).to_numpy()), X


def test_trust_falls_with_the_distance_and_names_the_column(tmp_path: Path) -> None:
    explainer, X = _fit_prices()
    near = explainer(X[:50])
    assert near.outside == near.new_pairs == ((),) * 50
    assert near.output_share.min() > 0.9
    spread = np.std(X["price"] + 50.0 * (X["town"] == "a"))
    previous = near.output_share
    for price in (250.0, 1000.0, 1e6):
        with pytest.warns(instashap.DataWarning, match="50 of 50 rows are not like the fitted rows .* most often in 'price'"):
            far = explainer(X[:50].assign(price=price))
        assert set(far.outside) == {("price",)}
        assert (far.output_share < previous).all()
        # the town's bar alone is carried; the price's, and a spread for each length of its range, are not
        length = (price - X["price"].max()) / np.ptp(X["price"])
        own = np.abs(far.values)
        most = own[:, 1] / (own.sum(axis=1) + spread * length)  # less what held-out rows leave
        assert (far.output_share <= most).all()
        assert (far.output_share >= 0.95 * most).all()
        assert (far.output_share_interval[:, 0] == 0).all()
        previous = far.output_share
    assert previous.max() < 1e-3
    explainer.save(tmp_path / "e.insta")
    with pytest.warns(instashap.DataWarning, match="not like the fitted rows"):
        loaded = instashap.load(tmp_path / "e.insta")(X[:50].assign(price=1e6))
    assert loaded.outside == far.outside
    np.testing.assert_array_equal(loaded.output_share, far.output_share)
    assert loaded[3:5].outside == (("price",),) * 2
    assert "50 rows outside the data" in repr(loaded)
    assert "outside the data: price" in loaded._repr_html_()


def test_rows_of_unseen_levels_alone_carry_nothing() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({name: rng.choice(list("abc"), 1000) for name in ("one", "two")})
    explainer = Explainer(order=1).fit(X, outputs=(X == "a").to_numpy() @ np.array([1.0, 2.0]))
    with pytest.warns(instashap.DataWarning, match="outside a column's range or levels, or in a gap between its values"):
        explanation = explainer(pd.DataFrame({"one": ["x"], "two": ["y"]}))
    assert explanation.outside == (("one", "two"),)
    assert explanation.output_share[0] == 0.0


def test_one_row_a_little_outside_among_many_is_named_without_a_warning() -> None:
    explainer, X = _fit_prices()
    explanation = explainer(pd.concat([X[:99], X[:1].assign(price=220.0)]))
    assert explanation.outside[-1] == ("price",)
    assert not any(explanation.outside[:-1])
