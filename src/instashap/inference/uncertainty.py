"""Delete-a-group jackknife: groups of rows are left out by subtracting their moments, and the fit is solved again.

Functions, presence sets and penalty strengths stay as chosen: the errors measure the sampling variation of the fitted
projection given these choices.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from .._errors import TooLargeError
from .._status import warn_unless_converged
from .._threads import limit_threads
from ..linear.conjugate_gradients import conjugate_gradients
from ..masked.design import ValueFunctions
from ..masked.drawn import blend_moments
from ..masked.expand import expand_deviations
from ..masked.folds import Fold, count_copies, hash_outputs, hash_ranks, hash_rows, take_census
from ..masked.linear_base import LinearBase, remake_base
from ..masked.moments import CentredMoments, accumulate_moments
from ..masked.problem import MaskedProblem, Penalty
from ..masked.restrict import choose_unknowns, restrict
from ..masked.solve import ADVICE, MAX_DENSE, Solution, solve_problem, weigh_target
from ..masked.synthetic import leave_out
from ..model.deviations import Deviations
from ..model.linear_part import LinearDeviations
from ..table.encoding import Encoded
from ..table.row_hash import mix

if TYPE_CHECKING:
    from ..masked.fitter import FitRecord

# Standard errors from 20 groups have 19 degrees of freedom, a relative error of about a sixth; each group costs one solve.
N_GROUPS = 20
# Largest size of a fit's deviations in bytes.
MAX_BYTES = 100_000_000
# Largest number of unknowns for which a factor in single precision is made: 1.3 GB, half a minute on two cores. Weaker
# preconditioners (blocks of functions, or a factor of the 6 500 leading unknowns) need hundreds of steps for each group.
MAX_FACTORED = 18_000
_BLOCK_COLUMNS = 256
# Entries of the Gram matrices held at once: 512 MB, about what the fit itself holds.
_BATCH_NUMBERS = 2**26
# Largest residual of the replicates' changes, relative to their right-hand sides: standard errors have four or five digits.
_TOLERANCE = 1e-5
# The same for problems whose matrix the fit did not form: two or three digits, while a standard error from 20 groups is itself
# accurate to a sixth.
_LARGE_TOLERANCE = 1e-3
# Warn above this residual.
_POOR_RESIDUAL = 1e-2

# Second moments ``G`` and ``r``.
System = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Replicates:
    """Fits that each leave out one group of rows.

    Attributes
    ----------
    changes : ndarray of shape (n_groups, n_unknowns, n_outputs), float64
        Change of the coefficients when a group is left out.
    means : ndarray of shape (n_groups, n_functions), float64
        Means of the value functions without the group; the replicate centres them there.
    output_means : ndarray of shape (n_groups, n_outputs), float64
    shares : ndarray of shape (n_groups,), float64
        Share of the total weight that is left out.
    credits : ndarray of shape (n_groups, n_players, n_scores, n_outputs), float64, or None
        Those of the linear base.
    """

    changes: NDArray[np.float64]
    means: NDArray[np.float64]
    output_means: NDArray[np.float64]
    shares: NDArray[np.float64]
    credits: NDArray[np.float64] | None = None


def compute_deviations(record: "FitRecord", groups: Sequence[Fold] | None = None) -> Deviations:
    """Jackknife deviations of a fit, as tables from which standard errors are looked up.

    Parameters
    ----------
    record : FitRecord
    groups : sequence of (rows, weights), optional
        The groups to leave out; by default :func:`assign_groups` makes 20.

    Raises
    ------
    TooLargeError
        If the tables would take more than 100 MB; nothing has been allocated.
    ValueError
        If the rows do not make two groups.
    """
    solved, total = record.result.solved, record.result.total
    problem, functions = solved.problem, solved.functions
    _check_size(problem, functions, record.outputs.shape[1])
    replicates = compute_replicates(record, groups)
    contrast = compute_contrast(replicates.shares)
    centres = replicates.means - total.means

    def contrast_outputs(replicas: NDArray[np.float64]) -> NDArray[np.float64]:
        """Deviations, those of one output side by side; maps (n_groups, …, n_outputs) to (…, n_outputs · n_groups)."""
        deviations = np.moveaxis(np.tensordot(contrast, replicas, axes=1), 0, -1)
        return deviations.reshape(*deviations.shape[:-2], replicas.shape[-1] * len(contrast))

    changes = contrast_outputs(replicates.changes)
    coefficients = solved.solution.coefficients + replicates.changes
    shifts = contrast_outputs(-coefficients * centres[:, problem.functions, None])
    base = contrast @ (replicates.output_means - total.output_means)
    linear = None
    if solved.base is not None and replicates.credits is not None:
        moved = -replicates.credits * centres[:, None, solved.base.scores, None]
        linear = LinearDeviations(contrast_outputs(replicates.credits - solved.base.credits), contrast_outputs(moved))
    found = expand_deviations(record.result.model, problem, functions, total.means, changes, shifts, base.T)
    return found if linear is None else replace(found, linear=linear.astype(found.base.dtype))


def compute_contrast(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix that maps replicates to deviations whose squares sum to the jackknife variance.

    With ``h_g = 1 / share_g`` and pseudo-values ``h_g θ - (h_g - 1) θ_g`` the variance is
    ``1/G sum_g (pseudo_g - mean)² / (h_g - 1)``, where the mean is ``G θ - sum_g (1 - 1/h_g) θ_g`` (Busing, Meijer and van der
    Leeden 1999, Eq. 11; with equal groups ``(G - 1)/G sum_g (θ_g - mean θ)²``). Written for ``θ_g - θ`` the full-data ``θ``
    cancels.

    Parameters
    ----------
    shares : ndarray of shape (n_groups,), float64
        Share of the weight in each group; sums to one.

    Returns
    -------
    ndarray of shape (n_groups, n_groups), float64

    Examples
    --------
    >>> deviations = compute_contrast(np.full(4, 0.25)) @ np.array([1.0, 2.0, 3.0, 2.0])
    >>> round(float(deviations @ deviations), 12)  # 3/4 of 1 + 0 + 1 + 0
    1.5
    """
    n_groups = len(shares)
    rest = 1.0 / shares - 1.0
    return np.asarray(((1.0 - shares) - np.diag(rest)) / np.sqrt(n_groups * rest)[:, None])


