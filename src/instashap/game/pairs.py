"""Shapley values from sampled coalitions: pairs of a coalition and its complement, stratified by size, without replacement.

Only the odd part ``o(S) = (v(S) - v(N \\ S)) / 2`` of a game has Shapley values, and with ``z = 1_S - |S| / d``

    ``SHAP = (v(N) - v(∅)) / d + sum_k a_k E_{|S| = k}[o(S) z(S)]``,   ``a_k = 2 / (d p (1 - p))``, ``p = k / d``, k <= d / 2

(half of it at ``k = d / 2``): one mean a size. A linear game ``sum_i beta_i 1[i in S]`` has itself as Shapley values, so it may
be subtracted from the samples and added to the answer. Here it is fitted by ridge regression on all samples *but the one
it is subtracted from*; given the others, that one is uniform on the pairs not drawn, hence the estimate is unbiased whatever
the game, and exact where a size is enumerated. (The regression is KernelSHAP's, Lundberg and Lee 2017; leaving out what is
corrected is the regression-adjusted Monte Carlo of Witter, Liu and Musco 2025; both by sizes and without replacement are
ours.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from .coalitions import draw_members

# The linear game fitted is shrunk as if so many sampled pairs had told that there is none: callers subtract what they know.
_PRIOR_PAIRS = 6.0
# Sizes with at most so many times the pairs wanted are listed and drawn from; in larger ones repeats are drawn again.
_LISTED = 4
# The largest number of pairs that is told apart from infinity.
_UNCOUNTED = 10**60


@dataclass(frozen=True)
class PairSample:
    """Pairs of coalitions, drawn uniformly and without replacement within each size.

    Attributes
    ----------
    masks : ndarray of shape (n_pairs, n_players), bool
        The smaller coalition of each pair; its complement is the other.
    sizes : ndarray of shape (n_pairs,), int64
        Rising.
    populations : ndarray of shape (n_players // 2 + 1,), float64
        Pairs there are of each size.
    """

    masks: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    populations: NDArray[np.float64]

    @property
    def n_players(self) -> int:
        return int(self.masks.shape[1])

    def estimate(
        self, odd: NDArray[np.float64], totals: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Unbiased Shapley values of some games, and their estimated variances.

        Parameters
        ----------
        odd : ndarray of shape (n_pairs, n_games), float64
            ``(v(S) - v(N \\ S)) / 2``.
        totals : ndarray of shape (n_games,), float64
            ``v(N) - v(∅)``; the values sum to it exactly.

        Returns
        -------
        values, variances : ndarray of shape (n_players, n_games), float64
        """
        d = self.n_players
        equal = totals / d
        centred = odd - np.outer(self.sizes - d / 2, equal)
        linear, left_out = self._fit_linear(centred)
        values = np.tile(equal, (d, 1))
        variances = np.zeros_like(values)
        for stratum in self._strata:
            mean, variance = self._estimate_stratum(stratum, centred, linear, left_out)
            values += stratum.factor * mean
            variances += stratum.factor**2 * variance
        return values, variances

    @cached_property
    def _strata(self) -> list[_Stratum]:
        found = np.unique(self.sizes)
        starts, stops = (np.searchsorted(self.sizes, found, side=side) for side in ("left", "right"))
        return [
            _Stratum(slice(start, stop), int(size), self.n_players, float(self.populations[size]))
            for size, start, stop in zip(found, starts, stops, strict=True)
        ]

    @cached_property
    def _members(self) -> NDArray[np.float64]:
        """``z``, rows of sum zero: shape (n_pairs, n_players)."""
        return self.masks - (self.sizes / self.n_players)[:, None]

    @cached_property
    def _solver(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ridge regression on ``z``: ``A⁻¹ zᵀ`` of shape (n_players, n_pairs), and leverages."""
        z = self._members
        spread = (z**2).sum() / max(z.size, 1)
        matrix = z.T @ z + _PRIOR_PAIRS * max(spread, 1e-12) * np.eye(self.n_players)
        solved = np.linalg.solve(matrix, z.T)
        return solved, np.einsum("np,pn->n", z, solved)

    def _fit_linear(self, centred: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coefficients of all samples' regression, and the residual of each sample from the regression without it."""
        solved, leverages = self._solver
        linear = solved @ centred
        return linear, (centred - self._members @ linear) / (1.0 - leverages)[:, None]

    def _estimate_stratum(
        self,
        stratum: _Stratum,
        centred: NDArray[np.float64],
        linear: NDArray[np.float64],
        left_out: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean of ``o z`` over a size, and its variance; each of shape (n_players, n_games).

        The mean over samples j of ``E[β_j · z z] + (sum_{i≠j} e_ij z_i + (N - n + 1) e_jj z_j) / N``, with β_j the regression
        without j and ``e_ij`` the residual of sample i from it: others are known, j stands for all that were not drawn.
        """
        z, residuals = self._members[stratum.rows], left_out[stratum.rows]
        n, population = len(z), stratum.population
        if n >= population:
            return z.T @ centred[stratum.rows] / n, np.zeros_like(linear)
        moved = self._solver[0][:, stratum.rows]  # the regression without j is linear - moved_j residual_j
        sum_moved = moved @ residuals
        kept = z.T @ (centred[stratum.rows] - z @ linear)
        own = np.einsum("np,pn->n", z, moved)
        others = (n - 1) * kept + z.T @ (z @ sum_moved) - z.T @ (own[:, None] * residuals)
        not_drawn = (population - n + 1) * (z.T @ residuals)
        mean = stratum.spread * (linear - sum_moved / n) + (others + not_drawn) / (n * population)
        # Half of what a player's own z say, half of what all players' do: few samples estimate each of them badly.
        squares = (z**2 + (z**2).mean(axis=1, keepdims=True)) / 2
        return mean, (1.0 - n / population) * (squares.T @ residuals**2) / n**2


@dataclass(frozen=True)
class _Stratum:
    """Samples of one size."""

    rows: slice
    size: int
    n_players: int
    population: float

    @property
    def factor(self) -> float:
        """What the mean of ``o z`` over this size adds to the Shapley values."""
        share = self.size / self.n_players
        return (1.0 if 2 * self.size == self.n_players else 2.0) / (self.n_players * share * (1 - share))

    @property
    def spread(self) -> float:
        """``E[z zᵀ]`` on vectors of sum zero."""
        share = self.size / self.n_players
        return share * (1 - share) * self.n_players / (self.n_players - 1)


def count_pairs(n_players: int) -> NDArray[np.float64]:
    """Pairs of complementary coalitions by the smaller one's size, 0 … n_players // 2; the pair of size 0 is not counted.

    Counts stop at 1e60, a population no sample can exhaust: those of 1 100 players exceed every float.

    Examples
    --------
    >>> count_pairs(4)
    array([0., 4., 3.])
    """
    counts, count = [0], 1
    for size in range(1, n_players // 2 + 1):
        count = count * (n_players - size + 1) // size
        counts.append(min(count // (2 if 2 * size == n_players else 1), _UNCOUNTED))
    return np.array(counts, dtype=np.float64)


def allocate_pairs(n_pairs: int, n_players: int) -> NDArray[np.int64]:
    """Pairs to draw of each size, at least one: ``∝ 1 / sqrt(k (d - k))``, at most all there are.

    So many minimise the variance where ``o`` varies alike in every size: a size's part is ``a_k`` times a mean of deviation
    ``sqrt(p (1 - p))``.

    Raises ``ValueError`` below one pair a size.

    Examples
    --------
    >>> allocate_pairs(6, 4), allocate_pairs(100, 4)
    (array([0, 4, 2]), array([0, 4, 3]))
    """
    populations = count_pairs(n_players)
    sizes = np.arange(1, len(populations))
    if n_pairs < len(sizes):
        raise ValueError(f"{n_pairs} pairs cannot hold one of each of {len(sizes)} sizes")
    wanted = np.where(2 * sizes == n_players, 0.5, 1.0) / np.sqrt(sizes * (n_players - sizes))
    counts = np.minimum(1, populations).astype(np.int64)
    if n_pairs >= populations.sum():
        return populations.astype(np.int64)
    for _ in range(n_pairs - len(sizes)):  # the next pair goes where it is missed most
        counts[1 + np.argmax(np.where(counts[1:] < populations[1:], wanted / counts[1:], 0.0))] += 1
    return counts


def sample_pairs(n_pairs: int, n_players: int, rng: np.random.Generator) -> PairSample:
    """Draw pairs of coalitions; all of them if there are no more than ``n_pairs``.

    Parameters
    ----------
    n_pairs : int
        At least ``n_players // 2``.
    n_players : int
    rng : Generator
    """
    counts = allocate_pairs(n_pairs, n_players)
    populations = count_pairs(n_players)
    masks = [_draw_size(int(n), size, n_players, populations[size], rng) for size, n in enumerate(counts) if n]
    sizes = np.repeat(np.arange(len(counts)), counts)
    return PairSample(np.concatenate([np.zeros((0, n_players), dtype=bool), *masks]), sizes, populations)


def _draw_size(n: int, size: int, n_players: int, population: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Different coalitions of a size, uniformly; at half the players one of every pair: that of player 0."""
    if population <= _LISTED * n:
        every = np.array(list(islice(combinations(range(n_players), size), int(population))))  # player 0's come first
        masks = np.zeros((n, n_players), dtype=bool)
        np.put_along_axis(masks, rng.permutation(every)[:n], True, axis=1)
        return masks
    found = np.zeros((0, n_players), dtype=bool)
    while len(found) < n:
        drawn = draw_members(np.full(n, size), n_players, rng)
        drawn = np.where(drawn[:, :1], drawn, ~drawn) if 2 * size == n_players else drawn
        found = np.concatenate([found, drawn])
        _, first = np.unique(found, axis=0, return_index=True)
        found = found[np.sort(first)]
    return found[:n]
