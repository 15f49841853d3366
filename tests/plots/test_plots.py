"""The numbers the plots draw, found in the drawn artists and computed apart from the plots."""

import re
import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from instashap import AdditiveRegressor, Explainer, Explanation, plots
from instashap._errors import NotFittedError
from instashap.plots.scales import read_notes


def make_explanation(values, names=None, output_names=("output",), data=None, base=1.0):
    values = np.asarray(values, dtype=np.float64)
    n_rows, n_features = values.shape[:2]
    names = names or tuple(f"f{k}" for k in range(n_features))
    base_values = np.full((n_rows, *values.shape[2:]), base)
    data = np.zeros((n_rows, n_features)) if data is None else data
    return Explanation(values, base_values, data, tuple(names), tuple(output_names), "target units")


def get_labels(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def get_texts(ax):
    return [text.get_text() for text in ax.texts]


# --- importance -------------------------------------------------------------------------------------------------------


def test_importance_bars_are_mean_absolute_values_in_falling_order():
    ax = plots.plot_importance(make_explanation([[1.0, -4.0, 0.5], [-3.0, 2.0, 0.5]]))
    assert [bar.get_width() for bar in ax.patches] == [3.0, 2.0, 0.5]  # by hand: f1, f0, f2
    assert get_labels(ax) == ["f1", "f0", "f2"]
    assert get_texts(ax)[:-1] == ["3.00", "2.00", "0.50"]
    top, bottom = (bar.get_y() for bar in (ax.patches[0], ax.patches[-1]))
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert top < bottom


def test_importance_states_the_scale():
    assert "target units" in plots.plot_importance(make_explanation([[1.0, 2.0]])).get_xlabel()


def test_features_beyond_the_limit_are_summed_in_one_bar():
    values = np.random.default_rng(0).normal(size=(20, 100)) * np.array([1.0] * 15 + [0.01] * 85)
    ax = plots.plot_importance(make_explanation(values), max_features=15)
    means = np.sort(np.abs(values).mean(axis=0))[::-1]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [*means[:15], means[15:].sum()], rtol=1e-12)
    assert get_labels(ax)[-1] == "85 other features"


def test_a_single_feature_left_over_keeps_its_name():
    ax = plots.plot_importance(make_explanation([[3.0, 2.0, 1.0]]), max_features=2)
    assert get_labels(ax) == ["f0", "f1", "f2"]


def test_several_outputs_are_stacked_to_their_sum():
    values = np.random.default_rng(1).normal(size=(8, 3, 2))
    ax = plots.plot_importance(make_explanation(values, output_names=("yes", "_no")))
    means = np.abs(values).mean(axis=0)
    order = np.argsort(-means.sum(axis=1))
    first, second = ax.containers
    np.testing.assert_allclose([bar.get_width() for bar in first], means[order, 0])
    np.testing.assert_allclose([bar.get_x() for bar in second], means[order, 0])
    np.testing.assert_allclose([bar.get_x() + bar.get_width() for bar in second], means[order].sum(axis=1))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["yes", "_no"]


@pytest.mark.parametrize("output", ["no", 1, np.int64(1)])
def test_one_output_is_chosen_by_name_or_position(output):
    values = np.arange(12.0).reshape(2, 3, 2)
    ax = plots.plot_importance(make_explanation(values, output_names=("yes", "no")), output=output)
    assert [bar.get_width() for bar in ax.patches] == [8.0, 6.0, 4.0]
    assert ax.get_xlabel() == "mean |Shapley value| (no)"


@pytest.mark.parametrize("output", ["maybe", 2, -1, True])
def test_unknown_output_is_refused(output):
    explanation = make_explanation(np.ones((2, 3, 2)), output_names=("yes", "no"))
    with pytest.raises(ValueError, match=re.escape(f"unknown output {output!r}; there are 'yes', 'no'")):
        plots.plot_importance(explanation, output=output)


def test_long_names_keep_both_ends_and_dollars_are_plain():
    ax = plots.plot_importance(make_explanation([[2.0, 1.0]], names=("a" * 40 + " end", "price in $ or $")))
    long, dollar = get_labels(ax)
    assert len(long) == 32
    assert "…" in long
    assert long.endswith(" end")
    assert dollar == r"price in \$ or \$"
    ax.figure.canvas.draw()


