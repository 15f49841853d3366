"""Sufficient statistics against NumPy, and the algebra of parts and wholes."""

import numpy as np
import pytest

from instashap.additive.moments import BLOCK_ROWS, Moments, accumulate_moments, assign_folds, merge_all
from instashap.table.encoding import Encoded


def _rows(n, seed=0, n_functions=4, n_outputs=2):
    """Encoded rows whose offsets are the function values themselves, outputs and weights."""
    rng = np.random.default_rng(seed)
    offsets = rng.normal(size=(n, n_functions)) @ rng.normal(size=(n_functions, n_functions)) + rng.normal(size=n_functions)
    outputs = offsets @ rng.normal(size=(n_functions, n_outputs)) + rng.normal(size=(n, n_outputs))
    return Encoded(np.zeros(offsets.shape, np.int32), offsets), outputs, rng.uniform(0.2, 2.0, n)


def _accumulate(encoded, outputs, weights):
    return accumulate_moments(lambda rows: rows.offsets.T.copy(), encoded, outputs, weights, encoded.offsets.shape[1])


def _take(rows, chosen):
    encoded, outputs, weights = rows
    return Encoded(encoded.cells[chosen], encoded.offsets[chosen]), outputs[chosen], weights[chosen]


def _assert_close(ours, theirs, rtol):
    assert ours.weight == pytest.approx(theirs.weight, rel=rtol)
    for name in ("means", "scatter", "output_means", "cross", "output_scatter"):
        expected = getattr(theirs, name)
        np.testing.assert_allclose(getattr(ours, name), expected, atol=rtol * np.abs(expected).max(), err_msg=name)


def test_two_rows_have_the_hand_computed_moments():
    encoded = Encoded(np.zeros((2, 1), np.int32), np.array([[1.0], [3.0]]))
    moments = _accumulate(encoded, np.array([[0.0], [2.0]]), np.array([1.0, 3.0]))
    assert moments.weight == 4.0
    assert moments.means.tolist() == [2.5]
    assert moments.output_means.tolist() == [1.5]
    # 1 · 1.5² + 3 · 0.5², the same for all three
    assert moments.scatter.tolist() == [[3.0]]
    assert moments.cross.tolist() == [[3.0]]
    assert moments.output_scatter.tolist() == [3.0]


@pytest.mark.parametrize("n_rows", [1, 7, BLOCK_ROWS, 2 * BLOCK_ROWS + 123])
def test_moments_are_numpys_weighted_covariances(n_rows):
    encoded, outputs, weights = _rows(n_rows)
    moments = _accumulate(encoded, outputs, weights)
    everything = np.hstack([encoded.offsets, outputs])
    means = np.average(everything, axis=0, weights=weights)
    centred = everything - means
    scatter = (centred * weights[:, None]).T @ centred
    expected = Moments(weights.sum(), means[:4], scatter[:4, :4], means[4:], scatter[:4, 4:], np.diag(scatter)[4:])
    _assert_close(moments, expected, 1e-12)
    if n_rows > 1:
        covariance = np.cov(everything.T, aweights=weights, ddof=0) * weights.sum()
        np.testing.assert_allclose(moments.scatter, covariance[:4, :4], rtol=1e-10)
    np.testing.assert_array_equal(moments.scatter, moments.scatter.T)


def test_moments_of_parts_add_to_those_of_the_whole():
    rows = _rows(3000)
    parts = [_accumulate(*_take(rows, slice(start, start + 700))) for start in range(0, 3000, 700)]
    _assert_close(merge_all(parts), _accumulate(*rows), 1e-12)
    _assert_close(merge_all(parts[::-1]), _accumulate(*rows), 1e-12)


def test_parts_with_means_far_apart_add_without_loss():
    rows = _rows(2000)
    rows[0].offsets[1000:] += 50.0
    rows[1][1000:] -= 30.0
    one, other = _accumulate(*_take(rows, slice(1000))), _accumulate(*_take(rows, slice(1000, None)))
    _assert_close(one + other, _accumulate(*rows), 1e-12)


def test_subtracting_a_part_leaves_the_rest():
    rows = _rows(2000)
    whole = _accumulate(*rows)
    part, rest = _accumulate(*_take(rows, slice(400))), _accumulate(*_take(rows, slice(400, None)))
    _assert_close(whole - part, rest, 1e-11)


def test_subtracting_everything_is_refused():
    moments = _accumulate(*_rows(50))
    with pytest.raises(ValueError, match="describe no rows"):
        moments - moments
    with pytest.raises(ValueError, match="no rows"):
        _accumulate(*_take(_rows(5), slice(0)))


