"""Standard errors of fits that are no linear system: the model refitted without each group of rows, and smoothed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..game.terms import PresenceSet, ValueSet
from ..table.encoding import Encoded
from .additive_model import AdditiveModel
from .lookup import Lookup

# Values of all replicates held at once while errors are looked up: 16 MB.
_BLOCK_NUMBERS = 2**21


@dataclass(frozen=True)
class ReplicateLookup:
    """Look-up of standard errors from those of the replicates, with the interface of :class:`.lookup.Lookup`.

    Attributes
    ----------
    lookups : tuple of Lookup
        One for each replicate.
    whole : Lookup
        That of the model.
    contrast : ndarray of shape (n_groups, n_groups), float64
        Maps the replicates' changes to deviations whose squares sum to the variance.
    shifts : ndarray of shape (n_groups, n_outputs), float64
        Changes of a constant that the look-ups do not hold, such as the base value.
    """

    lookups: tuple[Lookup, ...]
    whole: Lookup
    contrast: NDArray[np.float64] = field(repr=False)
    shifts: NDArray[np.float64] = field(repr=False)

    @property
    def n_slots(self) -> int:
        return self.whole.n_slots

    @property
    def n_outputs(self) -> int:
        return self.whole.n_outputs

    def apply(self, encoded: Encoded, totals: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Standard errors of encoded rows, shape (n_rows, n_slots, n_outputs); added to ``totals`` if given."""
        if totals is None:
            totals = np.zeros((len(encoded.cells), self.n_slots, self.n_outputs))
        for rows, found in self.iterate(encoded):
            totals[rows] += np.linalg.norm(found, axis=3)
        return totals

    def iterate(self, encoded: Encoded) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Blocks of rows with their deviations, shape (n_block_rows, n_slots, n_outputs, n_groups)."""
        n_rows = len(encoded.cells)
        size = max(_BLOCK_NUMBERS // (len(self.lookups) * self.n_slots * self.n_outputs), 1)
        for start in range(0, n_rows, size):
            rows = slice(start, min(start + size, n_rows))
            block = encoded.take(rows)
            changes = np.stack([each.apply(block) for each in self.lookups]) - self.whole.apply(block)
            changes += self.shifts[:, None, None, :]
            yield rows, np.moveaxis(np.tensordot(self.contrast, changes, axes=1), 0, -1)


@dataclass(frozen=True)
class ModelReplicates:
    """A model and its refits, most without a group of rows; has the interface of :class:`.deviations.Deviations`.

    Attributes
    ----------
    model : AdditiveModel
    replicates : tuple of AdditiveModel
        With the value sets of the model.
    contrast : ndarray of shape (n_groups, n_groups), float64
        See :func:`instashap.inference.uncertainty.compute_contrast`; a refit that counts by itself has a 1.
    """

    model: AdditiveModel
    replicates: tuple[AdditiveModel, ...] = field(repr=False)
    contrast: NDArray[np.float64] = field(repr=False)

    @property
    def n_groups(self) -> int:
        """Number of refits: groups of rows that were left out, and one for the bias of smoothing where it is known."""
        return len(self.replicates)

    @cached_property
    def credits(self) -> ReplicateLookup:
        """Errors of Shapley values; slots are players."""
        return self._make(lambda model: model.credits)

    @cached_property
    def effects(self) -> ReplicateLookup:
        """Errors of each shape function; slots are value sets."""
        return self._make(lambda model: model.effects)

    @cached_property
    def prediction(self) -> ReplicateLookup:
        """Errors of the output at the full coalition, base value included."""
        return self._make(lambda model: model.prediction, self._base_changes)

    @property
    def base_errors(self) -> NDArray[np.float64]:
        """Standard error of the base value, shape (n_outputs,)."""
        return np.asarray(np.linalg.norm(self.contrast @ self._base_changes, axis=0))

    def make_mobius_lookup(self, players: PresenceSet) -> ReplicateLookup:
        """Errors of one component of the game; see :meth:`AdditiveModel.make_mobius_lookup`."""
        return self._make(lambda model: model.make_mobius_lookup(players))

    def make_shape_lookup(self, values: ValueSet) -> ReplicateLookup:
        """Errors of one shape function."""
        return self._make(lambda model: model.make_shape_lookup(values))

    @property
    def _base_changes(self) -> NDArray[np.float64]:
        return np.stack([each.base_value for each in self.replicates]) - self.model.base_value

    def _make(
        self, choose: Callable[[AdditiveModel], Lookup], shifts: NDArray[np.float64] | None = None
    ) -> ReplicateLookup:
        constant = np.zeros((self.n_groups, self.model.n_outputs)) if shifts is None else shifts
        return ReplicateLookup(tuple(map(choose, self.replicates)), choose(self.model), self.contrast, constant)
