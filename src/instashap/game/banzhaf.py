"""The Banzhaf index: every coalition of the others counts alike, whatever its size."""

from collections.abc import Sequence
from dataclasses import dataclass

from .credits import Shares, split_equally
from .terms import PresenceSet


@dataclass(frozen=True)
class Banzhaf:
    """Mean contribution of a player over all coalitions of the others (Banzhaf 1965).

    A component ``h_R`` gives each of its players ``h_R / 2^(|R| - 1)``: so many of those coalitions hold all others of R. The
    components of one and two players are shared as by Shapley; larger ones give less than the whole of themselves.
    """

    def split(self, presence_sets: Sequence[PresenceSet], n_players: int, null_players: Sequence[int] = ()) -> Shares:
        """See :class:`instashap.game.credits.Index`."""
        return split_equally(presence_sets, n_players, null_players, lambda size: 2.0 ** (size - 1))
