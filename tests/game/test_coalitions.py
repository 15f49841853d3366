"""Mask laws against hand values and enumeration of every coalition."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from instashap.game.coalitions import (
    compute_containment_masses,
    compute_shapley_size_law,
    enumerate_coalitions,
    sample_coalitions,
)


@pytest.mark.parametrize(
    ("n_features", "interior"),
    [
        (2, [Fraction(1)]),
        (3, [Fraction(1, 2), Fraction(1, 2)]),
        (4, [Fraction(4, 11), Fraction(3, 11), Fraction(4, 11)]),  # 1/3, 1/4, 1/3 over 11/12
        (5, [Fraction(3, 10), Fraction(1, 5), Fraction(1, 5), Fraction(3, 10)]),  # 1/4, 1/6, 1/6, 1/4 over 5/6
    ],
)
def test_size_law_has_the_hand_computed_interior_masses(n_features, interior):
    law = compute_shapley_size_law(n_features, full_weight=0.3)
    assert law.shape == (n_features + 1,)
    assert law.dtype == np.float64
    np.testing.assert_allclose(law, [0.0, *map(float, interior), 0.3], rtol=1e-15)


def test_one_feature_has_all_mass_on_the_full_coalition_whatever_the_full_weight():
    assert compute_shapley_size_law(1).tolist() == [0.0, 1.0]
    assert compute_shapley_size_law(1, full_weight=0.2).tolist() == [0.0, 1.0]


def test_interior_masses_are_the_shapley_kernel_summed_over_the_coalitions_of_a_size():
    d = 9
    kernel = [(d - 1) / (comb(d, s) * s * (d - s)) * comb(d, s) for s in range(1, d)]  # Lundberg and Lee's kernel
    law = compute_shapley_size_law(d)
    np.testing.assert_allclose(law[1:-1], np.array(kernel) / sum(kernel), rtol=1e-14)
    # The paper's normaliser: (2 / d) H_{d-1}.
    harmonic = sum(1 / s for s in range(1, d))
    np.testing.assert_allclose(law[1:-1], [d / (2 * harmonic) / (s * (d - s)) for s in range(1, d)], rtol=1e-14)


def test_full_weight_is_relative_to_an_interior_of_mass_one():
    law = compute_shapley_size_law(12, full_weight=2.5)
    assert law[-1] == 2.5
    assert law[0] == 0.0
    assert law.sum() == pytest.approx(3.5, rel=1e-15)


def test_containment_masses_of_three_features_are_the_hand_computed_ones():
    # pi_1: (1/2)(1/3) + (1/2)(2/3) + 1/2 = 1; pi_2: (1/2)(1/3) + 1/2 = 2/3
    np.testing.assert_allclose(compute_containment_masses(np.array([0.0, 0.5, 0.5, 0.5])), [1.5, 1.0, 2 / 3, 0.5], rtol=1e-15)


@pytest.mark.parametrize("n_features", [1, 2, 3, 6])
def test_containment_masses_equal_a_sum_over_all_masks(n_features):
    law = np.random.default_rng(n_features).uniform(0.1, 1.0, n_features + 1)
    masks = enumerate_coalitions(n_features)
    sizes = masks.sum(axis=1)
    mass = law[sizes] / np.array([comb(n_features, s) for s in sizes])
    masses = compute_containment_masses(law)
    for k in range(n_features + 1):
        given = list(range(n_features))[n_features - k :]  # any k features will do: take the last ones
        assert masses[k] == pytest.approx(mass[masks[:, given].all(axis=1)].sum(), rel=1e-13)


@pytest.mark.parametrize("n_features", [60, 1000])
def test_containment_masses_equal_exact_fractions(n_features):
    law = np.random.default_rng(0).uniform(0.1, 1.0, n_features + 1)
    masses = compute_containment_masses(law)
    for k in [0, 1, 2, 3, n_features // 2, n_features - 1, n_features]:
        ratios = [Fraction(comb(n_features - k, s - k), comb(n_features, s)) for s in range(k, n_features + 1)]
        exact = sum((Fraction(float(each)) * ratio for each, ratio in zip(law[k:], ratios, strict=True)), Fraction(0))
        assert masses[k] == pytest.approx(float(exact), rel=1e-12)


def test_containment_masses_stay_finite_and_falling_for_hundreds_of_features():
    masses = compute_containment_masses(compute_shapley_size_law(400))
    assert np.isfinite(masses).all()
    assert (np.diff(masses) < 0).all()
    assert masses[-1] == 1.0
    # A Shapley coalition holds a given feature with probability one half, by the kernel's symmetry.
    assert masses[1] == pytest.approx(0.5 + 1.0, rel=1e-12)


def test_every_coalition_is_listed_once_in_binary_order():
    masks = enumerate_coalitions(5)
    assert masks.shape == (32, 5)
    assert masks.dtype == np.bool_
    assert [int("".join("01"[bit] for bit in row[::-1]), 2) for row in masks.astype(int)] == list(range(32))


def test_no_features_have_the_empty_coalition_only():
    assert enumerate_coalitions(0).shape == (1, 0)


def test_enumeration_is_refused_above_twenty_features():
    with pytest.raises(ValueError, match=r"21 features have 2\*\*21 coalitions"):
        enumerate_coalitions(21)


def test_sampled_coalitions_follow_the_law_in_complementary_pairs():
    law = compute_shapley_size_law(5, 0.7)
    masks = sample_coalitions(law, 20_000, np.random.default_rng(0))
    np.testing.assert_array_equal(masks[:20_000], ~masks[20_000:])
    sizes = np.bincount(masks.sum(axis=1), minlength=6) / len(masks)
    np.testing.assert_allclose(sizes, [0, *law[1:5], 0], atol=0.01)
    np.testing.assert_allclose(masks.mean(axis=0), 0.5, atol=1e-12)
    together = (masks[:, 0] & masks[:, 3]).mean()
    np.testing.assert_allclose(together, compute_containment_masses(law)[2] - 0.7, atol=0.01)
