"""Demmler–Reinsch functions: orthonormal on the data, penalised by what they say."""

import numpy as np
import pytest

from instashap.masked import penalties
from instashap.masked.penalties import compute_axis_functions, compute_local_moments
from instashap.table.categories import learn_categories
from instashap.table.counted import count_values
from instashap.table.encoding import Encoded
from instashap.table.number_columns import learn_numbers


def _learn(x, weights=None):
    """A number column with its encoded rows."""
    weights = np.ones(len(x)) if weights is None else weights
    column = learn_numbers(count_values("x", x, weights))
    encoder = column.encoder
    missing = np.isnan(x)
    cells = np.searchsorted(encoder.edges, np.where(missing, 0.0, x)).astype(np.int32)
    offsets = np.clip((np.where(missing, 0.0, x) - encoder.lows[cells]) * encoder.scales[cells], 0, 1)
    cells[missing], offsets[missing] = encoder.missing_cell, 0.0
    return column, Encoded(cells[:, None], offsets[:, None]), weights


def _functions(column, encoded, weights, size=1, order=3, limit=99):
    axis = column.axes[size - 1]
    moments = compute_local_moments(axis.basis, encoded.cells[:, 0], encoded.offsets[:, 0], weights)
    return compute_axis_functions(axis, *moments, order, limit)


def _values(functions, encoded):
    return functions.basis.combine(encoded.cells[:, 0], encoded.offsets[:, 0], functions.coefficients)


def _learn_text(values, weights=None):
    levels = sorted(set(values) - {None})
    codes = np.array([-1 if value is None else levels.index(value) for value in values])
    weights = np.ones(len(values)) if weights is None else weights
    column = learn_categories("c", codes, levels, weights)
    cells = column.encoder.find_cells(codes, levels)
    return column, Encoded(cells[:, None], np.zeros((len(values), 1))), weights


def _gaussian(n=3000, seed=0):
    return np.random.default_rng(seed).normal(size=n)


def test_local_moments_are_the_means_of_the_local_functions_and_their_products(make_frame, encode, evaluate_local):
    weights = np.random.default_rng(1).uniform(0.2, 2.0, 400)
    columns, encoded = encode(make_frame(400, 0), weights)
    for number, column in enumerate(columns):
        for axis in column.axes:
            cells, offsets = encoded.cells[:, number], encoded.offsets[:, number]
            means, second = compute_local_moments(axis.basis, cells, offsets, weights)
            values = evaluate_local(axis.basis, cells, offsets)
            np.testing.assert_allclose(means, np.average(values, axis=0, weights=weights), atol=1e-13)
            expected = (values * weights[:, None]).T @ values / weights.sum()
            np.testing.assert_allclose(second, expected, atol=1e-13)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("kind", ["gaussian", "weighted", "missing", "levels", "heavy"])
def test_functions_of_a_number_column_are_centred_and_orthonormal_on_the_data(kind, size, order):
    x, weights = _gaussian(), None
    if kind == "weighted":
        weights = np.random.default_rng(1).uniform(0.1, 3.0, len(x))
    if kind == "missing":
        x[::7] = np.nan
    if kind == "levels":
        x = np.round(np.clip(x, -2, 2) * 2)
    if kind == "heavy":
        x = np.exp(2.5 * x)
    column, encoded, weights = _learn(x, weights)
    functions = _functions(column, encoded, weights, size, order)
    assert len(functions) > 3
    values = _values(functions, encoded)
    share = weights / weights.sum()
    np.testing.assert_allclose(share @ values, 0.0, atol=1e-7)
    np.testing.assert_allclose(share @ values**2, 1.0, rtol=1e-6)
    if kind != "missing":  # the indicator of missing values comes third
        np.testing.assert_allclose((values * share[:, None]).T @ values, np.eye(len(functions)), atol=1e-6)
    else:
        curves = np.delete(values, 2, axis=1)
        np.testing.assert_allclose((curves * share[:, None]).T @ curves, np.eye(curves.shape[1]), atol=1e-6)


@pytest.mark.parametrize("order", [2, 3])
def test_roughness_rises_and_is_the_penalty_of_the_functions_coefficients(order):
    column, encoded, weights = _learn(_gaussian())
    functions = _functions(column, encoded, weights, 1, order)
    assert (np.diff(functions.roughness) >= 0).all()
    assert (functions.ridge == 1).all()
    assert (functions.roughness[: order - 1] == 0).all()  # line and, for third derivatives, parabola are free
    assert (functions.roughness[order - 1 :] > 0).all()
    axis = column.axes[0]
    penalty = axis.roughness[order].T @ axis.roughness[order]
    curves = functions.coefficients[len(axis.spikes) :]  # a constant more or less has no derivative
    found = curves.T @ penalty @ curves
    assert np.abs(found - np.diag(functions.roughness)).max() < 1e-10 * functions.roughness[-1]
    np.testing.assert_allclose(np.diag(found)[order - 1 :], functions.roughness[order - 1 :], rtol=1e-8)