def test_plots_draw_into_given_axes():
    figure, axes = plt.subplots(1, 3)
    explanation = make_explanation([[1.0, -2.0]])
    assert plots.plot_importance(explanation, ax=axes[0]) is axes[0]
    assert plots.plot_waterfall(explanation, ax=axes[1]) is axes[1]
    assert plots.plot_shape(fit_curve()[0], 0, ax=axes[2]) is axes[2]
    assert plt.get_fignums() == [figure.number]


def test_all_zero_values_are_drawn():
    explanation = make_explanation(np.zeros((3, 4)))
    plots.plot_importance(explanation).figure.canvas.draw()
    plots.plot_waterfall(explanation[0]).figure.canvas.draw()


# --- waterfall --------------------------------------------------------------------------------------------------------


def test_waterfall_goes_from_the_base_value_to_the_prediction():
    ax = plots.plot_waterfall(make_explanation([[2.0, -5.0, 0.5]], base=10.0))
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    assert ends == [(10.0, 5.0), (5.0, 7.0), (7.0, 7.5)]  # by hand
    base, prediction = (line.get_xdata()[0] for line in ax.lines)
    assert (base, prediction) == (10.0, 7.5)
    assert get_texts(ax)[:-1] == ["−5.00", "+2.00", "+0.50", "10.00", "7.50"]
    assert get_labels(ax) == ["base value", "f1 = 0", "f0 = 0", "f2 = 0", "prediction"]


def test_waterfall_ends_at_the_models_output_after_a_bar_of_the_remainder():
    row = make_explanation([[2.0, -5.0, 0.5]], base=10.0).add_outputs(np.array([9.0]))
    ax = plots.plot_waterfall(row)
    assert [label.get_text() for label in ax.get_yticklabels()][-2:] == ["remainder", "model output"]
    last = ax.patches[-1]
    assert (last.get_x(), last.get_width()) == pytest.approx((7.5, 1.5))
    assert last.get_facecolor() not in [bar.get_facecolor() for bar in list(ax.patches)[:-1]]


def test_waterfall_pools_small_features_with_their_sum():
    values = np.random.default_rng(2).normal(size=(1, 40))
    ax = plots.plot_waterfall(make_explanation(values, base=3.0), max_features=10)
    order = np.argsort(-np.abs(values[0]))
    assert len(ax.patches) == 11
    np.testing.assert_allclose(ax.patches[-1].get_width(), values[0, order[10:]].sum())
    np.testing.assert_allclose(ax.patches[-1].get_x() + ax.patches[-1].get_width(), 3.0 + values.sum())
    assert get_labels(ax)[-2] == "30 other features"


def test_waterfall_colours_show_the_sign():
    ax = plots.plot_waterfall(make_explanation([[2.0, -5.0]]))
    assert [matplotlib.colors.to_hex(bar.get_facecolor()) for bar in ax.patches] == ["#0072b2", "#d55e00"]


def test_waterfall_labels_hold_the_values_of_the_features():
    data = np.array([[None, "red", 3.14159]], dtype=object)
    ax = plots.plot_waterfall(make_explanation([[3.0, 2.0, 1.0]], data=data, names=("age", "colour", "size")))
    assert get_labels(ax)[1:-1] == ["age = missing", "colour = red", "size = 3.142"]


def test_waterfall_refuses_several_rows():
    with pytest.raises(ValueError, match="one row, got 2; pass explanation\\[0\\]"):
        plots.plot_waterfall(make_explanation(np.ones((2, 3))))


def test_waterfall_refuses_several_outputs():
    explanation = make_explanation(np.ones((1, 3, 2)), output_names=("yes", "no"))
    with pytest.raises(ValueError, match="one output, got 2 of them: pass output= one of 'yes', 'no'"):
        plots.plot_waterfall(explanation)
    assert len(plots.plot_waterfall(explanation[0, :, "yes"]).patches) == 3


def test_waterfall_draws_the_output_named():
    explanation = make_explanation([[[1.0, -7.0], [2.0, 3.0]]], output_names=("yes", "no"))
    assert [bar.get_width() for bar in plots.plot_waterfall(explanation, output="no").patches] == [-7.0, 3.0]
    assert [bar.get_width() for bar in plots.plot_waterfall(explanation, output=0).patches] == [2.0, 1.0]


