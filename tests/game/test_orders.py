"""Listed and sampled coalitions, against the definitions of what they stand for."""

from itertools import permutations

import numpy as np

from instashap.game.coalitions import compute_containment_masses, compute_shapley_size_law
from instashap.game.masses import compute_presence_masses, compute_shared_masses
from instashap.game.orders import list_coalitions, sample_orders
from instashap.game.terms import ANY

D = 5
LAW = compute_shapley_size_law(D, full_weight=0.7)
SETS = [(0,), (1, 3), (ANY, 2), (ANY, ANY, 4)]


def _play(mask: np.ndarray) -> float:
    """A game of no symmetry."""
    return float((mask * np.arange(1.0, D + 1)).sum() ** 2 + 3 * mask[0] * mask[2])


def _average_orders(orders) -> np.ndarray:
    """Mean over orders of what each player adds to those before it: the definition of Shapley values."""
    values = np.zeros(D)
    for order in orders:
        for place, player in enumerate(order):
            before, after = (np.isin(np.arange(D), order[:stop]) for stop in (place, place + 1))
            values[player] += (_play(after) - _play(before)) / len(orders)
    return values


def test_shares_of_listed_coalitions_give_shapley_values():
    listed = list_coalitions(LAW)
    values = np.array([_play(mask) for mask in listed.masks])
    np.testing.assert_allclose(listed.shares.T @ values, _average_orders(list(permutations(range(D)))), rtol=1e-12)


def test_shares_of_sampled_orders_give_the_mean_over_these_orders():
    sampled = sample_orders(LAW, 20, np.arange(D))
    values = np.array([_play(mask) for mask in sampled.masks])
    np.testing.assert_allclose(sampled.shares.T @ values, _average_orders(sampled.orders), rtol=1e-12)
    np.testing.assert_array_equal(sampled.orders[10:], sampled.orders[:10, ::-1])


def test_listed_coalitions_have_the_masses_of_the_size_law():
    listed = list_coalitions(LAW)
    np.testing.assert_allclose(listed.couple(SETS), compute_shared_masses(SETS, LAW), rtol=1e-12)
    ones = np.ones((len(listed.masks), 1))
    np.testing.assert_allclose(listed.average(SETS, ones)[:, 0], compute_presence_masses(SETS, LAW), rtol=1e-12)


def test_sampled_coalitions_have_the_masses_of_each_size():
    sampled = sample_orders(LAW, 400, np.arange(D))
    sizes = sampled.masks.sum(axis=1)
    np.testing.assert_allclose(np.bincount(sizes, weights=sampled.masses), LAW, rtol=1e-12)
    masses = sampled.average([(0,), (1, 3)], np.ones((len(sizes), 1)))[:, 0]
    np.testing.assert_allclose(masses, compute_containment_masses(LAW)[[1, 2]], atol=0.05)


def test_orders_follow_the_players_however_they_are_numbered():
    ranks = np.array([3, 0, 4, 1, 2])
    one, other = sample_orders(LAW, 20, np.arange(D)), sample_orders(LAW, 20, ranks)
    np.testing.assert_array_equal(ranks[other.orders], one.orders)
