"""Rules of single arrays of a saved explainer: each answers what is wrong, or None."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .members import Rule, Scope


def between_values(edges: NDArray[Any], scope: Scope) -> str | None:
    """Require an edge between every two values that have their own cell."""
    cells = np.searchsorted(edges, np.asarray(scope["values"], dtype=np.float64))
    return None if (np.diff(cells) > 0).all() else "does not lie between the column's values"


def active(first: NDArray[Any], scope: Scope) -> str | None:
    """Require that the functions of every cell are among those of its basis."""
    last, n_functions = int(first.max(initial=0)) + scope["width"], scope["n_functions"]
    # Few functions may lie outside of all cells; the limit bounds the memory of a basis by the size of its file.
    if first.min(initial=0) < 0 or not last <= n_functions <= 2 * len(first) + 64:
        return "names functions that its basis does not have"
    return None


def parts(bins: NDArray[Any], scope: Scope) -> str | None:
    """Require parts of the grid, or -1 for a cell that is in none."""
    return None if ((bins >= -1) & (bins <= scope["side"])).all() else "names parts that its grid does not have"


def every_pair(seen: NDArray[Any], scope: Scope) -> str | None:
    """Require a line for every two columns, or no line at all."""
    n_pairs = scope["n_columns"] * (scope["n_columns"] - 1) // 2
    return None if len(seen) in (0, n_pairs) else "does not have a line for every two columns"


def solvable(covariance: NDArray[Any], _: Scope) -> str | None:
    """Symmetric and positive definite."""
    if not np.array_equal(covariance, covariance.T):
        return "is not symmetric"
    try:
        np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return "is not positive definite"
    return None


def rising_starts(cuts: NDArray[Any], scope: Scope) -> str | None:
    """Starts of the steps rise; below them are ranks."""
    is_right = (np.diff(cuts[0]) > 0).all() and (cuts[1] >= 0).all()
    return None if is_right else "does not hold rising starts and their ranks"


def ranked_functions(axis: NDArray[Any], scope: Scope) -> str | None:
    """The last three lines hold roughness, ridge and rank of each function."""
    return None if (axis[-3:] >= 0).all() else "holds functions of negative roughness, ridge or rank"


def below(size: str) -> Rule:
    """Numbers from 0 on, below a size."""

    def check(numbers: NDArray[Any], scope: Scope) -> str | None:
        return None if ((numbers >= 0) & (numbers < scope[size])).all() else "numbers what is not there"

    return check


# Errors are stored in single precision, or in double precision if outputs exceed its range.
