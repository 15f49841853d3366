"""An explainer of 22 features, some of its presence sets tied: every read-out against the others."""

from typing import Any

import numpy as np
import pytest

import instashap
from instashap.datasets import make_factor
from instashap.game.terms import ANY
from instashap.trust.held_rows import Held, Rows, iterate_masked
from instashap.trust.redundancy import find_redundancy

D = 22


@pytest.fixture(scope="module")
def table() -> tuple[np.ndarray, np.ndarray]:
    """Columns that all tell of one factor: what one knows depends on how many others are known."""
    rng = np.random.default_rng(0)
    X = 0.8 * rng.normal(size=(1200, 1)) + 0.6 * rng.normal(size=(1200, D))
    return X, X[:, 0] + 0.5 * X[:, 1] * X[:, 2] + X[:, 3]


@pytest.fixture(scope="module")
def explainer(table: Any) -> instashap.Explainer:
    X, f = table
    # A presence order that is asked for has no linear base beside it.
    return instashap.Explainer(None, presence_order=4, interactions=[(1, 2)]).fit(X, outputs=f)


def test_the_search_ties_what_it_cannot_write_out(explainer: instashap.Explainer) -> None:
    sets = {each for sets in explainer._fitted.model.presence_sets for each in sets}
    assert any(each.count(ANY) == 1 for each in sets)
    assert any(each.count(ANY) == 2 for each in sets)
    tried = explainer.fit_facts_["tried"]
    chosen = explainer.fit_facts_["chosen"]
    assert chosen["written_order"] is not None
    assert chosen["masked_risk"] < 0.99 * min(each["masked_risk"] for each in tried if each["written_order"] is None)


def test_values_are_unbiased_shapley_values_of_the_masked_predictions(explainer: instashap.Explainer, table: Any) -> None:
    fitted, row = explainer._fitted, table[0][:1]
    rng = np.random.default_rng(0)
    orders = rng.random((4000, D)).argsort(axis=1)
    orders = np.concatenate([orders, orders[:, ::-1]])
    encoded = fitted.encoder.encode(fitted.read(np.repeat(row, len(orders), axis=0)))
    masks = np.zeros((len(orders), D), dtype=bool)
    gains, before = np.zeros((len(orders), D)), np.full(len(orders), explainer.expected_value)
    for step in range(D):
        masks[np.arange(len(orders)), orders[:, step]] = True
        after = fitted.model.predict(encoded, masks)[:, 0]
        gains[np.arange(len(orders)), orders[:, step]] = after - before
        before = after
    expected, spread = gains.mean(axis=0), gains.std(axis=0) / np.sqrt(len(orders))
    assert (np.abs(explainer.shap_values(row)[0] - expected) < 5 * spread + 1e-9).all()
    np.testing.assert_allclose(explainer.shap_values(row).sum() + explainer.expected_value, explainer.predict(row), rtol=1e-10)


def test_presence_terms_are_the_players_of_every_component(explainer: instashap.Explainer, table: Any) -> None:
    few = table[0][:2]
    model = explainer._fitted.model
    encoded = explainer._fitted.encoder.encode(explainer._fitted.read(few))
    terms = [each for each in explainer.presence_terms_ if set(each) <= {0, 1, 2, 5}]
    assert (0, 1, 5) in terms
    mask = np.isin(np.arange(D), [0, 1, 2, 5])
    expected = model.predict(encoded, np.tile(mask, (2, 1)))[:, 0]
    total = sum(explainer.mobius_values(few, each) for each in terms) + explainer.expected_value
    np.testing.assert_allclose(total, expected, atol=1e-10)


def test_saved_and_loaded_values_and_errors_are_the_same(explainer: instashap.Explainer, table: Any, tmp_path: Any) -> None:
    few = table[0][:5]
    explainer.save(tmp_path / "wide.insta", errors=True)
    loaded = instashap.load(tmp_path / "wide.insta")
    assert np.array_equal(loaded.shap_values(few), explainer.shap_values(few))
    assert loaded.presence_terms_ == explainer.presence_terms_
    assert np.array_equal(loaded(few, errors=True).standard_errors, explainer(few, errors=True).standard_errors)
    _, errors = loaded.mobius_values(few, [0, 3, 7], errors=True)
    assert (errors > 0).all()


def test_masked_risks_are_looked_up_like_masked_predictions(explainer: instashap.Explainer, table: Any) -> None:
    fitted, few = explainer._fitted, table[0][:6]
    encoded = fitted.encoder.encode(fitted.read(few))
    masks = np.random.default_rng(1).random((6, 4, D)) < 0.4
    found = np.concatenate([values for _, values in iterate_masked(fitted.model, encoded, masks)])
    for draw in range(4):
        np.testing.assert_allclose(found[:, draw], fitted.model.predict(encoded, masks[:, draw]), atol=1e-10)


def test_refined_values_of_the_models_own_game_are_its_values(explainer: instashap.Explainer, table: Any) -> None:
    fitted, few = explainer._fitted, table[0][:3]

    def play(rows: np.ndarray, masks: np.ndarray) -> np.ndarray:
        return fitted.model.predict(fitted.encoder.encode(fitted.read(rows)), masks)[:, 0]

    refined = explainer.refine(few, value_function=play, n_coalitions=60)
    np.testing.assert_allclose(refined.values, explainer.shap_values(few), atol=1e-9)
    assert refined.standard_errors.max() < 1e-9


def test_terms_are_ranked_and_the_guard_knows_the_model(explainer: instashap.Explainer, table: Any) -> None:
    X = table[0]
    assert explainer.rank_terms().iloc[0]["gain"] > 0.1
    assert not explainer.check(X[:300], lambda rows: rows[:, 0] + 0.5 * rows[:, 1] * rows[:, 2] + rows[:, 3]).has_moved


def test_redundant_pairs_are_those_of_the_components(table: Any) -> None:
    X, f = table
    explainer = instashap.Explainer(None, order=1, presence_order=4).fit(X, outputs=f)
    fitted = explainer._fitted
    record = fitted.get_record("this test needs")
    assert any(ANY in each for sets in fitted.model.presence_sets for each in sets)
    rows = Rows(record.encoded, record.outputs, record.weights, fitted.encoder.columns, fitted.players, fitted.feature_names)
    found = find_redundancy(Held(1, 4, ((np.arange(len(X)), fitted.model),), True), rows)
    assert found
    for each in found:
        part = explainer.mobius_values(X, list(each.features))
        np.testing.assert_allclose(each.share, part.var() / f.var(), rtol=1e-9)


def test_one_live_column_among_twelve_is_fitted() -> None:
    X = np.zeros((300, 12))
    X[:, 0] = np.random.default_rng(0).normal(size=300)
    explainer = instashap.Explainer().fit(X, outputs=X[:, 0])
    np.testing.assert_allclose(explainer.shap_values(X)[:, 0], X[:, 0] - X[:, 0].mean(), atol=1e-3)


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
@pytest.mark.slow
def test_asking_for_quadruples_is_no_worse_than_not_asking() -> None:
    simulator = make_factor(12, rank=3, random_state=0)
    X, f = simulator.sample(1000, random_state=0)
    rows, _ = simulator.sample(100, random_state=1)
    exact = simulator.shap_values(rows)
    errors = {
        presence: ((instashap.Explainer(presence_order=presence).fit(X, outputs=f).shap_values(rows) - exact) ** 2).sum()
        for presence in ("auto", 4)
    }
    assert errors[4] <= 1.02 * errors["auto"]  # which may have a linear base besides
