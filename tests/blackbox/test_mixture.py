"""Mixtures of Gaussians on rows whose components are known."""

import numpy as np

from instashap.blackbox.mixture import learn_components


def test_components_of_rows_of_other_signs_are_mirrored_and_in_the_same_order():
    rng = np.random.default_rng(0)
    signs = np.array([-1.0, -1.0, 1.0])
    rows = np.concatenate([rng.normal(size=(400, 3)), np.array([5.0, -4.0, 2.0]) + rng.normal(size=(200, 3))])
    shares, means, covariances = learn_components(rows, np.ones(len(rows)))
    np.testing.assert_allclose(np.sort(shares), [1 / 3, 2 / 3], atol=0.01)
    mirrored = learn_components(rows * signs, np.ones(len(rows)))
    np.testing.assert_allclose(mirrored[0], shares, rtol=1e-9)
    np.testing.assert_allclose(mirrored[1], means * signs, atol=1e-9)
    np.testing.assert_allclose(mirrored[2], covariances * np.outer(signs, signs), atol=1e-9)


def test_components_of_many_rows_are_those_of_all_in_any_order():
    rng = np.random.default_rng(1)
    rows = np.concatenate([rng.normal(size=(6000, 2)), np.array([3.0, -3.0]) + 0.5 * rng.normal(size=(3000, 2))])
    shares, means, covariances = learn_components(rows, np.ones(len(rows)))
    order = np.argsort(shares)
    np.testing.assert_allclose(shares[order], [1 / 3, 2 / 3], atol=0.01)
    # Standard errors of means are .01: those of a sample of 4 096 rows would be .016.
    np.testing.assert_allclose(means[order], [rows[6000:].mean(axis=0), rows[:6000].mean(axis=0)], atol=0.01)
    np.testing.assert_allclose(covariances[order], [0.25 * np.eye(2), np.eye(2)], atol=0.06)
    mixed = rng.permutation(len(rows))
    for found, expected in zip(learn_components(rows[mixed], np.ones(len(rows))), (shares, means, covariances), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
