"""Tables of every container as the same columns; what has no meaning is refused with advice."""

import datetime
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

from instashap._errors import DataWarning
from instashap.table.columns import Schema, Table, read_table
from instashap.table.sparse import SparseNumbers

NAN = float("nan")


@pytest.fixture
def pl():
    return pytest.importorskip("polars")


def _frame(values, dtype=None):
    """A column named "a" beside a plain number column."""
    return pd.DataFrame({"a": pd.Series(values, dtype=dtype), "plain": np.arange(len(values), dtype=float)})


def _numbers(X, **kwargs):
    """The first column's numbers."""
    table = read_table(X, **kwargs)
    assert not table.schema.is_category[0]
    return np.asarray(table.numbers[:, 0], dtype=np.float64)


def _levels(X, **kwargs):
    """The first column's values, ``None`` for missing."""
    table = read_table(X, **kwargs)
    assert table.schema.is_category[0]
    codes, levels = table.categories[0]
    assert codes.dtype == np.int64
    assert len({(type(level), level) for level in levels}) == len(levels)
    return [None if code < 0 else levels[code] for code in codes]


# --- numbers


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i8", "u2", "bool"])
def test_number_arrays_keep_their_memory_and_get_generated_names(dtype):
    X = np.array([[0, 1], [1, 0], [1, 1]], dtype=dtype)
    table = read_table(X)
    assert table.schema == Schema(("x0", "x1"), (False, False), has_names=False)
    assert np.shares_memory(table.numbers, X)
    assert table.n_rows == 3
    assert table.index is None


def test_a_list_of_rows_is_a_table():
    table = read_table([[1, 2.5], [3, 4]])
    assert table.numbers.tolist() == [[1.0, 2.5], [3.0, 4.0]]


def test_numbers_beside_text_in_a_list_stay_numbers():
    table = read_table([[1, "x"], [2.5, "2"]])
    assert table.schema.is_category == (False, True)
    assert table.numbers.tolist() == [[1.0], [2.5]]
    assert table.categories[0][1] == ["x", "2"]


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, None, 3], "Int64", [1, NAN, 3]),
        ([1, None, 3], "UInt8", [1, NAN, 3]),
        ([1.5, None, 3], "Float64", [1.5, NAN, 3]),
        ([True, None, False], "boolean", [1, NAN, 0]),
        ([True, True, False], "bool", [1, 1, 0]),
        ([1, 2, 3], "int64", [1, 2, 3]),
        ([0.5, NAN, 3], "float32", [0.5, NAN, 3]),
        ([1, None, 3], pd.ArrowDtype(pa.int64()), [1, NAN, 3]),
        ([1.5, None, 3], pd.ArrowDtype(pa.float32()), [1.5, NAN, 3]),
        ([True, None, False], pd.ArrowDtype(pa.bool_()), [1, NAN, 0]),
        ([0.0, 2.0, 0.0], pd.SparseDtype("float64", 0.0), [0, 2, 0]),
        ([1, 2.5, None], object, [1, 2.5, NAN]),
        ([pd.NA, NAN, pd.NaT], object, [NAN, NAN, NAN]),
        ([True, None, False], object, [1, NAN, 0]),
        ([np.float32(0.5), np.int8(3), np.bool_(True)], object, [0.5, 3, 1]),
        ([None, None, None], object, [NAN, NAN, NAN]),
    ],
)
def test_number_columns_of_pandas_become_floats_with_nan_for_missing(values, dtype, expected):
    np.testing.assert_array_equal(_numbers(_frame(values, dtype)), expected)
    # Beside a text column another reader is used: the answer is the same.
    np.testing.assert_array_equal(_numbers(_frame(values, dtype).assign(text=["u", "v", "w"])), expected)


def test_object_arrays_are_read_column_by_column():
    X = np.array([[1, "a", True], [None, None, False], [2.5, "b", np.nan]], dtype=object)
    table = read_table(X)
    assert table.schema.is_category == (False, True, False)
    np.testing.assert_array_equal(table.numbers, [[1, 1], [NAN, 0], [2.5, NAN]])
    assert table.categories[0][1] == ["a", "b"]
    assert table.categories[0][0].tolist() == [0, -1, 1]


BIG = 2**53


