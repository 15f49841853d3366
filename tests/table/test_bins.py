"""Columns of given bins."""

import numpy as np
import pytest

from instashap.table.bins import bin_column, cut_numbers, name_categories
from instashap.table.columns import Schema, read_table
from instashap.table.encoding import TableEncoder


def encode(column, values, is_category=False):
    encoder = TableEncoder(Schema(("a",), (is_category,), False), (column.encoder,))
    return encoder.encode(read_table(values, encoder.schema))


def test_a_value_on_a_cut_belongs_to_the_bin_above() -> None:
    encoder, bins = cut_numbers("a", [np.array([1.0, 2.5])] * 3, 0.0, 4.0)
    column, owners = bin_column(encoder, bins)
    values = np.array([[-9.0], [np.nextafter(1.0, 0)], [1.0], [2.5], [7.0], [np.nan]])
    cells = encode(column, values).cells[:, 0]
    functions = column.encoder.bases[0].first[cells]
    assert owners[0][functions].tolist() == [0, 0, 1, 2, 2, -1]


def test_each_size_of_term_has_its_own_bins() -> None:
    encoder, bins = cut_numbers("a", [np.array([1.0, 2.0, 3.0]), np.array([2.0]), np.array([2.0])], 0.0, 4.0)
    column, owners = bin_column(encoder, bins)
    cells = encode(column, np.array([[0.5], [1.5], [2.5], [3.5], [np.nan]])).cells[:, 0]
    found = [owners[size][column.encoder.bases[size].first[cells]].tolist() for size in (0, 1)]
    assert found == [[0, 1, 2, 3, -1], [0, 0, 1, 1, -1]]
    assert [basis.n_functions for basis in column.encoder.bases] == [5, 3, 3]


def test_cuts_of_pairs_alone_cut_main_effects_too_so_that_bases_are_nested() -> None:
    encoder, bins = cut_numbers("a", [np.array([1.0]), np.array([2.0]), np.array([2.0])], 0.0, 4.0)
    column, owners = bin_column(encoder, bins)
    assert column.encoder.bases[0].n_functions == 4
    assert owners[0].tolist() == [0, 1, 1, -1]


def test_drawings_begin_and_end_where_the_values_do() -> None:
    encoder, _ = cut_numbers("a", [np.array([1.0, 2.0])] * 3, -3.0, 6.0)
    assert encoder.lows.tolist() == [-3.0, 1.0, 2.0]
    assert (1 / encoder.scales).tolist() == [4.0, 1.0, 4.0]


def test_categories_share_a_function_where_they_share_a_bin() -> None:
    bins = np.array([[1, 1, 1], [2, 2, 2], [2, 2, 2], [-1, -1, -1], [0, 0, 0]])
    column, owners = bin_column(name_categories("a", ("u", "v", "w")), bins)
    cells = encode(column, np.array([["u"], ["w"], ["v"], ["new"], [None]], dtype=object), True).cells[:, 0]
    assert owners[0][column.encoder.bases[0].first[cells]].tolist() == [1, 2, 2, -1, 0]


def test_a_curve_over_many_bins_has_fewer_parameters_and_keeps_the_steps() -> None:
    encoder, bins = cut_numbers("a", [np.arange(600.0)] * 3, 0.0, 600.0)
    column, _ = bin_column(encoder, bins)
    axis = column.axes[1]
    assert axis.basis.n_functions == 602
    assert axis.expansion.shape[1] <= 24
    assert axis.expansion[:-1].sum(axis=1) == pytest.approx(1.0)
    line = np.linalg.lstsq(axis.expansion[:-1], np.arange(601.0), rcond=None)[0]
    assert axis.expansion[:-1] @ line == pytest.approx(np.arange(601.0))
