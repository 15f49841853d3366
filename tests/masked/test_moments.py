"""Sufficient statistics against NumPy, and the algebra of parts and wholes."""

from dataclasses import replace

import numpy as np
import pytest

from instashap.masked.folds import RowCensus, assign_folds, take_census
from instashap.masked.moments import (
    BLOCK_ROWS,
    CentredMoments,
    RowMoments,
    accumulate_moments,
    accumulate_weighted,
    merge_all,
    mirror_upper,
)
from instashap.table.columns import read_table
from instashap.table.encoding import Encoded, learn_table


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


@pytest.mark.parametrize(
    ("n_rows", "n"), [(1, 4), (7, 4), (BLOCK_ROWS, 4), (2 * BLOCK_ROWS + 123, 4), (300, 256), (700, 257), (2500, 600)]
)
def test_moments_are_numpys_weighted_covariances(n_rows, n):
    encoded, outputs, weights = _rows(n_rows, n_functions=n)
    moments = _accumulate(encoded, outputs, weights)
    everything = np.hstack([encoded.offsets, outputs])
    means = np.average(everything, axis=0, weights=weights)
    centred = everything - means
    scatter = (centred * weights[:, None]).T @ centred
    expected = CentredMoments(weights.sum(), means[:n], scatter[:n, :n], means[n:], scatter[:n, n:], np.diag(scatter)[n:])
    _assert_close(moments, expected, 1e-12)
    if n_rows > 1:
        covariance = np.cov(everything.T, aweights=weights, ddof=0) * weights.sum()
        np.testing.assert_allclose(moments.scatter, covariance[:n, :n], atol=1e-12 * np.abs(covariance).max())
    np.testing.assert_array_equal(moments.scatter, moments.scatter.T)


@pytest.mark.parametrize("n_known", [1, 300, 303])
def test_moments_of_more_functions_and_other_weights_are_those_of_all_at_once(n_known):
    encoded, outputs, weights = _rows(BLOCK_ROWS + 57, n_functions=303)
    first = Encoded(encoded.cells[:, :n_known], encoded.offsets[:, :n_known])
    known = _accumulate(first, outputs, weights)
    known.scatter[0, 0] += 1.0  # it is taken as it is, not computed again
    values = lambda rows: rows.offsets.T.copy()  # noqa: E731
    more = accumulate_moments(values, encoded, outputs, weights, 303, known)
    expected = _accumulate(encoded, outputs, weights)
    expected.scatter[0, 0] += 1.0
    _assert_close(more, expected, 1e-12)
    one, other = accumulate_weighted(values, encoded, outputs, [weights, weights**2], 303)
    _assert_close(one, _accumulate(encoded, outputs, weights), 1e-12)
    _assert_close(other, _accumulate(encoded, outputs, weights**2), 1e-12)


def test_moments_of_kept_values_are_numpys_weighted_covariances():
    encoded, outputs, weights = _rows(50)
    parts = [slice(0, 20), slice(20, 50)]
    values = [encoded.offsets[part].T for part in parts]
    moments = RowMoments(values, [outputs[part] for part in parts], [weights[part] for part in parts])
    everything = np.hstack([encoded.offsets, outputs])
    means = np.average(everything, axis=0, weights=weights)
    scatter = ((everything - means) * weights[:, None]).T @ (everything - means)
    expected = CentredMoments(weights.sum(), means[:4], scatter[:4, :4], means[4:], scatter[:4, 4:], np.diag(scatter)[4:])
    _assert_close(moments, expected, 1e-12)
    chosen = moments.select(np.array([2, 0]))
    np.testing.assert_allclose(chosen.scatter, scatter[np.ix_([2, 0], [2, 0])], rtol=1e-12)
    np.testing.assert_allclose(chosen.cross, scatter[[2, 0], 4:], rtol=1e-10)


def test_moments_of_parts_add_to_those_of_the_whole():
    rows = _rows(3000)
    parts = [_accumulate(*_take(rows, slice(start, start + 700))) for start in range(0, 3000, 700)]
    _assert_close(merge_all(parts), _accumulate(*rows), 1e-12)
    _assert_close(merge_all(parts[::-1]), _accumulate(*rows), 1e-12)