@pytest.mark.parametrize(
    "X",
    [
        np.array([[1, 0], [BIG + 1, 0]]),
        np.array([[1, 0], [-BIG, 0]]),
        np.array([[1, 0], [2**64 - 1, 0]], dtype="u8"),
        [[BIG + 1, 0.5]],
        [[1, 0], [BIG + 1, 0.5]],
        np.ma.masked_array([[1, 0], [BIG + 1, 0]], mask=[[1, 0], [0, 0]]),
        np.array([[1, "a"], [BIG + 1, "b"]], dtype=object),
        np.array([[1, 0], [10**400, 0]], dtype=object),
    ],
)
def test_integers_from_two_to_the_53_on_are_refused_by_name(X):
    with pytest.raises(ValueError, match=r"column 'x0' holds integers as large as -?\d+; from 2\*\*53 on float64 makes"):
        read_table(X)


@pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64", object, pd.ArrowDtype(pa.int64())])
@pytest.mark.parametrize("with_text", [False, True])
def test_integer_columns_of_frames_from_two_to_the_53_on_are_refused_by_name(dtype, with_text):
    X = _frame([BIG + 1, 1], dtype)
    with pytest.raises(ValueError, match=r"column 'a' holds integers as large as 90071992547409\d\d; .*categorical=\['a'\]"):
        read_table(X.assign(text=["u", "v"]) if with_text else X)


def test_missing_values_do_not_hide_large_integers(pl):
    for X in (_frame([BIG + 1, None], "Int64"), pl.DataFrame({"a": [None, BIG + 1]}), pa.table({"a": [BIG + 1, None]})):
        with pytest.raises(ValueError, match="column 'a' holds integers"):
            read_table(X)


def test_what_float64_holds_is_no_large_integer():
    X = np.array([[BIG - 1, -BIG + 1]])
    assert read_table(X).numbers.tolist() == X.tolist()
    assert read_table([[1e300, -1e300]]).numbers.tolist() == [[1e300, -1e300]]
    assert read_table(np.ma.masked_array([[1, BIG + 1]], mask=[[0, 1]])).numbers[0, 0] == 1
    masked = read_table(np.ma.masked_array([[1, BIG + 1]], mask=[[0, 1]])).numbers
    assert np.isnan(masked[0, 1])


def test_large_integers_named_as_categories_keep_every_digit(pl):
    values = [BIG, BIG + 1, None, BIG]
    for X in (_frame(values, "Int64"), pl.DataFrame({"a": values}), pa.table({"a": values})):
        assert _levels(X, categorical=["a"]) == values
    assert _levels(np.array([[BIG, 0], [BIG + 1, 0]]), categorical=[0]) == values[:2]
    assert _levels(np.ma.masked_array([[BIG], [BIG + 1], [0], [BIG]], mask=[[0], [0], [1], [0]]), categorical=[0]) == values


# --- categories


@pytest.mark.parametrize(
    "dtype",
    [
        "str",
        "string",
        object,
        "category",
        pd.ArrowDtype(pa.string()),
        pd.ArrowDtype(pa.large_string()),
        pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())),
    ],
)
def test_text_columns_of_pandas_are_categories_with_none_for_missing(dtype):
    assert _levels(_frame(["b", None, "a", "b"], dtype)) == ["b", None, "a", "b"]


def test_categorical_integers_stay_integers_and_unused_levels_do_no_harm():
    column = pd.Categorical([3, None, 1], categories=[1, 2, 3])
    assert _levels(pd.DataFrame({"a": column})) == [3, None, 1]


def test_text_arrays_are_categories():
    assert _levels(np.array([["x", "1"], ["y", "2"]])) == ["x", "y"]


def test_true_and_one_and_the_text_1_are_three_values():
    values = _levels(_frame([1, True, "1", 1.0, None, 0, False], object))
    assert [(type(value), value) for value in values] == [
        (int, 1), (bool, True), (str, "1"), (int, 1), (type(None), None), (int, 0), (bool, False),
    ]  # fmt: skip


def test_columns_named_as_categorical_become_categories_by_name_or_position():
    X = pd.DataFrame({"a": [2.5, None, 2.5], "b": [1, 2, 3]})
    assert _levels(X, categorical=["a"]) == [2.5, None, 2.5]
    assert _levels(X.to_numpy(), categorical=[0]) == [2.5, None, 2.5]
    assert _levels(X.astype({"a": "Float64"}), categorical=["a"]) == [2.5, None, 2.5]
    assert read_table(X, categorical=[]).schema.is_category == (False, False)


def test_booleans_named_as_categorical_keep_their_values():
    assert _levels(_frame([True, False, True]), categorical=["a"]) == [True, False, True]
    assert _levels(_frame([True, None, False], "boolean"), categorical=["a"]) == [True, None, False]


