"""The laws of sums over rows, for every way to sum them; each also runs on a way that is broken, and must fail there.

At one plan: 8, parts summed are the whole in any partition, and what is added and subtracted is as if it never was; 6, a row of
weight w is a row repeated w times; 9 and 13, neither the order nor the container of the rows matters.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from instashap.fits.conditional import get_plan, plan_game, solve_game
from instashap.fits.prepare import FitOptions
from instashap.fitted.game import FittedGame
from instashap.masked.plan import Plan
from instashap.masked.sums import Accumulator, RowSums, accumulate
from instashap.table.columns import Table, read_table

TOLERANCE = 1e-9  # relative to sd(f)
Sum = Callable[[Plan, Table, Any, Any], RowSums]


@cache
def make_rows() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Correlated rows with levels, text and a missing value, outputs far from zero, and whole-number weights."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(700, 3)).astype(np.float32), columns=list("abc"))
    X["b"] += 0.8 * X["a"]
    X["c"] = np.floor(2 * X["c"]).clip(-2, 2)
    X["t"] = rng.choice(["north", "south", "east"], len(X))
    X.loc[5, "a"] = np.nan
    f = np.nan_to_num(X["a"]) + X["b"] * X["c"] + 2 * (X["t"] == "north") + 1e3
    return X, np.asarray(f, dtype=float).reshape(-1, 1), rng.integers(1, 4, len(X)).astype(float)


@cache
def make_plan() -> FittedGame:
    X, f, w = make_rows()
    some = slice(0, 300)
    named: Any = {"output_names": ("f",), "output_transform": "units"}
    options = FitOptions(order=2, presence_order=2, interactions=[("b", "c")])
    return plan_game(read_table(X[some]), f[some], w[some], options, **named)


def explain(sum_rows: Sum, places: Any, X: Any = None) -> RowSums:
    """Sums of some rows, which may be given in another container."""
    frame, f, w = make_rows()
    table = read_table(frame if X is None else X, make_plan().schema).take(np.asarray(places))
    return sum_rows(get_plan(make_plan()), table, f[places], w[places])


def assert_same(one: RowSums, other: RowSums) -> None:
    """The models of two sums give the same Shapley values."""
    X, f, _ = make_rows()
    table = read_table(X, make_plan().schema)
    values = [solve_game(make_plan(), sums).compute_shapley_values(table) for sums in (one, other)]
    np.testing.assert_allclose(values[0], values[1], rtol=0, atol=TOLERANCE * f.std())


def law_8_parts_summed_are_the_whole_in_any_partition(sum_rows: Sum) -> None:
    whole = explain(sum_rows, np.arange(700))
    for bounds in ([1, 350], list(range(100, 700, 100))):
        parts = [explain(sum_rows, rows) for rows in np.split(np.random.default_rng(2).permutation(700), bounds)]
        total = sum(parts[1:], parts[0])
        assert total.n_rows == whole.n_rows
        assert_same(total, whole)


def law_8_rows_that_are_forgotten_never_were(sum_rows: Sum) -> None:
    every, forgotten = np.arange(700), np.arange(150, 420)
    left = explain(sum_rows, every) - explain(sum_rows, forgotten)
    assert_same(left, explain(sum_rows, np.setdiff1d(every, forgotten)[::-1]))


def law_6_a_row_of_weight_w_is_a_row_repeated_w_times(sum_rows: Sum) -> None:
    X, f, w = make_rows()
    plan, copies = get_plan(make_plan()), np.repeat(np.arange(700), w.astype(int))
    table = read_table(X, make_plan().schema)
    repeated = sum_rows(plan, table.take(copies), f[copies], np.ones(len(copies)))
    assert_same(explain(sum_rows, np.arange(700)), replace(repeated, n_rows=700))


def law_9_the_order_of_rows_does_not_matter(sum_rows: Sum) -> None:
    assert_same(explain(sum_rows, np.arange(700)), explain(sum_rows, np.arange(700)[::-1]))


def law_13_containers_of_the_same_rows_are_the_same(sum_rows: Sum) -> None:
    X, _, _ = make_rows()
    whole = explain(sum_rows, np.arange(700))
    double = X.astype({"a": np.float64, "b": np.float64, "c": np.float64, "t": "category"})[list("tcba")]
    assert_same(whole, explain(sum_rows, np.arange(700), double))


def sum_in_batches(plan: Plan, table: Table, outputs: Any, weights: Any) -> RowSums:
    accumulator = Accumulator(plan)
    for start in range(0, table.n_rows, 64):
        rows = np.arange(start, min(start + 64, table.n_rows))
        accumulator.add(table.take(rows), outputs[rows], weights[rows])
    return accumulator.finish()


def centre_on_own_means(plan: Plan, table: Table, outputs: Any, weights: Any) -> RowSums:
    """Sums about the rows' own mean, which do not add."""
    return accumulate(replace(plan, centre=np.average(outputs, axis=0, weights=weights)), table, outputs, weights)


def drop_the_first_row(plan: Plan, table: Table, outputs: Any, weights: Any) -> RowSums:
    return accumulate(plan, table, outputs, np.append(0.0, weights[1:]))


def count_rows_once(plan: Plan, table: Table, outputs: Any, weights: Any) -> RowSums:
    return accumulate(plan, table, outputs, np.ones(len(weights)))


def favour_early_rows(plan: Plan, table: Table, outputs: Any, weights: Any) -> RowSums:
    return accumulate(plan, table, outputs, weights * np.linspace(2, 1, len(weights)))


def round_to_single_precision(plan: Plan, table: Table, outputs: Any, weights: Any) -> RowSums:
    sums = accumulate(plan, table, outputs, weights)
    return replace(sums, products=sums.products.astype(np.float32).astype(np.float64))


def take_levels_by_number(plan: Plan, table: Table, outputs: Any, weights: Any) -> RowSums:
    """Levels are numbered as this container happens to number them."""
    ((codes, _),) = table.categories
    return accumulate(plan, replace(table, categories=((codes, ["north", "south", "east"]),)), outputs, weights)


WAYS: dict[str, Sum] = {"at once": accumulate, "in batches": sum_in_batches}
LAWS: list[tuple[Callable[[Sum], None], Sum]] = [
    (law_8_parts_summed_are_the_whole_in_any_partition, centre_on_own_means),
    (law_8_parts_summed_are_the_whole_in_any_partition, drop_the_first_row),
    (law_8_rows_that_are_forgotten_never_were, round_to_single_precision),
    (law_6_a_row_of_weight_w_is_a_row_repeated_w_times, count_rows_once),
    (law_9_the_order_of_rows_does_not_matter, favour_early_rows),
    (law_13_containers_of_the_same_rows_are_the_same, take_levels_by_number),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("law", list(dict.fromkeys(law for law, _ in LAWS)))
def test_law_holds(law: Callable[[Sum], None], way: str) -> None:
    law(WAYS[way])


@pytest.mark.parametrize(("law", "broken"), LAWS, ids=lambda each: each.__name__)
def test_law_fails_where_sums_are_broken(law: Callable[[Sum], None], broken: Sum) -> None:
    with pytest.raises(AssertionError):
        law(broken)
