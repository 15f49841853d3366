"""The fitted model: immutable value tables, and the look-ups made from them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..game.credits import Index, Shares
from ..game.shapley import Shapley
from ..game.terms import PresenceSet, ValueSet, count_live, stands_for
from ..table.bases import LocalBasis
from ..table.encoding import Encoded
from .index_part import IndexLookup, IndexPart
from .linear_part import LinearPart
from .lookup import Lookup, LookupTerm, make_lookup

_SHAPLEY = Shapley()


@dataclass(frozen=True)
class AdditiveModel:
    """``g(x; S) = base_value + sum_U sum_{R ⊇ U} 1[R ⊆ S] psi_{U,R}(x_U)`` as tables.

    The parts under larger presence sets are combinations of a few smooth functions, so each value set keeps one table of
    ``n_parts`` functions and a small mixing array: ``psi_{U,R,output} = sum_p mixing[p, R, output] table_p``. A model may have
    a linear part besides, whose presence sets are all there are (:class:`instashap.model.linear_part.LinearPart`), and an
    index part, of linear predictions of its columns (:class:`instashap.model.index_part.IndexPart`).

    Attributes
    ----------
    bases : tuple of tuple of LocalBasis
        For each column, its bases for terms of one, two and three columns.
    value_sets : tuple of tuple of int
        Columns each shape function reads.
    presence_sets : tuple of tuple of tuple of int
        For each value set, the presence sets of its parts: the players that must be present. A tied set (see
        :data:`instashap.game.terms.ANY`) counts once for each of the sets it stands for that is present.
    tables : tuple of ndarray of shape (n_nodes_1, …, n_parts), float64
        Functions in the local bases.
    mixings : tuple of ndarray of shape (n_parts, n_presence_sets, n_outputs), float64
    base_value : ndarray of shape (n_outputs,), float64
        Weighted mean output in the conditional game, ``F(x; ∅)`` in others.
    n_players : int
    null_players : tuple of int
        Players without terms. The places of tied sets do not stand for them either, so their Shapley values are 0.
    linear : LinearPart or None
        At the full coalition it belongs to the shape functions of single columns.
    index : IndexPart or None
        At the full coalition it is zero.
    """

    bases: tuple[tuple[LocalBasis, ...], ...]
    value_sets: tuple[ValueSet, ...]
    presence_sets: tuple[tuple[PresenceSet, ...], ...]
    tables: tuple[NDArray[np.float64], ...] = field(repr=False)
    mixings: tuple[NDArray[np.float64], ...] = field(repr=False)
    base_value: NDArray[np.float64]
    n_players: int
    null_players: tuple[int, ...] = ()
    linear: LinearPart | None = field(default=None, repr=False)
    index: IndexPart | None = field(default=None, repr=False)

    @property
    def n_outputs(self) -> int:
        return len(self.base_value)

    def count_full(self, presence_sets: Sequence[PresenceSet]) -> NDArray[np.float64]:
        """How often each presence set's part counts at the full coalition: the number of sets it stands for."""
        return self.count_live(presence_sets, np.ones(self.n_players, dtype=bool))

    def count_live(self, presence_sets: Sequence[PresenceSet], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How often each presence set's part counts in each coalition; see :func:`instashap.game.terms.count_live`."""
        return count_live(presence_sets, masks & self.is_player)

    def scale(self, unit: float) -> "AdditiveModel":
        """The model of outputs multiplied by a number, a power of two for the same digits."""
        if unit == 1.0:
            return self
        tables = tuple(table * unit for table in self.tables)
        linear = None if self.linear is None else self.linear.scale(unit)
        index = None if self.index is None else replace(self.index, values=self.index.values * unit)
        return replace(self, tables=tables, base_value=self.base_value * unit, linear=linear, index=index)

    @property
    def is_player(self) -> NDArray[np.bool_]:
        """Whether each player can have a non-zero Shapley value, shape (n_players,)."""
        return np.isin(np.arange(self.n_players), self.null_players, invert=True)

    def split_shares(self, presence_sets: Sequence[PresenceSet], index: Index = _SHAPLEY) -> Shares:
        """Shares of the players in each presence set; see :meth:`instashap.game.credits.Index.split`."""
        return index.split(presence_sets, self.n_players, self.null_players)

    @cached_property
    def shapes(self) -> tuple[NDArray[np.float64], ...]:
        """Table of each shape function ``phi_U = sum_R psi_{U,R}``: shape (n_nodes_1, …, n_outputs)."""
        pairs = zip(self.tables, self.mixings, self.presence_sets, strict=True)
        shapes = [table @ (mixing * self.count_full(sets)[:, None]).sum(axis=1) for table, mixing, sets in pairs]
        if self.linear is not None:
            for term, values in enumerate(self.value_sets):
                shapes[term] = shapes[term] + (self.linear.get_shape(values[0]) if len(values) == 1 else 0.0)
        return tuple(shapes)

    @cached_property
    def prediction(self) -> Lookup:
        """Look-up of the sum of all shape functions (without the base value)."""
        return self._make_shape_lookup([0] * len(self.value_sets), 1)

    @cached_property
    def effects(self) -> Lookup:
        """Look-up of each shape function; slots are value sets."""
        return self._make_shape_lookup(range(len(self.value_sets)), max(len(self.value_sets), 1))

    @cached_property
    def credits(self) -> Lookup:
        """Look-up of Shapley values: ``sum_U sum_{R ∋ i} psi_{U,R} / |R|`` and those of the linear part; slots are players."""
        return self.make_credits(_SHAPLEY)

    def make_credits(self, index: Index) -> Lookup:
        """Look-up of the credits that an index gives: each component shared out among its players; slots are players."""
        shares = [self.split_shares(presence, index) for presence in self.presence_sets]
        pairs = list(zip(self.mixings, shares, strict=True))
        named = [np.einsum("prc,ri->pic", mixing, each) for mixing, (each, _) in pairs]
        linear = [] if self.linear is None else self.linear.list_terms(self.linear.share_out(index))
        lookup = self._make_lookup(range(len(self.value_sets)), named, self.n_players, linear)
        if self.index is not None:
            lookup = self.add_index(lookup, self.index, self.index.share_out(index, self.n_players))
        tied = [term for term, (_, equal) in enumerate(shares) if equal.any()]
        if not tied:
            return lookup
        outputs = np.arange(self.n_outputs)[:, None]
        # One curve per output, whatever the number of parts.
        curves = [(self.tables[term] @ np.einsum("prc,r->pc", *(self.mixings[term], shares[term][1]))) for term in tied]
        terms = [
            LookupTerm(self.value_sets[term], curve, list(outputs), [np.ones(1)] * self.n_outputs)
            for term, curve in zip(tied, curves, strict=True)
        ]
        return replace(lookup, shared=make_lookup(self.bases, terms, 1, self.n_outputs), has_shared=self.is_player)

    @cached_property
    def components(self) -> tuple[list[PresenceSet], Lookup]:
        """All presence sets by size, and the look-up of their components ``h_R``; slots are presence sets in this order.

        The linear part, which has a component for every set of players, is left out, and so is the index part.
        """
        return self._list_components([])

    @cached_property
    def components_with_index(self) -> tuple[list[PresenceSet], Lookup]:
        """The same with the index part's components: only the linear part is left out."""
        return self.components if self.index is None else self._list_components(self.index.list_components())

    def _list_components(
        self, more: Sequence[tuple[PresenceSet, NDArray[np.float64]]]
    ) -> tuple[list[PresenceSet], Lookup]:
        """Presence sets by size and the look-up of their components, those of ``more`` weigh the index part's functions."""
        own = {each for sets in self.presence_sets for each in sets}
        found = sorted(own | {players for players, _ in more}, key=lambda each: (len(each), each))
        places = {presence: place for place, presence in enumerate(found)}
        mixings = []
        for mixing, sets in zip(self.mixings, self.presence_sets, strict=True):
            spread = np.zeros((len(mixing), len(found), self.n_outputs))
            spread[:, [places[each] for each in sets]] = mixing
            mixings.append(spread)
        lookup = self._make_lookup(range(len(self.value_sets)), mixings, max(len(found), 1))
        if self.index is None or not more:
            return found, lookup
        shares = np.zeros((len(self.index), len(found)))
        for players, signs in more:
            shares[:, places[players]] = signs
        return found, self.add_index(lookup, self.index, shares)

    def make_mobius_lookup(self, players: PresenceSet) -> Lookup:
        """Look-up of one component of the game: ``h_R = sum_{U ⊆ R} psi_{U,R}`` for R = players, the linear part's included."""
        is_null = not self.is_player[list(players)].all()
        found = [
            np.array([not is_null and stands_for(each, players) for each in sets], dtype=bool) for sets in self.presence_sets
        ]
        picked = [term for term, is_part in enumerate(found) if is_part.any()]
        mixings = [self.mixings[term][:, found[term]].sum(axis=1, keepdims=True) for term in picked]
        linear = [] if self.linear is None else self.linear.list_terms(self.linear.compute_mobius(players)[None])
        lookup = self._make_lookup(picked, mixings, 1, linear)
        if self.index is None:
            return lookup
        return self.add_index(lookup, self.index, self.index.weigh_component(players)[:, None])

    def add_index(self, lookup: Lookup, part: IndexPart, shares: NDArray[np.float64]) -> Lookup:
        """A look-up with the functions of an index part besides, by shares of shape (n_indices, n_slots)."""
        return replace(lookup, index=IndexLookup(part, self.bases, shares))

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
        if self.linear is not None:
            total += self.linear.predict(self.bases, encoded, masks)
        if self.index is not None:
            total += self.index.predict(self.bases, encoded, masks)
        for values, table, mixing, presence in zip(self.value_sets, self.tables, self.mixings, self.presence_sets, strict=True):
            live = self.count_live(presence, masks)  # (n_rows, n_presence_sets)
            parts = _look_up_parts(self.bases, values, table, encoded)
            total += np.einsum("np,nr,prc->nc", parts, live, mixing, optimize=True)
        return total

    def write_out_linear(self) -> "AdditiveModel":
        """A model without a linear part that has the same Shapley values, shape functions and predictions.

        What a score adds to a player's value becomes a part of its column under the presence set of that player alone. The game
        is another one where players are absent; readers that know tables only need no more than its Shapley values.
        """
        if self.linear is None:
            return self
        tables, mixings, presence_sets = list(self.tables), list(self.mixings), list(self.presence_sets)
        for column, scores, table in self.linear.iterate_columns():
            term = self.value_sets.index((column,))
            old, own = presence_sets[term], self.linear.credits[:, scores]  # own: (n_players, n_own_scores, n_outputs)
            credited = [(int(player),) for player in np.flatnonzero(own.any(axis=(1, 2)))]
            sets = (*old, *(each for each in credited if each not in old))
            mixing = np.zeros((len(mixings[term]) + own.shape[1], len(sets), self.n_outputs))
            mixing[: len(mixings[term]), : len(old)] = mixings[term]
            for each in credited:
                mixing[len(mixings[term]) :, sets.index(each)] = own[each[0]]
            tables[term], mixings[term] = np.concatenate([tables[term], table], axis=-1), mixing
            presence_sets[term] = sets
        return replace(
            self, tables=tuple(tables), mixings=tuple(mixings), presence_sets=tuple(presence_sets), linear=None
        )

    def make_shape_lookup(self, values: ValueSet) -> Lookup:
        """Look-up of one shape function."""
        outputs, one = np.arange(self.n_outputs), np.ones(1)
        shape = self.shapes[self.value_sets.index(values)]
        term = LookupTerm(values, shape, [np.array([output]) for output in outputs], [one] * self.n_outputs)
        return make_lookup(self.bases, [term], 1, self.n_outputs)

    def _make_shape_lookup(self, slots: Sequence[int], n_slots: int) -> Lookup:
        outputs = np.arange(self.n_outputs)
        one = np.ones(1)
        terms = [
            LookupTerm(
                values, shape, [np.array([slot * self.n_outputs + output]) for output in outputs], [one] * self.n_outputs
            )
            for values, shape, slot in zip(self.value_sets, self.shapes, slots, strict=True)
        ]
        return make_lookup(self.bases, terms, n_slots, self.n_outputs)

    def _make_lookup(
        self,
        picked: Sequence[int],
        mixings: Sequence[NDArray[np.float64]],
        n_slots: int,
        more: Sequence[LookupTerm] = (),
    ) -> Lookup:
        terms = list(more)
        for term, mixing in zip(picked, mixings, strict=True):
            flat = mixing.reshape(len(mixing), -1)  # (n_parts, n_slots · n_outputs)
            targets = [np.flatnonzero(row) for row in flat]
            shares = [row[target] for row, target in zip(flat, targets, strict=True)]
            terms.append(LookupTerm(self.value_sets[term], self.tables[term], targets, shares))
        return make_lookup(self.bases, terms, n_slots, self.n_outputs)

    def __getstate__(self) -> dict[str, Any]:
        """State without look-ups, which are made again after unpickling."""
        cached = ("shapes", "prediction", "effects", "credits", "components", "components_with_index")
        return {name: value for name, value in self.__dict__.items() if name not in cached}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def _look_up_parts(
    bases: Sequence[Sequence[LocalBasis]], values: ValueSet, table: NDArray[np.float64], encoded: Encoded
) -> NDArray[np.float64]:
    """Values of a table's parts on rows, shape (n_rows, n_parts)."""
    n_parts = table.shape[-1]
    term = LookupTerm(values, table, [np.array([part]) for part in range(n_parts)], [np.ones(1)] * n_parts)
    return make_lookup(bases, [term], n_parts, 1).apply(encoded)[:, :, 0]
