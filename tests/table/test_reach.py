"""Where fitted rows lie, on hand-made tables."""

import numpy as np
import pandas as pd
import pytest

from instashap.table.columns import read_table
from instashap.table.encoding import learn_table
from instashap.table.reach import Reach, learn_reach


def _learn(X):
    table = read_table(X)
    encoder, _ = learn_table(table, np.ones(table.n_rows))
    reach = learn_reach(encoder, encoder.encode(table))

    def place(Z):
        rows = read_table(Z, table.schema)
        return reach.place(rows, encoder.encode(rows))

    return reach, place


def _make_rows(n=2000):
    rng = np.random.default_rng(0)
    a = np.linspace(100, 200, n)
    return pd.DataFrame({"a": a, "b": a + rng.normal(size=n), "town": np.where(np.arange(n) % 2, "x", "y")})


def test_distances_are_lengths_of_the_range_beyond_the_margin():
    reach, place = _learn(_make_rows())
    assert reach.margin == 0.1
    rows = pd.DataFrame({"a": [150.0, 209.9, 211.0, 300.0, 0.0], "b": 150.0, "town": "x"})
    np.testing.assert_allclose(place(rows).distances[:, 0], [0, 0, 0.11, 1, 1])
    np.testing.assert_array_equal(place(rows).distances[:, 1:], 0)


def test_levels_and_missing_values_that_no_row_had_are_outside():
    _, place = _learn(_make_rows())
    rows = pd.DataFrame({"a": [150.0, np.nan, 150.0], "b": 150.0, "town": ["z", "x", None]})
    np.testing.assert_array_equal(place(rows).distances, [[0, 0, 1], [1, 0, 0], [0, 0, 1]])


def test_a_value_in_a_wide_gap_is_outside_by_its_distance_from_the_nearest_value():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"stars": rng.integers(0, 5, 500), "hour": rng.integers(0, 24, 500), "two": rng.normal(size=500)})
    X["two"] += np.where(rng.random(500) < 0.5, 0, 100)
    _, place = _learn(X.astype(float))
    rows = pd.DataFrame({"stars": [2.5, 1.25, 2.1, 2.0, 3.0], "hour": [7.5, 7, 7, 7, 7], "two": [0, 0, 0, 50, 100]})
    found = place(rows.astype(float)).distances
    np.testing.assert_allclose(found[:, 0], [0.125, 0.0625, 0, 0, 0])
    np.testing.assert_array_equal(found[:, 1], 0)
    ends = X["two"][X["two"] < 50].max(), X["two"][X["two"] > 50].min()
    without_the_gap = X["two"].max() - X["two"].min() - (ends[1] - ends[0])
    nearest = min(50 - ends[0], ends[1] - 50) / without_the_gap
    np.testing.assert_allclose(found[:, 2], [0, 0, 0, nearest, 0])


@pytest.mark.parametrize("sign", [1, -1])
def test_values_near_zero_are_outside_of_amounts_with_a_long_tail(sign):
    """The margin, a tenth, is one of logarithms there: from 1 to 1000 it ends at 1 / 1000 ** .1 = .501."""
    amounts = np.geomspace(1, 1000, 400)
    table = np.column_stack([sign * amounts, np.linspace(1, 1000, 400), np.r_[-1, amounts[1:]], np.linspace(100, 110, 400)])
    reach, place = _learn(table)
    assert reach.margin == 0.1
    near = sign * np.array([1e-9, 0.45, 0.55, 1.0, 1000.0, 0.0, -5.0, -150.0, 1090.0, 1110.0])
    rows = np.column_stack([near, *[np.full(10, 105.0)] * 3])
    assert (place(rows).distances[:, 0] > 0).tolist() == [True, True, False, False, False, True, True, True, False, True]
    other = rows.copy()
    other[:, 1:3] = np.array([[-98.0, -100.0]])  # a straight column, and one of both signs: a tenth of their length
    np.testing.assert_array_equal(place(other).distances[:, 1:3], 0)
    assert (place(table).distances == 0).all()


