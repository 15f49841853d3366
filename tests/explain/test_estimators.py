"""The additive model as a scikit-learn regressor."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.exceptions
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import instashap
from instashap import AdditiveClassifier, AdditiveRegressor
from instashap.likelihood import likelihood_fitter

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")

# Every corner of {-1, 0, 1}³ twelve times: columns are exactly independent and centred.
GRID = np.tile(np.array(list(product([-1.0, 0.0, 1.0], repeat=3))), (12, 1))
LINEAR = 5.0 + 3.0 * GRID[:, 0] - 2.0 * GRID[:, 1]
# A trace of smoothing is always left; it shrinks effects by a thousandth at most.
SMOOTHED = 0.01


def make_rows(n_rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-2, 2, size=(n_rows, 4))


def curve(X: np.ndarray) -> np.ndarray:
    return np.asarray(np.sin(2 * X[:, 0]) + X[:, 1] ** 2 + 0.5 * np.abs(X[:, 2]))


def make_houses(n_rows: int = 400, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Text, missing numbers and missing text; the price is additive in them, by hand."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"size": rng.uniform(50, 150, n_rows), "town": rng.choice(["north", "south", "west"], n_rows)})
    frame.loc[rng.random(n_rows) < 0.15, "size"] = np.nan
    frame.loc[rng.random(n_rows) < 0.15, "town"] = None
    town = frame["town"].map({"north": 3.0, "south": -1.0, "west": 0.0}).fillna(7.0)
    return frame, np.asarray(0.1 * frame["size"].fillna(180.0) + town, dtype=float)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([AdditiveRegressor(), AdditiveClassifier()])
def test_scikit_learn_accepts_the_estimator(
    estimator: Any, check: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likelihood_fitter, "MAX_ROUNDS", 1)  # how well strengths are chosen is nothing to the protocol
    monkeypatch.setattr(likelihood_fitter, "MAX_FACTORS", 1)
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([AdditiveRegressor(loss="poisson"), AdditiveRegressor(loss="gamma")])
def test_scikit_learn_accepts_the_estimator_of_counts_and_amounts(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_clone_keeps_parameters_and_drops_the_fit() -> None:
    fitted = AdditiveRegressor(order=1, interactions=0, full_weight=3.0).fit(GRID, LINEAR)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not [name for name in vars(copy) if name.endswith("_") or name.startswith("_")]
    assert np.array_equal(copy.fit(GRID, LINEAR).predict(GRID), fitted.predict(GRID))


def test_parameters_go_round() -> None:
    chosen = {"order": 3, "presence_order": 3, "interactions": [(0, 1)], "groups": {"g": [0, 2]}, "categorical": [1]}
    chosen |= {"bases": {"x": "periodic"}, "full_weight": 0.5, "n_jobs": 2, "random_state": 7, "verbose": 0, "warm_start": True}
    chosen |= {"loss": "quantile", "quantile": 0.9, "monotone_constraints": {0: 1}}
    assert AdditiveRegressor(**chosen).get_params() == chosen
    assert AdditiveRegressor().set_params(**chosen).get_params() == chosen


def test_linear_labels_give_the_hand_computed_values() -> None:
    model = AdditiveRegressor(order=1).fit(GRID, LINEAR)
    assert model.intercept_ == pytest.approx(5.0, abs=1e-12)
    assert isinstance(model.intercept_, float)
    np.testing.assert_allclose(model.predict(GRID), LINEAR, atol=SMOOTHED)
    np.testing.assert_allclose(model.shap_values(GRID), GRID * [3.0, -2.0, 0.0], atol=SMOOTHED)


def test_slopes_are_those_of_linear_regression() -> None:
    X = make_rows(1000, seed=0)
    y = 5 + 3 * X[:, 0] - 2 * X[:, 1] + np.random.default_rng(1).normal(0, 0.5, 1000)
    model, line = AdditiveRegressor(order=1).fit(X, y), LinearRegression().fit(X, y)
    low, high = make_rows(1, seed=2).repeat(4, axis=0), make_rows(1, seed=2).repeat(4, axis=0)
    np.fill_diagonal(low, -1.0)
    np.fill_diagonal(high, 1.0)
    slopes = (model.predict(high) - model.predict(low)) / 2
    np.testing.assert_allclose(line.coef_, [3, -2, 0, 0], atol=0.1)
    np.testing.assert_allclose(slopes, line.coef_, atol=0.1)


def test_importances_are_mean_magnitudes_and_serve_selection() -> None:
    made = AdditiveRegressor(order=1).fit(GRID, LINEAR)
    # |3 x| and |-2 x| over x in {-1, 0, 1} have means of two thirds of the slopes.
    np.testing.assert_allclose(made.feature_importances_, [2.0, 4 / 3, 0.0], atol=SMOOTHED)
    chosen = SelectFromModel(AdditiveRegressor(order=1), threshold=1.0).fit(GRID, LINEAR)
    assert chosen.get_support().tolist() == [True, True, False]
    ranked = RFE(AdditiveRegressor(order=1), n_features_to_select=1).fit(GRID, LINEAR)
    assert ranked.ranking_.tolist() == [1, 2, 3]
    grouped = AdditiveRegressor(order=1, groups={"first two": [0, 1]}).fit(GRID, LINEAR)
    # |3 a - 2 b| over the nine corners: 0, 2, 2, 3, 3, 1, 1, 5, 5.
    np.testing.assert_allclose(grouped.feature_importances_, [22 / 9, 22 / 9, 0.0], atol=SMOOTHED)
    assert pickle.loads(pickle.dumps(made)).feature_importances_.tolist() == made.feature_importances_.tolist()


def test_a_product_is_shared_equally_by_its_features() -> None:
    both = GRID[:, 0] * GRID[:, 1]
    model = AdditiveRegressor(order=2).fit(GRID, 5 + 3 * GRID[:, 0] - 2 * both)
    expected = np.column_stack([3 * GRID[:, 0] - both, -both, np.zeros(len(GRID))])
    np.testing.assert_allclose(model.shap_values(GRID), expected, atol=SMOOTHED)


def test_an_additive_function_is_recovered_on_fresh_rows() -> None:
    X, fresh = make_rows(1500, seed=0), make_rows(1000, seed=1)
    noisy = curve(X) + np.random.default_rng(2).normal(0, 0.1, 1500)
    model = AdditiveRegressor(order=1).fit(X, noisy)
    assert model.score(fresh, curve(fresh)) > 0.99
    assert LinearRegression().fit(X, noisy).score(fresh, curve(fresh)) < 0.2
    parts = model.eval_terms(fresh)
    np.testing.assert_allclose(parts[:, 1], fresh[:, 1] ** 2 - 4 / 3, atol=0.25)  # E x² = 4/3 on [-2, 2]
    assert np.abs(parts[:, 3]).max() < 0.1


def test_an_interaction_needs_order_two() -> None:
    X, fresh = make_rows(1000, seed=0), make_rows(1000, seed=1)
    y, truth = X[:, 0] * X[:, 3], fresh[:, 0] * fresh[:, 3]
    assert AdditiveRegressor(order=1).fit(X, y).score(fresh, truth) < 0.1
    assert AdditiveRegressor(order=2).fit(X, y).score(fresh, truth) > 0.99


def test_terms_and_intercept_sum_to_the_prediction_and_so_do_shapley_values() -> None:
    X, fresh = make_rows(500, seed=0), make_rows(200, seed=1)
    model = AdditiveRegressor().fit(X, curve(X) + X[:, 0] * X[:, 3])
    assert model.intercept_ == pytest.approx((curve(X) + X[:, 0] * X[:, 3]).mean(), abs=1e-10)
    parts, values = model.eval_terms(fresh), model.shap_values(fresh)
    assert parts.shape == (200, len(model.term_features_))
    assert values.shape == (200, 4)
    np.testing.assert_allclose(model.intercept_ + parts.sum(axis=1), model.predict(fresh), atol=1e-10)
    np.testing.assert_allclose(model.intercept_ + values.sum(axis=1), model.predict(fresh), atol=1e-10)


def test_terms_have_columns_and_names() -> None:
    frame = pd.DataFrame(GRID, columns=["age", "bmi", "sex"])
    model = AdditiveRegressor(interactions=[("sex", "age")]).fit(frame, GRID[:, 0] * GRID[:, 2])
    assert model.term_features_ == [(0,), (1,), (2,), (0, 2)]
    assert model.term_names_ == ["age", "bmi", "sex", "age × sex"]
    assert list(model.feature_names_in_) == ["age", "bmi", "sex"]
    assert model.n_features_in_ == 3
    nameless = AdditiveRegressor(order=1).fit(GRID, LINEAR)
    assert nameless.term_names_ == ["x0", "x1", "x2"]
    assert not hasattr(nameless, "feature_names_in_")


@pytest.mark.slow
def test_grid_search_in_two_processes_finds_the_order() -> None:
    X = make_rows(300, seed=0)
    search = GridSearchCV(AdditiveRegressor(), {"order": np.array([1, 2])}, cv=3, n_jobs=2).fit(X, X[:, 0] * X[:, 1])
    assert search.best_params_ == {"order": 2}
    mains, pairs = search.cv_results_["mean_test_score"]
    assert mains < 0.1
    assert pairs > 0.95


def test_cross_validation_takes_frames() -> None:
    frame, y = make_houses()
    assert cross_val_score(AdditiveRegressor(order=1), frame, y, cv=3).min() > 0.98


def test_a_pipeline_hands_on_names_and_text() -> None:
    frame, y = make_houses()
    columns = make_column_transformer(
        (StandardScaler(), ["size"]), ("passthrough", ["town"]), verbose_feature_names_out=False
    ).set_output(transform="pandas")
    pipeline = make_pipeline(columns, AdditiveRegressor(order=1)).fit(frame, y)
    model = pipeline[-1]
    assert list(model.feature_names_in_) == ["size", "town"]
    fresh, truth = make_houses(seed=1)
    assert pipeline.score(fresh, truth) > 0.99
    explanation = model.explain(pipeline[:-1].transform(fresh))
    assert explanation.feature_names == ("size", "town")
    np.testing.assert_allclose(explanation.predictions, pipeline.predict(fresh), atol=1e-10)


def test_text_and_missing_cells_have_effects_of_their_own() -> None:
    frame, y = make_houses(1000)
    model = AdditiveRegressor(order=1).fit(frame, y)
    rows = pd.DataFrame({"size": [100.0, np.nan, 100.0, 100.0], "town": ["north", "north", "south", None]})
    # 0.1 · 100 + 3;  18 + 3;  10 - 1;  10 + 7
    np.testing.assert_allclose(model.predict(rows), [13.0, 21.0, 9.0, 17.0], atol=0.2)


def test_several_targets_have_an_axis_of_their_own() -> None:
    frame = pd.DataFrame(GRID, columns=["a", "b", "c"])
    targets = pd.DataFrame({"up": LINEAR, "down": 1.0 - 2.0 * LINEAR})
    model = AdditiveRegressor(order=1).fit(frame, targets)
    assert model.predict(frame).shape == (324, 2)
    np.testing.assert_allclose(model.predict(frame), targets, atol=3 * SMOOTHED)
    np.testing.assert_allclose(model.intercept_, [5.0, -9.0], atol=1e-12)
    values = model.shap_values(frame)
    assert values.shape == (324, 3, 2)
    np.testing.assert_allclose(values[:, :, 1], GRID * [-6.0, 4.0, 0.0], atol=3 * SMOOTHED)
    assert model.eval_terms(frame).shape == (324, 3, 2)
    np.testing.assert_allclose(model.intercept_ + values.sum(axis=1), model.predict(frame), atol=1e-10)
    assert model.explain(frame).output_names == ("up", "down")


def test_an_explanation_has_names_labels_and_base_values() -> None:
    frame = pd.DataFrame(GRID, columns=["age", "bmi", "sex"], index=[f"row {row}" for row in range(len(GRID))])
    explanation = AdditiveRegressor(order=1).fit(frame, LINEAR).explain(frame.iloc[:2])
    assert explanation.feature_names == ("age", "bmi", "sex")
    assert list(explanation.index) == ["row 0", "row 1"]
    assert explanation.output_transform == "target units"
    np.testing.assert_allclose(explanation.base_values, 5.0, atol=1e-12)
    np.testing.assert_allclose(explanation.values[0], [-3.0, 2.0, 0.0], atol=SMOOTHED)
    assert explanation.data[0].tolist() == [-1.0, -1.0, -1.0]


def test_groups_share_one_shapley_value() -> None:
    values = AdditiveRegressor(order=1, groups={"both": [0, 1]}).fit(GRID, LINEAR).shap_values(GRID)
    np.testing.assert_allclose(values, np.column_stack([LINEAR - 5.0, np.zeros(324)]), atol=SMOOTHED)


def test_a_weight_counts_as_so_many_rows() -> None:
    X = make_rows(300, seed=0)
    y = curve(X)
    weights = np.arange(300) % 3
    repeated = np.repeat(np.arange(300), weights)
    weighted = AdditiveRegressor().fit(X, y, sample_weight=weights)
    assert weighted.intercept_ == pytest.approx(np.average(y, weights=weights), abs=1e-10)
    np.testing.assert_allclose(weighted.predict(X), AdditiveRegressor().fit(X[repeated], y[repeated]).predict(X), atol=1e-8)
    wild = np.where(weights == 0, 1e6, y)
    assert np.array_equal(AdditiveRegressor().fit(X, wild, sample_weight=weights).predict(X), weighted.predict(X))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.where(np.arange(324) < 2, np.nan, LINEAR), "Input y contains 2 NaN or infinity values; drop those rows"),
        (np.where(np.arange(324) < 1, np.inf, LINEAR), "Input y contains 1 NaN or infinity"),
        (LINEAR[:7], "inconsistent numbers of samples: X has 324 rows, y has 7"),
        (np.full(324, "dear"), "y must be numeric, got dtype .*; class labels are for AdditiveClassifier"),
        (LINEAR + 1j, "Complex data not supported"),
        (LINEAR.reshape(-1, 1, 1), r"got an array of shape \(324, 1, 1\)"),
        (None, "requires y to be passed"),
    ],
    ids=["missing", "infinite", "short", "text", "complex", "three axes", "none"],
)
def test_bad_labels_are_refused_in_one_sentence(y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdditiveRegressor(order=1).fit(GRID, y)


@pytest.mark.parametrize("column", [LINEAR.reshape(-1, 1), pd.DataFrame({"price": LINEAR})], ids=["array", "frame"])
def test_a_column_of_labels_is_taken_as_a_vector_with_a_warning(column: Any) -> None:
    with pytest.warns(sklearn.exceptions.DataConversionWarning, match="column-vector y") as caught:
        model = AdditiveRegressor(order=1).fit(GRID, column)
    assert caught[0].filename == __file__
    assert model.predict(GRID).shape == (324,)
    assert np.array_equal(model.predict(GRID), AdditiveRegressor(order=1).fit(GRID, LINEAR).predict(GRID))


def test_an_order_above_the_number_of_columns_is_lowered() -> None:
    model = AdditiveRegressor(order=2, presence_order=2).fit(GRID[:, :1], 3 * GRID[:, 0])
    assert model.term_features_ == [(0,)]
    np.testing.assert_allclose(model.predict(GRID[:, :1]), 3 * GRID[:, 0], atol=SMOOTHED)
    assert AdditiveRegressor(order=np.int64(2)).fit(GRID[:, :1], LINEAR).term_features_ == [(0,)]


@pytest.mark.parametrize("name", ["order", "presence_order"])
@pytest.mark.parametrize("value", [None, 1.5, True])
def test_orders_that_are_no_integers_are_refused(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"{name} must be an integer, got {value}"):
        AdditiveRegressor(**{name: value}).fit(GRID, LINEAR)


@pytest.mark.parametrize("order", [0, -1])
def test_orders_below_one_are_refused(order: int) -> None:
    with pytest.raises(ValueError, match=f"order={order} is out of range"):
        AdditiveRegressor(order=order).fit(GRID, LINEAR)


@pytest.mark.parametrize("name", ["predict", "eval_terms", "shap_values", "explain", "to_explainer"])
def test_reading_before_fitting_is_refused(name: str) -> None:
    with pytest.raises(sklearn.exceptions.NotFittedError, match="not fitted yet"):
        getattr(AdditiveRegressor(), name)(GRID)


def test_saving_before_fitting_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(sklearn.exceptions.NotFittedError):
        AdditiveRegressor().save(tmp_path / "model.insta")
    assert not list(tmp_path.iterdir())


def test_rows_unlike_the_fitted_ones_are_refused() -> None:
    model = AdditiveRegressor(order=1).fit(GRID, LINEAR)
    with pytest.raises(ValueError, match="X has 2 features, but AdditiveRegressor is expecting 3"):
        model.predict(GRID[:, :2])
    with pytest.raises(ValueError, match="Reshape your data"):
        model.predict(GRID[0])


def test_a_second_fit_forgets_the_first() -> None:
    frame, y = make_houses()
    model = AdditiveRegressor(order=1).fit(frame, y).fit(GRID, LINEAR)
    assert (model.n_features_in_, model.term_features_) == (3, [(0,), (1,), (2,)])
    assert not hasattr(model, "feature_names_in_")
    assert np.array_equal(model.predict(GRID), AdditiveRegressor(order=1).fit(GRID, LINEAR).predict(GRID))


def test_pickled_it_predicts_the_same_bits() -> None:
    frame, y = make_houses()
    model = AdditiveRegressor().fit(frame, y)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict(frame), model.predict(frame))
    assert np.array_equal(copy.shap_values(frame), model.shap_values(frame))
    assert copy.get_params() == model.get_params()


@pytest.mark.parametrize("n_targets", [1, 2])
def test_saved_and_loaded_as_an_explainer_it_predicts_the_same_bits(tmp_path: Path, n_targets: int) -> None:
    frame, y = make_houses()
    model = AdditiveRegressor().fit(frame, y if n_targets == 1 else np.column_stack([y, -y]))
    model.save(tmp_path / "model.insta")
    loaded = instashap.load(tmp_path / "model.insta")
    assert isinstance(loaded, instashap.Explainer)
    assert np.array_equal(loaded.predict(frame), model.predict(frame))
    assert np.array_equal(loaded.shap_values(frame), model.shap_values(frame))
    assert np.array_equal(loaded.interaction_values(frame), model.eval_terms(frame))
    assert loaded.term_names_ == model.term_names_
    assert np.array_equal(loaded.expected_value, model.intercept_)


WARM_UP = """
import numpy as np
import pandas as pd
import instashap
from instashap.model import kernels as additive
from instashap.table import basis_kernel as basis, encoding_kernel as table

