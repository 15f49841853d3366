"""Noise on moments: its scale against closed forms, and what a fit of noisy moments still says."""

from math import sqrt

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import instashap
from instashap.fits.conditional import get_plan
from instashap.masked.sums import RowSums
from instashap.questions.private_moments import (
    accumulate_with_noise,
    add_noise,
    calibrate_noise,
    compute_sensitivity,
    list_local_functions,
)

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")
NOISE = {"epsilon": 2.0, "delta": 1e-6, "output_range": (-5.0, 5.0)}


def draw(n_rows, seed):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n_rows, 2)), columns=["a", "b"]).assign(kind=rng.choice(["x", "y"], n_rows))
    return X, np.sin(X["a"]) + X["a"] * X["b"] + (X["kind"] == "x")


@pytest.fixture(scope="module")
def explainer():
    X, f = draw(600, 0)
    return instashap.Explainer(interactions=[(0, 1)], synthetic_rows=0, presence_order=2).fit(X, outputs=f)


@pytest.mark.parametrize(("epsilon", "delta"), [(0.1, 1e-5), (1.0, 1e-6), (8.0, 1e-9)])
def test_the_noise_is_the_least_that_gives_delta(epsilon, delta):
    sigma = calibrate_noise(epsilon, delta, 1.0)
    found = norm.cdf(0.5 / sigma - epsilon * sigma) - np.exp(epsilon) * norm.cdf(-0.5 / sigma - epsilon * sigma)
    assert found == pytest.approx(delta, rel=1e-5)
    assert calibrate_noise(epsilon, delta, 7.0) == pytest.approx(7 * sigma)
    if epsilon < 1:  # the classical bound, which holds there
        assert sigma < sqrt(2 * np.log(1.25 / delta)) / epsilon


def test_the_sensitivity_is_one_for_the_constant_and_each_term_and_output(explainer):
    plan = get_plan(explainer._fitted)
    assert len(plan.functions.value_sets) == 4
    assert compute_sensitivity(plan.functions, 1) == 1 + 4 + 1


def test_no_row_changes_the_local_sums_by_more_than_the_sensitivity(explainer):
    plan, (X, _) = get_plan(explainer._fitted), draw(3000, 1)
    X.loc[::7, "a"], X.loc[::11, "kind"], X.loc[::5, "b"] = np.nan, "unseen", 1e9
    encoded = plan.encoder.encode(explainer._fitted.read(X), 0, len(X))
    norms = np.full(len(X), 2.0)  # the constant, and an output at the end of its range
    values = [np.ones((1, len(X)))]
    for columns in plan.functions.value_sets:
        local = np.ones((len(X), 1))
        for column in columns:
            basis = plan.functions.axes[len(columns), column].basis
            own = basis.tabulate(encoded.cells[:, column], encoded.offsets[:, column], np.eye(basis.n_functions)).T
            local = (local[:, :, None] * own[:, None]).reshape(len(X), -1)
        norms += (local**2).sum(axis=1)
        values.append(local.T)
    assert norms.max() <= 6.0 + 1e-12
    assert norms.max() > 5.0
    # The plan's functions are those linear combinations of the local ones through which the noise is sent.
    blocks = list_local_functions(plan, np.ones(1))[1:-1]
    made = np.concatenate([block @ local for block, local in zip(blocks, values[1:], strict=True)])
    np.testing.assert_allclose(made, plan.functions.evaluate(encoded), rtol=0, atol=1e-9)


def test_the_noise_has_the_scale_that_is_asked_for():
    # A function z that is the sum of two local ones: N_1a + N_1b in the product with the constant, N_aa + N_bb + 2 N_ab in zz.
    blocks, rng = [np.ones((1, 1)), np.ones((1, 2))], np.random.default_rng(0)
    sums = RowSums(np.tile([5.0, 1.0, 2.0], (4000, 1)), 10)
    noisy = add_noise(sums, blocks, 3.0, rng).products - sums.products
    np.testing.assert_allclose(noisy.std(axis=0), 3.0 * np.sqrt([1.0, 2.0, 6.0]), rtol=0.05)
    assert np.abs(np.corrcoef(noisy.T) - np.eye(3)).max() < 0.06
    assert sums.products.max() == 5.0


def test_noisy_moments_are_refitted_and_hide_the_number_of_rows(explainer):
    X, f = draw(40_000, 2)
    private = accumulate_with_noise(explainer, X, f, **NOISE, random_state=0)
    assert private.n_rows != 40_000
    assert abs(private.n_rows - 40_000) < 500
    values = explainer.refit(explainer.accumulate(X, f)).shap_values(X[:500])
    found = explainer.refit(private).shap_values(X[:500])
    assert 0.5 < 1 - ((found - values) ** 2).sum() / (values**2).sum() < 0.9999
    again = accumulate_with_noise(explainer, X[:100], f[:100], **(NOISE | {"epsilon": 100.0, "output_range": (0.0, 0.5)}))
    assert np.isfinite(explainer.refit(again).predict(X[:5])).all()


def test_wrong_numbers_are_refused(explainer):
    X, f = draw(50, 3)
    for change, message in (
        ({"epsilon": 0.0}, "epsilon"),
        ({"delta": 1.5}, "delta below 1, got 2 and 1.5"),
        ({"output_range": (1.0, 1.0)}, r"the least and the largest output, got \(1, 1\)"),
        ({"epsilon": 1e-3}, "choose a larger epsilon"),
    ):
        with pytest.raises(ValueError, match=message):
            accumulate_with_noise(explainer, X, f, **(NOISE | change), random_state=0)


def test_a_plan_with_linear_predictions_is_refused_with_advice_that_works():
    X = np.random.default_rng(0).normal(size=(500, 3))
    X[:, 2] = X[:, 0] + X[:, 1]
    outputs = np.maximum(X[:, 2], 0.0)
    fitted = instashap.Explainer(order=1, synthetic_rows=0).fit(X, outputs=outputs)
    assert fitted._fitted.model.index is not None
    with pytest.raises(ValueError, match="linear predictions of columns, whose sums get no noise: fit with presence_order=3"):
        accumulate_with_noise(fitted, X, outputs, **NOISE)
    plain = instashap.Explainer(order=1, synthetic_rows=0, presence_order=3).fit(X, outputs=outputs)
    assert accumulate_with_noise(plain, X, outputs, **(NOISE | {"epsilon": 100.0})).n_rows > 0
