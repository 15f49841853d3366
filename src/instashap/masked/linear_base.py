"""The linear conditional base: the best linear prediction of the output from the players present, for every coalition at once.

``g_0(x; S) = a_S · z_S`` with ``a_S = C_SS⁻¹ r_S``, where z are the leading functions of the columns (scores: straight lines of
numbers, contrasts of levels), C their covariance shrunk towards its diagonal and r their covariance with the output. For the
linear part ``β·z`` of an output this is ``β · E[z | z_S]`` of Gaussian scores, whose presence order is that of all players. The
additive model is fitted to what the base leaves, in the same normal equations: a function B under the presence set R loses
``E_S 1[R ⊆ S] E[B g_0]`` of its right-hand side, which the moments of the value functions give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..game.orders import MAX_LISTED, CoalitionList, list_coalitions, sample_orders
from ..game.terms import PresenceSet
from ..linear.subsets import solve_prefixes, solve_subsets
from .design import ValueFunctions
from .moments import CentredMoments
from .problem import MaskedProblem

# Orders that are sampled of more players than are listed; with fewer than the minimum their mean is too noisy.
_N_ORDERS, _MIN_ORDERS = 200, 64
# Most slopes (coalitions × scores × outputs) in memory, and the most work (orders or coalitions × cube of the scores): half a
# second.
_MAX_SLOPES, _MAX_WORK = 4_000_000, 300_000_000
# Numbers held at once while presence sets are looked for in coalitions.
_BLOCK_NUMBERS = 2**22
# Variance below which a score does not vary but for rounding; among all rows of a fit it is one.
_STILL = 1e-12


@dataclass(frozen=True)
class BaseSetting:
    """Strengths of a linear base.

    Attributes
    ----------
    rank : int
        Functions of a column up to this rank are its scores.
    shrinkage : float
        Share of the covariances between scores that is dropped.
    weight : float
        Factor on the base.
    """

    rank: int = 1
    shrinkage: float = 0.01
    weight: float = 1.0


def choose_scores(functions: ValueFunctions, rank: int) -> NDArray[np.int64]:
    """Positions of the main effects' functions up to a rank."""
    return np.flatnonzero((functions.sizes == 1) & (functions.ranks <= rank))


def make_coalitions(size_law: NDArray[np.float64], cross: NDArray[np.float64], players: NDArray[np.int64]) -> CoalitionList:
    """All coalitions of up to 12 players, else those of sampled orders.

    The orders do not depend on how columns are numbered: players are drawn by the size of their covariance with the outputs.

    Parameters
    ----------
    size_law : ndarray of shape (n_players + 1,), float64
    cross : ndarray of shape (n_scores, n_outputs), float64
    players : ndarray of shape (n_scores,), int64
    """
    n_players = len(size_law) - 1
    if n_players <= MAX_LISTED:
        return list_coalitions(size_law)
    sizes = np.bincount(players, weights=(cross**2).sum(axis=1), minlength=n_players)
    ranks = np.argsort(np.argsort(-sizes, kind="stable"))
    return sample_orders(size_law, max(_count_orders(n_players, cross.shape), 2), ranks)


def _count_orders(n_players: int, shape: tuple[int, ...]) -> int:
    """Orders that memory and time allow for so many scores and outputs; even."""
    most = min(_MAX_SLOPES / (n_players * shape[0] * shape[1]), _MAX_WORK / shape[0] ** 3, _N_ORDERS)
    return int(most) // 2 * 2


def is_affordable(n_players: int, n_scores: int, n_outputs: int) -> bool:
    """Whether a base of so many scores can be averaged over coalitions well enough in reasonable time."""
    if n_players <= MAX_LISTED:
        n_coalitions = 1 << n_players
        return n_coalitions * n_scores**3 <= _MAX_WORK and n_coalitions * n_scores * n_outputs <= _MAX_SLOPES
    return _count_orders(n_players, (n_scores, n_outputs)) >= _MIN_ORDERS


