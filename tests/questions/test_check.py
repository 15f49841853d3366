"""Size and power of the drift test on fixed seeds, and its report."""

import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import instashap
from instashap import Explainer, ModelOutputError
from instashap.questions.check import DriftReport

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")

N_CHECKS = 20


def friedman(n_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = make_friedman1(n_rows, n_features=5, noise=1.0, random_state=seed)
    return X, y


@cache
def train(seed: int, n_rows: int = 1500, **options: object) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(random_state=0, max_iter=60, **options).fit(*friedman(n_rows, seed))


FITTED, _ = friedman(1500, 2)
FRESH = [friedman(500, 100 + seed)[0] for seed in range(N_CHECKS)]


@cache
def get_explainer() -> Explainer:
    return Explainer(train(0)).fit(FITTED)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Explainer:
    path = tmp_path_factory.mktemp("drift") / "model.insta"
    get_explainer().save(path)
    return instashap.load(path)


def test_an_unchanged_model_raises_no_alarm_and_a_retrained_one_is_found(loaded: Explainer) -> None:
    alarms = [get_explainer().check(X).has_moved for X in FRESH]
    assert sum(alarms) <= 3  # more than 3 of 20 has a chance of 1.6 % at 5 %
    found = [get_explainer().check(X, train(1)) for X in FRESH]
    assert sum(report.has_moved for report in found) >= 18
    for X, report in zip(FRESH, found, strict=True):
        assert loaded.check(X, train(1)) == report


def test_rows_from_a_corner_do_not_alarm() -> None:
    alarms = []
    for X in FRESH[:6]:
        for column in range(5):
            corner = X[X[:, column] > 0.7]
            alarms.append(get_explainer().check(corner).has_moved)
    assert sum(alarms) <= 4  # of 30


def test_a_shift_along_a_feature_is_found_though_residuals_keep_their_size() -> None:
    spread = train(0).predict(FITTED).std()
    report = get_explainer().check(FRESH[0], lambda X: train(0).predict(X) + 0.15 * spread * (X[:, 4] - 0.5))
    assert report.has_moved
    assert report.evidence == "pattern"
    assert "the difference depends on the features" in report.summary()


def test_on_the_fits_own_rows_outputs_are_compared_one_by_one(loaded: Explainer) -> None:
    same = loaded.check(FITTED[:500], train(0))
    assert (same.p_value, same.has_moved, same.evidence, same.n_rows, same.distance) == (1.0, False, "outputs", 500, 0.0)
    expected = "The model has not changed: on the first 500 rows of the fit its outputs are those that were fitted."
    assert same.summary() == expected
    tuned = train(0, learning_rate=0.09)
    report = loaded.check(FITTED, tuned)
    difference = np.abs(tuned.predict(FITTED[:500]) - train(0).predict(FITTED[:500])).mean() / train(0).predict(FITTED).std()
    assert report.has_moved
    assert report.p_value == 0.0
    assert report.distance == pytest.approx(difference)
    single = loaded.check(FITTED, outputs=train(0).predict(FITTED).astype(np.float32))
    assert not single.has_moved


def test_other_rows_of_the_fit_do_not_alarm() -> None:
    assert not get_explainer().check(FITTED[700:1200]).has_moved


def test_the_report_gives_the_mean_distance_and_one_sentence() -> None:
    report = get_explainer().check(FRESH[0], train(1))
    residual = np.abs(train(1).predict(FRESH[0]) - get_explainer().predict(FRESH[0])) / train(0).predict(FITTED).std()
    inside = ((FRESH[0] >= FITTED.min(axis=0)) & (FRESH[0] <= FITTED.max(axis=0))).all(axis=1)
    assert report.distance == pytest.approx(residual[inside].mean())
    assert (report.n_rows, report.n_outside) == (inside.sum(), (~inside).sum())
    unmoved = np.mean([get_explainer().check(X).distance for X in FRESH])
    assert report.usual_distance == pytest.approx(unmoved, rel=0.15)
    assert str(DriftReport(0.0004, "size", 0.12, 0.091, 500, 0)) == (
        "The model has changed: on these 500 rows it differs from the explainer by 12 % of their spread, where 9.1 % is usual "
        "(p < .001); fit again."
    )
    assert str(DriftReport(0.62, "size", 0.09, 0.091, 1, 2)) == (
        "No sign of a change: on this row model and explainer differ by 9 % of their spread, where 9.1 % is usual "
        "(p = .620). Rows outside the fitted data, left out: 2."
    )


def test_rows_outside_what_was_fitted_are_left_out() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"x": rng.uniform(size=400), "rooms": rng.integers(1, 5, 400), "town": rng.choice(["north", "south"], 400)}
    )
    explainer = Explainer(lambda X: X["x"] + X["rooms"]).fit(frame)
    fresh = frame.iloc[100:150].reset_index(drop=True).astype({"x": float})
    fresh.loc[0, "x"], fresh.loc[1, "x"] = 1.5, np.nan
    fresh.loc[2, "rooms"], fresh.loc[3, "town"], fresh.loc[4, "town"] = 9, "west", None
    report = explainer.check(fresh, lambda X: (X["x"] + X["rooms"]).fillna(0))
    assert (report.n_rows, report.n_outside) == (45, 5)
    with pytest.raises(ValueError, match="every row lies outside the fitted data"):
        explainer.check(fresh.assign(x=7.0))