def test_a_million_added_to_the_outputs_changes_their_means_alone():
    encoded, outputs, weights = _rows(5000)
    plain = _accumulate(encoded, outputs, weights)
    shifted = _accumulate(encoded, outputs + 1e6, weights)
    np.testing.assert_allclose(shifted.output_means - 1e6, plain.output_means, atol=1e-8)
    np.testing.assert_allclose(shifted.cross, plain.cross, rtol=1e-9)
    np.testing.assert_allclose(shifted.output_scatter, plain.output_scatter, rtol=1e-9)
    first = _accumulate(*_take((encoded, outputs + 1e6, weights), slice(1500)))
    second = _accumulate(*_take((encoded, outputs + 1e6, weights), slice(1500, None)))
    np.testing.assert_allclose((first + second).cross, plain.cross, rtol=1e-8)


def test_a_weight_of_three_is_three_rows():
    encoded, outputs, _ = _rows(300)
    weights = np.random.default_rng(1).integers(1, 4, 300)
    repeated = np.repeat(np.arange(300), weights)
    ours = _accumulate(encoded, outputs, weights.astype(float))
    _assert_close(ours, _accumulate(*_take((encoded, outputs, np.ones(300)), repeated)), 1e-12)


def test_second_moments_about_other_rows_means_are_those_of_shifted_rows():
    fold, train = _rows(400, seed=1), _rows(900, seed=2)
    centre = _accumulate(*train)
    gram, cross, variance = _accumulate(*fold).around(centre)
    values = fold[0].offsets - centre.means
    targets = fold[1] - centre.output_means
    share = fold[2] / fold[2].sum()
    np.testing.assert_allclose(gram, (values * share[:, None]).T @ values, rtol=1e-11)
    np.testing.assert_allclose(cross, (values * share[:, None]).T @ targets, rtol=1e-10)
    np.testing.assert_allclose(variance, share @ targets**2, rtol=1e-12)


def test_asking_about_other_means_leaves_the_moments_alone():
    moments, centre = _accumulate(*_rows(400, seed=1)), _accumulate(*_rows(900, seed=2))
    before = moments.scatter.copy()
    moments.around(centre)
    np.testing.assert_array_equal(moments.scatter, before)


def test_moments_of_some_functions_are_those_of_the_functions_alone():
    encoded, outputs, weights = _rows(500)
    chosen = np.array([3, 1])
    alone = Encoded(encoded.cells[:, chosen], encoded.offsets[:, chosen])
    _assert_close(_accumulate(encoded, outputs, weights).select(chosen), _accumulate(alone, outputs, weights), 1e-12)


# --- folds


def _many_rows(n=20_000, seed=0):
    rng = np.random.default_rng(seed)
    return Encoded(rng.integers(0, 7, (n, 5)).astype(np.int32), rng.random((n, 5)))


def test_a_row_has_the_same_fold_in_whatever_order_and_company_it_comes():
    encoded = _many_rows()
    folds = assign_folds(encoded, 5)
    order = np.random.default_rng(1).permutation(len(folds))
    shuffled = assign_folds(Encoded(encoded.cells[order], encoded.offsets[order]), 5)
    np.testing.assert_array_equal(shuffled, folds[order])
    alone = [assign_folds(Encoded(encoded.cells[row : row + 1], encoded.offsets[row : row + 1]), 5)[0] for row in range(50)]
    assert alone == folds[:50].tolist()


def test_permuting_columns_changes_no_fold():
    encoded = _many_rows()
    order = np.array([3, 0, 4, 2, 1])
    permuted = Encoded(encoded.cells[:, order], encoded.offsets[:, order])
    np.testing.assert_array_equal(assign_folds(permuted, 5), assign_folds(encoded, 5))


def test_equal_rows_fall_together_and_a_negative_zero_is_a_zero():
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 2, (4000, 3)).astype(np.int32)
    folds = assign_folds(Encoded(cells, np.zeros((4000, 3))), 5)
    for row in np.unique(cells, axis=0):
        assert len(np.unique(folds[(cells == row).all(axis=1)])) == 1
    np.testing.assert_array_equal(assign_folds(Encoded(cells, np.full((4000, 3), -0.0)), 5), folds)


@pytest.mark.parametrize("n_folds", [2, 5, 20])
def test_folds_are_balanced(n_folds):
    counts = np.bincount(assign_folds(_many_rows(), n_folds), minlength=n_folds)
    assert len(counts) == n_folds
    expected = 20_000 / n_folds
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 3 * n_folds + 10


def test_folds_of_category_rows_tell_cells_apart():
    cells = np.stack(np.meshgrid(*[np.arange(12)] * 3, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.int32)
    counts = np.bincount(assign_folds(Encoded(cells, np.zeros(cells.shape)), 5), minlength=5)
    assert counts.min() > 0.8 * len(cells) / 5
