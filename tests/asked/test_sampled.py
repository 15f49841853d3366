"""Fits of games that are evaluated at masks, against formulas, enumeration, and shap's exact explainers."""

import numpy as np
import pytest

from instashap._errors import TooLargeError
from instashap.asked import sample as sampling
from instashap.asked import sampled
from instashap.asked.sample import CoalitionSample, accumulate_masked_moments, sample_game
from instashap.asked.sampled import SampledFitter
from instashap.blackbox import wrap_model
from instashap.blackbox.value_functions import Baseline, CalledGame, Marginal
from instashap.datasets import LatentClass
from instashap.game.coalitions import compute_shapley_size_law, enumerate_coalitions
from instashap.game.exact import compute_shapley_values
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table


@pytest.fixture(autouse=True)
def _ask_little(monkeypatch):
    monkeypatch.setattr(sampling, "N_COALITIONS", 2000)


class Fitted:
    """A fit of a game on rows, and what it is compared with."""

    def __init__(self, X, game, players=None, weights=None, seed=0, **options):
        weights = np.ones(len(X)) if weights is None else weights
        players = players or tuple(range(X.shape[1]))
        table = read_table(X)
        self.encoder, columns = learn_table(table, weights)
        encoded = self.encoder.encode(table)
        self.law = compute_shapley_size_law(max(players) + 1)
        self.sample = sample_game(
            game, np.arange(len(X)), game.evaluate_full(), weights, self.law, np.random.default_rng(seed)
        )
        references = game.get_references()
        stand_ins = encoded if references is None else self.encode(references)
        self.base = game.reference_outputs.mean(axis=0)
        fitter = SampledFitter(columns, players, **options)
        self.result = fitter.fit(encoded, weights, self.sample, stand_ins, self.base, self.law)
        self.model = self.result.model

    def encode(self, X):
        return self.encoder.encode(read_table(X, self.encoder.schema))

    def explain(self, X):
        return self.model.credits.apply(self.encode(X))[:, :, 0]


def bind(value_function, X, f, players=None):
    return value_function.bind(wrap_model(f), X, None, players or tuple(range(X.shape[1])))


def enumerate_game(game, n_rows, n_players):
    """``F`` of every coalition, shape (2**n_players, n_rows)."""
    rows = np.arange(n_rows)
    return np.stack([game.evaluate(rows, np.tile(mask, (n_rows, 1)))[:, 0] for mask in enumerate_coalitions(n_players)])


def make_gaussians(n_rows, n_columns=4, correlation=0.5, seed=0):
    covariance = np.full((n_columns, n_columns), correlation) + (1 - correlation) * np.eye(n_columns)
    return np.random.default_rng(seed).multivariate_normal(np.zeros(n_columns), covariance, size=n_rows)


def make_levels(n_rows, n_columns=4, seed=0):
    return np.clip(np.round(make_gaussians(n_rows, n_columns, seed=seed)), -1, 2)


