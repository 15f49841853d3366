"""The unknowns of a masked least-squares problem, and the matrix that couples them.

With unknowns ``c[u, R]`` (value function u counted under presence set R) the masked fit is
``sum_{u', R'} π_{|R ∪ R'|} (G + P)[u, u'] c[u', R'] = π_{|R|} r[u]``: a Hadamard product of a small data Gram ``G`` with the
combinatorial matrix ``W[R, R'] = π_{|R ∪ R'|}``. No mask is sampled, and the optimum is global.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..game.masses import compute_presence_masses, compute_shared_masses
from ..game.orders import CoalitionList
from ..game.terms import ANY, PresenceSet, count_live, extend_presence, group_by_player, players_of
from ..model.kernels import contract_columns, fill_matrix
from .design import ValueFunctions

# Jitter on the diagonal of tied presence sets in the blocks that precondition conjugate gradients.
_TIED_JITTER = 1e-8


@dataclass(frozen=True)
class Penalty:
    """Penalty of a masked fit: in the value Gram before the presence expansion, and more on the parts beyond it.

    Attributes
    ----------
    functions : ndarray of shape (n_functions,), float64
        Diagonal of P on the scale of the Gram: the mask-averaged roughness of the game (method: ``W ∘ (G + P)``).
    extra : float
        Factor on the diagonal of P for each unknown whose presence set is larger than its function's own players.
    """

    functions: NDArray[np.float64]
    extra: float = 0.0


@dataclass(frozen=True)
class MaskedProblem:
    """Unknowns of a masked fit and the masses that couple them.

    Attributes
    ----------
    functions, presence : ndarray of shape (n_unknowns,), int64
        Value function and presence set of each unknown.
    is_extra : ndarray of shape (n_unknowns,), bool
        Whether the presence set is larger than the function's own players.
    presence_sets : tuple of tuple of int
    n_functions : int
    size_law : ndarray of shape (n_players + 1,), float64
    coalitions : CoalitionList or None
        Stands for the size law where a linear base is averaged over listed coalitions: errors of its averages must not look
        like something that functions could explain.
    """

    functions: NDArray[np.int64]
    presence: NDArray[np.int64]
    is_extra: NDArray[np.bool_]
    presence_sets: tuple[PresenceSet, ...]
    n_functions: int
    size_law: NDArray[np.float64]
    coalitions: CoalitionList | None = None

    @cached_property
    def union_masses(self) -> NDArray[np.float64]:
        """``W``, shape (n_presence_sets, n_presence_sets)."""
        if self.coalitions is not None:
            return self.coalitions.couple(self.presence_sets)
        return compute_shared_masses(self.presence_sets, self.size_law)

    @cached_property
    def total_mass(self) -> float:
        return float(self.size_law.sum())

    @cached_property
    def own_masses(self) -> NDArray[np.float64]:
        """Diagonal of W at each unknown, shape (n_unknowns,)."""
        return np.diag(self.union_masses)[self.presence]

    @cached_property
    def target_masses(self) -> NDArray[np.float64]:
        """Mass of each unknown's presence set, shape (n_unknowns,)."""
        if self.coalitions is not None:
            one = np.ones((len(self.coalitions.masks), 1))
            return np.asarray(self.coalitions.average(self.presence_sets, one)[self.presence, 0])
        return compute_presence_masses(self.presence_sets, self.size_law)[self.presence]

    @cached_property
    def full_counts(self) -> NDArray[np.float64]:
        """How often each unknown counts at the full coalition, shape (n_unknowns,)."""
        return count_live(self.presence_sets, np.ones(len(self.size_law) - 1, dtype=bool))[self.presence]

    @cached_property
    def _by_presence(self) -> tuple[NDArray[np.int64], csr_array]:
        """Positions of the unknowns by presence set, then function, and a sparse matrix with their places."""
        order = np.lexsort((self.functions, self.presence))
        starts = np.searchsorted(self.presence[order], np.arange(len(self.presence_sets) + 1))
        shape = (len(self.presence_sets), self.n_functions)
        return order, csr_array((np.empty(len(order)), self.functions[order], starts), shape=shape)

    @cached_property
    def _once_masses(self) -> NDArray[np.float64]:
        """``W`` at the presence sets of functions that have one, for products that are not prepared."""
        return np.ascontiguousarray(self.union_masses[:, self.layout.once_presence])

    @cached_property
    def own_blocks(self) -> list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
        """Unknowns of functions under the same presence sets, and ``W`` between these with its inverse.

        A row of the first holds one function's unknowns. Where each has one presence set, ``W`` has an entry a row: both
        others then have the shape (n_functions, 1, 1), else (size, size).
        """
        order = np.argsort(self.functions, kind="stable")
        alike: dict[bytes, list[NDArray[np.int64]]] = {}
        for unknowns in np.split(order, np.flatnonzero(np.diff(self.functions[order])) + 1):
            alike.setdefault(self.presence[unknowns].tobytes() if len(unknowns) > 1 else b"", []).append(unknowns)
        # The sum that a tied set stands for may be on offer set by set: equal shares then, not an infinite inverse.
        is_tied = np.array([ANY in each for each in self.presence_sets], dtype=bool)
        blocks = []
        for where in map(np.array, alike.values()):
            presence = self.presence[where if where.shape[1] == 1 else where[0]]
            masses = self.union_masses[presence[..., :, None], presence[..., None, :]]
            masses *= 1.0 + _TIED_JITTER * is_tied[presence][..., None] * np.eye(where.shape[1])
            blocks.append((where, masses, np.linalg.inv(masses)))
        return blocks

    @cached_property
    def layout(self) -> "Layout":
        """Unknowns by how many presence sets their function has."""
        return Layout.from_problem(self)

    def __len__(self) -> int:
        return len(self.functions)

    def assemble(self, gram: NDArray[np.float64], penalty: Penalty) -> NDArray[np.float64]:
        """The matrix of the normal equations."""
        matrix = np.empty((len(self), len(self)))
        known = np.ascontiguousarray(gram), np.ascontiguousarray(penalty.functions)
        fill_matrix(*known, self.functions, self.presence, np.ascontiguousarray(self.union_masses), matrix)
        matrix[np.diag_indices(len(self))] += self.weigh_extra(penalty)
        return matrix

    def weigh_extra(self, penalty: Penalty) -> NDArray[np.float64]:
        """What the penalty adds to the diagonal for parts under larger presence sets, shape (n_unknowns,)."""
        return np.where(self.is_extra, penalty.extra * self.own_masses * penalty.functions[self.functions], 0.0)

    def multiply(
        self, gram: NDArray[np.float64], penalty: Penalty | None, coefficients: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The matrix times coefficients of shape (n_unknowns, n_outputs), without forming it: ``(G + P) C W``."""
        result = np.empty_like(coefficients)
        once, often, wide, where = self.layout.once, self.layout.often, self.layout.wide, self.layout.where
        order, pattern = self._by_presence
        spread = copy(pattern)  # shares the places: to check them anew takes longer than a product
        for output in range(coefficients.shape[1]):
            values = coefficients[:, output]
            spread.data = values[order]
            product = spread @ gram
            if penalty is not None:
                product[self.presence, self.functions] += penalty.functions[self.functions] * values
            # Entries of W (C (G + P)) are needed only where there are unknowns: most functions have a single one.
            result[once, output] = contract_columns(self._once_masses, product, self.functions[once])
            result[often, output] = (self.union_masses @ product[:, wide])[self.presence[often], where]
        if penalty is not None and penalty.extra:
            result += self.weigh_extra(penalty)[:, None] * coefficients
        return result

    def weigh_target(self, cross: NDArray[np.float64]) -> NDArray[np.float64]:
        """Right-hand side ``π_{|R|} r[u]``, shape (n_unknowns, n_outputs)."""
        return self.target_masses[:, None] * cross[self.functions]

    def merge(self, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coefficients at the full coalition, summed over presence; shape (n_functions, n_outputs)."""
        merged = np.zeros((self.n_functions, coefficients.shape[1]))
        np.add.at(merged, self.functions, coefficients * self.full_counts[:, None])
        return merged


@dataclass(frozen=True)
class Layout:
    """Unknowns of a problem whose function has one presence set, and those whose function has several.

    Attributes
    ----------
    once, often : ndarray of int64
        Positions of either kind.
    wide : ndarray of shape (n_repeated,), int64
        Functions of the latter, rising.
    where : ndarray of shape (n_often,), int64
        Place of each one's function in ``wide``.
    once_presence, often_presence : ndarray of int64
    sets : ndarray of int64
        Presence sets of the former, rising.
    set_of : ndarray of shape (n_once,), int64
        Place of each one's presence set in ``sets``.
    """

    once: NDArray[np.int64]
    often: NDArray[np.int64]
    wide: NDArray[np.int64]
    where: NDArray[np.int64]
    once_presence: NDArray[np.int64]
    often_presence: NDArray[np.int64]
    sets: NDArray[np.int64]
    set_of: NDArray[np.int64]

    @classmethod
    def from_problem(cls, problem: MaskedProblem) -> "Layout":
        """Sort the unknowns of a problem."""
        is_once = np.bincount(problem.functions, minlength=problem.n_functions)[problem.functions] == 1
        once, often = np.flatnonzero(is_once), np.flatnonzero(~is_once)
        wide, where = np.unique(problem.functions[often], return_inverse=True)
        once_presence, often_presence = problem.presence[once], problem.presence[often]
        return cls(once, often, wide, where, once_presence, often_presence, *np.unique(once_presence, return_inverse=True))


def make_problem(
    functions: ValueFunctions,
    presence_sets: Sequence[PresenceSet],
    extra_ranks: Sequence[int],
    players: Sequence[int],
    size_law: NDArray[np.float64],
) -> MaskedProblem:
    """Unknowns of the terms (value set U, presence set R ⊇ U).

    Every function counts once its own players are present; the functions of rank at most ``extra_ranks[|U| - 1]`` also
    have a coefficient under each larger presence set: conditional means change with what else is known, smoothly.
    """
    index: dict[PresenceSet, int] = {}
    by_player = group_by_player(presence_sets)
    unknown_functions, unknown_presence, is_extra = [], [], []
    by_owner = np.split(np.arange(len(functions)), np.flatnonzero(np.diff(functions.owners)) + 1) if len(functions) else []
    for members in by_owner:
        values = functions.value_sets[functions.owners[members[0]]]
        if not values:
            own = [index.setdefault(each, len(index)) for each in _list_index_sets(functions)]
            unknown_functions.append(members)
            unknown_presence.append(np.array(own))
            is_extra.append(np.zeros(len(members), dtype=bool))
            continue
        base = players_of(values, players)
        wide = members[functions.ranks[members] <= extra_ranks[len(values) - 1]]
        sets = extend_presence(base, by_player.get(base[0], ()) if wide.size else ())  # base comes first: it is in all others
        numbers = [index.setdefault(presence, len(index)) for presence in sets]
        n_extra = len(wide) * (len(sets) - 1)
        unknown_functions += [members, np.tile(wide, len(sets) - 1)]
        unknown_presence += [np.full(len(members), numbers[0]), np.repeat(numbers[1:], len(wide))]
        is_extra += [np.zeros(len(members), dtype=bool), np.ones(n_extra, dtype=bool)]
    empty = [np.empty(0, dtype=np.int64)]
    return MaskedProblem(
        np.concatenate(unknown_functions or empty),
        np.concatenate(unknown_presence or empty).astype(np.int64),
        np.concatenate(is_extra or empty).astype(bool),
        tuple(index),
        len(functions),
        size_law,
    )


def _list_index_sets(functions: ValueFunctions) -> list[PresenceSet]:
    """Presence set of each function of an index."""
    assert functions.indices is not None
    sets = functions.indices.presence_sets
    return [sets[number // functions.indices.values.shape[2]] for number in functions.index_numbers]
