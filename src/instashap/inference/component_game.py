"""Games that are quadratic in a fitted game: the variance or the loss that is explained where some features are known.

``v(S) = E g(x; S)²`` about the mean, or ``2 E[(y - b) g] - E g²`` with labels. Here
``g(x; S) = sum_R n_R(S) h_R(x) + a_S · z(x)`` is the fitted game without its base value b. Second moments of the components h
and of the scores z of a linear part are all that is needed; they come from the moments of a fit, without a pass over rows, or
from rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .._errors import TooLargeError
from ..game.coalitions import enumerate_coalitions
from ..game.exact import compute_mobius_transform
from ..game.orders import MAX_LISTED, CoalitionList
from ..game.quadratic import evaluate_quadratic, share_quadratic, share_quadratic_pairs
from ..game.terms import PresenceSet, count_live
from ..linear.subsets import solve_subsets
from ..masked.fitter import FitResult
from ..masked.linear_base import LinearBase, compute_slopes, make_coalitions
from ..masked.moments import CentredMoments

# Presence sets whose products fit in memory: 512 MB.
MAX_SETS = 8_000
# Numbers held at once while a linear part is multiplied with the components.
_BLOCK_NUMBERS = 2**22


@dataclass(frozen=True)
class LinearMoments:
    """The linear part of a component game, ``2 n(S)ᵀ coupling a_S + a_Sᵀ gram a_S``.

    Attributes
    ----------
    players : ndarray of shape (n_scores,), int64
    covariance : ndarray of shape (n_scores, n_scores), float64
    cross : ndarray of shape (n_scores,), float64
        Slopes solve ``covariance_SS a_S = cross_S``.
    coupling : ndarray of shape (n_presence_sets, n_scores), float64
        Moments of components and scores, with the sign of the game.
    gram : ndarray of shape (n_scores, n_scores), float64
        Moments of the scores, with the sign of the game.
    """

    players: NDArray[np.int64]
    covariance: NDArray[np.float64] = field(repr=False)
    cross: NDArray[np.float64] = field(repr=False)
    coupling: NDArray[np.float64] = field(repr=False)
    gram: NDArray[np.float64] = field(repr=False)


@dataclass(frozen=True)
class ComponentGame:
    """``v(S) = n(S)ᵀ Q n(S)`` and what a linear part adds; of one output.

    Attributes
    ----------
    presence_sets : tuple of presence sets
        The empty one first, which always counts.
    matrix : ndarray of shape (n_presence_sets, n_presence_sets), float64
    n_players : int
    linear : LinearMoments or None
    """

    presence_sets: tuple[PresenceSet, ...]
    matrix: NDArray[np.float64] = field(repr=False)
    n_players: int
    linear: LinearMoments | None = None

    def list_coalitions(self) -> CoalitionList | None:
        """Coalitions over which the linear part is shared out: all of up to 12 players, else those of sampled orders."""
        if self.linear is None:
            return None
        law = np.ones(self.n_players + 1)  # what coalitions weigh in a fit does not matter here
        return make_coalitions(law, self.linear.cross[:, None], self.linear.players)

    def evaluate(self, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """v of some coalitions, shape (n_coalitions,)."""
        values = evaluate_quadratic(self.presence_sets, self.matrix, masks)
        if self.linear is None:
            return values
        slopes = solve_subsets(self.linear.covariance, self.linear.cross[:, None], masks[:, self.linear.players])
        return np.asarray(values + self._evaluate_linear(masks, slopes[:, :, 0]))

    def share(self, listed: CoalitionList | None) -> NDArray[np.float64]:
        """Shapley values of v, shape (n_players,); exact but for the linear part of more than 12 players."""
        values = share_quadratic(self.presence_sets, self.matrix, self.n_players)
        return values if listed is None else values + listed.shares.T @ self._list_linear(listed)

    def share_pairs(self, listed: CoalitionList | None) -> NDArray[np.float64]:
        """Shapley interaction indices of v, shape (n_players, n_players).

        Raises ``ValueError`` for a linear part of more than 12 players.
        """
        values = share_quadratic_pairs(self.presence_sets, self.matrix, self.n_players)
        if listed is None:
            return values
        if self.n_players > MAX_LISTED:
            raise ValueError(
                f"the importance of pairs is known for up to {MAX_LISTED} features if the model has a linear part, and this "
                f"one has {self.n_players}; presence_order=3 fits a model without one"
            )
        components = compute_mobius_transform(self._list_linear(listed))
        members = enumerate_coalitions(self.n_players).astype(np.float64)
        weights = components / np.maximum(members.sum(axis=1) - 1.0, 1.0)
        pairs = members.T @ (weights[:, None] * members)
        np.fill_diagonal(pairs, 0.0)
        return np.asarray(values + pairs)

    def measure_sampling(self, listed: CoalitionList | None) -> NDArray[np.float64]:
        """Standard errors of :meth:`share` from the orders that were sampled, shape (n_players,); 0 where none were."""
        if listed is None:
            return np.zeros(self.n_players)
        return listed.measure_error(self._list_linear(listed))

    def _list_linear(self, listed: CoalitionList) -> NDArray[np.float64]:
        assert self.linear is not None
        slopes = compute_slopes(self.linear.covariance, self.linear.cross[:, None], self.linear.players, listed)
        return self._evaluate_linear(listed.masks, slopes[:, :, 0])

    def _evaluate_linear(self, masks: NDArray[np.bool_], slopes: NDArray[np.float64]) -> NDArray[np.float64]:
        assert self.linear is not None
        values = np.empty(len(masks))
        step = max(_BLOCK_NUMBERS // len(self.presence_sets), 1)
        for start in range(0, len(masks), step):
            block = slice(start, start + step)
            live = count_live(self.presence_sets, masks[block])
            weights = 2.0 * (live @ self.linear.coupling) + slopes[block] @ self.linear.gram
            values[block] = (weights * slopes[block]).sum(axis=1)
        return values


def make_variance_game(
    result: FitResult,
    coefficients: NDArray[np.float64],
    moments: CentredMoments,
    base: LinearBase | None,
    output: int,
    *,
    by_outputs: bool = False,
) -> ComponentGame:
    """The variance of a fit's game over the rows that were summed: no pass over rows.

    Parameters
    ----------
    result : FitResult
        Its functions and presence sets; players are those that vary.
    coefficients : ndarray of shape (n_unknowns, n_outputs), float64
    moments : CentredMoments
        Of the fit's functions.
    base : LinearBase or None
    output : int
    by_outputs : bool
        ``2 Cov(f, g(x; S)) - Var g(x; S)`` instead, by how much the game lowers the mean squared error of predicting the output
        f: the same variance if the game is that of exact conditional means, and its error is of second order otherwise.
    """
    problem = result.solved.problem
    check_n_sets(len(problem.presence_sets))
    shape = (1 + len(problem.presence_sets), problem.n_functions)  # the empty set first
    parts = csr_array((coefficients[:, output], (1 + problem.presence, problem.functions)), shape=shape)
    gram = moments.scatter / moments.weight
    shared = parts @ gram
    linear = None
    if base is not None:
        linear = LinearMoments(
            base.players,
            base.covariance,
            base.cross[:, output],
            shared[:, base.scores],
            gram[np.ix_(base.scores, base.scores)],
        )
    matrix = np.asarray(parts @ shared.T)
    if by_outputs:
        matrix = -matrix
        matrix[0] = matrix[:, 0] = parts @ (moments.cross[:, output] / moments.weight)
        if base is not None and linear is not None:
            coupling = -linear.coupling
            coupling[0] = moments.cross[base.scores, output] / moments.weight
            linear = replace(linear, coupling=coupling, gram=-linear.gram)
    return ComponentGame(((), *problem.presence_sets), (matrix + matrix.T) / 2, len(problem.size_law) - 1, linear)


def check_n_sets(n_sets: int) -> None:
    """Raise ``TooLargeError`` if the products of so many presence sets would not fit in memory."""
    if n_sets > MAX_SETS:
        raise TooLargeError(
            f"importance multiplies every two presence sets, and this fit has {n_sets:,}; its limit is {MAX_SETS:,}: fit with "
            "fewer interactions (interactions=50) or presence_order=2"
        )
