"""What is read from containers of all kinds, and what is refused with a way out; same bits: tests/e2e/test_tables.py."""

import datetime
import decimal
import fractions
import re
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest

from instashap.table.columns import read_table

pl = pytest.importorskip("polars")


def read_column(X):
    """The first column: numbers, or values of a category."""
    table = read_table(X)
    if not table.schema.is_category[0]:
        return table.numbers[:, 0].tolist()
    codes, levels = table.categories[0]
    return [None if code < 0 else levels[code] for code in codes]


# --- Arrow


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([0.5, None], pa.float16(), "[0.5, nan]"),
        ([1, None], pa.uint8(), "[1.0, nan]"),
        ([None, None], pa.null(), "[nan, nan]"),
        ([True, None], pa.bool_(), "[1.0, nan]"),
        (["a", None], pa.string_view(), "['a', None]"),
        (["a", None], pa.large_string(), "['a', None]"),
        (["a", None], pa.dictionary(pa.uint32(), pa.string()), "['a', None]"),
        ([7, None], pa.dictionary(pa.int8(), pa.int64()), "[7, None]"),
        ([decimal.Decimal("1.5"), None], pa.decimal128(5, 2), "[1.5, nan]"),
    ],
)
def test_arrow_types_are_numbers_or_categories(values, kind, expected):
    table = pa.table({"a": pa.array(values, type=kind)})
    assert str(read_column(table)) == expected
    assert str(read_column(pd.DataFrame({"a": pd.Series(table["a"].to_pylist(), dtype=pd.ArrowDtype(kind))}))) == expected


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ([datetime.date(2020, 1, 1)], pa.date32(), "column 'a' holds dates"),
        ([datetime.time(1)], pa.time64("us"), "column 'a' holds times of day"),
        ([datetime.timedelta(1)], pa.duration("s"), "column 'a' holds lengths of time"),
        ([{"k": 1}], pa.struct({"k": pa.int64()}), "not 'dict': column 'a' holds"),
        ([[1]], pa.list_(pa.int64()), "column 'a' holds"),
        ([b"x"], pa.binary(), "not 'bytes': column 'a' holds"),
    ],
)
def test_arrow_types_without_meaning_here_are_refused_by_name(values, kind, message):
    with pytest.raises(TypeError, match=message):
        read_table(pa.table({"a": pa.array(values, type=kind)}))


def test_polars_dates_nested_and_foreign_columns_are_refused_by_name():
    for values in ([datetime.datetime(2020, 1, 1)], [datetime.timedelta(1)], [datetime.time(2)]):
        with pytest.raises(TypeError, match=r"column 'a' holds (dates|lengths of time|times of day)"):
            read_table(pl.DataFrame({"a": values}))
    with pytest.raises(TypeError, match="column 'a' holds"):
        read_table(pl.DataFrame({"a": [object()]}))


def test_an_index_stored_by_pandas_is_no_column():
    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=pd.Index(["r", "s"], name="row"))
    table = read_table(pa.Table.from_pandas(frame))
    assert table.schema.names == ("a",)
    assert list(table.index) == ["r", "s"]


# --- refusals


class Lazy:
    def collect(self):
        raise AssertionError


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pl.DataFrame({"a": [1]}).lazy(), r"a LazyFrame of polars is not computed yet; pass X\.collect\(\)"),
        (lambda: pa.dataset.dataset(pa.table({"a": [1]})), r"an? InMemoryDataset of pyarrow .*; pass X\.to_table\(\)"),
        (lambda: pa.dataset.dataset(pa.table({"a": [1]})).scanner(), r"a Scanner of pyarrow .*; pass X\.to_table\(\)"),
        (lambda: iter([[1.0]]), r"a list_iterator gives its rows one after another; pass .* np\.vstack\(list\(X\)\)"),
        (Lazy, r"a Lazy is not computed yet; pass X\.collect\(\)"),
        (lambda: "rows.parquet", r"X is a path, .* a table is needed: pass pd\.read_parquet\(path\); fit, .* take paths"),
        (lambda: pa.table({"a": [1]}).to_reader(), r"a RecordBatchReader can be read once only.*X\.read_all\(\)"),
    ],
)
def test_lazy_and_read_once_tables_are_refused_with_the_way_out(make, message):
    with pytest.raises(TypeError, match=message):
        read_table(make())


