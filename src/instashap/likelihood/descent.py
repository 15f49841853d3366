"""Limited-memory quasi-Newton descent with a problem-specific preconditioner (Nocedal & Wright 2006, algorithm 7.5)."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .._status import Status
from .descent_kernels import add_steps, subtract_bends

Vector = NDArray[np.float64]

_MEMORY = 40
# A step must lower the objective by at least this share of its length times the slope (Armijo).
_SUFFICIENT = 1e-4
_MAX_HALVINGS = 30
# Rounding hides decreases below this share of the value; the slope along the step is compared instead (Hager & Zhang 2005).
_ROUNDING = 1e-13


@dataclass(frozen=True)
class Descent:
    """Result of a descent.

    Attributes
    ----------
    point : ndarray
    value : float
    n_passes : int
        Evaluations of the objective.
    scale : float
        Factor on the preconditioner at the last step, with which the next descent can start.
    status : Status
        Not converged if the descent reached its limit of steps. The residual is the length of the last gradient in the
        preconditioner's metric, relative to the root of the value: about the relative error of the point in that metric.
    """

    point: Vector
    value: float
    n_passes: int
    scale: float
    status: Status

    @property
    def has_converged(self) -> bool:
        return self.status.has_converged


@dataclass
class History:
    """The last :data:`_MEMORY` steps and changes of the gradient: an approximate inverse Hessian of ``size`` unknowns."""

    size: int
    n_added: int = 0
    steps: Vector = field(init=False, repr=False)
    bends: Vector = field(init=False, repr=False)
    products: Vector = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.steps, self.bends = np.empty((_MEMORY, self.size)), np.empty((_MEMORY, self.size))
        self.products = np.empty(_MEMORY)

    def add(self, step: Vector, bend: Vector) -> None:
        """Keep a step and the change of the gradient along it, if they show a curvature above zero."""
        product = float(step @ bend)
        if product > 1e-12 * float(np.sqrt((step @ step) * (bend @ bend))):
            place = self.n_added % _MEMORY
            self.steps[place], self.bends[place], self.products[place] = step, bend, product
            self.n_added += 1

    def find_direction(
        self, gradient: Vector, precondition: Callable[[Vector], Vector], scale: float
    ) -> tuple[Vector, float]:
        """Minus the approximate inverse Hessian times the gradient, and the factor on the preconditioner."""
        newest, n_pairs = (self.n_added - 1) % _MEMORY, min(self.n_added, _MEMORY)
        pairs = self.steps, self.bends, self.products, newest, n_pairs
        target, shares = gradient.copy(), np.empty(_MEMORY)
        subtract_bends(*pairs, target, shares)
        result = precondition(target)
        if n_pairs:
            bend = self.bends[newest]
            scale = float(self.products[newest]) / float(bend @ precondition(bend))
        result *= scale
        add_steps(*pairs, shares, result)
        return -result, scale


def descend(
    objective: Callable[[Vector], tuple[float, Vector]],
    start: Vector,
    precondition: Callable[[Vector], Vector],
    *,
    tolerance: float,
    max_steps: int,
    scale: float = 1.0,
) -> Descent:
    """The point of least value of a smooth function, as far as the descent came.

    Parameters
    ----------
    objective : callable
        Returns value and gradient at a point.
    start : ndarray
    precondition : callable
        Applies an approximate inverse Hessian, symmetric and positive definite.
    tolerance : float
        The descent ends when two steps in a row are expected to lower the value by less than this share of it. The expected
        decrease is half the squared length of the gradient in the metric of the inverse Hessian, which is known to more
        digits than the value itself: 1e-20 means ten digits of the point.
    max_steps : int
    scale : float
        Factor on the preconditioner at the first step.
    """
    point, (value, gradient) = start, objective(start)
    history = History(len(point))
    n_passes = 1
    n_idle = 0
    left = np.inf

    def end(n_steps: int, has_converged: bool = True) -> Descent:
        return Descent(point, value, n_passes, scale, Status(has_converged, n_steps, left**0.5))

    for n_steps in range(max_steps):
        direction, scale = history.find_direction(gradient, precondition, scale)
        slope = float(gradient @ direction)
        left = max(-0.5 * slope, 0.0) / max(abs(value), 1e-300)
        if not slope < 0.0:
            return end(n_steps)
        length, new_value, new_gradient, tried = _search_line(objective, point, value, slope, direction)
        n_passes += tried
        if length == 0.0:
            return end(n_steps)
        step, bend = length * direction, new_gradient - gradient
        history.add(step, bend)
        point = point + step
        value, gradient = new_value, new_gradient
        n_idle = n_idle + 1 if -0.5 * slope <= tolerance * abs(value) else 0
        if n_idle == 2:
            return end(n_steps + 1)
    return end(max_steps, has_converged=False)


def _search_line(
    objective: Callable[[Vector], tuple[float, Vector]], point: Vector, value: float, slope: float, direction: Vector
) -> tuple[float, float, Vector, int]:
    """Step length, value and gradient there, and number of evaluations; length 0 if no step lowers the objective enough.

    Quadratic interpolation reduces the length until the objective, or its slope, is low enough.
    """
    length = 1.0
    for tried in range(1, _MAX_HALVINGS + 1):
        new_value, new_gradient = objective(point + length * direction)
        is_lower = new_value <= value + _SUFFICIENT * length * slope
        if is_lower or (abs(new_value - value) <= _ROUNDING * abs(value) and abs(new_gradient @ direction) <= 0.9 * abs(slope)):
            return length, new_value, new_gradient, tried
        best = -0.5 * slope * length**2 / (new_value - value - slope * length) if np.isfinite(new_value) else 0.0
        length *= min(max(best / length, 0.1), 0.5)
    return 0.0, value, direction, _MAX_HALVINGS