def compute_replicates(record: "FitRecord", groups: Sequence[Fold] | None = None) -> Replicates:
    """Coefficients refitted without each group, solved from the solution on all rows with its factor as preconditioner.

    The Gram matrices of a few groups are in memory at a time, so that their solves share the passes over the factor. If the fit
    has more than 18 000 unknowns, the finest parts under larger presence sets are left out, also from the fit that the
    replicates are compared with.
    """
    solved, total = record.result.solved, record.result.total
    groups = groups or assign_groups(record.encoded, record.outputs, record.weights, N_GROUPS)
    size = int(np.clip(_BATCH_NUMBERS // max(len(solved.functions), 1) ** 2, 1, len(groups)))
    kept = choose_unknowns(solved.problem, solved.functions, MAX_FACTORED)
    problem = restrict(solved.problem, kept)
    chosen = record.result.chosen
    penalty = chosen.strengths.penalise(solved.functions)
    parts: list[tuple[NDArray[np.float64], ...]] = []
    bases: list[LinearBase] = []
    with limit_threads(len(problem)):
        share = chosen.strengths.synthetic
        everything = blend_moments(total, _draw(record, [])[-1], share)
        whole = _solve_whole(problem, everything, penalty, solved.solution.coefficients[kept], solved.base)
        for start in range(0, len(groups), size):
            batch = groups[start : start + size]
            trains = [total - describe_group(record, group) for group in batch]
            outside = _draw(record, batch)[:-1]
            systems = [blend_moments(*each, share) for each in zip(trains, outside, strict=True)]
            own = [remake_base(problem, solved.base, chosen.candidate.base, train) for train in trains]
            found = zip(_solve_changes(problem, systems, penalty, whole, own), trains, strict=True)
            parts += [(change, train.means, train.output_means) for change, train in found]
            bases += [base for base in own if base is not None]
    kept_changes, means, output_means = (np.stack(each) for each in zip(*parts, strict=True))
    changes = np.zeros((len(groups), *solved.solution.coefficients.shape))
    changes[:, kept] = kept_changes
    weights = np.array([group_weights.sum() for _, group_weights in groups])
    credits = np.stack([base.credits for base in bases]) if bases else None
    return Replicates(changes, means, output_means, weights / weights.sum(), credits)


def describe_group(record: "FitRecord", group: Fold) -> CentredMoments:
    """Moments of the fit's functions over a group of its rows."""
    rows, weights = group
    encoded = record.encoded.take(rows)
    functions = record.result.solved.functions
    return accumulate_moments(functions.evaluate, encoded, record.outputs[rows], weights, len(functions))


def _draw(record: "FitRecord", groups: Sequence[Fold]) -> list[CentredMoments | None]:
    """Moments of the fit's drawn rows as the rows without each group would have them, and of all; None without any."""
    drawn = record.result.drawn
    if drawn is None:
        return [None] * (len(groups) + 1)
    shares = [drawn.weigh(leave_out(record.weights, group)) for group in groups]
    found = drawn.describe_folds(record.result.solved.functions, shares, N_GROUPS)
    return [*found.folds, found.total]


def _solve_whole(
    problem: MaskedProblem, known: System, penalty: Penalty, start: NDArray[np.float64], base: LinearBase | None
) -> Solution:
    """Solution on all rows with a factor of its matrix, in single precision where the fit itself formed none."""
    gram, cross = known
    if len(problem) <= MAX_DENSE:
        return solve_problem(problem, gram, cross, penalty, base=base)
    precondition = _factorise_single(problem, gram, penalty)
    target = weigh_target(problem, gram, cross, base)
    coefficients, status = conjugate_gradients(
        lambda each: problem.multiply(gram, penalty, each), precondition, target, tolerance=_TOLERANCE, start=start
    )
    return Solution(coefficients, status.residual, precondition, status)


def _factorise_single(
    problem: MaskedProblem, gram: NDArray[np.float64], penalty: Penalty
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Preconditioner from a Cholesky factor in single precision: half the memory and time, about as few steps as in double."""
    for jitter in (0.0, 1e-6, 1e-5, 1e-4):  # single precision resolves about 1e-7
        matrix = _assemble_single(problem, gram, penalty)
        np.fill_diagonal(matrix, matrix.diagonal() * np.float32(1 + jitter))
        try:
            factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            continue
        return lambda target: cho_solve(factor, target.astype(np.float32), check_finite=False).astype(np.float64)
    raise LinAlgError("the normal equations are not positive definite; raise the smoothness strengths")


def _assemble_single(problem: MaskedProblem, gram: NDArray[np.float64], penalty: Penalty) -> NDArray[np.float32]:
    """Lower triangle of the matrix of the normal equations, computed in blocks of columns."""
    n_unknowns = len(problem)
    matrix = np.empty((n_unknowns, n_unknowns), dtype=np.float32, order="F")
    penalised, masses = (each.astype(np.float32) for each in (gram + np.diag(penalty.functions), problem.union_masses))
    for start in range(0, n_unknowns, _BLOCK_COLUMNS):
        columns = slice(start, start + _BLOCK_COLUMNS)
        block = penalised[problem.functions[columns]][:, problem.functions[start:]]
        block *= masses[problem.presence[columns]][:, problem.presence[start:]]
        matrix[start:, columns] = block.T
    np.fill_diagonal(matrix, matrix.diagonal() + problem.weigh_extra(penalty))
    return matrix


def _solve_changes(
    problem: MaskedProblem,
    systems: list[System],
    penalty: Penalty,
    whole: Solution,
    bases: Sequence[LinearBase | None],
) -> list[NDArray[np.float64]]:
    """What each group's absence adds to the coefficients, given ``G`` and ``r`` without it; conjugate gradients in step."""
    grams = [gram for gram, _ in systems]

    def multiply(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = np.split(coefficients, len(grams), axis=1)
        return np.hstack([problem.multiply(gram, penalty, part) for gram, part in zip(grams, parts, strict=True)])

    known = zip(systems, bases, strict=True)
    target = np.hstack([weigh_target(problem, *system, base) for system, base in known])
    target -= multiply(np.tile(whole.coefficients, len(grams)))
    tolerance = _TOLERANCE if len(problem) <= MAX_DENSE else _LARGE_TOLERANCE
    changes, status = conjugate_gradients(multiply, whole.precondition, target, tolerance=tolerance)
    residual = float(np.linalg.norm(target - multiply(changes))) / max(float(np.linalg.norm(target)), 1e-300)
    ended = replace(status, residual=residual).accept(_POOR_RESIDUAL)
    warn_unless_converged(ended.name("the refits behind the standard errors", ADVICE))
    return np.split(changes, len(grams), axis=1)


def assign_groups(
    encoded: Encoded,
    outputs: NDArray[np.float64],
    weights: NDArray[np.float64],
    n_groups: int,
    copies: NDArray[np.float64] | None = None,
) -> list[Fold]:
    """Rows and weights of each group to leave out: a random partition of the rows that depends on their values alone.

    Rows count as drawn independently, and a row of weight w as w rows. Different rows are assigned by a hash of their values.
    Copies of one row (same values, same outputs) are indistinguishable, but must not stay together: leaving all of them out at
    once would overstate the variance by a factor of their number. So the number of copies in each group is drawn from the
    multinomial law, which is their law under independent assignment; the draw has a fixed seed and follows the order of the
    hashes. Weights that are not all whole numbers are not counts: rows that differ in weight alone are different rows then,
    whose weights differ among the groups as they would among samples. Where every row of a table was copied
    (:class:`RowCensus`) the copies are not independent rows, and stay together. The order of the rows never matters, and that
    of the columns only where rows with the same values in other columns have the same outputs and as many copies.

    Parameters
    ----------
    encoded : Encoded
    outputs : ndarray of shape (n_rows, n_outputs), float64
    weights : ndarray of shape (n_rows,), float64
    n_groups : int
    copies : ndarray of shape (n_rows,), float64, optional
        Equal rows that each row stands for with its weight; by default :func:`count_copies` of the weights.

    Raises
    ------
    ValueError
        If fewer than two groups have rows.
    """
    symmetric = hash_ranks(encoded, weights)
    _, placed = hash_rows(encoded)
    copies = count_copies(weights) if copies is None else copies
    given = outputs if np.array_equal(copies, weights) else np.column_stack([outputs, weights / copies])
    measured, placed_outputs = hash_outputs(given)
    _, first, owner = np.unique(mix(placed ^ placed_outputs), return_index=True, return_inverse=True)
    counts = np.bincount(owner.reshape(-1), weights=weights)
    # Rows that differ only in the order of their values share a hash; they are numbered by the ordered hash.
    keys = mix(symmetric ^ measured)[first]
    order = np.lexsort((placed[first], counts, keys))
    first, counts, keys = first[order], counts[order], keys[order]
    numbers = np.arange(len(keys)) - np.searchsorted(keys, keys)
    dealt = (mix(keys + np.uint64(0x9E3779B97F4A7C15) * numbers.astype(np.uint64)) % np.uint64(n_groups)).astype(np.int64)
    whole = np.bincount(owner.reshape(-1), weights=copies).astype(np.int64)[order]
    if take_census(encoded, weights).is_copied:
        whole[:] = 1
    single, several = np.flatnonzero(whole < 2), np.flatnonzero(whole >= 2)
    drawn = np.random.default_rng(0).multinomial(whole[several], np.full(n_groups, 1 / n_groups))
    groups = []
    for group in range(n_groups):
        own, shared = single[dealt[single] == group], drawn[:, group] > 0
        members = np.concatenate([own, several[shared]])
        if len(members):
            shares = (drawn[shared, group] / whole[several[shared]]) * counts[several[shared]]
            groups.append((first[members], np.concatenate([counts[own], shares])))
    if len(groups) < 2:
        raise ValueError(
            f"standard errors compare fits that each leave out a group of rows, but the {len(weights)} row(s) of total weight "
            f"{weights.sum():g} form only {len(groups)} group; fit on more rows"
        )
    return groups


def _check_size(problem: MaskedProblem, functions: ValueFunctions, n_outputs: int) -> None:
    nodes = [
        np.prod([functions.axes[len(values), column].basis.n_functions for column in values]) for values in functions.value_sets
    ]
    n_bytes = 4.0 * n_outputs * N_GROUPS * (sum(nodes) + len(problem))
    if n_bytes > MAX_BYTES:
        raise TooLargeError(
            f"standard errors of {len(functions.value_sets)} terms and {n_outputs} outputs would take {n_bytes / 1e6:.0f} MB, "
            f"more than {MAX_BYTES / 1e6:.0f}; fit fewer outputs at a time, or fewer interactions"
        )
