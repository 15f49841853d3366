"""Outputs of one value: nothing to explain, whatever the value rounds to."""

import numpy as np
import pandas as pd
import pytest

import instashap

RNG = np.random.default_rng(0)
ROWS = pd.DataFrame({"a": RNG.normal(size=300), "b": RNG.integers(0, 3, 300)})


@pytest.mark.filterwarnings("ignore:richer interactions")
@pytest.mark.parametrize("value", [3.0, 0.1, -0.3529, 1 / 3, 1e6 + 0.1, np.pi * 1e-9])
def test_a_model_of_one_output_is_explained_by_zeros_and_is_safe(value):
    explainer = instashap.Explainer(order=1).fit(ROWS, outputs=np.full(300, value))
    assert explainer.fit_facts_["chosen"]["fidelity"] == 1.0
    assert explainer.expected_value == value
    assert not explainer.shap_values(ROWS).any()
    for report in (explainer.audit(), instashap.audit(lambda rows: np.full(len(rows), value), ROWS, orders=(1,))):
        assert str(report).startswith("Trust: order 1 safe")
        assert "The model gives every row the same output: there is nothing to explain." in str(report)


@pytest.mark.parametrize("value", [0.1, 1e6 + 0.1])
def test_labels_of_one_value_are_predicted_without_a_warning(value):
    np.testing.assert_array_equal(instashap.AdditiveRegressor(order=1).fit(ROWS, np.full(300, value)).predict(ROWS), value)
