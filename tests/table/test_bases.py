"""Cells, knots and local bases against hand-made cases, SciPy's splines and polynomials."""

import numpy as np
import pytest
from scipy.interpolate import BSpline

from instashap import DataWarning
from instashap.table.bases import LocalBasis, pack_basis
from instashap.table.categories import learn_categories
from instashap.table.cells import cut_between
from instashap.table.counted import count_values
from instashap.table.number_columns import learn_numbers


def _learn(x, weights=None):
    x = np.asarray(x, dtype=np.float64)
    return learn_numbers(count_values("x", x, np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)))


def _encode(encoder, x):
    """Cells and offsets by the stated rule ``edges[k-1] < x <= edges[k]``, without the kernel."""
    cells = np.searchsorted(encoder.edges, x, side="left")
    offsets = np.clip((x - encoder.lows[cells]) * encoder.scales[cells], 0.0, 1.0)
    missing = np.isnan(x)
    return np.where(missing, encoder.missing_cell, cells).astype(np.int32), np.where(missing, 0.0, offsets)


def _evaluate(column, size, x):
    """All local functions of a basis at ``x``, shape (n, n_functions)."""
    basis = column.encoder.bases[size - 1]
    return basis.combine(*_encode(column.encoder, np.asarray(x, dtype=np.float64)), np.eye(basis.n_functions))


def _curves(column, size, x):
    """The smooth (or level) parameters' functions at ``x``."""
    return _evaluate(column, size, x) @ column.axes[size - 1].expansion


def _misfit(functions, target):
    coefficients = np.linalg.lstsq(functions, target, rcond=None)[0]
    return np.abs(functions @ coefficients - target).max() / np.ptp(target)


def _samples():
    rng = np.random.default_rng(0)
    n = 2000
    return {
        "gaussian": rng.normal(size=n),
        "uniform": rng.uniform(3, 5, n),
        "skewed": rng.exponential(size=n),
        "heavy": rng.lognormal(sigma=2.5, size=n),
        "mostly zero": np.where(rng.random(n) < 0.92, 0.0, rng.lognormal(size=n)),
        "spike inside": np.where(rng.random(n) < 0.4, 0.25, rng.normal(size=n)),
        "spike apart below": np.where(rng.random(n) < 0.5, 0.0, rng.uniform(10, 20, n)),
        "spike apart above": np.where(rng.random(n) < 0.3, 99.0, rng.uniform(10, 20, n)),
        "spikes at both ends": np.clip(rng.normal(size=n), -0.5, 0.8),
        "levels": rng.integers(0, 12, n).astype(float),
        "many integers": np.floor(rng.normal(50, 15, n)),
        "few rows": rng.normal(size=40),
        "very few rows": rng.normal(size=4),
        "two values": rng.integers(0, 2, n).astype(float),
        "constant": np.full(n, 3.25),
        "some missing": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
        "all missing": np.full(n, np.nan),
    }


SAMPLES = _samples()
RAW_SCALE = ("gaussian", "uniform", "skewed", "spike inside", "few rows", "some missing", "many integers")


# --- columns of the other sign


@pytest.mark.parametrize("name", SAMPLES)
def test_the_negative_of_a_column_has_the_same_functions(name):
    """Every function of one basis is spanned by the other's, and the mirrored cut lies at the negative of the cut."""
    x = SAMPLES[name]
    column, mirrored = _learn(x), _learn(-x)
    np.testing.assert_allclose(-mirrored.encoder.edges[::-1], column.encoder.edges, rtol=1e-9, atol=1e-12)
    known = x[~np.isnan(x)]
    for size in (1, 2, 3):
        if len(known):
            assert _misfit(_evaluate(column, size, known), _evaluate(mirrored, size, -known)) < 1e-8


