"""Presence sets with places for any other player, against the sets they stand for."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from instashap.game.coalitions import compute_containment_masses, compute_shapley_size_law, enumerate_coalitions
from instashap.game.credits import compute_shares
from instashap.game.exact import compute_shapley_values
from instashap.game.masses import compute_presence_masses, compute_shared_masses
from instashap.game.shapley import Shapley
from instashap.game.terms import ANY, count_live, extend_presence, make_presence_masks, spell_out
from instashap.model.additive_model import AdditiveModel
from instashap.table.bases import LocalBasis
from instashap.table.encoding import Encoded

# One place and two, around none to three players named; and sets written out.
SETS = [(0,), (1, 4), (0, 2, 3), (ANY, 0), (ANY, 5), (ANY, ANY, 1), (ANY, 1, 4), (ANY, 2, 3), (ANY, ANY, 0, 4), (ANY, 0, 2, 3)]
N_PLAYERS = 6


def stand_for(presence):
    """The sets meant, from the words of the definition: those that hold every player named, and so many more."""
    named = {player for player in presence if player != ANY}
    return [each for each in combinations(range(N_PLAYERS), len(presence)) if named <= set(each)]


@pytest.mark.parametrize("presence", SETS)
def test_a_tied_set_is_spelled_out_as_every_set_of_its_players_and_others(presence):
    assert sorted(spell_out(presence, N_PLAYERS)) == stand_for(presence)
    assert len(spell_out(presence, N_PLAYERS)) == comb(N_PLAYERS - len(presence) + presence.count(ANY), presence.count(ANY))


def test_the_places_for_any_other_are_no_player():
    assert make_presence_masks([(ANY, 0)], 3).tolist() == [[True, False, False]]
    assert extend_presence((0,), [(ANY, 0), (ANY, 1), (ANY, 0, 1)]) == [(0,), (ANY, 0), (ANY, 0, 1)]


def test_the_number_live_in_a_coalition_is_counted_set_by_set():
    masks = enumerate_coalitions(N_PLAYERS)
    expected = [[sum(mask[list(each)].all() for each in stand_for(presence)) for presence in SETS] for mask in masks]
    np.testing.assert_array_equal(count_live(SETS, masks), expected)
    np.testing.assert_array_equal(count_live(SETS, masks.reshape(4, 16, N_PLAYERS)).reshape(64, -1), expected)


@pytest.mark.parametrize("full_weight", [0.3, 1.0])
def test_masses_are_sums_over_the_sets_stood_for(full_weight):
    law = compute_shapley_size_law(N_PLAYERS, full_weight)
    masses = compute_containment_masses(law)
    own = [sum(masses[len(each)] for each in stand_for(one)) for one in SETS]
    shared = [
        [sum(masses[len({*a, *b})] for a in stand_for(one) for b in stand_for(other)) for other in SETS] for one in SETS
    ]
    np.testing.assert_allclose(compute_presence_masses(SETS, law), own, rtol=1e-12)
    np.testing.assert_allclose(compute_shared_masses(SETS, law), shared, rtol=1e-12)


def test_shares_are_shapley_values_of_the_number_live():
    expected = compute_shapley_values(count_live(SETS, enumerate_coalitions(N_PLAYERS))).T
    np.testing.assert_allclose(compute_shares(Shapley(), SETS, N_PLAYERS), expected, atol=1e-13)


def test_one_other_player_leaves_the_named_ones_the_larger_part():
    # Of the method: i in B gets (d - b) / (b + 1), another player 1 / (b + 1); here d = 6 and b = 2.
    named, equal = Shapley().split([(ANY, 1, 4)], N_PLAYERS)
    assert equal.tolist() == pytest.approx([1 / 3])
    assert named[0].tolist() == pytest.approx([0, 4 / 3 - 1 / 3, 0, 0, 4 / 3 - 1 / 3, 0])


def test_a_null_player_is_no_other_player_of_a_tied_set() -> None:
    # One column, counted with any one other player present; of five players the fourth is null: (0, 1), (0, 2), (0, 4) count.
    basis = LocalBasis(np.zeros(1, dtype=np.int32), np.ones((1, 1, 1)), 1)
    table, mixing = np.full((1, 1), 6.0), np.ones((1, 1, 1))
    model = AdditiveModel(((basis,) * 3,), ((0,),), (((ANY, 0),),), (table,), (mixing,), np.zeros(1), 5, (3,))
    row = Encoded(np.zeros((1, 1), dtype=np.int32), np.zeros((1, 1)))
    game = np.array([model.predict(row, mask[None])[0, 0] for mask in enumerate_coalitions(5)])
    assert game[-1] == 18.0
    values = model.credits.apply(row)[0, :, 0]
    np.testing.assert_allclose(values, [9.0, 3.0, 3.0, 0.0, 3.0])
    np.testing.assert_allclose(values, compute_shapley_values(game), atol=1e-12)
    assert values[3] == 0.0
