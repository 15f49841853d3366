"""Curves of Shapley values over time have the numbers of the explanation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import plots

X = pd.DataFrame({"a": np.tile([0.0, 1.0], 30), "b": np.repeat([0.0, 2.0], 30), "c": np.arange(60) % 3 / 100})


@pytest.fixture(scope="module")
def explanation():
    outputs = pd.DataFrame({"survival at 1": X["a"], "survival at 2.5": X["a"] + X["b"], "survival at 7": X["c"] - X["b"]})
    return instashap.Explainer(order=1, presence_order=1).fit(X, outputs=outputs)(X, errors=True)


def test_curves_of_a_row_are_its_values_at_the_times_in_the_outputs_names(explanation):
    ax = plots.plot_over_time(explanation[0])
    curves = [line for line in ax.lines if len(line.get_xdata()) == 3]
    for line, feature in zip(curves, (1, 0, 2), strict=True):  # b is the largest over times, c the smallest
        np.testing.assert_array_equal(line.get_xdata(), [1.0, 2.5, 7.0])
        np.testing.assert_array_equal(line.get_ydata(), explanation.values[0, feature])
    assert [text.get_text().split(" = ")[0] for text in ax.get_legend().get_texts()] == ["b", "a", "c"]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx((explanation.values[0, 1] + 1.729 * explanation.standard_errors[0, 1]).max())


def test_curves_of_several_rows_are_mean_magnitudes_and_the_rest_is_summed(explanation):
    ax = plots.plot_over_time(explanation, max_features=1, times=[0, 1, 2])
    sizes = np.abs(explanation.values).mean(axis=0)
    own, rest = (line.get_ydata() for line in ax.lines if len(line.get_xdata()) == 3)
    np.testing.assert_allclose(own, sizes[1])
    np.testing.assert_allclose(rest, sizes[0] + sizes[2])
    assert ax.get_legend().get_texts()[1].get_text() == "2 other features"


def test_outputs_that_are_no_times_are_refused(explanation):
    with pytest.raises(ValueError, match="several times"):
        plots.plot_over_time(explanation[..., 0])
    named = replace(explanation, output_names=("yes", "no", "maybe"))
    with pytest.raises(ValueError, match=r"pass their times, times=\[1, 2"):
        plots.plot_over_time(named)
    with pytest.raises(ValueError, match="numbers that rise"):
        plots.plot_over_time(explanation, times=[1, 1, 2])
