"""Groups of equal rows against those of NumPy, which compares rows field by field."""

import numpy as np
import pytest

from instashap.game.grouping import group_masks, group_rows


def assert_groups_are_those_of_numpy(keys: np.ndarray, found: list[np.ndarray]) -> None:
    _, owner = np.unique(keys, axis=0, return_inverse=True)
    expected = [np.flatnonzero(owner.reshape(-1) == number).tolist() for number in range(owner.max() + 1)]
    assert [rows.tolist() for rows in found] == expected


@pytest.mark.parametrize("n_columns", [1, 3, 8, 9, 64, 65, 130])
def test_masks_are_grouped_in_their_order_whatever_their_number_of_columns(n_columns: int) -> None:
    rng = np.random.default_rng(n_columns)
    kinds = rng.random((40, n_columns)) < 0.5
    kinds[1:3] = kinds[0]
    kinds[1, -1], kinds[2, 0] = ~kinds[0, -1], ~kinds[0, 0]  # differ in the last and in the first column alone
    masks = kinds[rng.integers(0, 40, 300)]
    groups = group_masks(masks)
    assert_groups_are_those_of_numpy(masks, [rows for _, rows in groups])
    assert all((masks[rows] == mask).all() for mask, rows in groups)


def test_rows_of_numbers_are_grouped_with_zeros_of_both_signs_alike() -> None:
    keys = np.array([[0.0, 2.0], [-1.0, 5.0], [-0.0, 2.0], [0.0, 1.0]])
    assert [rows.tolist() for rows in group_rows(keys)] == [[1], [3], [0, 2]]
    many = np.random.default_rng(0).integers(-3, 3, (500, 3)) / 2
    assert_groups_are_those_of_numpy(many, group_rows(many))


def test_no_rows_are_no_groups_and_masks_of_no_columns_are_alike() -> None:
    assert group_masks(np.ones((0, 3), dtype=bool)) == []
    ((mask, rows),) = group_masks(np.ones((4, 0), dtype=bool))
    assert (mask.shape, rows.tolist()) == ((0,), [0, 1, 2, 3])