def test_third_derivatives_leave_the_line_first_and_the_parabola_second():
    x = _gaussian()
    column, encoded, weights = _learn(x)
    values = _values(_functions(column, encoded, weights), encoded)
    assert abs(np.corrcoef(values[:, 0], x)[0, 1]) == pytest.approx(1.0, abs=1e-10)
    design = np.column_stack([np.ones_like(x), x, x**2])
    rest = values[:, 1] - design @ np.linalg.lstsq(design, values[:, 1], rcond=None)[0]
    assert rest.std() < 1e-8
    assert abs(np.corrcoef(values[:, 1], x**2)[0, 1]) > 0.99


def test_second_derivatives_leave_the_line_first_and_free():
    x = _gaussian()
    column, encoded, weights = _learn(x)
    functions = _functions(column, encoded, weights, order=2)
    assert abs(np.corrcoef(_values(functions, encoded)[:, 0], x)[0, 1]) == pytest.approx(1.0, abs=1e-10)
    assert functions.roughness[0] == 0.0
    assert functions.roughness[1] > 1e-3 * functions.roughness[2]


def test_the_span_is_everything_the_data_can_tell_apart():
    levels = np.arange(6.0).repeat(50)
    column, encoded, weights = _learn(levels)
    assert len(_functions(column, encoded, weights)) == 5
    text = _learn_text(["a"] * 20 + ["b"] * 20 + ["c"] * 20 + [None] * 10)
    assert len(_functions(*text)) == 3  # two contrasts and the indicator of missing


def test_a_limit_keeps_the_smoothest():
    column, encoded, weights = _learn(_gaussian())
    everything, few = _functions(column, encoded, weights), _functions(column, encoded, weights, limit=4)
    assert len(few) == 4
    np.testing.assert_array_equal(few.coefficients, everything.coefficients[:, :4])
    np.testing.assert_array_equal(few.roughness, everything.roughness[:4])
    assert few.ranks.tolist() == [1, 2, 3, 4]


def test_picked_functions_are_the_same_functions_in_the_order_asked_for():
    functions = _functions(*_learn(np.where(np.arange(3000) % 4 == 0, 0.0, np.abs(_gaussian()) + 0.1)))
    picked = functions.pick(np.array([3, 0, 2]))
    assert len(picked) == 3
    assert picked.basis is functions.basis
    np.testing.assert_array_equal(picked.coefficients, functions.coefficients[:, [3, 0, 2]])
    for name in ("roughness", "ridge", "ranks"):
        np.testing.assert_array_equal(getattr(picked, name), getattr(functions, name)[[3, 0, 2]])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_curves_have_a_rank_each_and_spikes_the_parabolas(size):
    plain = _functions(*_learn(_gaussian()), size)
    assert plain.ranks.tolist() == list(range(1, len(plain) + 1))
    x = np.where(np.arange(3000) % 4 == 0, 0.0, np.abs(_gaussian()) + 0.1)
    x[1::10] = np.nan
    functions = _functions(*_learn(x), size)
    n_curves = len(functions) - 2
    assert functions.ranks.tolist() == [1, 2, 2, 2, *range(3, n_curves + 1)]
    assert functions.ranks.dtype == np.int64


def test_levels_come_four_to_a_rank_the_heaviest_first():
    counts = [200, 150, 120, 100, 90, 80, 70, 60, 50, 40]
    values = [level for level, count in zip("abcdefghij", counts, strict=True) for _ in range(count)] + [None] * 96
    functions = _functions(*_learn_text(values))
    assert functions.ranks.tolist() == [1] * 4 + [2] * 4 + [2] + [3]  # nine contrasts; missing goes with rank two
    assert functions.ridge[8] == pytest.approx(sum([*counts, 96]) / 96)
    assert (np.diff(np.delete(functions.ridge, 8)) > 0).all()
    limited = _functions(*_learn_text(values), limit=6)
    np.testing.assert_array_equal(limited.coefficients, functions.coefficients[:, :6])
    assert limited.ranks.tolist() == [1] * 4 + [2] * 2


