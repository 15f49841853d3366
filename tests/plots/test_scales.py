"""Names of scales, notes, and axes of crowded columns."""

from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from instashap import AdditiveRegressor, Explainer, plots
from instashap.plots.axis_scales import AxisScale, choose_scale
from instashap.plots.scales import name_scale, read_notes

CLASSES = (
    "log-probability of each class minus the mean over classes, from probabilities, those below 0.005 cut (75.8 % of rows)"
)


@pytest.mark.parametrize(
    ("transform", "name", "label"),
    [
        (CLASSES, "Grignolino", "log-odds, Grignolino"),
        ("centred log-probabilities", "a", "log-odds, a"),
        ("log-odds of class 'yes', from probabilities", "yes", "log-odds of yes"),
        ("log-odds", "yes", "log-odds of yes"),
        ("probability of each class", "a", "probability, a"),
        ("output of predict, objective poisson", "price", "price"),
        ("output of predict", "output", "model output"),
        ("target units", None, "target units"),
        ("log of the mean", "rides", "log of the mean rides"),
        (
            "a long text of what somebody's own function gives, in thousands of litres a year",
            "u",
            "a long text of what somebody's own …, u",
        ),
    ],
)
def test_a_scale_has_a_name_of_one_line(transform, name, label):
    found = name_scale(transform, name)
    if len(transform) > 60 and "function" in transform:
        assert len(found.label) < 50
        assert found.note == transform
    else:
        assert found.label == label


def test_what_the_name_leaves_out_stands_in_the_note(make_explanation):
    assert name_scale(CLASSES, "a").note == (
        "log-odds: the class's log-probability minus the mean over all classes; from probabilities, those below 0.005 cut "
        "(75.8 % of rows)"
    )
    from dataclasses import replace

    ax = plots.plot_beeswarm(replace(make_explanation([[1.0, 2.0]], output_names=("a",)), output_transform=CLASSES))
    assert ax.get_xlabel() == "Shapley value (log-odds, a)"
    assert "those below 0.005 cut (75.8 % of rows)." in read_notes(ax)


def test_the_targets_name_is_the_unit():
    X = np.random.default_rng(0).choice([0.0, 1.0, 2.0], size=(40, 1))
    y = pd.Series(X[:, 0], name="price")
    given = Explainer(order=1, synthetic_rows=0).fit(X, outputs=y)
    model = AdditiveRegressor(order=1).fit(X, y)
    named = Explainer(lambda X: X[:, 0], order=1, synthetic_rows=0, output_name="price").fit(X)
    for each in (given, model, named):
        assert plots.plot_shape(each, 0).get_ylabel() == "added to price"
        assert (each.to_explainer() if each is model else each).output_names_ == ("price",)
    with pytest.raises(ValueError, match=r"output_name='price' can name one output that has no name, but .* 'a', 'b'"):
        Explainer(order=1, output_name="price").fit(X, outputs=pd.DataFrame({"a": y, "b": y}))
    with pytest.raises(TypeError, match="output_name must be a text"):
        Explainer(order=1, output_name=3).fit(X, outputs=y)


def test_positions_on_scales_go_back_to_the_values():
    values = np.array([-5e4, -3.0, -0.5, 0.0, 0.2, 1.0, 7.0, 1e6])
    for scale in (AxisScale(), AxisScale("symlog", 1.0), AxisScale("symlog", 0.3)):
        places = scale.forward(values)
        assert (np.diff(places) > 0).all()
        np.testing.assert_allclose(scale.inverse(places), values, rtol=1e-12)
    np.testing.assert_allclose(AxisScale("log").space(1.0, 1e4, 5), [1, 10, 100, 1000, 1e4])
    np.testing.assert_allclose(AxisScale("symlog", 10.0).forward([-1000.0, 5.0, 10.0, 100.0]), [-3.0, 0.5, 1.0, 2.0])


def test_only_crowded_columns_get_a_logarithmic_axis():
    rng = np.random.default_rng(0)
    money = np.exp(rng.normal(10, 1.5, 500))
    assert choose_scale(money).kind == "log"
    assert choose_scale(np.where(rng.random(500) < 0.9, 0.0, money)).kind == "symlog"
    assert choose_scale(money * rng.choice([-1, 1], 500)).kind == "symlog"
    for plain in (
        rng.normal(size=500),
        rng.uniform(1, 9, 500),
        rng.integers(0, 24, 500) * 1.0,
        np.zeros(9),
        np.array([np.nan]),
    ):
        assert choose_scale(plain).kind == "linear"
    assert choose_scale(money, "linear").kind == "linear"
    with pytest.raises(ValueError, match="x_scale='log' needs values above 0, but the smallest is -1: use 'symlog'"):
        choose_scale(np.array([-1.0, 2.0]), "log")
    assert choose_scale(np.array([-1.0, 2.0]), "symlog").kind == "symlog"
    with pytest.raises(ValueError, match="x_scale"):
        choose_scale(money, "sqrt")


