"""Categories of any kind: intervals, dates, tuples and others as their text; values that change their type; orders."""

import datetime
import enum
import json

import numpy as np
import pandas as pd
import pytest

from instashap import Explainer, load
from instashap.table.categories import learn_categories
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table
from instashap.table.written_levels import write_level
from instashap.trust.segments import _name_levels


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Size(enum.StrEnum):
    SMALL = "small"


class Rank(enum.IntEnum):
    FIRST = 1


class Nameless:
    pass


BANDS = pd.interval_range(0, 40, periods=4)


def _read(values, **options):
    table = read_table(pd.DataFrame({"a": values, "b": np.arange(float(len(values)))}), **options)
    codes, levels = table.categories[0]
    return [None if code < 0 else levels[code] for code in codes], levels, table.is_ordered[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (pd.Interval(0, 30), "(0, 30]"),
        (pd.Interval(0.5, 1.5, closed="left"), "[0.5, 1.5)"),
        (pd.Timestamp("2024-02-01"), "2024-02-01"),
        (pd.Timestamp("2024-02-01 12:30"), "2024-02-01 12:30:00"),
        (np.datetime64("2024-02-01"), "2024-02-01"),
        (np.datetime64("2024-02-01T12:30:00", "s"), "2024-02-01 12:30:00"),
        (datetime.date(2024, 2, 1), "2024-02-01"),
        (pd.Period("2024-02", "M"), "2024-02"),
        ((np.int64(1), "x"), "(1, 'x')"),
        (Colour.RED, "Colour.RED"),
        (Size.SMALL, "small"),
        (Rank.FIRST, 1),
        (np.bool_(True), True),
        (np.str_("t"), "t"),
        (2.5, 2.5),
    ],
)
def test_a_level_is_written_as_text_that_json_holds(value, text):
    written = write_level(value)
    assert written == text
    assert type(written) is type(text)
    assert json.loads(json.dumps(written)) == text


@pytest.mark.parametrize("value", [Nameless(), b"bytes", frozenset("ab")])
def test_values_whose_text_is_not_the_same_in_every_process_are_refused(value):
    with pytest.raises(TypeError, match="column 'a' holds"):
        read_table(pd.DataFrame({"a": pd.Categorical([value]), "b": [1.0]}))


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (pd.Categorical([BANDS[1], None, BANDS[0]], categories=BANDS), ["(10, 20]", None, "(0, 10]"]),
        (pd.arrays.IntervalArray([BANDS[1], BANDS[0], BANDS[1]]), ["(10, 20]", "(0, 10]", "(10, 20]"]),
        (pd.Series([BANDS[1], None, BANDS[0]], dtype=object), ["(10, 20]", None, "(0, 10]"]),
        (pd.cut([1, 35, 12], [0, 10, 20, 40]), ["(0, 10]", "(20, 40]", "(10, 20]"]),
        (pd.Categorical(pd.to_datetime(["2020-01-02", "2020-01-01"])), ["2020-01-02", "2020-01-01"]),
        (pd.Categorical([(1, 2), (3, 4)]), ["(1, 2)", "(3, 4)"]),
        (pd.Series([(1, 2), None, (3, 4)], dtype=object), ["(1, 2)", None, "(3, 4)"]),
        (pd.Series([Colour.BLUE, None, Colour.RED], dtype=object), ["Colour.BLUE", None, "Colour.RED"]),
        (pd.Categorical([True, False]), [True, False]),
    ],
)
def test_columns_of_any_hashable_values_are_categories(values, levels):
    assert _read(values)[0] == levels


def test_dates_named_as_categories_are_taken_and_advice_says_so():
    days = pd.Series(pd.to_datetime(["2020-03-01", "2020-01-01", None]))
    with pytest.raises(TypeError, match=r"name the column in categorical=\['a'\]"):
        _read(days)
    assert _read(days, categorical=["a"]) == (["2020-03-01", "2020-01-01", None], ["2020-01-01", "2020-03-01"], True)


