"""The whole search on tables whose answer is known on paper."""

import numpy as np
import pytest

from instashap._errors import TooLargeError
from instashap.game.coalitions import compute_shapley_size_law, enumerate_coalitions
from instashap.game.exact import compute_shapley_values
from instashap.masked.fitter import ClosedFormFitter
from instashap.masked.strengths import Strengths


def _fit(encode, X, f, weights=None, **options):
    columns, encoded = encode(X, weights)
    weights = np.ones(len(X)) if weights is None else weights
    players = options.pop("players", tuple(range(X.shape[1])))
    law = compute_shapley_size_law(max(players) + 1)
    result = ClosedFormFitter(columns, players, **options).fit(encoded, np.reshape(f, (len(X), -1)), weights, law)
    return result, encoded


def _r2(found, expected):
    return 1 - ((found - expected) ** 2).sum() / (expected**2).sum()


def test_independent_additive_functions_are_their_own_shapley_values(encode):
    X = np.random.default_rng(0).normal(size=(2000, 3))
    parts = np.column_stack([np.sin(X[:, 0]), X[:, 1] ** 2 - 1, np.zeros(2000)])
    result, encoded = _fit(encode, X, 5.0 + parts.sum(axis=1))
    credits = result.model.credits.apply(encoded)[:, :, 0]
    assert _r2(credits, parts - parts.mean(axis=0)) > 0.995
    assert result.gradient < 1e-8
    np.testing.assert_allclose(result.model.base_value, 5.0 + parts.sum(axis=1).mean(), rtol=1e-12)


def test_an_independent_product_is_shared_in_halves(encode):
    X = np.random.default_rng(0).normal(size=(3000, 3))
    product = X[:, 0] * X[:, 2]
    result, encoded = _fit(encode, X, product)
    assert result.chosen.candidate.order == 2
    credits = result.model.credits.apply(encoded)[:, :, 0]
    assert _r2(credits, np.column_stack([product / 2, np.zeros(3000), product / 2])) > 0.97


def test_correlated_gaussians_have_the_papers_shapley_values(encode):
    rng = np.random.default_rng(0)
    r = 0.6
    X = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], size=6000)
    result, encoded = _fit(encode, X, X.sum(axis=1))
    expected = X + r * np.column_stack([X[:, 0] - X[:, 1], X[:, 1] - X[:, 0]]) / 2  # method.md, section 3
    assert _r2(result.model.credits.apply(encoded)[:, :, 0], expected) > 0.995


def test_a_table_of_categories_has_the_shapley_values_of_its_conditional_means(encode):
    rng = np.random.default_rng(1)
    n = 6000
    first = rng.integers(0, 3, n)
    second = np.where(rng.random(n) < 0.5, first, rng.integers(0, 3, n))
    X = np.column_stack([first, second]).astype(float)
    f = rng.normal(size=(3, 3))[first, second]
    result, encoded = _fit(encode, X, f, smoothness=Strengths(1e-10, 1e-10, 1.0), presence_order=2)
    game = np.zeros((4, n))
    for code, mask in enumerate(enumerate_coalitions(2)):
        _, alike = (
            np.unique(X[:, mask] @ np.array([1.0, 10.0])[mask], return_inverse=True) if mask.any() else (0, np.zeros(n, int))
        )
        game[code] = (np.bincount(alike, weights=f) / np.bincount(alike))[alike]
    credits = result.model.credits.apply(encoded)[:, :, 0]
    np.testing.assert_allclose(credits, compute_shapley_values(game).T, atol=1e-5)


def test_grouped_columns_are_one_player(encode):
    X = np.random.default_rng(0).normal(size=(2000, 3))
    f = X[:, 0] * X[:, 1] + X[:, 2]
    result, encoded = _fit(encode, X, f, players=(0, 0, 1))
    credits = result.model.credits.apply(encoded)[:, :, 0]
    assert credits.shape == (2000, 2)
    assert _r2(credits, np.column_stack([X[:, 0] * X[:, 1], X[:, 2]])) > 0.97


def test_one_column_is_explained_by_itself(encode):
    X = np.random.default_rng(0).normal(size=(800, 1))
    result, encoded = _fit(encode, X, np.exp(X[:, 0] / 2))
    credits = result.model.credits.apply(encoded)[:, 0, 0]
    expected = np.exp(X[:, 0] / 2)
    assert _r2(credits, expected - expected.mean()) > 0.999


