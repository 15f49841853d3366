"""A fit that predicts held-out rows worse than a simpler one is replaced by it, with a warning."""

from dataclasses import replace

import numpy as np
import pytest

from instashap import AdditiveClassifier, Baseline, Explainer, FitWarning, Marginal, load
from instashap.asked.differences import _solve
from instashap.likelihood.likelihood_fitter import LikelihoodFitter
from instashap.masked.fallback import Rival, choose_rival
from instashap.masked.search import Search
from instashap.masked.strengths import Strengths

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
NOISE = RNG.normal(size=80)


def test_the_richest_model_stays_unless_a_simpler_one_is_better() -> None:
    base = Rival("base value", 1.0, 1.0)
    assert choose_rival([Rival("pairs", 0.3, 0.3), Rival("main effects", 0.31, 0.295), base]) == (0, "")  # within chance
    assert choose_rival([Rival("pairs", 0.5, 0.5), Rival("main effects", 0.3, 0.3), base])[0] == 1
    assert choose_rival([Rival("pairs", 1.2, 1.2), Rival("main effects", 1.1, 1.1), base])[0] == 2
    place, note = choose_rival([Rival("pairs", 1e30, 1e30), Rival("main effects", 1.4, 1.4), Rival("base value", 1.6, 1.6)])
    assert place == 1
    assert "-1e+30" in note
    place, note = choose_rival([Rival("main effects", 1.4, 1.4), Rival("base value", 1.6, 1.6)])
    assert place == 0
    assert "do not describe" in note


def test_a_fit_below_the_base_value_is_replaced_by_it_and_can_be_saved(monkeypatch, tmp_path) -> None:
    # Next to no penalty on 80 rows of noise: held-out rows are missed by far.
    monkeypatch.setattr(Search, "fit_main_effects", fit_noise)
    with pytest.warns(FitWarning, match="the base value alone"):
        explainer = Explainer(order=1, presence_order=1).fit(X, outputs=NOISE)
    assert explainer.expected_value == pytest.approx(NOISE.mean(), abs=1e-12)
    explanation = explainer(X, errors=True)
    assert not explanation.values.any()
    assert not explanation.standard_errors.any()
    np.testing.assert_allclose(explainer.predict(X), NOISE.mean())
    explainer.save(tmp_path / "base.insta")
    assert load(tmp_path / "base.insta").expected_value == explainer.expected_value
    assert "redundancy" not in str(explainer.audit())


def fit_noise(search: Search) -> None:
    functions = search.make_functions([(column,) for column in range(4)], 1)
    search.fit_at(Strengths(1e-13, 1e-13), functions, {})
    search.main_effects = search.best


def test_tables_of_labels_below_the_base_value_are_replaced_by_it(monkeypatch) -> None:
    def ruin(fitter, stage, folds):
        states = tuple(replace(state, vector=state.vector + 5 * RNG.normal(size=len(state.vector))) for state in stage.states)
        return fitter._judge(replace(stage, states=states), folds)

    monkeypatch.setattr(LikelihoodFitter, "_tune", ruin)
    with pytest.warns(FitWarning, match="of the base value alone"):
        model = AdditiveClassifier(order=1).fit(X, NOISE > 0)
    n_yes = (NOISE > 0).sum()  # half a row of each class is added to what there is
    np.testing.assert_allclose(model.decision_function(X), np.log((n_yes + 0.5) / (80 - n_yes + 0.5)))
    assert not model.shap_values(X).any()


def test_a_function_no_table_can_follow_is_not_followed(monkeypatch) -> None:
    monkeypatch.setattr("instashap.asked.differences.MAX_DRAWS", 1500)
    rows = RNG.normal(size=(300, 18))

    def hash_rows(table: np.ndarray) -> np.ndarray:
        return np.sin(1e9 * table.sum(axis=1))

    with pytest.warns(FitWarning, match="base value alone"):
        explainer = Explainer(hash_rows, value_function=Marginal(rows[:20])).fit(rows)
    assert not explainer.shap_values(rows).any()


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
def test_heaped_columns_of_a_marginal_game_have_values_of_the_right_size(monkeypatch) -> None:
    # Values at round numbers, partly: products of functions that are rounding in every draw were blown up to 1e46.
    monkeypatch.setattr("instashap.asked.differences.MAX_DRAWS", 3000)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1000, 16))
    amounts = np.exp(8 + 1.5 * rng.normal(size=(1000, 2)))
    rows[:, :2] = np.where(rng.random((1000, 2)) < 0.6, np.round(amounts, -3), np.round(amounts))

    def f(table: np.ndarray) -> np.ndarray:
        return (table[:, 0] > 2500) * 1.0 * (table[:, 1] > 900) + table[:, 2]

    background = rows[:20]
    values = Explainer(f, value_function=Marginal(background)).fit(rows).shap_values(rows)
    one, other = (rows[:, :1] > 2500, rows[:, 1:2] > 900)
    b, c = background[:, 0] > 2500, background[:, 1] > 900
    empty, first, second, both = (b & c).mean(), (one & c).mean(axis=1), (b & other).mean(axis=1), (one & other)[:, 0]
    exact = np.column_stack([(first - empty + both - second) / 2, (second - empty + both - first) / 2])
    assert 1 - ((values[:, :2] - exact) ** 2).sum() / ((exact - exact.mean(axis=0)) ** 2).sum() > 0.9
    assert np.abs(values[:, :2]).max() < 2.0


def test_a_function_that_is_rounding_in_every_draw_gets_no_coefficient() -> None:
    design = np.column_stack([RNG.normal(size=500), 1e-17 * RNG.normal(size=500)])
    found = _solve(design.T @ design, design.T @ design[:, :1], 1e-8, 500)
    np.testing.assert_allclose(found[:, 0], [1.0, 0.0], atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"order": 3, "presence_order": 4}, {"value_function": Baseline(X[:1, :1])}])
def test_one_column_is_enough_whatever_the_order(options: dict) -> None:
    column = X[:, :1]
    explainer = Explainer(lambda table: 3.0 * table[:, 0], **options).fit(column)
    reference = 3.0 * X[0, 0] if "value_function" in options else 3.0 * X[:, 0].mean()
    np.testing.assert_allclose(explainer.shap_values(column)[:, 0], 3.0 * X[:, 0] - reference, atol=1e-3)
