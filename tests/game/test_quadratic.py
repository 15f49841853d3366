"""Shapley values of quadratic games, against enumeration of all coalitions."""

from itertools import combinations

import numpy as np
import pytest

from instashap.game.coalitions import enumerate_coalitions
from instashap.game.exact import compute_mobius_transform, compute_shapley_values
from instashap.game.quadratic import evaluate_quadratic, share_quadratic, share_quadratic_pairs
from instashap.game.terms import spell_out

SETS = {
    "plain": [(), (0,), (2,), (0, 1), (1, 3), (0, 2, 4)],
    "tied": [(), (0,), (-1, 0), (-1, 3), (-1, -1, 0, 2), (-1, 1, 2), (1, 4)],
    "one": [(), (0,)],
}


def enumerate_game(sets, matrix, n_players):
    """The game from its definition: a tied set is the sum of all sets that it stands for."""
    values = []
    for mask in enumerate_coalitions(n_players):
        present = set(np.flatnonzero(mask))
        live = np.array([sum(set(each) <= present for each in spell_out(one, n_players)) for one in sets], dtype=float)
        values.append(live @ matrix @ live)
    return np.array(values)


@pytest.mark.parametrize(("kind", "n_players"), [("plain", 5), ("tied", 5), ("tied", 6), ("one", 1), ("one", 2)])
def test_shares_of_a_quadratic_game_are_its_shapley_values(kind, n_players):
    sets = SETS[kind]
    drawn = np.random.default_rng(0).normal(size=(len(sets), len(sets)))
    matrix = drawn + drawn.T
    matrix[0, 0] = 0.0  # the empty coalition has value 0
    game = enumerate_game(sets, matrix, n_players)
    np.testing.assert_allclose(evaluate_quadratic(sets, matrix, enumerate_coalitions(n_players)), game, atol=1e-12)
    np.testing.assert_allclose(share_quadratic(sets, matrix, n_players), compute_shapley_values(game), atol=1e-12)


@pytest.mark.parametrize(("kind", "n_players"), [("plain", 5), ("tied", 5), ("tied", 6), ("one", 2)])
def test_pairs_of_a_quadratic_game_are_its_interaction_indices(kind, n_players):
    sets = SETS[kind]
    drawn = np.random.default_rng(1).normal(size=(len(sets), len(sets)))
    matrix = drawn + drawn.T
    components = compute_mobius_transform(enumerate_game(sets, matrix, n_players))
    expected = np.zeros((n_players, n_players))
    for mask, component in zip(enumerate_coalitions(n_players), components, strict=True):
        for i, j in combinations(np.flatnonzero(mask), 2):
            expected[i, j] += component / (mask.sum() - 1)
    np.testing.assert_allclose(share_quadratic_pairs(sets, matrix, n_players), expected + expected.T, atol=1e-11)
