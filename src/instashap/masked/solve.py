"""The masked least-squares problem as linear algebra on moments: assemble, solve, and judge.

With unknowns ``c[u, R]`` (value function u counted under presence set R) the masked fit is
``sum_{u', R'} π_{|R ∪ R'|} (G + P)[u, u'] c[u', R'] = π_{|R|} r[u]``: a Hadamard product of a small data Gram ``G`` with the
combinatorial matrix ``W[R, R'] = π_{|R ∪ R'|}``. No mask is sampled, and the optimum is global.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .._status import Status
from ..game.masses import compute_presence_masses, compute_shared_masses
from ..game.orders import CoalitionList
from ..game.terms import ANY, PresenceSet, count_live, extend_presence, group_by_player, players_of
from ..linear.cholesky import factorise
from ..linear.conjugate_gradients import conjugate_gradients
from ..model.kernels import contract_columns, fill_matrix
from .design import ValueFunctions

if TYPE_CHECKING:
    from .linear_base import LinearBase

# Unknowns up to which the matrix is assembled and factorised: 6 500² float64 are 340 MB.
MAX_DENSE = 6500
# Where the matrix is never formed: relative residual of the answer that is kept, and the most steps to it. Shapley values
# stand to their fourth digit from a residual of 1e-3 on.
_TOLERANCE = 1e-6
_MAX_STEPS = 1000
# Residual of the normal equations, relative to their right-hand side, from which a user should know. Below, what is left lies
# in directions that the rows hardly determine: at 7e-5 (9 403 unknowns, bike sharing) Shapley values have R² .999996 to
# converged ones.
POOR_GRADIENT = 1e-4
ADVICE = "ask for fewer interactions or a lower order"
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


@dataclass(frozen=True)
class Solution:
    """Coefficients of a masked fit and how well its normal equations hold.

    Attributes
    ----------
    coefficients : ndarray of shape (n_unknowns, n_outputs), float64
    gradient : float
        Largest residual of the normal equations relative to the right-hand side.
    precondition : callable
        Applies the (approximate) inverse of the matrix; solves of nearby problems start from it.
    status : Status
        Of the conjugate gradients; a factorisation takes no steps.
    """

    coefficients: NDArray[np.float64]
    gradient: float
    precondition: Callable[[NDArray[np.float64]], NDArray[np.float64]] = field(repr=False)
    status: Status


def solve_problem(
    problem: MaskedProblem,
    gram: NDArray[np.float64],
    cross: NDArray[np.float64],
    penalty: Penalty,
    *,
    base: "LinearBase | None" = None,
    start: NDArray[np.float64] | None = None,
    product: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
    max_dense: int | None = None,
) -> Solution:
    """Solve the normal equations: by one Cholesky factor if the matrix is small, else by conjugate gradients.

    Parameters
    ----------
    problem : MaskedProblem
    gram : ndarray of shape (n_functions, n_functions), float64
        Centred second moments of the value functions.
    cross : ndarray of shape (n_functions, n_outputs), float64
        Centred cross moments with the outputs.
    penalty : Penalty
    base : LinearBase, optional
        What the functions are fitted beside.
    start : ndarray of shape (n_unknowns, n_outputs), optional
        Where conjugate gradients begin.
    product : callable, optional
        The matrix times coefficients, where it has been prepared (:class:`instashap.masked.coupling.Coupling`).
    max_dense : int, optional
        Unknowns up to which the matrix is small; by default :data:`MAX_DENSE`.
    """
    target = weigh_target(problem, gram, cross, base)

    def multiply(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        return problem.multiply(gram, penalty, coefficients) if product is None else product(coefficients)

    if len(problem) <= (MAX_DENSE if max_dense is None else max_dense):
        precondition = factorise(problem.assemble(gram, penalty))
        coefficients = precondition(target)
        coefficients += precondition(target - multiply(coefficients))  # one step of refinement
        n_steps = 0
    else:
        precondition = make_block_preconditioner(problem, gram, penalty)
        coefficients, ended = conjugate_gradients(
            multiply, precondition, target, tolerance=_TOLERANCE, start=start, max_steps=_MAX_STEPS
        )
        n_steps = ended.n_steps
    gradient = _measure_gradient(target, multiply(coefficients))
    status = Status(gradient <= POOR_GRADIENT, n_steps, gradient).name("the normal equations", ADVICE)
    return Solution(coefficients, gradient, precondition, status)


def _measure_gradient(target: NDArray[np.float64], product: NDArray[np.float64]) -> float:
    return float(np.abs(target - product).max(initial=0.0) / max(np.abs(target).max(initial=0.0), 1e-300))


def make_block_preconditioner(
    problem: MaskedProblem, gram: NDArray[np.float64], penalty: Penalty
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Exact inverse of each value function's own block ``(G + P)[u, u] · W[R_u, R_u]``, extra penalty included."""
    diagonal = np.diag(gram) + penalty.functions
    extra = problem.weigh_extra(penalty)
    prepared = []
    for where, masses, inverse in problem.own_blocks:
        own = diagonal[problem.functions[where[:, 0]]][:, None]  # (n_functions under the same presence sets, 1)
        if penalty.extra:
            more = (extra[where] / own)[:, :, None] * np.eye(where.shape[1])
            inverse = np.asarray(np.linalg.inv(masses + more), dtype=np.float64)
        prepared.append((where, inverse, own[:, :, None]))

    def precondition(target: NDArray[np.float64]) -> NDArray[np.float64]:
        result = np.empty_like(target)
        for where, inverse, own in prepared:
            result[where] = (inverse @ target[where]) / own
        return result

    return precondition


