"""No text overlaps another or is cut off: at 3, 12 and 100 features, with long names and scales."""

from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from instashap import AdditiveRegressor, Explainer, plots

LONG = "log-odds of class 'malignant tumour' against 'benign tumour', probabilities clipped to [0.001, 0.999]"
SIZES = pytest.mark.parametrize("n_features", [3, 12, 100])


def name_columns(n_features):
    return [f"a very long feature name that nobody wanted, number {k} ($)" for k in range(n_features)]


def describe(make_explanation, n_features, **fields):
    rng = np.random.default_rng(n_features)
    values = rng.normal(size=(150, n_features)) ** 3 * 1000
    data = rng.normal(size=(150, n_features)).astype(object)
    data[rng.random(data.shape) < 0.1] = None
    data[:, 1] = rng.choice(["a rather long level of a column", "another one of that kind", "oil"], 150)
    errors = np.abs(values) / 5
    names = name_columns(n_features)
    explanation = make_explanation(values, names=names, data=data, errors=errors, base=-2e5, index=np.arange(150), **fields)
    return replace(explanation, output_transform=LONG)


DRAWINGS = {
    "importance": plots.plot_importance,
    "beeswarm": plots.plot_beeswarm,
    "waterfall": lambda each: plots.plot_waterfall(each[0]),
    "strip": lambda each: plots.plot_strip(each[0]),
    "dependence": lambda each: plots.plot_dependence(each, 0, by=2),
    "dependence on text": lambda each: plots.plot_dependence(each, 1, by=0),
    "dependence by text": lambda each: plots.plot_dependence(each, 0, by=1),
}


@SIZES
@pytest.mark.parametrize("plot", DRAWINGS)
def test_plots_of_explanations_are_legible(make_explanation, find_flaws, plot, n_features):
    assert not find_flaws(DRAWINGS[plot](describe(make_explanation, n_features)).figure)


@pytest.fixture(scope="module", params=[3, 12, 100])
def fitted(request):
    n_features = request.param
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(250, n_features)), columns=name_columns(n_features))
    frame.iloc[:, 1] = rng.choice([1.0, 2.0], 250)
    frame[frame.columns[1]] = frame.iloc[:, 1].map({1.0: "a rather long level of a column", 2.0: "oil"})
    frame.iloc[::7, 0] = np.nan
    target = frame.iloc[:, 0].fillna(0.0) * frame.iloc[:, 2] + (frame.iloc[:, 1] == "oil") + frame.iloc[:, 2]
    options = {"order": 2, "presence_order": 2, "interactions": [(0, 2), (0, 1)]}
    explainer = Explainer(**options).fit(frame, outputs=1e4 * target.to_numpy())
    explainer._fitted = replace(explainer._fitted, output_transform=LONG)
    return explainer, frame


TERMS = {
    "curve": lambda each, X: plots.plot_shape(each, 0, X=X, errors=True),
    "levels": lambda each, X: plots.plot_shape(each, 1, X=X, errors=True),
    "pair": lambda each, X: plots.plot_shape(each, (0, 2), X=X),
    "pair with levels": lambda each, X: plots.plot_shape(each, (0, 1), X=X, errors=True),
    "network": plots.plot_interactions,
    "frontier": lambda each, X: plots.plot_frontier(each.rank_terms(30)),
}


@pytest.mark.parametrize("plot", TERMS)
def test_plots_of_explainers_are_legible(fitted, find_flaws, plot):
    assert not find_flaws(TERMS[plot](*fitted).figure)


@pytest.mark.parametrize("fitted", [3], indirect=True)
def test_on_black_nothing_is_black(fitted, make_explanation):
    explanation = describe(make_explanation, 12)
    with plt.style.context("dark_background"):
        drawn = [draw(explanation) for draw in DRAWINGS.values()] + [draw(*fitted) for draw in TERMS.values()]
        for ax in drawn:
            figure = ax.figure
            texts = figure.findobj(matplotlib.text.Text)
            assert {matplotlib.colors.to_hex(text.get_color()) for text in texts if text.get_text()} == {"#ffffff"}
            # Dots are left out: those of the rows on a heat map are black, as its middle is nearly white on any background.
            lines = [each for each in figure.findobj(matplotlib.lines.Line2D) if each.get_marker() != "o"]
            segments = figure.findobj(matplotlib.collections.LineCollection)
            colours = [line.get_color() for line in lines] + [colour for each in segments for colour in each.get_colors()]
            assert "#000000" not in {matplotlib.colors.to_hex(colour) for colour in colours}


def test_legible_of_several_outputs(find_flaws):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 3))
    names = ["setosa", "versicolor with a very long name", "virginica"]
    explainer = Explainer(order=1).fit(X, outputs=pd.DataFrame(X @ rng.normal(size=(3, 3)), columns=names))
    explanation = explainer(X, errors=True)
    for ax in (plots.plot_importance(explanation), plots.plot_shape(explainer, 0, X=X, errors=True)):
        assert not find_flaws(ax.figure)


def test_texts_that_overlap_are_found(find_flaws):
    figure, ax = plt.subplots()
    ax.annotate("one text", (0.5, 0.5))
    assert not find_flaws(figure)
    ax.annotate("another", (0.51, 0.5))
    assert find_flaws(figure) == [("another", "one text")]
    ax.annotate("far out", (1.5, 0.2), annotation_clip=False)
    assert find_flaws(figure)[-1] == "far out"


def test_estimators_are_drawn_as_well():
    X = np.random.default_rng(2).normal(size=(200, 2))
    model = AdditiveRegressor(order=1).fit(X, X[:, 0])
    assert plots.plot_interactions(model, X).get_title()