def test_levels_between_which_hats_are_placed_are_counted_from_the_short_tail():
    x = np.repeat(np.arange(60.0), np.arange(60) + 10)  # left-skewed: most rows have large values
    column, mirrored = _learn(x), _learn(-x)
    assert _misfit(_evaluate(column, 2, x), _evaluate(mirrored, 2, -x)) < 1e-8


# --- cuts


def test_a_cut_is_halfway():
    assert cut_between(1.0, 2.0) == 1.5
    assert cut_between(-3.0, 5.0) == 1.0


def test_a_cut_is_exact_in_float32_where_that_separates_the_values():
    cut = cut_between(0.1, 0.2)
    assert cut == float(np.float32(cut))
    assert cut == pytest.approx(0.15, rel=1e-7)


def test_a_cut_of_a_narrow_column_far_from_zero_stays_halfway():
    # float32 numbers near 273 are 3.05e-5 apart: rounding could move the cut by 15 % of a gap of 1e-4
    for below in 273.15 + 1e-4 * np.arange(20):
        above = below + 1e-4
        assert (cut_between(below, above) - below) / (above - below) == pytest.approx(0.5, abs=1.001e-3)


def test_a_cut_lies_at_or_above_the_lower_value_and_below_the_upper_one_at_every_scale():
    rng = np.random.default_rng(0)
    for scale in (1e-320, 1e-300, 1e-40, 1e-12, 1.0, 1e12, 1e40, 1e300):
        for low in rng.normal(size=20) * scale:
            for high in (np.nextafter(low, np.inf), low + abs(low) * 1e-9 + 1e-322, low + scale):
                assert low <= cut_between(low, high) < high


# --- local bases by hand


def test_weights_are_the_polynomials_of_the_cell():
    basis = LocalBasis(np.array([0, 1], np.int32), np.array([[[1.0, -1.0], [0.0, 1.0]], [[0.5, 2.0], [3.0, 0.0]]]), 3)
    cells, offsets = np.array([0, 1, 1], np.int32), np.array([0.25, 0.5, 1.0])
    np.testing.assert_allclose(basis.weigh(cells, offsets), [[0.75, 0.25], [1.5, 3.0], [2.5, 3.0]])
    assert basis.width == 2
    # functions 1 and 2 are active in cell 1
    combined = basis.combine(cells, offsets, np.array([[1.0, 0.0], [10.0, 1.0], [100.0, 2.0]]))
    np.testing.assert_allclose(combined, [[0.75 + 2.5, 0.25], [15.0 + 300.0, 1.5 + 6.0], [25.0 + 300.0, 2.5 + 6.0]])


def test_packing_drops_inactive_functions_and_powers_and_changes_no_value():
    dense = np.zeros((3, 5, 4))
    dense[0, 0, :2] = [1.0, -1.0]
    dense[0, 1, 1] = 1.0
    dense[1, 3, 0] = 2.0
    dense[2, 4, :3] = [0.0, 0.0, 7.0]
    basis = pack_basis(dense)
    assert basis.n_functions == 5
    assert basis.polynomials.shape == (3, 2, 3)  # two active functions, powers up to t²
    for cell in range(3):
        for t in (0.0, 0.3, 1.0):
            value = basis.combine(np.array([cell], np.int32), np.array([t]), np.eye(5))[0]
            np.testing.assert_allclose(value, dense[cell] @ t ** np.arange(4), rtol=1e-15)


# --- number columns: cells


def test_three_levels_have_cells_cut_halfway_and_a_cell_for_missing():
    column = _learn([1.0, 2.0, 4.0] * 10)
    assert column.encoder.edges.tolist() == [1.5, 3.0]
    assert column.encoder.values == (1.0, 2.0, 4.0)
    assert column.encoder.missing_cell == 3
    assert column.encoder.n_cells == 4
    # every level and missing have a function of their own, in all three bases
    for size in (1, 2, 3):
        shown = _evaluate(column, size, [1.0, 2.0, 4.0, np.nan])
        np.testing.assert_array_equal(shown.sum(axis=0), 1.0)
        np.testing.assert_array_equal(np.sort(shown, axis=1), [[0, 0, 0, 1]] * 4)


