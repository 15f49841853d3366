"""The one rule by which a fit chooses: the simplest candidate that no other beats by more than a stated tolerance.

Among models (order, resolution, presence sets) the tolerance is one standard error of the folds'
differences: what all folds share, such as the part of the output that no model can explain, cancels in them. Among strengths
of a penalty it is what their solutions are good to: a ten-millionth of the risk, or a ten-thousandth where systems are so
large that they are solved step by step. A whole standard error would smooth too much; among penalised derivatives it is a
hundred-thousandth. Choices then do not depend on the processor, nor on the order
of rows and columns.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

# Standard errors of the folds' differences by which a richer model must lower the held-out risk.
N_ERRORS = 1.0
# Least share of the risk that a richer model must save; smaller gains are rounding.
MIN_GAIN = 1e-5
# Share of the risk by which a weaker penalty must lower it; and where solutions are less exact.
MIN_STEP_GAIN, MIN_LARGE_STEP_GAIN = 1e-7, 1e-4

Point = TypeVar("Point")


def lowers_risk(richer: NDArray[np.float64], simpler: NDArray[np.float64]) -> bool:
    """Whether a richer model's held-out risk is lower than a simpler one's by more than the tolerance.

    Parameters
    ----------
    richer, simpler : ndarray of shape (n_folds,), float64
        What each fold adds to the model's risk.

    Examples
    --------
    >>> lowers_risk(np.array([0.1, 0.1]), np.array([0.2, 0.2])), lowers_risk(np.array([0.1, 0.3]), np.array([0.2, 0.25]))
    (True, False)
    """
    if not np.isfinite(richer).all():  # nothing could be held out: nothing is known to be better
        return False
    gains = simpler - richer
    gain, n_folds = gains.sum(), len(gains)
    if not gain > MIN_GAIN * simpler.sum():
        return False
    error = np.sqrt(n_folds / (n_folds - 1) * ((gains - gain / n_folds) ** 2).sum()) if n_folds > 1 else 0.0
    return bool(gain > N_ERRORS * error)


def walk(evaluate: Callable[[int], float], start: int, n_points: int, min_gain: float = MIN_STEP_GAIN) -> int:
    """Point of a grid, ordered from weak to strong penalties: that of the lowest risk, or a stronger one that is as good.

    Parameters
    ----------
    evaluate : callable
        Number of a point to its risk.
    start : int
        Where to begin.
    n_points : int
    min_gain : float
        Share of the risk by which a weaker penalty must lower it.
    """
    point = _descend(evaluate, start, n_points)
    limit = evaluate(point) * (1 + min_gain)
    while point + 1 < n_points and evaluate(point + 1) <= limit:
        point += 1
    return point


def _descend(evaluate: Callable[[int], float], start: int, n_points: int) -> int:
    """Towards strong penalties, or else weak ones, as long as the risk falls."""
    for direction in (1, -1):
        point = start
        while 0 <= point + direction < n_points and evaluate(point + direction) < evaluate(point):
            point += direction
        if point != start:
            return point
    return start


def prefer_simplest(candidates: Sequence[tuple[Point, NDArray[np.float64]]]) -> Point:
    """The first of some candidates whose risk is the lowest, or above it by rounding only (:data:`MIN_GAIN`).

    The candidates are kinds of smoothness with as many unknowns: none is poorer, so none has to win by a standard error.

    Parameters
    ----------
    candidates : sequence of (candidate, ndarray of shape (n_folds,))
        Each with what each fold adds to its risk.
    """
    lowest = min(float(risks.sum()) for _, risks in candidates)
    return next(point for point, risks in candidates if float(risks.sum()) <= lowest * (1 + MIN_GAIN))
