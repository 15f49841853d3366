"""Standard errors by look-up: tables of a fitted model's deviations when groups of rows are left out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..game.credits import Index
from ..game.shapley import Shapley
from ..game.terms import PresenceSet, ValueSet, stands_for
from ..table.encoding import Encoded
from .additive_model import AdditiveModel
from .index_part import IndexPart
from .linear_part import LinearDeviations, LinearPart
from .lookup import Lookup, LookupTerm, make_lookup

# Deviations held at once while errors are looked up: 8 MB.
_BLOCK_NUMBERS = 2**20

# Terms of a look-up and its constants.
_Shared = tuple[list[LookupTerm], NDArray[np.float64]]


@dataclass(frozen=True)
class ErrorLookup:
    """Look-up of standard errors, with the interface of :class:`instashap.model.lookup.Lookup`.

    Attributes
    ----------
    deviations : Lookup
        Look-up of deviations, those of one output side by side.
    constants : ndarray of shape (n_slots, n_outputs · n_groups), float64
        The part of the deviations that is the same for every row.
    n_outputs : int
    unit : float
        What the deviations are in units of.
    """

    deviations: Lookup
    constants: NDArray[np.float64]
    n_outputs: int
    unit: float = 1.0

    @property
    def n_slots(self) -> int:
        return self.deviations.n_slots

    def apply(self, encoded: Encoded, totals: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Standard errors of encoded rows, shape (n_rows, n_slots, n_outputs); added to ``totals`` if given."""
        if totals is None:
            totals = np.zeros((len(encoded.cells), self.n_slots, self.n_outputs))
        for rows, found in self.iterate(encoded):
            totals[rows] += np.linalg.norm(found, axis=3) * self.unit
        return totals

    def iterate(self, encoded: Encoded) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Blocks of rows with their deviations in the unit, shape (n_block_rows, n_slots, n_outputs, n_groups)."""
        n_rows = len(encoded.cells)
        size = max(_BLOCK_NUMBERS // max(self.constants.size, 1), 1)
        for start in range(0, n_rows, size):
            rows = slice(start, min(start + size, n_rows))
            block = encoded.take(rows)
            found = np.repeat(self.constants[None], len(block.cells), axis=0)
            self.deviations.apply(block, found)
            yield rows, found.reshape(*found.shape[:2], self.n_outputs, -1)

    def average(self, encoded: Encoded, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Deviations of weighted means over rows, shape (n_slots, n_outputs, n_groups).

        Parameters
        ----------
        encoded : Encoded
        weights : ndarray of shape (n_rows,) or (n_rows, n_slots, n_outputs), float64
            Weights that sum to one, or signed weights of each value, for a sum that is not a mean.
        """
        total = np.zeros((self.n_slots, self.n_outputs, self.constants.shape[1] // self.n_outputs))
        given = weights.reshape(len(weights), *weights.shape[1:], *(1,) * (3 - weights.ndim))
        for rows, found in self.iterate(encoded):
            total += (found * given[rows][..., None]).sum(axis=0)
        return total * self.unit


@dataclass(frozen=True)
class Deviations:
    """Scaled jackknife deviations of a model; for every linear function of its tables ``SE² = sum_g deviation_g²``.

    They are stored like the model's own tables: a curve for each value set's own part, and coefficients of the functions that
    the model repeats under larger presence sets. Single precision suffices: the standard errors are estimates themselves.

    Attributes
    ----------
    model : AdditiveModel
        The model that deviates; its parts beyond the first ``n_outputs`` are the repeated functions.
    curves : tuple of ndarray of shape (n_nodes_1, …, n_outputs · n_groups), float32
    mixings : tuple of ndarray of shape (n_parts - n_outputs, n_presence_sets - 1, n_outputs · n_groups), float32
    constants : tuple of ndarray of shape (n_presence_sets - 1, n_outputs · n_groups), float32
        Changes of the centres of the repeated functions when rows are left out.
    base : ndarray of shape (n_outputs, n_groups), float32
        Deviations of the base value.
    linear : LinearDeviations or None
        Deviations of the model's linear part.
    unit : float
        What the model's outputs and the deviations are in units of; standard errors are multiplied by it.
    index : IndexPart or None
        Deviations of the model's index part, those of one output side by side.
    """

    model: AdditiveModel
    curves: tuple[NDArray[np.float32], ...] = field(repr=False)
    mixings: tuple[NDArray[np.float32], ...] = field(repr=False)
    constants: tuple[NDArray[np.float32], ...] = field(repr=False)
    base: NDArray[np.float32] = field(repr=False)
    linear: LinearDeviations | None = field(default=None, repr=False)
    unit: float = 1.0
    index: IndexPart | None = field(default=None, repr=False)

    @property
    def n_groups(self) -> int:
        """Number of groups of rows, each of which was left out once."""
        return int(self.base.shape[1])

    @cached_property
    def credits(self) -> ErrorLookup:
        """Errors of Shapley values; slots are players."""
        return self.make_credits(Shapley())

    def make_credits(self, index: Index) -> ErrorLookup:
        """Errors of the credits that an index gives; slots are players.

        Raises ``ValueError`` for another index than Shapley's and a model with a linear part, of which the deviations are known
        for Shapley values alone.
        """
        if self.linear is not None and not isinstance(index, Shapley):
            raise ValueError(
                "standard errors of a model with a linear part are known for Shapley values alone; presence_order=3 fits a "
                "model without one"
            )
        n_players = self.model.n_players
        shares = [self.model.split_shares(presence, index) for presence in self.model.presence_sets]
        linear = self._share_linear(lambda own, part: own.share_by_player(part, self.model.is_player))
        lookup = self._make_lookup(range(len(self.curves)), [named for named, _ in shares], n_players, linear)
        if self.index is not None:
            lookup = self._add_index(lookup, self.index.share_out(index, n_players))
        tied = [term for term, (_, equal) in enumerate(shares) if equal.any()]
        if not tied:
            return lookup
        rest = self._make_lookup(tied, [shares[term][1][:, None] for term in tied], 1)
        is_player = self.model.is_player
        deviations = replace(lookup.deviations, shared=rest.deviations, has_shared=is_player)
        shared = np.where(is_player[:, None], rest.constants, 0.0)
        return ErrorLookup(deviations, lookup.constants + shared, lookup.n_outputs, self.unit)

    @cached_property
    def effects(self) -> ErrorLookup:
        """Errors of each shape function; slots are value sets."""
        n_slots = max(len(self.curves), 1)
        shares = (
            self.model.count_full(presence)[:, None] * (np.arange(n_slots) == term)
            for term, presence in enumerate(self.model.presence_sets)
        )
        slots = {values[0]: term for term, values in enumerate(self.model.value_sets) if len(values) == 1}
        linear = self._share_linear(lambda own, part: own.share_by_column(part, slots, n_slots))
        return self._make_lookup(range(len(self.curves)), shares, n_slots, linear)

    @cached_property
    def prediction(self) -> ErrorLookup:
        """Errors of the output at the full coalition, base value included."""
        shares = (self.model.count_full(presence)[:, None] for presence in self.model.presence_sets)
        linear = self._share_linear(lambda own, part: own.share_by_column(part, dict.fromkeys(part.columns, 0), 1))
        lookup = self._make_lookup(range(len(self.curves)), shares, 1, linear)
        return replace(lookup, constants=lookup.constants + self.base.reshape(1, -1))

    def make_mobius_lookup(self, players: PresenceSet) -> ErrorLookup:
        """Errors of one component of the game; see :meth:`AdditiveModel.make_mobius_lookup`.

        Raises ``ValueError`` for a model with a linear part, of which the deviations are known for Shapley values alone.
        """
        if self.linear is not None:
            raise ValueError(
                "standard errors of a component are not known for a model with a linear part; those of Shapley values, shape "
                "functions and predictions are, and presence_order=3 fits a model without one"
            )
        is_null = not self.model.is_player[list(players)].all()
        found = [np.array([[not is_null and stands_for(each, players)] for each in sets]) for sets in self.model.presence_sets]
        picked = [term for term, share in enumerate(found) if share.any()]
        shares = [found[term] for term in picked]
        lookup = self._make_lookup(picked, shares, 1)
        return lookup if self.index is None else self._add_index(lookup, self.index.weigh_component(players)[:, None])

    def _add_index(self, lookup: ErrorLookup, shares: NDArray[np.float64]) -> ErrorLookup:
        assert self.index is not None
        return replace(lookup, deviations=self.model.add_index(lookup.deviations, self.index, shares))

    def make_shape_lookup(self, values: ValueSet) -> ErrorLookup:
        """Errors of one shape function."""
        term = self.model.value_sets.index(values)
        linear = self._share_linear(
            lambda own, part: own.share_by_column(part, {column: -((column,) != values) for column in part.columns}, 1)
        )
        return self._make_lookup([term], [self.model.count_full(self.model.presence_sets[term])[:, None]], 1, linear)

    @property
    def base_errors(self) -> NDArray[np.float64]:
        """Standard error of the base value, shape (n_outputs,)."""
        return np.asarray(np.linalg.norm(self.base.astype(np.float64), axis=1) * self.unit)

    def _share_linear(self, share: Callable[[LinearDeviations, LinearPart], _Shared]) -> _Shared | None:
        """What the linear part adds to a look-up."""
        return None if self.linear is None or self.model.linear is None else share(self.linear, self.model.linear)

    def _make_lookup(
        self, picked: Sequence[int], shares: Iterable[Any], n_slots: int, linear: _Shared | None = None
    ) -> ErrorLookup:
        """Errors of ``sum_U sum_R share[R, slot] psi_{U,R}``; ``shares`` holds an array (n_presence_sets, n_slots) per term."""
        n_replicas, n_outputs = self.base.size, self.model.n_outputs
        constants = np.zeros((n_slots, n_replicas)) if linear is None else linear[1]
        terms = [] if linear is None else list(linear[0])
        for term, share in zip(picked, shares, strict=True):
            own, larger = np.split(np.asarray(share, dtype=np.float64), [1])
            used = np.flatnonzero(own[0])
            slots = [used * n_replicas + replica for replica in range(n_replicas)]
            weights = [own[0, used]] * n_replicas
            for mixing in np.einsum("wrc,rs->wsc", self.mixings[term], larger).reshape(-1, n_slots * n_replicas):
                slots.append(np.flatnonzero(mixing))
                weights.append(mixing[slots[-1]])
            constants += larger.T @ self.constants[term]
            table = np.concatenate([self.curves[term], self.model.tables[term][..., n_outputs:]], axis=-1)
            terms.append(LookupTerm(self.model.value_sets[term], table, slots, weights))
        return ErrorLookup(make_lookup(self.model.bases, terms, n_slots, n_replicas), constants, n_outputs, self.unit)

    def __getstate__(self) -> dict[str, Any]:
        """State without look-ups, which are made again after unpickling."""
        return {name: value for name, value in self.__dict__.items() if name not in ("credits", "effects", "prediction")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
