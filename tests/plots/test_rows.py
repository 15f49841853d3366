"""Plots of many rows: beeswarm and dependence."""

import matplotlib
import numpy as np
import pytest

from instashap import AdditiveClassifier, plots
from instashap.plots.dependence import find_partner
from instashap.plots.scales import read_notes
from instashap.plots.value_colours import paint, rank, spread, to_numbers

LOW, HIGH = "#2a50dc", "#ffa51e"


def get_swarms(ax):
    return [np.asarray(dots.get_offsets()) for dots in ax.collections]


def get_hues(dots):
    return [matplotlib.colors.to_hex(colour) for colour in dots.get_facecolors()]


# --- beeswarm ---------------------------------------------------------------------------------------------------------


def test_beeswarm_draws_every_value_in_the_row_of_its_feature(make_explanation):
    values = np.random.default_rng(0).normal(size=(60, 3)) * [1.0, 5.0, 2.0]
    ax = plots.plot_beeswarm(make_explanation(values))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["f1", "f2", "f0"]
    for row, feature in enumerate([1, 2, 0]):
        x, y = get_swarms(ax)[row].T
        np.testing.assert_array_equal(x, values[:, feature])
        assert np.abs(y - row).max() <= 0.42


def test_beeswarm_sums_what_is_not_shown_row_by_row(make_explanation):
    values = np.random.default_rng(1).normal(size=(40, 20)) * np.array([1.0] * 10 + [0.1] * 10)
    ax = plots.plot_beeswarm(make_explanation(values), max_features=5)
    small = np.argsort(-np.abs(values).mean(axis=0))[5:]
    np.testing.assert_allclose(get_swarms(ax)[-1][:, 0], values[:, small].sum(axis=1))
    assert ax.get_yticklabels()[-1].get_text() == "15 other features"


def test_beeswarm_colours_go_from_the_lowest_to_the_highest_value(make_explanation):
    data = np.array([[3.0], [np.nan], [1.0], [2.0]])
    ax = plots.plot_beeswarm(make_explanation([[1.0], [2.0], [3.0], [4.0]], data=data))
    expected = [matplotlib.colors.to_hex(colour) for colour in paint(np.array([5 / 6, np.nan, 1 / 6, 0.5]))]  # ranks by hand
    assert get_hues(ax.collections[0]) == expected
    assert expected[1] == "#8a8a8a"
    assert "grey: text, missing" in read_notes(ax)


def test_text_is_grey_in_a_beeswarm(make_explanation):
    data = np.array([["red"], ["green"]], dtype=object)
    ax = plots.plot_beeswarm(make_explanation([[1.0], [2.0]], data=data))
    assert set(get_hues(ax.collections[0])) == {"#8a8a8a"}


def test_ends_of_the_scale_are_distinguishable_without_red_and_green():
    low, high = paint(np.array([0.0, 1.0]))
    assert [matplotlib.colors.to_hex(each) for each in (low, high)] == [LOW, HIGH]
    assert abs(low[2] - high[2]) > 0.5  # blue alone tells them: dichromats of either kind see it


def test_swarms_put_dots_of_one_place_on_layers_of_their_own():
    (shifts,) = spread([np.array([0.0, 0.0, 0.0, 10.0])], height=0.4)
    np.testing.assert_allclose(shifts, np.array([0, 1, -1, 0]) * 0.4 / 8)  # at least eight layers
    many = spread([np.zeros(101), np.arange(101.0)], height=0.4)
    np.testing.assert_allclose(np.sort(many[0]), np.arange(-50, 51) * 0.4 / 50)
    assert np.abs(many[1]).max() <= 0.4 / 8


def test_ranks_and_numbers_of_mixed_columns():
    np.testing.assert_allclose(rank(np.array([2.0, 2.0, 5.0, np.nan])), [1 / 3, 1 / 3, 5 / 6, np.nan])
    assert to_numbers(np.array(["a", 1.0], dtype=object)) is None
    assert to_numbers(np.array([None, None], dtype=object)) is None
    np.testing.assert_array_equal(to_numbers(np.array([None, 1, np.nan, True], dtype=object)), [np.nan, 1, np.nan, 1])


# --- dependence -------------------------------------------------------------------------------------------------------


def make_product(make_explanation, n_rows=400, seed=0, noise=0.3):
    """Values of x0 that depend on x2 (and on nothing else), of six features."""
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(n_rows, 6))
    values = np.zeros((n_rows, 6))
    values[:, 0] = data[:, 0] + data[:, 0] * data[:, 2] / 2 + noise * rng.normal(size=n_rows)
    values[:, 1] = data[:, 1]
    return make_explanation(values, data=data)


def test_dependence_draws_data_against_values(make_explanation):
    explanation = make_product(make_explanation)
    ax = plots.plot_dependence(explanation, "f1", by=None)
    np.testing.assert_array_equal(get_swarms(ax)[0], np.column_stack([explanation.data[:, 1], explanation.values[:, 1]]))
    assert ax.get_ylabel() == "Shapley value (target units)"


@pytest.mark.parametrize("seed", range(5))
def test_strongest_partner_is_found_among_others(make_explanation, seed):
    ax = plots.plot_dependence(make_product(make_explanation, seed=seed), 0)
    assert ax.get_title().endswith("coloured by f2")


