"""The one rule by which a fit chooses: the simplest candidate that no other beats by more than a stated tolerance.

Risks are compared fold by fold: what all folds share, such as the part of the output that no model can explain, cancels in the
differences. A difference counts from :data:`N_ERRORS` standard errors of the folds' differences on, and never if it is so small
a share of the risk that rounding could make it. Choices then do not depend on the processor, nor on the order of rows.
"""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

# Standard errors of the folds' differences by which a richer candidate, or a weaker penalty, must lower the risk.
N_ERRORS = float(os.environ.get("NERR", "0.5"))
WALK_ERRORS = float(os.environ.get("WERR", "0.5"))
# A richer model must lower the held-out risk by this share; smaller gains are rounding and chance.
MIN_GAIN = 1e-5
# … and a weaker penalty by this: solutions are good to more digits than that.
MIN_STEP_GAIN = float(os.environ.get("WREL", "1e-6"))

Point = TypeVar("Point")


def lowers_risk(
    richer: NDArray[np.float64], simpler: NDArray[np.float64], min_gain: float = MIN_GAIN, n_errors: float = N_ERRORS
) -> bool:
    """Whether a richer candidate's held-out risk is lower than a simpler one's by more than the tolerance.

    Parameters
    ----------
    richer, simpler : ndarray of shape (n_folds,), float64
        What each fold adds to the candidate's risk.
    min_gain : float
        Least gain as a share of the simpler one's risk.
    n_errors : float
        Least gain in standard errors of the folds' differences.
    """
    gains = simpler - richer
    gain, n_folds = gains.sum(), len(gains)
    if not gain > min_gain * abs(simpler.sum()):
        return False
    error = float(np.sqrt(n_folds / (n_folds - 1) * ((gains - gain / n_folds) ** 2).sum())) if n_folds > 1 else 0.0
    return bool(gain > n_errors * error)


def walk(evaluate: Callable[[int], NDArray[np.float64]], start: int, n_points: int) -> int:
    """Point of a grid, ordered from rich to simple, that the rule chooses: down to the lowest risk, and back while that is no loss.

    Parameters
    ----------
    evaluate : callable
        Number of a point to what each fold adds to its risk.
    start : int
        Where to begin.
    n_points : int
    """
    lowest = _descend(evaluate, start, n_points)
    risks = evaluate(lowest)
    chosen = lowest
    while chosen + 1 < n_points and not lowers_risk(risks, evaluate(chosen + 1), MIN_STEP_GAIN, WALK_ERRORS):
        chosen += 1
    return chosen


def _descend(evaluate: Callable[[int], NDArray[np.float64]], start: int, n_points: int) -> int:
    """Towards the simple end, or else the rich one, as long as the risk falls."""
    for direction in (1, -1):
        point = start
        while 0 <= point + direction < n_points and evaluate(point + direction).sum() < evaluate(point).sum():
            point += direction
        if point != start:
            return point
    return start


def prefer_simplest(candidates: Sequence[tuple[Point, NDArray[np.float64]]]) -> Point:
    """The first of some candidates, ordered from simple to rich, that no later one beats by more than the tolerance.

    Parameters
    ----------
    candidates : sequence of (candidate, ndarray of shape (n_folds,))
        Each with what each fold adds to its risk.
    """
    lowest = min(candidates, key=lambda each: float(each[1].sum()))
    return next(point for point, risks in candidates if point is lowest[0] or not lowers_risk(lowest[1], risks))
