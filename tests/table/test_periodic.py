"""Periodic columns: the curve ends as it begins, on hand-computed cases and in whole fits."""

import numpy as np
import pytest

import instashap
from instashap import AdditiveRegressor, Explainer, Periodic
from instashap.table.counted import count_values
from instashap.table.grain import SMOOTH

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning", "ignore::instashap.DataWarning")

HOURS = np.repeat(np.arange(24.0), 30)


def learn(x, basis=None, grain=SMOOTH):
    x = np.asarray(x, dtype=np.float64)
    return (Periodic() if basis is None else basis).learn(count_values("x", x, np.ones(len(x))), grain)


def evaluate(column, size, x, coefficients):
    """Values of a raw curve at places of the column, by its cells."""
    encoder, axis = column.encoder, column.axes[size]
    cells = np.searchsorted(encoder.edges, x).astype(np.int32)
    offsets = np.clip((x - encoder.lows[cells]) * encoder.scales[cells], 0, 1)
    return axis.basis.combine(cells, offsets, (axis.expansion @ coefficients)[:, None])[:, 0]


def differentiate(column, coefficients, cell, t):
    """Value, slope and curvature of the main effect at t in a cell, from the polynomials in the column's own units."""
    basis, scale = column.axes[0].basis, column.encoder.scales[cell]
    active = slice(basis.first[cell], basis.first[cell] + basis.width)
    weights = (column.axes[0].expansion @ coefficients)[active]
    polynomial = np.polynomial.Polynomial(weights @ basis.polynomials[cell])
    return np.array([polynomial.deriv(order)(t) * scale**order for order in range(3)])


def test_value_slope_and_curvature_agree_at_every_knot_and_across_the_period():
    column = learn(HOURS)
    coefficients = np.random.default_rng(0).normal(size=column.axes[0].expansion.shape[1])
    n_cells = len(column.encoder.lows)
    assert n_cells == 24
    for cell in range(n_cells):
        after = differentiate(column, coefficients, (cell + 1) % n_cells, 0.0)
        np.testing.assert_allclose(differentiate(column, coefficients, cell, 1.0), after, atol=1e-10)


def test_hats_of_interactions_have_one_value_at_both_ends():
    column = learn(HOURS)
    for size, n_knots in ((1, 12), (2, 4)):
        coefficients = np.random.default_rng(size).normal(size=n_knots)
        ends = evaluate(column, size, np.array([0.0, 24.0]), coefficients)
        assert ends[0] == pytest.approx(ends[1], abs=1e-12)
        knots = np.arange(n_knots) * 24.0 / n_knots
        np.testing.assert_allclose(evaluate(column, size, knots, coefficients), coefficients, atol=1e-12)


def test_splines_of_a_period_sum_to_one_and_repeat_themselves_by_shifts():
    column = learn(HOURS)
    places = np.linspace(0, 24, 97)
    np.testing.assert_allclose(evaluate(column, 0, places, np.ones(24)), 1.0, atol=1e-12)
    rng = np.random.default_rng(1)
    coefficients = rng.normal(size=24)
    here = evaluate(column, 0, places, coefficients)
    there = evaluate(column, 0, (places + 3) % 24, np.roll(coefficients, 3))
    np.testing.assert_allclose(here, there, atol=1e-12)


def test_roughness_is_the_integral_of_the_squared_second_derivative_around_the_period():
    # Weights of intervals differ by a hundredth, which orders sines and cosines.
    column = learn(HOURS)
    for waves in (1, 2):
        angles = 2 * np.pi * waves / 24
        knots = np.arange(24) + 1.0  # the k-th function is at its largest two knots after it begins
        curves = np.cos(angles * knots)
        amplitude = evaluate(column, 0, np.linspace(0, 24, 2001), curves)
        spline = (amplitude.max() - amplitude.min()) / 2
        integral = angles**4 * spline**2 * 24 / 2
        rough = np.square(column.axes[0].roughness[2] @ curves).sum()
        assert rough == pytest.approx(integral * (24.0 / np.pi) ** 3, rel=0.03)
        assert np.abs(column.axes[0].roughness[2] @ np.ones(24)).max() < 1e-8


