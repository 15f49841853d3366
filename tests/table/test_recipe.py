"""Text of files as numbers, codes and words: against numbers written by hand."""

import re

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.table.recipe import Recipe

# Different numbers, so that a column of them is a quantity and no list of levels.
MANY = [f"{10 + 7 * i}" for i in range(12)]


def read(cells, decimal=None, **others):
    """A column as its recipe reads it, after a round through JSON."""
    frame = pd.DataFrame({"size": cells, **others})
    recipe = Recipe.learn(frame, decimal=decimal)
    assert Recipe.from_json(recipe.to_json()) == recipe
    return recipe.apply(frame)["size"].tolist(), recipe


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,234", "12,345", "1,234,567.5", "9"], [1234, 12345, 1234567.5, 9]),
        (["1.234,5", "12.345.678", "0,5"], [1234.5, 12345678, 0.5]),
        (["1 234,5", "12 345"], [1234.5, 12345]),
        (["1\u202f234,5", "12\u00a0345,0"], [1234.5, 12345]),
        (["1'234.50", "12’345.00"], [1234.5, 12345]),
        (["12,34,567", "1,234"], [1234567, 1234]),
        (["3,5", "12,25", "-0,125", "1,5e3"], [3.5, 12.25, -0.125, 1500]),
        (["$ 5", "$1,234.50", "-$3", "$-4", "($7.25)", "$ (8)"], [5, 1234.5, -3, -4, -7.25, -8]),
        (["5 €", "1.234,50 €"], [5, 1234.5]),
        (["EUR 5", "EUR 6.5"], [5, 6.5]),
        (["€1.5M", "€20M"], [1.5, 20]),
        (["12 %", "3.5%", "(1 %)"], [12, 3.5, -1]),
        (["(1,234)", "567", "−8"], [-1234, 567, -8]),
        (["1,234.5-", "567"], [-1234.5, 567]),
        ([f">= {each}" for each in MANY], [float(each) for each in MANY]),
        ([f"{each} m2" for each in MANY], [float(each) for each in MANY]),
        ([f"{each}kg" for each in MANY], [float(each) for each in MANY]),
    ],
)
def test_numbers_are_what_people_mean(cells, numbers):
    assert read(cells)[0] == numbers


@pytest.mark.parametrize("gap", ["?", "-", ".", "n/a", "NA", "N.A.", "--", " ", "#DIV/0!", "missing", "–", None])
def test_what_stands_for_no_value_is_missing(gap):
    found, _ = read(["1.5", gap, "2,000.5", *MANY])
    np.testing.assert_array_equal(found[:3], [1.5, np.nan, 2000.5])


def test_a_comma_before_three_digits_is_read_as_the_rest_of_the_table_has_it():
    assert read(["1,234", "2,345"])[0] == [1234, 2345]
    assert read(["1,234", "2,345"], price=["3,5", "4,25"])[0] == [1.234, 2.345]
    assert read(["1,234", "2,345"], price=["1,234.5", "4.25"])[0] == [1234, 2345]
    assert read(["1,234", "2,345"], decimal=",")[0] == [1.234, 2.345]
    assert read(["1.234", "2.345"], price=["3,5", "4,25"])[0] == [1234, 2345]
    assert read(["0,123", "2,345"])[0] == [0.123, 2.345]  # no thousands begin with 0


def test_what_was_assumed_is_said_a_sentence_a_column():
    frame = pd.DataFrame({"price": ["$ 1,200", "?"], "share": ["12 %", "5 %"], "zip": ["00501", "10115"]})
    frame["is on"] = ["Yes", "yes"]
    frame = pd.concat([frame, frame.assign(**{"is on": "NO"})])
    assert Recipe.learn(frame).describe() == [
        "column 'price' is read as numbers: '$ 1,200' is 1200; '?' means missing",
        "column 'share' is read as numbers: '12 %' is 12 percent",
        "column 'zip' is read as codes, because it has leading zeros: each code is a category",
        "column 'is on': different spellings are one category ('Yes', 'yes', 'NO')",
    ]


