"""The sample depends on what rows hold, and on nothing else."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

import instashap.rows.source
from instashap.rows.bottom_k import concatenate, draw_sample, merge_samples
from instashap.rows.opening import open_source
from instashap.table.columns import read_table


@pytest.fixture
def rows() -> pd.DataFrame:
    """2 000 rows of few values, so that many are equal."""
    rng = np.random.default_rng(1)
    return pd.DataFrame({"a": rng.integers(0, 40, 2000).astype(float), "t": rng.choice(list("uvw"), 2000)})


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(instashap.rows.source, "_FEWEST_ROWS", 64)
    monkeypatch.setattr(instashap.rows.source, "_BLOCK_NUMBERS", 64)


def draw(frame, size, weights=None, outputs=None):
    return draw_sample(frame, read_table(frame), outputs, np.ones(len(frame)) if weights is None else weights, size)


def count(frame, weights):
    found = Counter()
    for row, weight in zip(frame.itertuples(index=False), weights, strict=True):
        found[tuple(row)] += weight
    return found


def test_the_sample_holds_different_rows_with_the_weight_of_all_their_copies(rows):
    found = open_source(lambda: [rows]).sample(50)
    copies = Counter(map(tuple, rows.itertuples(index=False)))
    drawn = count(found.rows, found.weights)
    assert len(drawn) == len(found.rows) == 50
    assert all(drawn[row] == copies[row] for row in drawn)
    assert not found.is_whole
    assert found.n_rows == 2000


@pytest.mark.parametrize("size", [30, 117, 119])
def test_neither_order_nor_partition_changes_the_sample(rows, size):
    first = open_source(lambda: [rows]).sample(size)
    mixed = rows.iloc[np.random.default_rng(2).permutation(2000)]
    forty = [mixed.iloc[places] for places in np.array_split(np.arange(2000), 40)]
    for frames in ([mixed], [mixed[:700], mixed[700:701], mixed[701:]], forty):
        other = open_source(lambda frames=frames: frames).sample(size)
        pd.testing.assert_frame_equal(other.rows, first.rows)
        assert np.array_equal(other.weights, first.weights)


def test_two_samples_merge_into_the_sample_of_both(rows):
    whole = draw(rows, 40)
    merged = draw(rows[:900], 40) + draw(rows[900:1000], 40) + draw(rows[1000:], 40)
    pd.testing.assert_frame_equal(merged.frame.reset_index(drop=True), whole.frame.reset_index(drop=True))
    assert np.array_equal(merged.weights, whole.weights)
    assert np.array_equal(merge_samples([whole, draw(rows, 40)]).weights, 2 * whole.weights)


def test_a_row_of_weight_w_is_w_rows_and_one_of_weight_0_is_none(rows):
    weights = np.random.default_rng(3).integers(0, 4, 2000).astype(float)
    repeated = rows.loc[np.repeat(rows.index, weights.astype(int))]
    one = open_source(lambda: [rows.assign(w=weights)], sample_weight="w").sample(30)
    other = open_source(lambda: [repeated]).sample(30)
    pd.testing.assert_frame_equal(one.rows, other.rows)
    assert np.array_equal(one.weights, other.weights)


def test_rows_with_other_outputs_are_different_rows():
    frame = pd.DataFrame({"a": np.zeros(100)})
    outputs = np.arange(100.0)[:, None] % 10
    assert len(draw(frame, 50).frame) == 1
    found = draw(frame, 50, outputs=outputs)
    assert sorted(found.outputs[:, 0]) == list(range(10))
    assert (found.weights == 10).all()


def test_the_sample_is_spread_evenly_over_the_different_rows():
    """Means of 4 000 of 100 000 rows: their error is at most four times sd / √4000, with the finite population counted in."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"a": rng.normal(size=100_000), "b": rng.exponential(size=100_000), "c": rng.random(100_000) < 0.2})
    means = draw(frame, 4000).frame.mean()
    errors = (means - frame.mean()) / (frame.std() * np.sqrt(0.96 / 4000))
    assert (errors.abs() < 4).all(), errors


def test_weights_that_are_no_counts_are_scaled_to_their_effective_number(rows):
    """Kish: they sum to ``(sum w)² / sum w²`` over all rows; with every different row in the sample, so do the sample's."""
    weights = np.random.default_rng(5).random(2000)
    found = open_source(lambda: [rows.assign(w=weights)], sample_weight="w").sample(500)
    assert found.weights.sum() == pytest.approx(weights.sum() ** 2 / (weights**2).sum(), rel=1e-12)
    assert found.weight_scale == pytest.approx(weights.sum() / (weights**2).sum(), rel=1e-12)


def test_categories_of_parts_are_joined_and_orders_that_differ_refused():
    parts = [pd.DataFrame({"c": pd.Categorical(list(letters))}) for letters in ("ab", "cb")]
    joined = concatenate(parts)
    assert joined["c"].tolist() == ["a", "b", "c", "b"]
    assert sorted(joined["c"].cat.categories) == ["a", "b", "c"]
    ordered = [pd.DataFrame({"c": pd.Categorical(list("ab"), categories=list(order), ordered=True)}) for order in ("ab", "ba")]
    with pytest.raises(ValueError, match="categories of column 'c' do not fit together in all parts"):
        concatenate(ordered)


def test_levels_count_by_what_they_are_not_by_their_code():
    one = pd.DataFrame({"c": pd.Categorical(list("abcab"), categories=list("abc"))})
    other = pd.DataFrame({"c": pd.Categorical(list("abcab"), categories=list("cxba"))})
    text = one.astype(str)
    found = [count(draw(frame, 2).frame.astype(str), draw(frame, 2).weights) for frame in (one, other, text)]
    assert found[0] == found[1] == found[2]
