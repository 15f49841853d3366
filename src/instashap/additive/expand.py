"""From the solution of a masked problem to the tables of a model."""

import numpy as np
from numpy.typing import NDArray

from ..game.terms import PresenceSet
from ..table.bases import LearntColumn
from .design import ValueFunctions
from .model import AdditiveModel
from .moments import Moments
from .solve import MaskedProblem, Solution


def expand_solution(
    problem: MaskedProblem,
    functions: ValueFunctions,
    solution: Solution,
    total: Moments,
    columns: tuple[LearntColumn, ...],
    n_players: int,
) -> AdditiveModel:
    """Tables of a solved problem; each part is shifted to mean zero on the training rows."""
    tables, mixings, presence_sets = [], [], []
    for owner in range(len(functions.value_sets)):
        table, mixing, sets = _expand_value_set(owner, problem, functions, solution.coefficients, total.means)
        tables.append(table)
        mixings.append(mixing)
        presence_sets.append(sets)
    bases = tuple(column.encoder.bases for column in columns)
    base = total.output_means.copy()
    return AdditiveModel(bases, functions.value_sets, tuple(presence_sets), tuple(tables), tuple(mixings), base, n_players)


def _expand_value_set(
    owner: int,
    problem: MaskedProblem,
    functions: ValueFunctions,
    coefficients: NDArray[np.float64],
    means: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[PresenceSet, ...]]:
    """Parts of one value set: its own curve (one an output), then the functions repeated under larger presence sets."""
    members = np.flatnonzero(functions.owners == owner)
    unknowns = np.flatnonzero(functions.owners[problem.functions] == owner)
    used = problem.functions[unknowns] - members[0]
    numbers = problem.presence[unknowns]
    base, *larger = dict.fromkeys(numbers.tolist())
    n_outputs = coefficients.shape[1]
    own = np.zeros((len(members), n_outputs))
    own[used[numbers == base]] = coefficients[unknowns[numbers == base]]
    wide = np.unique(used[numbers != base])
    combined = np.hstack([own, np.eye(len(members))[:, wide]])  # (n_functions, n_parts)
    mixing = np.zeros((combined.shape[1], 1 + len(larger), n_outputs))
    mixing[np.arange(n_outputs), 0, np.arange(n_outputs)] = 1.0
    for place, number in enumerate(larger, start=1):
        at = numbers == number
        mixing[n_outputs + np.searchsorted(wide, used[at]), place] = coefficients[unknowns[at]]
    table = functions.expand(owner, combined) - means[members] @ combined
    return table, mixing, tuple(problem.presence_sets[number] for number in (base, *larger))