def test_leading_zeros_are_categories_and_come_back_where_a_reader_lost_them():
    found, recipe = read(["00501", "10115", None])
    assert found == ["00501", "10115", None]
    assert recipe.apply(pd.DataFrame({"size": [501, 10115]}))["size"].tolist() == ["00501", "10115"]
    assert recipe.apply(pd.DataFrame({"size": [501.0, np.nan]}))["size"].tolist() == ["00501", None]
    assert read(["007", "12"])[0] == ["007", "12"]
    assert read(["00501", "10115", "NA", "?"])[0] == ["00501", "10115", None, None]


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        ([f"{i}:30" for i in range(12)], [i + 0.5 for i in range(12)]),
        ([f"0:{i:02}:36" for i in range(12)], [(i + 0.6) / 60 for i in range(12)]),
        ([f"1:{i:02}:00.9" for i in range(12)], [1 + i / 60 + 0.9 / 3600 for i in range(12)]),
        ([f"{i + 1}:15 pm" for i in range(11)] + ["12:15 AM"], [i + 13.25 for i in range(11)] + [0.25]),
        ([f"{i}:30" for i in range(12)] + ["?", None], [i + 0.5 for i in range(12)] + [np.nan] * 2),
    ],
)
def test_times_are_numbers_of_sixtieths(cells, numbers):
    found, recipe = read(cells)
    np.testing.assert_allclose(found, numbers)
    message = re.escape(f"column 'size' holds 'noon'; the fit read times there, such as {cells[0]!r}")
    with pytest.raises(ValueError, match=message):
        recipe.apply(pd.DataFrame({"size": ["noon"]}))


def test_what_was_assumed_of_times_is_said():
    _, recipe = read([f"{i}:30" for i in range(12)])
    assert recipe.describe() == ["column 'size' is read as times: '0:30' is 0.5, and parts after a colon are sixtieths"]


@pytest.mark.filterwarnings("ignore:the held-out R²")  # each level is seen once
@pytest.mark.parametrize(
    ("form", "seconds"), [("{i}:30", lambda i: 3600 * i + 1800), ("0:{i:02}:30", lambda i: 60 * i + 30)]
)
def test_a_fit_on_times_written_as_text_says_what_to_pass_and_that_works(form, seconds):
    X = pd.DataFrame({"size": [form.format(i=i % 60) for i in range(120)]})
    with pytest.warns(instashap.DataWarning, match="reads as times, so pass") as caught:
        instashap.Explainer(order=1).fit(X.iloc[:60], outputs=np.arange(60.0))
    (said,) = [str(each.message) for each in caught if "so pass" in str(each.message)]
    advised = eval(said.split("so pass ")[1], {"pd": pd, "X": X})
    np.testing.assert_array_equal(advised, [seconds(i % 60) for i in range(120)])


def test_yes_and_no_in_several_spellings_are_two_categories():
    assert read(["Yes", "yes", "NO", " no", None])[0] == ["yes", "yes", "no", "no", None]
    assert Recipe.learn(pd.DataFrame({"a": ["yes", "no"]})).readings == {}


@pytest.mark.parametrize(
    "cells",
    [
        ["1.2.3.4", "10.0.0.1"],
        ["12:30", "13:45"],
        ["555 123 4567", "555 123 4568"],
        ["1st", "2nd", "3rd"],
        ["12 months", "24 months"],
        ["3G", "4G"],
        [f"{each}{letter}" for each, letter in zip(MANY, "ABCDEFABCDEF", strict=True)],
        [f"{each} {street} Street" for each, street in zip(MANY, "ABCDEFGHIJKL", strict=True)],
        ["north", "south"],
        ["?", "??"],
        [None, None],
        ["1", "2", "3+"],
        ["<18", ">65"],
    ],
)
def test_other_text_stays_what_it_is(cells):
    frame = pd.DataFrame({"size": cells}, dtype=object)
    assert Recipe.learn(frame).apply(frame) is frame


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            [f"{each} m2" for each in MANY] + ["900 ft2"],
            r"'size' holds numbers in different units \(rows: 'm2' in 12, 'ft2' in 1\); convert them to one unit",
        ),
        ([f"$ {each}" for each in MANY] + ["€ 3"], r"different units \(rows: '\$' in 12, '€' in 1\)"),
        ([f"{each} %" for each in MANY] + ["0.3"], r"different units \(rows: '%' in 12, 'none' in 1\)"),
        ([f"€{each}K" for each in MANY] + ["€1.2M"], r"different units \(rows: '€k' in 12, '€m' in 1\)"),
        ([*MANY[:-1], "3", "<10", "<10", "<10"], r"except in 3 cells \('<10'\); write numbers there or leave the cells empty"),
        ([*MANY, "7½"], r"different units \(rows: 'none' in 12, 'fraction' in 1\)"),
        ([*MANY, "sold out"], r"except in 1 cell \('sold out'\); write numbers there or leave the cells empty"),
        ([f"{each},5" for each in MANY] + ["3.25"], r"has numbers in several formats .*; write all of them in one format"),
    ],
)
def test_a_column_of_numbers_that_cannot_be_read_is_refused_with_advice_that_works(cells, message):
    frame = pd.DataFrame({"size": cells})
    with pytest.raises(ValueError, match=message) as refusal:
        Recipe.learn(frame)
    assert "or treat the text as categories: --text 'size'" in str(refusal.value)
    assert Recipe.learn(frame, keep=["size"]).readings == {}
    mended = frame.assign(size=[*cells[:12], *[None] * (len(cells) - 12)])  # the cells left empty
    assert len(Recipe.learn(mended).apply(mended)["size"].dropna().astype(float)) == 12


