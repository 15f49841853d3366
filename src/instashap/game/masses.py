"""Mean products of presence indicators over random coalitions, which couple the parts of the masked fit."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .coalitions import compute_containment_masses
from .terms import ANY, PresenceSet, choose, count_unions, make_presence_masks, name_absent, name_players


def compute_presence_masses(presence_sets: Sequence[PresenceSet], size_law: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean count of each presence set, ``E 1[B ⊆ S] C(|S| - |B|, n_any)``; shape (n_presence_sets,).

    The count is how many of the sets it stands for lie in the coalition S. For a set that is not tied the mean is ``π_{|R|}``.

    Examples
    --------
    The sets of player 0 and one other, of three, are two pairs:

    >>> law = np.array([0.0, 0.5, 0.5, 0.5])
    >>> compute_presence_masses([(0, 1), (ANY, 0)], law)
    array([0.66666667, 1.33333333])
    """
    n_named = np.array([len(name_players(presence)) for presence in presence_sets], dtype=np.int64)
    masses = np.empty(len(presence_sets))
    for kind, members in _group_by_kind(presence_sets).items():
        weighted = size_law * _count_by_size(kind, len(size_law))
        masses[members] = compute_containment_masses(weighted)[n_named[members]]
    absent = np.array([len(name_absent(presence)) for presence in presence_sets], dtype=np.int64)
    some = np.flatnonzero(absent)
    if len(some):
        masses[some] = compute_split_masses(size_law, int(absent.max()))[n_named[some], absent[some]]
    return masses


def compute_shared_masses(presence_sets: Sequence[PresenceSet], size_law: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean product of the counts of every two presence sets; shape (n_presence_sets, n_presence_sets).

    For sets that are not tied it is ``π_{|R ∪ R'|}``. For tied sets it is the sum of ``π`` over the unions of all the sets they
    stand for; as a count depends on the coalition's size alone once the named players are in it, this is
    ``Σ_s μ(s) C(d - u, s - u) / C(d, s) C(s - b, n) C(s - b', n')`` with u the number of players that either set names, b and
    b' the number that each names.

    Examples
    --------
    >>> compute_shared_masses([(0, 1), (ANY, 0)], np.array([0.0, 0.5, 0.5, 0.5]))
    array([[0.66666667, 1.16666667],
           [1.16666667, 2.33333333]])
    """
    unions = count_unions(make_presence_masks(presence_sets, len(size_law) - 1))
    kinds = _group_by_kind(presence_sets)
    masses = np.empty(unions.shape)
    for kind, members in kinds.items():
        for other, others in kinds.items():
            weighted = size_law * _count_by_size(kind, len(size_law)) * _count_by_size(other, len(size_law))
            block = np.ix_(members, others)
            masses[block] = compute_containment_masses(weighted)[unions[block]]
    _couple_absent(presence_sets, size_law, unions, kinds, masses)
    return masses


def _couple_absent(
    presence_sets: Sequence[PresenceSet],
    size_law: NDArray[np.float64],
    unions: NDArray[np.int64],
    kinds: "dict[_Kind, NDArray[np.int64]]",
    masses: NDArray[np.float64],
) -> None:
    """Write the masses of sets that want players absent, with all others; such sets have no places (:data:`.terms.ANY`)."""
    n_players = len(size_law) - 1
    away = np.array([np.isin(np.arange(n_players), name_absent(presence)) for presence in presence_sets], dtype=bool)
    some = np.flatnonzero(away.any(axis=1)) if len(presence_sets) else np.empty(0, dtype=np.int64)
    if not len(some):
        return
    members = make_presence_masks(presence_sets, n_players)
    n_away = count_unions(away[some], away)
    away_counts, member_counts = away.astype(np.float32), members.astype(np.float32)
    clash = (away_counts[some] @ member_counts.T) + (member_counts[some] @ away_counts.T) > 0
    for kind, others in kinds.items():
        weighted = size_law * _count_by_size(kind, len(size_law))
        shared = compute_split_masses(weighted, int(n_away.max()))
        block = np.where(clash[:, others], 0.0, shared[unions[np.ix_(some, others)], n_away[:, others]])
        masses[np.ix_(some, others)] = block
        masses[np.ix_(others, some)] = block.T


def compute_split_masses(size_law: NDArray[np.float64], n_absent: int) -> NDArray[np.float64]:
    """Mass of the coalitions that contain ``k`` given players and lack ``m`` others; shape (d + 1, n_absent + 1).

    ``sum_s mu(s) C(d - k - m, s - k) / C(d, s)``, zero where ``k + m > d``.

    Examples
    --------
    >>> compute_split_masses(np.array([0.0, 0.5, 0.5, 0.5]), 1)[1]
    array([1.        , 0.33333333])
    """
    d = len(size_law) - 1
    sizes = np.arange(d + 1.0)
    masses = np.zeros((d + 1, n_absent + 1))
    inside = np.ones(d + 1)  # C(d - k, s - k) / C(d, s)
    for k in range(d + 1):
        shares = inside.copy()
        for m in range(min(n_absent, d - k) + 1):
            masses[k, m] = size_law @ shares
            if m < d - k:
                shares *= np.maximum(d - sizes - m, 0.0) / (d - k - m)
        if k < d:
            inside *= np.maximum(sizes - k, 0.0) / (d - k)
    return masses


# Numbers of named players and of places; sets without places are all of kind (0, 0), as their count is 0 or 1.
_Kind = tuple[int, int]


def _group_by_kind(presence_sets: Sequence[PresenceSet]) -> dict[_Kind, NDArray[np.int64]]:
    """Positions of the presence sets of each kind."""
    kinds: dict[_Kind, list[int]] = {}
    for place, presence in enumerate(presence_sets):
        n_any = presence.count(ANY)
        kinds.setdefault((len(name_players(presence)) if n_any else 0, n_any), []).append(place)
    return {kind: np.array(places) for kind, places in kinds.items()}


def _count_by_size(kind: _Kind, n_sizes: int) -> NDArray[np.float64]:
    """Count of a presence set in a coalition of each size that contains its named players."""
    n_named, n_any = kind
    return choose(np.arange(n_sizes) - n_named, n_any)
