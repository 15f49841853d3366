"""The additive classifier, and the losses of the regressor: labels, scales, games, files, peers and simulated truth."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, log_softmax, softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, log_loss, mean_poisson_deviance
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import instashap
from instashap import AdditiveClassifier, AdditiveRegressor
from instashap.game.coalitions import enumerate_coalitions
from instashap.game.exact import compute_shapley_values

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")


def make_rows(n_rows: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlated numbers, and codes of two and of three classes drawn from known scores."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3))
    X[:, 1] += 0.8 * X[:, 0]
    two = (rng.random(n_rows) < expit(X[:, 0] + X[:, 1] * X[:, 2])).astype(int)
    shares = softmax(np.column_stack([X[:, 0], -X[:, 0], X[:, 1] * X[:, 2]]), axis=1)
    return X, two, (rng.random(n_rows)[:, None] > shares.cumsum(axis=1)).sum(axis=1)


def make_frame(n_rows: int = 600, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Text and numbers, both with missing cells; log-odds additive in them, by hand."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"size": rng.uniform(0, 1, n_rows), "town": rng.choice(["north", "south", "west"], n_rows)})
    frame.loc[rng.random(n_rows) < 0.2, "size"] = np.nan
    frame.loc[rng.random(n_rows) < 0.2, "town"] = None
    town = frame["town"].map({"north": 2.0, "south": -2.0, "west": 0.0}).fillna(1.0)
    score = town + 2 * frame["size"].fillna(-1.0)
    return frame, (rng.random(n_rows) < expit(score.to_numpy(dtype=float))).astype(int)


NAMES: dict[str, tuple[Any, Any]] = {
    "strings": (["no", "yes"], ["a", "b", "c"]),
    "numpy str": (np.array(["no", "yes"]), np.array(["a", "b", "c"])),
    "object": (np.array(["no", "yes"], dtype=object), np.array(["a", "b", "c"], dtype=object)),
    "bool": ([False, True], None),
    "integers": ([-7, 40], [2, 5, 9]),
    "whole floats": ([0.0, 3.0], [1.0, 2.0, 4.0]),
}


@pytest.mark.parametrize("kind", NAMES)
def test_classes_of_any_type_come_back_as_they_were(kind: str) -> None:
    X, two, three = make_rows()
    X, two, three = X[:120], two[:120], three[:120]
    for codes, names in zip((two, three), NAMES[kind], strict=True):
        if names is None:
            continue
        labels = np.asarray(names)[codes]
        model = AdditiveClassifier(order=1).fit(X, labels)
        assert model.classes_.tolist() == list(names)
        assert model.classes_.dtype == labels.dtype
        predicted = model.predict(X)
        assert predicted.dtype == labels.dtype
        assert (predicted == labels).mean() > 1.2 * max(np.bincount(codes)) / len(codes)
        plain = AdditiveClassifier(order=1).fit(X, codes)
        assert np.array_equal(model.decision_function(X), plain.decision_function(X))
        assert model.score(X, labels) == pytest.approx((plain.predict(X) == codes).mean())


@pytest.mark.parametrize("container", [list, pd.Series, pd.Categorical, lambda y: pd.Series(y, dtype="string")])
def test_labels_come_in_any_container(container: Any) -> None:
    X, two, _ = make_rows()
    labels = np.where(two == 1, "yes", "no")
    expected = AdditiveClassifier(order=1).fit(X, labels).predict_proba(X)
    model = AdditiveClassifier(order=1).fit(X, container(labels))
    assert np.array_equal(model.predict_proba(X), expected)
    assert list(model.classes_) == ["no", "yes"]


def test_two_classes_have_one_score_the_log_odds_of_the_second() -> None:
    X, two, _ = make_rows()
    model = AdditiveClassifier().fit(X, two)
    score, shares = model.decision_function(X), model.predict_proba(X)
    assert score.shape == (300,)
    np.testing.assert_allclose(shares, np.column_stack([1 / (1 + np.exp(score)), 1 / (1 + np.exp(-score))]), atol=1e-14)
    np.testing.assert_array_equal(model.predict(X), (score > 0).astype(int))
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(shares), atol=1e-12)
    assert isinstance(model.intercept_, float)
    assert model.intercept_ == pytest.approx(score.mean(), abs=1e-10)


def test_scores_of_three_classes_are_centred() -> None:
    X, _, three = make_rows()
    score = AdditiveClassifier(order=1).fit(X, three).decision_function(X)
    np.testing.assert_allclose(score.sum(axis=1), 0.0, atol=1e-6)


def test_three_classes_have_scores_and_their_softmax() -> None:
    X, _, three = make_rows()
    model = AdditiveClassifier().fit(X, three)
    score, shares = model.decision_function(X), model.predict_proba(X)
    assert score.shape == (300, 3)
    np.testing.assert_allclose(shares, softmax(score, axis=1), atol=1e-14)
    np.testing.assert_array_equal(model.predict(X), score.argmax(axis=1))
    np.testing.assert_allclose(model.intercept_, score.mean(axis=0), atol=1e-10)
    np.testing.assert_allclose(model.predict_log_proba(X), log_softmax(score, axis=1), atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_shapley_values_and_terms_add_up_to_the_decision_function(n_classes: int) -> None:
    X, two, three = make_rows()
    model = AdditiveClassifier(interactions="all").fit(X, two if n_classes == 2 else three)
    score, values, parts = model.decision_function(X), model.shap_values(X), model.eval_terms(X)
    shape = () if n_classes == 2 else (3,)
    assert values.shape == (300, 3, *shape)
    assert parts.shape == (300, len(model.term_features_), *shape)
    np.testing.assert_allclose(model.intercept_ + values.sum(axis=1), score, atol=1e-12)
    np.testing.assert_allclose(model.intercept_ + parts.sum(axis=1), score, atol=1e-12)
    explanation = model.explain(X)
    np.testing.assert_allclose(explanation.predictions, score, atol=1e-12)
    assert explanation.output_transform == ("log-odds" if n_classes == 2 else "centred log-probabilities")
    assert explanation.output_names == (("1",) if n_classes == 2 else ("0", "1", "2"))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_values_are_brute_force_shapley_values_of_the_masked_score(n_classes: int) -> None:
    X, two, three = make_rows()
    model = AdditiveClassifier(interactions="all").fit(X, two if n_classes == 2 else three)
    fitted, rows = model._fitted, X[:20]
    encoded = fitted.encoder.encode(fitted.read(rows))
    masks = enumerate_coalitions(3)
    game = np.stack([fitted.model.predict(encoded, np.tile(mask, (20, 1))) for mask in masks])
    expected = np.moveaxis(compute_shapley_values(game), 0, 1)
    np.testing.assert_allclose(model.shap_values(rows).reshape(expected.shape), expected, atol=1e-11)
    np.testing.assert_allclose(game[0], np.tile(model.intercept_, (20, 1)), atol=1e-10)


def test_interactions_hold_no_main_effect() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (900, 2)).astype(float)
    X[:, 1] = np.where(rng.random(900) < 0.5, X[:, 0], X[:, 1])
    y = (rng.random(900) < expit(X[:, 0] * X[:, 1] - 1.5)).astype(int)
    model = AdditiveClassifier(interactions=[(0, 1)]).fit(X, y)
    pair = model.eval_terms(X)[:, 2]
    assert pair.std() > 0.1
    for column in range(2):
        for level in range(3):
            assert abs(pair[X[:, column] == level].mean()) < 1e-7


@pytest.mark.parametrize(
    ("n_rows", "seed"),
    [
        (150, 1),
        (200, 1),
        (400, 2),
    ],
)
def test_a_row_weight_counts_as_so_many_rows(n_rows: int, seed: int) -> None:
    X, two, _ = make_rows(n_rows)
    weights = np.random.default_rng(seed).integers(0, 4, n_rows)
    repeated = np.repeat(np.arange(n_rows), weights)
    weighted = AdditiveClassifier().fit(X, two, sample_weight=weights)
    copied = AdditiveClassifier().fit(X[repeated], two[repeated])
    np.testing.assert_allclose(weighted.decision_function(X), copied.decision_function(X), atol=1e-6)
    np.testing.assert_allclose(weighted.shap_values(X), copied.shap_values(X), atol=1e-6)


def test_class_weights_are_row_weights_of_the_class() -> None:
    X, _, three = make_rows()
    factors = {0: 1.0, 1: 4.0, 2: 0.5}
    by_class = AdditiveClassifier(order=1, class_weight=factors).fit(X, three)
    by_row = AdditiveClassifier(order=1).fit(X, three, sample_weight=np.array([1.0, 4.0, 0.5])[three])
    assert np.array_equal(by_class.decision_function(X), by_row.decision_function(X))
    both = AdditiveClassifier(order=1, class_weight=factors).fit(X, three, sample_weight=np.full(300, 2.0))
    twice = AdditiveClassifier(order=1).fit(X, three, sample_weight=2 * np.array([1.0, 4.0, 0.5])[three])
    assert np.array_equal(both.decision_function(X), twice.decision_function(X))


def test_balanced_classes_have_equal_mean_probability() -> None:
    X, _, _ = make_rows(1000)
    y = (np.random.default_rng(5).random(1000) < expit(X[:, 0] - 2.5)).astype(int)
    model = AdditiveClassifier(order=1, class_weight="balanced").fit(X, y)
    shares = model.predict_proba(X)[:, 1]
    balance = np.where(y == 1, 1 / y.mean(), 1 / (1 - y.mean()))
    assert np.average(shares, weights=balance) == pytest.approx(0.5, abs=1e-6)  # the intercept is not penalised
    assert shares.mean() > 2 * y.mean()


def test_mean_probability_is_the_share_of_the_class() -> None:
    X, two, three = make_rows()
    for labels in (two, three):
        shares = AdditiveClassifier(order=1).fit(X, labels).predict_proba(X).mean(axis=0)
        np.testing.assert_allclose(shares, np.bincount(labels) / 300, atol=1e-6)


def test_missing_cells_and_text_have_effects_of_their_own() -> None:
    frame, y = make_frame(6000)
    model = AdditiveClassifier(order=1).fit(frame, y)
    rows = pd.DataFrame({"size": [0.5, np.nan, 0.5, 0.5], "town": ["north", "north", "south", None]})
    # 2 + 1;  2 - 2;  -2 + 1;  1 + 1
    np.testing.assert_allclose(model.decision_function(rows), [3.0, 0.0, -1.0, 2.0], atol=0.35)
    unseen = pd.DataFrame({"size": [0.5], "town": ["elsewhere"]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.DataWarning)
        assert np.isfinite(model.decision_function(unseen)).all()


def test_saved_and_loaded_as_an_explainer_it_gives_the_same_bits(tmp_path: Path) -> None:
    frame, y = make_frame()
    model = AdditiveClassifier().fit(frame, np.array(["no", "yes"])[y])
    model.save(tmp_path / "model.insta")
    loaded = instashap.load(tmp_path / "model.insta")
    assert np.array_equal(loaded.predict(frame), model.decision_function(frame))
    assert np.array_equal(loaded.shap_values(frame), model.shap_values(frame))
    assert np.array_equal(loaded.interaction_values(frame), model.eval_terms(frame))
    assert (loaded.output_transform_, loaded.expected_value) == ("log-odds", model.intercept_)


def test_pickled_and_cloned_it_is_the_same_model() -> None:
    frame, y = make_frame()
    model = AdditiveClassifier(order=1, class_weight="balanced").fit(frame, y)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict_proba(frame), model.predict_proba(frame))
    assert np.array_equal(copy.shap_values(frame), model.shap_values(frame))
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(frame)
    assert np.array_equal(fresh.fit(frame, y).decision_function(frame), model.decision_function(frame))


def test_grid_search_in_a_pipeline_finds_the_order() -> None:
    X, _, _ = make_rows(300)
    y = (X[:, 1] * X[:, 2] > 0).astype(int)
    pipeline = make_pipeline(StandardScaler(), AdditiveClassifier())
    search = GridSearchCV(pipeline, {"additiveclassifier__order": [1, 2]}, cv=2, scoring="neg_log_loss").fit(X, y)
    assert search.best_params_ == {"additiveclassifier__order": 2}
    assert search.score(X, y) > -0.35
    assert search.predict(X).dtype == y.dtype


def test_a_calibrated_classifier_wraps_it() -> None:
    X, two, _ = make_rows(400)
    wrapped = CalibratedClassifierCV(AdditiveClassifier(order=1), cv=3).fit(X, two)
    shares = wrapped.predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-12)
    plain = AdditiveClassifier(order=1).fit(X, two).predict_proba(X)
    assert np.corrcoef(shares[:, 1], plain[:, 1])[0, 1] > 0.95


def test_probabilities_are_calibrated_where_the_truth_is_known() -> None:
    def draw(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        X = rng.uniform(-2, 2, size=(4000, 4))
        share = expit(1.5 * np.sin(2 * X[:, 0]) + X[:, 1] - X[:, 2] ** 2 + 1 + X[:, 0] * X[:, 3])
        return X, share, (rng.random(4000) < share).astype(int)

    X, _, y = draw(0)
    fresh, truth, labels = draw(1)
    found = AdditiveClassifier().fit(X, y).predict_proba(fresh)[:, 1]
    assert np.sqrt(np.mean((found - truth) ** 2)) < 0.04
    order = np.argsort(found)
    for part in np.array_split(order, 10):  # deciles of the prediction
        assert found[part].mean() == pytest.approx(truth[part].mean(), abs=0.03)
    assert log_loss(labels, found) - log_loss(labels, truth) < 0.01


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(300), "y has one class only, 0.0, in rows of positive weight"),
        (np.array([1, "a", "b"] * 100, dtype=object), r"y holds text and other labels, such as 'a' and 1: .* y\.astype\(str\)"),
        (np.where(np.arange(300) < 2, np.nan, 1.0), "Input y contains 2 NaN or missing labels; drop those rows"),
        (np.where(np.arange(300) < 3, None, "a"), "Input y contains 3 NaN or missing labels"),
        (pd.Series(["a", "b", None] * 100, dtype="string"), "Input y contains 100 NaN or missing labels"),
        (np.linspace(0, 1, 300), "Unknown label type: continuous"),
        (np.arange("2020-01", "2045-01", dtype="datetime64[M]"), "y holds dates or durations .* pass a class of each row"),
        (np.zeros((300, 2), dtype=int), "1d array|shape"),
        (np.arange(7), "inconsistent numbers of samples: X has 300 rows, y has 7"),
        (None, "requires y to be passed"),
    ],
    ids=[
        "one class",
        "text and numbers",
        "missing",
        "none cells",
        "NA cells",
        "continuous",
        "dates",
        "two columns",
        "short",
        "none",
    ],
)
def test_bad_labels_are_refused_in_one_sentence(y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdditiveClassifier(order=1).fit(make_rows()[0], y)


def test_a_class_without_weight_is_no_class() -> None:
    X, _, three = make_rows()
    model = AdditiveClassifier(order=1).fit(X, three, sample_weight=(three != 1).astype(float))
    assert model.classes_.tolist() == [0, 2]
    kept = three != 1
    without = AdditiveClassifier(order=1).fit(X[kept], three[kept])
    assert np.array_equal(model.decision_function(X), without.decision_function(X))
    with pytest.raises(ValueError, match="y has one class only, 0"):
        AdditiveClassifier(order=1).fit(X, three, sample_weight=(three == 0).astype(float))


def test_separable_classes_give_finite_scores_on_the_right_side() -> None:
    X = np.linspace(-1, 1, 200)[:, None]
    model = AdditiveClassifier(order=1).fit(X, X[:, 0] > 0)
    assert model.score(X, X[:, 0] > 0) > 0.98
    assert np.isfinite(model.decision_function(X)).all()
    assert np.abs(model.decision_function(X)).max() > 3


@pytest.mark.parametrize("name", ["predict", "predict_proba", "decision_function", "shap_values", "eval_terms"])
def test_reading_before_fitting_is_refused(name: str) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(AdditiveClassifier(), name)(make_rows()[0])


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(load_breast_cancer, id="breast cancer", marks=pytest.mark.slow),
        pytest.param(load_wine, id="wine", marks=pytest.mark.slow),
        pytest.param(load_iris, id="iris"),
    ],
)
def test_bundled_tables_are_told_no_worse_than_by_boosting(load: Any) -> None:
    X, y = load(return_X_y=True)
    figures: dict[str, list[tuple[float, float]]] = {"ours": [], "peer": []}
    n_folds = 2 if len(y) > 500 else 3
    for train, test in StratifiedKFold(n_folds, shuffle=True, random_state=0).split(X, y):
        for name, model in (("ours", AdditiveClassifier()), ("peer", HistGradientBoostingClassifier(random_state=0))):
            shares = model.fit(X[train], y[train]).predict_proba(X[test])
            figures[name].append((accuracy_score(y[test], shares.argmax(axis=1)), log_loss(y[test], shares)))
    ours, peer = (np.mean(figures[name], axis=0) for name in ("ours", "peer"))
    assert ours[0] >= peer[0] - 0.01
    assert ours[1] <= peer[1] + 0.01


# --- losses of the regressor -------------------------------------------------------------------------------------------


def draw_amounts(n_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, size=(n_rows, 3))
    return X, np.exp(0.5 + np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] * X[:, 2]), rng


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_means_of_counts_and_amounts_are_recovered_with_values_on_their_logarithm(loss: str) -> None:
    X, mean, rng = draw_amounts(3000, 0)
    y = rng.poisson(mean) if loss == "poisson" else rng.gamma(4.0, mean / 4.0)
    model = AdditiveRegressor(loss=loss).fit(X, y)
    fresh, truth, rng = draw_amounts(3000, 1)
    found = model.predict(fresh)
    assert 1 - np.mean((np.log(found) - np.log(truth)) ** 2) / np.log(truth).var() > 0.97
    counts = rng.poisson(truth)
    assert mean_poisson_deviance(counts, found) < 1.02 * mean_poisson_deviance(counts, truth) + 0.01
    np.testing.assert_allclose(model.intercept_ + model.shap_values(fresh).sum(axis=1), np.log(found), atol=1e-12)
    np.testing.assert_allclose(model.intercept_ + model.eval_terms(fresh).sum(axis=1), np.log(found), atol=1e-12)
    assert model.explain(fresh[:2]).output_transform == "log of the mean"


def test_mean_of_fitted_counts_is_the_mean_count() -> None:
    X, mean, rng = draw_amounts(500, 0)
    y, weights = rng.poisson(mean), rng.integers(1, 4, 500)
    found = AdditiveRegressor(order=1, loss="poisson").fit(X, y, sample_weight=weights).predict(X)
    assert np.average(found, weights=weights) == pytest.approx(np.average(y, weights=weights), rel=1e-6)


def test_the_unit_of_an_exposure_changes_nothing_but_the_unit_of_rates():
    rng = np.random.default_rng(3)
    X, years = rng.normal(size=(400, 2)), rng.integers(1, 5, 400) / 4
    counts = rng.poisson(years * np.exp(0.6 * X[:, 0] - 0.3 * X[:, 1]))

    def fit(unit):
        exposure = unit * years  # quarters are whole numbers, years are not
        return AdditiveRegressor(order=1, loss="poisson").fit(X, counts / exposure, sample_weight=exposure)

    by_year = fit(1.0)
    for unit in (4.0, 365.25, 1e-3):
        model = fit(unit)
        np.testing.assert_allclose(model.shap_values(X), by_year.shap_values(X), atol=1e-9)
        np.testing.assert_allclose(unit * model.predict(X), by_year.predict(X), rtol=1e-9)
    # The score equation of the intercept: as many events expected as there were.
    assert years @ by_year.predict(X) == pytest.approx(counts.sum(), rel=1e-6)
    assert np.corrcoef(by_year.shap_values(X)[:, 0], X[:, 0])[0, 1] > 0.95


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_a_share_of_fresh_labels_lies_below_the_quantile(quantile: float) -> None:
    def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        X = rng.uniform(-2, 2, size=(6000, 2))
        return X, np.sin(2 * X[:, 0]) + X[:, 1] + (0.3 + 0.2 * np.abs(X[:, 1])) * rng.standard_normal(6000)

    X, y = draw(0)
    fresh, labels = draw(1)
    model = AdditiveRegressor(loss="quantile", quantile=quantile, order=1).fit(X, y)
    found = model.predict(fresh)
    assert np.mean(labels <= found) == pytest.approx(quantile, abs=0.02)
    z = {0.1: -1.2815515655, 0.5: 0.0, 0.9: 1.2815515655}[quantile]
    truth = np.sin(2 * fresh[:, 0]) + fresh[:, 1] + z * (0.3 + 0.2 * np.abs(fresh[:, 1]))
    assert np.sqrt(np.mean((found - truth) ** 2)) < 0.08
    np.testing.assert_allclose(model.intercept_ + model.shap_values(fresh).sum(axis=1), found, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "y", "message"),
    [
        ({"loss": "hinge"}, np.ones(300), "loss='hinge' is not known; use one of 'squared_error', 'poisson'"),
        ({"loss": "poisson"}, np.linspace(-1, 1, 300), "needs y of 0 or more, not all 0; the smallest is -1"),
        ({"loss": "poisson"}, np.zeros(300), "needs y of 0 or more, not all 0; the smallest is 0"),
        ({"loss": "gamma"}, np.arange(300.0), "needs positive y; the smallest is 0"),
        ({"loss": "quantile", "quantile": 1.0}, np.ones(300), "quantile=1.0 must be a number between 0 and 1"),
        ({"loss": "quantile", "quantile": "half"}, np.ones(300), "quantile='half' must be a number between 0 and 1"),
        ({"loss": "gamma"}, np.ones((300, 2)), r"takes one target, y has shape \(300, 2\); fit one model per target"),
    ],
)
def test_labels_a_loss_cannot_take_are_refused(options: dict[str, Any], y: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdditiveRegressor(order=1, **options).fit(make_rows()[0], y)


def test_a_row_without_weight_may_hold_any_label() -> None:
    X, mean, rng = draw_amounts(300, 0)
    y = rng.gamma(4.0, mean / 4.0)
    weights = np.where(np.arange(300) < 5, 0.0, 1.0)
    model = AdditiveRegressor(order=1, loss="gamma").fit(X, np.where(weights > 0, y, -1.0), sample_weight=weights)
    assert np.array_equal(model.predict(X), AdditiveRegressor(order=1, loss="gamma").fit(X[5:], y[5:]).predict(X))


def test_losses_survive_cross_validation() -> None:
    X, mean, rng = draw_amounts(400, 0)
    y = rng.poisson(mean).astype(float)
    scores = cross_val_score(AdditiveRegressor(order=1, loss="poisson"), X, y, cv=3, scoring="neg_mean_poisson_deviance")
    assert scores.min() > -mean_poisson_deviance(y, np.full(400, y.mean()))


def test_booleans_in_a_column_of_objects_are_classes():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=200)})
    y = pd.Series(X["a"] + rng.normal(size=200) > 0)
    as_objects = AdditiveClassifier(order=1).fit(X, y.astype(object))
    assert as_objects.classes_.tolist() == [False, True]
    np.testing.assert_array_equal(as_objects.predict(X), AdditiveClassifier(order=1).fit(X, y).predict(X))


def test_balanced_classes_have_the_same_total_weight_whatever_the_rows_weights() -> None:
    X, y = np.array([[0.0], [1.0]] * 600), np.array([0, 0, 0, 1, 1, 0] * 200)
    counts = np.tile([3.0, 1.0, 0.0, 5.0, 1.0, 2.0], 200)
    weighted = AdditiveClassifier(order=1, class_weight="balanced").fit(X, y, counts)
    copied = np.repeat(np.arange(1200), counts.astype(int))
    repeated = AdditiveClassifier(order=1, class_weight="balanced").fit(X[copied], y[copied])
    np.testing.assert_allclose(weighted.decision_function(X[:2]), repeated.decision_function(X[:2]), atol=1e-6)
    # Weights of (x, y): (0, 0) 3 and (1, 0) 3, half of their class each; (0, 1) 1 and (1, 1) 5, 1/6 and 5/6 of theirs.
    expected = [(1 / 6) / (1 / 6 + 3 / 6), (5 / 6) / (5 / 6 + 3 / 6)]
    np.testing.assert_allclose(weighted.predict_proba(X[:2])[:, 1], expected, atol=0.01)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ("bal", "must be a dict from classes to weights, 'balanced' or None; got 'bal'"),
        ({0: 1.0, 2: 5.0}, r"class_weight names \[2\], none of the classes \[0, 1\]"),
        ({0: 1.0, 1: -1.0}, r"must be finite and above 0, got \{0: 1.0, 1: -1.0\}"),
        ({0: 0.0}, "to leave a class out, drop its rows"),
    ],
)
def test_class_weights_that_cannot_be_used_are_refused(class_weight, message) -> None:
    with pytest.raises(ValueError, match=message):
        AdditiveClassifier(class_weight=class_weight).fit(np.arange(20.0)[:, None], np.arange(20) % 2)


def test_the_class_of_negative_zeros_is_zero():
    X = np.random.default_rng(0).normal(size=(120, 2))
    labels = np.where(X[:, 0] > 0.5, 1.0, np.where(X[:, 0] < -0.5, -1.0, -0.0))
    model = AdditiveClassifier(order=1).fit(X, labels)
    assert [str(each) for each in model.classes_] == ["-1.0", "0.0", "1.0"]
    assert model.to_explainer().output_names_ == ("-1.0", "0.0", "1.0")
