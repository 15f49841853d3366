"""Mean products of presence indicators, against sums over all coalitions."""

import numpy as np

from instashap.game.masses import compute_presence_masses, compute_shared_masses
from instashap.game.orders import list_coalitions
from instashap.game.terms import exclude_players


def test_masses_of_sets_that_want_players_absent_are_means_over_all_coalitions():
    law = np.array([0.0, 0.3, 0.2, 0.25, 0.3, 1.0])
    sets = [(0,), (1, 2), (-1, 0), (-1, -1, 3), exclude_players((0, 2), [3, 4]), exclude_players((1,), [0])]
    listed = list_coalitions(law)
    np.testing.assert_allclose(compute_shared_masses(sets, law), listed.couple(sets), atol=1e-15)
    np.testing.assert_allclose(compute_presence_masses(sets, law), listed.average(sets, np.ones((32, 1)))[:, 0], atol=1e-15)