@pytest.mark.parametrize("n_functions", [1, 300])
@pytest.mark.parametrize("orders", ["CC", "CF", "FC", "FF"])
def test_moments_add_and_subtract_in_any_memory_order_and_stay_what_they_were(n_functions, orders):
    rows = _rows(900, n_functions=n_functions)
    pieces = [_take(rows, slice(350)), _take(rows, slice(350, None))]
    parts = []
    for piece, order in zip(pieces, orders, strict=True):
        moments = _accumulate(*piece)
        parts.append(replace(moments, scatter=np.asarray(moments.scatter, order=order)))
    before = [part.scatter.copy() for part in parts]
    whole = parts[0] + parts[1]
    _assert_close(whole, _accumulate(*rows), 1e-12)
    _assert_close(whole - parts[0], parts[1], 1e-11)
    gram, _, _ = parts[0].around(parts[1])
    values = pieces[0][0].offsets - parts[1].means
    expected = (values * pieces[0][2][:, None]).T @ values / pieces[0][2].sum()
    np.testing.assert_allclose(gram, expected, atol=1e-12 * np.abs(expected).max())
    for part, scatter in zip(parts, before, strict=True):
        np.testing.assert_array_equal(part.scatter, scatter)


@pytest.mark.parametrize("n", [0, 1, 3, 4, 7])
def test_the_upper_triangle_is_mirrored_whatever_was_below(n):
    matrix = np.asfortranarray(np.random.default_rng(0).normal(size=(n, n)))
    expected = np.triu(matrix) + np.triu(matrix, 1).T
    mirror_upper(matrix, tile=3)
    np.testing.assert_array_equal(matrix, expected)


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


def _number_folds(encoded, outputs=None, weights=None, n_folds=5):
    """Fold of each row, where folds are disjoint, all rows are in them and none is empty."""
    n = len(encoded.cells)
    outputs = np.zeros((n, 1)) if outputs is None else outputs
    weights = np.random.default_rng(9).uniform(0.5, 1.5, n) if weights is None else weights
    folds = assign_folds(encoded, outputs, weights, n_folds)
    numbers = np.full(n, -1)
    for number, (rows, row_weights) in enumerate(folds):
        assert len(rows)
        assert (numbers[rows] == -1).all()
        numbers[rows] = number
        np.testing.assert_array_equal(row_weights, weights[rows])
    assert (numbers >= 0).all()
    return numbers


def _pick(encoded, rows):
    return Encoded(encoded.cells[rows], encoded.offsets[rows])


def test_a_row_has_the_same_fold_in_whatever_order_it_comes():
    encoded = _many_rows()
    weights = np.random.default_rng(2).uniform(0.5, 1.5, 20_000)
    folds = _number_folds(encoded, weights=weights)
    order = np.random.default_rng(1).permutation(len(folds))
    np.testing.assert_array_equal(_number_folds(_pick(encoded, order), weights=weights[order]), folds[order])


def test_a_row_of_weight_three_has_the_fold_of_three_rows():
    encoded = _many_rows(3000)
    counts = np.random.default_rng(1).integers(1, 4, 3000)
    copies = np.repeat(np.arange(3000), counts)
    weighted = _number_folds(encoded, weights=counts.astype(float))
    np.testing.assert_array_equal(_number_folds(_pick(encoded, copies), weights=np.ones(len(copies))), weighted[copies])


def test_outputs_move_no_row_of_a_table_of_many():
    encoded = _many_rows()
    outputs = np.random.default_rng(1).normal(size=(20_000, 3))
    np.testing.assert_array_equal(_number_folds(encoded, outputs), _number_folds(encoded))


