"""A choice among candidates that are made one after the other, which ends early."""

from collections.abc import Iterable
from typing import TypeVar

# Candidates in a row that are no better, after which no more are made.
_N_WORSE = 2

Candidate = TypeVar("Candidate")


def take_first_lowest(candidates: Iterable[tuple[float, Candidate]]) -> Candidate:
    """The candidate of the lowest criterion, the earlier of equal ones, before two in a row are not the lowest so far.

    Parameters
    ----------
    candidates : iterable of pairs
        Criterion and candidate, at least one pair; those after the end are not made.

    Examples
    --------
    >>> take_first_lowest([(3.0, "a"), (4.0, "b"), (2.0, "c"), (2.0, "d"), (5.0, "e"), (1.0, "f")])
    'c'
    """
    remaining = iter(candidates)
    lowest, best = next(remaining)
    n_worse = 0
    for criterion, candidate in remaining:
        n_worse += 1
        if criterion < lowest:
            lowest, best, n_worse = criterion, candidate, 0
        if n_worse == _N_WORSE:
            break
    return best
