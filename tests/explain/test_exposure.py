"""Counts with an exposure: the model is that of the rate, whatever the unit, and equals a fit with an offset elsewhere."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import PoissonRegressor

from instashap import AdditiveRegressor

RNG = np.random.default_rng(5)
N = 300
X = pd.DataFrame({"age": RNG.normal(size=N), "kind": RNG.choice(["a", "b", "c"], N)})
DAYS = RNG.integers(1, 400, N).astype(float)
TRUTH = np.log(0.02) + 0.5 * X["age"].to_numpy() + 0.4 * (X["kind"] == "b").to_numpy()
COUNTS = RNG.poisson(DAYS * np.exp(TRUTH)).astype(float)


def fit(X=X, y=COUNTS, **given):
    return AdditiveRegressor(order=1, loss="poisson").fit(X, y, **given)


@pytest.fixture(scope="module")
def by_day():
    return fit(exposure=DAYS)


def test_the_unit_of_the_exposure_only_divides_the_rate(by_day):
    for unit in (1 / 365.25, 24.0, 1e30):
        model = fit(exposure=DAYS * unit)
        np.testing.assert_allclose(model.shap_values(X), by_day.shap_values(X), atol=1e-8)
        np.testing.assert_allclose(model.predict(X) * unit, by_day.predict(X), rtol=1e-8)
        np.testing.assert_allclose(model.predict(X, exposure=DAYS * unit), by_day.predict(X, exposure=DAYS), rtol=1e-8)


def test_rates_are_near_the_truth_and_the_expected_events_sum_to_those_seen(by_day):
    assert np.corrcoef(np.log(by_day.predict(X)), TRUTH)[0, 1] > 0.97
    assert by_day.predict(X, exposure=DAYS).sum() == pytest.approx(COUNTS.sum(), rel=1e-5)
    np.testing.assert_allclose(by_day.intercept_ + by_day.shap_values(X).sum(axis=1), np.log(by_day.predict(X)), atol=1e-12)
    design = np.column_stack([X["age"], X["kind"] == "b", X["kind"] == "c"]).astype(float)
    other = PoissonRegressor(alpha=0, tol=1e-8).fit(design, COUNTS / DAYS, sample_weight=DAYS)
    assert np.sqrt(np.mean((np.log(by_day.predict(X)) - np.log(other.predict(design))) ** 2)) < 0.08


def test_an_offset_is_the_logarithm_of_an_exposure(by_day):
    model = fit(offset=np.log(DAYS))
    np.testing.assert_allclose(model.predict(X), by_day.predict(X), rtol=1e-8)
    expected = by_day.predict(X) * DAYS
    np.testing.assert_allclose(model.predict(X, offset=np.log(DAYS)), expected, rtol=1e-8)
    residuals = COUNTS - expected
    assert model.score(X, COUNTS, offset=np.log(DAYS)) == pytest.approx(1 - residuals.var() / COUNTS.var(), abs=1e-3)


def test_rows_of_weight_w_are_w_equal_rows_and_rows_without_exposure_are_dropped():
    weights = RNG.integers(0, 3, N)
    repeated = np.repeat(np.arange(N), weights)
    weighted = fit(exposure=DAYS, sample_weight=weights)
    copies = fit(X.iloc[repeated], COUNTS[repeated], exposure=DAYS[repeated])
    np.testing.assert_allclose(weighted.predict(X), copies.predict(X), rtol=1e-6)
    never = np.where(np.arange(N) < 5, 0.0, DAYS)
    seen = fit(X, np.where(never > 0, COUNTS, 0.0), exposure=never)
    np.testing.assert_allclose(seen.predict(X), fit(X.iloc[5:], COUNTS[5:], exposure=DAYS[5:]).predict(X), rtol=1e-6)


def test_exposures_of_a_series_are_matched_by_the_index(by_day):
    table = X.set_axis([f"r{row}" for row in range(N)])
    exposure = pd.Series(DAYS, index=table.index).sample(frac=1, random_state=0)
    np.testing.assert_allclose(fit(table, exposure=exposure).predict(table), by_day.predict(X), rtol=1e-9)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"exposure": DAYS, "offset": DAYS}, "pass one of them"),
        ({"exposure": DAYS[:-1]}, r"exposure has shape \(299,\), the table has 300 rows"),
        ({"exposure": -DAYS}, "300 values below 0; if they are logarithms of exposures, pass them as offset="),
        ({"exposure": np.zeros(N)}, "exposure is 0 in every row"),
        ({"exposure": np.where(COUNTS > 0, 0.0, 1.0)}, r"rows have events and an exposure of 0, the first is row \d+"),
        ({"exposure": np.full(N, np.inf)}, "300 NaN or infinite values, the first in row 0"),
        ({"exposure": ["long"] * N}, "exposure must be numbers, one per row"),
        ({"offset": DAYS * 10}, "pass the exposure itself as exposure="),
    ],
)
def test_exposures_that_cannot_be_used_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        fit(**given)


def test_a_loss_without_exposures_says_what_to_fit_and_that_works():
    model = AdditiveRegressor(order=1, loss="gamma")
    amounts = COUNTS + 1.0
    with pytest.raises(ValueError, match="set loss='poisson', or fit y / exposure"):
        model.fit(X, amounts, exposure=DAYS)
    assert np.isfinite(model.fit(X, amounts / DAYS).predict(X)).all()
    with pytest.raises(ValueError, match="loss='gamma'"):
        model.predict(X, offset=np.log(DAYS))


def test_numbers_of_knots_do_not_depend_on_the_rounding_of_exposures():
    """300 rows of mean exposure 1 have 20 intervals; in some units their sum is a little less than 300, which gave 18."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"a": rng.normal(size=N), "b": rng.normal(size=N), "g": rng.choice(list("xyz"), N)})
    exposure = rng.uniform(0.2, 3.0, N)
    counts = rng.poisson(np.exp(0.75 * rows["a"] + 0.5 * (rows["g"] == "x")) * exposure)
    found = [unit * fit(rows, counts, exposure=unit * exposure).predict(rows) for unit in (1.0, 365.0, 7.0)]
    np.testing.assert_allclose(found[1:], [found[0]] * 2, rtol=1e-9)
