"""What messages about tables advise is executed, and gives a table that can be read."""

import datetime as dt
import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from instashap import Explainer
from instashap.table.columns import read_table

DAYS = [dt.date(2024, month, 5) for month in (1, 2, 3)]
KINDS = {
    "dates": (DAYS, [1, 2, 3]),
    "moments": ([dt.datetime(2024, month, 5, 7) for month in (1, 2, 3)], [1, 2, 3]),
    "lengths": ([dt.timedelta(days=days) for days in (1, 2, 3)], [86_400, 172_800, 259_200]),
    "times": ([dt.time(hour, 30) for hour in (1, 2, 3)], [1.5, 2.5, 3.5]),
}


def make_polars(values: list[Any]) -> Any:
    return pytest.importorskip("polars").DataFrame({"when": values})


TABLES = {
    "pandas": lambda values: pd.DataFrame({"when": values}),
    "objects": lambda values: pd.DataFrame({"when": pd.Series(values, dtype=object)}),
    "polars": make_polars,
    "arrow": lambda values: pa.table({"when": values}),
    "arrow in pandas": lambda values: pa.table({"when": values}).to_pandas(types_mapper=pd.ArrowDtype),
    "array": lambda values: np.array(values, dtype=object)[:, None],
}


def follow(X: Any) -> list[float]:
    """The numbers that the message about a table of one column derives from it."""
    with pytest.raises(TypeError, match=r"holds (dates|lengths of time|times of day|periods)") as caught:
        read_table(X)
    found = re.search(r"such as (.*?)(, \.dt|, and pass)", str(caught.value))
    assert found is not None
    return np.asarray(eval(found[1], {"pd": pd, "X": X}), dtype=float).tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_what_is_derived_from_dates_and_times_is_numbers(make: Any, kind: str) -> None:
    values, expected = KINDS[kind]
    assert follow(make(values)) == expected


def test_periods_zones_gaps_and_arrays_of_dates_have_a_way_too() -> None:
    assert follow(pd.DataFrame({"when": pd.period_range("2024-01", periods=3, freq="M")})) == [1, 2, 3]
    assert follow(pd.DataFrame({"when": pd.to_datetime(DAYS).tz_localize("UTC")})) == [1, 2, 3]
    assert follow(np.array(DAYS, dtype="M8[D]")[:, None]) == [1, 2, 3]
    assert follow(np.array([[1], [2]], dtype="m8[h]")) == [3600, 7200]
    np.testing.assert_array_equal(follow(pd.DataFrame({"when": [None, dt.time(6)]})), [np.nan, 6.0])


A, B, C = np.arange(100.0).reshape(50, 2), np.ones((50, 1)), np.arange(600.0).reshape(50, 6, 2)


def read_list(parts: list[np.ndarray]) -> np.ndarray:
    return np.asarray(parts[0][:, 1] + parts[1][:, 0])


def read_dict(parts: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(parts["steps"][:, 5, 1] + parts["one"][:, 0])


@pytest.mark.parametrize(("rows", "predict"), [([A, B], read_list), ({"one": B, "steps": C}, read_dict)])
def test_several_inputs_become_one_table_and_a_function_that_takes_it_apart(rows: Any, predict: Any) -> None:
    with pytest.raises(TypeError, match="and one table is needed: pass") as caught:
        Explainer(predict).fit(rows)
    table, function = re.search(r"pass (np\.column_stack.*?), and a function .*?: (lambda.*)$", str(caught.value)).groups()  # type: ignore[union-attr]
    X, model = eval(table, {"np": np, "X": rows}), eval(function, {"predict": predict})
    np.testing.assert_array_equal(model(X), predict(rows))
    assert Explainer(model, order=1).fit(X).n_features_in_ == X.shape[1]


def read_frames(parts: Any) -> np.ndarray:
    return (parts[0]["a"] + parts[0]["b"]).to_numpy() + parts[1]["a"].to_numpy()


def read_mixed(parts: Any) -> np.ndarray:
    return np.asarray(parts["n"][:, 1].astype(float) + 3 * (parts["t"][:, 0] == "x"))


FRAMES = [pd.DataFrame(A, columns=["a", "b"]), pd.DataFrame(B, columns=["a"], index=np.arange(50) + 7)]
MIXED = {"n": A, "t": np.array([["x"], ["y"]] * 25)}


@pytest.mark.parametrize(("rows", "predict"), [(FRAMES, read_frames), (MIXED, read_mixed)])
def test_several_frames_or_text_become_one_frame_and_a_function_that_takes_it_apart(rows: Any, predict: Any) -> None:
    with pytest.raises(TypeError, match="and one table is needed: pass") as caught:
        Explainer(predict).fit(rows)
    table, function = re.search(r"pass (pd\.concat.*?), and a function .*?: (lambda.*)$", str(caught.value)).groups()  # type: ignore[union-attr]
    X, model = eval(table, {"pd": pd, "X": rows}), eval(function, {"predict": predict})
    np.testing.assert_array_equal(model(X), predict(rows))
    values = Explainer(model, order=1).fit(X).shap_values(X)
    np.testing.assert_allclose(values.sum(axis=1), predict(rows) - predict(rows).mean(), atol=0.02 * predict(rows).std())


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([A, B[:40]], TypeError, r"arrays of shapes \(50, 2\), \(40, 1\), whose numbers of rows differ"),
        ([{"a": 1}, {"a": 2}], TypeError, r"a list of dictionaries; pass pd\.DataFrame\(X\)"),
        (["abc", "de"], ValueError, r"a list of texts; pass np\.reshape\(X, \(-1, 1\)\) if they are the rows of one column"),
        ([[1, 2], [3]], ValueError, r"rows of X have different lengths, from 1 to 2"),
        ([1, 2, 3], ValueError, r"np\.reshape\(X, \(1, -1\)\) if it is one row"),
    ],
)
def test_lists_that_are_no_rows_are_refused_with_what_to_pass(rows: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_table(rows)


def test_what_lists_are_told_to_become_is_read() -> None:
    assert read_table(pd.DataFrame([{"a": 1}, {"a": 2}])).schema.names == ("a",)
    assert read_table(np.reshape(["abc", "de"], (-1, 1))).schema.is_category == (True,)
    assert read_table(np.reshape([1, 2, 3], (1, -1))).n_rows == 1
    assert read_table([[1, 2], [3, None]]).n_rows == 2


def test_sequences_become_flat_rows_and_a_function_that_folds_them() -> None:
    with pytest.raises(ValueError, match="Expected 2D array, got 3D array") as caught:
        Explainer(len).fit(C)
    table, function = re.search(r"flat, (.*?), and a .*? them: (lambda.*?); ", str(caught.value)).groups()  # type: ignore[union-attr]
    X, model = eval(table, {"np": np, "X": C}), eval(function, {"predict": lambda rows: rows[:, 5, 1]})
    np.testing.assert_array_equal(model(X), C[:, 5, 1])


def test_a_dict_of_columns_becomes_a_frame() -> None:
    with pytest.raises(TypeError, match=r"a dict of columns; pass pd\.DataFrame\(X\)"):
        read_table({"a": A[:, 0], "b": B[:, 0]})
    assert read_table(pd.DataFrame({"a": A[:, 0], "b": B[:, 0]})).schema.names == ("a", "b")
