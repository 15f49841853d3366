"""Monotone constraints, changed shapes, other rows and warm starts."""

import pickle
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from instashap import AdditiveClassifier, AdditiveRegressor, NotFittedError

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")


def draw(n_rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-2, 2, size=(n_rows, 4))


def wave(X: np.ndarray) -> np.ndarray:
    """Falls with x0 where x0 < 0 or x1 is small, against what is asked below."""
    bent = np.where(X[:, 0] > 0, X[:, 0], -0.3 * X[:, 0])
    return np.asarray(bent + 0.5 * X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) - X[:, 3] ** 3 / 4)


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    X = draw(1500, 0)
    return X, wave(X) + np.random.default_rng(1).normal(0, 0.3, len(X))


@pytest.fixture(scope="module")
def few(rows: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return rows[0][:500], rows[1][:500]


def worst_step(score: Any, X: np.ndarray, column: int) -> float:
    """The deepest fall of the score along a column's 1 000-point grid, over slices through 40 rows."""
    places = np.linspace(X[:, column].min() - 0.5, X[:, column].max() + 0.5, 1000)
    falls = []
    for row in X[:40]:
        slices = np.tile(row, (1000, 1))
        slices[:, column] = places
        falls.append(np.diff(score(slices)).min())
    return float(min(falls))


def test_constrained_predictions_never_step_the_wrong_way(rows: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = rows
    free = AdditiveRegressor().fit(X, y)
    assert worst_step(free.predict, X, 0) < -1e-3
    model = AdditiveRegressor(monotone_constraints={0: 1, 3: -1}).fit(X, y)
    assert worst_step(model.predict, X, 0) >= 0
    assert worst_step(lambda Z: -model.predict(Z), X, 3) >= 0
    fresh = draw(3000, 2)
    peer = HistGradientBoostingRegressor(monotonic_cst=[1, 0, 0, -1]).fit(X, y)
    assert model.score(fresh, wave(fresh)) > peer.score(fresh, wave(fresh)) > 0.85
    np.testing.assert_allclose(model.shap_values(X).sum(axis=1) + model.intercept_, model.predict(X), atol=1e-10)


def test_constrained_log_odds_never_step_the_wrong_way_in_a_pair_of_two_constrained_columns() -> None:
    X = draw(1500, 3)
    y = np.random.default_rng(4).random(len(X)) < 1 / (1 + np.exp(-2 * wave(X)))
    model = AdditiveClassifier(monotone_constraints=[1, 1, 0, 0], interactions=[(0, 1)]).fit(X, y)
    assert (0, 1) in model.term_features_
    for column in (0, 1):
        assert worst_step(model.decision_function, X, column) >= 0


def test_a_spiked_column_is_monotone_too() -> None:
    rng = np.random.default_rng(5)
    x = np.where(rng.random(1200) < 0.4, 1.0, rng.uniform(0, 3, 1200))
    y = np.where(x == 1.0, 5.0, x) + rng.normal(0, 0.1, 1200)  # the spike stands far above its neighbours
    X = np.column_stack([x, rng.uniform(size=1200)])
    assert worst_step(AdditiveRegressor(order=1).fit(X, y).predict, X, 0) < -1
    assert worst_step(AdditiveRegressor(order=1, monotone_constraints={0: 1}).fit(X, y).predict, X, 0) >= 0


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ([1, 0], "2 directions for 4 columns"),
        ({0: 2}, r"must be 1 \(rising\), -1 \(falling\) or 0, got 2"),
        ({"speed": 1}, "unknown column 'speed'"),
    ],
)
def test_bad_constraints_are_refused(rows: tuple[np.ndarray, np.ndarray], constraints: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdditiveRegressor(monotone_constraints=constraints).fit(*rows)


def test_constraints_need_an_order_and_two_classes(rows: tuple[np.ndarray, np.ndarray]) -> None:
    frame = pd.DataFrame({"town": ["a", "b", "c"] * 20, "size": np.arange(60.0)})
    with pytest.raises(ValueError, match="category column 'town'"):
        AdditiveRegressor(monotone_constraints={"town": 1}).fit(frame, np.arange(60.0))
    with pytest.raises(ValueError, match="y has 3"):
        AdditiveClassifier(monotone_constraints={"size": 1}).fit(frame, frame["town"])
    with pytest.raises(ValueError, match="takes one target under monotone_constraints"):
        AdditiveRegressor(monotone_constraints=[1, 0, 0, 0]).fit(rows[0], np.tile(rows[1][:, None], 2))


@pytest.mark.parametrize("kind", ["squared_error", "classifier"])
def test_a_set_shape_is_what_predictions_and_shapley_values_follow(kind: str, few: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = few
    model: Any = AdditiveRegressor().fit(X, y) if kind == "squared_error" else AdditiveClassifier().fit(X, y > 0)
    score = model.predict if kind == "squared_error" else model.decision_function
    before, place = score(X), model.term_features_.index((2,))
    old = model.eval_terms(X)[:, place]
    assert model.set_shape(2, lambda x: 3 * x) is model
    np.testing.assert_allclose(score(X) - before, 3 * X[:, 2] - old, atol=1e-8)
    np.testing.assert_allclose(model.eval_terms(X)[:, place], 3 * (X[:, 2] - X[:, 2].mean()), atol=1e-8)
    assert model.intercept_ == pytest.approx(score(X).mean(), abs=1e-10)
    values = model.shap_values(X)
    np.testing.assert_allclose(values.sum(axis=1) + model.intercept_, score(X), atol=1e-10)
    assert np.corrcoef(values[:, 2], X[:, 2])[0, 1] > 0.99  # columns are independent: the line is its own column's credit


@pytest.mark.parametrize(
    ("term", "shape", "message"),
    [
        ("town", {"a": 1.0, "B": 2.0}, "the mapping names 'B', which is no value of town with a coefficient of its own: '"),
        ("town", {1: 2.0}, "the mapping names 1, which is no value of town"),
        ("mixed", {1: 2.0}, "the mapping names 1, which is no value of mixed"),  # a level is True, which Python calls equal
        ("rooms", {2: 1.0, 7: 2.0}, "the mapping names 7, which is no value of rooms with a coefficient of its own: 0, 1, 2"),
        ("town", {"a": np.inf}, "the shape for town is infinite at 1 places"),
        ("town", lambda towns: np.full(len(towns), -np.inf), "the shape for town is infinite"),
        ("rooms", np.nan, "a shape must be finite, got nan"),
    ],
)
def test_a_shape_that_would_change_nothing_or_is_not_finite_is_refused(term: str, shape: Any, message: str) -> None:
    rng = np.random.default_rng(0)
    mixed = rng.choice(np.array([True, "x"], dtype=object), 300)
    X = pd.DataFrame({"town": rng.choice(["a", "b"], 300), "rooms": rng.integers(0, 3, 300), "mixed": mixed})
    y = (X["town"] == "a") + X["rooms"] + (X["mixed"] == "x") + rng.normal(size=300)
    model = AdditiveRegressor(order=1).fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.set_shape(term, shape)
    assert np.array_equal(model.predict(X), before)


def test_a_mapping_names_missing_numbers_and_flags_by_any_of_their_names() -> None:
    rng = np.random.default_rng(0)
    rooms = np.where(rng.random(300) < 0.2, np.nan, rng.integers(0, 3, 300))
    X = pd.DataFrame({"rooms": rooms, "new": rng.random(300) < 0.4})
    y = np.nan_to_num(rooms, nan=5.0) + X["new"] + rng.normal(size=300)
    for missing in (None, np.nan, pd.NA):
        for yes, no in ((True, False), (1, 0.0)):
            model = AdditiveRegressor(order=1).fit(X, y)
            model.set_shape("rooms", {missing: 7.0, 0: 1.0, 1: 2.0, 2.0: 4.0}).set_shape("new", {yes: 3.0, no: -1.0})
            scores = model.predict(X) - np.nan_to_num(rooms, nan=7.0) - np.choose(X["new"].to_numpy().astype(int), [-1.0, 3.0])
            shifts = {0.0: 1.0, 1.0: 1.0, 2.0: 2.0, 7.0: 0.0}  # what the mapping gives beyond the number itself
            scores -= np.array([shifts[each] for each in np.nan_to_num(rooms, nan=7.0)])
            np.testing.assert_allclose(scores, scores[0], rtol=0, atol=1e-9)


def test_a_removed_pair_is_gone_and_single_levels_can_be_set() -> None:
    frame = pd.DataFrame({"town": np.tile(["a", "b", "c", None], 150), "size": np.repeat([0.0, 1.0, 2.0], 200)})
    y = (frame["town"] == "a") * (1 + frame["size"])
    model = AdditiveRegressor().fit(frame, y)
    town, pair = model.term_names_.index("town"), model.term_names_.index("town × size")
    before, both = model.predict(frame), model.eval_terms(frame)[:, pair]
    assert np.abs(both).max() > 0.1
    after = model.remove_term(("town", "size")).predict(frame)
    np.testing.assert_allclose(after, before - both, atol=1e-10)
    old = model.eval_terms(frame)[:, town]
    model.set_shape("town", {"b": 10.0, None: -1.0})
    expected = np.where(frame["town"] == "b", 10.0, np.where(frame["town"].isna(), -1.0, old))
    np.testing.assert_allclose(model.predict(frame) - after, expected - old, atol=1e-10)


def test_credit_of_a_changed_shape_goes_to_columns_that_predict_it() -> None:
    rng = np.random.default_rng(6)
    z = rng.normal(size=2000)
    X = np.column_stack([z, z + 0.1 * rng.normal(size=2000), rng.normal(size=2000)])
    model = AdditiveRegressor().fit(X, X[:, 2])
    model.set_shape(0, lambda x: x)
    spread = model.shap_values(X).std(axis=0)
    assert spread[1] / spread[0] == pytest.approx(1.0, abs=0.1)  # columns that tell the same share alike: E[x0 | x1] ≈ x1


def test_edits_have_clear_errors(rows: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = rows
    model = AdditiveRegressor(order=1).fit(X, y)
    with pytest.raises(ValueError, match="no term 'x0 × x1'"):
        model.remove_term((0, 1))
    with pytest.raises(TypeError, match="a shape is a number, a mapping"):
        model.set_shape(0, "flat")
    with pytest.raises(ValueError, match=r"gave shape \(3,\)"):
        model.set_shape(0, lambda x: np.zeros(3))
    model.remove_term(0)
    with pytest.raises(NotFittedError, match="after an edit"):
        model.explain(X, errors=True)
    with pytest.raises(NotFittedError, match=r"changing a shape function, .* need the rows"):
        pickle.loads(pickle.dumps(model)).remove_term(1)


def test_recentred_among_other_rows_predictions_stay(few: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = few
    for model in (AdditiveRegressor().fit(X, y), AdditiveClassifier().fit(X, y > 0)):
        explained = model.to_explainer().predict(X)
        others = X[X[:, 0] > 0]
        model.recentre(others)
        np.testing.assert_allclose(model.to_explainer().predict(X), explained, atol=1e-10)
        assert model.intercept_ == pytest.approx(explained[X[:, 0] > 0].mean(), abs=1e-10)
        np.testing.assert_allclose(model.eval_terms(others).mean(axis=0), 0, atol=1e-10)


def test_a_warm_start_keeps_terms_and_comes_to_the_same_fit(few: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = few
    model = AdditiveClassifier(warm_start=True).fit(X, y > 0)
    terms, scores = list(model.term_features_), model.decision_function(X)
    np.testing.assert_allclose(model.fit(X, y > 0).decision_function(X), scores, rtol=1e-3, atol=1e-3)
    model.fit(X[:300], y[:300] > 0)
    assert model.term_features_ == terms
    assert np.abs(model.decision_function(X) - scores).max() > 1e-3
    with pytest.raises(ValueError, match="warm_start=True starts from"):
        model.fit(X[:, :3], y > 0)