def compute_masked_risk(
    problem: MaskedProblem,
    coefficients: NDArray[np.float64],
    gram: NDArray[np.float64],
    cross: NDArray[np.float64],
    variance: NDArray[np.float64],
    base: "LinearBase | None" = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact masked risk, and risk at the full coalition; each of shape (n_outputs,).

    ``π_0 E(f - φ_∅)² - 2 bᵀc + cᵀA c`` with held-out second moments about the *training* means
    (:meth:`instashap.masked.moments.CentredMoments.around`). It contains ``E_S Var(f | x_S)``: comparable
    between models under one mask law, and not one minus R².
    """
    quadratic = (coefficients * problem.multiply(gram, None, coefficients)).sum(axis=0)
    linear = (weigh_target(problem, gram, cross, base) * coefficients).sum(axis=0)
    merged = problem.merge(coefficients)
    masked, full = problem.total_mass * variance, variance
    if base is not None:
        drops = base.lower_risk(gram, cross)
        masked, full = masked - drops[0], full - drops[1]
        cross = cross - gram[:, base.scores] @ base.full_slopes
    full = full - 2 * (cross * merged).sum(axis=0) + (merged * (gram @ merged)).sum(axis=0)
    return masked - 2 * linear + quadratic, full


def weigh_target(
    problem: MaskedProblem, gram: NDArray[np.float64], cross: NDArray[np.float64], base: "LinearBase | None"
) -> NDArray[np.float64]:
    """Right-hand side of the normal equations, less what a linear base explains; shape (n_unknowns, n_outputs)."""
    target = problem.weigh_target(cross)
    return target if base is None else target - base.weigh_target(problem, gram)


def transfer(
    coefficients: NDArray[np.float64],
    source: tuple[MaskedProblem, ValueFunctions],
    target: tuple[MaskedProblem, ValueFunctions],
) -> NDArray[np.float64]:
    """Coefficients of one problem as a start for another: unknowns they share keep their value, new ones are zero.

    Functions are the same if they multiply the same axis functions of the same value set, which must have been learnt alike.
    """
    (old, old_functions), (new, new_functions) = source, target
    function_map = old_functions.match(new_functions)
    places = {presence: number for number, presence in enumerate(new.presence_sets)}
    presence_map = np.array([places.get(presence, -1) for presence in old.presence_sets], dtype=np.int64)
    functions, presence = function_map[old.functions], presence_map[old.presence]
    shared = np.flatnonzero((functions >= 0) & (presence >= 0))
    keys = new.functions * len(new.presence_sets) + new.presence
    order = np.argsort(keys)
    wanted = functions[shared] * len(new.presence_sets) + presence[shared]
    found = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
    is_same = keys[found] == wanted
    moved = np.zeros((len(new), coefficients.shape[1]))
    moved[found[is_same]] = coefficients[shared[is_same]]
    return moved
