"""Each type of column is, from every source, what it is in a DataFrame, or refused by its name."""

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

import instashap.rows.source
from instashap import Explainer
from instashap.rows.opening import open_source
from instashap.table.columns import read_table

from .conftest import KINDS

N = 240
SOURCES = [kind for kind in KINDS if kind not in ("file", "pattern", "function of frames")]


def repeat(values):
    return [values[place % len(values)] for place in range(N)]


def dates(zone):
    return [datetime.datetime(2024, 1, 1 + day, tzinfo=zone) for day in range(3)]


# Type, values (repeated), and options of the explainer.
TAKEN = {
    "floats with nulls": (pa.float64(), [1.5, None, 2.5, float("nan"), 4.0], {}),
    "single precision": (pa.float32(), [1.1, 2.2, None, 3.3], {}),
    "integers": (pa.int64(), [1, 2, 3, 50], {}),
    "integers with nulls": (pa.int64(), [1, None, 3, 50], {}),
    "small integers with nulls": (pa.uint8(), [1, None, 250], {}),
    "booleans": (pa.bool_(), [True, False, False], {}),
    "booleans with nulls": (pa.bool_(), [True, None, False], {}),
    "text with nulls": (pa.string(), ["a", None, "b"], {}),
    "large text": (pa.large_string(), ["a", "é", "b"], {}),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), ["u", "v", "w", "v"], {}),
    "dictionary with nulls": (pa.dictionary(pa.int32(), pa.string()), ["u", None, "w"], {}),
    "large integers as categories": (pa.int64(), [2**53, 2**53 + 1, 7], {"categorical": ["v"]}),
    "times with zones as categories": (pa.timestamp("us", "UTC"), dates(datetime.UTC), {"categorical": ["v"]}),
    "nulls alone": (pa.float64(), [None], {}),
}
REFUSED = {
    "large integers": (pa.int64(), [2**53, 2**53 + 1, 7], {}),
    "large integers with nulls": (pa.int64(), [2**53, None, 7], {}),
    "times": (pa.timestamp("us"), dates(None), {}),
    "times with zones": (pa.timestamp("us", "UTC"), dates(datetime.UTC), {}),
    "days": (pa.date32(), [datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)], {}),
    "lists": (pa.list_(pa.int64()), [[1], [2, 3]], {}),
}


def make_table(kind, values):
    column = pa.array(repeat(values), type=kind)
    codes = np.array([values.index(value) if value in values else 0 for value in repeat(values)])
    x = np.sin(np.arange(N))
    return pa.table({"x": x, "v": column, "y": x + 2 * (codes % 3)})


def write(table, folder):
    folder.mkdir()
    for number, start in enumerate(range(0, N, 50)):
        pa.parquet.write_table(table.slice(start, 50), folder / f"{number}.parquet", row_group_size=20)
    return folder


def open_kind(kind, table, tmp_path):
    folder = write(table, tmp_path / "rows")
    if kind == "folder":
        return folder
    if kind == "dataset":
        return pa.dataset.dataset(folder)
    if kind == "lazy frame":
        return pytest.importorskip("polars", reason="lazy frames need polars").scan_parquet(folder / "*.parquet")
    if kind == "relation":
        duckdb = pytest.importorskip("duckdb", reason="relations need duckdb")
        return duckdb.connect().sql(f"select * from '{folder}/*.parquet'")
    return lambda: iter(table.to_batches(30))


def decode(table):
    """Values of the two columns, by what they are."""
    numbers = [np.asarray(column) for column in np.asarray(table.numbers, dtype=np.float64).T]
    texts = [np.array([*levels, None], dtype=object)[codes] for codes, levels in table.categories]
    return [numbers.pop(0) if not is_category else texts.pop(0) for is_category in table.schema.is_category]


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("name", TAKEN)
def test_a_type_is_read_as_in_a_data_frame(name, kind, tmp_path, monkeypatch):
    """As a whole, and block by block by the schema of the whole."""
    monkeypatch.setattr(instashap.rows.source, "_FEWEST_ROWS", 64)
    monkeypatch.setattr(instashap.rows.source, "_BLOCK_NUMBERS", 64)
    arrow_type, values, options = TAKEN[name]
    table = make_table(arrow_type, values)
    expected = read_table(table.to_pandas()[["x", "v"]], **options)
    source = open_source(open_kind(kind, table, tmp_path), outputs="y")
    found = read_table(source.sample(N).rows, **options)
    assert found.schema == expected.schema
    assert found.schema.is_boolean == expected.schema.is_boolean
    blocks = [decode(read_table(block.rows, expected.schema)) for block in source.batches()]
    assert len(blocks) == 4
    for place, column in enumerate(decode(expected)):
        for other in (decode(found)[place], np.concatenate([block[place] for block in blocks])):
            assert pd.Series(other).equals(pd.Series(column))


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("name", REFUSED)
def test_a_type_without_meaning_is_refused_by_its_name(name, kind, tmp_path):
    arrow_type, values, options = REFUSED[name]
    table = make_table(arrow_type, values)
    if name != "large integers with nulls":  # which pandas has rounded before anyone can look
        with pytest.raises((TypeError, ValueError), match="column 'v'"):
            read_table(table.to_pandas(), **options)
    with pytest.raises((TypeError, ValueError), match="column 'v'"):
        Explainer(order=1, **options).fit(open_kind(kind, table, tmp_path), outputs="y")


