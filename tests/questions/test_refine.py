"""Refined Shapley values: exact at 2^d, unbiased, calibrated, and no worse than KernelSHAP."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeRegressor

import instashap
from instashap import Baseline, Explainer, Marginal, datasets
from instashap.asked import sample as sampling

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")
SIMULATOR = datasets.make_factor(6, 3, random_state=0)
ROWS, OUTPUTS = SIMULATOR.sample(800, random_state=0)
FRESH, _ = SIMULATOR.sample(30, random_state=1)
EXACT = SIMULATOR.shap_values(FRESH)


@cache
def get_conditional() -> Explainer:
    return Explainer(presence_order=3).fit(ROWS, outputs=OUTPUTS)


@pytest.fixture(autouse=True)
def _ask_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "N_COALITIONS", 2000)


def triple(X: np.ndarray) -> np.ndarray:
    return X[:, 0] * X[:, 1] * X[:, 2] + X[:, 3] * np.abs(X[:, 4]) + X[:, 5]


X6 = np.random.default_rng(0).multivariate_normal(np.zeros(6), 0.5 + 0.5 * np.eye(6), size=300)


def rmse(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found - expected) ** 2)))


def test_every_coalition_asked_once_is_exact() -> None:
    asked = []

    def value(X: np.ndarray, masks: np.ndarray) -> np.ndarray:
        asked.append(np.column_stack([X, masks]))
        return SIMULATOR.value(X, masks)

    explanation = get_conditional().refine(FRESH, value_function=value, n_coalitions=64)
    np.testing.assert_allclose(explanation.values, EXACT, atol=1e-10)
    assert not explanation.standard_errors.any()
    asked = np.concatenate(asked)
    of_row = asked[(asked[:, :6] == FRESH[7]).all(axis=1)]
    assert len(of_row) == len(np.unique(of_row, axis=0)) == 63  # the empty coalition has no row
    assert explanation.base_values == pytest.approx(SIMULATOR.expected_value)


def test_more_coalitions_than_there_are_change_nothing() -> None:
    explanation = get_conditional().refine(FRESH, value_function=SIMULATOR.value, n_coalitions=1000)
    np.testing.assert_allclose(explanation.values, EXACT, atol=1e-10)


@pytest.mark.parametrize("n_coalitions", [8, 20, 40])
def test_the_mean_over_seeds_is_the_exact_value(n_coalitions: int) -> None:
    few, options = FRESH[:3], {"value_function": SIMULATOR.value, "n_coalitions": n_coalitions}
    found = np.array([get_conditional().refine(few, random_state=seed, **options).values for seed in range(100)])
    bias = found.mean(axis=0) - EXACT[:3]
    assert (np.abs(bias) < 4 * found.std(axis=0) / 10).all()


def test_values_sum_to_the_value_functions_own_difference() -> None:
    explanation = get_conditional().refine(FRESH, value_function=SIMULATOR.value, n_coalitions=12)
    np.testing.assert_allclose(explanation.predictions, SIMULATOR.predict(FRESH), atol=1e-12)


def test_standard_errors_cover_the_exact_values() -> None:
    many, _ = SIMULATOR.sample(300, random_state=2)
    explanation = get_conditional().refine(many, value_function=SIMULATOR.value, n_coalitions=36)
    errors = explanation.values - SIMULATOR.shap_values(many)
    assert rmse(errors, 0) / np.sqrt(np.mean(explanation.standard_errors**2)) == pytest.approx(1.0, abs=0.1)
    assert 0.90 < (np.abs(errors) < 1.96 * explanation.standard_errors).mean() < 0.98


def test_the_additive_model_lowers_the_error() -> None:
    flat = Explainer(order=1, presence_order=1).fit(ROWS, outputs=np.zeros(800) + 1e-9 * ROWS[:, 0])
    options = {"value_function": SIMULATOR.value, "n_coalitions": 20}
    with_model, without = (rmse(each.refine(FRESH, **options).values, EXACT) for each in (get_conditional(), flat))
    assert with_model < 0.5 * without


def test_errors_are_no_larger_than_those_of_kernel_shap() -> None:
    shap = pytest.importorskip("shap")
    few, exact = FRESH[:8], EXACT[:8]
    for n_coalitions in (14, 24, 40):
        found = get_conditional().refine(few, value_function=SIMULATOR.value, n_coalitions=n_coalitions).values
        peers = []
        for row, truth in zip(few, exact, strict=True):

            def play(masks: np.ndarray, row: np.ndarray = row) -> np.ndarray:
                return SIMULATOR.value(np.tile(row, (len(masks), 1)), masks > 0.5)

            np.random.seed(0)  # noqa: NPY002 - shap draws from the global generator
            kernel = shap.KernelExplainer(play, np.zeros((1, 6)))
            peers.append(kernel.shap_values(np.ones(6), nsamples=n_coalitions - 2, l1_reg=False, silent=True) - truth)
        assert rmse(found, exact) <= rmse(np.array(peers), 0)


def test_the_marginal_game_agrees_with_shaps_tree_explainer() -> None:
    shap = pytest.importorskip("shap")
    model = RandomForestRegressor(20, max_depth=5, random_state=0).fit(X6, triple(X6))
    background = X6[:12]
    expected = shap.TreeExplainer(model, background, feature_perturbation="interventional").shap_values(X6[50:60])
    explainer = Explainer(model, value_function=Marginal(background), order=1).fit(X6)
    whole = explainer.refine(X6[50:60], n_coalitions=64)
    np.testing.assert_allclose(whole.values, expected, atol=1e-7)  # shap rounds thresholds
    assert whole.game == "marginal, 12 background rows"
    part = explainer.refine(X6[50:60], n_coalitions=24)
    z = (part.values - expected) / part.standard_errors
    assert 0.8 < np.sqrt(np.mean(z**2)) < 1.25


def test_background_rows_with_coalitions_of_their_own_average_their_errors() -> None:
    explainer = Explainer(triple, value_function=Marginal(X6[:40]), order=1).fit(X6)
    few = X6[100:110]
    exact = explainer.refine(few, n_coalitions=64).values
    own = explainer.refine(few, n_coalitions=16).values

    def mean(X: np.ndarray, masks: np.ndarray) -> np.ndarray:  # the same game, with coalitions shared by all of them
        return np.mean([triple(np.where(masks, X, row)) for row in X6[:40]], axis=0)

    shared = explainer.refine(few, value_function=mean, n_coalitions=16).values
    np.testing.assert_allclose(explainer.refine(few, value_function=mean, n_coalitions=64).values, exact, atol=1e-10)
    assert rmse(own, exact) < 0.5 * rmse(shared, exact)


def test_the_model_is_called_as_often_as_stated() -> None:
    calls = []

    def counted(X: np.ndarray) -> np.ndarray:
        calls.append(len(X))
        return triple(X)

    explainer = Explainer(triple, value_function=Marginal(X6[:7]), order=1).fit(X6)
    explainer.refine(X6[:5], model=counted, n_coalitions=20)
    assert sum(calls) == 5 * 7 * 18 + 5 + 7  # interior coalitions; the rows themselves; the background itself


def test_another_game_than_the_fitted_one_is_refined_and_named() -> None:
    explainer = Explainer(triple, order=1).fit(X6)
    explanation = explainer.refine(X6[:6], value_function=Baseline(np.zeros(6)), n_coalitions=64)
    assert explanation.game == "baseline, one row"
    assert (explanation.base_values == 0).all()
    third = X6[:6, 0] * X6[:6, 1] * X6[:6, 2] / 3
    half = X6[:6, 3] * np.abs(X6[:6, 4]) / 2
    np.testing.assert_allclose(explanation.values, np.column_stack([third, third, third, half, half, X6[:6, 5]]), atol=1e-10)


def test_several_outputs_and_groups_are_refined() -> None:
    def both(X: pd.DataFrame) -> np.ndarray:
        values = X.to_numpy()
        return np.column_stack([triple(values), -2 * triple(values)])

    frame = pd.DataFrame(X6, columns=list("abcdef"))
    explainer = Explainer(both, value_function=Marginal(frame[:9]), groups={"ab": ["a", "b"]}, order=1).fit(frame)
    explanation = explainer.refine(frame[:8], n_coalitions=14)
    assert explanation.values.shape == explanation.standard_errors.shape == (8, 5, 2)
    np.testing.assert_allclose(explanation.values[..., 1], -2 * explanation.values[..., 0], atol=1e-10)
    exact = explainer.refine(frame[:8], n_coalitions=32)
    assert not exact.standard_errors.any()
    np.testing.assert_allclose(exact.values[:, :, 0].sum(axis=1), triple(X6[:8]) - triple(X6[:9]).mean(), atol=1e-10)
    shuffled = explainer.refine(frame[:8][list("fedcba")], n_coalitions=32)
    np.testing.assert_allclose(shuffled.values, exact.values, atol=1e-12)


def test_one_or_two_features_are_exact() -> None:
    for d in (1, 2):
        X = X6[:60, :d]
        explainer = Explainer(lambda X: np.exp(X.sum(axis=1)), value_function=Baseline(np.zeros(d)), order=1).fit(X)
        explanation = explainer.refine(X, n_coalitions=4)
        np.testing.assert_allclose(explanation.predictions, np.exp(X.sum(axis=1)), atol=1e-12)
        assert not explanation.standard_errors.any()


def test_one_seed_gives_one_answer() -> None:
    options = {"value_function": SIMULATOR.value, "n_coalitions": 16}
    first = get_conditional().refine(FRESH, **options).values
    assert np.array_equal(get_conditional().refine(FRESH, **options).values, first)
    assert not np.array_equal(get_conditional().refine(FRESH, random_state=1, **options).values, first)


def test_a_loaded_explainer_refines_with_the_model_it_is_given(tmp_path: Path) -> None:
    explainer = Explainer(triple, value_function=Marginal(X6[:9]), order=1).fit(X6)
    explainer.save(tmp_path / "tables.insta")
    loaded = instashap.load(tmp_path / "tables.insta")
    with pytest.raises(ValueError, match="the marginal, 9 background rows game of this explainer gives none"):
        loaded.refine(X6[:3], model=triple)
    again = loaded.refine(X6[:3], model=triple, value_function=Marginal(X6[:9]), n_coalitions=16)
    assert np.array_equal(again.values, explainer.refine(X6[:3], n_coalitions=16).values)


def test_refinements_that_are_not_possible_are_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="the conditional game of this explainer gives none: pass value_function=Conditional"):
        get_conditional().refine(FRESH)
    with pytest.raises(ValueError, match="n_coalitions=7 is too few: use at least 8, as 6 features need"):
        get_conditional().refine(FRESH, value_function=SIMULATOR.value, n_coalitions=7)
    with pytest.raises(TypeError, match=r"n_coalitions must be an integer, got 12.5"):
        get_conditional().refine(FRESH, value_function=SIMULATOR.value, n_coalitions=12.5)
    with pytest.raises(ValueError, match="needs a model, and this explainer holds none: pass model="):
        get_conditional().refine(FRESH, value_function=Marginal(ROWS[:5]))
    with pytest.raises(ValueError, match="gives 2 outputs, the explainer was fitted on 1"):
        get_conditional().refine(FRESH, value_function=lambda X, masks: np.zeros((len(X), 2)))
    with pytest.raises(ValueError, match="n_coalitions=0 adds a learnt residual, but there is none"):
        get_conditional().refine(FRESH, n_coalitions=0)


@pytest.mark.parametrize(
    "regressor",
    [ExtraTreesRegressor(60, random_state=0), GradientBoostingRegressor(random_state=0)],
    ids=["many targets", "one target"],
)
def test_a_learnt_residual_lowers_the_error_on_new_rows_without_the_model(regressor: object) -> None:
    X = np.random.default_rng(1).integers(-2, 3, (900, 4)).astype(float)
    calls = []

    def model(X: np.ndarray) -> np.ndarray:
        calls.append(len(X))
        return X[:, 0] * X[:, 1] * X[:, 2] + X[:, 3]

    explainer = Explainer(model, value_function=Baseline(np.zeros(4)), order=2).fit(X[:600])
    exact = np.column_stack([*[X[600:, 0] * X[600:, 1] * X[600:, 2] / 3] * 3, X[600:, 3]])
    before = rmse(explainer.shap_values(X[600:]), exact)
    assert explainer.learn_residual(X[:600], regressor, n_coalitions=16) is explainer
    calls.clear()
    explanation = explainer.refine(X[600:], n_coalitions=0)
    assert not calls
    assert rmse(explanation.values, exact) < 0.7 * before
    assert explanation.standard_errors is None
    assert (explanation.game, explanation.base_values[0]) == ("baseline, one row", 0.0)
    assert np.array_equal(explainer.shap_values(X[600:]), explainer(X[600:]).values)  # tables alone


def test_a_residual_does_not_outlive_its_fit() -> None:
    X = np.random.default_rng(0).normal(size=(300, 3))
    explainer = instashap.Explainer(lambda rows: rows[:, 0] * rows[:, 1], order=1, synthetic_rows=0).fit(X)
    explainer.learn_residual(X[:50], Ridge(), value_function=instashap.Marginal(X[:20]), n_coalitions=8)
    explainer.fit(3.0 * X)
    with pytest.raises(ValueError, match="there is none: call learn_residual first"):
        explainer.refine(X[:2], n_coalitions=0)


def test_the_residual_of_a_single_value_needs_no_regressor_of_several() -> None:
    X = np.linspace(-1.0, 1.0, 200)[:, None]
    explainer = instashap.Explainer(lambda rows: np.sin(40 * rows[:, 0]), order=1, synthetic_rows=0).fit(X)
    background = X[:1]
    explainer.learn_residual(X, GradientBoostingRegressor(random_state=0), value_function=instashap.Marginal(background))
    exact = np.sin(40 * X) - np.sin(40 * background)  # the only player gets the whole difference
    tables = np.abs(explainer.shap_values(X) - exact).mean()
    assert np.abs(explainer.refine(X, n_coalitions=0).values - exact).mean() < 0.7 * tables


@pytest.mark.parametrize("regressor", [Ridge, "ridge", None])
def test_a_regressor_that_is_none_is_refused(regressor: Any) -> None:
    X = np.random.default_rng(0).normal(size=(50, 2))
    explainer = instashap.Explainer(lambda rows: rows[:, 0], order=1, synthetic_rows=0).fit(X)
    with pytest.raises(TypeError, match="regressor must be an instance of a scikit-learn regressor"):
        explainer.learn_residual(X, regressor, value_function=instashap.Marginal(X[:5]))


def test_a_residual_is_learnt_on_tables_with_categories() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"town": rng.choice(["a", "b"], 300), "size": rng.normal(size=300), "rooms": rng.normal(size=300)})
    frame.loc[::7, "size"] = np.nan

    def price(X: pd.DataFrame) -> np.ndarray:
        return np.asarray((X["town"] == "a") * X["size"].fillna(0.0) * (X["rooms"] > 0), dtype=float)

    explainer = Explainer(price, value_function=Marginal(frame[:10]), order=1).fit(frame)
    exact = explainer.refine(frame[200:], n_coalitions=8).values
    explainer.learn_residual(frame[:200], DecisionTreeRegressor(random_state=0), n_coalitions=8)
    found = explainer.refine(frame[200:], n_coalitions=0).values
    assert rmse(found, exact) < rmse(explainer.shap_values(frame[200:]), exact)