def find_players(problem: MaskedProblem, scores: NDArray[np.int64]) -> NDArray[np.int64]:
    """Player of each score, shape (n_scores,)."""
    own = np.full(problem.n_functions, -1)
    is_own = ~problem.is_extra
    own[problem.functions[is_own]] = problem.presence[is_own]
    return np.array([problem.presence_sets[own[score]][0] for score in scores], dtype=np.int64)


def compute_slopes(
    covariance: NDArray[np.float64], cross: NDArray[np.float64], players: NDArray[np.int64], listed: CoalitionList
) -> NDArray[np.float64]:
    """``a_S`` of each coalition, zero for absent scores: shape (n_coalitions, n_scores, n_outputs).

    Parameters
    ----------
    covariance : ndarray of shape (n_scores, n_scores), float64
    cross : ndarray of shape (n_scores, n_outputs), float64
    players : ndarray of shape (n_scores,), int64
    listed : CoalitionList
    """
    if not len(listed.orders):
        return solve_subsets(covariance, cross, listed.masks[:, players])
    by_player = [np.flatnonzero(players == player) for player in range(listed.masks.shape[1])]
    counts = np.array([len(each) for each in by_player])
    slopes = np.zeros((len(listed.masks), *cross.shape))
    inner = slopes[1:-1].reshape(len(listed.orders), -1, *cross.shape)
    step = max(_BLOCK_NUMBERS // (len(players) * cross.size), 1)
    for start in range(0, len(listed.orders), step):
        orders = listed.orders[start : start + step]
        sequences = np.stack([np.concatenate([by_player[player] for player in order]) for order in orders])
        found = solve_prefixes(covariance, cross, sequences)
        ends = np.cumsum(counts[orders], axis=1)[:, :-1]  # scores of the first one, two, … players
        taken = np.take_along_axis(found, np.maximum(ends - 1, 0)[:, :, None, None], axis=1)
        inner[start : start + step] = np.where(ends[:, :, None, None] > 0, taken, 0.0)
    slopes[-1] = solve_subsets(covariance, cross, np.ones((1, len(players)), dtype=bool))[0]
    return slopes


def _make_definite(covariance: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """The matrix itself, or near correlations that are definite where rounding of very unequal weights left these not so.

    Parameters
    ----------
    covariance : ndarray of shape (n_scores, n_scores), float64
    least : float
        Least eigenvalue of the correlations, as shrinking leaves it.
    """
    spreads = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(spreads, spreads))
    if values[0] >= 0.5 * least:
        return covariance
    repaired = (vectors * np.maximum(values, least)) @ vectors.T
    spreads = spreads / np.sqrt(np.diag(repaired))
    return np.asarray(repaired * np.outer(spreads, spreads))


@dataclass(frozen=True)
class LinearBase:
    """The base of some rows: its slopes, averaged over coalitions.

    Attributes
    ----------
    scores : ndarray of shape (n_scores,), int64
        Their positions among the value functions.
    players : ndarray of shape (n_scores,), int64
    covariance : ndarray of shape (n_scores, n_scores), float64
        Shrunk.
    cross : ndarray of shape (n_scores, n_outputs), float64
        Times the base's weight.
    credits : ndarray of shape (n_players, n_scores, n_outputs), float64
        What each score adds to each player's Shapley value.
    means : ndarray of shape (n_presence_sets, n_scores, n_outputs), float64
        ``E_S 1[R ⊆ S] a_S`` of each presence set of a problem; of tied ones by their count.
    mean : ndarray of shape (n_scores, n_outputs), float64
        ``E_S a_S``.
    second : ndarray of shape (n_outputs, n_scores, n_scores), float64
        ``E_S a_S a_Sᵀ``.
    """

    scores: NDArray[np.int64]
    players: NDArray[np.int64]
    covariance: NDArray[np.float64] = field(repr=False)
    cross: NDArray[np.float64] = field(repr=False)
    credits: NDArray[np.float64] = field(repr=False)
    means: NDArray[np.float64] = field(repr=False)
    mean: NDArray[np.float64] = field(repr=False)
    second: NDArray[np.float64] = field(repr=False)

    @classmethod
    def from_moments(
        cls,
        setting: BaseSetting,
        scores: NDArray[np.int64],
        players: NDArray[np.int64],
        moments: tuple[NDArray[np.float64], NDArray[np.float64]],
        listed: CoalitionList,
        presence_sets: Sequence[PresenceSet] = (),
    ) -> LinearBase:
        """The base of centred moments ``G`` and ``r`` of all value functions, for a problem's presence sets."""
        gram, cross = moments
        own = gram[np.ix_(scores, scores)]
        covariance = (1.0 - setting.shrinkage) * (own + own.T) / 2
        np.fill_diagonal(covariance, np.diag(own))
        cross = setting.weight * cross[scores]
        # Scores that do not vary on the rows that were not held out have no slope; their equation reads x = 0.
        still = np.diag(own) <= _STILL * np.diag(own).max(initial=1.0)
        covariance[still], covariance[:, still], cross[still] = 0.0, 0.0, 0.0
        covariance[still, still] = 1.0
        covariance = _make_definite(covariance, setting.shrinkage)
        slopes = compute_slopes(covariance, cross, players, listed)
        weighted = slopes * listed.masses[:, None, None]
        second = np.stack([slopes[:, :, each].T @ weighted[:, :, each] for each in range(cross.shape[1])])
        credits = np.tensordot(listed.shares.T, slopes, axes=1)
        means = listed.average(presence_sets, slopes.reshape(len(slopes), -1)).reshape(-1, *cross.shape)
        return cls(scores, players, covariance, cross, credits, means, weighted.sum(axis=0), second)

    @property
    def full_slopes(self) -> NDArray[np.float64]:
        """Slopes at the full coalition, shape (n_scores, n_outputs)."""
        return np.asarray(self.credits.sum(axis=0))

    def weigh_target(self, problem: MaskedProblem, gram: NDArray[np.float64]) -> NDArray[np.float64]:
        """``E_S 1[R ⊆ S] E[B g_0]`` of each unknown: what its right-hand side loses, shape (n_unknowns, n_outputs)."""
        block = gram[:, self.scores]
        result = np.empty((len(problem), self.cross.shape[1]))
        step = max(_BLOCK_NUMBERS // max(self.cross.size, 1), 1)
        for start in range(0, len(problem), step):
            unknowns = slice(start, start + step)
            means = self.means[problem.presence[unknowns]]
            result[unknowns] = np.einsum("us,usc->uc", block[problem.functions[unknowns]], means)
        return result

    def lower_risk(
        self, gram: NDArray[np.float64], cross: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """By how much the base alone lowers the masked risk and that at the full coalition on some rows; each (n_outputs,)."""
        own, target, full = gram[np.ix_(self.scores, self.scores)], cross[self.scores], self.full_slopes
        masked = 2.0 * (self.mean * target).sum(axis=0) - (self.second * own).sum(axis=(1, 2))
        return masked, 2.0 * (full * target).sum(axis=0) - (full * (own @ full)).sum(axis=0)


def remake_base(
    problem: MaskedProblem, base: LinearBase | None, setting: BaseSetting | None, moments: CentredMoments
) -> LinearBase | None:
    """The base of other rows with the same scores, strengths and coalitions; None for none."""
    if base is None or setting is None:
        return None
    gram, cross, _ = moments.around(moments)
    listed = problem.coalitions or make_coalitions(problem.size_law, base.cross, base.players)
    return LinearBase.from_moments(setting, base.scores, base.players, (gram, cross), listed, problem.presence_sets)