def write_all(folder, *tables):
    folder.mkdir()
    for number, table in enumerate(tables):
        pa.parquet.write_table(table, folder / f"{number}.parquet")
    return folder


def test_dictionaries_that_differ_between_row_groups_and_files_are_one_set_of_levels(tmp_path):
    def make(letters):
        return pa.table({"v": pa.array(letters).dictionary_encode(), "x": np.arange(float(len(letters)))})

    folder = write_all(tmp_path / "rows", make(list("abab")), make(list("cbcb")), make(list("bdda")))
    rows = open_source(folder).sample(100).rows
    assert rows["v"].tolist() == list("ababcbcbbdda")
    assert sorted(rows["v"].cat.categories) == list("abcd")


def test_a_column_that_is_a_dictionary_in_some_files_is_text_in_all(tmp_path):
    plain = pa.table({"v": pa.array(list("ab"))})
    coded = pa.table({"v": pa.array(list("bc")).dictionary_encode()})
    rows = open_source(write_all(tmp_path / "rows", coded, plain)).sample(100).rows
    assert rows["v"].tolist() == list("bcab")


def test_types_that_widen_from_file_to_file_hold_every_value(tmp_path):
    """The first file alone would make integers, and nulls, of the columns."""
    first = pa.table({"a": [1, 2], "t": pa.nulls(2)})
    second = pa.table({"a": [1.5, None], "t": ["u", "v"]})
    rows = open_source(write_all(tmp_path / "rows", first, second)).sample(100).rows
    assert rows["a"].tolist()[:3] == [1.0, 2.0, 1.5]
    assert np.isnan(rows["a"][3])
    assert rows["t"].tolist()[2:] == ["u", "v"]
    assert rows["t"].isna().tolist() == [True, True, False, False]


def test_types_that_do_not_fit_together_are_refused_with_the_column(tmp_path):
    folder = write_all(tmp_path / "rows", pa.table({"a": [1]}), pa.table({"a": ["one"]}))
    with pytest.raises(ValueError, match=r"cannot be read as one table: .*\ba\b"):
        open_source(folder)


def test_columns_of_folder_names_are_categories_as_pandas_reads_them(tmp_path):
    for year in (2023, 2024):
        (tmp_path / "rows" / f"year={year}").mkdir(parents=True)
        pd.DataFrame({"a": [1.0, 2.0]}).to_parquet(tmp_path / "rows" / f"year={year}" / "0.parquet")
    rows = open_source(tmp_path / "rows").sample(100).rows
    pd.testing.assert_frame_equal(rows, pd.read_parquet(tmp_path / "rows"))


def test_row_labels_of_pandas_are_no_column(tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=["r", "s"])
    frame.to_parquet(tmp_path / "one.parquet")
    assert open_source(tmp_path / "one.parquet").names == ["a"]
    duckdb = pytest.importorskip("duckdb", reason="relations need duckdb")
    assert open_source(duckdb.connect().sql(f"from '{tmp_path}/one.parquet'")).names == ["a"]


def test_the_order_of_an_ordered_category_is_kept(tmp_path):
    sizes = pd.Categorical(repeat(["small", "large", "medium"]), categories=["small", "medium", "large"], ordered=True)
    frame = pd.DataFrame({"size": sizes, "x": np.arange(float(N))})
    folder = tmp_path / "rows"
    folder.mkdir()
    for number, start in enumerate((0, 100)):
        frame[start : start + 140 * number + 100].to_parquet(folder / f"{number}.parquet")
    rows = open_source(folder).sample(1000).rows
    assert rows["size"].cat.ordered
    assert list(rows["size"].cat.categories) == ["small", "medium", "large"]


def test_quoted_and_strange_column_names_are_read(tmp_path):
    names = ['a "b"', "c d", "x=y", "É", "select"]
    frame = pd.DataFrame({name: np.arange(5.0) + place for place, name in enumerate(names)})
    frame.to_parquet(tmp_path / "one.parquet")
    sources = [tmp_path / "one.parquet"]
    try:
        import duckdb
        import polars
    except ImportError:
        pass
    else:
        sources += [duckdb.connect().sql(f"from '{tmp_path}/one.parquet'"), polars.scan_parquet(tmp_path / "one.parquet")]
    for source in sources:
        pd.testing.assert_frame_equal(open_source(source).sample(10).rows, frame)
