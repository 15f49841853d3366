"""Every source gives the same rows, block by block; what can be read once only is refused with advice that works."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest

import instashap.rows.source
from instashap import Explainer
from instashap.rows.opening import open_source
from instashap.rows.source import regroup

from .conftest import KINDS, predict, write_parts


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 128 rows, so that a small table has many."""
    monkeypatch.setattr(instashap.rows.source, "_FEWEST_ROWS", 128)
    monkeypatch.setattr(instashap.rows.source, "_BLOCK_NUMBERS", 128)


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories as text: a database keeps no list of levels."""
    return frame.astype({"kind": str, "town": str})


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_hold_all_rows_in_order_with_outputs_and_weights_apart(table, make_source, small_blocks, kind):
    source = open_source(make_source(table, kind), outputs="price", sample_weight="rooms")
    for _ in range(2):  # each pass begins anew
        blocks = list(source.batches())
        assert [len(block.rows) for block in blocks] == [128, 128, 128, 128, 88]
        assert np.array_equal(np.concatenate([block.outputs for block in blocks])[:, 0], table["price"])
        assert np.array_equal(np.concatenate([block.weights for block in blocks]), table["rooms"])
        rows = pd.concat([as_text(block.rows) for block in blocks], ignore_index=True)
        pd.testing.assert_frame_equal(rows, as_text(table.drop(columns=["price", "rooms"])))


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_source_is_its_own_sample_in_its_order(table, make_source, kind):
    sample = open_source(make_source(table, kind)).sample(600)
    assert sample.is_whole
    assert sample.n_rows == 600
    pd.testing.assert_frame_equal(as_text(sample.rows), as_text(table))


@pytest.mark.parametrize("kind", ["file", "folder", "dataset", "lazy frame", "relation", "function of frames"])
@pytest.mark.parametrize("start", [1, 86, 599])
def test_reading_from_a_row_on_gives_the_rows_after_it(table, make_source, kind, start):
    source = open_source(make_source(table, kind))
    rest = pd.concat(list(source.read(["size", "rooms"], 100, start)), ignore_index=True)
    pd.testing.assert_frame_equal(rest, table[["size", "rooms"]].iloc[start:].reset_index(drop=True))


@pytest.mark.parametrize("kind", KINDS)
def test_sums_over_blocks_are_sums_over_rows(table, make_source, small_blocks, kind):
    source = open_source(make_source(table, kind), outputs="price")
    total = source.map_sum(lambda block: np.array([len(block.rows), block.outputs.sum()]))
    assert total == pytest.approx([600, table["price"].sum()], rel=1e-12)


def test_only_the_columns_asked_for_are_read(table, tmp_path):
    table.assign(note=[[1]] * len(table)).to_parquet(tmp_path / "one.parquet")
    source = open_source(tmp_path / "one.parquet")
    assert [list(frame.columns) for frame in source.read(["rooms"], 1000)] == [["rooms"]]


def test_regrouped_frames_have_as_many_rows_as_told():
    frames = [pd.DataFrame({"a": np.arange(start, start + n)}) for start, n in [(0, 3), (3, 0), (3, 9), (12, 1)]]
    found = list(regroup(frames, 5))
    assert [len(frame) for frame in found] == [5, 5, 3]
    assert pd.concat(found)["a"].tolist() == list(range(13))


# --- what is refused


def make_frames():
    return (pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 5.0]}) for _ in range(30))


def make_arrays():
    return (np.array([[1.0, 3.0], [2.0, 5.0]]) for _ in range(30))


def make_reader():
    frame = pd.DataFrame({"a": np.arange(60.0), "b": np.arange(60.0) ** 2})
    return pa.RecordBatchReader.from_batches(pa.Schema.from_pandas(frame), pa.Table.from_pandas(frame).to_batches(7))


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (make_frames, "pd.concat(X)"),
        (make_arrays, "np.vstack(list(X))"),
        (make_reader, "X.read_all()"),
        (lambda: pyarrow.dataset.dataset(pa.table({"a": [1.0, 2.0], "b": [3.0, 4.0]})).scanner(), "X.to_table()"),
    ],
)
def test_rows_that_can_be_read_once_are_refused_with_a_way_that_works(make, advice):
    def model(rows):
        return np.asarray(rows)[:, 0] * 1.0

    with pytest.raises(TypeError, match=r"can be read once only.*a function that makes it anew, such as lambda: ") as refusal:
        Explainer(model, order=1).fit(make())
    assert advice in str(refusal.value)
    table = eval(advice, {"X": make(), "pd": pd, "np": np})
    assert len(table) in (2, 60)
    if "Scanner" not in str(refusal.value):
        assert open_source(lambda: make()).sample(100).n_rows == 60


def test_a_function_that_gives_a_used_up_iterator_is_refused():
    frames = make_frames()
    with pytest.raises(TypeError, match=r"same iterator twice.*make it anew in each call"):
        open_source(lambda: frames).sample(10)


def test_a_source_that_gives_other_rows_the_second_time_is_refused():
    sizes = iter([3, 3, 4])
    source = open_source(lambda: iter([pd.DataFrame({"a": np.arange(next(sizes))})]))
    list(source.batches())
    with pytest.raises(ValueError, match="gave 3 rows, and 4 when it was read again; it must give the same rows each time"):
        list(source.batches())


def test_a_function_that_gives_a_table_is_told_to_give_an_iterator(table):
    with pytest.raises(TypeError, match=r"gave a DataFrame, and an iterator of tables is expected.*\[table\]"):
        open_source(lambda: table)
    assert open_source(lambda: [table]).sample(1000).n_rows == 600


def test_files_of_another_kind_are_refused_with_the_way_to_read_them(tmp_path):
    (tmp_path / "rows.csv").write_text("a\n1\n")
    with pytest.raises(ValueError, match=r"is no Parquet file; pass .*pd.read_csv\(path\).*polars.scan_csv\(path\)"):
        open_source(tmp_path / "rows.csv")
    with pytest.raises(FileNotFoundError, match=r"there is no file or folder .*none\.parquet"):
        open_source(tmp_path / "none.parquet")
    with pytest.raises(FileNotFoundError, match="names no Parquet file"):
        open_source(tmp_path)
    with pytest.raises(FileNotFoundError, match="names no Parquet file"):
        open_source(str(tmp_path / "*.parquet"))


def test_files_put_aside_by_their_name_are_not_read(table, tmp_path):
    folder = write_parts(table, tmp_path / "rows", 2)
    (folder / "_temporary").mkdir()
    table.to_parquet(folder / "_temporary" / "half.parquet")
    table.to_parquet(folder / ".half.parquet")
    assert open_source(folder).sample(10_000).n_rows == 600


def test_unknown_columns_of_outputs_are_named(table):
    with pytest.raises(ValueError, match="outputs names the unknown column 'prize'; did you mean 'price'"):
        Explainer(order=1).fit(table, outputs="prize")
    with pytest.raises(ValueError, match="outputs= names the column 'price' twice: name each once"):
        open_source(table, outputs=["price", "rooms", "price"])
    with pytest.raises(ValueError, match="sample_weight names the unknown column 'w'"):
        Explainer(predict, order=1).fit(table, sample_weight="w")
    with pytest.raises(ValueError, match="no column beside outputs and weights"):
        Explainer(order=1).fit(table[["price"]], outputs="price")


def test_arrays_beside_a_query_are_refused_for_its_order_may_change(table, make_source):
    for kind in ("lazy frame", "relation"):
        source = make_source(table, kind)
        with pytest.raises(TypeError, match=r'outputs is an array.*another order each time.*outputs="column"'):
            Explainer(order=1).fit(source, outputs=table["price"])


def test_arrays_of_another_length_are_refused(table, make_source):
    for outputs in (table["price"][:-1], np.append(table["price"], 0.0)):
        with pytest.raises(ValueError, match=r"outputs .*(599|601)"):
            Explainer(order=1).fit(make_source(table, "folder"), outputs=outputs)
