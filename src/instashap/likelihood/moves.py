"""Functions moved from their own presence set to larger ones, and the change of the masked risk that this makes.

The presence set of a function is the set of players that must all be known for it to count. A move replaces a function's own
players, its smallest presence set, by a larger set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from ..game.coalitions import compute_containment_masses
from ..game.terms import PresenceSet, count_unions, extend_presence, group_by_player, make_presence_masks, players_of
from ..masked.design import ValueFunctions
from ..model.additive_model import AdditiveModel
from ..table.encoding import Encoded

# Candidates for moves to sets of one more player, and of two more: so many functions of a main effect; for interactions, the
# products of functions whose ranks have at most this product.
WIDTHS = ({1: 12, 2: 3, 3: 1}, {1: 3, 2: 2, 3: 0})
_BLOCK_ROWS = 4096
_JITTER = 1e-10


@dataclass(frozen=True)
class Moves:
    """Unknowns: how much of function ``functions[k]`` counts under ``presence[k]`` instead of its own players ``base[k]``.

    Attributes
    ----------
    functions, presence, base : ndarray of shape (n_moves,), int64
        The latter two are positions in ``presence_sets``.
    presence_sets : tuple of tuple of int
    """

    functions: NDArray[np.int64]
    presence: NDArray[np.int64]
    base: NDArray[np.int64]
    presence_sets: tuple[PresenceSet, ...]

    def __len__(self) -> int:
        return len(self.functions)

    def take(self, rows: NDArray[np.int64]) -> "Moves":
        return Moves(self.functions[rows], self.presence[rows], self.base[rows], self.presence_sets)

    def renumber(self) -> "Moves":
        """The same moves without the presence sets that none of them uses."""
        used, where = np.unique(np.concatenate([self.presence, self.base]), return_inverse=True)
        presence, base = np.split(where.reshape(-1), 2)
        return Moves(self.functions, presence, base, tuple(self.presence_sets[number] for number in used))


def offer_moves(functions: ValueFunctions, presence_sets: Sequence[PresenceSet], players: Sequence[int]) -> Moves:
    """Moves of every function to every given presence set larger than its own players, as far as :data:`WIDTHS` allows."""
    index: dict[PresenceSet, int] = {}
    found: list[tuple[NDArray[np.int64], int, int]] = []
    by_player = group_by_player(presence_sets)
    for owner, values in enumerate(functions.value_sets):
        members = np.flatnonzero(functions.owners == owner)
        own = players_of(values, players)
        for presence in extend_presence(own, by_player.get(own[0], ()))[1:]:
            width = WIDTHS[min(len(presence) - len(own), 2) - 1][len(values)]
            wide = members[functions.ranks[members] <= width]
            if wide.size:
                found.append((wide, index.setdefault(presence, len(index)), index.setdefault(own, len(index))))
    sizes = [len(wide) for wide, _, _ in found]
    return Moves(
        np.concatenate([wide for wide, _, _ in found] or [np.empty(0, dtype=np.int64)]),
        np.repeat(np.array([presence for _, presence, _ in found], dtype=np.int64), sizes),
        np.repeat(np.array([own for _, _, own in found], dtype=np.int64), sizes),
        tuple(index),
    )


@dataclass(frozen=True)
class ProductMoments:
    """Weighted sums over rows of functions, of their products, and of their products with the terms of the model."""

    weight: float
    sums: NDArray[np.float64]  # (n_functions,)
    second: NDArray[np.float64]  # (n_functions, n_functions)
    term_sums: NDArray[np.float64]  # (n_terms · n_outputs,)
    cross: NDArray[np.float64]  # (n_functions, n_terms · n_outputs)

    def __add__(self, other: "ProductMoments") -> "ProductMoments":
        return ProductMoments(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def around(self, means: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean products of the functions, centred at ``means``, with each other and with the terms."""
        gram = self.second - np.outer(means, self.sums) - np.outer(self.sums, means)
        gram += self.weight * np.outer(means, means)
        return gram / self.weight, (self.cross - np.outer(means, self.term_sums)) / self.weight


