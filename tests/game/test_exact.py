"""The enumeration reference against games whose answers are known on paper."""

from itertools import combinations, permutations

import numpy as np
import pytest

from instashap.game.coalitions import enumerate_coalitions
from instashap.game.exact import compute_mobius_transform, compute_shapley_values


def test_glove_game_gives_the_single_right_glove_two_thirds():
    masks = enumerate_coalitions(3)  # players 0 and 1 hold a left glove, player 2 a right one
    game = np.minimum(masks[:, :2].sum(axis=1), masks[:, 2]).astype(float)
    np.testing.assert_allclose(compute_shapley_values(game), [1 / 6, 1 / 6, 4 / 6], rtol=1e-15)


def test_majority_game_is_shared_equally():
    game = (enumerate_coalitions(5).sum(axis=1) >= 3).astype(float)
    np.testing.assert_allclose(compute_shapley_values(game), np.full(5, 0.2), rtol=1e-14)


def test_weighted_voting_game_has_its_published_power_index():
    # [4; 3, 2, 1, 1], Shapley and Shubik: 1/2, 1/6, 1/6, 1/6
    game = (enumerate_coalitions(4) @ np.array([3, 2, 1, 1]) >= 4).astype(float)
    np.testing.assert_allclose(compute_shapley_values(game), [1 / 2, 1 / 6, 1 / 6, 1 / 6], rtol=1e-14)


def test_an_additive_game_gives_each_player_its_own_value():
    worth = np.array([2.0, -1.0, 0.5, 7.0])
    game = 10.0 + enumerate_coalitions(4) @ worth
    np.testing.assert_allclose(compute_shapley_values(game), worth, rtol=1e-14)


def test_values_are_mean_gains_over_all_orders_of_arrival():
    game = np.random.default_rng(0).normal(size=16)
    expected = np.zeros(4)
    for order in permutations(range(4)):
        code = 0
        for player in order:
            expected[player] += (game[code | 1 << player] - game[code]) / 24
            code |= 1 << player
    np.testing.assert_allclose(compute_shapley_values(game), expected, rtol=1e-13)


def test_trailing_axes_are_separate_games():
    games = np.random.default_rng(1).normal(size=(8, 5, 2))
    values = compute_shapley_values(games)
    assert values.shape == (3, 5, 2)
    np.testing.assert_allclose(values[:, 3, 1], compute_shapley_values(games[:, 3, 1].copy()), rtol=1e-15)
    components = compute_mobius_transform(games)
    np.testing.assert_allclose(components[:, 2, 0], compute_mobius_transform(games[:, 2, 0].copy()), rtol=1e-15)


def test_values_sum_to_what_the_grand_coalition_gains():
    game = np.random.default_rng(2).normal(size=64)
    assert compute_shapley_values(game).sum() == pytest.approx(game[-1] - game[0], rel=1e-12)


def test_mobius_components_of_three_players_are_the_hand_computed_ones():
    game = np.array([1.0, 3.0, 4.0, 8.0, 2.0, 4.0, 9.0, 20.0])  # v of {}, 0, 1, 01, 2, 02, 12, 012
    # 01: 8-3-4+1; 02: 4-3-2+1; 12: 9-4-2+1; 012: 20-8-4-9+3+4+2-1
    assert compute_mobius_transform(game).tolist() == [1.0, 2.0, 3.0, 2.0, 1.0, 0.0, 4.0, 7.0]


def test_summing_mobius_components_of_subsets_rebuilds_the_game():
    game = np.random.default_rng(3).normal(size=32)
    components = compute_mobius_transform(game)
    rebuilt = [sum(components[r] for r in range(32) if r & s == r) for s in range(32)]
    np.testing.assert_allclose(rebuilt, game, atol=1e-13)


def test_mobius_components_follow_the_alternating_sum_over_subsets():
    game = np.random.default_rng(4).normal(size=16)
    components = compute_mobius_transform(game)
    for size in range(5):
        for members in combinations(range(4), size):
            parts = [part for k in range(size + 1) for part in combinations(members, k)]
            expected = sum((-1) ** (size - len(part)) * game[sum(1 << i for i in part)] for part in parts)
            assert components[sum(1 << i for i in members)] == pytest.approx(expected, abs=1e-13)


def test_the_transform_does_not_change_its_argument():
    game = np.arange(8.0)
    compute_mobius_transform(game)
    assert game.tolist() == list(range(8))


def test_shapley_values_share_every_mobius_component_equally():
    game = np.random.default_rng(5).normal(size=32)
    components = compute_mobius_transform(game)
    masks = enumerate_coalitions(5)[1:]
    expected = (masks / masks.sum(axis=1, keepdims=True)).T @ components[1:]
    np.testing.assert_allclose(compute_shapley_values(game), expected, rtol=1e-12)