@pytest.fixture(scope="module")
def mixed_table():
    """Columns of every kind: smooth, long-tailed, in steps of a tenth, with a spike at zero, of five values, with gaps."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 6))
    X[:, 1] = np.exp(2 * X[:, 1])
    X[:, 2] = np.round(10 * X[:, 2]) / 10
    X[:1000, 3] = 0.0
    X[:, 4] = np.clip(np.round(X[:, 4]), -2, 2)
    X[::7, 5] = np.nan
    return X


def _fold_numbers_of_table(X):
    table, weights = read_table(X), np.ones(len(X))
    encoder, _ = learn_table(table, weights)
    return _number_folds(encoder.encode(table), weights=weights)


@pytest.mark.parametrize(
    "change",
    [
        lambda X: 1000 * X,
        lambda X: X / 2.54,
        lambda X: X + 273.15,
        lambda X: 1.8 * X + 32,
        lambda X: X.astype(np.float32),
        lambda X: np.column_stack([X, np.full(len(X), 7.0)]),
        lambda X: np.column_stack([np.full(len(X), np.nan), X]),
        lambda X: X[:, [3, 0, 4, 2, 5, 1]],
    ],
    ids=["thousands", "inches", "kelvin", "fahrenheit", "float32", "constant", "missing", "columns"],
)
def test_units_precision_and_empty_columns_move_no_row(mixed_table, change):
    np.testing.assert_array_equal(_fold_numbers_of_table(change(mixed_table)), _fold_numbers_of_table(mixed_table))


def test_values_that_a_float32_joins_move_few_rows(mixed_table):
    kelvin = (mixed_table + 273.15).astype(np.float32)  # to 3e-5: many values of the smooth columns are joined
    assert (_fold_numbers_of_table(kelvin) != _fold_numbers_of_table(mixed_table)).mean() < 0.01


def test_permuting_columns_changes_no_fold():
    encoded = _many_rows()
    order = np.array([3, 0, 4, 2, 1])
    permuted = Encoded(encoded.cells[:, order], encoded.offsets[:, order])
    np.testing.assert_array_equal(_number_folds(permuted), _number_folds(encoded))


def test_equal_rows_fall_together_and_a_negative_zero_is_a_zero():
    rng = np.random.default_rng(0)
    cells = (rng.integers(0, 9, (4000, 3)) + np.array([0, 10, 20])).astype(np.int32)  # some six of each
    outputs = rng.normal(size=(4000, 1))
    folds = _number_folds(Encoded(cells, np.zeros((4000, 3))), outputs)
    _, alike = np.unique(cells, axis=0, return_inverse=True)
    assert alike.max() + 1 < 4000 / 5
    for row in range(alike.max() + 1):
        assert len(np.unique(folds[alike == row])) == 1
    table = np.where(rng.random((200, 2)) < 0.3, 0.0, rng.normal(size=(200, 2)))
    for lows in (0.0, -9.0):  # zero at the end of a column, and inside
        table = np.maximum(table, lows)
        encoder, _ = learn_table(read_table(table), np.ones(200))
        one, other = (encoder.encode(read_table(np.where(table == 0, zero, table))) for zero in (0.0, -0.0))
        np.testing.assert_array_equal(_number_folds(one, outputs[:200]), _number_folds(other, outputs[:200]))


@pytest.mark.parametrize("n_folds", [2, 5, 20])
def test_folds_are_balanced(n_folds):
    counts = np.bincount(_number_folds(_many_rows(), n_folds=n_folds), minlength=n_folds)
    assert len(counts) == n_folds
    expected = 20_000 / n_folds
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 3 * n_folds + 10


def test_folds_of_category_rows_tell_cells_apart():
    cells = np.stack(np.meshgrid(*[np.arange(12)] * 3, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.int32)
    counts = np.bincount(_number_folds(Encoded(cells, np.zeros(cells.shape))), minlength=5)
    assert counts.min() > 0.8 * len(cells) / 5


def test_a_single_row_is_a_single_fold():
    assert _number_folds(_many_rows(1)).tolist() == [0]


# --- folds of few distinct rows


def _few_rows(n=4000, seed=0):
    """Eight distinct rows and their numbers."""
    bits = np.random.default_rng(seed).integers(0, 2, (n, 3))
    return Encoded((bits + np.array([0, 2, 4])).astype(np.int32), np.zeros((n, 3))), bits @ [1, 2, 4]


def _assert_all_rows_in_each(folds, weights, n_folds=5):
    assert len(folds) == n_folds
    for rows, row_weights in folds:
        np.testing.assert_array_equal(rows, np.arange(len(weights)))
        np.testing.assert_allclose(row_weights, weights / n_folds, rtol=1e-15)


@pytest.mark.parametrize("n_values", [1000, 100])
def test_a_column_of_the_other_sign_changes_no_fold(n_values):
    rng = np.random.default_rng(0)
    places = rng.integers(0, n_values, (5000, 4)) / n_values  # as t of one cell
    mirrored = places.copy()
    mirrored[:, 1] = (n_values - 1) / n_values - places[:, 1]
    cells = np.zeros(places.shape, np.int32)
    weights = rng.uniform(0.5, 1.5, 5000)
    folds = _number_folds(Encoded(cells, places), weights=weights)
    np.testing.assert_array_equal(_number_folds(Encoded(cells, np.round(mirrored, 12)), weights=weights), folds)


def test_both_ends_of_a_few_columns_of_few_values_fall_in_different_folds():
    cells = np.stack(np.meshgrid(*[np.arange(4)] * 3), -1).reshape(-1, 3).astype(np.int32)  # 64 rows; 8 from the nearer ends
    encoded = Encoded(cells, np.zeros(cells.shape))
    folds = _number_folds(encoded, np.arange(64.0)[:, None], np.ones(64))
    assert (folds != folds[::-1]).any()  # the mirror image of every row is the row as far from the other end


@pytest.mark.parametrize("n_folds", [2, 5])
def test_of_few_distinct_rows_with_an_output_each_every_fold_is_all_rows_at_a_share_of_their_weight(n_folds):
    encoded, number = _few_rows()
    weights = np.random.default_rng(1).uniform(0.5, 1.5, 4000)
    outputs = np.random.default_rng(2).normal(size=(8, 2))[number]
    _assert_all_rows_in_each(assign_folds(encoded, outputs, weights, n_folds), weights, n_folds)
    signed = np.where(np.random.default_rng(3).random(outputs.shape) < 0.5, -0.0, 0.0)  # still one output
    _assert_all_rows_in_each(assign_folds(encoded, signed, weights, n_folds), weights, n_folds)


def test_such_folds_add_up_to_the_moments_of_the_rows():
    encoded, number = _few_rows()
    encoded = Encoded(np.zeros((4000, 3), np.int32), encoded.cells.astype(float))
    weights = np.random.default_rng(1).uniform(0.5, 1.5, 4000)
    outputs = np.random.default_rng(2).normal(size=(8, 2))[number]
    folds = assign_folds(encoded, outputs, weights, 5)
    _assert_all_rows_in_each(folds, weights)
    parts = [_accumulate(_pick(encoded, rows), outputs[rows], share) for rows, share in folds]
    _assert_close(merge_all(parts), _accumulate(encoded, outputs, weights), 1e-12)


def test_rows_are_few_by_their_weight_from_twenty_for_each_distinct_one():
    encoded, number = _few_rows(80)
    outputs = number[:, None] / 3
    _assert_all_rows_in_each(assign_folds(encoded, outputs, np.full(80, 2.0), 5), np.full(80, 2.0))
    by_row = _number_folds(encoded, outputs, np.full(80, 1.99))  # less than 8 · 20
    assert all(len(np.unique(by_row[number == row])) == 1 for row in range(8))
    tripled = np.repeat(np.arange(80), 3)
    _assert_all_rows_in_each(assign_folds(_pick(encoded, tripled), outputs[tripled], np.ones(240), 5), np.ones(240))


def test_a_second_output_here_and_there_is_still_an_output_a_row():
    encoded, number = _few_rows()
    outputs, weights = number[:, None].astype(float), np.ones(4000)
    for row in range(7):  # seven of eight rows get a second output: fifteen distinct, less than two a row
        outputs[np.flatnonzero(number == row)[0]] += 0.5
        _assert_all_rows_in_each(assign_folds(encoded, outputs, weights, 5), weights)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_of_few_distinct_rows_with_noisy_outputs_the_folds_are_by_row_and_output(n_outputs):
    encoded, number = _few_rows()
    rng = np.random.default_rng(1)
    outputs = number[:, None] + rng.normal(size=(4000, n_outputs))
    outputs[2000:] = outputs[:2000]  # and half of the rows come twice, outputs and all
    encoded.cells[2000:] = encoded.cells[:2000]
    number[2000:] = number[:2000]
    folds = _number_folds(encoded, outputs, np.ones(4000))
    np.testing.assert_array_equal(folds[2000:], folds[:2000])
    for row in range(8):  # every fold has a fifth of every distinct row
        counts = np.bincount(folds[:2000][number[:2000] == row], minlength=5)
        assert counts.min() > 0.6 * counts.mean()
    order = rng.permutation(4000)
    np.testing.assert_array_equal(_number_folds(_pick(encoded, order), outputs[order], np.ones(4000)), folds[order])
    permuted = Encoded(encoded.cells[:, [2, 0, 1]], encoded.offsets[:, [2, 0, 1]])
    np.testing.assert_array_equal(_number_folds(permuted, outputs, np.ones(4000)), folds)
    # Equal outputs of other rows are others; those of columns of the other sign are not.
    others = Encoded(np.roll(encoded.cells, 1, axis=0), encoded.offsets)
    assert (_number_folds(others, outputs, np.ones(4000)) != folds).mean() > 0.5
    mirrored = Encoded(encoded.cells.max(axis=0) - encoded.cells, encoded.offsets)
    np.testing.assert_array_equal(_number_folds(mirrored, outputs, np.ones(4000)), folds)


def test_rows_that_are_permutations_of_each_other_are_distinct():
    bits = np.random.default_rng(0).integers(0, 2, (4000, 3)).astype(np.int32)
    outputs = (bits @ [1.0, 2.0, 4.0])[:, None]  # a function of the row
    _assert_all_rows_in_each(assign_folds(Encoded(bits, np.zeros((4000, 3))), outputs, np.ones(4000), 5), np.ones(4000))


def test_labels_that_repeat_many_times_leave_every_fold_all_rows():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (4000, 3)).astype(np.int32)
    labels = rng.integers(0, 2, (4000, 1)).astype(float)  # 8 rows, 16 pairs of row and label, 250 times each
    _assert_all_rows_in_each(assign_folds(Encoded(bits, np.zeros((4000, 3))), labels, np.ones(4000), 5), np.ones(4000))


# --- copied rows


@pytest.mark.parametrize("n_copies", [2, 20, 100])
def test_copies_of_continuous_rows_are_held_out_together(n_copies):
    encoded = _many_rows(300)
    copied = np.repeat(np.arange(300), n_copies)
    folds = _number_folds(_pick(encoded, copied), weights=np.ones(len(copied)))
    np.testing.assert_array_equal(folds, _number_folds(encoded, weights=np.ones(300))[copied])
    weighted = assign_folds(encoded, np.zeros((300, 1)), np.full(300, float(n_copies)), 5)
    assert sum(len(rows) for rows, _ in weighted) == 300
    assert take_census(_pick(encoded, copied), np.ones(len(copied))) == RowCensus(300, False, True)
    assert take_census(encoded, np.full(300, float(n_copies))) == RowCensus(300, False, True)


def test_rows_of_a_few_discrete_columns_are_no_copies():
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(2), np.arange(7), indexing="ij"), axis=-1).reshape(-1, 3)
    cells = np.repeat(grid, 30, axis=0).astype(np.int32)
    assert take_census(Encoded(cells, np.zeros(cells.shape)), np.ones(len(cells))) == RowCensus(70, True, False)


def test_a_table_whose_rows_differ_is_neither_discrete_nor_copied():
    assert take_census(_many_rows(300), np.full(300, 0.5)) == RowCensus(300, False, False)
