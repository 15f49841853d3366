"""The Shapley value: every order of the players counts alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from .credits import Shares, split_equally
from .terms import PresenceSet


@dataclass(frozen=True)
class Shapley:
    """Mean contribution of a player over all orders (Shapley 1953): a component ``h_R`` is shared equally, ``h_R / |R|`` each.

    A row's values and the base value sum to its output (InstaSHAP, Eq. 13).
    """

    def split(self, presence_sets: Sequence[PresenceSet], n_players: int, null_players: Sequence[int] = ()) -> Shares:
        """See :class:`instashap.game.credits.Index`."""
        return split_equally(presence_sets, n_players, null_players, float)
