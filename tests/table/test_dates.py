"""Dates as parts: against the calendar, and Python's own datetime."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.table.dates import reads_as_dates
from instashap.table.recipe import Recipe


def split_dates(frame, keep=()):
    recipe = Recipe.learn(frame, keep)
    return recipe.apply(frame), recipe.groups


def read_parts(column, name="day"):
    parts, _ = split_dates(pd.DataFrame({name: column}))
    return {part.removeprefix(f"{name} (").removesuffix(")"): parts[part].tolist() for part in parts.columns}


def test_a_date_is_its_year_with_fraction_month_and_weekday():
    parts = read_parts(["2024-01-01", "2024-07-02", "2023-12-31", None])  # a leap year's middle is the start of July 2nd
    np.testing.assert_allclose(parts["year"], [2024.0, 2024.5, 2023 + 364 / 365, np.nan])
    np.testing.assert_array_equal(parts["month"], [1, 7, 12, np.nan])
    assert parts["weekday"][:3] == ["Monday", "Tuesday", "Sunday"]
    assert pd.isna(parts["weekday"][3])
    assert "hour" not in parts


@pytest.mark.parametrize(
    "column",
    [
        ["2024-03-05 17:30:00", "1969-07-20 20:17:40"],
        ["2024-03-05T17:30:00Z", "1969-07-20T21:17:40+01:00"],
        [dt.datetime(2024, 3, 5, 17, 30), dt.datetime(1969, 7, 20, 20, 17, 40)],
        pd.to_datetime(["2024-03-05 17:30:00", "1969-07-20 20:17:40"]),
        pd.to_datetime(["2024-03-05 18:30:00+01:00", "1969-07-20 21:17:40+01:00"]).tz_convert("Europe/Berlin"),
    ],
    ids=["text", "text with zones", "datetime objects", "datetime64", "with a zone"],
)
def test_times_have_hours_and_are_in_utc(column):
    parts = read_parts(column)
    assert parts["hour"] == [17, 20]
    assert parts["weekday"] == ["Tuesday", "Sunday"]
    np.testing.assert_allclose(parts["year"][0], 2024 + (31 + 29 + 4 + 17.5 / 24) / 366)


@pytest.mark.parametrize(
    ("column", "month"),
    [(["13/04/2024", "01/02/2024"], [4, 2]), (["04/13/2024", "01/02/2024"], [4, 1]), (["13.4.2024", "1.2.2024"], [4, 2])],
)
def test_day_and_month_are_told_apart_by_what_is_above_twelve(column, month):
    assert read_parts(column)["month"] == month


DAYS = [dt.datetime(2024, 1, 5, 7, 5, 9), dt.datetime(2023, 12, 31, 23, 59, 1), dt.datetime(2024, 5, 13, 12, 0, 0)]


@pytest.mark.parametrize(
    ("form", "has_hours"),
    [
        ("%Y/%m/%d", False),
        ("%m/%d/%y", False),
        ("%d-%b-%Y", False),
        ("%d-%b-%y", False),
        ("%d. %B %Y", False),
        ("%d %B %Y", False),
        ("%b %d, %Y", False),
        ("%d.%m.%Y %H:%M", True),
        ("%m/%d/%Y %I:%M %p", True),
        ("%b %d, %Y %I:%M:%S %p", True),
    ],
)
def test_dates_are_read_as_people_write_them(form, has_hours):
    parts = read_parts([day.strftime(form) for day in DAYS])
    assert parts["month"] == [1, 12, 5]
    assert parts["weekday"] == ["Friday", "Sunday", "Monday"]
    assert [int(year) for year in parts["year"]] == [2024, 2023, 2024]
    assert parts.get("hour") == ([7, 23, 12] if has_hours else None)


def test_two_digits_that_may_be_a_year_or_a_day_stay_text_with_a_warning():
    with pytest.warns(instashap.DataWarning, match="day and month are ambiguous"):
        assert split_dates(pd.DataFrame({"day": ["24/12/31", "25/01/02"]}))[1] == {}


@pytest.mark.parametrize(
    ("stray", "message"),
    [
        ("soon", r"'day' holds dates except in 1 cell \('soon'\); write dates there or leave the cells empty"),
        ("3/1/2024", r"'day' has dates in several formats .*; write all of them as 2024-12-31"),
    ],
)
def test_a_column_of_dates_but_for_a_cell_is_refused_with_advice_that_works(stray, message):
    days = [f"2024-01-{day:02}" for day in range(1, 29)]
    with pytest.raises(ValueError, match=message):
        Recipe.learn(pd.DataFrame({"day": [*days, stray]}))
    assert Recipe.learn(pd.DataFrame({"day": [*days, stray]}), keep=["day"]).readings == {}
    assert Recipe.learn(pd.DataFrame({"day": [*days, None]})).groups
    assert Recipe.learn(pd.DataFrame({"day": [*days, "2024-12-31"]})).groups


def test_day_and_month_that_cannot_be_told_apart_stay_text_with_a_warning():
    with pytest.warns(instashap.DataWarning, match=r"'day' holds dates.*\(01/02/2024\).*write them as 2024-12-31"):
        assert split_dates(pd.DataFrame({"day": ["01/02/2024", "03/04/2024"]}))[1] == {}


@pytest.mark.parametrize(
    "column",
    [
        ["2024-01-01", "soon"],
        ["2024-02-31", "2024-02-01"],
        ["12-2024", "11-2024"],
        [2024, 2025],
        [None, None],
        [1.5, np.nan],
        ["a", None],
        ["1.2.3.2024"],
    ],
)
def test_what_is_no_date_is_left_as_it_is(column):
    frame = pd.DataFrame({"day": column})
    parts, groups = split_dates(frame)
    assert parts is frame
    assert groups == {}


def test_dates_of_a_day_without_time_have_no_hour():
    assert "hour" not in read_parts([dt.date(2024, 1, 1), None])


def test_other_columns_keep_place_and_type_and_columns_can_be_kept():
    frame = pd.DataFrame({"a": [1, 2], "day": ["2024-01-01", "2024-01-02"], "b": ["x", "y"]}, index=[7, 9])
    parts, groups = split_dates(frame)
    assert list(parts.columns) == ["a", "day (year)", "day (month)", "day (weekday)", "b"]
    assert parts["a"].dtype == frame["a"].dtype
    assert parts.index.tolist() == [7, 9]
    assert groups == {"day": ["day (year)", "day (month)", "day (weekday)"]}
    assert split_dates(frame, keep=["day"])[0] is frame


def test_text_of_one_form_reads_as_dates():
    assert reads_as_dates(["2024-12-31", "2024-12-31 10:00"])
    assert not reads_as_dates(["2024-12-31", "31/12/2024"])
    assert not reads_as_dates([])
    assert not reads_as_dates([20241231])
    assert not reads_as_dates(["31-Dec-2024", "Dec 31, 2024"])


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d/%m/%Y", "%d %B %Y"])
def test_a_fit_on_text_that_reads_as_dates_says_what_to_pass_and_that_works(form):
    days = pd.date_range("2024-01-01", periods=300)
    rows = pd.DataFrame({"day": days.strftime(form), "x": np.arange(300.0)})
    advice = r"reads as dates, so pass the parts that matter, such as pd.to_datetime\(X\['day'\]"
    with pytest.warns(instashap.DataWarning, match=advice) as caught:
        instashap.Explainer(order=1).fit(rows, outputs=np.arange(300.0))
    (said,) = [str(each.message) for each in caught if "such as" in str(each.message)]
    assert eval(said.split("such as ")[1], {"pd": pd, "X": rows}).tolist() == days.month.tolist()


def test_the_last_minutes_of_a_year_are_of_that_year():
    parts, _ = split_dates(pd.DataFrame({"at": ["2023-12-31 23:45", "2024-01-01 00:00", "2023-12-31 23:44"]}))
    year = parts["at (year)"]
    assert year[2] < year[0] < 2024.0 == year[1]
    days, _ = split_dates(pd.DataFrame({"day": ["2023-12-31", "2024-01-01", "2023-12-30", "2024-07-02"]}))
    assert days["day (year)"].tolist() == [2023.9972, 2024.0, 2023.9945, 2024.5]  # 364 and 363 days of 365