def test_a_constant_output_has_no_effects_and_no_warning(encode):
    X = np.random.default_rng(0).normal(size=(300, 3))
    result, encoded = _fit(encode, X, np.full(300, 7.0))
    np.testing.assert_allclose(result.model.base_value, 7.0)
    np.testing.assert_allclose(result.model.credits.apply(encoded), 0.0, atol=1e-10)


def test_columns_that_never_vary_have_no_effect(encode):
    X = np.random.default_rng(0).normal(size=(500, 3))
    X[:, 0], X[:, 2] = 4.0, np.nan
    result, encoded = _fit(encode, X, X[:, 1])
    credits = result.model.credits.apply(encoded)[:, :, 0]
    np.testing.assert_array_equal(credits[:, [0, 2]], 0.0)
    assert _r2(credits[:, 1], X[:, 1] - X[:, 1].mean()) > 0.999
    probe = encoded._replace(cells=np.zeros((1, 3), np.int32), offsets=np.zeros((1, 3)))
    assert np.isfinite(result.model.predict(probe)).all()


def test_a_table_of_constants_is_its_base_value(encode):
    result, encoded = _fit(encode, np.ones((40, 2)), np.arange(40.0))
    np.testing.assert_allclose(result.model.predict(encoded), 19.5)


def test_order_one_has_no_pairs_and_no_interactions_no_pairs_either(encode):
    X = np.random.default_rng(0).normal(size=(600, 3))
    f = X[:, 0] * X[:, 1] + X[:, 2]
    for options in ({"order": 1}, {"interactions": 0}, {"interactions": []}):
        result, _ = _fit(encode, X, f, **options)
        assert {len(values) for values in result.model.value_sets} == {1}
    result, _ = _fit(encode, X, f, interactions=[(0, 1)])
    assert {values for values in result.model.value_sets if len(values) > 1} == {(0, 1)}


def test_a_presence_order_asked_for_bounds_the_presence_sets(encode):
    rng = np.random.default_rng(0)
    X = rng.multivariate_normal(np.zeros(4), 0.5 + 0.5 * np.eye(4), size=1000)
    f = X.sum(axis=1) + X[:, 0] * X[:, 1]
    for asked in (1, 2, 3):
        result, _ = _fit(encode, X, f, presence_order=asked, order=min(asked, 2))
        sizes = [len(players) for presence in result.model.presence_sets for players in presence]
        assert max(sizes) == asked


def test_the_chosen_candidate_is_the_one_of_lowest_held_out_risk(encode):
    X = np.random.default_rng(0).normal(size=(800, 4))
    result, _ = _fit(encode, X, np.sin(X[:, 0]) * X[:, 1] + X[:, 3])
    lowest = min(judgement.risk for judgement in result.judgements)
    assert result.chosen.risk <= lowest * 1.001
    assert len(result.judgements) > 3


def test_parts_have_mean_zero_on_the_training_rows(encode):
    rng = np.random.default_rng(0)
    X = rng.multivariate_normal(np.zeros(3), 0.5 + 0.5 * np.eye(3), size=700)
    weights = rng.uniform(0.5, 2.0, 700)
    result, encoded = _fit(encode, X, X.sum(axis=1) ** 2, weights)
    effects = result.model.effects.apply(encoded)[:, :, 0]
    np.testing.assert_allclose(weights @ effects / weights.sum(), 0.0, atol=1e-9 * np.abs(effects).max())
    for players in {players for presence in result.model.presence_sets for players in presence}:
        component = result.model.make_mobius_lookup(players).apply(encoded)[:, 0, 0]
        assert abs(weights @ component / weights.sum()) < 1e-9 * max(np.abs(component).max(), 1.0)


def test_progress_rises_to_one(encode):
    told = []
    X = np.random.default_rng(0).normal(size=(300, 2))
    _fit(encode, X, X.sum(axis=1), progress=lambda share, what: told.append((share, what)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_fit_that_would_not_fit_in_memory_is_refused_with_the_knobs(encode, monkeypatch):
    monkeypatch.setattr("instashap.masked.search.MAX_FUNCTIONS", 20)
    X = np.random.default_rng(0).normal(size=(300, 6))
    with pytest.raises(TooLargeError, match=r"interactions=50.*order=1"):
        _fit(encode, X, X.sum(axis=1))
