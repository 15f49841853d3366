"""The rule of choices against numbers worked out by hand."""

import numpy as np
import pytest

from instashap.masked.choose import lowers_risk, prefer_simplest, walk


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([0.01, 0.01, 0.01], True),  # no spread: any gain counts
        ([0.03, 0.00, -0.01], False),  # mean .0067, standard error of the mean .0120
        ([0.03, 0.02, -0.01], True),  # mean .0133, standard error .0120
        ([2e-6, 2e-6, 2e-6], False),  # below 1e-5 of the risk, however sure
        ([-0.01, -0.01, -0.01], False),
    ],
)
def test_a_richer_model_must_gain_one_standard_error_of_the_folds_differences(gains, expected):
    simpler = np.array([0.3, 0.5, 0.2])
    assert lowers_risk(simpler - np.array(gains), simpler) is expected


def test_one_fold_has_no_standard_error_and_no_fold_decides_nothing():
    assert lowers_risk(np.array([0.2]), np.array([0.3]))
    assert not lowers_risk(np.array([np.inf]), np.array([np.inf]))


def test_a_walk_ends_at_the_lowest_risk_or_a_stronger_penalty_as_good():
    bowl = [5.0, 3.0, 2.0, 4.0, 6.0]
    assert [walk(bowl.__getitem__, start, 5) for start in range(5)] == [2] * 5
    # A flat bottom with rounding on it: its strong end, from wherever the walk starts.
    flat = [5.0, 2.0 + 3e-15, 2.0, 2.0 + 1e-15, 2.0 + 4e-15, 3.0]
    assert [walk(flat.__getitem__, start, 6) for start in range(6)] == [4] * 6
    assert walk([1.0, 1.0, 1.0].__getitem__, 0, 3) == 2
    assert walk([1.0, 1.00001, 1.1].__getitem__, 2, 3) == 0


def test_the_simplest_of_equals_is_preferred():
    risks = np.array([0.3, 0.4])
    assert prefer_simplest([("smooth", risks), ("rough", risks * (1 - 1e-7))]) == "smooth"
    assert prefer_simplest([("smooth", risks), ("rough", risks * 0.9)]) == "rough"
    assert prefer_simplest([("smooth", risks * 0.9), ("rough", risks)]) == "smooth"