@pytest.mark.parametrize(
    ("package", "method", "engine"),
    [
        ("ray.data.dataset", "to_pandas", "Ray"),
        ("pyspark.sql.dataframe", "toPandas", "Spark"),
        ("dask.dataframe", "compute", "Dask"),
        ("datasets.arrow_dataset", "to_pandas", "Hugging Face"),
    ],
)
def test_tables_of_engines_name_the_engine_and_what_brings_the_rows(package, method, engine):
    """Stand-ins with the place and the methods of the real classes, whose packages are too large for a test."""
    frame = pd.DataFrame({"a": [1.0, 2.0]})
    dataset = type("Dataset", (), {"__module__": package, method: lambda _: frame, "columns": lambda _: ["a"]})()
    with pytest.raises(TypeError, match=rf"a Dataset of {engine} is not computed yet; pass X\.{method}\(\)") as refusal:
        read_table(dataset)
    advice = re.search(r"pass (X\.\w+\(\))", str(refusal.value))[1]
    assert read_table(eval(advice, {"X": dataset})).numbers.tolist() == [[1.0], [2.0]]


def test_the_advice_for_pyarrow_and_polars_gives_the_rows():
    assert read_table(pa.dataset.dataset(pa.table({"a": [1.0, 2.0]})).to_table()).numbers.tolist() == [[1.0], [2.0]]
    assert read_table(pl.LazyFrame({"a": [1.0, 2.0]}).collect()).numbers.tolist() == [[1.0], [2.0]]
    assert read_table(np.vstack(list(iter([[1.0], [2.0]])))).numbers.tolist() == [[1.0], [2.0]]


def test_what_numpy_reads_as_one_object_is_not_told_to_reshape():
    with pytest.raises(ValueError, match="got a object, which holds no rows numpy can read; pass a table in memory"):
        read_table(object())
    with pytest.raises(ValueError, match="got a DataFrameGroupBy, whose rows have different lengths or are no rows"):
        read_table(pd.DataFrame({"k": [1, 2]}).groupby("k"))


def test_data_sets_of_boosting_libraries_are_refused_with_the_way_out():
    xgboost, catboost = pytest.importorskip("xgboost"), pytest.importorskip("catboost")
    for X in (xgboost.DMatrix(np.eye(2)), catboost.Pool(np.eye(2))):
        with pytest.raises(TypeError, match=f"the rows of a {type(X).__name__} cannot be read; pass the table from"):
            read_table(X)


def test_a_column_named_like_a_method_is_only_a_column():
    assert read_table(pd.DataFrame({"collect": [1.0], "nnz": [2.0], "toarray": [3.0], "to_pandas": [4.0]})).n_rows == 1


def test_columns_without_a_table_and_records_are_told_to_become_one():
    for X in (pl.Series([1, 2]), pa.array([1, 2]), pa.chunked_array([[1.0]]), {"a": [1]}):
        with pytest.raises(ValueError, match="Expected 2D array"):
            read_table(X)
    with pytest.raises(TypeError, match=r"pass pd\.DataFrame\(X\)"):
        read_table(np.zeros(3, dtype=[("a", float)]))


# --- arrays


def test_masked_entries_are_missing():
    X = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], mask=[[0, 1], [0, 0]])
    np.testing.assert_array_equal(read_table(X).numbers, [[1, np.nan], [3, 4]])
    np.testing.assert_array_equal(read_table(X.astype(bool)).numbers, [[1, np.nan], [1, 1]])
    text = np.ma.masked_array([["x"], ["y"]], mask=[[0], [1]])
    assert read_column(text) == ["x", None]
    schema = read_table(np.array([["x", 1]], dtype=object)).schema
    mixed = read_table(np.ma.masked_array([["x", 1], ["y", 2]], mask=[[1, 0], [0, 1]], dtype=object), schema)
    np.testing.assert_array_equal(mixed.numbers, [[1], [np.nan]])
    assert mixed.categories[0][0].tolist() == [-1, 0]


def test_a_mask_that_hides_nothing_copies_nothing():
    X = np.ma.masked_array(np.eye(3), mask=np.zeros((3, 3)))
    assert np.shares_memory(read_table(X).numbers, X.data)


