"""Whole tables as cells and offsets."""

import numpy as np
import pandas as pd
import pytest

from instashap.table.columns import read_table
from instashap.table.encoding import BLOCK_ROWS, learn_table


def _learn(X, weights=None, categorical="auto"):
    table = read_table(X, categorical=categorical)
    return learn_table(table, np.ones(table.n_rows) if weights is None else weights)[0]


def _mixed(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "first": rng.choice(["red", "green", "blue"], n, p=[0.5, 0.3, 0.2]),
            "x": rng.normal(size=n),
            "level": rng.integers(0, 5, n),
            "second": pd.Categorical(rng.choice(["u", "v"], n, p=[0.9, 0.1])),
            "zeros": np.where(rng.random(n) < 0.92, 0.0, rng.lognormal(size=n)),
        }
    )


def test_cells_follow_the_boundary_rule_and_offsets_run_from_zero_to_one():
    X = np.random.default_rng(0).normal(size=(2000, 1))
    encoder = _learn(X)
    column = encoder.columns[0]
    edges = column.edges
    probes = np.concatenate([edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)])
    encoded = encoder.encode(read_table(probes[:, None]))
    n = len(edges)
    assert encoded.cells[:, 0].tolist() == [*range(n), *range(1, n + 1), *range(n)]
    np.testing.assert_allclose(encoded.offsets[:n, 0], 1.0, atol=1e-12)
    np.testing.assert_allclose(encoded.offsets[n : 2 * n, 0], 0.0, atol=1e-12)
    # In a cell the offset is the share of the way through it.
    bounds = np.concatenate([[X.min()], edges, [X.max()]])
    middles = encoder.encode(read_table(((bounds[1:] + bounds[:-1]) / 2)[:, None]))
    np.testing.assert_allclose(middles.offsets[:, 0], 0.5, atol=1e-9)


def test_cells_and_offsets_have_the_types_the_kernels_take():
    encoder = _learn(_mixed())
    encoded = encoder.encode(read_table(_mixed(10, 1), encoder.schema))
    assert encoded.cells.dtype == np.int32
    assert encoded.offsets.dtype == np.float64
    assert encoded.cells.flags.c_contiguous
    assert encoded.offsets.flags.c_contiguous
    assert encoded.cells.shape == encoded.offsets.shape == (10, 5)


def test_text_and_numbers_land_in_their_own_columns():
    X = _mixed()
    encoder = _learn(X)
    encoded = encoder.encode(read_table(X))
    assert encoded.cells[:, 0].tolist() == [("red", "green", "blue").index(value) for value in X["first"]]
    assert encoded.cells[:, 2].tolist() == X["level"].tolist()
    assert encoded.cells[:, 3].tolist() == [("u", "v").index(value) for value in X["second"]]
    x = X["x"].to_numpy()
    np.testing.assert_array_equal(encoded.cells[:, 1], np.searchsorted(encoder.columns[1].edges, x))
    assert len(np.unique(encoded.cells[X["zeros"] == 0, 4])) == 1
    assert encoder.bases[1][0] is encoder.columns[1].bases[0]


def test_missing_values_have_the_last_cell_and_unseen_text_the_one_before():
    encoder = _learn(_mixed())
    X = pd.DataFrame(
        {"first": ["mauve", None], "x": [np.nan, 0.0], "level": [np.nan, 9], "second": [None, "w"], "zeros": [np.nan, 0.0]}
    )
    encoded = encoder.encode(read_table(X, encoder.schema))
    last = [column.missing_cell for column in encoder.columns]
    assert encoded.cells[0].tolist() == [last[0] - 1, *last[1:]]
    assert encoded.cells[1, 0] == last[0]
    assert encoded.cells[1, 2] == 4  # 9 is nearest to the level 4
    assert encoded.cells[1, 3] == last[3] - 1
    assert (encoded.offsets[0] == 0).all()


