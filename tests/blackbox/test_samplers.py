"""Distributions of rows: against Gaussian conditionals in closed form, mixtures, and what a table holds."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from instashap import Conditional, Explainer
from instashap.blackbox.margins import learn_margins, score_table
from instashap.blackbox.model import BlackBox, keep_values
from instashap.blackbox.samplers import learn_sampler
from instashap.table.columns import read_table

CORRELATION = np.array([[1.0, 0.7, 0.3], [0.7, 1.0, 0.5], [0.3, 0.5, 1.0]])


def make_normal(n_rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_rows, 3)) @ np.linalg.cholesky(CORRELATION).T


def make_noise(n_rows: int, n_columns: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(size=(n_rows, n_columns + 1))


def test_scores_of_a_column_are_means_of_a_normal_variable_within_its_values() -> None:
    table = read_table(np.array([[0.0], [0.0], [1.0], [1.0]]))
    (margin,) = learn_margins(table, np.zeros(4))
    half = np.sqrt(2 / np.pi)  # E|z|
    np.testing.assert_allclose(margin.scores, [-half, half])
    assert margin.reliability == pytest.approx(2 / np.pi)
    np.testing.assert_allclose(score_table((margin,), read_table(np.array([[1.0], [0.5], [9.0]])))[:, 0], [half, 0, half])


def test_a_missing_value_and_an_unknown_level_have_scores() -> None:
    frame = pd.DataFrame({"x": [np.nan, 1.0, 2.0, 3.0], "c": ["b", "a", "b", None]})
    margins = learn_margins(read_table(frame), np.array([5.0, 1.0, 5.0, 0.0]))
    new = pd.DataFrame({"x": [np.nan, 3.0], "c": ["z", "a"]})
    scores = score_table(margins, read_table(new, read_table(frame).schema))
    assert scores[0, 0] == margins[0].scores[0] < 0 < scores[1, 0]
    assert scores[0, 1] == 0.0  # a level that no row has
    own = score_table(margins, read_table(frame))[:, 1]
    assert own[3] < own[1] < own[0] == own[2]  # missing first, then levels by their rows' mean output


@pytest.mark.parametrize("kind", ["copula", "mixture"])
def test_draws_given_a_column_follow_the_gaussian_conditional(kind: str) -> None:
    X = make_normal(20_000)
    table = read_table(X)
    margins = learn_margins(table, X[:, 0])
    sampler = learn_sampler(kind, margins, score_table(margins, table))
    given = np.full((40_000, 3), 1.2)
    places = sampler.draw(given, np.tile([True, False, False], (40_000, 1)), make_noise(40_000, 3))
    drawn = np.stack([X[places[:, 1], 1], X[places[:, 2], 2]], axis=1)
    np.testing.assert_allclose(drawn.mean(axis=0), [0.7 * 1.2, 0.3 * 1.2], atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), [[1 - 0.49, 0.5 - 0.21], [0.5 - 0.21, 1 - 0.09]], atol=0.03)


@pytest.mark.parametrize("kind", ["copula", "mixture", "neighbours"])
def test_draws_without_a_known_column_have_the_columns_own_margins(kind: str) -> None:
    X = np.exp(make_normal(4000))
    table = read_table(X)
    margins = learn_margins(table, X[:, 0])
    sampler = learn_sampler(kind, margins, score_table(margins, table))
    places = sampler.draw(np.zeros((20_000, 3)), np.zeros((20_000, 3), dtype=bool), make_noise(20_000, 3))
    for column in range(3):
        drawn = np.quantile(X[places[:, column], column], [0.1, 0.5, 0.9])
        np.testing.assert_allclose(drawn, np.quantile(X[:, column], [0.1, 0.5, 0.9]), rtol=0.08)


def test_a_mixture_keeps_groups_apart_that_a_copula_joins() -> None:
    rng = np.random.default_rng(0)
    side = np.where(rng.random(6000) < 0.5, -1.0, 1.0)
    X = np.stack([side * 3 + rng.normal(size=6000), side * rng.normal(size=6000)], axis=1)
    X[:, 1] = np.where(side > 0, X[:, 0] - 3, 3 + X[:, 0]) * side + 0.3 * rng.normal(size=6000)  # slopes of either sign
    table = read_table(X)
    margins = learn_margins(table, X[:, 0])
    scores = score_table(margins, table)
    sampler = learn_sampler("mixture", margins, scores)
    at = np.abs(X[:, 0] - 4.0) < 0.05  # in the right group, one above its middle: the other column is about 1
    places = sampler.draw(scores[at], np.tile([True, False], (at.sum(), 1)), make_noise(int(at.sum()), 2))
    assert X[places[:, 1], 1].mean() == pytest.approx(1.0, abs=0.2)


def test_neighbours_are_rows_of_the_table_near_in_the_known_columns() -> None:
    X = make_normal(3000)
    table = read_table(X)
    margins = learn_margins(table, X[:, 0])
    scores = score_table(margins, table)
    sampler = learn_sampler("neighbours", margins, scores)
    places = sampler.draw(scores[:500], np.tile([True, True, False], (500, 1)), make_noise(500, 3))
    assert (places == places[:, :1]).all()  # whole rows
    assert np.abs(scores[places[:, 0], :2] - scores[:500, :2]).mean() < 0.3


def test_neighbours_have_the_odds_of_their_distances_also_where_rows_are_drawn_for_again() -> None:
    X = np.repeat(np.arange(4.0), 10)[:, None] * np.ones(2)
    sampler = learn_sampler("neighbours", (), X)
    some, masks = np.array([[1.0, 9.0], [1.0, 3.0], [2.0, 0.0]]), np.array([[True, False], [True, False], [False, False]])
    rows, own = np.repeat(some, 4000, axis=0), np.repeat(masks, 4000, axis=0)
    places = sampler.draw(rows, own, make_noise(len(rows), 2))
    step = 1.0 / X[:, 0].var()  # squared distance of neighbouring values; twenty rows are within one step
    odds = np.exp(-np.array([step, 0, step, 4 * step]) / (2 * step))
    for draws in np.split(X[places[:, 1], 1], 3)[:2]:
        shares = np.bincount(draws.astype(int), minlength=4) / len(draws)
        np.testing.assert_allclose(shares, odds / odds.sum(), atol=0.03)
    np.testing.assert_allclose(np.bincount(np.split(X[places[:, 1], 1], 3)[2].astype(int)) / 4000, 0.25, atol=0.03)


def exact_linear_game(x: np.ndarray, beta: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``E[beta · X | X_S]`` of the Gaussian with the correlation above."""
    if not mask.any():
        return np.zeros(len(x))
    slopes = np.linalg.solve(CORRELATION[np.ix_(mask, mask)], CORRELATION[mask] @ beta)
    return np.asarray(x[:, mask] @ slopes)


