"""What a weight means: whole numbers are counts, other weights have no unit, and copies are no evidence."""

from functools import cache
from typing import Any

import numpy as np
import pytest

import instashap
from instashap import AdditiveClassifier, AdditiveRegressor, Explainer
from instashap._row_arrays import check_weights, normalise_weights

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")


def make_table(n_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).normal(size=(n_rows, 4))
    return X, X[:, 0] * X[:, 1] + X[:, 2]


def measure_r2(truth: np.ndarray, found: np.ndarray) -> float:
    return float(1 - ((truth - found) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def test_weights_sum_to_their_effective_number_of_rows() -> None:
    # (1 + 1 + 2)² / (1 + 1 + 4) = 16 / 6
    np.testing.assert_allclose(normalise_weights(np.array([0.1, 0.1, 0.2])), np.array([1, 1, 2]) * (16 / 6 / 4))
    np.testing.assert_allclose(check_weights(np.full(7, 1e-300), 7), np.ones(7))
    np.testing.assert_allclose(check_weights(np.full(7, 1.5e300), 7), np.ones(7))
    np.testing.assert_array_equal(check_weights([0, 3, 1000], 3), [0, 3, 1000])


def test_weights_that_leave_few_rows_are_warned_of() -> None:
    weights = np.where(np.arange(1500) < 5, 1e6, 1.0)
    with pytest.warns(instashap.DataWarning, match=r"worth 5 rows of equal weight, of 1,500: .* 1e\+06 in row 0, the median 1"):
        check_weights(weights, 1500)  # (5e6 + 1495)² / (5e12 + 1495) = 5.003


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3) + 1j, "sample_weight is complex"),
        (["a", "b", "c"], "sample_weight must be numeric, got dtype"),
        (np.array(["2024-01-01"] * 3, dtype="M8[D]"), "sample_weight must be numeric, got dates or durations"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_weights(weights, 3)


@cache
def fit_in_unit(kind: str, unit: float) -> Any:
    """What a fit with weights that are no counts gives for its rows."""
    X, f = make_table(600, 0)
    weights = unit * np.random.default_rng(1).uniform(0.5, 1.5, len(X))
    if kind == "explainer":
        return Explainer(order=1).fit(X, outputs=f, sample_weight=weights).shap_values(X)
    if kind == "regressor":
        return AdditiveRegressor(order=1).fit(X, f, sample_weight=weights).predict(X)
    if kind == "classifier":
        return AdditiveClassifier(order=1).fit(X, X[:, 2] > 0.5, sample_weight=weights).decision_function(X)
    counts = np.random.default_rng(2).poisson(np.exp(0.5 * X[:, 2]))
    return AdditiveRegressor(order=1, loss="poisson").fit(X, counts, sample_weight=weights).predict(X)


@pytest.mark.parametrize("unit", [1 / 2000, 1e-6, 1000.0])
@pytest.mark.parametrize("kind", ["explainer", "regressor", "classifier", "poisson"])
def test_the_unit_of_weights_that_are_no_counts_changes_nothing(kind: str, unit: float) -> None:
    plain = fit_in_unit(kind, 1.0)
    assert plain.std() > 0.1  # weights of sum one once shrank every effect to nothing
    np.testing.assert_allclose(fit_in_unit(kind, unit), plain, atol=1e-6 * plain.std())


@pytest.fixture(scope="module")
def noisy_fit() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
    """Rows with noisy outputs, new rows with theirs, and the R² of these by a fit of the former, each once."""
    X, f = make_table(200, 0)
    noisy = f + np.random.default_rng(1).normal(size=len(f))
    new, truth = make_table(4000, 2)
    truth = truth + np.random.default_rng(3).normal(size=len(truth))
    return X, noisy, new, truth, measure_r2(truth, Explainer(presence_order=2).fit(X, outputs=noisy).predict(new))


@pytest.mark.parametrize("n_copies", [5, 20])
@pytest.mark.parametrize("is_weighted", [True, False])
def test_copies_of_rows_do_not_pass_for_new_rows(noisy_fit: Any, n_copies: int, is_weighted: bool) -> None:
    X, noisy, new, truth, once = noisy_fit
    weights = np.full(len(X), float(n_copies)) if is_weighted else None
    copied = np.arange(len(X)) if is_weighted else np.repeat(np.arange(len(X)), n_copies)
    explainer = Explainer(presence_order=2).fit(X[copied], outputs=noisy[copied], sample_weight=weights)
    measured = measure_r2(truth, explainer.predict(new))
    assert measured == pytest.approx(once, abs=0.02)
    assert measured > 0.5  # noise has a third of the variance
    assert explainer.fit_facts_["chosen"]["fidelity"] < measured + 0.1
    assert explainer.audit().verdict != "safe"


def test_copies_in_another_precision_are_copies() -> None:
    X, f = make_table(75, 0)
    noisy = f + np.random.default_rng(1).normal(size=len(f))
    copies = np.vstack([*([X] * 5), *([X.astype(np.float32)] * 5), *([(X * 1.8 + 32 - 32) / 1.8] * 5)])
    chosen = Explainer(presence_order=2).fit(copies, outputs=np.tile(noisy, 15)).fit_facts_["chosen"]
    once = Explainer(presence_order=2).fit(np.vstack([X] * 15), outputs=np.tile(noisy, 15)).fit_facts_["chosen"]
    assert chosen["fidelity"] == pytest.approx(once["fidelity"], abs=1e-3)  # it was 1: copies were held out beside each other


def test_few_different_rows_are_never_called_safe() -> None:
    X = np.repeat(np.random.default_rng(0).integers(0, 4, size=(30, 2)), 40, axis=0)
    report = instashap.audit(lambda X: 0.5 + X[:, 0] + X[:, 1], X, orders=(1,))
    assert report.how == "fitted rows"
    assert report.verdict == "caution"
    assert "no rows could be held out" in report.summary()


@pytest.mark.parametrize("n_rows", [8, 30])
def test_copies_of_few_continuous_rows_claim_what_the_rows_themselves_do(n_rows: int) -> None:
    X, _ = make_table(n_rows, 0)
    noise = np.random.default_rng(1).normal(size=n_rows)
    explainer = Explainer().fit(np.repeat(X, 20, axis=0), outputs=np.repeat(noise, 20))
    once = Explainer().fit(X, outputs=noise)
    claims = [fitted.fit_facts_["chosen"]["fidelity"] for fitted in (explainer, once)]
    assert claims[0] == pytest.approx(claims[1], abs=0.05)  # it was 1 with copies; nothing is to be known of noise
    report = explainer.audit()
    assert report.how != "fitted rows"
    assert report.verdict != "safe"


def test_an_r2_of_rows_that_are_in_every_fold_is_not_called_held_out() -> None:
    rng = np.random.default_rng(0)
    X, noise = np.repeat(np.round(rng.normal(size=(12, 2))), 30, axis=0), np.repeat(rng.normal(size=12), 30)
    explainer = Explainer().fit(X, outputs=noise)
    assert explainer.fit_facts_["chosen"]["is_held_out"] is False
    for shown in (repr(explainer), explainer._repr_html_()):
        assert "held-out" not in shown
        assert "R² on the fitted rows, none held out" in shown
    Z = rng.normal(size=(200, 2))
    assert "held-out R² to the model" in repr(Explainer(order=1).fit(Z, outputs=Z[:, 0]))


def test_a_fit_says_how_many_rows_its_weights_are_worth() -> None:
    X, f = make_table(400, 0)
    weights = np.where(np.arange(400) < 200, 0.1, 0.3)  # (20 + 60)² / (2 + 18) = 320
    assert "weights worth 320 of 400 rows" in repr(Explainer(order=1).fit(X, outputs=f, sample_weight=weights))
    assert "weights" not in repr(Explainer(order=1).fit(X, outputs=f))


def test_measurements_of_equal_rows_are_no_copies() -> None:
    dose = np.repeat(np.linspace(0.0, 1.0, 40), 50)[:, None]
    y = (np.random.default_rng(0).random(2000) < 1 / (1 + np.exp(-6 * (dose[:, 0] - 0.5)))).astype(int)
    model = AdditiveClassifier(order=1).fit(dose, y)
    assert model.to_explainer().fit_facts_["total_weight"] == 2000
    at = np.linspace(0.1, 0.9, 9)[:, None]
    np.testing.assert_allclose(model.decision_function(at), 6 * (at[:, 0] - 0.5), atol=0.6)