@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_float32_rows_fall_in_the_cells_of_their_float64_values(decimals):
    rng = np.random.default_rng(decimals)
    X = np.column_stack([rng.normal(scale=8, size=5000).round(decimals), rng.integers(0, 9, 5000) / 10, rng.uniform(size=5000)])
    X[:, 2] = X[:, 2].round(4)
    encoder = _learn(X)
    assert (X.astype(np.float32) != X).any()
    double = encoder.encode(read_table(X))
    single = encoder.encode(read_table(X.astype(np.float32)))
    np.testing.assert_array_equal(single.cells, double.cells)
    np.testing.assert_allclose(single.offsets, double.offsets, atol=1e-3)


def test_memory_layout_and_container_change_no_bit():
    X = np.random.default_rng(0).normal(size=(500, 3))
    encoder = _learn(X)
    expected = encoder.encode(read_table(X))
    frozen = X.copy()
    frozen.flags.writeable = False
    wide = np.zeros((500, 6))
    wide[:, ::2] = X
    for other in (np.asfortranarray(X), frozen, wide[:, ::2], pd.DataFrame(X), pd.DataFrame(X).astype("Float64"), X.tolist()):
        encoded = encoder.encode(read_table(other, encoder.schema))
        assert encoded.cells.tobytes() == expected.cells.tobytes()
        assert encoded.offsets.tobytes() == expected.offsets.tobytes()


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_counted_and_their_column_named(value):
    X = _mixed()
    encoder = _learn(X)
    X.loc[[3, 2999], "zeros"] = value
    with pytest.raises(ValueError, match=r"column 'zeros' holds 2 infinite values .*replace them or drop the rows"):
        encoder.encode(read_table(X, encoder.schema))
    with pytest.raises(ValueError, match="column 'zeros' holds 2 infinite values"):
        _learn(X)


def test_blocks_of_rows_are_the_whole():
    X = _mixed(BLOCK_ROWS + 700)
    encoder = _learn(X)
    table = read_table(X)
    whole = encoder.encode(table)
    blocks = list(encoder.iterate(table, 1000))
    assert [rows.start for rows, _ in blocks] == [0, 1000, 2000, 3000, 4000]
    np.testing.assert_array_equal(np.vstack([block.cells for _, block in blocks]), whole.cells)
    np.testing.assert_array_equal(np.vstack([block.offsets for _, block in blocks]), whole.offsets)
    assert [rows.stop for rows, _ in encoder.iterate(table)] == [BLOCK_ROWS, len(X)]
    part = encoder.encode(table, 17, 23)
    np.testing.assert_array_equal(part.cells, whole.cells[17:23])


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_the_unit_of_a_column_does_not_matter(factor):
    rng = np.random.default_rng(3)
    n = 2000
    X = np.column_stack(
        [
            rng.normal(size=n),
            rng.lognormal(sigma=2.5, size=n),
            np.where(rng.random(n) < 0.92, 0.0, rng.exponential(size=n)),
            rng.integers(0, 6, n),
            rng.uniform(100, 101, n),
        ]
    )
    one, other = _learn(X), _learn(X * factor)
    ours, theirs = one.encode(read_table(X)), other.encode(read_table(X * factor))
    np.testing.assert_array_equal(theirs.cells, ours.cells)
    # Edges are rounded to float32 where that separates the values: offsets may differ by that rounding.
    np.testing.assert_allclose(theirs.offsets, ours.offsets, atol=3e-2)
    assert np.quantile(np.abs(theirs.offsets - ours.offsets), 0.9) < 1e-3


def test_a_table_of_text_alone_and_one_of_numbers_alone_are_encoded():
    text = pd.DataFrame({"a": ["x"] * 6 + ["y"] * 5})
    assert _learn(text).encode(read_table(text)).cells[:, 0].tolist() == [0] * 6 + [1] * 5
    numbers = np.arange(3).repeat(10)[:, None]
    assert _learn(numbers).encode(read_table(numbers)).cells[:, 0].tolist() == numbers[:, 0].tolist()


def test_integers_named_as_categories_are_ordered_by_weight():
    X = np.array([7] * 5 + [3] * 9 + [5] * 6)[:, None]
    encoder = _learn(X, categorical=[0])
    assert encoder.columns[0].levels == (3, 5, 7)
    assert encoder.encode(read_table([[5], [7], [8]], encoder.schema)).cells[:, 0].tolist() == [1, 2, 3]
