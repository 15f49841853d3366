"""Asymmetric and Owen values, against means over every order that counts."""

from itertools import combinations, pairwise, permutations

import numpy as np
import pytest

import instashap
from instashap.game.asymmetric import Asymmetric
from instashap.game.credits import compute_shares
from instashap.game.owen import Owen
from instashap.game.terms import ANY, spell_out

SETS = [each for size in range(1, 7) for each in combinations(range(6), size)]
STRUCTURES = [((0, 1), (2, 3), (4, 5)), ((3,), (0, 5)), ((2, 4, 1),), ((5,), (4,), (3,), (2,), (1,), (0,)), ((1, 2, 3),)]


def follows(order, structure):
    places = [[order.index(player) for player in group] for group in structure]
    return all(max(one) < min(other) for one, other in pairwise(places))


def is_together(order, structure):
    places = [sorted(order.index(player) for player in group) for group in structure]
    return all(each[-1] - each[0] == len(each) - 1 for each in places)


def average_last(presence, orders):
    """How often each player is the last of a set to arrive."""
    shares = np.zeros(6)
    for order in orders:
        shares[max(presence, key=order.index)] += 1 / len(orders)
    return shares


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize(("index", "counts"), [(Asymmetric, follows), (Owen, is_together)])
def test_shares_are_those_of_the_orders_that_count(index, counts, structure):
    orders = [order for order in permutations(range(6)) if counts(order, structure)]
    expected = [average_last(each, orders) for each in SETS]
    np.testing.assert_allclose(compute_shares(index(structure), SETS, 6), expected, atol=1e-12)


@pytest.mark.parametrize("index", [Asymmetric(((0, 1), (3,))), Owen(((0, 1), (3, 4)))])
def test_a_tied_set_is_the_sum_of_what_it_stands_for_without_null_players(index):
    named, equal = index.split([(ANY, 1), (ANY, ANY, 0, 3)], 6, (5,))
    for shares, tied in zip(named, [(ANY, 1), (ANY, ANY, 0, 3)], strict=True):
        stands = [each for each in spell_out(tied, 6) if 5 not in each]
        np.testing.assert_allclose(shares, compute_shares(index, stands, 6).sum(axis=0))
    assert not equal.any()


@pytest.fixture(scope="module")
def explainer():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6)) + rng.normal(size=(300, 1))
    return instashap.Explainer(order=2, presence_order=3, synthetic_rows=0, interactions=3).fit(
        X, outputs=X[:, 0] * X[:, 1] + X[:, 2]
    ), X[:4]


@pytest.mark.parametrize(("index", "counts"), [("asymmetric", follows), ("owen", is_together)])
def test_values_of_rows_are_mean_gains_over_the_orders_that_count(explainer, index, counts):
    fitted, rows = explainer
    structure = [["x1", "x4"], ["x0"]]
    orders = [order for order in permutations(range(6)) if counts(order, [(1, 4), (0,)])]
    values = {
        each: fitted.predict(rows, masks=np.isin(np.arange(6), each))
        for size in range(7)
        for each in combinations(range(6), size)
    }
    expected = np.zeros((4, 6))
    for order in orders:
        for place, player in enumerate(order):
            after, before = (values[tuple(sorted(order[:stop]))] for stop in (place + 1, place))
            expected[:, player] += (after - before) / len(orders)
    np.testing.assert_allclose(fitted.index_values(rows, index, structure=structure), expected, atol=1e-10)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"index": "asymmetric"}, "needs structure="),
        ({"index": "banzhaf", "structure": [["x0"]]}, "has no structure"),
        ({"index": "owen", "structure": [["x0"], ["x0", "x1"]]}, "'x0' more than once"),
        ({"index": "owen", "structure": [[]]}, "empty group"),
    ],
)
def test_structures_that_make_no_sense_are_refused(explainer, given, words):
    with pytest.raises(ValueError, match=words):
        explainer[0].index_values(explainer[1], **given)
