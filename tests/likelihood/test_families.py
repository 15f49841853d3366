"""Likelihoods: derivatives by finite differences, losses and responses by scipy's distributions."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from instashap.likelihood.losses.binary import Binary
from instashap.likelihood.losses.gamma import Gamma
from instashap.likelihood.losses.multinomial import Multinomial
from instashap.likelihood.losses.poisson import Poisson
from instashap.likelihood.losses.quantile import Quantile
from instashap.likelihood.over_outputs import find_largest, sum_outputs

RNG = np.random.default_rng(0)
N = 40
COUNTS = RNG.poisson(3.0, N).astype(float)
CASES = {
    "binary": (Binary(), RNG.integers(0, 2, N).astype(float)),
    "multinomial": (Multinomial(4), RNG.integers(0, 4, N).astype(float)),
    "poisson": (Poisson(), COUNTS),
    "gamma": (Gamma(), RNG.gamma(2.0, size=N)),
    "quantile": (Quantile(0.8, 0.3), RNG.normal(size=N)),
}
SCORES = {name: RNG.normal(size=(N, family.n_outputs)) for name, (family, _) in CASES.items()}


def difference(function, scores, output, step=1e-5):
    shift = np.zeros_like(scores)
    shift[:, output] = step
    return (function(scores + shift) - function(scores - shift)) / (2 * step)


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_the_difference_quotient_of_the_loss(name):
    family, target = CASES[name]
    _, gradient, _ = family.differentiate(SCORES[name], target)
    for output in range(family.n_outputs):
        slope = difference(lambda scores: family.differentiate(scores, target)[0], SCORES[name], output)
        np.testing.assert_allclose(gradient[:, output], slope, atol=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_curvature_is_the_difference_quotient_of_the_gradient(name):
    family, target = CASES[name]
    _, _, curvature = family.differentiate(SCORES[name], target)
    for output in range(family.n_outputs):
        bend = difference(lambda scores, k=output: family.differentiate(scores, target)[1][:, k], SCORES[name], output)
        expected = np.maximum(bend, 1.0) if name == "gamma" else bend  # the gamma's is bounded by its expectation
        np.testing.assert_allclose(curvature[:, output], expected, atol=1e-7)


def test_losses_are_negative_log_likelihoods_up_to_a_constant_of_the_target():
    score = SCORES["binary"]
    family, target = CASES["binary"]
    loss = family.differentiate(score, target)[0]
    np.testing.assert_allclose(loss, -stats.bernoulli.logpmf(target, special.expit(score[:, 0])), atol=1e-12)
    family, target = CASES["multinomial"]
    loss = family.differentiate(SCORES["multinomial"], target)[0]
    shares = special.log_softmax(SCORES["multinomial"], axis=1)
    np.testing.assert_allclose(loss, -shares[np.arange(N), target.astype(int)], atol=1e-12)
    family, target = CASES["poisson"]
    score, other = SCORES["poisson"], np.zeros((N, 1))
    gained = family.differentiate(score, target)[0] - family.differentiate(other, target)[0]
    truth = stats.poisson.logpmf(target, 1.0) - stats.poisson.logpmf(target, np.exp(score[:, 0]))
    np.testing.assert_allclose(gained, truth, atol=1e-12)
    family, target = CASES["gamma"]
    score = SCORES["gamma"]
    loss = family.differentiate(score, target)[0]
    np.testing.assert_allclose(loss, -stats.gamma.logpdf(target, 1.0, scale=np.exp(score[:, 0])), atol=1e-12)


@pytest.mark.parametrize("error", [-1.3, -0.1, 0.0, 0.4, 2.0])
def test_quantile_loss_is_the_pinball_loss_convolved_with_a_logistic_density(error):
    quantile, width = 0.8, 0.3

    def integrand(v):
        u = error - v
        return (quantile - (u < 0)) * u * stats.logistic.pdf(v, scale=width)

    expected = sum(integrate.quad(integrand, *ends, epsabs=1e-12)[0] for ends in ((-20, error), (error, 20)))
    loss = Quantile(quantile, width).differentiate(np.zeros((1, 1)), np.array([error]))[0]
    np.testing.assert_allclose(loss, expected, atol=1e-9)


def test_best_constant_of_the_narrow_quantile_loss_is_the_quantile():
    target = RNG.normal(size=2001)
    family = Quantile(0.9, 1e-4)
    grid = np.linspace(0.5, 2.0, 1501)
    losses = [family.differentiate(np.full((2001, 1), score), target)[0].sum() for score in grid]
    assert grid[np.argmin(losses)] == pytest.approx(np.quantile(target, 0.9, method="inverted_cdf"), abs=2e-3)


def test_smoothing_is_a_third_of_the_spread_by_the_cube_root_of_the_rows():
    target, weights = np.array([0.0, 4.0]), np.array([4.0, 4.0])  # sd 2, eight rows
    assert Quantile.from_labels(target, weights, {"quantile": 0.3}).width == pytest.approx(2.0 / (3 * 2.0))
    assert Quantile.from_labels(np.zeros(5), np.ones(5), {"quantile": 0.3}).width > 0


def test_responses_are_means_on_the_labels_scale():
    np.testing.assert_allclose(Binary().respond(np.log([[3.0], [1.0]])), [[0.25, 0.75], [0.5, 0.5]], atol=1e-15)
    np.testing.assert_allclose(Multinomial(3).respond(np.log([[1.0, 2.0, 5.0]]) + 7.0), [[0.125, 0.25, 0.625]], atol=1e-15)
    scores = SCORES["multinomial"]
    np.testing.assert_allclose(Multinomial(4).respond(scores), special.softmax(scores, axis=1), atol=1e-15)
    for family in (Poisson(), Gamma()):
        np.testing.assert_allclose(family.respond(np.log([[2.5], [0.1]])), [2.5, 0.1], atol=1e-15)
    np.testing.assert_array_equal(Quantile(0.5, 1.0).respond(np.array([[2.0], [-1.0]])), [2.0, -1.0])


@pytest.mark.parametrize("name", CASES)
def test_far_scores_stay_finite(name):
    family, target = CASES[name]
    for sign in (-1.0, 1.0):
        scores = np.zeros((N, family.n_outputs))
        scores[:, 0] = sign * 800.0
        for part in (*family.differentiate(scores, target), family.respond(scores)):
            assert np.isfinite(part).all()


def test_descents_start_at_the_best_constant():
    weights, target = np.array([1.0, 2.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0, 0.0])
    assert Binary().start(target, weights) == pytest.approx([np.log(3.5 / 1.5)])  # half a row more in either class
    logs = np.log([1.5, 3.5, 0.5])
    start = Multinomial(3).start(np.array([0.0, 1.0, 1.0]), np.array([1.0, 2.0, 1.0]))
    np.testing.assert_allclose(start, logs - logs.mean(), atol=1e-14)
    for family in (Poisson(), Gamma()):
        assert family.start(np.array([1.0, 4.0]), np.array([2.0, 1.0])) == pytest.approx([np.log(2.0)])
    values, counts = RNG.normal(size=50), RNG.integers(1, 4, 50)
    repeated = np.quantile(np.repeat(values, counts), 0.7, method="inverted_cdf")
    assert Quantile(0.7, 0.1).start(values, counts.astype(float)) == pytest.approx([repeated])


def test_noise_is_what_the_loss_overstates():
    scores, target, weights = np.log([[2.0], [2.0]]), np.array([6.0, 1.0]), np.array([1.0, 3.0])
    assert Binary().measure_noise(scores, np.array([0.0, 1.0]), weights) == 1.0
    assert Multinomial(2).measure_noise(np.zeros((2, 2)), np.array([0.0, 1.0]), weights) == 1.0
    assert Poisson().measure_noise(scores, target, weights) == pytest.approx((16 / 2 + 3 * 1 / 2) / 4)
    assert Gamma().measure_noise(scores, target, weights) == pytest.approx((2.0**2 + 3 * 0.5**2) / 4)
    # Errors 4 and -1 of a smoothing next to nothing: .25 · 4 and .75 · 1.
    narrow = Quantile(0.25, 1e-6).measure_noise(np.full((2, 1), 2.0), target, weights)
    assert narrow == pytest.approx((1.0 + 3 * 0.75) / 4, abs=1e-5)


def test_a_poisson_law_has_noise_one():
    rng = np.random.default_rng(1)
    scores = rng.normal(1.0, 0.5, (20_000, 1))
    target = rng.poisson(np.exp(scores[:, 0])).astype(float)
    assert Poisson().measure_noise(scores, target, np.ones(20_000)) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("n_outputs", [1, 2, 3, 7, 8, 13])
@pytest.mark.parametrize("order", ["C", "F"])
def test_sums_and_maxima_over_outputs_have_the_bits_of_a_reduction(n_outputs: int, order: str) -> None:
    values = np.asarray(np.random.default_rng(n_outputs).normal(size=(500, n_outputs)), order=order)
    assert np.array_equal(sum_outputs(values)[:, 0], values.sum(axis=1))
    assert np.array_equal(find_largest(values)[:, 0], values.max(axis=1))
    target = np.arange(500) % n_outputs
    loss, gradient, _ = Multinomial(n_outputs).differentiate(values, target.astype(float))
    np.testing.assert_allclose(loss, special.logsumexp(values, axis=1) - values[np.arange(500), target], atol=1e-12)
    np.testing.assert_allclose(gradient, special.softmax(values, axis=1) - np.eye(n_outputs)[target], atol=1e-12)
