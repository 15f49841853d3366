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
