"""Asymmetric Shapley values: only orders count in which causes, or earlier times, come first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .credits import Shares, split_by_members
from .terms import PresenceSet, choose


@dataclass(frozen=True)
class Asymmetric:
    """Mean contribution of a player over the orders in which earlier groups come first (Frye, Rowat and Feige 2020).

    All orders that agree with ``structure`` count alike. A component ``h_R`` belongs to the player of R who comes last. Of R's
    players in groups, that is one of the c in the last group that R meets, all alike; of the f players of R that are in no
    group, one if it comes after these. With N players in groups, n of them in that group and m in earlier ones, no free player
    comes last with probability ``sum_k C(k - 1, c - 1) / C(n, c) · C(m + k - 1 + f, f) / C(N + f, f)``: the last of the c is
    the k-th of its group, and all f precede it among the N.

    Attributes
    ----------
    structure : tuple of tuple of int
        Groups of players, the earliest first. Players in no group may come anywhere.
    """

    structure: tuple[tuple[int, ...], ...]

    def split(self, presence_sets: Sequence[PresenceSet], n_players: int, null_players: Sequence[int] = ()) -> Shares:
        """See :class:`instashap.game.credits.Index`."""
        return split_by_members(presence_sets, n_players, null_players, self._share)

    def _share(self, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Probability that each player comes last in each set; shape (n_sets, n_players)."""
        levels = np.zeros(masks.shape[1], dtype=np.int64)  # 0: in no group
        for level, group in enumerate(self.structure, start=1):
            levels[list(group)] = level
        sizes = np.bincount(levels, minlength=len(self.structure) + 1)
        highest = np.where(masks, levels, 0).max(axis=1, initial=0)  # (n_sets,)
        is_free = masks & (levels == 0)
        is_last = masks & (levels == highest[:, None]) & (highest > 0)[:, None]
        n_free, n_last = is_free.sum(axis=1), is_last.sum(axis=1)
        chances = np.zeros(len(masks))  # that no free player comes last
        for level, n_own, n_others in {*zip(highest.tolist(), n_last.tolist(), n_free.tolist(), strict=True)}:
            if level:
                alike = (highest == level) & (n_last == n_own) & (n_free == n_others)
                chances[alike] = _find_chance(sizes, level, n_own, n_others)
        grouped = np.divide(chances, n_last, out=np.zeros(len(masks)), where=n_last > 0)
        free = np.divide(1.0 - chances, n_free, out=np.zeros(len(masks)), where=n_free > 0)
        return np.asarray(is_last * grouped[:, None] + is_free * free[:, None])


def _find_chance(sizes: NDArray[np.int64], level: int, n_own: int, n_free: int) -> float:
    """Probability that the last of some players in a group comes after all of some free players."""
    n_group, n_before, n_grouped = int(sizes[level]), int(sizes[1:level].sum()), int(sizes[1:].sum())
    places = np.arange(n_own, n_group + 1)  # of the last of them in its group
    law = choose(places - 1, n_own - 1) / choose(np.array(n_group), n_own)
    # n_free free players that all come before the place n_before + k: of C(N + f, f) interleavings, C(n_before + k - 1 + f, f).
    ahead = choose(n_before + places - 1 + n_free, n_free) / choose(np.array(n_grouped + n_free), n_free)
    return float(law @ ahead)
