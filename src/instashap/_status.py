"""Convergence of iterative computations, and the one place that warns of one that did not converge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ._errors import FitWarning, warn_caller


@dataclass(frozen=True)
class Status:
    """How an iterative computation ended.

    Attributes
    ----------
    has_converged : bool
        Whether the residual is small enough for the purpose.
    n_steps : int
        Steps taken.
    residual : float
        Residual of the equations that the result should satisfy, relative to their right-hand side or to the minimised value; 0
        for an exact result.
    what : str
        The equations, as the subject of a sentence, in the plural.
    knob : str
        Advice on how to reduce the residual, as the end of a sentence.
    """

    has_converged: bool
    n_steps: int
    residual: float
    what: str = "the equations"
    knob: str = ""

    def name(self, what: str, knob: str) -> Status:
        """The same status with a subject and advice."""
        return replace(self, what=what, knob=knob)

    def accept(self, limit: float) -> Status:
        """The same status, where converged means a residual of at most ``limit``."""
        return replace(self, has_converged=self.residual <= limit)

    def describe(self) -> str:
        """One sentence.

        Examples
        --------
        >>> Status(False, 80, 0.002, "the normal equations", "ask for a lower order").describe()
        'the normal equations hold to 2.0e-03 only, after 80 steps; ask for a lower order'
        """
        only = "" if self.has_converged else " only"
        advice = "" if self.has_converged or not self.knob else f"; {self.knob}"
        return f"{self.what} hold to {self.residual:.1e}{only}, after {self.n_steps} steps{advice}"

    def to_dict(self) -> dict[str, Any]:
        """The status as a dict of JSON values."""
        return {"what": self.what, "converged": self.has_converged, "steps": self.n_steps, "residual": float(self.residual)}


def merge_worst(statuses: Iterable[Status]) -> Status:
    """The status of several computations together: the largest residual and the greatest number of steps.

    Examples
    --------
    >>> merge_worst([Status(True, 9, 1e-8), Status(False, 5, 1e-2)])
    Status(has_converged=False, n_steps=9, residual=0.01, what='the equations', knob='')
    """
    every = list(statuses)
    if not every:
        return Status(True, 0, 0.0)
    worst = max(every, key=lambda status: status.residual)
    return replace(
        worst,
        has_converged=all(status.has_converged for status in every),
        n_steps=max(status.n_steps for status in every),
    )


def warn_unless_converged(*statuses: Status) -> None:
    """Issue a :class:`FitWarning` for each computation that did not converge."""
    for status in statuses:
        if not status.has_converged:
            warn_caller(status.describe(), FitWarning)
