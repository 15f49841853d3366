"""Tests of residuals against hand counts, enumeration of every choice of rows, and simulation."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import gamma, skew

from instashap.inference.residuals import (
    ROUNDING,
    compare_sizes,
    compute_cut,
    compute_log_sizes,
    compute_pattern_p,
    digest_rows,
    evaluate_curves,
    scale_residuals,
)
from instashap.table.encoding import Encoded


def test_residuals_are_in_units_of_the_spread_and_rounding_is_zero():
    scaled = scale_residuals(np.array([[4.0, 1e-7], [-1.0, 2e-5]]), np.array([2.0, 1.0]))
    assert scaled.tolist() == [[2.0, 0.0], [-0.5, 2e-5]]
    np.testing.assert_allclose(np.exp(compute_log_sizes(np.array([[3.0, 4.0], [0.0, 0.0]]))), [5 + ROUNDING, ROUNDING])


@pytest.mark.parametrize("values", [[0.1, 0.3, 0.4, 0.8, 1.1, 1.5, 2.0, 7.0], [0, 0, 1, 1, 1, 2, 2, 9]])
@pytest.mark.parametrize("n", [2, 3, 5])
def test_scores_are_savages_and_their_sum_has_the_moments_of_every_choice_of_rows(values, n):
    values = np.array(values, dtype=float)
    every = np.array([np.mean([sum(1 / (8 - j) for j in range(r + 1)) for r in np.flatnonzero(values == v)]) for v in values])
    sums = np.array([every[list(chosen)].sum() for chosen in combinations(range(8), n)])
    for chosen in ([7, *range(n - 1)], list(range(8 - n, 8)), list(range(n))):
        sizes, reference = values[chosen], np.delete(values, chosen)
        law = gamma(4 / skew(sums) ** 2)
        z = (every[chosen].sum() - sums.mean()) / sums.std()
        place = law.mean() + np.sign(skew(sums)) * law.std() * z
        expected = law.sf(place) if skew(sums) > 0 else law.cdf(place)
        assert compare_sizes(sizes, reference) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_sizes_of_one_law_alarm_at_the_stated_level_and_larger_ones_are_found():
    rng = np.random.default_rng(0)
    reference = rng.standard_t(3, 3000)
    for n, low in ((8, 0.02), (400, 0.02)):
        p = np.array([compare_sizes(np.abs(rng.standard_t(3, n)), np.abs(reference)) for _ in range(400)])
        assert low < (p < 0.05).mean() < 0.08
    assert np.median([compare_sizes(1.2 * np.abs(rng.standard_t(3, 400)), np.abs(reference)) for _ in range(40)]) < 0.01


def test_sizes_that_are_all_equal_have_a_p_value_of_one():
    assert compare_sizes(np.zeros(5), np.zeros(9)) == 1.0
    assert compare_sizes(np.ones(200), np.zeros(900)) < 1e-100


def test_residuals_of_random_signs_show_a_pattern_at_the_stated_level():
    rng = np.random.default_rng(1)
    directions = np.column_stack([np.ones(150), rng.normal(size=(150, 4))])
    heavy = rng.standard_t(5, size=150) * np.exp(1.5 * np.abs(directions[:, 1]))
    heavy = np.clip(heavy, -compute_cut(heavy[:, None]), compute_cut(heavy[:, None]))
    p = np.array([compute_pattern_p(directions, (heavy * rng.choice([-1, 1], 150))[:, None], np.zeros(1)) for _ in range(300)])
    assert 0.02 < (p < 0.05).mean() < 0.08
    assert 0.4 < (p < 0.5).mean() < 0.6


def test_the_models_own_error_is_no_pattern_wherever_the_rows_lie():
    rng = np.random.default_rng(2)
    spread_out = np.column_stack([np.ones(150), rng.normal(size=(150, 3))])
    in_a_corner = spread_out + np.array([0, 2, 0, 0])
    for directions in (spread_out, in_a_corner):
        noise = rng.normal(size=(200, 150))
        own = 0.15 * rng.normal(size=(200, 4)) @ directions.T
        p = np.array([compute_pattern_p(directions, each[:, None], np.array([0.15**2])) for each in noise + own])
        assert 0.02 < (p < 0.05).mean() < 0.08
        blind = np.array([compute_pattern_p(directions, each[:, None], np.zeros(1)) for each in noise + own])
        assert (blind < 0.05).mean() > 0.3


def test_a_shift_along_a_column_is_a_pattern_in_whichever_output():
    rng = np.random.default_rng(3)
    directions = np.column_stack([np.ones(400), rng.normal(size=(400, 5))])
    residuals = rng.normal(size=(400, 3))
    assert compute_pattern_p(directions, residuals, np.zeros(3)) > 0.05
    residuals[:, 2] += 0.4 * directions[:, 3]
    assert compute_pattern_p(directions, residuals, np.zeros(3)) < 1e-6
    assert compute_pattern_p(directions, np.zeros((400, 3)), np.full(3, 0.1)) == 1.0


def test_the_p_value_is_the_smallest_times_the_number_of_outputs():
    rng = np.random.default_rng(4)
    directions, residuals = np.ones((50, 1)), rng.normal(size=(50, 2)) + np.array([1.0, 0.0])
    alone = compute_pattern_p(directions, residuals[:, :1], np.zeros(1))
    assert compute_pattern_p(directions, residuals, np.zeros(2)) == pytest.approx(2 * alone)


def test_cuts_are_five_mean_absolute_residuals():
    assert compute_cut(np.array([[1.0, 0.0], [-3.0, 0.0]])).tolist() == [10.0, 1e-3]


def test_digests_differ_for_other_rows_and_other_orders():
    cells, offsets = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.int32), np.array([[0.1, 0.2], [0.3, 0.4], [0.0, 0.0]])
    digest = digest_rows(Encoded(cells, offsets), 2)
    assert digest == digest_rows(Encoded(cells[:2].copy(), np.asfortranarray(offsets[:2])), 2)
    assert digest != digest_rows(Encoded(cells[[1, 0, 2]], offsets[[1, 0, 2]]), 2)
    assert digest != digest_rows(Encoded(cells, offsets + 1e-9), 2)
    assert digest_rows(Encoded(cells, offsets), 3) == digest_rows(Encoded(cells, -offsets * -1.0 - 0.0), 3)


def test_curves_are_summed_and_directions_kept_apart(encode):
    columns, encoded = encode(np.random.default_rng(5).normal(size=(60, 2)))
    bases = [column.encoder.bases[0] for column in columns]
    rng = np.random.default_rng(6)
    curves = (rng.normal(size=(bases[0].n_functions, 3)), rng.normal(size=(bases[1].n_functions, 2)))
    logs, directions = evaluate_curves(curves, encoded, bases)
    values = [
        basis.combine(encoded.cells[:, column], encoded.offsets[:, column], np.eye(basis.n_functions)) @ curves[column]
        for column, basis in enumerate(bases)
    ]
    np.testing.assert_allclose(logs, values[0][:, 0] + values[1][:, 0], atol=1e-12)
    np.testing.assert_allclose(directions, np.column_stack([np.ones(60), values[0][:, 1:], values[1][:, 1:]]), atol=1e-12)
