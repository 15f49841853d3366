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
