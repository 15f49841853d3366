"""Whole numbers, levels and many features: everything drawn can be told apart, and what is left out is said."""

from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from instashap import AdditiveClassifier, plots
from instashap.plots.scales import read_notes
from instashap.plots.style import make_value_map

TWINS = [
    "the share of the customers who had paid in the month before last",
    "the share of the customers who had paid in the month before it",
]


def get_dots(ax):
    return np.asarray(ax.collections[0].get_offsets())


def test_the_network_of_a_class_lies_within_its_figure(find_flaws):
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = AdditiveClassifier(order=2, interactions=2, presence_order=2).fit(
        X.iloc[::2, :5], y[::2].map({0: "Barolo", 1: "Grignolino", 2: "Barbera"})
    )
    ax = plots.plot_interactions(model, X.iloc[:, :5], output="Grignolino")
    assert not find_flaws(ax.figure)
    assert "on log-odds, Grignolino: largest disc" in ax.get_xlabel()


def test_two_columns_never_share_a_label_in_a_picture(make_explanation):
    values = np.random.default_rng(0).normal(size=(50, 2))
    ax = plots.plot_dependence(make_explanation(values, names=TWINS, data=values), 0, by=1)
    bar = ax.figure.axes[1].get_ylabel()
    assert ax.get_xlabel() != bar
    assert f"{ax.get_xlabel()},\ncoloured by " in ax.get_title()
    spaces = plots.plot_importance(make_explanation([[1.0, 2.0]], names=["rate", "rate "]))
    assert len({label.get_text() for label in spaces.get_yticklabels()}) == 2


def test_dots_of_whole_numbers_are_spread_within_their_place(make_explanation):
    hours = np.repeat(np.arange(24.0), 20)[:, None]
    ax = plots.plot_dependence(make_explanation(np.sin(hours), data=hours), 0, by=None)
    x = get_dots(ax)[:, 0].reshape(24, 20)
    assert (np.round(x) == np.arange(24)[:, None]).all()
    assert all(len(np.unique(each)) == 20 for each in x)
    np.testing.assert_allclose(np.abs(x - np.round(x)).max(), 0.25, atol=0.03)
    assert "spread sideways" in read_notes(ax)
    distinct = np.random.default_rng(0).normal(size=(60, 1))
    plain = plots.plot_dependence(make_explanation(distinct, data=distinct), 0, by=None)
    np.testing.assert_array_equal(get_dots(plain)[:, 0], distinct[:, 0])
    assert "sideways" not in read_notes(plain)


def test_dependence_shows_where_the_rows_are(make_explanation):
    data = np.concatenate([np.linspace(0.0, 0.1, 90), [10.0]])[:, None]
    ax = plots.plot_dependence(make_explanation(data, data=data), 0, by=None, x_scale="linear")
    (stairs,) = (each for each in ax.patches if isinstance(each, matplotlib.patches.StepPatch))
    heights = stairs.get_data().values
    assert (heights[0], heights[-1]) == (heights.max(), heights.max() / 90)
    assert (heights[1:-1] == 0).all()
    assert ax.get_ylim()[0] < data.min() - 0.5  # below the dots


def test_a_partner_of_two_values_has_a_legend_and_no_colour_bar(make_explanation):
    rng = np.random.default_rng(0)
    data = np.column_stack([rng.normal(size=80), rng.integers(0, 2, 80)]).astype(float)
    ax = plots.plot_dependence(make_explanation(data, data=data), 0, by=1)
    assert len(ax.figure.axes) == 1
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "1"]
    colours = ax.collections[0].get_facecolors()
    ends = make_value_map()([0.0, 1.0])
    np.testing.assert_allclose(colours, ends[data[:, 1].astype(int)])
    many = plots.plot_dependence(make_explanation(data, data=data), 1, by=0)
    assert len(many.figure.axes) == 2


