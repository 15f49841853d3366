"""Columns of given bins."""

import numpy as np
import pytest

from instashap.table.bins import bin_column, cut_numbers, fit_curves, name_categories
from instashap.table.columns import Schema, read_table
from instashap.table.encoding import TableEncoder, learn_table


def encode(column, values, is_category=False):
    encoder = TableEncoder(Schema(("a",), (is_category,), False), (column,))
    return encoder.encode(read_table(values, encoder.schema))


def test_a_value_on_a_cut_belongs_to_the_bin_above() -> None:
    encoder, bins = cut_numbers("a", [np.array([1.0, 2.5])] * 3, 0.0, 4.0)
    column, owners = bin_column(encoder, bins)
    values = np.array([[-9.0], [np.nextafter(1.0, 0)], [1.0], [2.5], [7.0], [np.nan]])
    cells = encode(column, values).cells[:, 0]
    functions = column.bases[0].first[cells]
    assert owners[0][functions].tolist() == [0, 0, 1, 2, 2, -1]


def test_each_size_of_term_has_its_own_bins() -> None:
    encoder, bins = cut_numbers("a", [np.array([1.0, 2.0, 3.0]), np.array([2.0]), np.array([2.0])], 0.0, 4.0)
    column, owners = bin_column(encoder, bins)
    cells = encode(column, np.array([[0.5], [1.5], [2.5], [3.5], [np.nan]])).cells[:, 0]
    found = [owners[size][column.bases[size].first[cells]].tolist() for size in (0, 1)]
    assert found == [[0, 1, 2, 3, -1], [0, 0, 1, 1, -1]]
    assert [basis.n_functions for basis in column.bases] == [5, 3, 3]


def test_cuts_of_pairs_alone_cut_main_effects_too_so_that_bases_are_nested() -> None:
    encoder, bins = cut_numbers("a", [np.array([1.0]), np.array([2.0]), np.array([2.0])], 0.0, 4.0)
    column, owners = bin_column(encoder, bins)
    assert column.bases[0].n_functions == 4
    assert owners[0].tolist() == [0, 1, 1, -1]


def test_drawings_begin_and_end_where_the_values_do() -> None:
    encoder, _ = cut_numbers("a", [np.array([1.0, 2.0])] * 3, -3.0, 6.0)
    assert encoder.lows.tolist() == [-3.0, 1.0, 2.0]
    assert (1 / encoder.scales).tolist() == [4.0, 1.0, 4.0]


def test_categories_share_a_function_where_they_share_a_bin() -> None:
    bins = np.array([[1, 1, 1], [2, 2, 2], [2, 2, 2], [-1, -1, -1], [0, 0, 0]])
    column, owners = bin_column(name_categories("a", ("u", "v", "w")), bins)
    cells = encode(column, np.array([["u"], ["w"], ["v"], ["new"], [None]], dtype=object), True).cells[:, 0]
    assert owners[0][column.bases[0].first[cells]].tolist() == [1, 2, 2, -1, 0]


def test_curves_are_an_ordinary_columns_averaged_over_each_bin() -> None:
    values = np.linspace(0.0, 9.0, 901)[:, None]
    values = values[(values < 3) | (values >= 4)][:, None]  # the bin from 3 to 4 has no rows
    values[::40] = np.nan
    table = read_table(values)
    ordinary, learnt = learn_table(table, np.ones(len(values)))
    column, _ = bin_column(*cut_numbers("a", [np.arange(1.0, 9.0)] * 3, 0.0, 9.0))
    cells = encode(column, values).cells[:, 0]
    binned = fit_curves(column, cells, learnt[0], ordinary.encode(table), 0)
    for axis, source in zip(binned.axes, learnt[0].axes, strict=True):
        assert axis.expansion[:-1].sum(axis=1) == pytest.approx(1.0)
        assert not axis.expansion[-1].any()  # missing values stand apart
        assert axis.spikes == (9,)
        # Parameters of the straight line in the ordinary curves: on bins they give its mean there.
        encoded = ordinary.encode(table)
        curves = source.basis.combine(encoded.cells[:, 0], encoded.offsets[:, 0], source.expansion)
        is_known = ~np.isnan(values[:, 0])
        line = np.linalg.lstsq(curves[is_known], values[is_known, 0], rcond=None)[0]
        means = [np.nanmean(values[cells == cell]) for cell in (0, 1, 2, 4, 5, 6, 7, 8)]
        expected = np.insert(means, 3, (means[2] + means[3]) / 2)
        assert axis.expansion[:-1] @ line == pytest.approx(expected)
