"""Functions of linear predictions: a total of Gaussian parts, whose conditional means are known by quadrature."""

import json
from dataclasses import replace

import numpy as np
import pytest

import instashap
from instashap.fitted.packing import pack_tables
from instashap.game.coalitions import enumerate_coalitions
from instashap.game.exact import compute_mobius_transform, compute_shapley_values
from instashap.store.index_schema import check_index, describe_index, never_falling, weighs_present

TOTAL, OTHER = 3, 4


def _bend(total):
    return np.maximum(total, 0.0) + 1.0 * (total > 0.5)


def _model(X):
    return _bend(X[:, TOTAL]) + 0.3 * X[:, OTHER]


def _draw(n_rows, seed=0):
    parts = np.random.default_rng(seed).normal(size=(n_rows, 4))
    return np.column_stack([parts[:, :3], parts[:, :3].sum(axis=1), parts[:, 3]])


def _make_game(X):
    """``E[f | x_S]`` of every coalition: a sum of unknown parts is Gaussian, its mean is that of the known ones."""
    places, weights = np.polynomial.hermite_e.hermegauss(300)
    values = []
    for mask in enumerate_coalitions(5):
        known = X[:, :3] @ mask[:3] if not mask[TOTAL] else X[:, TOTAL]
        spread = 0.0 if mask[TOTAL] else np.sqrt(3 - mask[:3].sum())
        mean = _bend(known[:, None] + spread * places) @ weights / weights.sum()
        values.append(mean + 0.3 * X[:, OTHER] * mask[OTHER])
    return np.array(values)


def _score(found, X):
    truth = compute_shapley_values(_make_game(X)).T
    return 1 - ((found - truth) ** 2).sum() / (truth**2).sum()


@pytest.fixture(scope="module")
def fitted():
    return instashap.Explainer(_model, order=1, synthetic_rows=0).fit(_draw(900))


@pytest.fixture(scope="module")
def rows():
    return _draw(60, seed=1)


@pytest.fixture(scope="module")
def values(fitted, rows):
    """``predict`` at every coalition, shape (32, 60)."""
    return np.stack([fitted.predict(rows, masks=np.tile(mask, (60, 1))).ravel() for mask in enumerate_coalitions(5)])


def _get_game(explainer):
    return explainer._check_fitted()


def test_shapley_values_of_a_total_are_near_the_exact_ones_and_far_without_indices(fitted, rows):
    game = _get_game(fitted)
    without = replace(game.model, index=None).credits.apply(game.encoder.encode(_read(rows)))[:, :, 0]
    assert len(game.model.index) == 7
    assert _score(fitted.shap_values(rows), rows) > 0.98 > _score(without, rows) + 0.02


def _read(rows):
    from instashap.table.columns import read_table

    return read_table(rows)


def test_credits_and_components_are_those_of_the_masked_predictions(fitted, rows, values):
    np.testing.assert_allclose(fitted.shap_values(rows), compute_shapley_values(values).T, atol=1e-12)
    components = compute_mobius_transform(values)
    for number, mask in enumerate(enumerate_coalitions(5)[1:], start=1):
        found = fitted.mobius_values(rows, np.flatnonzero(mask).tolist())
        np.testing.assert_allclose(np.ravel(found), components[number], atol=1e-12)


def test_masked_features_have_no_effect_and_no_mask_gives_the_base_value(fitted, rows, values):
    np.testing.assert_allclose(values[0], fitted.expected_value, atol=1e-12)
    for number, mask in enumerate(enumerate_coalitions(5)):
        other = np.where(mask, rows, _draw(60, seed=2))
        np.testing.assert_array_equal(fitted.predict(other, masks=np.tile(mask, (60, 1))).ravel(), values[number])


def test_loading_gives_the_same_bits(fitted, rows, tmp_path):
    before = fitted(rows, errors=True)
    fitted.save(tmp_path / "total.insta")
    after = instashap.load(tmp_path / "total.insta")(rows, errors=True)
    np.testing.assert_array_equal(after.values, before.values)
    np.testing.assert_array_equal(after.standard_errors, before.standard_errors)


