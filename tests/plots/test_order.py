"""Levels of ordered categories are drawn, named and coloured in their order, not by weight or effect."""

from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest

from instashap import Explainer, plots
from instashap.plots.value_colours import paint, rank
from instashap.report.summary import summarise

ORDER = ["low", "middle", "high", "top"]
# "high" is the most frequent and has the lowest effect, so that neither weight nor effect gives the order.
LEVELS = np.repeat(ORDER, [60, 40, 120, 80])
EFFECT = {"low": 1.0, "middle": 3.0, "high": -2.0, "top": 2.0}


@pytest.fixture(scope="module")
def table():
    x = np.tile(np.linspace(-1, 1, 20), 15)
    return pd.DataFrame({"grade": pd.Categorical(LEVELS, categories=ORDER, ordered=True), "x": x})


@pytest.fixture(scope="module")
def explainer(table):
    effects = table["grade"].astype(str).map(EFFECT)
    return Explainer(interactions=[("grade", "x")]).fit(table, outputs=effects * (1 + table["x"]))


def test_bars_are_in_the_order_of_the_levels(explainer):
    ax = plots.plot_shape(explainer, "grade")
    assert [label.get_text() for label in ax.get_yticklabels()][:4] == ORDER


def test_a_pair_has_its_levels_in_order_and_each_its_own_effects(explainer):
    ax = plots.plot_shape(explainer, ("x", "grade"))
    assert [label.get_text() for label in ax.get_yticklabels()][:4] == ORDER
    drawn = ax.collections[0].get_array().reshape(-1, 20)[:4]
    means = np.average(list(EFFECT.values()), weights=[60, 40, 120, 80])
    # The interaction by hand: what a level's slope adds to the mean slope.
    slopes = np.array(list(EFFECT.values())) - means
    places = np.linspace(-1, 1, 20)
    np.testing.assert_allclose(drawn, slopes[:, None] * places, atol=0.15)


def test_dots_of_dependence_stand_in_the_order_of_the_levels(explainer, table):
    explanation = explainer(table)
    ax = plots.plot_dependence(explanation, "grade", by=None)
    assert [label.get_text() for label in ax.get_xticklabels()] == ORDER
    places = ax.collections[0].get_offsets()[:, 0]
    assert np.rint(places).tolist() == [ORDER.index(level) for level in LEVELS]
    legend = plots.plot_dependence(explanation, "x", by="grade").get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ORDER


def test_colours_of_a_beeswarm_are_ranks_in_the_order(explainer, table):
    explanation = explainer(table)[:, ["grade"]]
    ax = plots.plot_beeswarm(explanation)
    expected = paint(rank(np.array([ORDER.index(level) for level in LEVELS], dtype=float)))
    np.testing.assert_allclose(ax.collections[0].get_facecolors(), expected)
    assert "grey" not in ax.get_xlabel()
    without = plots.plot_beeswarm(replace(explanation, level_orders={})).collections[0]
    assert {matplotlib.colors.to_hex(each) for each in without.get_facecolors()} == {"#8a8a8a"}


def test_a_report_lists_levels_in_their_order(explainer, table):
    view = summarise(explainer, table).columns[0]
    assert [view.levels[place] for place in view.order] == ORDER
    assert view.has_order
    assert view.counts[:4] == [120, 80, 60, 40]  # by cell, which go by weight
