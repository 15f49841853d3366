"""The conditional game of fixed scores: brute-force masked risks, and exact conditional Shapley values."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.special import expit

from instashap import AdditiveClassifier
from instashap.datasets import GaussianQuadratic
from instashap.game.coalitions import compute_shapley_size_law, enumerate_coalitions
from instashap.game.exact import compute_shapley_values
from instashap.likelihood import presence
from instashap.likelihood.likelihood_fitter import LikelihoodFitter
from instashap.likelihood.losses.binary import Binary
from instashap.likelihood.presence import fit_presence
from instashap.likelihood.pure_tables import purify_tables
from instashap.likelihood.stages import LabelledRows
from instashap.likelihood.tables import TableDesign


@pytest.fixture
def make_case(encode):
    """Purified random tables on correlated rows."""

    def make_case(n_columns=3, n_outputs=1, n_rows=400):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n_rows, 1)) + 0.8 * rng.normal(size=(n_rows, n_columns))
        X[:, 1] = np.round(X[:, 1]).clip(-2, 2)
        weights = rng.uniform(0.5, 2.0, n_rows)
        columns, encoded = encode(X, weights)
        pairs = tuple(combinations(range(n_columns), 2))
        design = TableDesign(columns, (*((column,) for column in range(n_columns)), *pairs), n_outputs)
        vector = rng.normal(size=len(design))
        return columns, design, vector, purify_tables(design, vector, encoded, weights), encoded, weights

    return make_case


def fit_moves(case, presence_order="auto", full_weight=1.0, players=None):
    columns, _, _, pure, encoded, weights = case
    players = tuple(range(len(columns))) if players is None else players
    law = compute_shapley_size_law(max(players) + 1, full_weight)
    return fit_presence(columns, pure, encoded, weights, players, law, presence_order)


def play(model, encoded):
    """The game on all coalitions, shape (2**n_players, n_rows, n_outputs)."""
    n_rows = len(encoded.cells)
    masks = enumerate_coalitions(model.n_players)
    return np.stack([model.predict(encoded, np.tile(mask, (n_rows, 1))) for mask in masks])


def compute_masked_risk(model, encoded, weights, size_law):
    """``E_x Σ_S μ(S) |g(x; [d]) - g(x; S)|²`` by enumeration."""
    sizes = enumerate_coalitions(model.n_players).sum(axis=1)
    mass = size_law[sizes] / np.bincount(sizes)[sizes]
    game = play(model, encoded)
    return np.average(((game[-1] - game) ** 2).sum(axis=2), axis=1, weights=weights) @ mass


@pytest.mark.parametrize("presence_order", [1, 2, 3, "auto"])
def test_scores_at_the_full_coalition_stay_what_they_were(make_case, presence_order):
    case = make_case(n_columns=4, n_outputs=2)
    _, design, vector, _, encoded, _ = case
    model = fit_moves(case, presence_order).model
    scores = design.score(vector, encoded)
    np.testing.assert_allclose(model.predict(encoded), scores, atol=1e-12)
    np.testing.assert_allclose(play(model, encoded)[-1], scores, atol=1e-12)
    values = model.credits.apply(encoded)
    np.testing.assert_allclose(values.sum(axis=1) + model.base_value, scores, atol=1e-11)


def test_values_are_brute_force_shapley_values_of_the_fitted_game(make_case):
    case = make_case(n_columns=4, n_outputs=2)
    encoded = case[4]
    model = fit_moves(case, 3).model
    assert max(len(each) for sets in model.presence_sets for each in sets) == 3
    np.testing.assert_allclose(
        model.credits.apply(encoded), np.moveaxis(compute_shapley_values(play(model, encoded)), 0, 1), atol=1e-10
    )


def test_the_empty_coalition_gives_the_mean_score(make_case):
    case = make_case()
    _, design, vector, _, encoded, weights = case
    game = play(fit_moves(case, 3).model, encoded)
    np.testing.assert_allclose(game[0], np.average(design.score(vector, encoded)[:, 0], weights=weights), atol=1e-10)


def test_every_change_of_a_move_raises_the_masked_risk(make_case, monkeypatch):
    monkeypatch.setattr(presence, "STRENGTHS", (1e-9,))
    case = make_case()
    _, _, _, _, encoded, weights = case
    law = compute_shapley_size_law(3, 1.0)
    plain, fitted = fit_moves(case, 1).model, fit_moves(case, 3).model
    least = compute_masked_risk(fitted, encoded, weights, law)
    assert least < 0.95 * compute_masked_risk(plain, encoded, weights, law)
    places = [
        (term, part, place)
        for term, mixing in enumerate(fitted.mixings)
        for part, place in np.argwhere(mixing[1:, 1:, 0]) + 1  # what was on offer
    ]
    assert len(places) > 60
    changes = []
    for term, part, place in places[::2]:
        for step in (-0.01, 0.01):
            moved = fitted.mixings[term].copy()
            moved[part, place] += step
            moved[part, 0] -= step
            changed = replace(fitted, mixings=(*fitted.mixings[:term], moved, *fitted.mixings[term + 1 :]))
            changes.append(compute_masked_risk(changed, encoded, weights, law) - least)
    assert min(changes) > 0


def test_risk_saved_is_that_of_the_masks_in_score_variances(make_case, monkeypatch):
    monkeypatch.setattr(presence, "STRENGTHS", (1e-9,))
    monkeypatch.setattr(presence, "assign_folds", lambda encoded, outputs, weights, n: [(np.arange(400), weights)] * 2)
    case = make_case()
    _, design, vector, _, encoded, weights = case  # both folds are all rows: held out means trained on
    law = compute_shapley_size_law(3, 1.0)
    plain, fitted = fit_moves(case, 1), fit_moves(case, 3)
    saved = [compute_masked_risk(each.model, encoded, weights, law) for each in (plain, fitted)]
    scores = design.score(vector, encoded)[:, 0]
    variance = np.cov(scores, aweights=weights, ddof=0)
    assert fitted.risk_saved == pytest.approx((saved[0] - saved[1]) / variance, rel=1e-4)
    assert (plain.risk_saved, plain.strength, plain.presence_order) == (0.0, None, 2)


def test_independent_columns_leave_the_functions_where_they_are(encode):
    cube = np.array([[a, b] for a in range(4) for b in range(5)], dtype=float)
    columns, encoded = encode(np.tile(cube, (20, 1)))
    design = TableDesign(columns, ((0,), (1,), (0, 1)), 1)
    vector = np.random.default_rng(0).normal(size=len(design))
    pure = purify_tables(design, vector, encoded, np.ones(400))
    fitted = fit_presence(columns, pure, encoded, np.ones(400), (0, 1), compute_shapley_size_law(2, 1.0), 2)
    main = TableDesign(columns, ((0,),), 1).score(np.append(pure.tables[0,].ravel(), 0.0), encoded)
    alone = fitted.model.predict(encoded, np.tile([True, False], (400, 1))) - fitted.model.base_value
    np.testing.assert_allclose(alone, main, atol=1e-6)


def test_a_group_of_all_columns_has_nothing_to_move(make_case):
    case = make_case()
    fitted = fit_moves(case, players=(0, 0, 0))
    assert (fitted.strength, fitted.risk_saved) == (None, 0.0)
    values = fitted.model.credits.apply(case[4])[:, 0]
    np.testing.assert_allclose(values + fitted.model.base_value, fitted.model.predict(case[4]), atol=1e-12)


def test_groups_are_players_of_the_fitted_game(make_case):
    case = make_case(n_columns=4)
    model = fit_moves(case, players=(0, 1, 0, 2)).model
    assert model.n_players == 3
    np.testing.assert_allclose(
        model.credits.apply(case[4]), np.moveaxis(compute_shapley_values(play(model, case[4])), 0, 1), atol=1e-10
    )


def make_gaussian(correlation, size_of_products):
    """Five Gaussians and a quadratic log-odds, as equal correlations or two factors."""
    d, rng = 5, np.random.default_rng(0)
    if correlation == "factor":
        loadings = rng.normal(size=(d, 2))
        covariance = loadings @ loadings.T + 0.5 * np.eye(d)
        covariance /= np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    else:
        covariance = np.full((d, d), correlation) + (1 - correlation) * np.eye(d)
    quadratic = size_of_products * np.triu(rng.normal(size=(d, d)), 1)
    return GaussianQuadratic(covariance, rng.normal(size=d), (quadratic + quadratic.T) / 2, intercept=-0.5)


@pytest.mark.parametrize(
    ("correlation", "size_of_products", "floor", "floor_of_scores"),
    [
        (0.0, 0.0, 0.990, 0.990),
        pytest.param(0.6, 0.0, 0.991, 0.994, marks=pytest.mark.slow),
        pytest.param(0.6, 0.5, 0.987, 0.992, marks=pytest.mark.slow),
        ("factor", 0.5, 0.980, 0.991),
    ],
)
def test_values_of_fitted_labels_are_near_the_exact_conditional_ones(
    encode, correlation, size_of_products, floor, floor_of_scores
):
    simulator, n_rows = make_gaussian(correlation, size_of_products), 5000
    X, scores = simulator.sample(n_rows, 1)
    y = (np.random.default_rng(2).random(n_rows) < expit(scores)).astype(float)
    columns, encoded = encode(X)
    ones, law = np.ones(n_rows), compute_shapley_size_law(5, 1.0)
    fit = LikelihoodFitter(columns, Binary(), 2).fit(LabelledRows(encoded, y, ones))
    pure = purify_tables(fit.design, fit.vector, encoded, ones)
    model = fit_presence(columns, pure, encoded, ones, tuple(range(5)), law).model
    truth = simulator.shap_values(X)
    found = model.credits.apply(encoded)[:, :, 0]
    r2 = 1 - ((found - truth) ** 2).sum() / (truth**2).sum()
    full = model.predict(encoded)[:, 0] - model.base_value
    centred = scores - scores.mean()
    r2_of_scores = 1 - ((full - centred) ** 2).sum() / (centred**2).sum()
    assert r2 > floor
    assert r2_of_scores > floor_of_scores


def test_where_pairs_are_many_those_that_foretell_each_other_are_offered(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 5))
    X[:, 3] = X[:, 1] + 0.3 * rng.normal(size=500)
    y = rng.random(500) < expit(2 * X[:, 1] + X[:, 0])
    monkeypatch.setattr(presence, "MAX_PAIRS", 1)
    monkeypatch.setattr(presence, "MAX_FUNCTIONS", 20)
    model = AdditiveClassifier(order=1, presence_order=2).fit(X, y)
    explainer = model.to_explainer()
    assert explainer.presence_terms_ == [(0,), (1,), (2,), (3,), (4,), (1, 3)]
    total = explainer.shap_values(X).sum(axis=1) + explainer.expected_value
    np.testing.assert_allclose(total, model.decision_function(X), atol=1e-10)
