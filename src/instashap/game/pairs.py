"""Shapley values from sampled coalitions: pairs of a coalition and its complement, stratified by size, without replacement.

Only the odd part ``o(S) = (v(S) - v(N \\ S)) / 2`` of a game has Shapley values, and with ``z = 1_S - |S| / d``

    ``SHAP = (v(N) - v(∅)) / d + sum_k a_k E_{|S| = k}[o(S) z(S)]``,   ``a_k = 2 / (d p (1 - p))``, ``p = k / d``, k <= d / 2

(half of it at ``k = d / 2``): one mean per size. A game whose means of ``o z`` are known may be subtracted from the samples and
added to the result. Here it is linear in ``z``, with a slope that varies with the size, plus a function of the size alone,
because games level off: a player adds less to many others than to few. It is fitted by ridge regression on all samples *but
the one it is subtracted from*; given the others, that one is uniform on the pairs not drawn, hence the estimate is unbiased for
every game, and exact where a size is enumerated. (The linear regression is that of KernelSHAP, Lundberg and Lee 2017; leaving
out the corrected sample is the regression-adjusted Monte Carlo of Witter, Liu and Musco 2025; the terms of the size,
stratifying both by size and sampling without replacement are ours.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from .._validation import check_at_least
from .coalitions import draw_members

# The fitted game is shrunk towards zero by the weight of this many sampled pairs for each player: the ratio of the variance
# that it leaves of the odd values to the one that its linear part explains.
PRIOR_PAIRS = 0.6
# Columns that depend on the size are multiplied by this factor, so that they are shrunk more than the linear ones: some games
# level off much (log-odds of images), others little (scores of short texts).
_SIZE_SCALE = 0.6
# A size whose population is at most this multiple of the sample is enumerated; in larger ones repeats are drawn again.
_LISTED = 4
# Upper limit of counted pairs; a larger population is treated as infinite.
_UNCOUNTED = 10**60


@dataclass(frozen=True)
class PairSample:
    """Pairs of coalitions, drawn uniformly and without replacement within each size.

    Attributes
    ----------
    masks : ndarray of shape (n_pairs, n_players), bool
        The smaller coalition of each pair; its complement is the other.
    sizes : ndarray of shape (n_pairs,), int64
        Size of the smaller coalition, in increasing order.
    populations : ndarray of shape (n_players // 2 + 1,), float64
        Number of all pairs of each size.
    prior : float
        Weight, in sampled pairs for each player, by which the fitted game is shrunk towards zero: more for callers that have
        subtracted a game with nearly the same values. Estimates are unbiased whatever it is.
    """

    masks: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    populations: NDArray[np.float64]
    prior: float = PRIOR_PAIRS

    @property
    def n_players(self) -> int:
        return int(self.masks.shape[1])

    def centre(self, odd: NDArray[np.float64], totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Odd values without the equal shares of the totals; arguments and result as in :meth:`estimate`."""
        return np.asarray(odd - np.outer(self.sizes - self.n_players / 2, totals / self.n_players))

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """Weights of the pairs in a regression on ``members``, shape (n_pairs,).

        In the mean over samples, the values less equal shares of the total are the coefficients that minimise the weighted
        squares of ``o - z · coefficients``: a pair of size k has the weight ``a_k``, divided by the number of its size.

        Examples
        --------
        >>> sample = sample_pairs(7, 4, np.random.default_rng(0))
        >>> (sample.weights[:, None] * sample.members).T @ sample.members + 1 / 4  # without the direction of the total
        array([[1., 0., 0., 0.],
               [0., 1., 0., 0.],
               [0., 0., 1., 0.],
               [0., 0., 0., 1.]])
        """
        found = np.empty(len(self.masks))
        for stratum in self._strata:
            found[stratum.rows] = stratum.factor / len(self.masks[stratum.rows])
        return found

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
        centred = self.centre(odd, totals)
        fitted, left_out = self._fit_control(centred)
        values = np.tile(totals / self.n_players, (self.n_players, 1))
        variances = np.zeros_like(values)
        for stratum in self._strata:
            mean, variance = self._estimate_stratum(stratum, centred, fitted, left_out)
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
    def members(self) -> NDArray[np.float64]:
        """Matrix ``z``, whose rows sum to zero; shape (n_pairs, n_players)."""
        return self.masks - (self.sizes / self.n_players)[:, None]

    @cached_property
    def controls(self) -> NDArray[np.float64]:
        """Columns of the fitted game: ``z``, ``z`` times a polynomial of the size, and two polynomials of the size.

        They are those of :func:`compute_size_terms`; a complement has the same columns with the opposite sign.
        """
        slopes, curves = self._size_terms
        return np.concatenate([self.members, slopes[:, None] * self.members, curves], axis=1)

    @cached_property
    def _size_terms(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        slopes, curves = compute_size_terms(self.sizes, self.n_players)
        return _SIZE_SCALE * slopes, _SIZE_SCALE * curves

    @cached_property
    def _solver(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ridge regression on ``x = controls``: ``A⁻¹ xᵀ`` of shape (n_columns, n_pairs), and leverages."""
        x, z = self.controls, self.members
        ridge = self.prior * self.n_players * max((z**2).sum() / max(z.size, 1), 1e-12)
        if len(x) < x.shape[1]:
            solved = x.T @ np.linalg.inv(x @ x.T + ridge * np.eye(len(x)))
        else:
            solved = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T)
        return solved, np.einsum("np,pn->n", x, solved)

    def _fit_control(self, centred: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coefficients of the regression on all samples, and each sample's residual from the regression without it."""
        solved, leverages = self._solver
        fitted = solved @ centred
        return fitted, (centred - self.controls @ fitted) / (1.0 - leverages)[:, None]

    def _estimate_stratum(
        self,
        stratum: _Stratum,
        centred: NDArray[np.float64],
        fitted: NDArray[np.float64],
        left_out: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean of ``o z`` over a size, and its variance; each of shape (n_players, n_games).

        The mean over samples j of ``E[x · θ_j z] + (sum_{i≠j} e_ij z_i + (N - n + 1) e_jj z_j) / N``, with θ_j the regression
        without j and ``e_ij`` the residual of sample i from it: sample j represents all pairs that were not drawn.
        """
        z, x, residuals = self.members[stratum.rows], self.controls[stratum.rows], left_out[stratum.rows]
        n, population = len(z), stratum.population
        if n >= population:
            return z.T @ centred[stratum.rows] / n, np.zeros((self.n_players, centred.shape[1]))
        moved = self._solver[0][:, stratum.rows]  # the regression without j is fitted - moved_j residual_j
        sum_moved = moved @ residuals
        kept = z.T @ (centred[stratum.rows] - x @ fitted)
        own = np.einsum("np,pn->n", x, moved)
        others = (n - 1) * kept + z.T @ (x @ sum_moved) - z.T @ (own[:, None] * residuals)
        not_drawn = (population - n + 1) * (z.T @ residuals)
        linear, slopes = (fitted - sum_moved / n)[: 2 * self.n_players].reshape(2, self.n_players, -1)
        known = stratum.spread * (linear + self._size_terms[0][stratum.rows][0] * slopes)
        # The squares of each player's z are shrunk halfway to their mean over players, as few samples estimate them badly.
        squares = (z**2 + (z**2).mean(axis=1, keepdims=True)) / 2
        return known + (others + not_drawn) / (n * population), (1.0 - n / population) * (squares.T @ residuals**2) / n**2


@dataclass(frozen=True)
class _Stratum:
    """Samples of one size."""

    rows: slice
    size: int
    n_players: int
    population: float

    @property
    def factor(self) -> float:
        """Coefficient of this size's mean of ``o z`` in the Shapley values."""
        share = self.size / self.n_players
        return (1.0 if 2 * self.size == self.n_players else 2.0) / (self.n_players * share * (1 - share))

    @property
    def spread(self) -> float:
        """Eigenvalue of ``E[z zᵀ]`` on vectors of sum zero."""
        share = self.size / self.n_players
        return share * (1 - share) * self.n_players / (self.n_players - 1)


def compute_size_terms(sizes: NDArray[np.int64], n_players: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How slopes vary with the size of a coalition, ``P_2(s)``, and odd functions of it, ``P_3(s) - P_1(s), P_5(s) - P_3(s)``.

    ``P`` are Legendre polynomials and ``s = 1 - 2 |S| / d``. Shapes (n_coalitions,) and (n_coalitions, 2).

    Examples
    --------
    >>> slopes, curves = compute_size_terms(np.array([0, 1, 2, 4]), 4)
    >>> slopes.tolist(), (curves[:, 0] + 0.0).tolist()
    ([1.0, -0.125, -0.5, 1.0], [0.0, -0.9375, 0.0, 0.0])
    """
    s = 1.0 - 2.0 * sizes / n_players
    square = s**2
    ends = s * (square - 1.0)
    return (3.0 * square - 1.0) / 2.0, np.stack([2.5 * ends, 7.875 * ends * (square - 3.0 / 7.0)], axis=-1)


def count_pairs(n_players: int) -> NDArray[np.float64]:
    """Number of pairs of complementary coalitions by the smaller one's size, 0 … n_players // 2; 0 for size 0.

    Counts are limited to 1e60, a population that no sample exhausts, because those of 1 100 players overflow.

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


def count_least_coalitions(n_players: int) -> int:
    """Fewest coalitions an unbiased estimate needs: the empty and the full one, and a pair of each size.

    Examples
    --------
    >>> count_least_coalitions(10)
    12
    """
    return 2 + 2 * (n_players // 2)


def check_coalitions(n_coalitions: int, n_players: int, what: str) -> None:
    """Refuse fewer coalitions than :func:`count_least_coalitions`; ``what`` names the players in the message."""
    least = count_least_coalitions(n_players)
    check_at_least(n_coalitions, least, "n_coalitions", f"{n_players} {what} need a pair of each size")


def allocate_pairs(n_pairs: int, n_players: int) -> NDArray[np.int64]:
    """Number of pairs to draw of each size: proportional to ``1 / sqrt(k (d - k))``, at least one and at most all.

    This allocation minimises the variance if ``o`` has the same variance in every size, because the size's term is ``a_k``
    times a mean of standard deviation ``sqrt(p (1 - p))``.

    Raises ``ValueError`` if there is less than one pair per size.

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
    for _ in range(n_pairs - len(sizes)):  # the next pair goes to the size furthest below its proportion
        counts[1 + np.argmax(np.where(counts[1:] < populations[1:], wanted / counts[1:], 0.0))] += 1
    return counts


def sample_pairs(n_pairs: int, n_players: int, rng: np.random.Generator, prior: float = PRIOR_PAIRS) -> PairSample:
    """Random pairs of coalitions without replacement; all pairs if there are no more than ``n_pairs``.

    Parameters
    ----------
    n_pairs : int
        At least ``n_players // 2``.
    n_players : int
    rng : Generator
    prior : float
        As in :class:`PairSample`.
    """
    counts = allocate_pairs(n_pairs, n_players)
    populations = count_pairs(n_players)
    masks = [_draw_size(int(n), size, n_players, populations[size], rng) for size, n in enumerate(counts) if n]
    sizes = np.repeat(np.arange(len(counts)), counts)
    return PairSample(np.concatenate([np.zeros((0, n_players), dtype=bool), *masks]), sizes, populations, prior)


def _draw_size(n: int, size: int, n_players: int, population: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Distinct random coalitions of a size; where both of a pair have this size, the one that contains player 0."""
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