@pytest.mark.parametrize(
    ("values", "basis", "start", "period"),
    [
        (np.arange(24), None, 0, 24),
        (np.arange(1, 13), None, 0, 12),
        (np.arange(1, 13), Periodic(12, start=1), 1, 12),
        (np.linspace(3, 350, 40), Periodic(360), 0, 360),
        (np.linspace(-170, 170, 40), Periodic(360, start=-180), -180, 360),
        ([4, 5, 9, 12], None, 4, 9),
    ],
)
def test_a_period_begins_at_zero_or_at_the_lowest_value_and_has_the_length_of_a_range(values, basis, start, period):
    encoder = learn(np.repeat(np.asarray(values, dtype=np.float64), 20), basis).encoder
    last = encoder.lows[-1] + 1 / encoder.scales[-1]
    assert (encoder.lows[0], last) == (start, pytest.approx(start + period))


@pytest.mark.parametrize(
    ("values", "basis", "message"),
    [
        ([0.5, 1.5], None, "column 'x' holds numbers that are not whole, so that its period is unknown: pass Periodic"),
        ([0, 25], Periodic(24), "column 'x' has values from 0 to 25, beyond the period from 0 to 24: pass the column modulo"),
        ([0, 5], Periodic(24, start=1), "beyond the period from 1 to 25"),
        ([0, 5], Periodic(-3.0), "period must be a finite number above 0, got -3.0"),
    ],
)
def test_columns_that_do_not_fit_the_period_are_refused(values, basis, message):
    with pytest.raises(ValueError, match=message):
        learn(values, basis)


def make_rows(n):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 24, n), rng.normal(size=n)]).astype(float)
    return X, np.exp(np.cos((X[:, 0] - 23) * np.pi / 12)) + X[:, 1]


def test_a_fit_meets_a_wave_across_midnight_and_saves_it(tmp_path):
    X, output = make_rows(1500)
    explainer = Explainer(bases={0: "periodic"}, order=1).fit(X, outputs=output)
    hours = np.linspace(0, 24, 97)
    found = explainer.predict(np.column_stack([hours, np.zeros(97)]))
    np.testing.assert_allclose(found, np.exp(np.cos((hours - 23) * np.pi / 12)), atol=0.06)
    assert found[0] == pytest.approx(found[-1], abs=1e-12)
    explainer.save(tmp_path / "day.insta")
    np.testing.assert_array_equal(instashap.load(tmp_path / "day.insta").shap_values(X), explainer.shap_values(X))
    assert explainer.set_params(bases=None).get_params()["bases"] is None


def test_other_decompositions_end_as_they_begin_before_and_after_saving(tmp_path):
    rng = np.random.default_rng(0)
    hours = rng.uniform(0, 24, 300)
    X = np.column_stack([hours, rng.normal(size=300) + 0.8 * np.cos((hours - 3) * np.pi / 12)])
    output = np.cos((hours - 23) * np.pi / 12) + X[:, 1] * np.sin(hours * np.pi / 12)
    explainer = Explainer(bases={0: Periodic(24)}, synthetic_rows=0).fit(X, outputs=output)
    explainer.save(tmp_path / "day.insta")
    ends, loaded = np.array([[0.0, 0.3], [24.0, 0.3]]), instashap.load(tmp_path / "day.insta")
    for kind in ("stone-hooker", "product", "marginal"):
        purified = explainer.purify(kind, X)
        np.testing.assert_allclose(np.diff(purified.interaction_values(ends), axis=0), 0.0, atol=1e-9)
        np.testing.assert_allclose(purified.predict(X), explainer.predict(X), atol=1e-9)
        np.testing.assert_array_equal(loaded.purify(kind, X).shap_values(X), purified.shap_values(X))


def test_hours_that_were_not_seen_are_read_from_their_neighbours_around_midnight():
    X, output = make_rows(1500)
    kept = X[:, 0] != 0
    explainer = Explainer(bases={0: Periodic(24)}, order=1).fit(X[kept], outputs=output[kept])
    assert explainer.predict(np.array([[0.0, 0.0]]))[0] == pytest.approx(np.exp(np.cos(np.pi / 12)), abs=0.03)


