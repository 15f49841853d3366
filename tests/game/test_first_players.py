"""Shares under orders that begin with some players, against enumeration of these orders."""

from itertools import permutations

import numpy as np
import pytest

from instashap.game.asymmetric import Asymmetric
from instashap.game.terms import ANY, spell_out

FIRST, N_PLAYERS = (1, 4), 6


def count_last(players):
    """How often each player is the last of a set to arrive, over all orders that begin with the first players."""
    late = [player for player in range(N_PLAYERS) if player not in FIRST]
    orders = [(*head, *tail) for head in permutations(FIRST) for tail in permutations(late)]
    shares = np.zeros(N_PLAYERS)
    for order in orders:
        shares[max(players, key=order.index)] += 1 / len(orders)
    return shares


@pytest.mark.parametrize(
    "presence",
    [(0,), (1, 4), (0, 1), (0, 1, 2, 4), (ANY, 1), (ANY, ANY, 0), (ANY, ANY, 1), (ANY, 1, 4), (ANY, 0, 5), (ANY, ANY, 1, 4)],
)
def test_the_last_of_a_set_to_arrive_completes_it(presence):
    expected = sum(count_last(players) for players in spell_out(presence, N_PLAYERS))
    rest = tuple(player for player in range(N_PLAYERS) if player not in FIRST)
    named, equal = Asymmetric((FIRST, rest)).split([presence], N_PLAYERS)
    np.testing.assert_allclose(named[0] + equal[0], expected, atol=1e-12)


def test_a_null_player_has_no_share_and_no_place_in_ties():
    named, equal = Asymmetric(((1,), (0, 2, 3))).split([(ANY, 1)], 4, null_players=(2,))
    named = named + equal[:, None] * np.array([1.0, 1.0, 0.0, 1.0])
    # The tie stands for {0, 1} and {1, 3}; players 0 and 3 arrive last.
    np.testing.assert_allclose(named, [[1.0, 0.0, 0.0, 1.0]])