def test_values_between_levels_go_to_the_nearest_one():
    column = _learn([1.0, 2.0, 4.0] * 10)
    cells, _ = _encode(column.encoder, np.array([-9.0, 1.4, 1.5, 1.6, 3.0, 3.1, 99.0]))
    assert cells.tolist() == [0, 0, 0, 1, 1, 2, 2]


def test_few_integers_are_levels_and_many_values_are_a_curve():
    assert len(_learn(np.arange(32).repeat(20)).encoder.values) == 32
    assert _learn(np.arange(33).repeat(20)).encoder.values == ()


def test_a_continuous_column_of_a_small_table_stays_smooth():
    assert _learn(np.arange(12.0)).encoder.values == ()
    assert len(_learn(np.arange(12.0).repeat(10)).encoder.values) == 12


def test_interval_edges_lie_halfway_above_the_weighted_quantiles():
    # 40 rows: two intervals, so one inner knot; the median by the inverted distribution function is the 20th value.
    x = np.arange(40.0) ** 1.5
    column = _learn(np.random.default_rng(0).permutation(x))
    assert column.encoder.edges.tolist() == [cut_between(x[19], x[20])]
    weights = np.where(np.arange(40) < 8, 9.0, 1.0)  # 104 in all: 6 intervals; the 6th value reaches a half, 54 of 104
    edges = _learn(x, weights).encoder.edges
    expected = [np.quantile(x, level, weights=weights, method="inverted_cdf") for level in np.arange(1, 6) / 6]
    inner = [cut_between(value, x[np.searchsorted(x, value) + 1]) for value in expected]
    assert edges.tolist() == sorted(set(inner))


@pytest.mark.parametrize("name", ["gaussian", "mostly zero", "levels", "many integers", "heavy"])
def test_a_row_of_weight_three_is_a_row_repeated_three_times(name):
    x = SAMPLES[name][:500]
    weights = np.random.default_rng(1).integers(1, 4, len(x))
    weighted, repeated = _learn(x, weights), _learn(np.repeat(x, weights))
    np.testing.assert_array_equal(weighted.encoder.edges, repeated.encoder.edges)
    np.testing.assert_array_equal(weighted.encoder.lows, repeated.encoder.lows)
    for ours, theirs in zip(weighted.axes, repeated.axes, strict=True):
        np.testing.assert_array_equal(ours.basis.polynomials, theirs.basis.polynomials)
        for order in (2, 3):
            np.testing.assert_allclose(ours.roughness[order], theirs.roughness[order], rtol=1e-10)


@pytest.mark.parametrize("name", list(SAMPLES))
def test_the_order_of_rows_changes_nothing(name):
    x = SAMPLES[name]
    one, other = _learn(x), _learn(x[::-1])
    np.testing.assert_array_equal(one.encoder.edges, other.encoder.edges)
    np.testing.assert_array_equal(one.encoder.bases[0].polynomials, other.encoder.bases[0].polynomials)


# --- number columns: bases


@pytest.mark.parametrize("name", list(SAMPLES))
@pytest.mark.parametrize("size", [1, 2, 3])
def test_functions_sum_to_one_everywhere_and_missing_has_one_alone(name, size):
    column = _learn(SAMPLES[name])
    present = SAMPLES[name][~np.isnan(SAMPLES[name])]
    spread = np.ptp(present) if len(present) else 1.0
    center = present.mean() if len(present) else 0.0
    x = np.concatenate([present, center + np.linspace(-2, 2, 301) * spread])
    functions = _evaluate(column, size, x)
    own = column.axes[size - 1].spikes[-1]
    if len(present):
        np.testing.assert_allclose(functions.sum(axis=1), 1.0, atol=1e-12)
        np.testing.assert_array_equal(functions[:, own], 0.0)
    missing = _evaluate(column, size, [np.nan])[0]
    assert missing[own] == 1.0
    assert missing.sum() == 1.0


