"""Coalitions that stand for all: every one of few players, the first players of sampled orders of many."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from .coalitions import enumerate_coalitions
from .terms import PresenceSet, count_live

# Players up to which every coalition is listed: 4 096.
MAX_LISTED = 12
# Numbers held at once while presence sets are counted in coalitions.
_BLOCK_NUMBERS = 2**22


@dataclass(frozen=True)
class CoalitionList:
    """Coalitions with what they weigh in a mean over random coalitions, and in Shapley values.

    Attributes
    ----------
    masks : ndarray of shape (n_coalitions, n_players), bool
        True = present.
    masses : ndarray of shape (n_coalitions,), float64
        ``E_S v(S)`` under the size law is ``masses @ v``.
    shares : ndarray of shape (n_coalitions, n_players), float64
        The Shapley values of a game are ``sharesᵀ v``.
    orders : ndarray of shape (n_orders, n_players), int64
        The orders whose first players the coalitions are: the empty one first, then those of each order in turn, each but the
        last of them. The full coalition is last. No orders where every coalition is listed.
    """

    masks: NDArray[np.bool_]
    masses: NDArray[np.float64]
    shares: NDArray[np.float64]
    orders: NDArray[np.int64]

    def average(self, presence_sets: Sequence[PresenceSet], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """``E_S n_R(S) v(S)``, with n_R how often a presence set counts in S: shape (n_presence_sets, n_values).

        Parameters
        ----------
        presence_sets : sequence of presence sets
        values : ndarray of shape (n_coalitions, n_values), float64
        """
        total = np.zeros((len(presence_sets), values.shape[1]))
        for block, live in self._count(presence_sets):
            total += live.T @ (self.masses[block, None] * values[block])
        return total

    def couple(self, presence_sets: Sequence[PresenceSet]) -> NDArray[np.float64]:
        """``E_S n_R(S) n_R'(S)`` of every two presence sets."""
        total = np.zeros((len(presence_sets), len(presence_sets)))
        for block, live in self._count(presence_sets):
            total += live.T @ (self.masses[block, None] * live)
        return total

    def measure_error(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standard errors of ``sharesᵀ v`` from the orders that were sampled, (n_players,); 0 where all coalitions are listed.

        An order and its reverse are drawn together, so their mean is one draw.
        """
        n_orders = len(self.orders)
        if not n_orders:
            return np.zeros(self.masks.shape[1])
        first, last = np.full((2, n_orders, 1), [[[values[0]]], [[values[-1]]]])
        gains = np.diff(np.hstack([first, values[1:-1].reshape(n_orders, -1), last]), axis=1)
        own = np.empty_like(gains)
        np.put_along_axis(own, self.orders, gains, axis=1)
        pairs = (own[: n_orders // 2] + own[n_orders // 2 :]) / 2.0
        return np.asarray(pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs)))

    def _count(self, presence_sets: Sequence[PresenceSet]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        step = max(_BLOCK_NUMBERS // max(len(presence_sets), 1), 1)
        for start in range(0, len(self.masks) if presence_sets else 0, step):
            block = slice(start, start + step)
            yield block, count_live(presence_sets, self.masks[block])


def list_coalitions(size_law: NDArray[np.float64]) -> CoalitionList:
    """Every coalition of a few players.

    Examples
    --------
    >>> listed = list_coalitions(np.array([0.0, 1.0, 0.5]))
    >>> listed.shares.T @ np.array([0.0, 1.0, 3.0, 6.0])  # v(0) = 1, v(1) = 3, v(both) = 6
    array([2., 4.])
    """
    n_players = len(size_law) - 1
    masks = enumerate_coalitions(n_players)
    sizes = masks.sum(axis=1)
    counts = np.array([comb(n_players, size) for size in range(n_players + 1)], dtype=np.float64)
    masses = (size_law / counts)[sizes]
    # Of player i: 1 / (d C(d - 1, s)) for each coalition of s others, with i and without.
    weights = np.array([1.0 / (n_players * comb(n_players - 1, size)) for size in range(n_players)])
    shares = np.where(masks, weights[np.maximum(sizes - 1, 0)][:, None], -weights[np.minimum(sizes, n_players - 1)][:, None])
    return CoalitionList(masks, masses, shares, np.empty((0, n_players), dtype=np.int64))


def sample_orders(size_law: NDArray[np.float64], n_orders: int, ranks: NDArray[np.int64]) -> CoalitionList:
    """First players of sampled orders, each order with its reverse; the seed is fixed.

    Parameters
    ----------
    size_law : ndarray of shape (n_players + 1,), float64
    n_orders : int
        Even.
    ranks : ndarray of shape (n_players,), int64
        Places of the players in a sequence that does not depend on how they are numbered.
    """
    n_players = len(size_law) - 1
    drawn = np.random.default_rng(0).permuted(np.tile(np.arange(n_players), (n_orders // 2, 1)), axis=1)
    orders = np.argsort(ranks)[np.concatenate([drawn, drawn[:, ::-1]])]
    places = np.argsort(orders, axis=1)  # (n_orders, n_players): how many come before each player
    sizes = np.arange(1, n_players)
    inner = places[:, None, :] < sizes[:, None]  # (n_orders, n_players - 1, n_players)
    # A player's value is what it adds, on average over orders, to those before it.
    inner_shares = (1.0 * (places[:, None, :] == sizes[:, None] - 1) - (places[:, None, :] == sizes[:, None])) / n_orders
    ends = (-(places == 0).mean(axis=0), (places == n_players - 1).mean(axis=0))
    everyone = np.ones((1, n_players), dtype=bool)
    return CoalitionList(
        np.concatenate([~everyone, inner.reshape(-1, n_players), everyone]),
        np.concatenate([size_law[:1], np.tile(size_law[1:-1] / n_orders, n_orders), size_law[-1:]]),
        np.concatenate([ends[:1], inner_shares.reshape(-1, n_players), ends[1:]]),
        orders,
    )