def accumulate_products(
    functions: ValueFunctions, model: AdditiveModel, encoded: Encoded, weights: NDArray[np.float64]
) -> ProductMoments:
    """Weighted sums of products of functions, and of functions with terms of a model, over encoded rows."""
    n_terms = len(model.value_sets) * model.n_outputs
    n = len(functions)
    total = ProductMoments(0.0, np.zeros(n), np.zeros((n, n)), np.zeros(n_terms), np.zeros((n, n_terms)))
    for start in range(0, len(weights), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        block = encoded.take(rows)
        values, own = functions.evaluate(block), weights[rows]
        effects = model.effects.apply(block).reshape(len(own), n_terms)
        weighted = values * own
        total += ProductMoments(own.sum(), weighted.sum(axis=1), weighted @ values.T, own @ effects, weighted @ effects)
    return total


@dataclass(frozen=True)
class MoveProblem:
    """Least-squares problem of the masked residual over moves.

    A move changes the game by ``b(x) (1[R ⊆ S] - 1[B ⊆ S])``, where ``B ⊆ R`` are the function's own players. The residual of
    fixed scores is ``Σ_U (1 - 1[U ⊆ S]) φ_U``. Products of these indicators have the mean ``π_{|R ∪ R'|}`` over coalitions, so
    that the normal equations need only the functions' products with each other and with the terms.

    Attributes
    ----------
    moves : Moves
    set_masses : ndarray of shape (n_sets, n_sets), float64
        Mean product of the indicators of two presence sets.
    own_masses : ndarray of shape (n_moves,), float64
        Mean square of a move's indicator part.
    term_masses : ndarray of shape (n_moves, n_terms), float64
        Mean product of a move's indicator part and a term's absence.
    """

    moves: Moves
    set_masses: NDArray[np.float64]
    own_masses: NDArray[np.float64]
    term_masses: NDArray[np.float64]

    @cached_property
    def pair_masses(self) -> NDArray[np.float64]:
        """Mean product of the indicator parts of two moves, shape (n_moves, n_moves)."""
        columns = self.set_masses[:, self.moves.presence] - self.set_masses[:, self.moves.base]
        return np.asarray(columns[self.moves.presence] - columns[self.moves.base])

    @classmethod
    def from_moves(
        cls, moves: Moves, terms: Sequence[PresenceSet], size_law: NDArray[np.float64]
    ) -> "MoveProblem":
        """The problem for some moves, given the players of each term of the model and the size law of the coalitions."""
        n_players = len(size_law) - 1
        masses = compute_containment_masses(size_law)
        moves = moves.renumber()
        sets, term_sets = (make_presence_masks(each, n_players) for each in (moves.presence_sets, terms))
        own = masses[sets.sum(axis=1)]
        plain = own[moves.presence] - own[moves.base]
        with_terms = masses[count_unions(sets, term_sets)]
        difference = with_terms[moves.presence] - with_terms[moves.base]  # (n_moves, n_terms)
        return cls(moves, masses[count_unions(sets)], -plain, plain[:, None] - difference)

    def solve(
        self, gram: NDArray[np.float64], cross: NDArray[np.float64], penalty: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Coefficients of least penalised masked risk, shape (n_moves, n_outputs)."""
        matrix = self._spread(gram + np.diag(penalty))
        matrix[np.diag_indices(len(matrix))] *= 1.0 + _JITTER
        matrix[np.diag_indices(len(matrix))] += 1e-300
        return np.asarray(cho_solve(cho_factor(matrix, lower=True, overwrite_a=True), self.weigh_target(cross)))

    def change_risk(
        self, coefficients: NDArray[np.float64], gram: NDArray[np.float64], cross: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Change of the masked risk by coefficients on rows of these moments, shape (n_outputs,); negative is better."""
        quadratic = (coefficients * (self._spread(gram) @ coefficients)).sum(axis=0)
        return np.asarray(quadratic - 2.0 * (self.weigh_target(cross) * coefficients).sum(axis=0))

    def _spread(self, gram: NDArray[np.float64]) -> NDArray[np.float64]:
        functions = self.moves.functions
        return np.take(np.take(gram, functions, axis=0), functions, axis=1) * self.pair_masses

    def weigh_target(self, cross: NDArray[np.float64]) -> NDArray[np.float64]:
        """Right-hand side of the normal equations, shape (n_moves, n_outputs)."""
        by_term = cross.reshape(len(cross), self.term_masses.shape[1], -1)
        chunks = np.array_split(np.arange(len(self.moves)), len(self.moves) // 500 + 1)
        parts = [np.einsum("ku,kuc->kc", self.term_masses[rows], by_term[self.moves.functions[rows]]) for rows in chunks]
        return np.concatenate(parts)


def apply_moves(
    plain: AdditiveModel,
    moves: Moves,
    functions: ValueFunctions,
    coefficients: NDArray[np.float64],
    means: NDArray[np.float64],
) -> AdditiveModel:
    """The plain model with the moved part of each function subtracted under its own players and added under the larger sets."""
    tables, mixings, presence_sets = list(plain.tables), list(plain.mixings), list(plain.presence_sets)
    place = {values: term for term, values in enumerate(plain.value_sets)}
    n_outputs = plain.n_outputs
    for owner, values in enumerate(functions.value_sets):
        members = np.flatnonzero(functions.owners == owner)
        unknowns = np.flatnonzero(functions.owners[moves.functions] == owner)
        if not unknowns.size:
            continue
        used, which = np.unique(moves.functions[unknowns], return_inverse=True)
        numbers, where = np.unique(moves.presence[unknowns], return_inverse=True)
        mixing = np.zeros((n_outputs + len(used), 1 + len(numbers), n_outputs))
        mixing[np.arange(n_outputs), 0, np.arange(n_outputs)] = 1.0
        mixing[n_outputs + which, 1 + where] = coefficients[unknowns]
        mixing[n_outputs:, 0] = -mixing[n_outputs:, 1:].sum(axis=1)
        chosen = np.eye(len(members))[:, used - members[0]]
        term = place[values]
        moved = functions.expand(owner, chosen) - means[used]
        tables[term] = np.concatenate([plain.tables[term], moved], axis=-1)
        mixings[term] = mixing
        presence_sets[term] = (presence_sets[term][0], *(moves.presence_sets[number] for number in numbers))
    return AdditiveModel(
        plain.bases, plain.value_sets, tuple(presence_sets), tuple(tables), tuple(mixings), plain.base_value, plain.n_players
    )
