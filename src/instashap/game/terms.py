"""Terms of an additive game: which columns a shape function reads, and which players must be present for it to count."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ValueSet = tuple[int, ...]
PresenceSet = tuple[int, ...]


class Term(NamedTuple):
    """One term ``1[presence ⊆ S] psi(x_values)`` of the additive game.

    Attributes
    ----------
    values : tuple of int
        Columns the shape function reads, strictly increasing.
    presence : tuple of int
        Players that must be present, strictly increasing; contains the players of ``values``.
    """

    values: ValueSet
    presence: PresenceSet


def players_of(values: ValueSet, players: Sequence[int]) -> PresenceSet:
    """Players that own the columns of a value set; ``players[column]`` is the owner of a column.

    Examples
    --------
    >>> players_of((0, 1, 3), players=[0, 0, 1, 2])
    (0, 2)
    """
    return tuple(sorted({players[column] for column in values}))


def close_downwards(value_sets: Iterable[ValueSet]) -> list[ValueSet]:
    """The hereditary closure: every non-empty subset of every value set, by size, then lexicographically.

    Examples
    --------
    >>> close_downwards([(0, 2)])
    [(0,), (2,), (0, 2)]
    """
    closed = {part for whole in value_sets for size in range(1, len(whole) + 1) for part in combinations(whole, size)}
    return sorted(closed, key=lambda term: (len(term), term))


def extend_presence(base: PresenceSet, presence_sets: Iterable[PresenceSet]) -> list[PresenceSet]:
    """Presence sets that contain ``base``, the smallest first; ``base`` itself is always among them.

    Examples
    --------
    >>> extend_presence((1,), [(0,), (1,), (0, 1), (1, 2)])
    [(1,), (0, 1), (1, 2)]
    """
    needed = set(base)
    found = {base} | {candidate for candidate in presence_sets if needed <= set(candidate)}
    return sorted(found, key=lambda candidate: (len(candidate), candidate))


def make_presence_masks(presence_sets: Sequence[PresenceSet], n_players: int) -> NDArray[np.bool_]:
    """Masks of shape (n_presence_sets, n_players), True where a player belongs to the set."""
    masks = np.zeros((len(presence_sets), n_players), dtype=bool)
    for row, presence in enumerate(presence_sets):
        masks[row, list(presence)] = True
    return masks


def count_unions(presence_masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Sizes ``|R ∪ R'|`` for all pairs of presence sets; shape (n_presence_sets, n_presence_sets)."""
    members = presence_masks.astype(np.float64)
    sizes = members.sum(axis=1)
    return np.asarray(np.rint(sizes[:, None] + sizes[None, :] - members @ members.T), dtype=np.int64)