def test_arrays_of_dates_named_as_categories_are_taken():
    days = np.array([["2020-03-01"], ["2020-01-01"], ["2020-03-01"]], dtype="M8[D]")
    codes, levels = read_table(days, categorical=[0]).categories[0]
    assert [levels[code] for code in codes] == ["2020-03-01", "2020-01-01", "2020-03-01"]
    with pytest.raises(TypeError, match="column 'x0' holds dates"):
        read_table(days)


@pytest.mark.parametrize("unit", ["datetime64[ns]", "timedelta64[ns]"])
def test_dates_in_a_number_column_of_the_fit_are_refused(unit):
    schema = read_table(pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})).schema
    with pytest.raises(TypeError, match="column 'a' must hold numbers as in the fit, got dtype"):
        read_table(pd.DataFrame({"a": pd.Series([1, 2]).astype(unit), "b": ["x", "y"]}), schema)


def test_values_that_read_alike_are_refused():
    with pytest.raises(TypeError, match=r"column 'a' holds different values with the same text, 'Colour\.RED'"):
        _read(pd.Series([Colour.RED, "Colour.RED"], dtype=object))


# --- values that change their type


def _learn(values, **options):
    levels = list(dict.fromkeys((type(value) is bool, value) for value in values))
    codes = np.array([levels.index((type(value) is bool, value)) for value in values])
    return learn_categories("c", codes, [level for _, level in levels], np.full(len(values), 10.0), **options).encoder


@pytest.mark.parametrize(
    ("fitted", "given", "cells"),
    [
        ([101, 205], ["205", "101"], [1, 0]),
        ([101, 205], ["205.0", 101.0], [1, 0]),
        (["101", "205"], [205, 101.0], [1, 0]),
        ([0.5, 101.0], ["101", "0.5"], [1, 0]),
        ([True, False], [0, 1], [1, 0]),
        ([True, False], ["False", "True"], [1, 0]),
        (["0", "1"], [True], [1]),
        (["(0, 30]", "(30, 60]"], ["(30.0, 60.0]"], [1]),
        # Ambiguous, or another text: "other".
        ([1, "1", "z"], [True, 1.0], [3, 0]),
        ([True, 1, "z"], ["1"], [3]),
        ([1, "z"], [1, "1"], [0, 2]),
        (["1", "z"], ["1.0"], [2]),
        (["v1.0", "z"], ["v1"], [2]),
        (["0101", "z"], [101], [2]),
    ],
)
def test_a_level_of_another_type_is_matched_where_it_can_be_no_other(fitted, given, cells):
    encoder = _learn(fitted)
    ranked = [encoder.levels.index(level) if level in encoder.levels else -1 for level in fitted]
    places = {rank: place for place, rank in enumerate(ranked)} if len(set(map(str, fitted))) == len(fitted) else None
    found = encoder.find_cells(np.arange(len(given)), given).tolist()
    other = len(fitted)
    if places is not None:
        assert [other if cell == other else places[cell] for cell in found] == cells
    else:
        keys = [(type(level) is bool, level, type(level) is str) for level in encoder.levels]
        expected = [(type(level) is bool, level, type(level) is str) for level in fitted]
        assert [other if cell == other else expected.index(keys[cell]) for cell in found] == cells


def _encode(fitted, given):
    table = read_table(pd.DataFrame({"c": fitted, "x": np.arange(float(len(fitted)))}))
    encoder, _ = learn_table(table, np.ones(len(fitted)))
    encoder.check_levels(read_table(pd.DataFrame({"c": given, "x": 0.0}, index=range(len(given))), encoder.schema))


FITTED = ["red"] * 9 + ["blue"] * 8


@pytest.mark.parametrize("given", [["RED", "BLUE"], [1, 2], [1], pd.Categorical(["RED", "BLUE"] * 3)])
def test_a_column_of_new_values_alone_is_refused_by_name(given):
    with pytest.raises(ValueError, match=r"column 'c' holds no value that the fit saw: it holds .*, the fit saw 'red', 'blue'"):
        _encode(FITTED, given)


