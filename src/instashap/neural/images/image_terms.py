"""Choice of the sets of patches that have their own part."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...game.terms import PresenceSet
from .image_game import ImageGame
from .patches import Patches, split_rows, to_tensor


@dataclass(frozen=True)
class TermChoice:
    """Sets of patches that have their own part, and whether every pair has a low-rank part."""

    presence_sets: tuple[PresenceSet, ...]
    has_all_pairs: bool

    @property
    def order(self) -> int:
        """Number of patches of the largest term."""
        return max(max(map(len, self.presence_sets)), 2 if self.has_all_pairs else 1)


def choose_terms(patches: Patches, order: Any, interactions: Any) -> TermChoice:
    """Terms for the options of :class:`ImageExplainer`; a number of distant pairs is chosen later, by :func:`rank_pairs`."""
    if order not in (1, 2) or isinstance(order, bool):
        raise ValueError(f"order={order!r} must be 1 (single patches) or 2 (with interactions)")
    mains = [(player,) for player in range(patches.n_players)]
    if order == 1 or (isinstance(interactions, Integral) and interactions == 0):
        if interactions not in ("auto", 0):
            raise ValueError(f"order=1 has no interactions, got interactions={interactions!r}; use order=2")
        return TermChoice(tuple(mains), False)
    if isinstance(interactions, str):
        by_name: dict[str, tuple[list[Any], bool]] = {
            "auto": (patches.find_neighbours(), False),
            "all": ([], True),
            "neighbours": (patches.find_neighbours(), False),
            "blocks": (patches.find_blocks(), False),
            "hybrid": (patches.find_blocks(), True),
        }
        if interactions not in by_name:
            names = ", ".join(map(repr, by_name))
            raise ValueError(
                f"interactions={interactions!r} is not known; use one of {names}, a list of tuples of patches, or a number of "
                "distant pairs in addition to neighbours"
            )
        sets, has_pairs = by_name[interactions]
        return TermChoice((*mains, *sets), has_pairs)
    if isinstance(interactions, Integral):
        if interactions < 0:
            raise ValueError(f"interactions={interactions} must not be negative")
        return TermChoice((*mains, *patches.find_neighbours()), False)
    return TermChoice((*mains, *_check_sets(interactions, patches.n_players)), False)


def _check_sets(interactions: Any, n_players: int) -> list[PresenceSet]:
    try:
        found = {tuple(sorted({int(player) for player in each})) for each in interactions}
    except (TypeError, ValueError) as error:
        raise TypeError(f"interactions must be a name, a number or tuples of patches, got {interactions!r}") from error
    sets = sorted(found, key=lambda each: (len(each), each))
    for each in sets:
        if len(each) < 2 or each[0] < 0 or each[-1] >= n_players:
            raise ValueError(f"interactions holds {each}; each must be two or more patches from 0 to {n_players - 1}")
    return sets


def rank_pairs(game: ImageGame, images: NDArray[Any], n_pairs: int, known: Sequence[PresenceSet]) -> list[PresenceSet]:
    """Pairs with the largest variance in a game with all pairs, the strongest first, without those in ``known``."""
    device = game.base.device
    with torch.no_grad():
        second = torch.zeros(game.n_players, game.n_players)
        for rows in split_rows(len(images)):
            _, embeddings = game(to_tensor(images[rows]).to(device))
            pairs = torch.einsum("npk,nqk,ck->npqc", embeddings, embeddings, game.net.signs[0])
            second += (pairs - game.pair_means[:, :, 0]).square().sum(dim=(0, 3)).cpu()
    taken = set(known)
    first, other = np.triu_indices(game.n_players, 1)
    ranked = np.argsort(-second.numpy()[first, other], kind="stable")
    pairs_by_strength: list[PresenceSet] = [(int(first[place]), int(other[place])) for place in ranked]
    return [pair for pair in pairs_by_strength if pair not in taken][:n_pairs]
