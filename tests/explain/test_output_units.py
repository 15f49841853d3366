"""Outputs of any size that float64 squares or not: the answer is that of common outputs, in their unit."""

from functools import partial

import numpy as np
import pytest

import instashap
from instashap import AdditiveRegressor, Baseline, Explainer, Marginal, ModelOutputError
from instashap._output_unit import LARGEST, find_output_unit

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
# Powers of two: every figure then has the same digits.
UNITS = (2.0**511, 2.0**-664)


def predict(rows, unit=1.0):
    return (rows[:, 0] + rows[:, 1] * rows[:, 2]) * unit


def fit(unit, **options):
    return Explainer(partial(predict, unit=unit), synthetic_rows=0, **options).fit(X)


@pytest.fixture(scope="module")
def plain():
    return fit(1.0)


@pytest.fixture(scope="module", params=UNITS)
def scaled(request):
    return request.param, fit(request.param)


def same(found, expected, unit):
    np.testing.assert_allclose(np.asarray(found) / unit, expected, rtol=1e-6, atol=1e-12)


def test_values_errors_and_remainders_are_those_of_common_outputs(plain, scaled):
    unit, explainer = scaled
    found, expected = explainer(X[:9], errors=True, outputs=True), plain(X[:9], errors=True, outputs=True)
    for name in ("values", "base_values", "standard_errors", "remainder", "model_outputs"):
        same(getattr(found, name), getattr(expected, name), unit)
    np.testing.assert_allclose(found.base_values + found.values.sum(axis=1) + found.remainder, predict(X[:9], unit), rtol=1e-9)
    np.testing.assert_allclose(found.output_share, expected.output_share, atol=1e-9)
    np.testing.assert_allclose(found.attribution_error, expected.attribution_error, rtol=1e-6)
    same(explainer.mobius_values(X[:9], [1, 2]), plain.mobius_values(X[:9], [1, 2]), unit)
    np.testing.assert_allclose(explainer.rank_terms()["gain"], plain.rank_terms()["gain"], atol=1e-9)


def test_files_moments_and_drift_keep_the_unit(plain, scaled, tmp_path):
    unit, explainer = scaled
    explainer.save(tmp_path / "a.insta", errors=True)
    loaded = instashap.load(tmp_path / "a.insta")
    same(loaded(X[:5], errors=True).standard_errors, plain(X[:5], errors=True).standard_errors, unit)
    model = partial(predict, unit=unit)
    plain.save(tmp_path / "plain.insta")
    figures = [instashap.load(tmp_path / name).audit().rungs[0].carried for name in ("a.insta", "plain.insta")]
    assert figures[0] == pytest.approx(figures[1], abs=1e-9)
    assert not loaded.check(X, model).has_moved
    assert loaded.check(X, lambda rows: 1.5 * model(rows)).has_moved
    less = loaded.refit(explainer.moments_ - loaded.accumulate(X[:20], outputs=model(X[:20])))
    same(less.shap_values(X[:5]), plain.refit(plain.moments_ - plain.accumulate(X[:20])).shap_values(X[:5]), unit)


@pytest.mark.parametrize("unit", UNITS[:1])
def test_asked_and_refined_games_keep_the_unit(unit):
    for value_function in (Marginal(X[:6]), Baseline(X[0])):
        found, expected = (fit(each, order=1, value_function=value_function) for each in (unit, 1.0))
        same(found.shap_values(X[:5]), expected.shap_values(X[:5]), unit)
        refined = found.refine(X[:2], n_coalitions=8)
        # Exact Shapley values of three columns: the product is shared equally between the present and the absent row.
        assert refined.standard_errors.max() <= 1e-9 * unit
        np.testing.assert_allclose(refined.base_values + refined.values.sum(axis=1), predict(X[:2], unit), rtol=1e-9)
        same(refined.values, expected.refine(X[:2], n_coalitions=8).values, unit)


def test_a_regressor_of_large_targets_predicts_and_scores_them():
    unit = UNITS[0]
    large, plain = AdditiveRegressor(order=1).fit(X, predict(X, unit)), AdditiveRegressor(order=1).fit(X, predict(X))
    same(large.predict(X), plain.predict(X), unit)
    assert large.score(X, predict(X, unit)) == pytest.approx(plain.score(X, predict(X)))


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (np.where(np.arange(120) == 7, 1.5e308, 1.0), r"1.5e\+308 in size in row 7, .* divide all by a power of ten"),
        (X[:, 0] * 1e-290, "below 1e-271 cannot be explained: multiply them by a power of ten"),
        (np.column_stack([X[:, 0] * 1e50, X[:, 1] * 1e-40]), "one of them differs by .* fit one explainer for each"),
    ],
)
def test_outputs_that_no_unit_can_serve_are_refused(outputs, message):
    with pytest.raises(ModelOutputError, match=message):
        Explainer().fit(X, outputs=outputs)


def test_what_the_refusals_advise_works():
    for outputs in (X[:, 0] * 1e-290 * 1e100, X[:, 0] * 1e50, X[:, 1] * 1e-40):
        assert np.isfinite(Explainer(order=1).fit(X, outputs=outputs).shap_values(X)).all()


def test_units_are_powers_of_two_and_common_outputs_have_none():
    assert find_output_unit(np.array([[1e9], [-3.0]]), "outputs") == 1.0
    assert find_output_unit(np.full((3, 1), 1e-200), "outputs") == 1.0  # constant: nothing to square
    assert find_output_unit(np.array([[LARGEST], [0.0]]), "outputs") == LARGEST
    assert find_output_unit(np.array([[5e-100], [0.0]]), "outputs") == 2.0**-330


@pytest.mark.parametrize(
    ("loss", "options", "tolerance"),
    [
        ("gamma", {}, 1e-6),
        ("poisson", {}, 1e-6),
        ("quantile", {"quantile": 0.8}, 1e-6),
        ("squared_error", {"monotone_constraints": {0: 1}}, 1e-6),
    ],
)
def test_labels_of_fits_by_likelihood_have_no_unit(loss, options, tolerance):
    mean = np.exp(0.5 * X[:, 0])
    labels = np.random.default_rng(0).gamma(4.0, mean / 4.0)
    units = (1.0, 1.3, 1e14, 1e-14)
    models = [AdditiveRegressor(order=1, loss=loss, **options).fit(X, labels * unit) for unit in units]
    found = [model.predict(X) / unit for model, unit in zip(models, units, strict=True)]
    for other in found[1:]:
        assert np.abs(other - found[0]).max() <= tolerance * found[0].std()
