"""Shares against the Shapley values of unanimity games, by permutations."""

from itertools import combinations, permutations

import numpy as np

from instashap.game.credits import compute_shares
from instashap.game.shapley import Shapley


def _average_gains(wanted, n_players):
    """Shapley values of the game ``1[wanted ⊆ S]`` as mean gains over every order of arrival."""
    gains = np.zeros(n_players)
    orders = list(permutations(range(n_players)))
    for order in orders:
        arrived = set()
        for player in order:
            before = wanted <= arrived
            arrived.add(player)
            gains[player] += (wanted <= arrived) - before
    return gains / len(orders)


def test_a_pair_is_shared_in_halves():
    np.testing.assert_array_equal(compute_shares(Shapley(), [(0,), (0, 2)], 3), [[1.0, 0.0, 0.0], [0.5, 0.0, 0.5]])


def test_shares_are_the_shapley_values_of_the_unanimity_game():
    sets = [each for size in range(1, 6) for each in combinations(range(5), size)]
    expected = [_average_gains(set(each), 5) for each in sets]
    np.testing.assert_allclose(compute_shares(Shapley(), sets, 5), expected, atol=1e-14)


def test_shares_of_every_presence_set_sum_to_one():
    sets = [each for size in range(1, 8) for each in combinations(range(7), size)]
    np.testing.assert_allclose(compute_shares(Shapley(), sets, 7).sum(axis=1), 1.0, rtol=1e-15)


def test_shares_of_no_presence_sets_have_one_column_a_player():
    assert compute_shares(Shapley(), [], 4).shape == (0, 4)