def test_values_as_missing_as_in_the_fit_are_inside() -> None:
    X = np.random.default_rng(1).normal(size=(300, 2))
    X[::7, 0] = np.nan
    explainer = Explainer(lambda X: np.nan_to_num(X[:, 0])).fit(X)
    assert explainer.check(X[:100]).n_outside == 0


def test_a_change_of_an_additive_model_is_found_down_to_rounding() -> None:
    X = np.random.default_rng(2).integers(0, 4, size=(800, 2)).astype(float)
    explainer = Explainer(lambda X: X[:, 0] - X[:, 1], order=1).fit(X)
    fresh = X[300:]
    assert not explainer.check(fresh).has_moved
    assert not explainer.check(fresh, lambda X: (X[:, 0] - X[:, 1]).astype(np.float32)).has_moved
    assert explainer.check(fresh, lambda X: X[:, 0] - 1.01 * X[:, 1]).has_moved


def test_constant_outputs_several_outputs_and_weights_are_checked() -> None:
    X = np.random.default_rng(3).normal(size=(600, 3))
    constant = Explainer(lambda X: np.full(len(X), 7.0), order=1).fit(X[:400])
    assert not constant.check(X[400:]).has_moved
    assert constant.check(X[400:], lambda X: np.full(len(X), 7.5)).has_moved
    model = LogisticRegression().fit(X, X[:, :2].round().sum(axis=1).clip(-1, 1))
    several = Explainer(model).fit(X[:400], sample_weight=np.arange(400) % 3)
    assert not several.check(X[400:]).has_moved
    moved = LogisticRegression().fit(X, np.sign(X[:, 2]) * (X[:, 0] < 1))
    assert several.check(X[400:], moved).has_moved


def test_a_loaded_explainer_wraps_a_classifier_on_the_scale_that_was_fitted(tmp_path: Path) -> None:
    X = np.random.default_rng(4).normal(size=(300, 2))
    model = LogisticRegression().fit(X, X[:, 0] > 0)
    Explainer(model, output="probability", order=1).fit(X).save(tmp_path / "p.insta")
    assert not instashap.load(tmp_path / "p.insta").check(X, model).has_moved


def test_a_classifier_of_another_number_of_classes_is_refused_in_a_sentence() -> None:
    X = np.random.default_rng(0).normal(size=(300, 2))
    two, three = X[:, 0] > 0, np.digitize(X[:, 0], [-0.5, 0.5])
    explainer = Explainer(RandomForestClassifier(5, random_state=0).fit(X, two), order=1, synthetic_rows=0).fit(X)
    with pytest.raises(ModelOutputError, match="gives probabilities of 3 classes, the explainer was fitted on 2: pass a model"):
        explainer.check(X, RandomForestClassifier(5, random_state=0).fit(X, three))


def test_what_is_missing_is_named(loaded: Explainer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is nothing to explain: pass a model"):
        loaded.check(FITTED)
    with pytest.raises(ModelOutputError, match="gives 2 outputs, the explainer was fitted on 1"):
        loaded.check(FITTED, lambda X: X[:, :2])
    unpickled = pickle.loads(pickle.dumps(Explainer(order=1).fit(FITTED[:100], outputs=FITTED[:100, 0])))
    with pytest.raises(ValueError, match="check\\(\\) needs the rows of the fit"):
        unpickled.check(FITTED, outputs=FITTED[:, 0])
    unpickled.save(tmp_path / "old.insta")  # without a reference, as an earlier version did
    with pytest.raises(ValueError, match="check\\(\\) needs the rows of the fit"):
        instashap.load(tmp_path / "old.insta").check(FITTED, outputs=FITTED[:, 0])


def test_a_pickle_keeps_what_was_computed_and_a_second_save_too(loaded: Explainer, tmp_path: Path) -> None:
    expected = get_explainer().check(FRESH[0], train(1))
    assert pickle.loads(pickle.dumps(loaded)).check(FRESH[0], train(1)) == expected
    loaded.save(tmp_path / "again.insta")
    assert instashap.load(tmp_path / "again.insta").check(FRESH[0], train(1)) == expected


def test_the_file_holds_no_rows_of_the_fit(loaded: Explainer) -> None:
    reference = loaded._fitted.answers.residuals
    assert reference is not None
    assert loaded._fitted.record is None
    assert {name for name, value in vars(reference).items() if isinstance(value, np.ndarray) and len(value) > 10} == {
        "sizes",
        "outputs",
    }


@pytest.mark.parametrize("n_rows", [2, 3, 6])
def test_the_smallest_fits_can_be_checked(n_rows: int) -> None:
    X, _ = friedman(n_rows, 5)
    report = Explainer(lambda X: X[:, 0]).fit(X).check(X)
    assert report.evidence == "outputs"
    assert report.n_rows == n_rows
    assert Explainer(lambda X: X[:, 0]).fit(X).check(X[::-1]).n_rows == n_rows
