"""Strengths of the penalties, and the walk along their grids."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .choose import MIN_STEP_GAIN, walk
from .design import ValueFunctions
from .problem import Penalty

# Grids, by factors of ten: smoothing from almost none to almost a parabola.
ROUGHNESS_GRID = tuple(10.0**power for power in range(-11, 2))
# A ridge of 1e-5 shrinks nothing anyone could see, and keeps ten digits in the answer.
RIDGE_GRID = tuple(10.0**power for power in range(-5, 2))
INTERACTION_GRID = (1.0, 3.0, 10.0, 30.0, 100.0)
PRESENCE_GRID = (0.0, 1.0, 10.0)
# Shares of synthetic rows, if there are any: none is the simplest.
SYNTHETIC_GRID = (0.97, 0.9, 0.75, 0.5, 0.25, 0.1, 0.0)
# From weak to strong: the stronger the penalty, the simpler the model.
_GRIDS = {
    "roughness": ROUGHNESS_GRID,
    "ridge": RIDGE_GRID,
    "interaction": INTERACTION_GRID,
    "presence": PRESENCE_GRID,
    "synthetic": SYNTHETIC_GRID,
}


@dataclass(frozen=True)
class Strengths:
    """Penalty strengths.

    Attributes
    ----------
    roughness : float
        On squared derivatives.
    ridge : float
        On prior precision (about pseudo-rows per row for rare categories).
    interaction : float
        Factor on both for every column of a term beyond the first.
    presence : float
        Factor of what is added for parts under presence sets larger than the function's own players.
    synthetic : float
        Share of the moments that come from synthetic rows (:mod:`.synthetic`).
    """

    roughness: float = 1e-5
    ridge: float = 1e-5
    interaction: float = 1.0
    presence: float = 0.0
    synthetic: float = 0.0

    def penalise(self, functions: ValueFunctions) -> Penalty:
        """The penalty these strengths mean for some functions."""
        own = self.roughness * functions.roughness + self.ridge * functions.ridge
        return Penalty(own * self.interaction ** (functions.sizes - 1.0), self.presence)


def descend(
    evaluate: Callable[[Strengths], float], start: Strengths, free: Sequence[str], min_gain: float = MIN_STEP_GAIN
) -> Strengths:
    """One coordinate after the other, walking on its grid; ``free`` names the order and any repeats."""
    best = start
    for name in free:
        grid = _GRIDS[name]
        logs, wanted = np.log(np.maximum(grid, 1e-300)), np.log(max(getattr(best, name), 1e-300))
        best = _walk(evaluate, best, name, int(np.argmin(np.abs(logs - wanted))), min_gain)
    evaluate(best)
    return best


def _walk(
    evaluate: Callable[[Strengths], float], start: Strengths, name: str, nearest: int, min_gain: float
) -> Strengths:
    trials = [replace(start, **{name: value}) for value in _GRIDS[name]]
    return trials[walk(lambda point: evaluate(trials[point]), nearest, len(trials), min_gain)]
