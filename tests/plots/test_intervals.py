"""Intervals on bars, curves and heat maps are 1.729 standard errors (Student's t, 19 degrees of freedom, 90 %)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from scipy import stats

from instashap import AdditiveRegressor, Explainer, plots
from instashap.plots.scales import read_notes

T = stats.t.ppf(0.95, 19)


def test_importance_whiskers_are_mean_errors_of_the_rows(make_explanation, find_whiskers):
    explanation = make_explanation([[4.0, -1.0], [2.0, 1.0]], errors=[[0.1, 0.2], [0.5, 0.2]])
    ax = plots.plot_importance(explanation)
    np.testing.assert_allclose(find_whiskers(ax), [[3 - T * 0.3, 3 + T * 0.3], [1 - T * 0.2, 1 + T * 0.2]], atol=1e-3)
    assert "90 % intervals" in ax.get_xlabel()


def test_importance_whiskers_of_stacked_outputs_add_up_and_the_pooled_bar_has_none(make_explanation, find_whiskers):
    values, errors = np.ones((2, 4, 2)), np.full((2, 4, 2), 0.1)
    values[:, 0] = 5.0
    ax = plots.plot_importance(make_explanation(values, errors=errors, output_names=("u", "v")), max_features=1)
    np.testing.assert_allclose(find_whiskers(ax), [[10 - T * 0.2, 10 + T * 0.2]], atol=1e-3)
    one = plots.plot_importance(make_explanation(values, errors=errors, output_names=("u", "v")), max_features=1, output="v")
    np.testing.assert_allclose(find_whiskers(one), [[5 - T * 0.1, 5 + T * 0.1]], atol=1e-3)


def test_without_errors_there_are_no_whiskers(make_explanation, find_whiskers):
    explanation = make_explanation([[4.0, -1.0]])
    assert not len(find_whiskers(plots.plot_importance(explanation)))
    assert not len(find_whiskers(plots.plot_waterfall(explanation)))


def test_waterfall_whiskers_stand_at_the_ends_of_the_bars(make_explanation, find_whiskers):
    explanation = make_explanation([[2.0, -5.0, 0.5, 0.25]], base=10.0, errors=[[0.5, 1.0, 0.1, 0.1]])
    ax = plots.plot_waterfall(explanation, max_features=2)
    np.testing.assert_allclose(find_whiskers(ax), [[5 - T, 5 + T], [7 - T * 0.5, 7 + T * 0.5]], atol=1e-3)
    low, high = ax.get_xlim()
    assert low < 5 - T
    assert high > 10


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": rng.uniform(-1, 1, 500),
            "kind": rng.choice(["p", "q", "r"], 500),
            "b": rng.uniform(-1, 1, 500),
            "n": rng.integers(1, 5, 500),
        }
    )
    frame.loc[rng.random(500) < 0.2, "a"] = np.nan
    target = frame["a"].fillna(2.0) + (frame["kind"] == "p") + frame["b"] * frame["n"] + rng.normal(size=500)
    pairs = [("b", "n"), ("b", "kind")]
    return AdditiveRegressor(order=2, presence_order=2, interactions=pairs).fit(frame, target).to_explainer(), frame


def look_up(explainer, rows, term):
    values, errors = explainer.interaction_values(rows, errors=True)
    position = explainer.terms_.index(term)
    return values[:, position], errors[:, position]


def test_band_around_a_curve(fitted):
    explainer, frame = fitted
    ax = plots.plot_shape(explainer, "b", errors=True)
    (band,) = [each for each in ax.collections if isinstance(each, PolyCollection)]
    points = np.unique(band.get_paths()[0].vertices, axis=0)
    lows, highs = (frame.iloc[:1].loc[[0] * len(points)].assign(b=points[:, 0]) for _ in range(2))
    value, error = look_up(explainer, lows, (2,))
    assert len(highs) == len(points)
    np.testing.assert_allclose(np.abs(points[:, 1] - value), T * error, rtol=1e-3, atol=1e-9)


def test_whiskers_on_values_and_on_missing_ones(fitted, find_whiskers):
    explainer, frame = fitted
    rows = frame.iloc[:4].assign(n=[1, 2, 3, 4])
    value, error = look_up(explainer, rows, (3,))
    drawn = find_whiskers(plots.plot_shape(explainer, "n", errors=True), axis=1)
    np.testing.assert_allclose(drawn, np.column_stack([value - T * error, value + T * error]), atol=1e-3)
    value, error = look_up(explainer, frame.iloc[:1].assign(a=np.nan), (0,))
    drawn = find_whiskers(plots.plot_shape(explainer, "a", errors=True), axis=1)
    np.testing.assert_allclose(drawn, [[value[0] - T * error[0], value[0] + T * error[0]]], atol=1e-3)


def test_whiskers_on_levels(fitted, find_whiskers):
    explainer, frame = fitted
    ax = plots.plot_shape(explainer, "kind", errors=True)
    levels = [label.get_text() for label in ax.get_yticklabels()]
    value, error = look_up(explainer, frame.iloc[:3].assign(kind=levels), (1,))
    np.testing.assert_allclose(find_whiskers(ax), np.column_stack([value - T * error, value + T * error]), atol=1e-3)
    assert "90 % intervals" in ax.get_title()


def test_several_outputs_have_a_band_each():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 1))
    outputs = pd.DataFrame({"u": X[:, 0] + rng.normal(size=300), "v": rng.normal(size=300)})
    explainer = Explainer(order=1).fit(X, outputs=outputs)
    ax = plots.plot_shape(explainer, 0, errors=True)
    bands = [each for each in ax.collections if isinstance(each, PolyCollection)]
    assert len(bands) == 2
    x, y = bands[1].get_paths()[0].vertices.T
    _, errors = explainer.interaction_values(np.array([[x[5]]]), errors=True)
    width = np.ptp(y[x == x[5]])
    np.testing.assert_allclose(width, 2 * T * errors[0, 0, 1], rtol=1e-3)


def test_heat_map_is_grey_where_the_interval_holds_zero(fitted):
    explainer, frame = fitted
    ax = plots.plot_shape(explainer, ("n", "b"), errors=True)
    effects, veil = (np.ma.asarray(mesh.get_array()) for mesh in ax.collections[:2])
    edges = ax.collections[0].get_coordinates()
    x, y = (edges[:-1, :-1] + edges[1:, 1:]).transpose(2, 0, 1) / 2
    inner = slice(1, -1)  # the outermost pixels' centres are not the middles of their edges
    x = np.tile([1, 2, 3, 4], (len(x), 1))
    rows = frame.iloc[:1].loc[[0] * y[inner].size].assign(b=y[inner].ravel(), n=x[inner].ravel())
    value, error = look_up(explainer, rows, (2, 3))
    np.testing.assert_allclose(effects[inner].ravel(), value, atol=1e-9)
    is_grey = ~np.ma.getmaskarray(veil)[inner].ravel()
    is_sure = np.abs(np.abs(value) / error - T) > 1e-3
    np.testing.assert_array_equal(is_grey[is_sure], (np.abs(value) < T * error)[is_sure])
    assert 0 < is_grey.mean() < 1


def test_strips_beside_a_heat_map_are_the_own_curves(fitted):
    explainer, frame = fitted
    ax = plots.plot_shape(explainer, ("kind", "b"))
    top, right = ax.child_axes[:2]
    levels = [label.get_text() for label in ax.get_xticklabels()]
    value, _ = look_up(explainer, frame.iloc[:3].assign(kind=levels), (1,))
    np.testing.assert_allclose([bar.get_height() for bar in top.patches], value, atol=1e-9)
    heights, places = right.lines[0].get_xydata().T
    rows = frame.iloc[:1].loc[[0] * len(places)].assign(b=places)
    np.testing.assert_allclose(heights, look_up(explainer, rows, (2,))[0], atol=1e-9)
    assert right.get_xlim() == top.get_ylim()  # one scale


def test_a_band_of_several_levels_has_no_own_curve():
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 30, 3000)
    frame = pd.DataFrame({"city": [f"c{code:02d}" for code in codes], "x": rng.normal(size=3000)})
    target = codes * frame["x"] / 30 + codes
    model = AdditiveRegressor(order=2, presence_order=2, interactions=[(0, 1)]).fit(frame, target)
    ax = plots.plot_shape(model, ("city", "x"))
    labels = [label.get_text() for label in ax.get_xticklabels()]
    heights = np.array([bar.get_height() for bar in ax.child_axes[0].patches])
    assert np.isnan(heights).tolist() == [label.endswith(" others") for label in labels]
    n_pooled = 31 - len(labels)  # 30 cities, those in the last band pooled
    assert labels[-1] == f"{n_pooled} others"
    assert f"{n_pooled} rarer levels of city share one band" in read_notes(ax)


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_strips_and_colour_bar_of_a_heat_map_lie_side_by_side_in_given_axes(fitted, layout):
    figure, axes = plt.subplots(1, 2, figsize=(14, 6), layout=layout)
    given = axes[0].get_position()
    ax = plots.plot_shape(fitted[0], ("n", "b"), ax=axes[0])
    figure.canvas.draw()
    assert ax is axes[0]
    boxes = [each.get_window_extent() for each in (*figure.axes, *ax.child_axes)]
    assert len(boxes) == 5  # map, the other axes, two strips and the colour bar
    assert not [(k, j) for k in range(5) for j in range(k) if boxes[k].overlaps(boxes[j])]
    if layout is None:
        assert max(box.x1 for box in boxes[2:]) < given.x1 * figure.bbox.width


def test_rows_of_levels_are_spread_within_their_bands(fitted):
    explainer, frame = fitted
    ax = plots.plot_shape(explainer, ("n", "b"), X=frame)
    (dots,) = [line for line in ax.lines if line.get_linestyle() == "None"]
    x, y = dots.get_xydata().T
    np.testing.assert_array_equal(y, frame["b"])
    np.testing.assert_array_equal(np.round(x), frame["n"])
    assert np.abs(x - frame["n"]).max() < 0.36
    assert np.unique(x).size > 400


def test_a_table_of_importance_is_drawn_with_its_intervals_and_what_is_not_explained(find_whiskers):
    table = pd.DataFrame(
        {"value": [2.0, 0.5, -0.3, 0.4], "low": [1.8, 0.2, -0.4, 0.35], "high": [2.5, 1.0, -0.1, 0.5], "share": 0.0},
        index=["hour", "temp", "noise", "(not explained)"],
    )
    table.attrs = {"kind": "loss", "of": "squared error of the labels", "pairs": False}
    ax = plots.plot_importance(table)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["hour", "temp", "noise", "not explained"]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], table["value"])
    np.testing.assert_allclose(np.sort(find_whiskers(ax), axis=1), table[["low", "high"]], atol=1e-9)
    pooled = plots.plot_importance(table, max_features=1)
    np.testing.assert_allclose([bar.get_width() for bar in pooled.patches], [2.0, 0.2, 0.4])
    assert "squared error" in ax.get_xlabel()


def test_a_table_of_another_kind_or_of_several_outputs_is_refused():
    with pytest.raises(TypeError, match="got another table"):
        plots.plot_importance(pd.DataFrame({"value": [1.0]}))
    one = pd.DataFrame({"value": [1.0], "low": [0.8], "high": [1.3]}, index=["a"])
    both = pd.concat({"up": one, "down": 2 * one})
    both.attrs = {"kind": "variance", "of": "f"}
    with pytest.raises(ValueError, match="pass output="):
        plots.plot_importance(both)
    assert plots.plot_importance(both, output="down").patches[0].get_width() == 2.0