def test_two_categories_have_one_contrast_of_hand_computed_values_and_ridge():
    column, encoded, weights = _learn_text(["a"] * 30 + ["b"] * 10)
    functions = _functions(column, encoded, weights)
    values = _values(functions, encoded)
    assert values.shape == (40, 1)
    # shares 3/4 and 1/4: ± sqrt(1/3) and ∓ sqrt(3), of mean 0 and variance 1; their squares sum to 1/3 + 3
    assert sorted(set(np.abs(values[:, 0]).round(12))) == [round(np.sqrt(1 / 3), 12), round(np.sqrt(3), 12)]
    assert values[0, 0] * values[-1, 0] == pytest.approx(-1.0)
    np.testing.assert_allclose(functions.ridge, [10 / 3], rtol=1e-12)
    assert functions.roughness.tolist() == [0.0]


def test_equal_categories_have_a_ridge_of_one_over_their_share():
    column, encoded, weights = _learn_text(list("abcde") * 20)
    np.testing.assert_allclose(_functions(column, encoded, weights).ridge, 5.0, rtol=1e-12)


def test_rare_categories_have_a_large_ridge():
    column, encoded, weights = _learn_text(["a"] * 600 + ["b"] * 390 + ["c"] * 10)
    ridge = _functions(column, encoded, weights).ridge
    assert ridge.max() == pytest.approx(100, rel=0.02)


def test_categories_without_rows_have_no_effect():
    column, encoded, weights = _learn_text(["a"] * 30 + ["b"] * 10)
    functions = _functions(column, encoded, weights)
    unseen = functions.basis.combine(np.array([2, 3], np.int32), np.zeros(2), functions.coefficients)  # other, missing
    np.testing.assert_array_equal(unseen, 0.0)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_missing_values_have_no_effect_if_the_fit_saw_none(size):
    x = np.where(np.arange(2000) % 3 == 0, 0.0, _gaussian(2000))
    column, encoded, weights = _learn(x)
    functions = _functions(column, encoded, weights, size)
    missing = np.array([column.encoder.missing_cell], np.int32)
    np.testing.assert_array_equal(functions.basis.combine(missing, np.zeros(1), functions.coefficients), 0.0)


def test_a_spike_and_missing_values_are_indicators_of_unit_variance_after_line_and_parabola():
    x = np.where(np.arange(3000) % 4 == 0, 0.0, np.abs(_gaussian()) + 0.1)
    x[1::10] = np.nan
    column, encoded, weights = _learn(x)
    functions = _functions(column, encoded, weights)
    values = _values(functions, encoded)
    for number, chosen in ((2, x == 0), (3, np.isnan(x))):
        share = chosen.mean()
        expected = np.where(chosen, np.sqrt((1 - share) / share), -np.sqrt(share / (1 - share)))
        np.testing.assert_allclose(values[:, number], expected, rtol=1e-10)
        assert functions.ridge[number] == pytest.approx(1 / share)
        assert functions.roughness[number] == 0.0


def test_curves_are_zero_where_the_column_is_missing():
    x = _gaussian()
    x[::5] = np.nan
    column, encoded, weights = _learn(x)
    curves = np.delete(_values(_functions(column, encoded, weights), encoded), 2, axis=1)
    np.testing.assert_allclose(curves[np.isnan(x)], 0.0, atol=1e-12)


@pytest.mark.parametrize("x", [np.full(60, np.nan), np.full(60, 4.0)])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_column_that_never_varies_has_no_functions(x, size):
    assert len(_functions(*_learn(x), size)) == 0


def test_a_constant_with_missing_values_has_one_function():
    x = np.array([4.0] * 30 + [np.nan] * 10)
    functions = _functions(*_learn(x))
    assert len(functions) == 1
    assert functions.ridge[0] == pytest.approx(4.0)


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_functions_and_penalties_do_not_depend_on_the_unit(factor):
    x = _gaussian()
    column, encoded, weights = _learn(x)
    scaled_column, scaled_encoded, _ = _learn(x * factor)
    ours, theirs = _functions(column, encoded, weights), _functions(scaled_column, scaled_encoded, weights)
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(theirs.roughness, ours.roughness, rtol=1e-5)
    # Line and parabola are both free: which comes first must not depend on the unit either.
    np.testing.assert_allclose(_values(theirs, scaled_encoded)[:, :5], _values(ours, encoded)[:, :5], atol=1e-6)


@pytest.mark.parametrize("vector", [[0.0, 0.0, 0.0], [0.0, 2.0, -1.0], [-3.0, 0.0, 0.0]])
def test_the_complement_of_a_vector_is_orthonormal_and_orthogonal_to_it(vector: list[float]) -> None:
    basis = penalties._find_complement(np.array(vector))  # of zeros it was not a number
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-15)
    np.testing.assert_allclose(np.array(vector) @ basis, 0.0, atol=1e-15)