def test_rows_of_one_new_value_are_explained_alone_as_the_refusal_of_several_says():
    with pytest.raises(ValueError, match="if they are new, explain the rows of each alone, such as 'green'"):
        _encode(FITTED, ["green", "pink"])
    _encode(FITTED, ["green", "green"])
    with pytest.raises(ValueError, match=r"or fit again$"):
        _encode(FITTED, [1, 2])


@pytest.mark.parametrize(
    ("fitted", "given"),
    [
        (FITTED, ["green"]),
        (FITTED, ["green", "red"]),
        (FITTED, [None, None]),
        (FITTED, pd.Categorical(["red"], categories=["red", "green", "mauve"])),
        ([*FITTED, "rare"], ["green", "mauve"]),
        ([101] * 9 + [102] * 8, ["101", "103"]),
    ],
)
def test_new_values_beside_known_or_pooled_ones_have_an_answer(fitted, given):
    _encode(fitted, given)


# --- orders


def test_levels_of_ordered_categories_numbers_intervals_and_dates_have_an_order():
    sizes = pd.Categorical(["big", "small", "big"], categories=["small", "middle", "big"], ordered=True)
    assert _read(sizes)[1:] == (["small", "middle", "big"], True)
    assert _read(pd.Categorical(["big", "small"]))[2] is False
    assert _read(pd.Series([BANDS[2], BANDS[0], BANDS[1]], dtype=object))[1:] == (["(0, 10]", "(10, 20]", "(20, 30]"], True)


def test_cells_are_by_weight_and_shown_by_order():
    encoder = learn_categories(
        "c", np.array([0, 1, 2, 3]), ["low", "rare", "middle", "high"], np.array([9.0, 1.0, 20.0, 30.0]), is_ordered=True
    ).encoder
    assert encoder.levels == ("high", "middle", "low")
    assert encoder.shown_cells == [2, 1, 0]
    assert encoder.order == ("low", "rare", "middle", "high")
    assert encoder.has_pooled
    assert _name_levels(encoder, [0, 1, 2, 3], [*encoder.levels, "other", "missing"]) == ["low", "middle", "high", "other"]


def test_intervals_are_explained_by_a_model_that_sees_them_and_so_they_are_after_loading(tmp_path):
    age, k = np.repeat(np.arange(18, 90), 12), np.tile(np.arange(4.0), 72 * 3)
    X = pd.DataFrame({"band": pd.cut(age, [0, 30, 50, 70, 100]), "k": k})
    seen = []

    def predict(rows):
        seen.append(rows)
        return 2.0 * (rows["band"].array.codes > 1) + rows["k"]

    explainer = Explainer(predict, order=1).fit(X)
    pd.testing.assert_frame_equal(seen[0], X)
    explanation = explainer(X)
    # The additive truth by hand: the step of 2 less its mean, for every age has every k.
    step = 2.0 * (age > 50)
    np.testing.assert_allclose(explanation[:, "band"].values[:, 0], step - step.mean(), atol=0.02)
    assert explanation.level_orders == {"band": ("(0, 30]", "(30, 50]", "(50, 70]", "(70, 100]")}
    explainer.save(tmp_path / "e.insta", errors=False)
    loaded = load(tmp_path / "e.insta")
    np.testing.assert_array_equal(loaded(X).values, explanation.values)
    np.testing.assert_array_equal(loaded(X.assign(band=X["band"].astype(str))).values, explanation.values)
    np.testing.assert_array_equal(loaded(X.assign(band=pd.cut(age, [0.0, 30, 50, 70, 100]))).values, explanation.values)
    assert loaded(X).level_orders == explanation.level_orders
    assert loaded._fitted.encoder.columns[0].shown_cells == explainer._fitted.encoder.columns[0].shown_cells
    other = X.assign(band=pd.cut(age, [0, 25, 45, 60, 100]))
    with pytest.raises(ValueError, match="column 'band' holds no value that the fit saw"):
        loaded(other)
