"""Shapley values over the orders in which some players come before all others."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from .credits import Shares
from .terms import ANY, PresenceSet, name_players


@dataclass(frozen=True)
class FirstPlayers:
    """Mean contribution of a player over the orders that begin with the ``first`` players (asymmetric Shapley values).

    The last player of a set to arrive completes its component. So a component is shared equally among those of its players
    that are not first; among all of them, if all are first (Frye, Rowat and Feige 2020, with two blocks). A row's values and
    the base value sum to its output.

    Attributes
    ----------
    first : tuple of int
    null_players : tuple of int
        Players without terms: tied sets do not stand for them, and they get nothing.

    Examples
    --------
    >>> FirstPlayers((0,)).split([(0,), (0, 1), (1, 2)], 3)[0]
    array([[1. , 0. , 0. ],
           [0. , 1. , 0. ],
           [0. , 0.5, 0.5]])
    """

    first: tuple[int, ...]
    null_players: tuple[int, ...] = ()

    def split(self, presence_sets: Sequence[PresenceSet], n_players: int, null_players: Sequence[int] = ()) -> Shares:
        """See :class:`instashap.game.credits.Index`; all shares are among the named ones, also of players in places of ties."""
        numbers = np.arange(n_players)
        is_null = np.isin(numbers, (*self.null_players, *null_players))
        is_first = np.isin(numbers, self.first) & ~is_null
        named = [_share(presence, is_first, ~is_first & ~is_null) for presence in presence_sets]
        return np.array(named).reshape(len(presence_sets), n_players), np.zeros(len(presence_sets))


def _share(presence: PresenceSet, is_first: NDArray[np.bool_], is_late: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Shares of all players in the sets that one presence set stands for."""
    is_named = np.isin(np.arange(len(is_first)), name_players(presence))
    n_late = int((is_late & is_named).sum())
    others = int((is_first & ~is_named).sum()), int((is_late & ~is_named).sum())
    n_any = presence.count(ANY)

    def average(n_first: int, n_others: int, n_open: int, n_sharing: int, takes_late: bool) -> float:
        """Sum, over the ways to fill the open places, of what one player gets in the set that results."""
        total = 0.0
        for late in range(n_open + 1):
            ways = comb(max(n_others, 0), late) * comb(max(n_first, 0), n_open - late)
            if n_sharing + late == 0:
                total += ways / len(presence)
            elif takes_late:
                total += ways / (n_sharing + late)
        return total

    shares = np.zeros(len(is_first))
    shares[is_named & is_first] = average(*others, n_any, n_late, False)
    shares[is_named & is_late] = average(*others, n_any, n_late, True)
    if n_any:
        shares[~is_named & is_first] = average(others[0] - 1, others[1], n_any - 1, n_late, False)
        shares[~is_named & is_late] = average(others[0], others[1] - 1, n_any - 1, n_late + 1, True)
    return shares