@pytest.fixture(scope="module")
def skewed():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"income": np.exp(rng.normal(9, 1.8, 300)), "x": rng.normal(size=300)})
    frame.loc[:20, "income"] = np.nan
    y = np.log(frame["income"]).fillna(5.0) * (1 + 0.2 * frame["x"])
    return AdditiveRegressor(interactions=[(0, 1)], presence_order=2).fit(frame, y), frame


def test_a_curve_on_a_logarithmic_axis_has_the_models_values(skewed, find_flaws):
    model, frame = skewed
    ax = plots.plot_shape(model, "income", X=frame)
    assert ax.get_xscale() == "log"
    line = max(ax.lines, key=lambda each: len(each.get_xdata()))
    x, y = (np.asarray(each, dtype=float) for each in line.get_data())
    assert np.diff(np.log10(x)).max() < 0.25  # no long straight pieces
    rows = pd.DataFrame({"income": x, "x": 0.0})
    np.testing.assert_allclose(y, model.eval_terms(rows)[:, model.term_names_.index("income")], atol=1e-9)
    assert "missing" in [label.get_text() for label in ax.get_xticklabels()]
    assert not find_flaws(ax.figure)
    assert plots.plot_shape(model, "income", X=frame, x_scale="linear").get_xscale() == "linear"
    assert plots.plot_shape(model, "income").get_xscale() == "log"  # from the knots of the fit
    pair = plots.plot_shape(model, ("income", "x"), X=frame)
    assert (pair.get_xscale(), pair.get_yscale()) == ("log", "linear")
    dots = plots.plot_dependence(model.explain(frame), "income", by="x")
    assert dots.get_xscale() == "log"
    assert not find_flaws(dots.figure)


def test_without_colour_where_no_row_is(skewed):
    model, _ = skewed
    rows = pd.DataFrame({"income": np.exp(np.linspace(5, 13, 40)), "x": np.linspace(-2, 2, 40)})  # one diagonal
    mesh = plots.plot_shape(model, ("income", "x"), X=rows).collections[0]
    blank = np.ma.getmaskarray(mesh.get_array()) | np.isnan(np.ma.getdata(mesh.get_array()))
    blank = blank.reshape(120, 120)
    assert blank[0, -1]
    assert blank[-1, 0]
    assert not blank[np.arange(120), np.arange(120)][20:100].any()
    assert not np.isnan(plots.plot_shape(model, ("income", "x")).collections[0].get_array()).any()


def test_notes_keep_within_the_figure(make_explanation, find_flaws):
    figure, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
    for ax in axes:
        plots.plot_dependence(make_explanation(np.random.default_rng(0).normal(size=(40, 3))), 0, ax=ax)
    assert not find_flaws(figure)
    assert matplotlib.colors.to_hex(axes[0].texts[-1].get_color()) == "#000000"


@pytest.mark.parametrize("game", ["conditional", "marginal"])
def test_every_picture_of_values_says_what_one_means(make_explanation, game):
    one = replace(make_explanation(np.random.default_rng(0).normal(size=(40, 3))), game=game)
    drawn = [plots.plot_importance(one), plots.plot_beeswarm(one), plots.plot_dependence(one, 0)]
    drawn += [plots.plot_waterfall(one[0]), plots.plot_strip(one[0])]
    words = {"conditional": "what knowing this column changes", "marginal": "what the model does with this column"}
    assert [words[game] in read_notes(ax) for ax in drawn] == [True] * 5


def test_thousands_of_axes_are_separated_as_beside_bars(make_explanation):
    ax = plots.plot_waterfall(make_explanation([[30_000.0, -8_000.0]], base=150_000.0)[0])
    ax.figure.canvas.draw()
    assert "160,000" in [label.get_text() for label in ax.get_xticklabels()]
    years = plots.plot_dependence(make_explanation(np.ones((3, 1)), data=np.array([[2010.0], [2012.0], [2014.0]])), 0)
    years.figure.canvas.draw()
    assert "2012" in [label.get_text() for label in years.get_xticklabels()]


def test_a_column_of_many_own_values_is_an_axis_of_a_map_without_gaps():
    """Bands of single values would leave white stripes between them."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 60, 3000)
    X = np.column_stack([codes, rng.normal(size=3000)])
    outputs = rng.normal(size=60)[codes] * (3.0 + X[:, 1])
    explainer = Explainer(order=2, interactions=[(0, 1)]).fit(X, outputs=outputs)
    assert len(explainer._fitted.encoder.columns[0].values) == 60
    mesh = plots.plot_shape(explainer, (0, 1), X=X).collections[0]
    assert mesh.get_array().shape == (120, 120)
