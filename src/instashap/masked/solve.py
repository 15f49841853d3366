"""The masked least-squares problem as linear algebra on moments: solve its normal equations, and judge the solution."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._status import Status
from ..linear.cholesky import factorise
from ..linear.conjugate_gradients import conjugate_gradients
from .design import ValueFunctions
from .problem import MaskedProblem, Penalty

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
