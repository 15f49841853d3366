"""The penalised fit against scikit-learn's logistic regression, dense gradients and simulated truth."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

from instashap.likelihood import likelihood_fitter as fitting
from instashap.likelihood.likelihood_fitter import LikelihoodFitter
from instashap.likelihood.losses.binary import Binary
from instashap.likelihood.losses.multinomial import Multinomial
from instashap.likelihood.losses.poisson import Poisson
from instashap.likelihood.stages import LabelledRows, Stage


def make_pair_rows(n_rows=500, seed=0):
    """Two numbers and a text column; log-odds with a product, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(size=n_rows), "b": rng.uniform(-1, 1, n_rows), "c": rng.choice(list("xyz"), n_rows)})
    score = np.sin(2 * frame["a"]) + 2 * frame["a"] * frame["b"] + frame["c"].map({"x": 1.0, "y": 0.0, "z": -1.0})
    return frame, (rng.random(n_rows) < expit(score.to_numpy())).astype(float), rng.integers(1, 4, n_rows).astype(float)


def make_dense(fit, columns, encoded, spread_term, make_dense_prior):
    """Rows and prior of a fit's tables as dense matrices, one output, without the intercept."""
    design = fit.design
    pairs = zip(fit.strengths.roughness, fit.strengths.ridge, strict=True)
    X = np.hstack([spread_term(columns, values, encoded) for values in design.value_sets])
    prior = np.zeros((X.shape[1], X.shape[1]))
    starts = design.starts // design.n_outputs
    for term, (values, own) in enumerate(zip(design.value_sets, pairs, strict=True)):
        block = slice(starts[term], starts[term + 1])
        prior[block, block] = make_dense_prior(columns, values, *own)
    return X, prior


# With pairs beside main effects the descent may end at its limit of steps, some digits short: see the last test of this file.
@pytest.mark.parametrize(("interactions", "tolerance"), [(0, 1e-8), ([(0, 1), (1, 2)], 1e-3)], ids=["mains", "pairs"])
def test_binary_fit_is_the_ridge_logistic_regression_of_its_dense_design(
    encode, spread_term, make_dense_prior, interactions, tolerance
):
    frame, y, weights = make_pair_rows()
    columns, encoded = encode(frame, weights)
    fit = LikelihoodFitter(columns, Binary(), order=2, interactions=interactions).fit(LabelledRows(encoded, y, weights))
    found = fit.design.score(fit.vector, encoded)[:, 0]
    peer, whitened = fit_peer(fit, columns, encoded, y, weights, spread_term, make_dense_prior)
    np.testing.assert_allclose(found, peer.decision_function(whitened), atol=tolerance)
    if interactions == 0:
        assert fit.vector[-1] == pytest.approx(peer.intercept_[0], abs=1e-7)


def fit_peer(fit, columns, encoded, y, weights, spread_term, make_dense_prior):
    """Logistic regression in coordinates of the prior's Cholesky factor: there the penalty is half the squared length."""
    X, prior = make_dense(fit, columns, encoded, spread_term, make_dense_prior)
    whitened = np.linalg.solve(np.linalg.cholesky(prior), X.T).T
    peer = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10, max_iter=200).fit(whitened, y, weights)
    return peer, whitened


