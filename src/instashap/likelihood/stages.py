"""Values that a fit by likelihood passes on: labelled rows, tables fitted to them, and their loss on held-out rows."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._status import Status
from ..table.encoding import Encoded
from .roughness import TermStrengths
from .tables import TableDesign


@dataclass(frozen=True)
class LabelledRows:
    """Encoded rows with targets (n_rows,) and weights (n_rows,)."""

    encoded: Encoded
    target: NDArray[np.float64]
    weights: NDArray[np.float64]

    def take(self, rows: NDArray[np.int64]) -> "LabelledRows":
        """Some of the rows."""
        return LabelledRows(self.encoded.take(rows), self.target[rows], self.weights[rows])


# Training rows, and those held out.
Fold = tuple[LabelledRows, LabelledRows | None]


@dataclass(frozen=True)
class LikelihoodFit:
    """Fitted tables.

    Attributes
    ----------
    design : TableDesign
    vector : ndarray of shape (size,), float64
        Tables and intercepts, in the order of the design.
    strengths : TermStrengths
    freedom : ndarray of shape (n_terms,), float64
        Degrees of freedom that each term uses, summed over outputs.
    deviance : float
        Mean held-out loss of the chosen terms and strengths; infinite if no rows could be held out.
    tried : tuple of dict
        Candidates with their held-out losses and the residuals of their descents, as JSON.
    note : str
        Warning to the user about the choice; empty if there is none.
    status : Status
        How the last descent, on all rows, ended.
    """

    design: TableDesign
    vector: NDArray[np.float64] = field(repr=False)
    strengths: TermStrengths = field(repr=False)
    freedom: NDArray[np.float64] = field(repr=False)
    deviance: float
    tried: tuple[dict[str, Any], ...] = field(repr=False)
    note: str = ""
    status: Status = field(default_factory=lambda: Status(True, 0, 0.0), repr=False)


@dataclass(frozen=True)
class FoldState:
    """A fit on one fold's training rows."""

    vector: NDArray[np.float64]
    strengths: TermStrengths
    freedom: NDArray[np.float64]
    scale: float
    status: Status = field(default_factory=lambda: Status(True, 0, 0.0))


@dataclass(frozen=True)
class Stage:
    """Fits of a design on every fold's training rows, their mean held-out loss, and its dispersion and weight."""

    design: TableDesign
    states: tuple[FoldState, ...]
    deviance: float = np.inf
    noise: float = 1.0
    weight: float = 0.0
    losses: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))  # of held-out rows
    row_weights: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def beats(self, other: "Stage", nats: float, n_errors: float = 0.0) -> bool:
        """Whether the summed held-out loss is lower by more than ``nats`` and by more than ``n_errors`` standard errors.

        The standard errors are those of the summed differences per row. It is True if the other stage has no held-out rows.
        """
        if not other.weight:
            return True
        gains = other.losses - self.losses
        gain = float(self.row_weights @ gains)
        error = float(np.sqrt(self.row_weights @ (gains - gain / self.weight) ** 2))  # a row of weight w is w rows
        return bool(gain > max(nats * self.noise, n_errors * error))


def rearrange(design: TableDesign, state: FoldState, target: TableDesign, information: float) -> FoldState:
    """A state's tables and strengths in another design: new terms have tables of zeros, terms not in it are dropped."""
    strengths = TermStrengths.start([len(values) for values in target.value_sets], information)
    vector, freedom = np.zeros(len(target)), np.zeros(len(target.value_sets))
    vector[target.starts[-1] :] = state.vector[design.starts[-1] :]
    place = {values: term for term, values in enumerate(design.value_sets)}
    for term, values in enumerate(target.value_sets):
        if values in place:
            old = place[values]
            target.view(vector, term)[...] = design.view(state.vector, old)
            strengths.roughness[term], strengths.ridge[term] = state.strengths.roughness[old], state.strengths.ridge[old]
            freedom[term] = state.freedom[old]
    return FoldState(vector, strengths, freedom, state.scale)