def test_the_game_of_a_copula_is_the_conditional_expectation() -> None:
    X, rows, beta = make_normal(20_000), make_normal(50, 5), np.array([1.0, -2.0, 0.5])
    box = BlackBox(lambda X: X @ beta, keep_values, (), "f", "f")
    game = Conditional("copula", X, n_draws=256).bind(box, rows, None, range(3))
    for mask in ([1, 0, 0], [0, 1, 1], [1, 1, 0], [0, 0, 0], [1, 1, 1]):
        known = np.array(mask, dtype=bool)
        found = game.evaluate(np.arange(50), np.tile(known, (50, 1)))[:, 0]
        np.testing.assert_allclose(found, exact_linear_game(rows, beta, known), atol=0.12)


def make_mixed(n_rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    z = rng.normal(size=n_rows)
    return pd.DataFrame(
        {
            "x": np.where(rng.random(n_rows) < 0.1, np.nan, z),
            "n": np.round(2 * z + rng.normal(size=n_rows)).astype(np.int64),
            "c": pd.Categorical(np.array(["low", "mid", "high"])[np.digitize(z + rng.normal(size=n_rows), [-0.5, 0.5])]),
            "b": z + rng.normal(size=n_rows) > 0,
        }
    )


@pytest.mark.parametrize("kind", ["copula", "mixture", "neighbours"])
def test_the_model_is_asked_in_the_rows_own_container_and_types(kind: str) -> None:
    frame = make_mixed(400)
    seen: list[Any] = []

    def model(rows: pd.DataFrame) -> np.ndarray:
        seen.append(dict(rows.dtypes))
        assert set(rows["c"].dropna().unique()) <= {"low", "mid", "high"}
        return np.asarray(rows["n"] + (rows["c"] == "high") * 1.0 + rows["b"] + rows["x"].fillna(0.0))

    explainer = Explainer(model, order=1, value_function=Conditional(kind, n_draws=8)).fit(frame)
    refined = explainer.refine(frame[:5], n_coalitions=16)
    assert all(each == dict(frame.dtypes) for each in seen)
    full = refined.values.sum(axis=1) + refined.base_values
    np.testing.assert_allclose(full, model(frame[:5]))


@pytest.mark.filterwarnings("ignore:richer interactions")
def test_refining_a_conditional_game_gives_its_shapley_values() -> None:
    X, beta = make_normal(5000), np.array([1.0, -2.0, 0.5])
    explainer = Explainer(lambda X: X @ beta, value_function=Conditional("copula", n_draws=128)).fit(X)
    rows = make_normal(40, 5)
    refined = explainer.refine(rows, n_coalitions=8)  # every coalition
    values = {mask: exact_linear_game(rows, beta, np.array([mask & 1, mask & 2, mask & 4], dtype=bool)) for mask in range(8)}
    for player in range(3):
        bit, others = 1 << player, [1 << other for other in range(3) if other != player]
        gains = [values[bit] - values[0], values[7] - values[7 - bit]]
        middle = sum(values[bit | other] - values[other] for other in others)
        np.testing.assert_allclose(refined.values[:, player], gains[0] / 3 + gains[1] / 3 + middle / 6, atol=0.12)


def test_a_loaded_explainer_needs_rows_to_draw_from(tmp_path: Any) -> None:
    X = make_normal(300)
    Explainer(lambda X: X[:, 0], order=1, value_function=Conditional("copula")).fit(X).save(tmp_path / "a.insta")
    import instashap

    loaded = instashap.load(tmp_path / "a.insta")
    with pytest.raises(ValueError, match=r"pass Conditional\('copula', rows\)"):
        loaded.refine(X[:2], model=lambda X: X[:, 0], value_function=Conditional("copula"))
    refined = loaded.refine(X[:2], model=lambda X: X[:, 0], value_function=Conditional("copula", X, n_draws=4), n_coalitions=8)
    np.testing.assert_allclose(refined.values.sum(axis=1) + refined.base_values, X[:2, 0])


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        Conditional("vine")