def test_moments_add_and_a_loaded_plan_solves_to_the_same_model(fitted, rows, tmp_path):
    X = _draw(900)
    fitted.save(tmp_path / "total.insta")
    loaded = instashap.load(tmp_path / "total.insta")
    parts = [loaded.accumulate(each, outputs=_model(each)) for each in (X[:500], X[500:])]
    whole = fitted.refit(fitted.accumulate(X, outputs=_model(X)))
    merged = loaded.refit(parts[0] + parts[1])
    assert _get_game(merged).model.index is not None
    np.testing.assert_allclose(merged.shap_values(rows), whole.shap_values(rows), atol=1e-9)
    assert _score(merged.shap_values(rows), rows) > 0.98


def test_a_row_that_lacks_a_part_has_the_value_of_its_masked_predictions(fitted, rows):
    gaps = rows.copy()
    gaps[:20, 0] = np.nan
    game = np.stack([fitted.predict(gaps, masks=np.tile(mask, (60, 1))).ravel() for mask in enumerate_coalitions(5)])
    np.testing.assert_allclose(fitted.shap_values(gaps), compute_shapley_values(game).T, atol=1e-12)


def test_columns_in_another_order_have_the_same_values(fitted, rows):
    order = [4, 3, 1, 0, 2]
    other = instashap.Explainer(lambda X: _model(X[:, np.argsort(order)]), order=1, synthetic_rows=0).fit(_draw(900)[:, order])
    np.testing.assert_allclose(other.shap_values(rows[:, order]), fitted.shap_values(rows)[:, order], atol=1e-6)


def test_terms_are_ranked_without_indices(fitted):
    assert len(fitted.rank_terms()) == 5


def test_columns_that_do_not_predict_each_other_have_no_indices():
    X = np.random.default_rng(0).normal(size=(300, 3))
    outputs = np.abs(X[:, 0]) + X[:, 1]
    assert _get_game(instashap.Explainer(None, order=1).fit(X, outputs=outputs)).model.index is None


def test_files_with_other_players_or_weights_are_refused(fitted):
    described, arrays = pack_tables(_get_game(fitted))
    index, players = described["index"], described["players"]
    check_index(index, players, 5)
    for changed in (
        {"present": index["absent"]},
        {"columns": (0, 0, 1)},
        {"columns": (0, 9)},
        {"absent": index["absent"][1:]},
        {"absent": tuple((7,) for _ in index["absent"])},
    ):
        with pytest.raises(ValueError, match=r"(columns|players).*(index|indices)"):
            check_index({**index, **changed}, players, 5)
    scope = describe_index(index, players)
    assert weighs_present("")(arrays["index_weights"], scope) is None
    assert "absent" in weighs_present("")(arrays["index_weights"] + 1.0, scope)
    assert never_falling(-arrays["index_nodes"], scope) == "must not fall"


def test_json_with_indices_has_a_version_of_its_own(fitted, tmp_path):
    fitted.export(tmp_path / "total.json")
    assert json.loads((tmp_path / "total.json").read_text())["version"] == 2


def test_importance_counts_functions_of_linear_predictions(fitted, rows, values):
    frame = fitted.importance("variance", rows, errors=False)
    names = [f"x{column}" for column in range(5)]
    np.testing.assert_allclose(frame.loc[names, "value"], compute_shapley_values(values.var(axis=1)), atol=1e-9)
    y = _model(rows) + np.linspace(-1.0, 1.0, 60)
    frame = fitted.importance("loss", rows, y, errors=False)
    losses = ((y - values) ** 2).mean(axis=1)
    np.testing.assert_allclose(frame.loc[names, "value"], compute_shapley_values(losses[0] - losses), atol=1e-9)
    of_fit, given = fitted.importance("variance"), fitted.importance("variance", _draw(900))
    np.testing.assert_allclose(of_fit["value"], given.loc[of_fit.index, "value"], atol=1e-9)
    assert (of_fit.loc[names, "standard_error"] > 0).all()


def test_a_column_of_one_value_takes_no_index_away():
    X = _draw(600)
    plain = instashap.Explainer(order=1).fit(X, outputs=_model(X))
    wider = instashap.Explainer(order=1).fit(np.insert(X, 1, 1.0, axis=1), outputs=_model(X))
    assert plain.fit_facts_["chosen"]["indices"]
    found = wider.shap_values(np.insert(X, 1, 1.0, axis=1))
    np.testing.assert_allclose(np.delete(found, 1, axis=1), plain.shap_values(X), rtol=0, atol=1e-9)