def test_what_goes_along_with_a_feature_is_no_partner(make_explanation):
    rng = np.random.default_rng(4)
    x = rng.normal(size=600)
    data = np.column_stack([x, x + 0.2 * rng.normal(size=600), rng.normal(size=600)])
    values = np.column_stack([3 * x + x**2 + 0.2 * x * data[:, 2], 0 * x, 0 * x])
    assert find_partner(make_explanation(values, data=data), 0) == 2


def test_noise_has_no_partner(make_explanation):
    rng = np.random.default_rng(5)
    assert find_partner(make_explanation(rng.normal(size=(600, 6)), data=rng.normal(size=(600, 6))), 0) is None


def test_a_feature_without_interactions_has_no_partner(make_explanation):
    explanation = make_explanation(np.repeat(np.arange(8.0), 20)[:, None] * [1, 0], data=np.arange(320.0).reshape(160, 2) // 40)
    assert plots.plot_dependence(explanation, 0).get_title() == "Shapley values of f0"


def test_dependence_colours_clip_at_the_partners_far_values(make_explanation):
    data = np.column_stack([np.arange(101.0), np.arange(101.0), np.zeros(101)])
    ax = plots.plot_dependence(make_explanation(np.ones((101, 3)), data=data), 0, by="f1")
    colours = ax.collections[0].get_facecolors()
    np.testing.assert_allclose(colours, paint(np.clip((np.arange(101.0) - 5) / 90, 0, 1)))  # quantiles .05 and .95 by hand
    bar = ax.figure.axes[1]
    assert bar.get_ylim() == (5.0, 95.0)
    assert bar.get_ylabel() == "f1"


def test_partner_of_text_has_a_colour_a_level_and_a_legend(make_explanation):
    data = np.empty((6, 2), dtype=object)
    data[:, 0], data[:, 1] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], ["a", "b", "a", None, "a", "b"]
    ax = plots.plot_dependence(make_explanation(np.ones((6, 2)), data=data), 0, by=1)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "missing"]
    assert get_hues(ax.collections[0]) == [{"a": "#0072b2", "b": "#e69f00", None: "#009e73"}[level] for level in data[:, 1]]


def test_missing_values_lie_beyond_the_others(make_explanation):
    data = np.array([[0.0], [10.0], [np.nan]])
    ax = plots.plot_dependence(make_explanation([[1.0], [2.0], [3.0]], data=data), 0)
    np.testing.assert_allclose(get_swarms(ax)[0], [[0, 1], [10, 2], [11.3, 3]])
    assert ax.get_xticklabels()[-1].get_text() == "missing"


def test_texts_have_a_band_each_and_rare_ones_share_the_last(make_explanation):
    texts = [f"t{k:02d}" for k in range(15) for _ in range(20 - k)]
    data = np.array(texts, dtype=object)[:, None]
    ax = plots.plot_dependence(make_explanation(np.ones((len(texts), 1)), data=data), 0)
    assert [label.get_text() for label in ax.get_xticklabels()] == [*(f"t{k:02d}" for k in range(11)), "4 others"]
    bands = np.round(get_swarms(ax)[0][:, 0])
    np.testing.assert_array_equal(bands, [min(int(text[1:]), 11) for text in texts])


def test_rows_are_needed_and_names_checked(make_explanation):
    empty = make_explanation(np.ones((2, 2)))[:0]
    for plot in (plots.plot_beeswarm, plots.plot_importance, lambda each: plots.plot_dependence(each, 0)):
        with pytest.raises(ValueError, match="this explanation has no rows"):
            plot(empty)
    with pytest.raises(ValueError, match="feature names the unknown column 'z'"):
        plots.plot_dependence(make_explanation(np.ones((2, 2))), "z")
    with pytest.raises(ValueError, match="by names the unknown column 'z'"):
        plots.plot_dependence(make_explanation(np.ones((2, 2))), 0, by="z")


@pytest.mark.parametrize("plot", [plots.plot_beeswarm, lambda each, **kw: plots.plot_dependence(each, 0, by=None, **kw)])
def test_one_of_several_outputs_is_chosen_by_name(make_explanation, plot):
    explanation = make_explanation(np.arange(8.0).reshape(2, 2, 2), output_names=("yes", "no"))
    ax = plot(explanation, output="no")
    assert 5.0 in np.concatenate(get_swarms(ax))
    assert "Shapley value (no)" in (ax.get_xlabel(), ax.get_ylabel())
    with pytest.raises(ValueError, match="one output, got 2 of them: pass output= one of 'yes', 'no'"):
        plot(explanation)
    with pytest.raises(TypeError, match="takes an Explanation, got int"):
        plot(3)


def test_a_class_of_a_fitted_classifier_is_chosen_by_name():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(300, 2))
    y = np.array(["low", "middle", "high"])[np.digitize(X[:, 0] + rng.normal(size=300), [-0.5, 0.5])]
    model = AdditiveClassifier(order=1).fit(X, y)
    explanation = model.explain(X)
    position = model.classes_.tolist().index("high")
    ax = plots.plot_dependence(explanation, 0, by=None, output="high")
    np.testing.assert_array_equal(get_swarms(ax)[0], np.column_stack([X[:, 0], model.shap_values(X)[:, 0, position]]))
    assert len(plots.plot_shape(model, 0).get_legend().get_texts()) == 3
    assert plots.plot_interactions(model, X, output="low").texts
    with pytest.raises(ValueError, match="unknown output 'tall'; there are 'high', 'low', 'middle'"):
        plots.plot_waterfall(explanation[0], output="tall")
