"""Plots of a model's terms: interaction network and frontier."""

import numpy as np
import pandas as pd
import pytest

from instashap import AdditiveRegressor, Explainer, plots
from instashap.plots.scales import read_notes


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(800, 5)), columns=[*"abcde"])
    y = 3 * X["a"] + X["b"] + X["a"] * X["b"] + 0.3 * X["c"] * X["d"]
    return AdditiveRegressor(order=2, presence_order=2, interactions=[(0, 1), (2, 3), (1, 2)]).fit(X, y), X


def get_scatter(ax):
    (dots,) = ax.collections
    return np.asarray(dots.get_offsets()), dots.get_sizes()


def test_lines_and_discs_grow_with_the_spread_of_the_terms(fitted):
    model, X = fitted
    ax = plots.plot_interactions(model, X)
    sizes = dict(zip(model.term_names_, model.eval_terms(X).std(axis=0), strict=True))
    widths = [line.get_linewidth() for line in ax.lines]
    pairs = sorted(size for name, size in sizes.items() if " × " in name)
    np.testing.assert_allclose(widths, 0.6 + 9.0 * np.array(pairs) / max(pairs))
    names = [text.get_text() for text in ax.texts[:-1]]  # the last text holds the notes
    assert sorted(names) == [*"abcde"]
    _, areas = get_scatter(ax)
    alone = np.array([sizes[name] for name in names])
    np.testing.assert_allclose(areas, 20.0 + 900.0 * alone / alone.max())
    assert f"largest disc {alone.max():.2f}, thickest line {max(pairs):.2f}" in ax.get_xlabel()


def test_the_strongest_line_joins_the_discs_of_its_columns(fitted):
    model, X = fitted
    ax = plots.plot_interactions(model, X)
    spots, _ = get_scatter(ax)
    names = [text.get_text() for text in ax.texts[:-1]]
    ends = {names[int(np.argmin(((spots - end) ** 2).sum(axis=1)))] for end in ax.lines[-1].get_xydata()}
    assert ends == {"a", "b"}
    assert abs(names.index("a") - names.index("b")) in (1, 4)  # neighbours on the circle


def test_only_the_strongest_pairs_and_features_are_drawn(fitted):
    model, X = fitted
    ax = plots.plot_interactions(model, X, max_pairs=1)
    assert len(ax.lines) == 1
    assert "2 weaker pairs are not shown" in ax.texts[-1].get_text()
    ax = plots.plot_interactions(model, X, max_features=2)
    assert {text.get_text() for text in ax.texts[:-1]} == {"a", "b"}
    assert len(ax.lines) == 1


def test_network_shows_one_output():
    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, (400, 2))
    outputs = pd.DataFrame({"u": X[:, 0] * X[:, 1], "v": X[:, 0]})
    explainer = Explainer(order=2, interactions=[(0, 1)]).fit(X, outputs=outputs)
    with pytest.raises(ValueError, match="one output, got 2 of them: pass output= one of 'u', 'v'"):
        plots.plot_interactions(explainer, X)
    ax = plots.plot_interactions(explainer, X, output="u")
    size = explainer.interaction_values(X)[:, explainer.terms_.index((0, 1)), 0].std()
    assert f"thickest line {size:.3f}" in ax.get_xlabel()


def test_network_of_a_model_without_pairs_says_so(fitted):
    _, X = fitted
    ax = plots.plot_interactions(AdditiveRegressor(order=1).fit(X, X["a"]), X)
    assert "The model has no pairs" in read_notes(ax)
    with pytest.raises(TypeError, match="plot_interactions takes a fitted Explainer"):
        plots.plot_interactions(X, X)


# --- frontier ---------------------------------------------------------------------------------------------------------


def make_ranking(r2, gains=None):
    n_terms = len(r2)
    gains = np.linspace(0.5, 0.0, n_terms) if gains is None else gains
    shares = np.full(n_terms, 1 / n_terms)
    return pd.DataFrame({"term": [f"t{k}" for k in range(n_terms)], "gain": gains, "variance_share": shares, "r2": r2})


def get_dots(ax):
    """Full, hollow and ringed dots, as lists of points."""
    dots = [line for line in ax.lines if line.get_linestyle() == "None"]
    return [line.get_xydata().tolist() for line in dots]


def test_frontier_draws_fidelity_gains_and_the_fewest_sufficient_terms():
    ax = plots.plot_frontier(make_ranking([0.5, 0.4, 0.79, 0.8, 0.785], gains=[0.4, 0.05, 0.2, 0.02, 0.0]))
    full, hollow, ring = get_dots(ax)
    assert full == [[1, 0.5], [3, 0.79], [4, 0.8]]  # by hand: no fewer terms reach as much
    assert hollow == [[2, 0.4], [5, 0.785]]
    assert ring == [[3, 0.79]]
    assert ax.lines[0].get_ydata().tolist() == [0.5, 0.4, 0.79, 0.8, 0.785]
    assert [bar.get_height() for bar in ax.patches] == [0.4, 0.05, 0.2, 0.02, 0.0]
    assert ax.get_title() == "3 of 5 terms reach R² 0.790; the best is 0.800"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["t0", "t1", "t2", "t3", "t4"]


def test_many_terms_end_in_one_place_for_all():
    r2 = 1 - 0.9 ** np.arange(1, 92)
    ax = plots.plot_frontier(make_ranking(r2), max_terms=10)
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels == [*(f"t{k}" for k in range(10)), "all 91 terms"]
    np.testing.assert_allclose([y for _, y in get_dots(ax)[0]], [*r2[:10], r2[-1]])
    assert len(get_dots(ax)) == 2  # the fewest terms that do (44) are not among those drawn
    assert ax.get_title().startswith("44 of 91 terms")


def test_without_held_out_rows_the_r2_of_the_fit_is_drawn():
    ax = plots.plot_frontier(make_ranking([np.nan] * 4))
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.25, 0.5, 0.75, 1.0])
    assert "R² (fitted rows)" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_frontier_takes_what_rank_terms_gives(fitted):
    ranking = fitted[0].to_explainer().rank_terms()
    ax = plots.plot_frontier(ranking)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), ranking["r2"])
    assert ax.get_xticklabels()[0].get_text() == "a"
    with pytest.raises(TypeError, match=r"the table that explainer.rank_terms\(\) returns, got AdditiveRegressor"):
        plots.plot_frontier(fitted[0])
    with pytest.raises(ValueError, match="the table has no rows"):
        plots.plot_frontier(ranking.iloc[:0])