def test_unknown_categorical_columns_are_named():
    with pytest.raises(ValueError, match="categorical names the unknown column 'z'; the columns are 'x0', 'x1'"):
        read_table(np.ones((2, 2)), categorical=["z"])


def test_a_single_name_is_not_a_list_of_categorical_columns():
    with pytest.raises(TypeError, match="categorical must be 'auto' or a list of columns, got 'x0'"):
        read_table(np.ones((2, 2)), categorical="x0")


# --- other containers


def test_polars_and_arrow_tables_read_as_pandas_does(pl):
    data = {"n": [1.5, None, 2.0], "i": [1, 2, None], "b": [True, None, False], "t": ["x", None, "y"]}
    expected = read_table(pd.DataFrame({"n": [1.5, NAN, 2], "i": [1, 2, NAN], "b": [1, NAN, 0], "t": ["x", None, "y"]}))
    for X in (pl.DataFrame(data), pa.table(data)):
        table = read_table(X)
        assert table.schema == expected.schema == Schema(("n", "i", "b", "t"), (False, False, False, True), True)
        np.testing.assert_array_equal(table.numbers, expected.numbers)
        assert table.categories[0][0].tolist() == [0, -1, 1]
        assert table.categories[0][1] == ["x", "y"]


def test_polars_categories_are_categories(pl):
    assert _levels(pl.DataFrame({"a": pl.Series(["u", None, "v"], dtype=pl.Categorical)})) == ["u", None, "v"]


def test_a_pandas_table_keeps_its_index_and_text_names():
    X = pd.DataFrame({0: [1.0, 2.0], ("b", 1): [3.0, 4.0]}, index=["r", "s"])
    table = read_table(X)
    assert table.schema.names == ("0", "('b', 1)")
    assert list(table.index) == ["r", "s"]


# --- matching columns to the fit


def _learnt():
    X = pd.DataFrame({"n": [1.0, 2.0], "t": ["x", "y"], "m": [5, 6]})
    return X, read_table(X).schema


def test_columns_are_matched_by_name_whatever_their_order():
    X, schema = _learnt()
    table = read_table(X[["t", "m", "n"]], schema)
    assert table.schema == schema
    assert table.numbers.tolist() == [[1.0, 5.0], [2.0, 6.0]]
    assert table.categories[0][1] == ["x", "y"]


def test_reordered_number_columns_are_matched_without_text_beside_them():
    X = pd.DataFrame({"a": [1.0], "b": [2.0], "c": [3.0]})
    assert read_table(X[["c", "a", "b"]], read_table(X).schema).numbers.tolist() == [[1.0, 2.0, 3.0]]


def test_extra_columns_are_ignored_with_one_warning_that_names_them():
    X, schema = _learnt()
    with pytest.warns(DataWarning, match=r"2 columns that the fit did not see are ignored: \['new', 'id'\]") as caught:
        table = read_table(X.assign(new=0, id="q"), schema)
    assert len(caught) == 1
    assert table.numbers.tolist() == [[1.0, 5.0], [2.0, 6.0]]


def test_missing_columns_are_named():
    X, schema = _learnt()
    with pytest.raises(ValueError, match="the table lacks 1 of the fitted columns: 'm'; fitted on 'n', 't', 'm'"):
        read_table(X[["n", "t"]], schema)


def test_arrays_are_matched_to_named_columns_by_position():
    _X, schema = _learnt()
    table = read_table(np.array([[3.0, "y", 7], [4.0, None, 8]], dtype=object), schema)
    assert table.schema == schema
    assert table.numbers.tolist() == [[3.0, 7.0], [4.0, 8.0]]
    assert table.categories[0][0].tolist() == [0, -1]


def test_named_tables_are_matched_to_generated_names_by_position():
    schema = read_table(np.ones((2, 2))).schema
    assert read_table(pd.DataFrame({"b": [1.0], "a": [2.0]}), schema).numbers.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("make", [np.asarray, lambda values: pd.DataFrame(values, columns=list("pqr"))])
def test_a_wrong_number_of_columns_is_counted(make):
    schema = read_table(np.ones((2, 2))).schema
    with pytest.raises(ValueError, match="X has 3 features, but the fit was on 2 features as input"):
        read_table(make(np.ones((4, 3))), schema)


