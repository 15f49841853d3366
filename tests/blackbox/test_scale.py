"""The scale of classifiers: log-odds as the model has them, and cut only where they are infinite."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import instashap
from instashap import Explainer, FitWarning, Marginal
from instashap.blackbox import wrap_model

pytestmark = pytest.mark.usefixtures("few_calls")

IRIS, SPECIES = load_iris(return_X_y=True)
CANCER, IS_BENIGN = load_breast_cancer(return_X_y=True)
RNG = np.random.default_rng(0)
X = RNG.integers(0, 4, (3000, 3)).astype(float)
COEFFICIENTS = np.array([0.5, -0.7, 0.4])


def make_rare(intercept: float) -> LogisticRegression:
    """A model whose log-odds are a sum of three known lines."""
    model = LogisticRegression().fit(X, np.arange(len(X)) % 2)
    model.coef_, model.intercept_ = COEFFICIENTS[None], np.array([intercept])
    return model


class Sigmoid:
    """The same probabilities without a decision function."""

    classes_ = np.array([0, 1])

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict_proba(self, X: Any) -> np.ndarray:
        return np.asarray(self.model.predict_proba(X))


@pytest.mark.parametrize("has_margin", [True, False])
@pytest.mark.parametrize("intercept", [-2.5, -7.0, -9.5, -12.0, 12.0])
def test_an_additive_model_of_a_rare_event_is_explained_as_it_is(intercept: float, has_margin: bool) -> None:
    model = make_rare(intercept)
    # Every combination as often as any other: Shapley values are the lines less their means.
    grid = np.tile(np.stack(np.meshgrid(*[np.arange(4.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 3), (20, 1))
    explainer = Explainer(model if has_margin else Sigmoid(model), order=1).fit(grid)
    exact = COEFFICIENTS * (grid - 1.5)
    assert 1 - ((explainer.shap_values(grid) - exact) ** 2).sum() / (exact**2).sum() > 0.9999
    assert explainer.expected_value == pytest.approx(intercept + 1.5 * COEFFICIENTS.sum(), abs=1e-6)


def test_an_additive_model_is_audited_as_additive() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(800, 3)), columns=list("abc"))
    y = (rng.random(800) < 1 / (1 + np.exp(-6 * frame["a"] - 4 * frame["b"]))).astype(int)
    report = instashap.audit(instashap.AdditiveClassifier(order=1).fit(frame, y), frame, y, orders=(1,))
    assert report.verdicts == {1: "safe"}
    assert not report.rungs[-1].missing


WIDE = make_pipeline(StandardScaler(), LogisticRegression(C=1e6, max_iter=10_000))


@pytest.mark.parametrize(
    "model",
    [
        WIDE,
        SGDClassifier(loss="log_loss", random_state=0),
        GradientBoostingClassifier(n_estimators=20),
        HistGradientBoostingClassifier(max_iter=20),
        LinearDiscriminantAnalysis(),
        OneVsRestClassifier(LogisticRegression(max_iter=10_000)),
        GridSearchCV(LogisticRegression(max_iter=10_000), {}, cv=2),
    ],
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_margins_that_are_log_odds_are_found(model: Any, n_classes: int) -> None:
    labels = np.minimum(SPECIES, n_classes - 1)
    rows = IRIS[:, :2]  # the classes overlap: most probabilities are neither 0 nor 1
    answer = wrap_model(model.fit(rows, labels)).ask(rows, 150)
    assert answer.box.description.endswith("the model's own margin (decision_function)")
    given = model.predict_proba(rows)
    inside = ((given > 1e-6) & (given < 1 - 1e-6)).all(axis=1)
    logs = np.log(given[inside])
    expected = logs[:, 1:] - logs[:, :1] if n_classes == 2 else logs - logs.mean(axis=1, keepdims=True)
    assert inside.any()
    np.testing.assert_allclose(answer.values[inside], expected, atol=1e-6)


def test_a_margin_reaches_where_probabilities_have_no_digits() -> None:
    model = make_rare(40.0)
    assert model.predict_proba(X)[:, 1].min() == 1.0
    values = wrap_model(model).predict(X, len(X))[:, 0]
    np.testing.assert_allclose(values, 40 + X @ COEFFICIENTS, rtol=1e-12)
    naive = GaussianNB().fit(CANCER, IS_BENIGN)
    assert naive.predict_proba(CANCER).min() < 1e-200
    logs, answer = naive.predict_joint_log_proba(CANCER), wrap_model(naive).ask(CANCER, 569)
    np.testing.assert_allclose(answer.values[:, 0], logs[:, 1] - logs[:, 0], rtol=1e-9)
    assert answer.box.description == "log-odds of class '1', the model's own margin (predict_log_proba)"


@pytest.mark.parametrize("package", ["xgboost", "lightgbm", "catboost"])
@pytest.mark.parametrize("in_pipeline", [True, False])
def test_estimators_of_boosting_libraries_give_their_sum_of_trees(package: str, in_pipeline: bool) -> None:
    module = pytest.importorskip(package)
    name = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier", "catboost": "CatBoostClassifier"}[package]
    quiet = {
        "xgboost": {"verbosity": 0, "n_jobs": 1},
        "lightgbm": {"verbose": -1, "n_jobs": 1},
        "catboost": {"verbose": 0, "allow_writing_files": False, "thread_count": 1},
    }[package]
    option = {
        "xgboost": {"output_margin": True},
        "lightgbm": {"raw_score": True},
        "catboost": {"prediction_type": "RawFormulaVal"},
    }[package]
    rows = pd.DataFrame(IRIS, columns=list("abcd")) if package == "lightgbm" else IRIS
    booster = getattr(module, name)(n_estimators=10, **quiet)
    model = make_pipeline("passthrough", booster) if in_pipeline else booster
    for labels in (SPECIES > 0, SPECIES):
        margins = np.asarray(model.fit(rows, labels.astype(int)).predict(rows, **option), dtype=float).reshape(150, -1)
        expected = margins if margins.shape[1] == 1 else margins - margins.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(wrap_model(model).predict(rows, 150), expected, atol=1e-6)


def test_a_margin_that_is_not_the_log_odds_is_not_used() -> None:
    class Scaled(Sigmoid):
        """Calibrated: the decision function is another line of the log-odds."""

        def decision_function(self, X: Any) -> np.ndarray:
            return np.asarray(2 * self.model.decision_function(X) + 1)

    model = make_rare(-3.0)
    answer = wrap_model(Scaled(model)).ask(X, len(X))
    np.testing.assert_allclose(answer.values[:, 0], model.decision_function(X), atol=1e-9)
    assert answer.box.description == "log-odds of class '1', from probabilities"


def test_boosting_with_the_hinge_loss_is_explained_on_its_margin_and_never_cut() -> None:
    model = pytest.importorskip("xgboost").XGBClassifier(objective="binary:hinge", n_estimators=5, verbosity=0)
    model.fit(CANCER, IS_BENIGN)
    answer = wrap_model(model).ask(CANCER, 569)
    np.testing.assert_allclose(answer.values[:, 0], model.predict(CANCER, output_margin=True), rtol=1e-6)
    assert answer.box.description == "decision function of the classifier (output_margin)"
    with pytest.raises(TypeError, match="output='probability' needs class probabilities, but XGBClassifier predicts 0 or 1"):
        wrap_model(model, output="probability")


def test_two_components_of_a_mixture_are_log_odds_of_the_second() -> None:
    mixture = GaussianMixture(2, random_state=0, reg_covar=1.0).fit(IRIS)
    answer = wrap_model(mixture).ask(IRIS, 150)
    assert answer.values.shape == (150, 1)
    assert answer.box.description.startswith("log-odds of the second class, ")
    np.testing.assert_allclose(1 / (1 + np.exp(-answer.values[:, 0])), mixture.predict_proba(IRIS)[:, 1], atol=1e-6)


def test_the_score_before_a_transformed_target_is_refused_with_advice_that_works() -> None:
    model = TransformedTargetRegressor(LinearRegression(), func=np.log, inverse_func=np.exp).fit(IRIS, np.exp(IRIS[:, 0]))
    with pytest.raises(TypeError, match="output='raw' needs the score before the link") as refused:
        wrap_model(model, output="raw")
    score = eval(str(refused.value).split("pass ")[1], {"model": model})
    np.testing.assert_allclose(score(IRIS), IRIS[:, 0], atol=1e-9)


def test_one_cut_serves_every_batch_and_every_later_row() -> None:
    shares = np.array([0.0, 0.1, 0.2, 0.5, 0.9, 1.0])
    rows = np.tile(shares, 100)[:, None]

    class Forest:
        classes_ = np.array(["no", "yes"])

        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            return np.column_stack([1 - X[:, 0], X[:, 0]])

    # Half of the smallest positive probability of either class, .1.
    expected = np.log([0.05, 0.1, 0.2, 0.5, 0.9, 1.0]) - np.log([1.0, 0.9, 0.8, 0.5, 0.1, 0.05])
    for batch_rows in (7, 8192):
        answer = wrap_model(Forest(), batch_rows=batch_rows).ask(rows, 600)
        np.testing.assert_allclose(answer.values[:6, 0], expected, atol=1e-12)
        assert answer.box.description == "log-odds of class 'yes', from probabilities, those below 0.05 cut (33.3 % of rows)"
        np.testing.assert_allclose(answer.box.predict(np.array([[0.0], [1.0]]), 2)[:, 0], expected[[0, 5]], atol=1e-12)


def test_the_cut_of_the_fit_is_kept_by_checks_refinement_and_files(tmp_path: Any) -> None:
    model = RandomForestClassifier(10, max_depth=4, random_state=0).fit(IRIS, SPECIES > 0)
    with pytest.warns(FitWarning, match=r"probabilities of 0 or 1, or almost, on 9\d\.\d % of .*output='probability'"):
        explainer = Explainer(model, order=1).fit(IRIS)
    explainer.save(tmp_path / "forest.insta")
    loaded = instashap.load(tmp_path / "forest.insta")
    own = loaded.check(IRIS, model)
    assert own.evidence == "outputs"
    assert own.distance == 0.0
    few = IRIS[:5]
    assert (model.predict_proba(few)[:, 1] == 0).all()
    refined = loaded.refine(few, model=model, value_function=Marginal(IRIS[::10]), n_coalitions=16)
    floor = explainer.fit_facts_["scale"]["floors"][1]
    np.testing.assert_allclose(refined.predictions, np.log(floor), atol=1e-9)
    assert refined.output_transform == explainer.output_transform_


def test_marginal_games_know_their_cut_before_they_ask_about_hybrid_rows() -> None:
    model = KNeighborsClassifier(3).fit(IRIS[:, 2:], SPECIES > 1)
    with pytest.warns(FitWarning, match="are infinite and were cut"):
        explainer = Explainer(model, value_function=Marginal(IRIS[::15, 2:])).fit(IRIS[:, 2:])
    assert "those below 0.17 cut" in explainer.output_transform_
    assert np.abs(explainer.predict(IRIS[:, 2:])).max() < 2.5  # log-odds of 1/6 beside 1: ±1.79


def test_what_is_not_cut_is_not_warned_of() -> None:
    model = CalibratedClassifierCV(LogisticRegression(max_iter=10_000), cv=2, ensemble=False).fit(IRIS, SPECIES > 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explainer = Explainer(model, order=1).fit(IRIS)
    assert explainer.output_transform_ == "log-odds of class 'True', from probabilities"


def test_a_model_of_zeros_and_ones_is_cut_at_a_thousandth() -> None:
    model = KNeighborsClassifier(1).fit(IRIS, SPECIES > 0)
    values = wrap_model(model).predict(IRIS, 150)[:, 0]
    np.testing.assert_allclose(np.unique(values), [-np.log(1000), np.log(1000)])


def test_a_class_without_zeros_is_not_cut_beside_one_with_zeros() -> None:
    shares = np.tile([0.0, 0.02, 0.1, 0.6], 50)[:, None]

    class Forest:
        classes_ = np.array([0, 1])

        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            return np.column_stack([1 - X[:, 0], X[:, 0]])

    answer = wrap_model(Forest()).ask(shares, 200)
    np.testing.assert_allclose(answer.values[:4, 0], np.log([0.01, 0.02 / 0.98, 0.1 / 0.9, 0.6 / 0.4]), atol=1e-12)
    assert answer.box.description.endswith("those below 0.01 cut (25.0 % of rows)")
    np.testing.assert_allclose(answer.box.predict(np.array([[0.99]]), 1), [[np.log(99)]])  # rarer than any fitted row
