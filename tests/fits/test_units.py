"""What cannot matter to an answer: units, precision, the order of rows and columns, columns that do not vary."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

import instashap
from instashap.likelihood import likelihood_fitter as likelihood

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")

X = load_diabetes().data[:150, 2:6]
OUTPUTS = X[:, 0] * X[:, 1] * 400 + np.sin(60 * X[:, 2]) + 10 * X[:, 3]
ROWS, COLUMNS = np.random.default_rng(0).permutation(len(X)), [2, 0, 3, 1]


@pytest.fixture(scope="module", params=["explainer", "classifier"])
def explain(request):
    def explain(table, outputs=OUTPUTS):
        if request.param == "explainer":
            return instashap.Explainer().fit(table, outputs=outputs).shap_values(table)
        return instashap.AdditiveClassifier().fit(table, outputs > np.median(outputs)).shap_values(table)

    return explain


def test_units_precision_order_and_empty_columns_leave_shapley_values(explain):
    values = explain(X)
    tolerance = 0.004 * values.sum(axis=1).std()
    for changed in (1000 * X, X / 2.54 + np.array([0.0, 273.15, 0.0, 0.0]), X.astype(np.float32)):
        np.testing.assert_allclose(explain(changed), values, atol=tolerance)
    np.testing.assert_allclose(explain(X[:, COLUMNS]), values[:, COLUMNS], atol=tolerance)
    np.testing.assert_allclose(explain(X[ROWS], OUTPUTS[ROWS]), values[ROWS], atol=tolerance)


@pytest.mark.parametrize("signs", [(-1, -1, -1, -1), (1, -1, -1, 1)])
def test_the_signs_of_columns_leave_shapley_values(explain, signs):
    values = explain(X)
    np.testing.assert_allclose(explain(X * signs), values, atol=1e-5 * values.sum(axis=1).std())


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_the_signs_of_columns_with_missing_values_leave_shapley_values(explain, share):
    rng = np.random.default_rng(0)
    table = np.where(rng.random(X.shape) < share, np.nan, np.column_stack([X[:, :3], np.round(20 * X[:, 3])]))
    values = explain(table)
    for signs in ([-1, -1, -1, -1], [1, -1, 1, -1]):
        np.testing.assert_allclose(explain(table * signs), values, atol=1e-5 * values.sum(axis=1).std())


def test_the_signs_of_columns_of_few_values_and_of_many_equal_ones_leave_shapley_values():
    """Yes/no columns as 1/0 or 0/1, marks from 1 to 5 or 5 to 1, amounts that are often 0, codes, one column reversed."""
    rng = np.random.default_rng(0)
    n_rows, effects = 1200, rng.normal(size=40)
    table = np.column_stack(
        [
            *(rng.random(n_rows) < share for share in (0.5, 0.3)),
            rng.integers(1, 6, n_rows),
            np.where(rng.random(n_rows) < 0.6, 0.0, rng.lognormal(0, 1, n_rows)),
            rng.integers(0, 40, n_rows),
        ]
    ).astype(float)
    outputs = table[:, 0] + table[:, 1] * table[:, 2] + np.log1p(table[:, 3]) + effects[table[:, 4].astype(int)]
    values = instashap.Explainer().fit(table, outputs=outputs).shap_values(table)
    turned = table * (-1, -1, -1, -1, 1) + (1, 1, 6, 0, 0)
    for changed in (turned, -table):
        moved = instashap.Explainer().fit(changed, outputs=outputs).shap_values(changed)
        np.testing.assert_allclose(moved, values, atol=1e-8 * outputs.std())


@pytest.fixture(scope="module")
def few_noisy_rows():
    """500 rows, 20 of them different, each with measurements of its own."""
    rng = np.random.default_rng(1)
    table = np.column_stack([rng.random(500) < 0.3, rng.random(500) < 0.5, rng.integers(1, 6, 500)]).astype(float)
    return table, table[:, 2] + rng.exponential(size=500)


@pytest.mark.parametrize("unit", [7.0, 3.0, 1.1, 1e-9, -1.0])
def test_the_unit_and_sign_of_noisy_outputs_of_few_different_rows_leave_shapley_values_and_errors(few_noisy_rows, unit):
    table, outputs = few_noisy_rows
    found, expected = (instashap.Explainer().fit(table, outputs=each)(table, errors=True) for each in (unit * outputs, outputs))
    np.testing.assert_allclose(found.values / unit, expected.values, atol=1e-9 * outputs.std())
    np.testing.assert_allclose(found.standard_errors / abs(unit), expected.standard_errors, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("unit", [7.0, 1.1])
def test_the_unit_of_noisy_targets_of_few_different_rows_leaves_means_and_quantiles(few_noisy_rows, unit):
    table, outputs = few_noisy_rows
    for options in ({}, {"loss": "quantile", "quantile": 0.9, "order": 1}):
        fitted = (instashap.AdditiveRegressor(**options).fit(table, y) for y in (unit * outputs, outputs))
        found, expected = (each.predict(table) for each in fitted)
        np.testing.assert_allclose(found / unit, expected, atol=1e-9 * outputs.std())


def test_rounding_of_outputs_makes_no_row_of_few_different_ones_another():
    """Equal rows whose outputs differ in the last digit only, as of a net asked in batches, have nothing to hold out."""
    rng = np.random.default_rng(0)
    table = rng.integers(0, 3, (600, 2)).astype(float)
    outputs = np.sin(table[:, 0]) + table[:, 1] / 3
    rounded = outputs * (1 + 1e-15 * rng.integers(-2, 3, 600))
    found, expected = (instashap.Explainer().fit(table, outputs=each).shap_values(table) for each in (rounded, outputs))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_signs_of_columns_leave_shapley_values_of_a_model_that_is_asked_about_synthetic_rows():
    rng = np.random.default_rng(0)
    falling = [4, -4] + rng.normal(size=(150, 2)) @ [[1, -0.9], [0, 0.4]]
    pair = np.concatenate([rng.normal(size=(250, 2)) @ [[1, 0.9], [0, 0.4]], falling])
    table = np.column_stack([pair, pair[:, 0] + rng.normal(size=400)])

    def ask(rows):
        return np.floor(rows[:, 0]) * rows[:, 1] + np.abs(rows[:, 2])

    plain = instashap.Explainer(ask).fit(table)
    assert plain.fit_facts_["synthetic"]["kind"] == "mixture"
    values = plain.shap_values(table)
    for signs in ([-1, -1, 1], [1, -1, -1], [-1, 1, -1]):
        moved = instashap.Explainer(lambda rows, signs=signs: ask(rows * signs)).fit(table * signs).shap_values(table * signs)
        np.testing.assert_allclose(moved, values, atol=1e-4 * values.sum(axis=1).std())


def test_the_order_of_rows_leaves_values_of_noiseless_labels():
    """Labels without noise are separable: descents end where strengths are still uncertain in the third digit."""
    table = load_diabetes().data
    labels = (table @ np.random.default_rng(0).normal(size=10) * 1000 + 3e4 * table[:, 2] * table[:, 3] > 0).astype(int)
    order = np.random.default_rng(1).permutation(len(table))
    values = instashap.AdditiveClassifier().fit(table, labels).shap_values(table)
    moved = instashap.AdditiveClassifier().fit(table[order], labels[order]).shap_values(table)
    np.testing.assert_allclose(moved, values, atol=0.004 * values.sum(axis=1).std())


def test_a_descent_that_ends_too_early_says_so(monkeypatch):
    monkeypatch.setattr(likelihood, "LAST_STEPS", (1, 1))
    monkeypatch.setattr(likelihood, "POOR_RESIDUAL", 1e-12)
    with pytest.warns(instashap.FitWarning, match=r"likelihood hold to .* only, after 1 steps; ask for fewer interactions"):
        model = instashap.AdditiveClassifier(order=1).fit(X, OUTPUTS > 0)
    status = model.to_explainer().fit_facts_["status"]
    assert (status["converged"], status["steps"]) == (False, 1)


@pytest.mark.slow
def test_each_order_is_judged_under_its_own_presence_sets():
    """Pairs of 40 columns take the room that tied presence sets of main effects use better."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(600, 5)) @ rng.normal(size=(5, 40)) + rng.normal(size=(600, 40))
    outputs = table @ rng.normal(size=40) / 6 + 0.5 * np.sin(table[:, 0]) * table[:, 1] + np.abs(table[:, 2])
    risks = [
        instashap.Explainer(order=order).fit(table, outputs=outputs).fit_facts_["chosen"]["masked_risk"] for order in (1, 2)
    ]
    assert risks[1] <= risks[0] * (1 + 1e-9)
