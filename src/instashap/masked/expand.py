"""From the solution of a masked problem to the tables of a model, and to those of its standard errors."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..game.terms import PresenceSet
from ..model.additive_model import AdditiveModel
from ..model.deviations import Deviations
from ..model.index_part import IndexPart
from ..model.linear_part import LinearPart
from ..table.bases import LocalBasis
from .design import ValueFunctions
from .linear_base import LinearBase
from .moments import CentredMoments
from .problem import MaskedProblem
from .solve import Solution

# Sizes of deviations that single precision holds; others are kept in double precision.
_SINGLE = 1e-25, 1e25


class _Unknowns(NamedTuple):
    """Unknowns of one value set, by what they multiply.

    Attributes
    ----------
    members : ndarray of shape (n_members,), int64
        The set's functions.
    own : ndarray of shape (n_members,), int64
        Unknown of each function under the set's own players.
    wide : ndarray of shape (n_wide,), int64
        Which members are repeated under larger presence sets.
    larger : list of (presence set, unknowns, their places in ``wide``)
    base : presence set of the set's own players
    """

    members: NDArray[np.int64]
    own: NDArray[np.int64]
    wide: NDArray[np.int64]
    larger: list[tuple[PresenceSet, NDArray[np.int64], NDArray[np.int64]]]
    base: PresenceSet


def _find_unknowns(owner: int, problem: MaskedProblem, functions: ValueFunctions) -> _Unknowns:
    members = np.flatnonzero(functions.owners == owner)
    unknowns = np.flatnonzero(functions.owners[problem.functions] == owner)
    used = problem.functions[unknowns] - members[0]
    numbers = problem.presence[unknowns]
    base, *others = dict.fromkeys(numbers.tolist())
    is_own = numbers == base
    own = np.empty(len(members), dtype=np.int64)
    own[used[is_own]] = unknowns[is_own]
    wide = np.unique(used[~is_own])
    larger = [
        (problem.presence_sets[number], unknowns[numbers == number], np.searchsorted(wide, used[numbers == number]))
        for number in others
    ]
    return _Unknowns(members, own, wide, larger, problem.presence_sets[base])


def expand_solution(
    problem: MaskedProblem,
    functions: ValueFunctions,
    solution: Solution,
    total: CentredMoments,
    bases: tuple[tuple[LocalBasis, ...], ...],
    n_players: int,
    base: LinearBase | None = None,
) -> AdditiveModel:
    """Tables of a solved problem, and its linear base; each part is shifted to mean zero on the training rows."""
    tables, mixings, presence_sets = [], [], []
    value_sets = [values for values in functions.value_sets if values]
    for owner in range(len(value_sets)):
        table, mixing, sets = _expand_value_set(owner, problem, functions, solution.coefficients, total.means)
        tables.append(table)
        mixings.append(mixing)
        presence_sets.append(sets)
    linear = None if base is None else _expand_base(base, functions, total.means)
    content = tuple(value_sets), tuple(presence_sets), tuple(tables), tuple(mixings), total.output_means.copy()
    index = _expand_indices(problem, functions, solution.coefficients, total.means)
    return AdditiveModel(bases, *content, n_players, linear=linear, index=index)


def _expand_indices(
    problem: MaskedProblem, functions: ValueFunctions, coefficients: NDArray[np.float64], means: NDArray[np.float64]
) -> IndexPart | None:
    """The part of linear predictions, by outputs."""
    indices = functions.indices
    if indices is None:
        return None
    spread = np.zeros((len(indices) * indices.values.shape[2], coefficients.shape[1]))
    centres = np.zeros(len(spread))
    numbers, first = functions.index_numbers, len(functions) - len(functions.index_numbers)
    spread[numbers] = coefficients[problem.functions >= first]
    centres[numbers] = means[first:]
    shape = len(indices), indices.values.shape[2]
    return indices.combine(spread.reshape(*shape, -1), centres.reshape(shape))


def _expand_base(base: LinearBase, functions: ValueFunctions, means: NDArray[np.float64]) -> LinearPart:
    """A base with its scores as tables, column by column."""
    owners = functions.owners[base.scores]
    columns, tables = [], []
    for owner in np.unique(owners):
        members = np.flatnonzero(functions.owners == owner)
        own = base.scores[owners == owner]
        picked = np.eye(len(members))[:, own - members[0]]
        tables.append(functions.expand(int(owner), picked) - means[own])
        columns.append(functions.value_sets[owner][0])
    return LinearPart(tuple(columns), tuple(tables), base.players, base.covariance, base.cross, base.credits)


def _expand_value_set(
    owner: int,
    problem: MaskedProblem,
    functions: ValueFunctions,
    coefficients: NDArray[np.float64],
    means: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[PresenceSet, ...]]:
    """Parts of one value set: its own curve (one an output), then the functions repeated under larger presence sets."""
    members, own, wide, larger, base = _find_unknowns(owner, problem, functions)
    n_outputs = coefficients.shape[1]
    combined = np.hstack([coefficients[own], np.eye(len(members))[:, wide]])  # (n_functions, n_parts)
    mixing = np.zeros((combined.shape[1], 1 + len(larger), n_outputs))
    mixing[np.arange(n_outputs), 0, np.arange(n_outputs)] = 1.0
    for place, (_, unknowns, rows) in enumerate(larger, start=1):
        mixing[n_outputs + rows, place] = coefficients[unknowns]
    table = functions.expand(owner, combined) - means[members] @ combined
    return table, mixing, (base, *(presence for presence, _, _ in larger))


def expand_deviations(
    model: AdditiveModel,
    problem: MaskedProblem,
    functions: ValueFunctions,
    means: NDArray[np.float64],
    changes: NDArray[np.float64],
    shifts: NDArray[np.float64],
    base: NDArray[np.float64],
) -> Deviations:
    """Tables of jackknife deviations of a model that :func:`expand_solution` made of the same problem.

    Parameters
    ----------
    means : ndarray of shape (n_functions,), float64
        At which the model's parts are centred.
    changes : ndarray of shape (n_unknowns, n_outputs · n_groups), float64
        Deviations of the coefficients.
    shifts : ndarray of shape (n_unknowns, n_outputs · n_groups), float64
        Deviations of each unknown's part that come from centring elsewhere.
    base : ndarray of shape (n_outputs, n_groups), float64
        Deviations of the base value.
    """
    curves, mixings, constants = [], [], []
    largest = max(float(np.abs(each).max(initial=0.0)) for each in (changes, shifts, base))
    kind = np.float32 if _SINGLE[0] < largest < _SINGLE[1] or not largest else np.float64
    for owner in range(len([values for values in functions.value_sets if values])):
        members, own, wide, larger, _ = _find_unknowns(owner, problem, functions)
        own_shift = shifts[own].sum(axis=0) - means[members] @ changes[own]
        curves.append((functions.expand(owner, changes[own]) + own_shift).astype(kind))
        mixing = np.zeros((len(wide), len(larger), base.size), dtype=kind)
        constant = np.zeros((len(larger), base.size), dtype=kind)
        for place, (_, unknowns, rows) in enumerate(larger):
            mixing[rows, place] = changes[unknowns]
            constant[place] = shifts[unknowns].sum(axis=0)
        mixings.append(mixing)
        constants.append(constant)
    index = _expand_indices(problem, functions, changes, means)
    if index is not None:
        index = replace(index, values=(index.values + _gather_shifts(problem, functions, shifts)[:, None]).astype(kind))
    return Deviations(model, tuple(curves), tuple(mixings), tuple(constants), base.astype(kind), index=index)


def _gather_shifts(
    problem: MaskedProblem, functions: ValueFunctions, shifts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum of the shifts of each index's functions, shape (n_indices, n_outputs · n_groups)."""
    assert functions.indices is not None
    numbers, n_own = functions.index_numbers, functions.indices.values.shape[2]
    total = np.zeros((len(functions.indices), shifts.shape[1]))
    np.add.at(total, numbers // n_own, shifts[problem.functions >= len(functions) - len(numbers)])
    return total
