"""A sample of rows by their content: no order, partition or precision has a say in it."""

import numpy as np
import pandas as pd
import pytest

from instashap.table.columns import read_table
from instashap.table.row_hash import choose_smallest, hash_table_rows


def make_frame(n_rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=n_rows).astype(np.float32), "n": rng.integers(0, 5, n_rows)})
    frame["t"] = rng.choice(["u", "v", "w"], n_rows)
    frame.loc[3, "t"] = None
    return frame


def test_equal_rows_have_equal_hashes_whatever_holds_them() -> None:
    frame = make_frame()
    whole = hash_table_rows(read_table(frame))
    assert len(np.unique(whole)) == len(frame.drop_duplicates())
    other = frame.astype({"a": np.float64, "n": np.float32, "t": "category"})[["t", "n", "a"]]
    np.testing.assert_array_equal(hash_table_rows(read_table(other)), whole)
    alone = [hash_table_rows(read_table(frame.iloc[k : k + 1], read_table(frame).schema))[0] for k in (0, 3, 399)]
    assert alone == whole[[0, 3, 399]].tolist()


def test_values_under_other_columns_are_other_rows() -> None:
    one, other = read_table([[0.0, 1.0]]), read_table([[1.0, 0.0]])
    assert hash_table_rows(one)[0] != hash_table_rows(other)[0]
    assert hash_table_rows(read_table([[0.0, 2.0]]))[0] == hash_table_rows(read_table([[-0.0, 2.0]]))[0]
    missing = [hash_table_rows(read_table(np.array([[np.nan, 1.0]])))[0] for _ in range(2)]
    assert missing[0] == missing[1]


def test_outputs_tell_rows_apart_where_they_are_given() -> None:
    table, outputs = read_table(np.ones((3, 2))), np.array([[1.0], [2.0], [1.0]])
    hashes = hash_table_rows(table, outputs)
    assert hashes[0] == hashes[2] != hashes[1]


def test_hashes_fall_evenly() -> None:
    hashes = hash_table_rows(read_table(np.arange(40_000.0)[:, None]))
    counts = np.bincount((hashes >> np.uint64(58)).astype(int), minlength=64)  # 625 expected, sd 25
    assert np.abs(counts - 625).max() < 5 * 25
    assert np.abs(np.corrcoef(hashes.astype(float), np.arange(40_000.0))[0, 1]) < 0.025


@pytest.mark.parametrize("n_rows", [1, 50, 130, 1000])
def test_the_sample_is_of_different_rows_with_the_weight_of_their_copies(n_rows: int) -> None:
    rng = np.random.default_rng(1)
    hashes = rng.integers(0, 2**63, 300).astype(np.uint64)[rng.integers(0, 300, 2000)]
    weights = rng.random(2000)
    places, totals = choose_smallest(hashes, weights, n_rows)
    expected = np.unique(hashes)[:n_rows]
    np.testing.assert_array_equal(hashes[places], expected)
    np.testing.assert_allclose(totals, [weights[hashes == each].sum() for each in expected])


def test_samples_of_parts_merge_to_the_sample_of_the_whole() -> None:
    rng = np.random.default_rng(2)
    hashes = rng.integers(0, 2**63, 500).astype(np.uint64)[rng.integers(0, 500, 3000)]
    weights = rng.integers(1, 4, 3000).astype(float)
    places, totals = choose_smallest(hashes, weights, 100)
    kept, sums = [], []
    for part in np.array_split(rng.permutation(3000), 7):
        own, own_totals = choose_smallest(hashes[part], weights[part], 100)
        kept.append(hashes[part][own])
        sums.append(own_totals)
    found, merged = choose_smallest(np.concatenate(kept), np.concatenate(sums), 100)
    np.testing.assert_array_equal(np.concatenate(kept)[found], hashes[places])
    np.testing.assert_array_equal(merged, totals)
