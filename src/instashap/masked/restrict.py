"""A smaller problem from a large one, for what needs a factor of its matrix."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .design import ValueFunctions
from .problem import MaskedProblem


def restrict(problem: MaskedProblem, kept: NDArray[np.int64]) -> MaskedProblem:
    """The problem of some of the unknowns, in the order given; the others are zero."""
    return replace(
        problem, functions=problem.functions[kept], presence=problem.presence[kept], is_extra=problem.is_extra[kept]
    )


def choose_unknowns(problem: MaskedProblem, functions: ValueFunctions, limit: int) -> NDArray[np.int64]:
    """Positions of at most ``limit`` unknowns, rising: what is left out are the finest parts under larger presence sets.

    Unknowns of one rank and one size of presence set stay or go together, so the order of the columns does not matter. Those
    of a function under its own players always stay, even if they are more than the limit.
    """
    if len(problem) <= limit:
        return np.arange(len(problem))
    ranks = functions.ranks[problem.functions] * problem.is_extra
    sizes = np.array([len(each) for each in problem.presence_sets])[problem.presence] * problem.is_extra
    kinds = ranks * (len(problem.size_law) + 1) + sizes
    order = np.argsort(kinds, kind="stable")
    ends = np.flatnonzero(np.diff(kinds[order], append=np.inf)) + 1  # of each kind
    n_kept = ends[max(int(np.searchsorted(ends, limit, side="right")) - 1, 0)]
    return np.sort(order[:n_kept])
