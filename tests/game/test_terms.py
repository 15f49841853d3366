"""Term sets against small cases worked by hand and plain-Python sets."""

from itertools import combinations

import numpy as np

from instashap.game.terms import (
    Term,
    close_downwards,
    count_unions,
    extend_presence,
    make_presence_masks,
    players_of,
)


def test_closure_holds_every_non_empty_subset_by_size_then_order():
    assert close_downwards([(1, 3, 4), (0,)]) == [(0,), (1,), (3,), (4,), (1, 3), (1, 4), (3, 4), (1, 3, 4)]


def test_closing_a_closed_set_changes_nothing():
    closed = close_downwards([(0, 2, 5), (2, 3)])
    assert close_downwards(closed) == closed
    assert len(closed) == 7 + 2  # (2, 3) adds (3,) and itself


def test_closure_of_nothing_is_empty():
    assert close_downwards([]) == []


def test_columns_of_one_group_are_one_player():
    players = [0, 0, 1, 2, 1]
    assert players_of((0, 1), players) == (0,)
    assert players_of((2, 4), players) == (1,)
    assert players_of((1, 2, 3), players) == (0, 1, 2)


def test_players_are_listed_in_increasing_order_whatever_the_columns_are():
    assert players_of((0, 1, 2), [5, 3, 4]) == (3, 4, 5)


def test_presence_is_extended_by_the_given_supersets_only():
    offered = [(2,), (0, 1), (1, 2), (0, 2), (0, 1, 2), (1,)]
    assert extend_presence((1,), offered) == [(1,), (0, 1), (1, 2), (0, 1, 2)]
    assert extend_presence((0, 2), offered) == [(0, 2), (0, 1, 2)]


def test_the_base_itself_is_included_once_though_it_is_not_given():
    assert extend_presence((0, 3), []) == [(0, 3)]
    assert extend_presence((0, 3), [(0, 3)]) == [(0, 3)]


def test_presence_masks_mark_the_members():
    masks = make_presence_masks([(0,), (1, 3), ()], n_players=4)
    assert masks.astype(int).tolist() == [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]]


def test_union_sizes_equal_those_of_python_sets():
    sets = [each for size in range(4) for each in combinations(range(6), size)]
    counted = count_unions(make_presence_masks(sets, 6))
    expected = [[len(set(a) | set(b)) for b in sets] for a in sets]
    assert counted.dtype == np.int64
    assert counted.tolist() == expected


def test_term_names_its_columns_and_its_players():
    term = Term(values=(0, 3), presence=(0, 1))
    assert term.values == (0, 3)
    assert term.presence == (0, 1)