def test_other_floats_are_float64_or_refused_as_infinite():
    assert read_column(np.array([["0.1"]], dtype=np.longdouble)) == [0.1]
    assert np.isinf(read_column(np.array([["1e400"]], dtype=np.longdouble))).all()
    assert read_column(np.array([["u"]], dtype=np.dtypes.StringDType())) == ["u"]


def test_a_memory_map_is_not_read_into_memory(tmp_path):
    np.save(tmp_path / "rows.npy", np.ones((200_000, 10)))
    X = np.load(tmp_path / "rows.npy", mmap_mode="r")
    tracemalloc.start()
    table = read_table(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.shares_memory(table.numbers, X)
    assert peak < 100_000  # of 16 MB


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_frames_of_one_dtype_and_arrays_of_any_order_are_not_copied(dtype):
    X = np.arange(6).reshape(3, 2).astype(dtype)
    for table in (X, np.asfortranarray(X), X[::2], pd.DataFrame(X)):
        assert np.shares_memory(read_table(table).numbers, np.asarray(table))


def test_whole_decimals_that_float64_would_make_equal_are_refused_or_keep_their_digits() -> None:
    ids = [decimal.Decimal(2**53), decimal.Decimal(2**53 + 1), None]
    arrow = pa.array(ids, pa.decimal128(38, 2))
    frames = {"objects": pd.DataFrame({"id": ids}), "arrow": pa.table({"id": arrow})}
    frames["arrow in pandas"] = pd.DataFrame({"id": pd.array(ids, dtype=pd.ArrowDtype(pa.decimal128(38, 2)))})
    frames["fractions"] = pd.DataFrame({"id": [fractions.Fraction(2**53), fractions.Fraction(2**53 + 1), None]})
    for X in frames.values():
        with pytest.raises(ValueError, match="column 'id' holds integers as large as 9007199254740992; from 2"):
            read_table(X)
        codes, levels = read_table(X, categorical=["id"]).categories[0]
        assert codes.tolist() == [0, 1, -1]
        assert levels == [2**53, 2**53 + 1]
    quantities = pd.DataFrame({"amount": [decimal.Decimal("9007199254740993.5"), decimal.Decimal("1E+3")]})
    assert read_table(quantities).numbers[:, 0].tolist() == [9007199254740994.0, 1000.0]


def test_decimals_and_fractions_are_numbers_in_any_container():
    exact = [decimal.Decimal("0.1"), None, decimal.Decimal("2.5"), decimal.Decimal("NaN")]
    for table in (pd.DataFrame({"a": exact}), pl.DataFrame({"a": exact[:3]}), pd.DataFrame({"a": exact}, dtype=object)):
        np.testing.assert_array_equal(read_table(table).numbers[:3, 0], [0.1, np.nan, 2.5])
    np.testing.assert_array_equal(read_table(pd.DataFrame({"a": [fractions.Fraction(1, 4), 2]})).numbers[:, 0], [0.25, 2.0])
    mixed = read_table(pd.DataFrame({"a": [decimal.Decimal("0.5"), "x"]}))  # a category, whose level is the number
    assert mixed.categories[0][1] == [0.5, "x"]


def test_a_dict_of_lists_is_refused_with_advice_that_works():
    columns = {"a": [1.0, 2.0], "b": ["x", "y"]}
    with pytest.raises(ValueError, match=r"got a dict of columns; pass pd.DataFrame\(X\)"):
        read_table(columns)
    assert read_table(pd.DataFrame(columns)).n_rows == 2
    row = {"a": 1.0, "b": "x", "c": None}
    with pytest.raises(ValueError, match=r"got a dict that holds one row; pass pd.DataFrame\(\[X\]\)"):
        read_table(row)
    assert read_table(pd.DataFrame([row])).n_rows == 1


@pytest.mark.skipif(not hasattr(pl, "Int128"), reason="this version of polars has no integers of 128 bits")
def test_types_that_arrow_lacks_are_to_be_cast():
    frame = pl.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    large = frame.with_columns(pl.col("a").cast(pl.Int128))
    with pytest.raises(ValueError, match="cast its columns to types that Arrow has"):
        read_table(large)
    given = read_table(large.cast({"a": pl.Int64}))
    np.testing.assert_array_equal(given.numbers, [[1.0, 0.5], [2.0, 1.5]])