@pytest.mark.parametrize(
    ("family", "tolerance"),
    [
        (Binary(), 1e-6),
        (Poisson(), 1e-6),
        (Multinomial(3), 1e-6),
    ],
    ids=["binary", "poisson", "multinomial"],
)
def test_gradient_is_zero_at_the_solution(encode, spread_term, make_dense_prior, family, tolerance):
    frame, y, weights = make_pair_rows()
    target = np.asarray(y + (frame["a"] > 0.8) if family.n_outputs == 3 else y, dtype=float)
    columns, encoded = encode(frame, weights)
    fit = LikelihoodFitter(columns, family, order=1).fit(LabelledRows(encoded, target, weights))
    X, prior = make_dense(fit, columns, encoded, spread_term, make_dense_prior)
    tables = fit.vector[: fit.design.starts[-1]].reshape(len(prior), -1)
    scores = X @ tables + fit.vector[fit.design.starts[-1] :]
    if family.n_outputs == 3:
        residual = softmax(scores, axis=1) - np.eye(3)[target.astype(int)]
    else:
        residual = (expit(scores) if isinstance(family, Binary) else np.exp(scores)) - target[:, None]
    gradient = X.T @ (weights[:, None] * residual)
    assert np.abs(gradient).max() > 1.0  # the prior holds against it
    np.testing.assert_allclose(gradient + prior @ tables, 0.0, atol=tolerance)
    np.testing.assert_allclose(weights @ residual, 0.0, atol=tolerance)


def test_additive_log_odds_are_recovered_and_need_no_pairs(encode):
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(4000, 4))
    truth = 1.5 * np.sin(2 * X[:, 0]) + X[:, 1] ** 2 - np.abs(X[:, 2])
    y = (rng.random(4000) < expit(truth)).astype(float)
    columns, encoded = encode(X)
    fit = LikelihoodFitter(columns, Binary(), order=2).fit(LabelledRows(encoded, y, np.ones(4000)))
    found = fit.design.score(fit.vector, encoded)[:, 0]
    assert 1 - np.mean((found - truth) ** 2) / truth.var() > 0.965
    assert {len(values) for values in fit.design.value_sets} == {1}
    # The truth's own mean loss on these rows is a bound the fit passes by no more than its degrees of freedom buy.
    losses = [np.mean(np.logaddexp(0, score) - y * score) for score in (found, truth)]
    assert abs(losses[0] - losses[1]) < fit.freedom.sum() / 4000
    assert fit.deviance == pytest.approx(losses[1], abs=0.03)


def test_a_product_is_found_and_kept(encode):
    rng = np.random.default_rng(1)
    X = rng.uniform(-2, 2, size=(3000, 4))
    truth = X[:, 0] + 1.5 * X[:, 1] * X[:, 3]
    y = (rng.random(3000) < expit(truth)).astype(float)
    columns, encoded = encode(X)
    fit = LikelihoodFitter(columns, Binary(), order=2).fit(LabelledRows(encoded, y, np.ones(3000)))
    assert (1, 3) in fit.design.value_sets
    found = fit.design.score(fit.vector, encoded)[:, 0]
    assert 1 - np.mean((found - truth) ** 2) / truth.var() > 0.93
    assert fit.freedom[fit.design.value_sets.index((1, 3))] == max(fit.freedom[4:])


@pytest.mark.parametrize("seed", range(3))
def test_pure_noise_keeps_main_effects_only_and_shrinks_them(encode, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(600, 6)), rng.integers(0, 2, 600).astype(float)
    columns, encoded = encode(X)
    fit = LikelihoodFitter(columns, Binary(), order=2).fit(LabelledRows(encoded, y, np.ones(600)))
    assert fit.design.value_sets == tuple((column,) for column in range(6))
    assert fit.design.score(fit.vector, encoded).std() < 0.35
    assert {each["order"] for each in fit.tried} == {1, 2}  # pairs were looked at


def test_what_was_asked_for_is_fitted_whatever_it_is_worth(encode):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 4)), rng.integers(0, 2, 300).astype(float)
    columns, encoded = encode(X)
    rows = LabelledRows(encoded, y, np.ones(300))
    fits = {
        asked: LikelihoodFitter(columns, Binary(), 3 if isinstance(asked, tuple) else 2, each).fit(rows)
        for asked, each in ((((0, 1, 3),), [(0, 1, 3)]), ("all", "all"), (2, 2), (0, 0))
    }
    assert fits[(0, 1, 3),].design.value_sets[4:] == ((0, 1), (0, 3), (1, 3), (0, 1, 3))
    assert len(fits["all"].design.value_sets) == 4 + 6
    assert len(fits[2].design.value_sets) == 4 + 2
    assert len(fits[0].design.value_sets) == 4


