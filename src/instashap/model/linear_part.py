"""The linear conditional part of a model: the best linear prediction of the output from the players present.

Presence sets of a few players cannot follow a conditional mean that draws on twenty columns. A linear function of the columns
can: its coefficients in a coalition S solve ``C_SS a_S = r_S``, one system a coalition, and its Shapley values are one matrix.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..game.coalitions import enumerate_coalitions
from ..game.credits import Index, compute_shares
from ..game.exact import compute_mobius_transform
from ..game.grouping import group_masks
from ..game.orders import MAX_LISTED
from ..game.shapley import Shapley
from ..game.terms import PresenceSet
from ..linear.subsets import solve_subsets
from ..table.bases import LocalBasis
from ..table.encoding import Encoded
from .lookup import LookupTerm, make_lookup


@dataclass(frozen=True)
class LinearPart:
    """``g_0(x; S) = a_S · z_S``, with scores z of the columns and ``a_S = C_SS⁻¹ r_S``.

    Attributes
    ----------
    columns : tuple of int
        Columns that have scores, rising.
    tables : tuple of ndarray of shape (n_nodes, n_scores_of_column), float64
        The scores of each, in the column's basis of main effects; of mean zero on the rows of the fit.
    players : ndarray of shape (n_scores,), int64
        Player of each score; the scores of the first column come first.
    covariance : ndarray of shape (n_scores, n_scores), float64
        C, positive definite.
    cross : ndarray of shape (n_scores, n_outputs), float64
        r.
    credits : ndarray of shape (n_players, n_scores, n_outputs), float64
        What each score adds to each player's Shapley value: exact for up to 12 players, else the mean of ``a_{S+i} - a_S``
        over sampled orders of the players. Summed over players they are the slopes at the full coalition.
    """

    columns: tuple[int, ...]
    tables: tuple[NDArray[np.float64], ...] = field(repr=False)
    players: NDArray[np.int64]
    covariance: NDArray[np.float64] = field(repr=False)
    cross: NDArray[np.float64] = field(repr=False)
    credits: NDArray[np.float64] = field(repr=False)

    def scale(self, unit: float) -> "LinearPart":
        """The part of outputs multiplied by a number."""
        return replace(self, cross=self.cross * unit, credits=self.credits * unit)

    @property
    def full_slopes(self) -> NDArray[np.float64]:
        """Slopes at the full coalition, shape (n_scores, n_outputs)."""
        return np.asarray(self.credits.sum(axis=0))

    def iterate_columns(self) -> Iterator[tuple[int, slice, NDArray[np.float64]]]:
        """Each column with scores, the places of these, and its table."""
        for start, column, table in zip(self._starts, self.columns, self.tables, strict=True):
            yield column, slice(start, start + table.shape[1]), table

    def get_shape(self, column: int) -> NDArray[np.float64] | float:
        """What a column's scores add to its shape function, shape (n_nodes, n_outputs); 0 for a column without scores."""
        found = (table @ self.full_slopes[scores] for each, scores, table in self.iterate_columns() if each == column)
        return next(found, 0.0)

    def list_terms(self, weights: NDArray[np.float64]) -> list[LookupTerm]:
        """Terms of a look-up that add the scores times weights of shape (n_slots, n_scores, n_outputs)."""
        n_slots, n_scores, n_outputs = weights.shape
        flat = weights.transpose(1, 0, 2).reshape(n_scores, n_slots * n_outputs)
        terms = []
        for column, scores, table in self.iterate_columns():
            rows = flat[scores]
            slots = [np.flatnonzero(row) for row in rows]
            shares = [row[used] for row, used in zip(rows, slots, strict=True)]
            terms.append(LookupTerm((column,), table, slots, shares))
        return terms

    def predict(
        self, bases: Sequence[Sequence[LocalBasis]], encoded: Encoded, masks: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Values in some coalitions.

        Parameters
        ----------
        bases : of each column, its local bases
        encoded : Encoded
        masks : ndarray of shape (n_rows, ..., n_players), bool
            True = present.

        Returns
        -------
        ndarray of shape (n_rows, ..., n_outputs), float64
        """
        scores = self.look_up_scores(bases, encoded)
        inside = masks[..., self.players].reshape(len(scores), -1, len(self.players))
        groups = group_masks(inside.reshape(-1, len(self.players)))
        values = np.empty((*inside.shape[:2], self.cross.shape[1]))
        flat = values.reshape(-1, self.cross.shape[1])
        for first in range(0, len(groups), _BLOCK_MASKS):
            block = groups[first : first + _BLOCK_MASKS]
            slopes = solve_subsets(self.covariance, self.cross, np.stack([mask for mask, _ in block]))
            for each, (_, places) in zip(slopes, block, strict=True):
                flat[places] = scores[places // inside.shape[1]] @ each
        return values.reshape(*masks.shape[:-1], self.cross.shape[1])

    def share_out(self, index: Index) -> NDArray[np.float64]:
        """What each score adds to each player's value by an index, shape (n_players, n_scores, n_outputs).

        Raises ``ValueError`` for another index than Shapley's if more than 12 players have scores.
        """
        if type(index) is Shapley:
            return self.credits
        owners = np.unique(self.players)
        if len(owners) > MAX_LISTED:
            raise ValueError(
                f"values by another index than Shapley's are known for up to {MAX_LISTED} features if the model has a linear "
                f"part, and this one has {len(owners)}; presence_order=3 fits a model without one"
            )
        members = enumerate_coalitions(len(owners))
        slopes = solve_subsets(self.covariance, self.cross, members[:, np.searchsorted(owners, self.players)])
        components = compute_mobius_transform(slopes.reshape(len(members), -1))[1:]
        presence_sets = [tuple(int(player) for player in owners[mask]) for mask in members[1:]]
        shares = compute_shares(index, presence_sets, len(self.credits))
        return np.asarray((shares.T @ components).reshape(len(self.credits), *self.cross.shape))

    def compute_mobius(self, players: PresenceSet) -> NDArray[np.float64]:
        """Weights of the scores in one component of the game: ``sum_{A ⊆ R} (-1)^(|R| - |A|) a_A``, (n_scores, n_outputs).

        Raises ``ValueError`` for more than 12 players: the sum has too many parts.
        """
        if len(players) > _MAX_MOBIUS:
            raise ValueError(
                f"a component of {len(players)} features was asked for; with a linear part, components of up to {_MAX_MOBIUS} "
                "features can be computed"
            )
        own = np.flatnonzero(np.isin(self.players, players))
        subsets = [each for size in range(len(players) + 1) for each in combinations(players, size)]
        inside = np.stack([np.isin(self.players[own], each) for each in subsets])
        signs = np.array([(-1.0) ** (len(players) - len(each)) for each in subsets])
        weights = np.zeros_like(self.cross)
        slopes = solve_subsets(self.covariance[np.ix_(own, own)], self.cross[own], inside)
        weights[own] = np.tensordot(signs, slopes, axes=1)
        return weights

    def look_up_scores(self, bases: Sequence[Sequence[LocalBasis]], encoded: Encoded) -> NDArray[np.float64]:
        """Scores of rows, shape (n_rows, n_scores)."""
        n_scores = len(self.players)
        terms = self.list_terms(np.eye(n_scores)[:, :, None])
        return make_lookup(bases, terms, n_scores, 1).apply(encoded)[:, :, 0]

    def spread(self, varying: Sequence[int], n_players: int) -> "LinearPart":
        """The part of a fit's players as one of all features, of which those in ``varying`` are the fit's players."""
        credits = np.zeros((n_players, *self.credits.shape[1:]))
        credits[list(varying)] = self.credits
        return replace(self, players=np.array(varying, dtype=np.int64)[self.players], credits=credits)

    @property
    def _starts(self) -> NDArray[np.int64]:
        """Place of each column's first score."""
        return np.concatenate([[0], np.cumsum([table.shape[1] for table in self.tables])[:-1]]).astype(np.int64)


# Coalitions whose slopes are solved for at once, and players of a component at most.
_BLOCK_MASKS = 1024
_MAX_MOBIUS = 12


@dataclass(frozen=True)
class LinearDeviations:
    """Scaled jackknife deviations of a linear part's credits; see :class:`instashap.model.deviations.Deviations`.

    Attributes
    ----------
    credits : ndarray of shape (n_players, n_scores, n_outputs · n_groups)
        Players are those that vary.
    constants : ndarray of shape (n_players, n_scores, n_outputs · n_groups)
        Leaving rows out also moves the means of the scores.
    """

    credits: NDArray[Any] = field(repr=False)
    constants: NDArray[Any] = field(repr=False)

    def astype(self, kind: Any) -> "LinearDeviations":
        """The same numbers in another precision, in the order in which a file holds them: sums then have the same bits."""
        return LinearDeviations(
            np.ascontiguousarray(self.credits, dtype=kind), np.ascontiguousarray(self.constants, dtype=kind)
        )

    def share_by_player(self, part: LinearPart, is_player: NDArray[np.bool_]) -> tuple[list[LookupTerm], NDArray[np.float64]]:
        """Terms and constants of a look-up with a slot for each of all players."""
        spread = np.zeros((len(is_player), *self.credits.shape[1:]))
        constants = np.zeros((len(is_player), self.credits.shape[2]))
        spread[is_player], constants[is_player] = self.credits, self.constants.sum(axis=1)
        return part.list_terms(spread), constants

    def share_by_column(
        self, part: LinearPart, slots: Mapping[int, int], n_slots: int
    ) -> tuple[list[LookupTerm], NDArray[np.float64]]:
        """The same with the full coalition's deviations of each column's scores in its slot."""
        slopes, constants = self.credits.sum(axis=0), self.constants.sum(axis=0)
        places = np.array([slots[column] for column, table in zip(part.columns, part.tables, strict=True) for _ in table.T])
        is_own = places == np.arange(n_slots)[:, None]
        return part.list_terms(is_own[:, :, None] * slopes), is_own.astype(np.float64) @ constants
