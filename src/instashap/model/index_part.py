"""The index part of a model: functions of linear predictions of a column, made from the columns that are known.

Where the output bends in a column that others predict (a total and its parts), ``E[h(x_k) | x_R]`` is a function of one number,
the prediction ``z`` of x_k from the columns of R. An index holds in the coalitions that contain the players R and lack others:
the target k, which says more than its prediction, and the rest of its predictors, with which the prediction is another one. At
the full coalition, where k is present, the part is zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..game.credits import Index, compute_shares
from ..game.terms import PresenceSet, exclude_players
from ..table.bases import LocalBasis
from ..table.encoding import Encoded

# Of each column, its local bases; that of main effects is the first.
Bases = Sequence[Sequence[LocalBasis]] | Mapping[int, Sequence[LocalBasis]]
# Rows whose indices are looked up at once.
_BLOCK_ROWS = 4096


@dataclass(frozen=True)
class IndexPart:
    """``sum_j 1[R_j ⊆ S, A_j ∩ S = ∅] h_j(z_j)`` with ``z_j = w_j · s(x) + constant_j``, s the scores of the columns.

    Attributes
    ----------
    columns : tuple of int
        Columns that have a score, rising.
    scores : tuple of ndarray of shape (n_nodes,), float64
        The score of each, in the column's basis of main effects.
    present, absent : tuple of tuple of int
        Of each index, the players that must be present and those that must be absent.
    weights : ndarray of shape (n_indices, n_columns), float64
        Zero for columns of players that are not in ``present``.
    constants : ndarray of shape (n_indices,), float64
    nodes : ndarray of shape (n_indices, n_nodes), float64
        Where each function is known, rising; two equal nodes are a jump, the first of them its lower side.
    values : ndarray of shape (n_indices, n_nodes + 1, n_functions), float64
        Values there, linear in between and constant outside; the last for rows in which a column of the index is missing.
    """

    columns: tuple[int, ...]
    scores: tuple[NDArray[np.float64], ...] = field(repr=False)
    present: tuple[PresenceSet, ...]
    absent: tuple[PresenceSet, ...]
    weights: NDArray[np.float64] = field(repr=False)
    constants: NDArray[np.float64] = field(repr=False)
    nodes: NDArray[np.float64] = field(repr=False)
    values: NDArray[np.float64] = field(repr=False)

    def __len__(self) -> int:
        return len(self.constants)

    @property
    def presence_sets(self) -> list[PresenceSet]:
        """Presence set of each index, players that must be absent among them."""
        return [exclude_players(*each) for each in zip(self.present, self.absent, strict=True)]

    def evaluate(self, bases: Bases, encoded: Encoded) -> NDArray[np.float64]:
        """Values of the functions on rows, shape (n_rows, n_indices, n_functions)."""
        result = np.empty((len(encoded.cells), *self.values.shape[::2]))
        for start in range(0, len(result), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            self._evaluate(bases, encoded.cells[rows], encoded.offsets[rows], result[rows])
        return result

    def _evaluate(
        self,
        bases: Bases,
        cells: NDArray[np.int32],
        offsets: NDArray[np.float64],
        result: NDArray[np.float64],
    ) -> None:
        scores = np.empty((len(self.columns), len(cells)))
        is_missing = np.empty((len(self.columns), len(cells)), dtype=bool)
        for row, (column, score) in enumerate(zip(self.columns, self.scores, strict=True)):
            basis = bases[column][0]
            scores[row] = basis.combine(cells[:, column], offsets[:, column], score[:, None])[:, 0]
            is_missing[row] = cells[:, column] == len(basis.first) - 1
        has_missing = bool(is_missing.any())
        for number in range(len(self)):
            used = np.flatnonzero(self.weights[number])
            z = np.full(len(cells), self.constants[number])
            for place in used.tolist():  # column by column: the sum has the same bits however many rows there are
                z += self.weights[number, place] * scores[place]
            nodes, values = self.nodes[number], self.values[number]
            below = np.searchsorted(nodes[1:-1], z)
            low, high = nodes[below], nodes[below + 1]
            share = np.clip(np.divide(z - low, high - low, out=np.zeros_like(z), where=high > low), 0.0, 1.0)[:, None]
            result[:, number] = (1.0 - share) * values[below] + share * values[below + 1]
            if has_missing:
                result[is_missing[used].any(axis=0), number] = values[-1]

    def count_live(self, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Whether each index holds in coalitions of shape (..., n_players): 0 or 1, shape (..., n_indices)."""
        live = np.empty((*masks.shape[:-1], len(self)))
        for number, (present, absent) in enumerate(zip(self.present, self.absent, strict=True)):
            live[..., number] = masks[..., list(present)].all(axis=-1) & ~masks[..., list(absent)].any(axis=-1)
        return live

    def predict(self, bases: Bases, encoded: Encoded, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
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
        live = self.count_live(masks)
        values = self.evaluate(bases, encoded)
        found = np.einsum("nmi,nic->nmc", live.reshape(len(live), -1, len(self)), values)
        return np.asarray(found.reshape(*masks.shape[:-1], values.shape[2]))

    def share_out(self, index: Index, n_players: int) -> NDArray[np.float64]:
        """What each index's function adds to each player's value by an index of game theory, (n_indices, n_players).

        An index is the sum of components ``(-1)^|T|`` times its function, over the presence sets R ∪ T with T among the players
        that must be absent.
        """
        sets: list[PresenceSet] = []
        signs, owners = [], []
        for number, (present, absent) in enumerate(zip(self.present, self.absent, strict=True)):
            for size in range(len(absent) + 1):
                for more in combinations(absent, size):
                    sets.append(tuple(sorted((*present, *more))))
                    signs.append((-1.0) ** size)
                    owners.append(number)
        shares = compute_shares(index, sets, n_players) * np.array(signs)[:, None]
        total = np.zeros((len(self), n_players))
        np.add.at(total, np.array(owners, dtype=np.int64), shares)
        return total

    def weigh_component(self, players: PresenceSet) -> NDArray[np.float64]:
        """Sign with which each index's function is part of a component of the game, shape (n_indices,); 0 if it is not."""
        found = np.zeros(len(self))
        for number, (present, absent) in enumerate(zip(self.present, self.absent, strict=True)):
            if set(present) <= set(players) <= {*present, *absent}:
                found[number] = (-1.0) ** (len(players) - len(present))
        return found

    def list_components(self) -> list[tuple[PresenceSet, NDArray[np.float64]]]:
        """All sets of players with a component, and the signs of the functions in it; see :meth:`weigh_component`."""
        sets = {
            tuple(sorted((*present, *more)))
            for present, absent in zip(self.present, self.absent, strict=True)
            for size in range(len(absent) + 1)
            for more in combinations(absent, size)
        }
        return [(players, self.weigh_component(players)) for players in sorted(sets)]

    def combine(self, coefficients: NDArray[np.float64], means: NDArray[np.float64]) -> "IndexPart":
        """The part whose functions are combinations of these less their means.

        Parameters
        ----------
        coefficients : ndarray of shape (n_indices, n_functions, n_outputs), float64
        means : ndarray of shape (n_indices, n_functions), float64
        """
        return replace(self, values=(self.values - means[:, None]) @ coefficients)

    def spread(self, varying: Sequence[int]) -> "IndexPart":
        """The part of a fit's players as one of all features, of which those in ``varying`` are the fit's players."""
        present, absent = (
            tuple(tuple(varying[player] for player in each) for each in sets) for sets in (self.present, self.absent)
        )
        return replace(self, present=present, absent=absent)

    def shift(self, changes: NDArray[np.float64]) -> "IndexPart":
        """The part with constants of shape (n_indices, n_functions) added to its functions."""
        return replace(self, values=self.values + changes[:, None])


@dataclass(frozen=True)
class IndexLookup:
    """Sums of an index part's functions by slot.

    Attributes
    ----------
    part : IndexPart
    bases : sequence of sequence of LocalBasis
        Of each column, its local bases.
    shares : ndarray of shape (n_indices, n_slots), float64
    """

    part: IndexPart
    bases: Any = field(repr=False)
    shares: NDArray[np.float64]

    def apply(self, encoded: Encoded, totals: NDArray[np.float64]) -> None:
        """Add the sums of encoded rows to ``totals`` of shape (n_rows, n_slots, n_functions)."""
        for start in range(0, len(totals), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            values = self.part.evaluate(self.bases, encoded.take(rows))
            for number, shares in enumerate(self.shares):
                for slot in np.flatnonzero(shares):
                    totals[rows, slot] += shares[slot] * values[:, number]