FOUND = [kernel for module in (additive, basis, table) for kernel in vars(module).values() if hasattr(kernel, "signatures")]
# One is of audits alone, one is called by other kernels alone: with these in the cache, nothing asks for it.
KERNELS = [kernel for kernel in FOUND if kernel not in (additive.sum_live, additive.weigh_axes)]

def tell():
    print([len(kernel.signatures) for kernel in KERNELS])

tell()
assert instashap.warm_up() is None
tell()
rng = np.random.default_rng(0)
X = pd.DataFrame({"a": rng.normal(size=200), "town": rng.choice(["x", "y"], 200), "b": rng.normal(size=200)})
explainer = instashap.Explainer(interactions="all").fit(X, outputs=X["a"] * (X["town"] == "x") + X["a"] * X["b"])
explainer.shap_values(X), explainer.interaction_values(X), explainer.predict(X.to_numpy())
tell()
"""


def test_after_warm_up_nothing_is_left_to_compile() -> None:
    done = subprocess.run([sys.executable, "-c", WARM_UP], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    cold, warm, used = (eval(line) for line in done.stdout.splitlines())
    assert len(cold) >= 2
    assert set(cold) == {0}
    assert set(warm) == {1}
    assert used == warm


def test_warm_up_draws_nothing_from_the_global_generator_and_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]  # noqa: NPY002
    instashap.warm_up()
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index,union-attr]  # noqa: NPY002
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("y", [pd.date_range("2024-01-01", periods=50), pd.to_timedelta(np.arange(50), unit="D")])
def test_dates_and_durations_are_no_labels_until_they_are_numbers(y):
    X = pd.DataFrame({"a": np.arange(50.0)})
    with pytest.raises(ValueError, match=r"y must be numeric, got dates or durations .*; pass numbers") as refusal:
        AdditiveRegressor(order=1).fit(X, y)
    days = eval(str(refusal.value).split("first: ")[1], {"y": y, "pd": pd})
    np.testing.assert_allclose(AdditiveRegressor(order=1).fit(X, days).predict(X), np.arange(50.0), atol=0.5)
