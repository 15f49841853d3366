"""Canonical order of rows and columns, whatever the order of the given table."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from instashap.neural.canonical import canonicalise
from instashap.table.encoding import Encoded


def make_rows():
    rng = np.random.default_rng(0)
    return Encoded(rng.integers(0, 3, (50, 3)).astype(np.int32), np.round(rng.random((50, 3)), 1)), rng.normal(size=(50, 1))


def test_permuted_rows_and_columns_give_the_same_rows():
    encoded, outputs = make_rows()
    weights = np.arange(1.0, 51.0)
    first = canonicalise(encoded, outputs, weights)
    rows, columns = np.random.default_rng(1).permutation(50), np.array([2, 0, 1])
    moved = Encoded(encoded.cells[rows][:, columns], encoded.offsets[rows][:, columns])
    second = canonicalise(moved, outputs[rows], weights[rows])
    assert np.array_equal(first.encoded.cells, second.encoded.cells)
    assert np.array_equal(first.encoded.offsets, second.encoded.offsets)
    assert np.array_equal(first.weights, second.weights)
    assert np.array_equal(first.order, columns[second.order])


def test_equal_rows_become_one_with_their_mean_and_weight():
    encoded = Encoded(np.array([[1, 0], [0, 2], [1, 0]], dtype=np.int32), np.zeros((3, 2)))
    found = canonicalise(encoded, np.array([[1.0], [5.0], [4.0]]), np.array([1.0, 1.0, 2.0]))
    by_output = dict(zip(found.outputs[:, 0].tolist(), found.weights.tolist(), strict=True))
    assert by_output == {3.0: 3.0, 5.0: 1.0}


def test_columns_are_renamed_there_and_back():
    encoded, outputs = make_rows()
    found = canonicalise(encoded, outputs, np.ones(50))
    for column in range(3):
        (place,) = found.rename((column,))
        assert found.order[place] == column
    assert np.array_equal(found.permute(encoded).cells[:, 0], encoded.cells[:, found.order[0]])