def test_a_category_of_the_fit_stays_a_category_when_it_arrives_as_numbers():
    schema = read_table(pd.DataFrame({"a": pd.Categorical([1, 2])})).schema
    assert _levels(pd.DataFrame({"a": [2.0, NAN, 1.0]}), schema=schema) == [2, None, 1]


def test_text_in_a_number_column_of_the_fit_is_refused_by_name():
    _, schema = _learnt()
    X = pd.DataFrame({"n": ["one", "two"], "t": ["x", "y"], "m": [5, 6]})
    with pytest.raises(TypeError, match="column 'n' must hold numbers as in the fit"):
        read_table(X, schema)


@pytest.mark.parametrize(
    ("column", "reason"), [([1 + 2j, 3], "imaginary parts would be lost"), (pd.to_datetime(["2020", "2021"]), "nanoseconds")]
)
def test_complex_numbers_and_dates_in_a_number_column_of_the_fit_are_refused_by_name(column, reason):
    _, schema = _learnt()
    with pytest.raises(TypeError, match=f"column 'n' must hold numbers as in the fit, .*{reason}"):
        read_table(pd.DataFrame({"n": column, "t": ["x", "y"], "m": [5, 6]}), schema)


def test_a_list_in_a_category_of_the_fit_is_refused_by_name():
    _, schema = _learnt()
    with pytest.raises(TypeError, match=r"not 'list': column 't' holds \['x'\]"):
        read_table(pd.DataFrame({"n": [1.0, 2.0], "t": ["y", ["x"]], "m": [5, 6]}), schema)


def test_taken_rows_keep_codes_and_levels_together():
    table = read_table(pd.DataFrame({"n": [1.0, 2.0, 3.0], "t": ["x", "y", None]})).take(np.array([2, 1]))
    assert isinstance(table, Table)
    assert table.numbers.tolist() == [[3.0], [2.0]]
    assert table.categories[0][0].tolist() == [-1, 1]


# --- refusals


def test_repeated_names_are_listed_even_if_they_differ_in_type():
    with pytest.raises(ValueError, match="column names are repeated: 'a'; rename them"):
        read_table(pd.DataFrame(np.ones((2, 3)), columns=["a", "b", "a"]))
    with pytest.raises(ValueError, match="column names are repeated: '1'"):
        read_table(pd.DataFrame(np.ones((2, 2)), columns=[1, "1"]))


@pytest.mark.parametrize("X", [np.empty((0, 3)), pd.DataFrame({"a": [], "b": [], "c": []}), pa.table({"a": []})])
def test_a_table_without_rows_is_refused(X):
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        read_table(X)


@pytest.mark.parametrize("X", [np.empty((3, 0)), pd.DataFrame(index=[0, 1])])
def test_a_table_without_columns_is_refused(X):
    with pytest.raises(ValueError, match=r"0 feature\(s\)"):
        read_table(X)


@pytest.mark.parametrize("X", [np.ones(3), np.ones((2, 2, 2)), 5.0, None])
def test_anything_but_two_dimensions_is_refused(X):
    with pytest.raises(ValueError, match="Expected 2D array"):
        read_table(X)


def test_a_path_is_refused_with_what_to_read_it_with():
    with pytest.raises(TypeError, match=r"X is a path, 'rows\.parquet', and a table is needed: pass pd\.read_parquet\(path\)"):
        read_table("rows.parquet")


def test_a_pandas_series_is_told_how_to_become_a_table():
    with pytest.raises(ValueError, match=r"Expected 2D array, got a Series: use X\.to_frame\(\)"):
        read_table(pd.Series([1.0, 2.0]))


@pytest.mark.parametrize("X", [np.array([[1j]]), pd.DataFrame({"a": [1j]})])
def test_complex_data_are_refused(X):
    with pytest.raises(ValueError, match="Complex data not supported"):
        read_table(X)


@pytest.mark.parametrize(
    "values",
    [
        pd.to_datetime(["2020-01-01", "2021-01-01"]),
        pd.to_datetime(["2020-01-01", "2021-01-01"]).tz_localize("UTC"),
        pd.to_timedelta(["1h", "2h"]),
        pd.period_range("2020", periods=2, freq="D"),
        pd.array([datetime.date(2020, 1, 1), None], dtype=pd.ArrowDtype(pa.date32())),
        pd.array([datetime.datetime(2020, 1, 1), None], dtype=pd.ArrowDtype(pa.timestamp("us"))),
        [datetime.date(2020, 1, 1), None],
        [None, datetime.time(1, 2)],
        [pd.Timestamp("2020-01-01"), "later"],
    ],
)
def test_dates_are_refused_with_the_parts_to_derive(values):
    column = pd.Series(values, dtype=object) if isinstance(values, list) else values
    with pytest.raises(TypeError, match=r"column 'when' holds .*; derive the numbers that matter, such as .*X\['when'\]"):
        read_table(pd.DataFrame({"first": [1, 2], "when": column}))