@pytest.mark.parametrize("name", ["gaussian", "uniform", "skewed", "few rows"])
def test_main_effect_functions_are_scipys_b_splines(name):
    x = SAMPLES[name]
    column = _learn(x)
    knots = np.concatenate([[x.min()] * 4, column.encoder.edges, [x.max()] * 4])
    grid = np.linspace(x.min(), x.max(), 777)
    expected = BSpline.design_matrix(grid, knots, 3).toarray()
    np.testing.assert_allclose(_curves(column, 1, grid), expected, atol=1e-12)


@pytest.mark.parametrize("name", RAW_SCALE)
def test_the_main_effect_basis_holds_lines_parabolas_and_cubics(name):
    x = SAMPLES[name][~np.isnan(SAMPLES[name])]
    grid = np.linspace(x.min(), x.max(), 501)
    unit = (grid - grid.mean()) / np.ptp(grid)
    curves = _evaluate(_learn(SAMPLES[name]), 1, grid)
    for power in (1, 2, 3):
        assert _misfit(curves, unit**power) < 1e-12


@pytest.mark.parametrize("name", RAW_SCALE)
@pytest.mark.parametrize("size", [2, 3])
def test_the_hats_of_pairs_and_triples_hold_straight_lines(name, size):
    x = SAMPLES[name][~np.isnan(SAMPLES[name])]
    column = _learn(SAMPLES[name])
    grid = np.linspace(x.min(), x.max(), 501)
    assert _misfit(_evaluate(column, size, grid), grid) < 1e-12
    if name != "spike inside":
        assert _misfit(_curves(column, size, grid), grid) < 1e-12


