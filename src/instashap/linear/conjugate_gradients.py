"""Preconditioned conjugate gradients (Hestenes and Stiefel 1952), several right-hand sides side by side."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .._status import Status


def conjugate_gradients(
    multiply: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    precondition: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    target: NDArray[np.float64],
    *,
    tolerance: float,
    start: NDArray[np.float64] | None = None,
    max_steps: int = 400,
) -> tuple[NDArray[np.float64], Status]:
    """Solution and status of preconditioned conjugate gradients, a separate sequence per column of ``target``.

    Iterations stop when every relative residual is at most ``tolerance``, or after ``max_steps``; the status holds the largest.
    """
    solution = np.zeros_like(target) if start is None else start.copy()
    residual = target - (multiply(solution) if start is not None else 0.0)
    size = np.maximum((target**2).sum(axis=0), 1e-200)
    direction = precondition(residual)
    slope = (residual * direction).sum(axis=0)
    n_steps = 0
    while (left := float(((residual**2).sum(axis=0) / size).max(initial=0.0))) > tolerance**2 and n_steps < max_steps:
        product = multiply(direction)
        curvature = (direction * product).sum(axis=0)
        step = np.divide(slope, curvature, out=np.zeros_like(slope), where=curvature > 0)
        solution += step * direction
        residual = residual - step * product
        conditioned = precondition(residual)
        new_slope = (residual * conditioned).sum(axis=0)
        direction = conditioned + np.divide(new_slope, slope, out=np.zeros_like(slope), where=slope > 0) * direction
        slope = new_slope
        n_steps += 1
    return solution, Status(left <= tolerance**2, n_steps, left**0.5)