def test_amounts_of_any_size_hold_their_own_least_value():
    for spread in (1.0, 3.0, 8.0):
        for unit in (1e-200, 1.0, 1e200):
            amounts = np.random.default_rng(0).lognormal(0, spread, 500) * unit
            _, place = _learn(np.column_stack([amounts, np.arange(500.0)]))
            assert (place(np.column_stack([amounts, np.arange(500.0)])).distances[:, 0] == 0).all()


def test_a_row_alone_in_a_gap_widens_the_margin():
    X = pd.DataFrame({"a": [*np.linspace(0, 1, 60), *np.linspace(9, 10, 60)], "b": np.arange(120) % 7})
    _, place = _learn(X)
    assert place(pd.DataFrame({"a": [5.0], "b": [3]})).distances[0, 0] == pytest.approx(4 / 2)
    X.loc[20:24, "a"] = 2.2, 3.6, 5.0, 6.4, 7.8  # more than one of a hundred rows is alone in the middle
    reach, place = _learn(X)
    assert reach.margin == 0.5  # twice .14, which is how far each is from the nearest
    assert place(pd.DataFrame({"a": [5.7], "b": [3]})).distances[0, 0] == 0


@pytest.mark.parametrize("codes", [[1e6], [-999.0] * 60, [1e6, 8e5, 5e5, 3e5, -99.0], [-99.0, 99999.0]])
def test_mistyped_values_and_codes_do_not_hide_values_far_from_all_others(codes):
    index = np.r_[np.linspace(15, 50, 1500), codes]
    _, place = _learn(pd.DataFrame({"index": index, "b": np.arange(len(index)) % 9}))
    rows = pd.DataFrame({"index": [14.0, 20.0, 51.0, 85.0, 500.0, 2e6, codes[0]], "b": 1.0})
    np.testing.assert_allclose(place(rows).distances[[0, 1, 2, 3, 6], 0], [0, 0, 0, 1, 0], rtol=1e-6)
    assert place(rows).distances[4, 0] == pytest.approx((500 - 50) / 35)
    assert place(rows).distances[5, 0] > 1


def test_two_common_values_that_never_meet_are_a_new_pair_of_these_columns():
    reach, place = _learn(_make_rows())
    assert reach.side == 8
    met = place(pd.DataFrame({"a": [110.0, 110.0], "b": [110.0, 190.0], "town": "x"}))
    assert met.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    np.testing.assert_array_equal(met.is_new_pair, [[False] * 3, [True, False, False]])
    np.testing.assert_array_equal(met.is_lone, [[False] * 3, [True, True, False]])


@pytest.mark.parametrize("law", ["gaussian", "heavy", "heavier", "zeros", "few rows", "correlated"])
def test_new_rows_of_the_same_kind_are_rarely_flagged(law):
    rng = np.random.default_rng(1)

    def draw(n):
        X = rng.normal(size=(n, 10))
        if law == "heavy":
            X = np.exp(X)
        if law == "heavier":
            X = np.round(np.exp(3 * X), 2)
        if law == "zeros":
            X = np.where(X < 0, 0, 100 + np.exp(2 * X))
        if law == "correlated":
            X[:, 5:] = X[:, :5] + 0.1 * X[:, 5:]
        return X

    _, place = _learn(draw(150 if law == "few rows" else 2000))
    new = place(draw(20_000))
    assert ((new.distances > 0).any(axis=1) | new.is_new_pair.any(axis=1)).mean() < 0.02


def test_a_file_holds_the_region():
    reach, _ = _learn(_make_rows())
    facts, arrays = reach.pack()
    assert facts["n_gaps"] == arrays["reach_gaps"].shape[1]
    again = Reach.unpack(facts, arrays)
    assert (again.margin, again.side) == (reach.margin, reach.side)
    np.testing.assert_array_equal(again.is_seen, reach.is_seen)
    for one, other in zip(again.bins, reach.bins, strict=True):
        np.testing.assert_array_equal(one, other)
