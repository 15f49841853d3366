"""Shapley values of games that are quadratic in the components of another: variances and losses over rows.

With components ``h_R`` of the presence sets, ``v(S) = E (sum_{R ⊆ S} h_R)² = sum_{R, R' ⊆ S} E[h_R h_R']``: each product counts
once the union of both sets is present, so its Shapley values are those of a unanimity game on ``R ∪ R'``, an equal share for
every player of the union. A tied set counts ``C(|S| - |B|, n_any)`` times; a product of two counts depends on the size of the
coalition alone once the named players of both are in it, which gives the shares in closed form too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .terms import ANY, PresenceSet, choose, count_live, count_unions, make_presence_masks, name_players

# Numbers held at once while presence sets are paired.
_BLOCK_NUMBERS = 2**22

# Number of named players and of places of a presence set; (0, 0) of all that are not tied, as these count 0 or 1 times.
_Kind = tuple[int, int]
_Table = NDArray[np.float64]


def evaluate_quadratic(
    presence_sets: Sequence[PresenceSet], matrix: NDArray[np.float64], masks: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """``v(S) = n(S)ᵀ Q n(S)`` of some coalitions, n(S) the counts of the presence sets; shape (n_coalitions,).

    Parameters
    ----------
    presence_sets : sequence of presence sets
        The empty set, which always counts, is one too.
    matrix : ndarray of shape (n_presence_sets, n_presence_sets), float64
        Q, symmetric.
    masks : ndarray of shape (n_coalitions, n_players), bool
        True = present.
    """
    values = np.empty(len(masks))
    step = max(_BLOCK_NUMBERS // max(len(presence_sets), 1), 1)
    for start in range(0, len(masks), step):
        live = count_live(presence_sets, masks[start : start + step])
        values[start : start + step] = ((live @ matrix) * live).sum(axis=1)
    return values


def share_quadratic(presence_sets: Sequence[PresenceSet], matrix: NDArray[np.float64], n_players: int) -> NDArray[np.float64]:
    """Shapley values of ``v(S) = n(S)ᵀ Q n(S)``, exactly, without a coalition being listed; shape (n_players,).

    ``SHAP_i = sum_{R, R': i ∈ R ∪ R'} Q[R, R'] / |R ∪ R'|`` where no set is tied.

    Parameters
    ----------
    presence_sets, matrix
        As in :func:`evaluate_quadratic`.
    n_players : int

    Examples
    --------
    Two parts of variance 1 and 4 with covariance 0.5, and one of both players with variance 2:

    >>> matrix = np.array([[1.0, 0.5, 0.0], [0.5, 4.0, 0.0], [0.0, 0.0, 2.0]])
    >>> share_quadratic([(0,), (1,), (0, 1)], matrix, 2)
    array([2.5, 5.5])
    """
    named = make_presence_masks(presence_sets, n_players).astype(np.float64)
    tables = _tabulate(presence_sets, n_players, partial(_share_union, n_players=n_players))
    values, everyone = np.zeros(n_players), 0.0
    for rows, (inside, outside) in _iterate_weighted(presence_sets, matrix, n_players, tables):
        more = inside - outside
        values += named[rows].T @ more.sum(axis=1) + more.sum(axis=0) @ named - (named[rows] * (more @ named)).sum(axis=0)
        everyone += float(outside.sum())
    return values + everyone


def share_quadratic_pairs(
    presence_sets: Sequence[PresenceSet], matrix: NDArray[np.float64], n_players: int
) -> NDArray[np.float64]:
    """Shapley interaction indices of ``v(S) = n(S)ᵀ Q n(S)``: shape (n_players, n_players), symmetric, diagonal 0.

    ``sum_{T ∋ i, j} c_T / (|T| - 1)`` over the components c of v (Grabisch and Roubens 1999): by how much more a player adds
    where the other is present. Above 0 the two are worth more together than alone, below 0 they stand for each other.

    Parameters as in :func:`share_quadratic`.
    """
    absent = 1.0 - make_presence_masks(presence_sets, n_players).astype(np.float64)
    tables = _tabulate(presence_sets, n_players, partial(_share_union_pair, n_players=n_players))
    first, second = np.triu_indices(n_players, 1)
    apart = absent[:, first] * absent[:, second]  # (n_presence_sets, n_pairs): neither is in the set
    values = np.zeros(len(first))
    for rows, (both, one, none) in _iterate_weighted(presence_sets, matrix, n_players, tables):
        # A union without i: i is in neither set. 1[i, j ∈ U] = 1 - out_i - out_j + out_ij, and so on.
        out = {name: (absent[rows] * (each @ absent)).sum(axis=0) for name, each in (("both", both), ("one", one))}
        neither = [(apart[rows] * (each @ apart)).sum(axis=0) for each in (both, one, none)]
        values += both.sum() - out["both"][first] - out["both"][second] + neither[0]
        values += out["one"][first] + out["one"][second] - 2.0 * neither[1] + neither[2]
    pairs = np.zeros((n_players, n_players))
    pairs[first, second] = pairs[second, first] = values
    return pairs


def _iterate_weighted(
    presence_sets: Sequence[PresenceSet],
    matrix: NDArray[np.float64],
    n_players: int,
    tables: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> Iterator[tuple[slice, list[_Table]]]:
    """Blocks of rows of the matrix, times what a player in and outside a union gets."""
    masks = make_presence_masks(presence_sets, n_players)
    kinds, shares = tables  # (n_sets,), (n_roles, n_kinds, n_kinds, n_sizes)
    step = max(_BLOCK_NUMBERS // max(len(presence_sets), 1), 1)
    for start in range(0, len(presence_sets), step):
        rows = slice(start, start + step)
        unions = count_unions(masks[rows], masks)
        yield rows, [matrix[rows] * role[kinds[rows, None], kinds, unions] for role in shares]


def _tabulate(
    presence_sets: Sequence[PresenceSet], n_players: int, share: Callable[[_Table], Sequence[_Table]]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Kind of each presence set, and by both kinds and the size of the union what each role gets of a product."""
    counts = [each.count(ANY) for each in presence_sets]
    named = [len(name_players(each)) if n_any else 0 for each, n_any in zip(presence_sets, counts, strict=True)]
    found, kinds = np.unique(np.array([named, counts], dtype=np.int64).T.reshape(-1, 2), axis=0, return_inverse=True)
    sizes = np.arange(n_players + 1)
    by_size = [choose(sizes - n_named, n_any) for n_named, n_any in found.tolist()]
    shares = [[np.stack(share(one * other)) for other in by_size] for one in by_size]
    n_roles = len(shares[0][0]) if shares else 0
    return kinds.reshape(-1), np.array(shares).transpose(2, 0, 1, 3) if n_roles else np.empty((0, 0, 0, 0))


def _share_union(counts: _Table, n_players: int) -> tuple[_Table, _Table]:
    """Shapley values of ``1[U ⊆ S] q(|S|)`` for each size of U: a player in U, and one outside; each (n_players + 1,)."""
    sizes = np.arange(n_players, dtype=np.float64)  # of coalitions without the player
    inside, outside = np.zeros((2, n_players + 1))
    rising = np.diff(counts)
    chance = np.ones(n_players)  # that a random coalition of s of the others holds U
    for size in range(n_players + 1):
        outside[size] = chance @ rising / n_players if size < n_players else 0.0
        inside[size] = (counts[-1] - (n_players - size) * outside[size]) / size if size else 0.0
        if size < n_players - 1:
            chance = chance * np.maximum(sizes - size, 0.0) / (n_players - 1 - size)
    return inside, outside


def _share_union_pair(counts: _Table, n_players: int) -> tuple[_Table, _Table, _Table]:
    """Interaction indices of ``1[U ⊆ S] q(|S|)`` for each size of U: both players in U, one of them, none."""
    both, one, none = np.zeros((3, n_players + 1))
    if n_players < 2:
        return both, one, none
    sizes = np.arange(n_players - 1, dtype=np.float64)  # of coalitions without the two
    steps, bends = np.diff(counts)[1:], np.diff(counts, 2)
    chance = np.ones(n_players - 1)
    for size in range(n_players - 1):  # of the players of U among the others
        both[size + 2] = chance @ counts[2:] / (n_players - 1)
        one[size + 1] = chance @ steps / (n_players - 1)
        none[size] = chance @ bends / (n_players - 1)
        if size < n_players - 2:
            chance = chance * np.maximum(sizes - size, 0.0) / (n_players - 2 - size)
    return both, one, none