@pytest.mark.parametrize("name", ["spike apart below", "spike apart above"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_spike_apart_from_the_rest_does_not_bend_the_curve(name, size):
    x = SAMPLES[name]
    rest = np.sort(x[(x >= 10) & (x <= 20)])
    assert _misfit(_curves(_learn(x), size, rest), rest) < 1e-12


@pytest.mark.parametrize("name", ["gaussian", "many integers"])
def test_knots_of_triples_are_among_those_of_pairs_and_those_among_the_edges(name):
    column = _learn(SAMPLES[name])
    grid = np.linspace(np.nanmin(SAMPLES[name]), np.nanmax(SAMPLES[name]), 801)
    pairs, triples = _evaluate(column, 2, grid), _evaluate(column, 3, grid)
    for function in triples[:, np.ptp(triples, axis=0) > 0].T:
        assert _misfit(pairs, function) < 1e-12
    assert triples.shape[1] < pairs.shape[1] < column.encoder.bases[0].n_functions


@pytest.mark.parametrize("sigma", [1.5, 2.5, 6.0])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_column_with_heavy_tails_holds_its_straight_line_and_does_not_penalise_it(sigma, size):
    x = np.random.default_rng(3).lognormal(sigma=sigma, size=2000)
    column = _learn(x)
    functions, axis = _curves(column, size, x), column.axes[size - 1]
    line = np.linalg.lstsq(functions, x, rcond=None)[0]
    assert np.abs(functions @ line - x).max() < 1e-9 * x.max()
    for order in (2, 3):
        parts = axis.roughness[order] * line  # what cancels in the derivatives of a line
        # The smallest cells hold 1e-9 of the largest value, to which the line was solved.
        assert (np.abs(parts.sum(axis=1)) < 1e-4 * np.abs(parts).max(axis=1)).all()


def test_among_ranks_the_line_of_ranks_is_free_and_that_of_values_is_not():
    x = SAMPLES["heavy"]
    column = _learn(x)
    knots = np.concatenate([[x.min()], column.encoder.edges[1::2], [x.max()]])  # a pair's are every second
    functions, rough = _curves(column, 2, knots), column.axes[1].use_ranks().roughness[2]
    ranked, plain = (np.linalg.solve(functions, values) for values in (np.arange(float(len(knots))), knots))
    assert np.linalg.norm(rough @ ranked) < 1e-12 * np.linalg.norm(rough) * len(knots)
    assert np.linalg.norm(rough @ plain) > 0.1 * np.linalg.norm(rough) * np.ptp(knots)
    assert _learn(SAMPLES["gaussian"]).axes[0].rank_roughness == {}


@pytest.mark.parametrize("name", ["gaussian", "skewed", "heavy", "few rows", "some missing"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_curves_are_continuous_across_cells(name, size):
    encoder = _learn(SAMPLES[name]).encoder
    basis = encoder.bases[size - 1]
    cells = np.arange(len(encoder.edges), dtype=np.int32)
    unit = np.eye(basis.n_functions)
    left = basis.combine(cells, np.ones(len(cells)), unit)
    right = basis.combine(cells + 1, np.zeros(len(cells)), unit)
    np.testing.assert_allclose(left, right, atol=1e-10)


def test_cubic_curves_have_continuous_slopes_across_cells():
    encoder = _learn(SAMPLES["gaussian"]).encoder
    basis = encoder.bases[0]
    slopes = LocalBasis(basis.first, basis.polynomials[:, :, 1:] * np.arange(1, 4), basis.n_functions)
    cells = np.arange(len(encoder.edges), dtype=np.int32)
    unit = np.eye(basis.n_functions)
    left = slopes.combine(cells, np.ones(len(cells)), unit) * encoder.scales[cells][:, None]
    right = slopes.combine(cells + 1, np.zeros(len(cells)), unit) * encoder.scales[cells + 1][:, None]
    assert np.abs(left).max() > 1
    np.testing.assert_allclose(left, right, atol=1e-8 * np.abs(left).max())


def test_curves_go_on_flat_beyond_the_data():
    x = SAMPLES["gaussian"]
    for size in (1, 2, 3):
        column = _learn(x)
        ends = _evaluate(column, size, [x.min(), x.max()])
        np.testing.assert_array_equal(_evaluate(column, size, [x.min() - 5, x.max() + 5]), ends)


# --- spikes


@pytest.mark.parametrize(
    ("name", "spikes"),
    [
        ("mostly zero", [0.0]),
        ("spike inside", [0.25]),
        ("spike apart below", [0.0]),
        ("spike apart above", [99.0]),
        ("spikes at both ends", [-0.5, 0.8]),
        ("gaussian", []),
        ("many integers", []),  # every value is common: none stands out
        ("heavy", []),
    ],
)
def test_a_value_that_stands_out_has_a_cell_and_a_function_of_its_own(name, spikes):
    x = SAMPLES[name]
    column = _learn(x)
    cells, offsets = _encode(column.encoder, x)
    for axis in column.axes:
        assert len(axis.spikes) == len(spikes) + 1  # and the missing cell's
    for number, spike in enumerate(spikes):
        own = np.unique(cells[x == spike])
        assert len(own) == 1
        assert (x[cells == own[0]] == spike).all()
        assert (offsets[cells == own[0]] == 0).all()
        for size in (1, 2, 3):
            functions = _evaluate(column, size, x)
            function = column.axes[size - 1].spikes[number]
            np.testing.assert_array_equal(functions[:, function], x == spike)


def test_a_spike_stands_on_the_curve_of_its_neighbours():
    x = SAMPLES["spike inside"]
    column = _learn(x)
    assert (x == 0.25).sum() > 500
    for power in (1, 2, 3):  # the spike's value on a cubic is the cubic's, not a neighbour's
        assert _misfit(_curves(column, 1, x), x**power) < 1e-10
    assert _misfit(_curves(column, 2, x), x) < 1e-10


# --- degenerate columns


def test_a_constant_column_is_one_level():
    column = _learn(np.full(50, 3.25))
    assert column.encoder.values == (3.25,)
    assert column.encoder.n_cells == 2
    cells, offsets = _encode(column.encoder, np.array([3.25, -1e9, 1e9, np.nan]))
    assert cells.tolist() == [0, 0, 0, 1]
    assert offsets.tolist() == [0.0] * 4


def test_a_column_that_is_all_missing_is_encoded_as_missing_and_accepts_later_values():
    encoder = _learn(np.full(50, np.nan)).encoder
    assert encoder.values == ()
    assert encoder.n_cells == 2
    cells, offsets = _encode(encoder, np.array([np.nan, 5.0]))
    assert cells.tolist() == [1, 0]
    for basis in encoder.bases:
        assert np.isfinite(basis.weigh(cells, offsets)).all()


def test_one_row_is_enough_to_learn_from():
    assert _learn([7.0]).encoder.values == (7.0,)


# --- roughness


def _polynomial_coefficients(column, size, power):
    """Local coefficients of ``x ** power`` and the grid's range, on the column's own range."""
    grid = np.linspace(0.0, 3.0, 301)
    return np.linalg.lstsq(_curves(column, size, grid), grid**power, rcond=None)[0]


def _penalty(axis, order):
    """The penalty matrix of which an axis keeps a factor, rows first."""
    factor = axis.roughness[order]
    assert factor.shape[1] == axis.expansion.shape[1]
    return factor.T @ factor


def test_cubic_roughness_is_the_integral_of_the_squared_derivative():
    x = np.random.default_rng(0).uniform(0, 3, 3000)
    x[:2] = 0.0, 3.0
    column = _learn(x)
    spread = np.sqrt(12) * x.std()  # the range of a uniform law of the same variance
    line, parabola, cubic = (_polynomial_coefficients(column, 1, power) for power in (1, 2, 3))
    second, third = _penalty(column.axes[0], 2), _penalty(column.axes[0], 3)
    assert parabola @ second @ parabola == pytest.approx(4 * 3 * spread**3, rel=1e-6)  # ∫ 2² over [0, 3]
    assert cubic @ third @ cubic == pytest.approx(36 * 3 * spread**5, rel=1e-5)  # ∫ 6²
    assert cubic @ second @ cubic == pytest.approx(36 * 9 * spread**3, rel=1e-6)  # ∫ (6x)²
    assert abs(line @ second @ line) < 1e-8
    assert abs(parabola @ third @ parabola) < 1e-4


def test_hat_roughness_vanishes_for_lines_and_not_for_parabolas():
    x = np.random.default_rng(0).uniform(0, 3, 3000)
    x[:2] = 0.0, 3.0
    axis = _learn(x).axes[1]
    line, parabola = (_polynomial_coefficients(_learn(x), 2, power) for power in (1, 2))
    penalty = _penalty(axis, 2)
    assert abs(line @ penalty @ line) < 1e-8
    # The interpolant of x² has second divided differences of exactly 2 between the first and last midpoint.
    knots = np.linalg.lstsq(_curves(_learn(x), 2, np.linspace(0, 3, 301)), np.linspace(0, 3, 301), rcond=None)[0]
    exact = knots**2
    middles = (knots[1:] + knots[:-1]) / 2
    expected = 4 * (middles[-1] - middles[0]) * (np.sqrt(12) * x.std()) ** 3
    assert exact @ penalty @ exact == pytest.approx(expected, rel=1e-8)
    assert parabola @ penalty @ parabola == pytest.approx(expected, rel=0.05)


def test_levels_are_penalised_by_second_differences_of_their_ranks():
    column = _learn(np.array([1.0, 2.0, 10.0, 11.0]).repeat(20))
    differences = np.array([[1.0, -2.0, 1.0, 0.0], [0.0, 1.0, -2.0, 1.0]])
    expected = differences.T @ differences * 4.0**3  # in units of the number of levels
    np.testing.assert_allclose(_penalty(column.axes[0], 2), expected, atol=1e-12)
    np.testing.assert_array_equal(column.axes[0].roughness[3], column.axes[0].roughness[2])


@pytest.mark.parametrize("name", ["gaussian", "heavy", "many integers", "mostly zero", "levels"])
@pytest.mark.parametrize("factor", [1e-12, 1e12, -1.0])
def test_roughness_does_not_depend_on_the_scale_of_the_column(name, factor):
    x = SAMPLES[name]
    one, other = _learn(x), _learn(x * factor)
    for size in range(3):
        for order in (2, 3):
            values = np.linalg.eigvalsh(_penalty(one.axes[size], order))
            scaled = np.linalg.eigvalsh(_penalty(other.axes[size], order))
            if factor > 0:
                np.testing.assert_allclose(scaled, values, rtol=1e-3, atol=1e-6 * values.max())
            else:  # knots of a mirrored column are quantiles from the other side: near, not the same
                assert scaled.max() / values.max() == pytest.approx(1.0, rel=0.9)


# --- categories


def _learn_text(values, weights=None):
    levels = sorted(set(values) - {None}, key=str)
    codes = np.array([-1 if value is None else levels.index(value) for value in values], dtype=np.int64)
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    return learn_categories("c", codes, levels, weights)


def test_levels_are_kept_by_falling_weight_and_ties_by_their_text():
    encoder = _learn_text(["b"] * 6 + ["a"] * 6 + ["z"] * 9 + ["rare"]).encoder
    assert encoder.levels == ("z", "a", "b")
    assert encoder.missing_cell == 4
    assert encoder.n_cells == 5


def test_weights_decide_what_is_rare():
    encoder = _learn_text(["a"] * 3 + ["b"] * 20, [1.0] * 3 + [0.05] * 20).encoder
    assert encoder.levels == ("a",)  # 3 against 1


def test_rare_unseen_and_missing_values_have_the_last_two_cells():
    encoder = _learn_text(["a"] * 9 + ["b"] * 8 + ["rare", None]).encoder
    cells = encoder.find_cells(np.array([3, 0, 1, 2, -1]), ["rare", "b", "never seen", "a"])
    assert cells.tolist() == [0, 2, 1, 2, 3]
    assert cells.dtype == np.int32


def test_true_is_not_one_and_one_is_one_point_zero():
    encoder = _learn_text([True] * 9 + ["x"] * 5).encoder
    assert encoder.levels == (True, "x")
    assert encoder.find_cells(np.array([0, 1, 2, 3]), [True, 1, 1.0, "x"]).tolist() == [0, 2, 2, 1]
    encoder = _learn_text([1] * 9 + ["1"] * 5).encoder
    assert encoder.find_cells(np.array([0, 1, 2, 3]), [True, 1, 1.0, "1"]).tolist() == [2, 0, 0, 1]


def test_every_category_has_a_function_and_so_have_other_and_missing():
    column = _learn_text(["a"] * 9 + ["b"] * 8)
    for axis in column.axes:
        functions = axis.basis.combine(np.arange(4, dtype=np.int32), np.zeros(4), np.eye(4))
        np.testing.assert_array_equal(functions, np.eye(4))
        assert axis.spikes == (3,)


@pytest.mark.parametrize(("size", "limit"), [(1, 3000), (2, 24), (3, 8)])
def test_axes_of_many_categories_tell_the_heaviest_apart_and_pool_the_rest(size, limit):
    n_levels = 3500
    weights = np.linspace(100, 10, n_levels)
    column = learn_categories("c", np.arange(n_levels), [f"level {i}" for i in range(n_levels)], weights)
    assert column.encoder.levels == tuple(f"level {i}" for i in range(3000))
    basis = column.encoder.bases[size - 1]
    assert basis.n_functions == limit + 2
    cells = np.arange(column.encoder.n_cells, dtype=np.int32)
    owner = basis.combine(cells, np.zeros(len(cells)), np.arange(basis.n_functions, dtype=float)[:, None])[:, 0]
    assert owner[:limit].tolist() == list(range(limit))
    assert (owner[limit:-1] == limit).all()  # the lighter levels and "other" share one function
    assert owner[-1] == limit + 1


@pytest.mark.parametrize(("size", "limit"), [(2, 24), (3, 8)])
def test_axes_of_many_number_levels_are_joined_by_hats(size, limit):
    column = _learn(np.arange(30).repeat(20))
    assert len(column.encoder.values) == 30
    curves = _curves(column, size, np.arange(30.0))
    assert curves.shape[1] <= limit
    assert _misfit(curves, np.arange(30.0)) < 1e-12
    assert np.linalg.matrix_rank(_curves(column, 1, np.arange(30.0))) == 30


def test_an_id_column_of_fifty_thousand_levels_is_one_level_called_other():
    n = 50_000
    with pytest.warns(DataWarning, match="column 'id' has 50,000 levels, of which 50,000 are too rare"):
        column = learn_categories("id", np.arange(n), [f"id{i}" for i in range(n)], np.ones(n))
    assert column.encoder.levels == ()
    assert column.encoder.n_cells == 2
    assert (column.encoder.find_cells(np.arange(n), [f"id{i}" for i in range(n)]) == 0).all()
    assert all(axis.basis.n_functions == 2 for axis in column.axes)


def test_a_category_that_is_all_missing_has_only_other_and_missing():
    encoder = learn_categories("c", np.full(9, -1), [], np.ones(9)).encoder
    assert encoder.levels == ()
    assert encoder.find_cells(np.array([-1, 0]), ["new"]).tolist() == [1, 0]


def test_pooled_levels_are_said_from_a_tenth_of_the_rows_on():
    levels = [f"level {i}" for i in range(60)]
    single = np.concatenate([np.arange(30).repeat(9), np.arange(30, 60)])  # 30 of 300 rows in levels of their own
    learn_categories("c", single, levels, np.ones(300))
    several = np.concatenate([np.arange(30).repeat(8), np.arange(30, 60)])  # 30 of 270
    with pytest.warns(DataWarning, match="30 are too rare .fewer than 2 rows. .* hold 11% of the rows and count as one"):
        learn_categories("c", several, levels, np.ones(270))


# --- codes


def _learn_code(x):
    return learn_numbers(count_values("x", np.asarray(x, dtype=np.float64), np.ones(len(x))), is_code=True)


def test_a_code_has_a_free_value_for_each_number_and_what_lies_between_is_on_the_curve():
    values = np.concatenate([np.arange(40.0), np.arange(50.0, 90.0)])
    column = _learn_code(values.repeat(10))
    assert column.encoder.values == tuple(values)
    axis = column.axes[0]
    assert axis.is_code
    assert len(axis.spikes) == 81  # and missing
    shown = _evaluate(column, 1, values)[:, :80]
    np.testing.assert_array_equal(shown, np.eye(80))
    # 45 is none of them, nor are 3.5 and 49.4; nothing holds there but the curve
    between = _evaluate(column, 1, [45.0, 3.5, 49.4])
    np.testing.assert_array_equal(_evaluate(column, 1, np.float32([7.0])), _evaluate(column, 1, [7.0]))
    np.testing.assert_array_equal(between[:, :81], 0.0)
    assert _misfit(_curves(column, 1, values), values**3) < 1e-12  # a level stands on the curve
    for size in (2, 3):  # sides of pairs and triples stay curves
        assert not column.axes[size - 1].is_code
        assert len(column.axes[size - 1].spikes) == 1
        assert _misfit(_curves(column, size, values), values) < 1e-12


def test_a_code_seen_once_lies_on_the_curve():
    column = _learn_code(np.append(np.arange(40.0).repeat(10), 60.0))
    assert column.encoder.values == tuple(range(40))
    assert _evaluate(column, 1, [60.0])[0, :41].tolist() == [0.0] * 41
