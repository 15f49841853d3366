"""Trust of single rows, drawn."""

from dataclasses import replace

import numpy as np
import pytest

from instashap import plots


@pytest.fixture
def make_trusted(make_explanation):
    def make(shares, intervals, **fields):
        explanation = make_explanation(np.ones((len(shares), 2)), **fields)
        return replace(explanation, output_share=np.asarray(shares), output_share_interval=np.asarray(intervals))

    return make


def get_dots(ax):
    return [line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "o"]


def test_few_rows_are_dots_with_intervals_from_the_least_trusted(make_trusted, find_whiskers, find_flaws):
    ax = plots.plot_trust(make_trusted([0.9, 0.5, 0.7, 0.8], [[0.8, 0.95], [0.2, 0.6], [0.6, 0.75], [0.7, 0.9]]))
    assert get_dots(ax) == [[[87.5, 0.9], [12.5, 0.5], [37.5, 0.7], [62.5, 0.8]]]
    np.testing.assert_allclose(find_whiskers(ax, axis=1), [[0.8, 0.95], [0.2, 0.6], [0.6, 0.75], [0.7, 0.9]])
    assert ax.get_title().replace("\xa0", " ") == "Half of 4 rows: 70 % of the output reproduced, or more; nine in ten: 50 %"
    assert not find_flaws(ax.figure)


def test_many_rows_are_a_rising_curve_in_a_band(make_trusted, find_flaws):
    shares = np.random.default_rng(0).permutation(np.arange(1, 101) / 100)
    ax = plots.plot_trust(make_trusted(shares, np.column_stack([shares - 0.01, shares + 0.02])))
    (curve,) = [line.get_xydata() for line in ax.lines]
    np.testing.assert_allclose(curve, np.column_stack([np.arange(100) + 0.5, np.arange(1, 101) / 100]))
    band = ax.collections[0].get_paths()[0].vertices
    lows, highs = (pick([y for x, y in band if x == 49.5]) for pick in (min, max))
    np.testing.assert_allclose([lows, highs], [0.49, 0.52])
    assert ax.get_title().replace("\xa0", " ") == "Half of 100 rows: 50 % of the output reproduced, or more; nine in ten: 10 %"
    assert not find_flaws(ax.figure)


@pytest.mark.parametrize(("row", "place", "share"), [(0, 99.5, 1.0), (99, 0.5, 0.01), (-1, 0.5, 0.01)])
def test_the_marked_row_stands_in_its_place_and_is_named_by_the_tables_index(
    make_trusted, find_whiskers, find_flaws, row, place, share
):
    shares = np.arange(100, 0, -1) / 100
    intervals = np.column_stack([shares / 2, np.minimum(shares + 0.05, 1.0)])
    ax = plots.plot_trust(make_trusted(shares, intervals, index=np.arange(100) + 1000), row=row)
    assert get_dots(ax) == [[[place, share]]]
    np.testing.assert_allclose(find_whiskers(ax, axis=1), [intervals[row]])
    words = {0: "row 1000: 100 % (50 % to 100 %)"}.get(row, "row 1099: 1 % (0 % to 6 %)")  # .5 % rounds to even
    assert [text.get_text().replace("\xa0", " ") for text in ax.texts] == [words]
    assert not find_flaws(ax.figure)


def test_one_row_is_described_in_its_title(make_trusted):
    ax = plots.plot_trust(make_trusted([0.996], [[0.9, 0.999]]))
    assert ax.get_title().replace("\xa0", " ") == "The explanation reproduces 99.6 % of this row's output"


def test_what_has_no_trust_is_refused(make_explanation, make_trusted):
    with pytest.raises(ValueError, match=r"holds no output shares of rows.*instashap\.audit"):
        plots.plot_trust(make_explanation(np.ones((3, 2))))
    with pytest.raises(TypeError, match="takes an Explanation, got int"):
        plots.plot_trust(3)
    trusted = make_trusted([0.5], [[0.4, 0.6]])
    with pytest.raises(IndexError, match="row=1 is not among the 1 rows"):
        plots.plot_trust(trusted, row=1)
    with pytest.raises(TypeError, match="position of a row, got 'a'"):
        plots.plot_trust(trusted, row="a")
