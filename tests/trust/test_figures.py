"""Figures and their intervals: by hand, and against scikit-learn and scipy."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm, t
from sklearn.metrics import r2_score

from instashap.trust.figures import N_GROUPS, estimate_mean, estimate_proportion, estimate_share, sum_groups
from instashap.trust.thresholds import Thresholds, take_worst


def test_a_mean_of_equal_groups_has_the_interval_of_students_t() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(N_GROUPS), 30)
    values = rng.normal(size=len(groups))
    figure = estimate_mean(groups, np.ones(len(values)), values)
    means = values.reshape(N_GROUPS, 30).mean(axis=1)
    half = t.ppf(0.95, N_GROUPS - 1) * means.std(ddof=1) / np.sqrt(N_GROUPS)
    assert figure == pytest.approx((values.mean(), values.mean() - half, values.mean() + half), rel=1e-4)


@pytest.mark.parametrize("n_right", [87, 89])
def test_a_proportion_has_wilsons_interval_which_stays_within_one(n_right: int) -> None:
    is_right = np.arange(89) < n_right
    figure = estimate_proportion(np.arange(89) % N_GROUPS, np.ones(89), is_right)
    level = 2 * norm.cdf(t.ppf(0.95, N_GROUPS - 1)) - 1
    expected = binomtest(n_right, 89).proportion_ci(level, method="wilson")
    assert figure.value == pytest.approx(n_right / 89)
    assert figure.high <= 1.0
    assert figure.low == pytest.approx(expected.low, abs=0.02)  # the jackknife's number of independent rows is an estimate
    assert figure.low <= expected.low + 1e-3


def test_rows_that_repeat_each_other_widen_the_interval_of_a_proportion() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(N_GROUPS), 50)
    alone = estimate_proportion(groups, np.ones(1000), rng.random(1000) < 0.8)
    repeated = estimate_proportion(groups, np.ones(1000), np.repeat(rng.random(N_GROUPS) < 0.8, 50))
    assert repeated.high - repeated.low > 3 * (alone.high - alone.low)


def test_a_share_is_r2_and_its_interval_stays_below_one() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=600)
    guess = truth + 0.1 * rng.normal(size=600)
    lost, whole = (truth - guess) ** 2, (truth - truth.mean()) ** 2
    figure = estimate_share(lost, whole, np.ones(600))
    assert figure.value == pytest.approx(r2_score(truth, guess), abs=1e-9)
    assert 0.98 < figure.low < figure.value < figure.high < 1.0
    assert estimate_share(np.zeros(9), np.ones(9), np.ones(9)).low > 1 - 1e-9


def test_intervals_of_a_share_hold_nine_times_of_ten() -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        signal, noise = rng.normal(size=400), 0.5 * rng.normal(size=400)
        figure = estimate_share(noise**2, (signal + noise) ** 2, np.ones(400))
        held.append(figure.low <= 0.8 <= figure.high)
    assert 0.87 <= np.mean(held) <= 0.95


def test_intervals_hold_where_few_rows_hold_most_of_what_is_lost() -> None:
    """Residuals that are products of four Gaussians: the plain variance of the mean holds 79 %."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        signal, product = rng.normal(size=400), 0.5 * rng.normal(size=(4, 400)).prod(axis=0)
        figure = estimate_share(product**2, (signal + product) ** 2, np.ones(400))
        held.append(figure.low <= 0.8 <= figure.high)
    assert np.mean(held) >= 0.86


def test_a_row_of_weight_two_is_two_rows() -> None:
    lost, whole = np.array([1.0, 2.0, 4.0]), np.array([5.0, 9.0, 7.0])
    twice = estimate_share(lost[[0, 0, 1, 2]], whole[[0, 0, 1, 2]], np.ones(4))
    assert estimate_share(lost, whole, np.array([2.0, 1.0, 1.0])) == pytest.approx(twice)


def test_a_weight_counts_rows() -> None:
    groups = np.array([0, 0, 1])
    twice = sum_groups(groups, np.array([1.0, 2.0, 1.0]), np.array([1.0, 10.0, 5.0]))
    assert twice[:2, 0].tolist() == [21.0, 5.0]


def test_verdicts_ask_for_the_whole_interval() -> None:
    thresholds = Thresholds(safe_carried=0.9, unsafe_carried=0.7)
    assert thresholds.judge_share(0.90, 0.95, "carried") == "safe"
    assert thresholds.judge_share(0.89, 0.95, "carried") == "caution"
    assert thresholds.judge_share(0.60, 0.70, "carried") == "caution"
    assert thresholds.judge_share(0.60, 0.69, "carried") == "unsafe"
    assert take_worst(["safe", "unsafe", "caution"]) == "unsafe"
    assert take_worst([]) == "safe"


def test_thresholds_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"safe_carried=95 must be a share, from 0 to 1"):
        Thresholds(safe_carried=95)
    with pytest.raises(ValueError, match=r"safe_agreement=0\.5 must not lie below unsafe_agreement=0\.8"):
        Thresholds(safe_agreement=0.5)