@pytest.mark.parametrize("plot", [plots.plot_importance, plots.plot_waterfall])
def test_wrong_arguments_are_refused_with_advice(plot):
    with pytest.raises(TypeError, match="takes an Explanation, got ndarray; explainer"):
        plot(np.ones((1, 3)))
    with pytest.raises(ValueError, match="max_features=0"):
        plot(make_explanation([[1.0]]), max_features=0)
    with pytest.raises(TypeError, match="max_features must be an integer"):
        plot(make_explanation([[1.0]]), max_features=2.0)


# --- shapes -----------------------------------------------------------------------------------------------------------


def fit_curve():
    X = np.random.default_rng(3).normal(size=(600, 2))
    return Explainer(order=1).fit(X, outputs=2 * X[:, 0] + X[:, 1] ** 2), X


def find_curve(ax):
    """The drawn line with the most points."""
    return max(ax.lines, key=lambda line: len(line.get_xdata())).get_xydata()


@pytest.mark.parametrize("feature", [0, 1])
def test_curve_is_the_difference_of_predictions(feature):
    explainer, X = fit_curve()
    x, drawn = find_curve(plots.plot_shape(explainer, feature)).T
    rows = np.zeros((len(x), 2))
    rows[:, feature] = x
    predictions = explainer.predict(rows)
    np.testing.assert_allclose(drawn - drawn[0], predictions - predictions[0], atol=1e-9)
    truth = 2 * x if feature == 0 else x**2 - np.mean(X[:, 1] ** 2)
    inner = np.abs(x) < 1.5
    np.testing.assert_allclose(drawn[inner], truth[inner], atol=0.15)
    assert x.min() == X[:, feature].min()
    assert x.max() == X[:, feature].max()


def test_curve_has_the_models_level():
    explainer, X = fit_curve()
    x, drawn = find_curve(plots.plot_shape(explainer, "x1")).T
    effects = explainer.interaction_values(X)[:, explainer.terms_.index((1,))]
    np.testing.assert_allclose(np.interp(X[:, 1], x, drawn), effects, atol=0.01)


def test_shape_states_column_and_scale():
    ax = plots.plot_shape(fit_curve()[0], 0)
    assert ax.get_title() == "Effect of x0 given all other features"
    assert ax.get_ylabel() == "added to model output"


def make_mixed(n_rows=900):
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "area": rng.uniform(20, 200, n_rows),
            "heating": rng.choice(["gas", "oil", "wood"], n_rows, p=[0.5, 0.3, 0.2]),
            "rooms": rng.integers(1, 6, n_rows),
            "garden": np.where(rng.random(n_rows) < 0.5, 0.0, rng.uniform(5, 90, n_rows)),
        }
    )
    effect = frame["heating"].map({"gas": 3.0, "oil": -1.0, "wood": 0.5}).to_numpy()
    frame.loc[rng.random(n_rows) < 0.2, "area"] = np.nan
    target = frame["area"].fillna(500.0) / 10 + effect + frame["rooms"] + 5.0 * (frame["garden"] == 0)
    return frame, target.to_numpy()


@pytest.fixture(scope="module")
def mixed():
    frame, target = make_mixed()
    return AdditiveRegressor(order=1).fit(frame, target), frame


def test_missing_values_are_a_mark_of_their_own(mixed):
    model, frame = mixed
    ax = plots.plot_shape(model, "area")
    (mark,) = [line for line in ax.lines if line.get_marker() == "D"]
    row = frame.iloc[:1].assign(area=np.nan)
    expected = model.eval_terms(row)[0, model.term_features_.index((0,))]
    np.testing.assert_allclose(mark.get_ydata()[0], expected, atol=1e-9)
    assert mark.get_xdata()[0] > frame["area"].max()
    assert [label.get_text() for label in ax.get_xticklabels()][-1] == "missing"


def test_column_without_missing_values_has_no_mark(mixed):
    ax = plots.plot_shape(mixed[0], "garden")
    assert not [line for line in ax.lines if line.get_marker() == "D"]


def test_spike_beside_a_curve_is_a_dot_with_its_own_value(mixed):
    model, frame = mixed
    dots = [line for line in plots.plot_shape(model, "garden").lines if line.get_marker() == "o"]
    ((x, y),) = dots[0].get_xydata()
    expected = model.eval_terms(frame.iloc[:1].assign(garden=0.0))[0, model.term_features_.index((3,))]
    assert x == 0.0
    np.testing.assert_allclose(y, expected, atol=1e-9)