def test_ordered_levels_keep_their_order_as_a_partner_and_on_the_axis(make_explanation):
    levels = tuple(f"grade {k}" for k in (3, 1, 2))
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 90)
    data = np.column_stack([rng.normal(size=90).astype(object), np.array(levels, dtype=object)[codes]])
    explanation = replace(make_explanation(rng.normal(size=(90, 2)), data=data), level_orders={"f1": levels})
    ax = plots.plot_dependence(explanation, 0, by=1)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(levels)
    np.testing.assert_allclose(ax.collections[0].get_facecolors(), make_value_map()(codes / 2))
    many = tuple(f"band {k}" for k in rng.permutation(25))
    codes = rng.integers(0, 25, 90)
    data[:, 1] = np.array(many, dtype=object)[codes]
    explanation = replace(explanation, data=data, level_orders={"f1": many})
    ax = plots.plot_dependence(explanation, 1, by=None)
    np.testing.assert_array_equal(np.round(get_dots(ax)[:, 0]), codes)  # none is pooled
    shown = {round(tick): label.get_text() for tick, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)}
    assert {many[place] for place in shown} == set(shown.values())
    bar = plots.plot_dependence(explanation, 0, by=1).figure.axes[1]
    ticks = {round(tick): label.get_text() for tick, label in zip(bar.get_yticks(), bar.get_yticklabels(), strict=True)}
    assert all(many[place] == label for place, label in ticks.items())


def test_levels_that_share_a_place_are_counted_in_the_notes(make_explanation):
    data = np.array([f"town {k}" for k in range(22)] * 3 + [f"town {k}" for k in range(11)], dtype=object)[:, None]
    ax = plots.plot_dependence(make_explanation(np.ones((77, 1)), data=data), 0, by=None)
    assert ax.get_xticklabels()[-1].get_text() == "11 others"
    assert "The 11 rarest of 22 levels share the last place" in read_notes(ax)


def test_low_middle_and_high_values_are_vivid_and_rise_in_lightness():
    colours = make_value_map()(np.linspace(0, 1, 9))[:, :3]
    saturation = (colours.max(axis=1) - colours.min(axis=1)) / colours.max(axis=1)
    assert saturation.min() > 0.5  # grey is for missing values alone
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).all()
    assert 1.05 / (luminance.max() + 0.05) > 1.9  # against white
    assert (luminance.min() + 0.05) / 0.05 > 3.0  # against black


def test_the_other_features_leave_room_for_those_shown(make_explanation):
    values = np.random.default_rng(0).normal(size=(30, 60))
    bars = plots.plot_importance(make_explanation(values), max_features=10)
    means = np.sort(np.abs(values).mean(axis=0))[::-1]
    widths = [bar.get_width() for bar in bars.patches]
    np.testing.assert_allclose(widths[:10], means[:10])
    assert widths[10] == pytest.approx(1.15 * means[0])
    assert f"is cut: it would reach {means[10:].sum():.1f}" in read_notes(bars)
    assert bars.get_xlim()[1] < 1.6 * means[0]
    swarms = plots.plot_beeswarm(make_explanation(values), max_features=10)
    sums = values[:, np.argsort(-np.abs(values).mean(axis=0))[10:]].sum(axis=1)
    assert len(swarms.collections) == 10
    assert any(f"sums from −{-sums.min():.1f} to +{sums.max():.1f}" in text.get_text() for text in swarms.texts)
    assert swarms.get_xlim()[1] < 1.2 * values.max()


def test_listing_the_plots_lists_the_plots():
    assert dir(plots) == sorted(plots.__all__)
    assert all(each.startswith("plot_") for each in dir(plots))


def test_marks_of_a_frontier_have_a_key():
    ranking = pd.DataFrame(
        {"term": list("abc"), "gain": [0.5, 0.2, 0.1], "r2": [0.6, 0.95, 0.94], "variance_share": [0.6, 0.3, 0.1]}
    )
    ax = plots.plot_frontier(ranking)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "R² (cross-validated)",
        "gain",
        "fewest within 0.01 of the best",
    ]
    assert "A hollow dot: fewer terms do as well." in read_notes(ax)