def test_the_order_of_rows_changes_nothing_where_all_hours_are_equally_frequent():
    # Sines and cosines of one frequency are then equally frequent and equally rough but for the tilt of the weights.
    rng = np.random.default_rng(0)
    X = np.column_stack([np.tile(np.arange(24.0), 20), rng.normal(size=480)])
    output = np.exp(np.cos((X[:, 0] - 3) * np.pi / 12)) * (1 + X[:, 1]) + 0.3 * rng.normal(size=480)
    values = Explainer(bases={0: "periodic"}).fit(X, outputs=output).shap_values(X)
    order = rng.permutation(480)
    permuted = Explainer(bases={0: "periodic"}).fit(X[order], outputs=output[order]).shap_values(X)
    np.testing.assert_allclose(permuted, values, atol=1e-9)


def test_missing_hours_have_a_value_of_their_own():
    X, output = make_rows(900)
    X[::10, 0] = np.nan
    output[::10] = 9.0 + X[::10, 1]
    explainer = Explainer(bases={0: "periodic"}, order=1).fit(X, outputs=output)
    assert explainer.predict(np.array([[np.nan, 0.0]]))[0] == pytest.approx(9.0, abs=0.3)


def test_the_unit_of_a_column_changes_nothing():
    X, output = make_rows(400)
    plain = Explainer(bases={0: Periodic(24)}).fit(X, outputs=output)
    huge = 2.0**100  # beyond the sizes that are fitted as they are
    scaled = Explainer(bases={0: Periodic(24 * huge)}).fit(X * [huge, 1.0], outputs=output)
    np.testing.assert_allclose(scaled.shap_values(X * [huge, 1.0]), plain.shap_values(X), atol=1e-9)


def test_bases_are_named_for_number_columns_alone():
    import pandas as pd

    frame = pd.DataFrame({"hour": HOURS, "town": np.resize(["a", "b"], len(HOURS))})
    for bases, error, message in (
        ({"town": "periodic"}, ValueError, "bases names the category column 'town'"),
        ({"hours": "periodic"}, ValueError, "bases names the unknown column 'hours'; did you mean 'hour'"),
        ({"hour": "cyclic"}, ValueError, "bases='cyclic' is not known; use one of 'codes', 'levels', 'periodic', 'spline'"),
        ({"hour": Periodic}, TypeError, "bases takes a name .* or an object with a method learn"),
        ("periodic", TypeError, "bases must be a dict from columns to names of bases"),
    ):
        with pytest.raises(error, match=message):
            Explainer(bases=bases).fit(frame, outputs=HOURS)


def test_bases_belong_to_the_closed_form():
    with pytest.raises(ValueError, match="bases= can be used with the closed form only, and fitter= names another fit"):
        Explainer(bases={0: "periodic"}, fitter=lambda *given, **options: None).fit(np.ones((20, 2)), outputs=np.arange(20.0))


@pytest.mark.parametrize(("name", "n_functions"), [("levels", 7), ("spline", 10), ("codes", 16)])
def test_the_other_bases_can_be_chosen_too(name, n_functions):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 6, 300), rng.normal(size=300)]).astype(float)
    explainer = Explainer(bases={0: name}, order=1).fit(X, outputs=X[:, 0] + X[:, 1])
    assert explainer._fitted.encoder.columns[0].bases[0].n_functions == n_functions


def test_a_regressor_takes_bases_too():
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.integers(1, 24, 1500), rng.normal(size=1500)]).astype(float)  # no midnight
    rate = np.exp(1 + np.cos((X[:, 0] - 3) * np.pi / 12))
    model = AdditiveRegressor(bases={0: Periodic(24)}, order=1).fit(X, rate + 0.1 * rng.normal(size=1500))
    exact = np.exp(1 + np.cos(-3 * np.pi / 12))  # to be read from its neighbours on both sides
    assert model.predict([[0.0, 0.0]]) == pytest.approx(exact, abs=0.4)
    assert model.predict([[24.0, 0.0]]) == pytest.approx(model.predict([[0.0, 0.0]]), rel=1e-9)  # the same hour
