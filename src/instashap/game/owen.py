"""The Owen value: groups of features are shared among first, then the features of each group."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .credits import Shares, split_by_members
from .terms import PresenceSet


@dataclass(frozen=True)
class Owen:
    """Mean contribution of a player over the orders in which the players of a group follow each other (Owen 1977).

    A component ``h_R`` goes in equal parts to the groups that R meets, and from each in equal parts to its players in R. The
    values of a group's players sum to the Shapley value of the group as one player.

    Attributes
    ----------
    structure : tuple of tuple of int
        Groups of players. A player in no group is one by itself.
    """

    structure: tuple[tuple[int, ...], ...]

    def split(self, presence_sets: Sequence[PresenceSet], n_players: int, null_players: Sequence[int] = ()) -> Shares:
        """See :class:`instashap.game.credits.Index`."""
        return split_by_members(presence_sets, n_players, null_players, self._share)

    def _share(self, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        owners = np.arange(masks.shape[1])
        for group in self.structure:
            owners[list(group)] = min(group)
        in_group = np.eye(masks.shape[1])[owners]  # (n_players, n_groups)
        members = masks @ in_group  # how many of each group are in the set
        n_groups = (members > 0).sum(axis=1, keepdims=True)
        return np.asarray(np.divide(masks, members[:, owners] * n_groups, out=np.zeros(masks.shape), where=masks))