def test_few_values_are_dots(mixed):
    model, frame = mixed
    (dots,) = [line for line in plots.plot_shape(model, "rooms").lines if line.get_marker() == "o"]
    x, y = dots.get_xydata().T
    rows = frame.iloc[:5].assign(rooms=[1, 2, 3, 4, 5])
    assert x.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(y, model.eval_terms(rows)[:, model.term_features_.index((2,))], atol=1e-9)


def test_category_levels_are_bars_in_falling_order(mixed):
    model, frame = mixed
    ax = plots.plot_shape(model, "heating", X=frame)
    rows = frame.iloc[:3].assign(heating=["gas", "wood", "oil"])
    expected = model.eval_terms(rows)[:, model.term_features_.index((1,))]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], expected, atol=1e-9)
    counts = frame["heating"].value_counts()
    assert get_labels(ax) == [f"{level}  ({counts[level]} rows)" for level in ("gas", "wood", "oil")]


def test_categories_that_are_numbers_keep_their_order():
    X = np.random.default_rng(5).integers(1, 5, (400, 1)).astype(float)
    model = AdditiveRegressor(order=1, categorical=[0]).fit(X, -((X[:, 0] - 2) ** 2))
    assert get_labels(plots.plot_shape(model, 0)) == ["1.0", "2.0", "3.0", "4.0"]


def test_only_the_largest_of_many_levels_are_drawn():
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 50, 3000)
    frame = pd.DataFrame({"city": [f"c{code:02d}" for code in codes]})
    model = AdditiveRegressor(order=1).fit(frame, codes.astype(float))
    ax = plots.plot_shape(model, "city")
    levels = pd.DataFrame({"city": [f"c{code:02d}" for code in range(50)]})
    effects = model.eval_terms(levels)[:, 0]
    largest = np.sort(np.abs(effects))[-30:]
    widths = np.array([bar.get_width() for bar in ax.patches])
    np.testing.assert_allclose(np.sort(np.abs(widths)), largest, atol=1e-12)
    assert (np.diff(widths) <= 0).all()
    drawn = effects[[int(label[1:]) for label in get_labels(ax)]]
    np.testing.assert_allclose(widths, drawn, atol=1e-12)
    assert "The 30 of 50 levels with the largest effects; the other 20 are not shown" in read_notes(ax)


@pytest.mark.parametrize("column", ["area", "rooms"])
def test_density_of_rows_lies_below_the_curve(mixed, column):
    model, frame = mixed
    plain, dense = plots.plot_shape(model, column), plots.plot_shape(model, column, X=frame)
    np.testing.assert_allclose(find_curve(plain), find_curve(dense))
    assert dense.get_ylim()[0] < plain.get_ylim()[0]
    if column == "area":
        (stairs,) = [patch for patch in dense.patches if hasattr(patch, "get_data")]
        counts = np.histogram(frame["area"].dropna(), bins=50)[0]
        np.testing.assert_allclose(stairs.get_data().values / stairs.get_data().values.max(), counts / counts.max())


def test_several_outputs_draw_a_curve_each_with_a_legend():
    X = np.random.default_rng(7).normal(size=(500, 2))
    outputs = pd.DataFrame({"up": X[:, 0], "down": -X[:, 0] + X[:, 1]})
    explainer = Explainer(order=1).fit(X, outputs=outputs)
    ax = plots.plot_shape(explainer, 0)
    up, down = (line.get_ydata() for line in ax.lines if len(line.get_xdata()) > 2)
    np.testing.assert_allclose(up, -down, atol=0.1)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["up", "down"]
    only = plots.plot_shape(explainer, 0, output="down")
    np.testing.assert_array_equal(find_curve(only)[:, 1], down)


def fit_pair():
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"a": rng.uniform(-1, 1, 1500), "kind": rng.choice(["p", "q"], 1500), "b": rng.uniform(-1, 1, 1500)})
    target = frame["a"] * frame["b"] + frame["a"] * (frame["kind"] == "p")
    pairs = [("a", "b"), ("a", "kind")]
    return AdditiveRegressor(order=2, interactions=pairs).fit(frame, target), frame