def test_numbers_that_all_end_with_a_fraction_are_refused():
    halves = pd.DataFrame({"size": [f"{each} {part}" for each, part in zip(MANY, ["1/2", "¾"] * 6, strict=True)]})
    with pytest.raises(ValueError, match=r"'size' holds numbers with fractions \('10 1/2', .*; write them as decimals"):
        Recipe.learn(halves)


def test_new_rows_are_read_as_the_fit_read_them_or_refused_by_name():
    _, recipe = read(["1.234,5", "2,5", "-"])
    assert recipe.apply(pd.DataFrame({"size": ["1.234", "7", "n/a"]}))["size"].fillna(-1).tolist() == [1234, 7, -1]
    assert recipe.apply(pd.DataFrame({"size": [1.5, 2.5]}))["size"].tolist() == [1.5, 2.5]
    for text in ("1,234.5", "7 m2", "cheap"):
        message = f"column 'size' holds {text!r}; the fit read numbers there, such as '1.234,5'"
        with pytest.raises(ValueError, match=re.escape(message)):
            recipe.apply(pd.DataFrame({"size": ["2,5", text]}))
    days = pd.DataFrame({"day": ["31/12/2024", "?"]})
    recipe = Recipe.learn(days)
    assert recipe.apply(days)["day (month)"].fillna(0).tolist() == [12, 0]
    with pytest.raises(ValueError, match=r"column 'day' holds '2024-12-31', which is no date of the form %d/%m/%Y"):
        recipe.apply(pd.DataFrame({"day": ["2024-12-31"]}))


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"a": 1},
        {"a": {"kind": "lambda"}},
        {"a": {"kind": "code"}},
        {"a": {"kind": "code", "width": "5"}},
        {"a": {"kind": "code", "width": True}},
        {"a": {"kind": "code", "width": 5, "more": 1}},
        {"a": {"kind": "number", "mark": "x", "decimal": ".", "unit": "", "example": "1", "missing": []}},
        {"a": {"kind": "number", "mark": "", "decimal": ".", "unit": "", "example": "one", "missing": []}},
        {"a": {"kind": "word", "spellings": "yes"}},
        {"a": {"kind": "date", "form": 3, "has_hours": False}},
        {"a": {"kind": "clock", "example": "noon"}},
    ],
)
def test_a_recipe_of_another_make_is_refused(content):
    with pytest.raises(ValueError, match=r"recipe|fit read"):
        Recipe.from_json(content)


def test_parts_may_not_take_the_name_of_a_column():
    frame = pd.DataFrame({"day": ["2024-01-01"], "day (year)": [1.0]})
    with pytest.raises(ValueError, match=r"column names are repeated: 'day \(year\)'; rename them"):
        Recipe.learn(frame).apply(frame)


@pytest.mark.filterwarnings("ignore:the held-out R²")  # each level is seen once
@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (lambda i: f"{1000 * i + 1234:,}.5", lambda i: 1000 * i + 1234.5),
        (lambda i: f"$ {i},5", lambda i: i + 0.5),
        (lambda i: f"{i}.25 m2", lambda i: i + 0.25),
        (lambda i: f"{i}.5" if i else "?", lambda i: i + 0.5 if i else np.nan),
    ],
)
def test_a_fit_on_numbers_written_as_text_says_what_to_pass_and_that_works(cells, numbers):
    X = pd.DataFrame({"size": [cells(i) for i in range(300)]})
    with pytest.warns(instashap.DataWarning, match="holds numbers written as text, so pass") as caught:
        instashap.Explainer(order=1).fit(X, outputs=np.arange(300.0))
    (said,) = [str(each.message) for each in caught if "so pass" in str(each.message)]
    advice = re.search(r"so pass (pd\.to_numeric.*)$", said)
    np.testing.assert_array_equal(eval(advice[1], {"pd": pd, "X": X}), [numbers(i) for i in range(300)])


@pytest.mark.filterwarnings("ignore:the held-out R²")  # each level is seen once
@pytest.mark.parametrize("cell", [lambda i: f"-$ {i}.5", lambda i: f"({i}.5)", lambda i: f"{i} {'kg' if i % 2 else 'lb'}"])
def test_numbers_that_one_line_cannot_mend_are_named_without_it(cell):
    X = pd.DataFrame({"size": [cell(i) for i in range(300)]})
    with pytest.warns(instashap.DataWarning, match="holds numbers written as text: make it a column of numbers"):
        instashap.Explainer(order=1).fit(X, outputs=np.arange(300.0))
