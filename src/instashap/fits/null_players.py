"""Features that never vary among the rows of a fit: they are null players, leave the fit, and get exactly 0.

A column of one value explains nothing, ``v(S + c) = v(S)``, so its Shapley value is 0. A fit that offered it presence sets
would credit it with what other features lose to the size of the coalition; so it is no player while the fit lasts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..blackbox.hybrid import Positions
from ..blackbox.value_functions import Game
from ..game.terms import ANY, PresenceSet
from ..model.additive_model import AdditiveModel
from ..table.columns import Table
from ..table.encoding import Encoded

# Coalitions a value function is asked about to see whether it moves with a column of one value, and what counts as rounding.
_N_ASKED = 64
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Roster:
    """Players of a fit: the features with a column that varies.

    Attributes
    ----------
    varying : tuple of int
        These features, rising; the fit numbers its players by their places here. At least one, also where none varies.
    players : tuple of int
        Player of each column in the fit. Columns of null players count with the first: they have no function.
    is_null : tuple of bool
        Whether each column belongs to a null player.
    n_features : int
        All of them.
    """

    varying: tuple[int, ...]
    players: tuple[int, ...]
    is_null: tuple[bool, ...]
    n_features: int

    @property
    def null_players(self) -> tuple[int, ...]:
        """The features that never vary."""
        return tuple(player for player in range(self.n_features) if player not in self.varying)

    def spread(self, model: AdditiveModel) -> AdditiveModel:
        """A model of the fit's players as a model of all features."""
        kept = [term for term, values in enumerate(model.value_sets) if not any(self.is_null[column] for column in values)]
        return replace(
            model,
            value_sets=tuple(model.value_sets[term] for term in kept),
            presence_sets=tuple(tuple(map(self._rename, model.presence_sets[term])) for term in kept),
            tables=tuple(model.tables[term] for term in kept),
            mixings=tuple(model.mixings[term] for term in kept),
            n_players=self.n_features,
            null_players=self.null_players,
            linear=None if model.linear is None else model.linear.spread(self.varying, self.n_features),
            index=None if model.index is None else model.index.spread(self.varying),
        )

    def _rename(self, presence: PresenceSet) -> PresenceSet:
        return tuple(player if player == ANY else self.varying[player] for player in presence)


def make_roster(players: Sequence[int], is_constant: Sequence[bool]) -> Roster:
    """The roster of a fit.

    Parameters
    ----------
    players : sequence of int
        Feature that owns each column.
    is_constant : sequence of bool
        Whether each column has one value.

    Examples
    --------
    >>> make_roster([0, 1, 2, 2], [False, True, True, False])
    Roster(varying=(0, 2), players=(0, 0, 1, 1), is_null=(False, True, False, False), n_features=3)
    """
    owners = [player for player, constant in zip(players, is_constant, strict=True) if not constant]
    varying = tuple(sorted(set(owners))) or (0,)
    places = {player: place for place, player in enumerate(varying)}
    is_null = tuple(player not in owners for player in players)
    return Roster(varying, tuple(places.get(player, 0) for player in players), is_null, max(players) + 1)


def find_constant(encoded: Encoded) -> list[bool]:
    """Whether each column has the same cell and position in every row."""
    cells, offsets = encoded
    return [bool(flag) for flag in (cells == cells[:1]).all(axis=0) & (offsets == offsets[:1]).all(axis=0)]


def find_constant_among(encoded: Encoded, rows: Table, references: Table) -> list[bool]:
    """The same, if the reference rows have that very value too: where they have another, replacing it is an effect."""
    numbers = iter(zip(rows.numbers.T, references.numbers.T, strict=True))
    categories = iter(zip(rows.categories, references.categories, strict=True))
    found = []
    for is_constant, is_category in zip(find_constant(encoded), rows.schema.is_category, strict=True):
        if is_category:
            values = {levels[code] if code >= 0 else None for codes, levels in next(categories) for code in np.unique(codes)}
            found.append(is_constant and len(values) == 1)
        else:
            both = np.concatenate([np.asarray(each, dtype=np.float64) for each in next(numbers)])
            found.append(is_constant and bool((both == both[0]).all() or np.isnan(both).all()))
    return found


def find_unmoved(game: Game, positions: Positions, encoded: Encoded, players: Sequence[int]) -> list[bool]:
    """Whether a value function without reference rows gives the same without the columns of one value.

    What such a function means by "absent" is its own; it is asked about some coalitions with and without the feature.
    """
    constant = find_constant(encoded)
    varying = {player for player, flag in zip(players, constant, strict=True) if not flag}
    rng = np.random.default_rng(0)
    rows = rng.choice(positions, _N_ASKED)
    moves = set(varying)
    for player in sorted(set(players) - varying):
        masks = rng.random((_N_ASKED, max(players) + 1)) < 0.5
        values = []
        for present in (True, False):
            masks[:, player] = present
            values.append(game.evaluate(rows, masks))
        if np.abs(values[0] - values[1]).max() > _ROUNDING * np.abs(values).max():
            moves.add(player)
    return [flag and player not in moves for player, flag in zip(players, constant, strict=True)]


@dataclass(frozen=True)
class RosterGame:
    """A game of all features as one of a roster's players: null players are absent."""

    game: Game
    roster: Roster

    @property
    def n_references(self) -> int:
        return self.game.n_references

    @property
    def reference_outputs(self) -> NDArray[np.float64]:
        """See :class:`instashap.blackbox.value_functions.Game`."""
        return self.game.reference_outputs

    @property
    def output_names(self) -> tuple[str, ...]:
        return self.game.output_names

    @property
    def output_transform(self) -> str:
        return self.game.output_transform

    def get_references(self) -> object:
        """See :class:`instashap.blackbox.value_functions.Game`."""
        return self.game.get_references()

    def evaluate_full(self) -> NDArray[np.float64]:
        """See :class:`instashap.blackbox.value_functions.Game`."""
        return self.game.evaluate_full()

    def evaluate(self, rows: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """See :class:`instashap.blackbox.value_functions.Game`."""
        return self.game.evaluate(rows, self._widen(masks))

    def evaluate_one(self, rows: Positions, references: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """See :class:`instashap.blackbox.value_functions.Game`."""
        return self.game.evaluate_one(rows, references, self._widen(masks))

    def _widen(self, masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        wide = np.zeros((len(masks), self.roster.n_features), dtype=bool)
        wide[:, list(self.roster.varying)] = masks
        return wide