def test_heat_map_holds_the_purified_pair():
    model, frame = fit_pair()
    ax = plots.plot_shape(model, ("b", "a"), X=frame)
    mesh = ax.collections[0]
    drawn = np.asarray(mesh.get_array())
    edges = mesh.get_coordinates()  # corners of the pixels
    x, y = (edges[:-1, :-1] + edges[1:, 1:]).transpose(2, 0, 1) / 2
    rows = pd.DataFrame({"a": y.ravel(), "kind": "p", "b": x.ravel()})
    expected = model.eval_terms(rows)[:, model.term_features_.index((0, 2))].reshape(drawn.shape)
    np.testing.assert_allclose(drawn[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-9)
    assert mesh.norm.vmin == -mesh.norm.vmax
    assert mesh.norm.vmax == np.abs(drawn).max()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("b", "a")
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), frame[["b", "a"]].to_numpy())


def test_heat_map_of_a_category_has_a_band_a_level():
    model, frame = fit_pair()
    ax = plots.plot_shape(model, ["kind", 0], X=frame)
    drawn = np.asarray(ax.collections[0].get_array())
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert sorted(labels) == ["p", "q"]
    rows = pd.DataFrame({"a": np.linspace(frame["a"].min(), frame["a"].max(), len(drawn)), "kind": "q", "b": 0.0})
    expected = model.eval_terms(rows)[:, model.term_features_.index((0, 1))]
    np.testing.assert_allclose(drawn[:, labels.index("q")], expected, atol=1e-9)
    bands = np.round(ax.lines[0].get_xdata()).astype(int)
    assert [labels[band] for band in bands] == frame["kind"].tolist()


def test_shape_refuses_what_is_not_there():
    model, _ = fit_pair()
    with pytest.raises(ValueError, match="feature names the unknown column 'c'; the columns are 'a', 'kind', 'b'"):
        plots.plot_shape(model, "c")
    with pytest.raises(ValueError, match=r"no term for 'b' and 'kind'; its 2 pairs are \('a', 'kind'\), \('a', 'b'\)"):
        plots.plot_shape(model, ("b", "kind"))
    with pytest.raises(ValueError, match="one column, or two different ones"):
        plots.plot_shape(model, ("a", "a"))
    with pytest.raises(ValueError, match="it has main effects only"):
        plots.plot_shape(fit_curve()[0], (0, 1))
    with pytest.raises(TypeError, match="takes a fitted Explainer or additive estimator, got ndarray"):
        plots.plot_shape(np.ones(3), 0)
    with pytest.raises(NotFittedError):
        plots.plot_shape(Explainer(), 0)


def test_heat_map_needs_one_output():
    X = np.random.default_rng(9).uniform(-1, 1, (800, 2))
    product = X[:, 0] * X[:, 1]
    explainer = Explainer(order=2, interactions=[(0, 1)]).fit(X, outputs=pd.DataFrame({"u": product, "v": -product}))
    with pytest.raises(ValueError, match="one output, got 2 of them: pass output= one of 'u', 'v'"):
        plots.plot_shape(explainer, (0, 1))
    u, v = (np.asarray(plots.plot_shape(explainer, (0, 1), output=name).collections[0].get_array()) for name in "uv")
    np.testing.assert_allclose(u, -v, atol=1e-9)


# --- the room ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_labels_do_not_overlap(style, mixed):
    rng = np.random.default_rng(10)
    names = tuple(f"a very long feature name that nobody wanted, number {k}" for k in range(100))
    explanation = make_explanation(rng.normal(size=(3, 100)) * 1000, names=names, base=-2e5)
    with plt.style.context(style):
        for ax in (
            plots.plot_importance(explanation),
            plots.plot_waterfall(explanation[0]),
            plots.plot_waterfall(explanation[1], max_features=3),
            plots.plot_shape(mixed[0], "heating", X=mixed[1]),
        ):
            ax.figure.canvas.draw()
            texts = [*ax.texts, *ax.get_yticklabels(), ax.title, ax.xaxis.label]
            boxes = [text.get_window_extent() for text in texts]
            overlaps = [
                (texts[i].get_text(), texts[j].get_text())
                for i in range(len(boxes))
                for j in range(i)
                if boxes[i].overlaps(boxes[j])
            ]
            assert not overlaps
            figure = ax.figure.bbox
            assert all(figure.x0 - 1 <= box.x0 and box.x1 <= figure.x1 + 1 for box in boxes)


def test_import_does_not_load_matplotlib():
    code = "import sys, instashap.plots as plots; print('matplotlib' in sys.modules, plots.__all__ == sorted(plots.__all__))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "True"]


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"plots need matplotlib: pip install 'instashap\[plots\]'"):
        plots.plot_importance(make_explanation([[1.0]]))