def test_held_out_loss_is_that_of_the_best_setting_tried(encode):
    frame, y, weights = make_pair_rows()
    columns, encoded = encode(frame, weights)
    fit = LikelihoodFitter(columns, Binary(), order=1).fit(LabelledRows(encoded, y, weights))
    losses = [each["deviance"] for each in fit.tried]
    # A change must gain 1 nat on all held-out rows together, or 3.
    assert min(losses) <= fit.deviance <= min(losses) + 3.0 / weights.sum() * 5
    assert fit.deviance < -np.log(0.5)


@pytest.mark.parametrize("directions", [(), (1, 0, 0, 0)])
def test_smoothing_again_is_the_fit_of_the_fitted_probabilities(encode, directions):
    frame, y, weights = make_pair_rows(150)
    columns, encoded = encode(frame, weights)
    fitter = LikelihoodFitter(columns, Binary(), order=1, directions=directions)
    fit = fitter.fit(LabelledRows(encoded, y, weights))
    first = fit.design.score(fit.vector, encoded)
    again = fitter.smooth_again(LabelledRows(encoded, y, weights), fit)
    expected = fitter.refit(LabelledRows(encoded, expit(first[:, 0]), weights), fit)
    found = fit.design.score(again.vector, encoded)
    np.testing.assert_allclose(found, fit.design.score(expected.vector, encoded), atol=1e-3 if directions else 1e-6)
    assert found.std() < first.std()  # the penalty shrinks once more


def test_two_rows_are_fitted_without_holding_out(encode):
    columns, encoded = encode(np.array([[0.0], [1.0]]))
    fit = LikelihoodFitter(columns, Binary(), order=1).fit(LabelledRows(encoded, np.array([0.0, 1.0]), np.ones(2)))
    assert np.isfinite(fit.vector).all()
    assert np.all(np.diff(fit.design.score(fit.vector, encoded)[:, 0]) >= 0)


def test_progress_rises_to_nine_tenths(encode):
    frame, y, weights = make_pair_rows(200)
    columns, encoded = encode(frame, weights)
    told = []
    LikelihoodFitter(columns, Binary(), 2, 1, progress=lambda share, what: told.append((share, what))).fit(
        LabelledRows(encoded, y, weights)
    )
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert told[-1][0] == 0.9


def test_pairs_beside_main_effects_end_at_the_optimum(encode, spread_term, make_dense_prior):
    frame, y, weights = make_pair_rows()
    columns, encoded = encode(frame, weights)
    fit = LikelihoodFitter(columns, Binary(), order=2, interactions=[(0, 1), (1, 2)]).fit(LabelledRows(encoded, y, weights))
    peer, whitened = fit_peer(fit, columns, encoded, y, weights, spread_term, make_dense_prior)
    np.testing.assert_allclose(fit.design.score(fit.vector, encoded)[:, 0], peer.decision_function(whitened), atol=1e-7)


@pytest.mark.parametrize(
    ("losses", "kept"),
    [
        ([100, 98, 96, 94, 93.9], 94),  # nats: no round gains three, together they gain six; the last gains a tenth
        ([100, 98, 97.9], 100),  # two nats in all may be chance
        ([100, 101], 100),
        ([100, 96, 95, 94, 93, 92], 93),  # four rounds at most
    ],
)
def test_rounds_of_learning_strengths_are_judged_by_what_they_gain_together(monkeypatch, losses, kept):
    monkeypatch.setattr(fitting, "Roughness", lambda design: None)
    fitter = LikelihoodFitter((), Binary())
    left = iter([Stage(None, (), loss, 1.0, 1.0, np.array([float(loss)]), np.ones(1)) for loss in losses])
    monkeypatch.setattr(fitter, "_advance", lambda *asked: next(left))
    monkeypatch.setattr(fitter, "_scale_strengths", lambda stage, prior, folds: stage)
    assert fitter._tune(Stage(None, ()), []).deviance == kept
