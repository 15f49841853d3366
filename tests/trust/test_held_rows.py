"""Rows held out of a fit: the models that predict them have not seen them."""

import warnings
from itertools import combinations

import numpy as np
import pytest

import instashap
from instashap.masked.moments import RowMoments
from instashap.trust.held_rows import hold_out


@pytest.mark.parametrize("n_columns", [3, 12])
def test_a_fold_is_predicted_by_a_model_with_the_mean_of_the_others(n_columns: int) -> None:
    """Both kinds of moments: sums, and the values themselves of more functions than there are rows."""
    X = np.random.default_rng(0).normal(size=(150, n_columns))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        made = instashap.Explainer(presence_order=2, synthetic_rows=0, interactions=list(combinations(range(n_columns), 2)))
        explainer = made.fit(X, outputs=X[:, 0] + X[:, 1] * X[:, 2] + 5.0)
    record = explainer._fitted.record
    assert record is not None
    held = hold_out(2, record)
    assert held.is_held_out
    assert isinstance(record.result.total, RowMoments) == (n_columns > 3)
    for places, model in held.parts:
        assert model.base_value[0] == pytest.approx(np.delete(record.outputs[:, 0], places).mean(), rel=1e-9)
