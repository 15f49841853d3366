"""Terms of an additive game: which columns a shape function reads, and which players must be present for it to count."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ValueSet = tuple[int, ...]
PresenceSet = tuple[int, ...]

# A place that stands for any one other player. A presence set with such places is *tied*: it stands for all sets of its named
# players and as many others as it has places, all with the same function. ``(ANY, 2)`` stands for every pair with player 2.
ANY = -1
# A presence set may begin with players that must be absent, player k written as -2 - k: ``(-5, 0, 2)`` holds in the coalitions
# of players 0 and 2 without player 3.
_FIRST_ABSENT = -2


class Term(NamedTuple):
    """One term ``1[presence ⊆ S] psi(x_values)`` of the additive game.

    Attributes
    ----------
    values : tuple of int
        Columns the shape function reads, strictly increasing.
    presence : tuple of int
        Players that must be present, strictly increasing; contains the players of ``values``. A tied set begins with places
        for any other player (:data:`ANY`): the term is then the sum over the sets it stands for, all with the same function.
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


def group_by_player(presence_sets: Iterable[PresenceSet]) -> dict[int, list[PresenceSet]]:
    """Presence sets by each player they name: supersets of a set are among those of its first player.

    Examples
    --------
    >>> group_by_player([(0,), (0, 2), (ANY, 2)])
    {0: [(0,), (0, 2)], 2: [(0, 2), (-1, 2)]}
    """
    grouped: dict[int, list[PresenceSet]] = {}
    for presence in presence_sets:
        for player in name_players(presence):
            grouped.setdefault(player, []).append(presence)
    return grouped


def name_players(presence: PresenceSet) -> PresenceSet:
    """The players that a presence set names, without its places (:data:`ANY`).

    Examples
    --------
    >>> name_players((ANY, 0, 2))
    (0, 2)
    """
    if presence and presence[0] < ANY:
        return tuple(player for player in presence if player >= 0)
    return presence[presence.count(ANY) :]


def exclude_players(presence: PresenceSet, absent: Iterable[int]) -> PresenceSet:
    """The presence set of some players that holds only where others are absent.

    Examples
    --------
    >>> exclude_players((0, 2), absent=[3])
    (-5, 0, 2)
    """
    return (*sorted(_FIRST_ABSENT - player for player in absent), *presence)


def name_absent(presence: PresenceSet) -> PresenceSet:
    """The players that a presence set wants absent.

    Examples
    --------
    >>> name_absent((-5, 0, 2)), name_absent((ANY, 0))
    ((3,), ())
    """
    return tuple(_FIRST_ABSENT - player for player in reversed(presence) if player < ANY)


def spell_out(presence: PresenceSet, n_players: int) -> list[PresenceSet]:
    """The sets of players that a presence set stands for.

    Examples
    --------
    >>> spell_out((ANY, 1), n_players=4)
    [(0, 1), (1, 2), (1, 3)]
    """
    named = name_players(presence)
    others = [player for player in range(n_players) if player not in named]
    return [tuple(sorted((*named, *more))) for more in combinations(others, presence.count(ANY))]


def stands_for(presence: PresenceSet, players: PresenceSet) -> bool:
    """Whether some players are the set, or one of those it stands for.

    Examples
    --------
    >>> stands_for((ANY, 1), (1, 3)), stands_for((ANY, 1), (1,)), stands_for((ANY, 1), (0, 3))
    (True, False, False)
    """
    return len(presence) == len(players) and set(name_players(presence)) <= set(players)


def make_presence_masks(presence_sets: Sequence[PresenceSet], n_players: int) -> NDArray[np.bool_]:
    """Masks of shape (n_presence_sets, n_players), True where the set names a player."""
    masks = np.zeros((len(presence_sets), n_players), dtype=bool)
    for row, presence in enumerate(presence_sets):
        masks[row, list(name_players(presence))] = True
    return masks


def count_live(presence_sets: Sequence[PresenceSet], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How many of the sets that a presence set stands for lie in a coalition: ``1[B ⊆ S] C(|S| - |B|, n_any)``.

    B are the named players and ``n_any`` is the number of places (:data:`ANY`); for a set that is not tied the count is 0 or 1.

    Parameters
    ----------
    presence_sets : sequence of presence sets
    masks : ndarray of shape (..., n_players), bool
        Coalitions.

    Returns
    -------
    ndarray of shape (..., n_presence_sets), float64

    Examples
    --------
    >>> count_live([(1,), (ANY, 1), (0, 2)], np.array([True, True, False, True]))
    array([1., 2., 0.])
    """
    members = make_presence_masks(presence_sets, masks.shape[-1])
    absent = (~masks).astype(np.float32) @ members.T.astype(np.float32)
    live: NDArray[np.float64] = (absent == 0).astype(np.float64)
    sizes = masks.sum(axis=-1)
    for place, presence in enumerate(presence_sets):
        if presence.count(ANY):
            live[..., place] *= choose(sizes - len(name_players(presence)), presence.count(ANY))
        if absent_players := name_absent(presence):
            live[..., place] *= ~masks[..., list(absent_players)].any(axis=-1)
    return live


def count_by_size(presence_sets: Sequence[PresenceSet], n_players: int) -> NDArray[np.float64]:
    """How many of the sets that a presence set stands for lie in a coalition of each size that contains its named players.

    Returns
    -------
    ndarray of shape (n_presence_sets, n_players + 1), float64

    Examples
    --------
    >>> count_by_size([(1,), (ANY, 1)], n_players=3)
    array([[1., 1., 1., 1.],
           [0., 0., 1., 2.]])
    """
    sizes = np.arange(n_players + 1)
    counts = [choose(sizes - len(name_players(presence)), presence.count(ANY)) for presence in presence_sets]
    return np.array(counts).reshape(len(presence_sets), n_players + 1)


def pack_players(masks: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Masks of shape (..., n_players) packed into words, player k as bit k; shape (..., n_words).

    Examples
    --------
    >>> pack_players(np.array([True, False, True]))
    array([5], dtype=uint64)
    """
    packed = np.packbits(masks, axis=-1, bitorder="little")
    padding = [(0, 0)] * (masks.ndim - 1) + [(0, -packed.shape[-1] % 8)]
    words: NDArray[np.uint64] = np.ascontiguousarray(np.pad(packed, padding)).view("<u8").astype(np.uint64)
    return words


def choose(numbers: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Binomial coefficients ``C(number, size)`` for each number; 0 for negative numbers and positive size.

    Examples
    --------
    >>> choose(np.array([0, 1, 4]), 2)
    array([0., 0., 6.])
    """
    ways = np.ones(np.shape(numbers))
    for taken in range(size):
        ways *= np.maximum(numbers - taken, 0) / (size - taken)
    return ways


def count_unions(presence_masks: NDArray[np.bool_], others: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Sizes ``|R ∪ R'|`` for each presence set and each of ``others``.

    Parameters
    ----------
    presence_masks : ndarray of shape (n_presence_sets, n_players), bool
    others : ndarray of shape (n_others, n_players), bool, optional
        Default: the same sets.

    Returns
    -------
    ndarray of shape (n_presence_sets, n_others), int64
    """
    members = presence_masks.astype(np.float32)  # counts stay exact up to 16 million players
    partners = members if others is None else others.astype(np.float32)
    shared = members @ partners.T
    return np.asarray(members.sum(axis=1)[:, None] + partners.sum(axis=1) - shared, dtype=np.int64)
