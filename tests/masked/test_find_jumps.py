"""Jumps of simulated outputs: their places are known, and smooth, noisy or heavy-tailed outputs have none."""

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.masked.find_jumps import find_jumps
from instashap.masked.penalties import compute_axis_functions, compute_local_moments
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table


def _find(X, outputs, weights=None):
    table = read_table(X)
    weights = np.ones(len(outputs)) if weights is None else weights
    encoder, columns = learn_table(table, weights)
    return find_jumps(table, encoder.encode(table), columns, np.asarray(outputs, dtype=np.float64)[:, None], weights, 20)


def _simulate(n_rows=2000, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, 3))


def _step(X):
    return 1.0 * (X[:, 0] > 0.3) - 2.0 * (X[:, 0] > 1.0) + 0.5 * X[:, 1] ** 2


def test_thresholds_lie_between_the_two_values_where_the_output_jumps():
    X = _simulate()
    found = _find(X, _step(X))
    assert list(found) == [0]
    for jump, truth in zip(found[0], (0.3, 1.0), strict=True):
        assert X[X[:, 0] <= truth, 0].max() <= jump < X[X[:, 0] > truth, 0].min()


@pytest.mark.parametrize("factor", [1e-3, 1e6])
def test_thresholds_follow_the_unit_of_a_column(factor):
    X = _simulate()
    np.testing.assert_allclose(_find(factor * X, _step(X))[0], factor * _find(X, _step(X))[0], rtol=1e-6)


def test_smooth_noisy_and_heavy_tailed_outputs_have_no_jumps():
    X = _simulate()
    rng = np.random.default_rng(1)
    heavy = rng.standard_t(2, size=X.shape)
    assert _find(X, np.sin(2 * X[:, 0]) + np.abs(X[:, 1]) + X[:, 0] * X[:, 2]) == {}
    assert _find(X, X[:, 0] + rng.standard_t(3, size=len(X))) == {}
    assert _find(heavy, heavy[:, 0] * heavy[:, 1] + np.maximum(heavy[:, 2], 0.0)) == {}


def test_a_row_of_weight_two_counts_as_two_rows():
    X = _simulate(600)
    weights = 1.0 + (np.arange(600) % 2)
    twice = np.repeat(np.arange(600), weights.astype(int))
    np.testing.assert_array_equal(_find(X, _step(X), weights)[0], _find(X[twice], _step(X[twice]))[0])


def test_columns_that_are_alike_have_the_same_jumps():
    X = _simulate()[:, [0, 1, 0]]
    found = _find(X, _step(X))
    np.testing.assert_array_equal(found[0], found[2])


def test_steps_and_curves_of_a_cut_axis_are_the_plain_ones_on_rows_with_spikes_and_missing_values():
    x = _simulate(1500)[:, 0]
    x[:200], x[200:230] = 0.5, np.nan
    table, weights = read_table(x[:, None]), np.ones(1500)
    values = {}
    for jumps in (None, {0: np.array([-0.2, 0.9])}):
        encoder, (column,) = learn_table(table, weights, jumps=jumps)
        encoded, axis = encoder.encode(table), column.axes[0]
        rows = encoded.cells[:, 0], encoded.offsets[:, 0]
        functions = compute_axis_functions(axis, *compute_local_moments(axis.basis, *rows, weights), 3, 20)
        values[jumps is None] = axis.basis.combine(*rows, functions.coefficients)
        if jumps is not None:
            steps = axis.basis.combine(*rows, axis.steps)
    np.testing.assert_allclose(values[False][:, :20], values[True], atol=1e-9)
    assert values[False].shape[1] == 22
    expected = np.where(np.isnan(x)[:, None], 0.0, x[:, None] > np.array([-0.2, 0.9]))
    np.testing.assert_allclose(steps, expected, atol=1e-12)


@pytest.fixture(scope="module")
def stepped():
    X = pd.DataFrame(_simulate(2000), columns=["a", "b", "c"])
    outputs = _step(X.to_numpy())
    return X, outputs, instashap.Explainer(None, order=1, presence_order=1).fit(X, outputs=outputs)


def test_a_fit_follows_steps(stepped):
    X, _, explainer = stepped
    new = _simulate(500, seed=5)
    new = new[np.abs(new[:, :1] - np.array([0.3, 1.0])).min(axis=1) > 0.05]  # thresholds are known to the next value
    truth = _step(new)
    assert np.mean((explainer.predict(pd.DataFrame(new, columns=X.columns)).ravel() - truth) ** 2) < 2e-3 * truth.var()


def test_a_fit_with_steps_is_the_same_after_loading(stepped, tmp_path):
    X, _, explainer = stepped
    explainer.save(tmp_path / "steps.insta")
    loaded = instashap.load(tmp_path / "steps.insta")
    np.testing.assert_array_equal(loaded.shap_values(X), explainer.shap_values(X))
