"""Numbers far from 1: scaled exactly, or refused by a message that names them."""

import warnings
from functools import cache

import numpy as np
import pytest

import instashap
from instashap import AdditiveRegressor, DataWarning, Explainer
from instashap._output_unit import find_output_unit
from instashap._row_arrays import check_outputs
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table
from instashap.table.units import warn_of_far_cells

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
OUTPUTS = X[:, 0] * X[:, 1] + X[:, 2]
@cache
def compute_plain_values() -> np.ndarray:
    return Explainer(order=1).fit(X, outputs=OUTPUTS).shap_values(X)


@pytest.mark.parametrize("power", [-800, -500, 500, 900])
def test_a_column_times_a_power_of_two_has_the_same_cells_and_positions(power: int) -> None:
    ones = np.ones(200)
    plain, scaled = (learn_table(read_table(table), ones)[0].encode(read_table(table)) for table in (X, X * 2.0**power))
    np.testing.assert_array_equal(scaled.cells, plain.cells)
    np.testing.assert_allclose(scaled.offsets, plain.offsets, atol=1e-12)


@pytest.mark.parametrize("power", [-700, 900])
def test_values_do_not_depend_on_the_unit_of_a_column(power: int) -> None:
    scaled = X * [2.0**power, 1.0, 1.0]
    values = Explainer(order=1).fit(scaled, outputs=OUTPUTS).shap_values(scaled)
    np.testing.assert_allclose(values, compute_plain_values(), atol=1e-9)


@pytest.mark.filterwarnings("ignore::instashap.DataWarning")
def test_one_wild_cell_harms_neither_the_fit_nor_what_is_made_of_it(tmp_path) -> None:
    wild = X.copy()
    wild[5, 0] = -1e200
    explainer = Explainer(order=1).fit(wild, outputs=X[:, 1])
    assert np.corrcoef(explainer.predict(wild), X[:, 1])[0, 1] > 0.99
    explainer.save(tmp_path / "wild.insta")
    assert np.array_equal(instashap.load(tmp_path / "wild.insta").predict(wild), explainer.predict(wild))
    assert explainer.audit().summary()
    instashap.write_report(explainer, wild, path=tmp_path / "wild.html")


def test_an_interaction_is_found_beside_one_wild_cell_which_is_named() -> None:
    wild = X.copy()
    wild[0, 0] = 1e60
    with pytest.warns(DataWarning, match=r"column 'x0' holds 1e\+60 in row 0, while 90 % of .* put NaN in its place"):
        explainer = Explainer().fit(wild, outputs=OUTPUTS)
    assert 1 - np.var(explainer.predict(wild) - OUTPUTS) / np.var(OUTPUTS) > 0.9


@pytest.mark.filterwarnings("ignore::instashap.DataWarning")
@pytest.mark.parametrize("cell", [1e120, -1e250])
def test_few_rows_beside_a_wild_cell_have_finite_values(cell: float) -> None:
    wild = X[:9].copy()
    wild[5, 0] = cell
    assert np.isfinite(Explainer(order=1).fit(wild, outputs=X[:9, 1]).shap_values(wild)).all()


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (np.finfo(float).max, r"column 'x0' holds 1.79769e\+308 in row 5, .* put NaN in its place"),
        (-1e300, r"column 'x0' holds -1e\+300 in row 5 beside .*, too far apart .* put NaN in its place"),
    ],
)
def test_what_no_unit_can_save_is_refused_by_name_and_the_advice_works(cell: float, message: str) -> None:
    wild = X.copy()
    wild[5, 0] = cell
    with pytest.raises(ValueError, match=message):
        Explainer(order=1).fit(wild, outputs=OUTPUTS)
    wild[5, 0] = np.nan
    assert np.isfinite(Explainer(order=1).fit(wild, outputs=OUTPUTS).shap_values(wild)).all()


def test_a_column_of_tiny_numbers_is_refused_by_name_and_the_advice_works() -> None:
    tiny = X * [1, 1e-300, 1]
    with pytest.raises(ValueError, match=r"column 'x1' holds no number larger in size than .* multiply the column"):
        Explainer(order=1).fit(tiny, outputs=X[:, 1])
    mended = tiny * [1, 1e100, 1]
    assert np.corrcoef(Explainer(order=1).fit(mended, outputs=X[:, 1]).predict(mended), X[:, 1])[0, 1] > 0.99


@pytest.mark.parametrize("factors", [(1.0, 1e250), (1e-250, 1e250)])
def test_an_output_too_small_beside_another_is_refused(factors: tuple[float, float]) -> None:
    outputs = np.linspace(-1, 1, 50)[:, None] * factors
    with pytest.raises(instashap.ModelOutputError, match="too little beside the other: fit one explainer for each"):
        find_output_unit(outputs, "outputs")
    assert find_output_unit(outputs[:, :1], "outputs") > 0


def test_a_column_of_huge_numbers_brings_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_far_cells(np.linspace(-1e300, 1e300, 50), "a")
        with pytest.raises(instashap.ModelOutputError, match="not finite on 50 rows"):
            check_outputs(np.ones(50, dtype=np.longdouble) * np.longdouble("1e400"), 50, "outputs")


@pytest.mark.parametrize("factor", [1e-280, 1e302])
def test_outputs_that_no_unit_can_hold_are_refused_by_name(factor: float) -> None:
    for fit in (lambda f: Explainer(order=1).fit(X, outputs=f), lambda f: AdditiveRegressor(order=1).fit(X, f)):
        with pytest.raises(ValueError, match=r"outputs|y holds|labels"):
            fit(OUTPUTS * factor)
    values = Explainer(order=1).fit(X, outputs=OUTPUTS * factor / factor).shap_values(X)
    np.testing.assert_allclose(values, compute_plain_values(), atol=1e-9)


@pytest.mark.parametrize("factor", [1e-59, 1e59])
def test_standard_errors_are_in_the_unit_of_the_outputs(factor: float) -> None:
    errors = Explainer(order=1).fit(X, outputs=OUTPUTS)(X[:5], errors=True).standard_errors
    scaled = Explainer(order=1).fit(X, outputs=OUTPUTS * factor)(X[:5], errors=True).standard_errors
    np.testing.assert_allclose(scaled / factor, errors, rtol=1e-3)


@pytest.mark.parametrize("weight", [2.0**-1000, 2.0**1023])
def test_equal_weights_of_any_size_weigh_alike(weight: float) -> None:
    explainer = Explainer(order=1).fit(X, outputs=OUTPUTS, sample_weight=np.full(200, weight))
    assert explainer.expected_value == pytest.approx(OUTPUTS.mean(), rel=1e-12)
    np.testing.assert_allclose(explainer.shap_values(X), compute_plain_values(), atol=1e-9)


def test_rows_that_a_wild_weight_makes_nothing_are_dropped_and_counted() -> None:
    weights = np.ones(200)
    weights[7] = 1e16
    with pytest.warns(instashap.DataWarning, match=r"199 rows have less than a 1e-12th .* 1e\+16 in row 7"):
        explainer = Explainer(order=1).fit(X, outputs=OUTPUTS, sample_weight=weights)
    assert explainer.expected_value == OUTPUTS[7]


@pytest.mark.parametrize("full_weight", [1e-300, 1e300])
def test_a_wild_full_weight_is_refused(full_weight: float) -> None:
    with pytest.raises(ValueError, match="full_weight must lie between 1e-12 and 1e12"):
        Explainer(full_weight=full_weight).fit(X, outputs=OUTPUTS)
