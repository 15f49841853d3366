"""Nested local bases, and means of their functions over rows."""

import numpy as np
import pytest

from instashap.model.nested import LocalRows, NestedBases, express
from instashap.table.bases import LocalBasis
from instashap.table.encoding import Encoded

# Two cells. Hats on the knots 0, 1, 2; one hat over both cells; bins.
HATS = LocalBasis(
    np.array([0, 1], dtype=np.int32), np.array([[[1.0, -1.0], [0.0, 1.0]]] * 2), 3
)  # 1 - t falls, t rises
WIDE = LocalBasis(
    np.array([0, 0], dtype=np.int32), np.array([[[1.0, -0.5], [0.0, 0.5]], [[0.5, -0.5], [0.5, 0.5]]]), 2
)
BINS = LocalBasis(np.array([0, 1], dtype=np.int32), np.ones((2, 1, 1)), 2)
ONE_BIN = LocalBasis(np.array([0, 0], dtype=np.int32), np.ones((2, 1, 1)), 1)


def nest(main: LocalBasis, pair: LocalBasis) -> NestedBases:
    """Two columns, each with a main effect in one basis and a pair of them in another."""
    return NestedBases(((main, pair, pair),) * 2, [(0,), (0, 1)])


def test_wide_hats_are_combinations_of_fine_ones() -> None:
    assert express(WIDE, HATS) == pytest.approx(np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]))
    assert express(ONE_BIN, BINS) == pytest.approx(np.array([[1.0], [1.0]]))
    assert express(ONE_BIN, ONE_BIN) == pytest.approx(np.array([[1.0]]))


def test_nested_bases_stay_as_they_are() -> None:
    bases = nest(HATS, WIDE)
    assert bases.columns[0][0] is HATS
    assert bases.columns[0][1] is WIDE


def test_a_basis_gets_the_functions_it_lacks() -> None:
    merged = nest(BINS, WIDE).columns[0][0]
    cells, offsets = np.array([0, 0, 1], dtype=np.int32), np.array([0.0, 0.5, 1.0])
    every = np.hstack([each.combine(cells, offsets, np.eye(each.n_functions)) for each in (BINS, WIDE)])
    found = merged.combine(cells, offsets, np.eye(merged.n_functions))
    assert sorted(map(tuple, found.T.round(12))) == sorted(map(tuple, every.T.round(12)))


def test_a_table_is_lifted_as_a_constant_and_lowered_as_itself() -> None:
    bases = nest(HATS, WIDE)
    table = np.array([[2.0], [4.0]])
    assert bases.lift(table, (0,), (0, 1), 2)[..., 0] == pytest.approx(np.array([[2.0, 2.0], [4.0, 4.0]]))
    assert bases.lift(table, (1,), (0, 1), 2)[..., 0] == pytest.approx(np.array([[2.0, 4.0], [2.0, 4.0]]))
    assert bases.lower(table, (0,), 2)[:, 0] == pytest.approx([2.0, 3.0, 4.0])


def test_a_merged_basis_represents_the_constant() -> None:
    bases = nest(BINS, WIDE)
    merged = bases.columns[0][0]
    constant = bases.lift(np.array([5.0]), (), (0,), 1)
    cells, offsets = np.array([0, 0, 1, 1], dtype=np.int32), np.array([0.0, 0.3, 0.6, 1.0])
    assert merged.combine(cells, offsets, constant) == pytest.approx(5.0)


def test_functions_no_cell_has_are_left_at_zero() -> None:
    spare = LocalBasis(np.array([0, 2], dtype=np.int32), np.ones((2, 1, 1)), 3)
    assert express(ONE_BIN, spare)[:, 0] == pytest.approx([1.0, 0.0, 1.0])


def test_rows_are_products_of_active_functions() -> None:
    rows = Encoded(np.array([[0, 1], [1, 0]], dtype=np.int32), np.array([[0.25, 1.0], [0.0, 0.5]]))
    seen = LocalRows(nest(HATS, WIDE).columns, rows, np.array([3.0, 1.0]))
    # Row 1: x = .25 and 2, row 2: x = 1 and .5; wide hats are 1 - x / 2 and x / 2.
    expected = np.array([[0.875 * 0, 0.875 * 1, 0.125 * 0, 0.125 * 1], [0.5 * 0.75, 0.5 * 0.25, 0.5 * 0.75, 0.5 * 0.25]])
    assert seen.make_matrix(2, (0, 1)).toarray() == pytest.approx(expected)
    assert seen.compute_means(2, (0,)) == pytest.approx([(3 * 0.875 + 0.5) / 4, (3 * 0.125 + 0.5) / 4])
    assert seen.average(2, (0,), np.array([[1.0], [3.0]])) == pytest.approx([1 + 2 * (3 * 0.125 + 0.5) / 4])
