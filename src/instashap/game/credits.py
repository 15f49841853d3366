"""Shares of each player in the parts of an additive game."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .terms import ANY, PresenceSet, choose, make_presence_masks, name_players


def split_shapley_shares(
    presence_sets: Sequence[PresenceSet], n_players: int, n_null: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shapley shares in two parts: an equal share of every player, and what the named players get in addition.

    A tied set (:data:`.terms.ANY`) of b named players and n places stands for ``C(d - b, n)`` sets of ``b + n`` players. A
    named player is in all of them, another player in ``C(d - b - 1, n - 1)``; each gets ``1 / (b + n)`` of those that contain
    it. In two parts, a tied set takes no longer to look up than another. ``n_null`` counts the null players, which no place
    stands for.

    Returns
    -------
    named : ndarray of shape (n_presence_sets, n_players), float64
        Zero for players the set does not name.
    equal : ndarray of shape (n_presence_sets,), float64
        Zero for sets that are not tied.

    Examples
    --------
    >>> named, equal = split_shapley_shares([(0, 2), (ANY, 0)], n_players=3)
    >>> named
    array([[0.5, 0. , 0.5],
           [0.5, 0. , 0. ]])
    >>> equal
    array([0. , 0.5])
    """
    masks = make_presence_masks(presence_sets, n_players).astype(np.float64)
    named = np.asarray(masks / masks.sum(axis=1, keepdims=True))
    equal = np.zeros(len(presence_sets))
    for place, presence in enumerate(presence_sets):
        if n_any := presence.count(ANY):
            n_others = np.array(n_players - n_null - len(name_players(presence)))
            equal[place] = choose(n_others - 1, n_any - 1) / len(presence)
            named[place] = masks[place] * (choose(n_others, n_any) / len(presence) - equal[place])
    return named, equal


def compute_shapley_shares(presence_sets: Sequence[PresenceSet], n_players: int) -> NDArray[np.float64]:
    """Share of each player in the value of each presence set: ``1[i in R] / |R|``.

    A game ``sum_R 1[R ⊆ S] h_R`` has Shapley values ``SHAP_i = sum_{R ∋ i} h_R / |R|`` (InstaSHAP, Eq. 13). A tied set has the
    summed shares of all the sets it stands for.

    Returns
    -------
    ndarray of shape (n_presence_sets, n_players), float64
        Rows sum to the number of sets each stands for: one, unless the set is tied.

    Examples
    --------
    >>> compute_shapley_shares([(0,), (0, 2)], n_players=3)
    array([[1. , 0. , 0. ],
           [0.5, 0. , 0.5]])
    """
    named, equal = split_shapley_shares(presence_sets, n_players)
    return named + equal[:, None]