def test_date_arrays_and_polars_dates_are_refused(pl):
    with pytest.raises(TypeError, match="column 'x0' holds dates"):
        read_table(np.array([["2020-01-01"]], dtype="M8[D]"))
    with pytest.raises(TypeError, match="column 'when' holds dates"):
        read_table(pl.DataFrame({"when": [datetime.date(2020, 1, 1)]}))


@pytest.mark.parametrize("value", [[1, 2], {"k": 1}, ([1], 2), np.ones(2), 1j, b"bytes"])
def test_nested_and_foreign_objects_are_refused_by_name_and_kind(value):
    column = pd.Series([None, value], dtype=object)
    with pytest.raises(TypeError, match=f"not '{type(value).__name__}': column 'nested' holds"):
        read_table(pd.DataFrame({"first": [1, 2], "nested": column}))


def test_nested_polars_columns_and_lone_series_are_refused(pl):
    with pytest.raises(ValueError, match="Expected 2D array"):
        read_table(pl.Series([1, 2]))
    with pytest.raises(TypeError, match="column 'a' holds"):
        read_table(pl.DataFrame({"a": [[1, 2], [3]]}))


def test_reading_never_warns_by_itself():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        X, schema = _learnt()
        read_table(X, schema)


SPARSE = np.array([[0.0, 2.0, 0.0], [1.5, 0.0, 0.0], [0.0, -1.0, NAN]])


@pytest.mark.parametrize(
    "make", [sparse.csr_array, sparse.csc_matrix, sparse.coo_matrix, sparse.lil_array, pd.DataFrame.sparse.from_spmatrix]
)
def test_sparse_tables_are_read_by_columns_and_by_blocks_of_rows(make):
    table = read_table(make(sparse.csc_matrix(SPARSE)))
    assert isinstance(table.numbers, SparseNumbers)
    assert table.n_rows == 3
    assert table.schema.is_category == (False,) * 3
    np.testing.assert_array_equal(np.asarray(table.numbers), SPARSE)
    np.testing.assert_array_equal(table.numbers[:, 1], [2.0, 0.0, -1.0])
    np.testing.assert_array_equal(table.numbers[1:, 0], [1.5, 0.0])
    np.testing.assert_array_equal(table.numbers[1:3], SPARSE[1:3])
    np.testing.assert_array_equal(np.asarray(table.take(np.array([2, 0])).numbers), SPARSE[[2, 0]])


def test_entries_stored_twice_add_up():
    matrix = sparse.coo_matrix(([1.0, 2.0, 4.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    table = read_table(matrix)
    np.testing.assert_array_equal(table.numbers[:, 1], [3.0, 0.0])
    np.testing.assert_array_equal(table.numbers[0:2], [[0.0, 3.0], [4.0, 0.0]])


def test_sparse_columns_of_pandas_are_matched_by_name():
    frame = pd.DataFrame.sparse.from_spmatrix(sparse.csc_matrix(SPARSE), columns=["a", "b", "c"])
    schema = read_table(frame).schema
    assert schema.names == ("a", "b", "c")
    np.testing.assert_array_equal(np.asarray(read_table(frame[["c", "a", "b"]], schema).numbers), SPARSE)
    dense = read_table(frame.sparse.to_dense(), schema)
    np.testing.assert_array_equal(dense.numbers, SPARSE)
    with pytest.raises(ValueError, match="X has 2 features, but the fit was on 3 features"):
        read_table(sparse.csr_array(SPARSE[:, :2]), schema)


def test_sparse_columns_that_are_no_numbers_or_too_large_are_refused():
    with pytest.raises(ValueError, match="Complex data not supported"):
        read_table(sparse.csr_array(np.array([[1j]])))
    with pytest.raises(ValueError, match=r"x1.*9007199254740993"):
        read_table(sparse.csr_array(np.array([[1, 2**53 + 1]])))
    with pytest.raises(TypeError, match="pass a pandas DataFrame"):
        read_table(sparse.csr_array(np.eye(2)), categorical=["x0"])
    with pytest.raises(ValueError, match="0 sample"):
        read_table(sparse.csr_array((0, 3)))
