"""The fitted model: frozen value tables, and everything read from them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..game.credits import compute_shapley_shares
from ..game.terms import PresenceSet, ValueSet, make_presence_masks
from ..table.bases import LocalBasis
from ..table.encoding import Encoded
from .lookup import Lookup, make_lookup


@dataclass(frozen=True)
class AdditiveModel:
    """``g(x; S) = base_value + sum_U sum_{R ⊇ U} 1[R ⊆ S] psi_{U,R}(x_U)`` as tables.

    Attributes
    ----------
    bases : tuple of tuple of LocalBasis
        Of each column, its bases for terms of one, two and three columns.
    value_sets : tuple of tuple of int
        Columns each shape function reads.
    presence_sets : tuple of tuple of tuple of int
        Of each value set, the presence sets of players its parts need.
    tables : tuple of ndarray of shape (n_nodes_1, …, n_presence_sets, n_outputs), float64
        Coefficients of each part in the local bases.
    base_value : ndarray of shape (n_outputs,), float64
        Weighted mean output.
    n_players : int
    """

    bases: tuple[tuple[LocalBasis, ...], ...]
    value_sets: tuple[ValueSet, ...]
    presence_sets: tuple[tuple[PresenceSet, ...], ...]
    tables: tuple[NDArray[np.float64], ...] = field(repr=False)
    base_value: NDArray[np.float64]
    n_players: int

    @property
    def n_outputs(self) -> int:
        return len(self.base_value)

    @cached_property
    def prediction(self) -> Lookup:
        """Look-up of the sum of all shape functions (without the base value)."""
        return self._make(self._merged_tables(), [(0,)] * len(self.tables), 1)

    @cached_property
    def effects(self) -> Lookup:
        """Look-up of each shape function ``phi_U = sum_R psi_{U,R}``; slots are value sets."""
        return self._make(self._merged_tables(), [(term,) for term in range(len(self.tables))], max(len(self.tables), 1))

    @cached_property
    def credits(self) -> Lookup:
        """Look-up of Shapley values: ``sum_U sum_{R ∋ i} psi_{U,R} / |R|``; slots are players."""
        tables, slots = [], []
        for table, presence in zip(self.tables, self.presence_sets, strict=True):
            shares = compute_shapley_shares(presence, self.n_players)
            owed = np.flatnonzero(shares.any(axis=0))
            if 2 * len(owed) > self.n_players:  # nearly every player: contiguous sums are faster than scattered ones
                owed = np.arange(self.n_players)
            tables.append(np.einsum("...rc,rp->...pc", table, shares[:, owed]))
            slots.append(tuple(owed.tolist()))
        return self._make(tables, slots, self.n_players)

    def make_mobius_lookup(self, players: PresenceSet) -> Lookup:
        """Look-up of one component of the game: ``h_R = sum_{U ⊆ R} psi_{U,R}`` for R = players."""
        picked = [
            (values, table[..., [presence.index(players)], :])
            for values, presence, table in zip(self.value_sets, self.presence_sets, self.tables, strict=True)
            if players in presence
        ]
        sets = [values for values, _ in picked]
        return make_lookup(self.bases, sets, [table for _, table in picked], [(0,)] * len(sets), 1, self.n_outputs)

    def predict(self, encoded: Encoded, masks: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Model output with the players of ``masks`` present; shape (n_rows, n_outputs).

        Parameters
        ----------
        encoded : Encoded
        masks : ndarray of shape (n_rows, n_players), bool, optional
            True = present. Default: the full coalition.
        """
        if masks is None:
            return self.base_value + self.prediction.apply(encoded)[:, 0]
        total = np.tile(self.base_value, (len(encoded.cells), 1))
        for term in range(len(self.tables)):
            members = make_presence_masks(self.presence_sets[term], self.n_players)
            is_live = ~((~masks[:, None, :]) & members[None]).any(axis=2)  # (n_rows, n_presence_sets)
            total += np.einsum("nr,nrc->nc", is_live, self._evaluate_parts(term, encoded))
        return total

    def _evaluate_parts(self, term: int, encoded: Encoded) -> NDArray[np.float64]:
        """Values of each part ``psi_{U,R}``, shape (n_rows, n_presence_sets, n_outputs)."""
        n_parts = len(self.presence_sets[term])
        lookup = make_lookup(
            self.bases, [self.value_sets[term]], [self.tables[term]], [tuple(range(n_parts))], n_parts, self.n_outputs
        )
        return lookup.apply(encoded)

    def _merged_tables(self) -> list[NDArray[np.float64]]:
        return [table.sum(axis=-2, keepdims=True) for table in self.tables]

    def _make(self, tables: Sequence[NDArray[np.float64]], slots: Sequence[Sequence[int]], n_slots: int) -> Lookup:
        return make_lookup(self.bases, self.value_sets, tables, slots, n_slots, self.n_outputs)

    def __getstate__(self) -> dict[str, Any]:
        """Look-ups are made again after unpickling: files and messages carry the tables alone."""
        cached = ("prediction", "effects", "credits")
        return {name: value for name, value in self.__dict__.items() if name not in cached}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
