"""Shares of each player in the parts of an additive game: an index is a rule that shares out each component."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .terms import ANY, PresenceSet, choose, make_presence_masks, name_players

# What the named players get in addition, (n_presence_sets, n_players), and the equal share of every player, (n_presence_sets,).
Shares = tuple[NDArray[np.float64], NDArray[np.float64]]


class Index(Protocol):
    """A rule that shares the components ``h_R`` of a game ``sum_R 1[R ⊆ S] h_R`` among its players: linear in the game."""

    def split(self, presence_sets: Sequence[PresenceSet], n_players: int, null_players: Sequence[int] = ()) -> Shares:
        """Shares in two parts: an equal share of every player, and what the named players get in addition.

        A tied set (:data:`.terms.ANY`) of b named players and n places stands for ``C(d - b, n)`` sets of ``b + n`` players. A
        named player is in all of them, another player in ``C(d - b - 1, n - 1)``. In two parts, a tied set takes no longer to
        look up than another. No place stands for one of the ``null_players``.

        Returns
        -------
        named : ndarray of shape (n_presence_sets, n_players), float64
            Zero for players the set does not name.
        equal : ndarray of shape (n_presence_sets,), float64
            Zero for sets that are not tied.
        """


def split_equally(
    presence_sets: Sequence[PresenceSet], n_players: int, null_players: Sequence[int], divide: Callable[[int], float]
) -> Shares:
    """Shares of an index that treats the players of a set alike: each gets the set's component over ``divide(size)``.

    Examples
    --------
    >>> named, equal = split_equally([(0, 2), (ANY, 0)], 3, (), float)
    >>> named
    array([[0.5, 0. , 0.5],
           [0.5, 0. , 0. ]])
    >>> equal
    array([0. , 0.5])
    """
    masks = make_presence_masks(presence_sets, n_players).astype(np.float64)
    divisors = np.array([divide(len(presence)) for presence in presence_sets]).reshape(-1, 1)
    named = np.asarray(masks / divisors)
    equal = np.zeros(len(presence_sets))
    for place, presence in enumerate(presence_sets):
        if n_any := presence.count(ANY):
            n_others = np.array(n_players - len(null_players) - len(name_players(presence)))
            equal[place] = choose(n_others - 1, n_any - 1) / divide(len(presence))
            named[place] = masks[place] * (choose(n_others, n_any) / divide(len(presence)) - equal[place])
    return named, equal


def split_by_members(
    presence_sets: Sequence[PresenceSet],
    n_players: int,
    null_players: Sequence[int],
    share: Callable[[NDArray[np.bool_]], NDArray[np.float64]],
) -> Shares:
    """Shares of an index that treats players differently.

    ``share`` maps masks of sets, shape (n_sets, n_players), to what each player gets of each set, in the same shape.
    A tied set gets the sum over the sets that it stands for, one by one; nothing is left to be shared equally.
    """
    named = np.zeros((len(presence_sets), n_players))
    plain = [place for place, presence in enumerate(presence_sets) if not presence.count(ANY)]
    if plain:
        named[plain] = share(make_presence_masks([presence_sets[place] for place in plain], n_players))
    for place, presence in enumerate(presence_sets):
        if n_any := presence.count(ANY):
            own = name_players(presence)
            others = [player for player in range(n_players) if player not in own and player not in null_players]
            chosen = np.array(list(combinations(others, n_any)), dtype=np.int64).reshape(-1, n_any)
            masks = np.zeros((len(chosen), n_players), dtype=bool)
            masks[:, list(own)] = True
            np.put_along_axis(masks, chosen, True, axis=1)
            named[place] = share(masks).sum(axis=0)
    return named, np.zeros(len(presence_sets))


def compute_shares(index: Index, presence_sets: Sequence[PresenceSet], n_players: int) -> NDArray[np.float64]:
    """Share of each player in the value of each presence set; shape (n_presence_sets, n_players).

    A tied set has the shares of all the sets that it stands for.
    """
    named, equal = index.split(presence_sets, n_players)
    return named + equal[:, None]