def distance(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def test_a_product_of_correlated_columns_has_the_components_of_the_formula():
    X = make_gaussians(400, 3)
    background = X[:40]
    fit = Fitted(X, bind(Marginal(background), X, lambda X: X[:, 0] * X[:, 1]))
    x, encoded = X[:50], fit.encode(X[:50])
    first, second = background[:, 0].mean(), background[:, 1].mean()
    together = (background[:, 0] * background[:, 1]).mean()
    expected = {
        (0,): x[:, 0] * second - together,
        (1,): x[:, 1] * first - together,
        (0, 1): x[:, 0] * x[:, 1] - x[:, 0] * second - x[:, 1] * first + together,
        (0, 2): np.zeros(50),
    }
    for players, component in expected.items():
        found = fit.model.make_mobius_lookup(players).apply(encoded)[:, 0, 0]
        np.testing.assert_allclose(found, component, atol=2e-5)
    assert fit.model.base_value == pytest.approx(together)


@pytest.mark.parametrize("make", [lambda X: Marginal(X[:25]), lambda X: Baseline(X[3])], ids=["marginal", "baseline"])
def test_step_functions_of_order_two_are_recovered_to_five_digits(make):
    X = make_levels(300)
    game = bind(make(X), X, lambda X: (X[:, 0] > 0) * X[:, 1] + np.abs(X[:, 2]) * (X[:, 3] == 1) - X[:, 0])
    expected = compute_shapley_values(enumerate_game(game, 300, 4)).T
    fit = Fitted(X, game)
    assert distance(fit.explain(X), expected) < 1e-5
    assert fit.result.chosen.full_risk < 1e-6


def test_boosted_stumps_and_pairs_agree_with_shaps_interventional_tree_explainer():
    shap, xgboost = pytest.importorskip("shap"), pytest.importorskip("xgboost")
    X = make_levels(400)
    y = X[:, 0] * X[:, 1] + np.sin(X[:, 2]) + (X[:, 3] > 0) * X[:, 0]
    model = xgboost.XGBRegressor(n_estimators=40, max_depth=2, random_state=0, n_jobs=1).fit(X, y)
    background = X[::10]
    expected = shap.TreeExplainer(model, background, feature_perturbation="interventional").shap_values(X[:80])
    fit = Fitted(X, bind(Marginal(background), X, model))
    assert distance(fit.explain(X[:80]), expected) < 2e-5  # the trees answer in single precision


def test_a_smooth_function_of_order_two_is_recovered_to_five_digits():
    X = make_gaussians(200)
    game = bind(Marginal(X[:10]), X, lambda X: X[:, 0] * X[:, 1] + X[:, 2] ** 2 - 0.5 * X[:, 3] * X[:, 0])
    expected = compute_shapley_values(enumerate_game(game, 200, 4)).T
    assert distance(Fitted(X, game).explain(X), expected) < 1e-5


def test_triples_are_recovered_at_order_three():
    X = make_levels(400, 3)
    game = bind(Marginal(X[:15]), X, lambda X: X[:, 0] * X[:, 1] * X[:, 2] + X[:, 1])
    expected = compute_shapley_values(enumerate_game(game, 60, 3)).T
    assert distance(Fitted(X, game).explain(X[:60]), expected) > 0.02
    assert distance(Fitted(X, game, order=3).explain(X[:60]), expected) < 2e-3


def test_a_user_defined_value_function_is_recovered():
    rng = np.random.default_rng(0)
    laws = tuple(rng.dirichlet(np.ones(2), size=2) for _ in range(3))
    simulator = LatentClass([0.4, 0.6], laws, {(0, 1): rng.normal(size=(2, 2)), (2,): rng.normal(size=2)})
    X, _ = simulator.sample(300, random_state=0)
    fit = Fitted(X, CalledGame(simulator.value, X, 300, 3), order=3)
    assert distance(fit.explain(X[:100]), simulator.shap_values(X[:100])) < 1e-4
    assert fit.model.base_value == pytest.approx(simulator.expected_value)


def test_the_model_is_a_game():
    X = make_gaussians(200, 3)
    game = bind(Marginal(X[:10]), X, lambda X: np.exp(X[:, 0] * X[:, 1] / 3) + X[:, 2] * X[:, 0] * X[:, 1])
    fit = Fitted(X, game)
    rows, encoded = X[:12], fit.encode(X[:12])
    masks = enumerate_coalitions(3)
    played = np.stack([fit.model.predict(encoded, np.tile(mask, (12, 1)))[:, 0] for mask in masks])
    np.testing.assert_allclose(fit.explain(rows), compute_shapley_values(played).T, atol=1e-10)
    np.testing.assert_allclose(played[0], game.reference_outputs.mean(), atol=1e-12)
    np.testing.assert_allclose(fit.explain(rows).sum(axis=1) + fit.base, fit.model.predict(encoded)[:, 0], atol=1e-10)
    other = fit.encode(np.column_stack([rows[:, 0], rows[::-1, 1], rows[:, 2]]))
    np.testing.assert_array_equal(fit.model.predict(other, np.tile(masks[5], (12, 1))), played[5][:, None])


def test_grouped_columns_are_one_player():
    X = make_levels(300, 3)
    players = (0, 0, 1)
    game = bind(Marginal(X[:20]), X, lambda X: X[:, 0] * X[:, 1] + X[:, 2] * X[:, 0], players)
    expected = compute_shapley_values(enumerate_game(game, 80, 2)).T
    assert distance(Fitted(X, game, players).explain(X[:80]), expected) < 1e-4


def test_several_outputs_are_fitted_at_once():
    X = make_levels(300, 2)
    fit = Fitted(X, bind(Baseline(X[0]), X, lambda X: np.column_stack([X[:, 0], X[:, 0] * X[:, 1], -X[:, 1]])))
    credits = fit.model.credits.apply(fit.encode(X[:50]))
    np.testing.assert_allclose(credits[:, 0, 0], X[:50, 0] - X[0, 0], atol=1e-5)
    np.testing.assert_allclose(credits[:, 1, 2], X[0, 1] - X[:50, 1], atol=1e-5)


def test_a_column_that_never_varies_still_differs_from_the_background():
    X = make_gaussians(200, 2)
    background = X[:20].copy()
    X[:, 1] = 0.5
    fit = Fitted(X, bind(Marginal(background), X, lambda X: X[:, 0] + 3 * X[:, 1]))
    np.testing.assert_allclose(fit.explain(X)[:, 1], 3 * (0.5 - background[:, 1].mean()), atol=1e-4)


def test_the_pairs_that_interact_are_screened_first(monkeypatch):
    monkeypatch.setattr(sampled, "MIN_UNKNOWNS", 50)
    monkeypatch.setattr(sampled, "MAX_UNKNOWNS", 60)
    X = make_levels(300, 8)
    fit = Fitted(X, bind(Marginal(X[:10]), X, lambda X: X.sum(axis=1) + X[:, 1] * X[:, 6] - X[:, 2] * X[:, 3]))
    pairs = [values for values in fit.model.value_sets if len(values) == 2]
    assert {(1, 6), (2, 3)} <= set(pairs)
    assert len(pairs) < 5


def test_interactions_asked_for_are_fitted_and_no_others():
    X = make_levels(200, 3)
    game = bind(Marginal(X[:10]), X, lambda X: X[:, 0] * X[:, 1] + X[:, 2])
    for asked, expected in ((0, set()), ([(0, 2)], {(0, 2)}), (1, {(0, 1)}), ("all", {(0, 1), (0, 2), (1, 2)})):
        model = Fitted(X, game, interactions=asked).model
        assert {values for values in model.value_sets if len(values) == 2} == expected


def test_too_many_interactions_are_refused_with_the_knobs(monkeypatch):
    monkeypatch.setattr(sampled, "MAX_UNKNOWNS", 30)
    X = make_levels(200, 5)
    with pytest.raises(TooLargeError, match=r"interactions=50.*order=1"):
        Fitted(X, bind(Marginal(X[:5]), X, lambda X: X[:, 0] * X[:, 1]), interactions="all")


def test_one_seed_gives_one_answer():
    X = make_gaussians(150, 5)
    game = bind(Marginal(X[:8]), X, lambda X: np.sin(X[:, 0]) * X[:, 1] + X[:, 2])
    first, again, other = (Fitted(X, game, seed=seed).explain(X) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert 0 < distance(other, first) < 0.2


def test_moments_are_those_of_the_masked_design(make_axes, encode):
    from instashap.masked.design import make_value_functions

    rng = np.random.default_rng(0)
    columns, encoded = encode(rng.normal(size=(40, 3)))
    axes = make_axes(columns, encoded, np.ones(40), (3, 2))
    functions = make_value_functions([(0,), (2,), (0, 1)], axes, {2: 4})
    players = (0, 1, 1)
    n = 5000
    sample = CoalitionSample(rng.integers(0, 40, n), rng.random((n, 2)) < 0.6, rng.normal(size=(n, 2)), rng.random(n))
    found = accumulate_masked_moments(functions, [(0,), (1,), (0, 1)], encoded, sample)
    values = functions.evaluate(encoded).T[sample.rows]
    needed = [{players[column] for column in functions.value_sets[owner]} for owner in functions.owners]
    design = values * np.column_stack([sample.masks[:, sorted(each)].all(axis=1) for each in needed])
    np.testing.assert_allclose(found.scatter, design.T @ (design * sample.weights[:, None]), atol=1e-9)
    np.testing.assert_allclose(found.cross, design.T @ (sample.gains * sample.weights[:, None]), atol=1e-9)
    np.testing.assert_allclose(found.output_scatter, sample.weights @ sample.gains**2)
    assert not found.means.any()


class CountingGame:
    """Gains that count the players present; records the coalitions that were evaluated."""

    n_references = 3
    reference_outputs = np.full((3, 1), 7.0)

    def __init__(self):
        self.asked = 0

    def evaluate(self, rows, masks):
        self.asked += len(rows)
        return 7.0 + masks.sum(axis=1, keepdims=True)


def draw(n_rows, n_players, weights=None):
    game, law = CountingGame(), compute_shapley_size_law(n_players, 0.5)
    full = np.full((n_rows, 1), 7.0 + n_players)
    weights = np.ones(n_rows) if weights is None else weights
    return game, law, sample_game(game, np.arange(n_rows), full, weights, law, np.random.default_rng(0))


def test_few_coalitions_are_all_evaluated_with_the_mass_of_the_law():
    weights = np.array([1.0, 2.0, 5.0])
    game, law, sample = draw(3, 4, weights)
    assert game.asked == 3 * 14  # the full coalition is known, the empty one too
    assert len(sample.rows) == 3 * 15
    np.testing.assert_allclose(sample.gains[:, 0], sample.masks.sum(axis=1))
    mass = np.bincount(sample.masks.sum(axis=1), weights=sample.weights)
    np.testing.assert_allclose(mass / mass.sum(), law / law.sum(), atol=1e-12)
    by_row = np.bincount(sample.rows, weights=sample.weights)
    np.testing.assert_allclose(by_row / by_row.sum(), weights / weights.sum())
    assert sample.weights.mean() == pytest.approx(1.0)


def test_many_coalitions_are_drawn_in_pairs_and_the_full_one_is_always_included():
    game, law, sample = draw(100, 12)
    assert game.asked == 2000
    is_full = sample.masks.all(axis=1)
    assert sorted(sample.rows[is_full]) == list(range(100))
    share = sample.weights[is_full].sum() / sample.weights.sum()
    assert share == pytest.approx(law[-1] / law.sum())
    for row in (0, 99):
        own = sample.masks[(sample.rows == row) & ~is_full]
        assert (own.sum(axis=0) == len(own) / 2).all()  # each beside its complement


def test_the_model_is_not_asked_more_often_than_the_limit(monkeypatch):
    monkeypatch.setattr(sampling, "MAX_CALLS", 600)
    game, _, sample = draw(50, 12)
    assert game.asked * game.n_references == 600
    assert set(sample.rows) == set(range(50))
    game, _, sample = draw(500, 12)
    assert game.asked * game.n_references == 600
    assert len(set(sample.rows)) == 100


def test_all_samples_of_a_row_are_held_out_together():
    X = make_gaussians(60, 3)
    _, _, sample = draw(60, 3)
    encoder, _ = learn_table(read_table(X), np.ones(60))
    folds, is_held_out = sampled._assign_sample_folds(encoder.encode(read_table(X)), np.ones(60), sample)
    assert is_held_out
    assert sorted(np.concatenate(folds)) == list(range(len(sample.rows)))
    rows = [set(sample.rows[fold]) for fold in folds]
    assert all(not rows[i] & rows[j] for i in range(5) for j in range(i))
