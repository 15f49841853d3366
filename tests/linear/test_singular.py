"""Singular values where LAPACK's first choice fails."""

import numpy as np
import pytest

from instashap.linear.singular import svd


def test_a_matrix_on_which_divide_and_conquer_fails_is_decomposed(monkeypatch):
    matrix = np.random.default_rng(0).normal(size=(7, 4))

    def fail(matrix, full_matrices=True):
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr(np.linalg, "svd", fail)
    left, sizes, right = svd(matrix, full_matrices=False)
    assert (left.shape, right.shape) == ((7, 4), (4, 4))
    np.testing.assert_allclose((left * sizes) @ right, matrix, atol=1e-12)
    np.testing.assert_allclose(sizes**2, np.linalg.eigvalsh(matrix.T @ matrix)[::-1], rtol=1e-10)
    assert svd(matrix)[0].shape == (7, 7)


def test_a_matrix_that_is_not_finite_is_refused_by_either_driver():
    with pytest.raises(ValueError, match="infs or NaNs"):
        svd(np.full((2, 2), np.nan))
