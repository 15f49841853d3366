"""A model that a search may choose, and what is known of it once it was judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import comb

import numpy as np
from numpy.typing import NDArray

from .._status import Status
from ..game.terms import ANY, PresenceSet
from .choose import lowers_risk
from .design import ValueFunctions
from .linear_base import BaseSetting, LinearBase
from .problem import MaskedProblem, make_problem
from .solve import Solution
from .strengths import Strengths


@dataclass(frozen=True)
class Candidate:
    """A model to be judged: which functions, under which presence sets.

    Attributes
    ----------
    order : int
        The most columns a shape function reads.
    presence_order : int
        The most players a presence set holds.
    resolution : mapping of int to int
        Largest rank kept of the terms of each size.
    extra_ranks : tuple of int
        For terms of one, two, three columns: ranks that are repeated under larger presence sets.
    written_order : int or None
        The most players a presence set holds that is written out; larger ones are tied, and so are some of those up to it
        that are not on offer by themselves. None: no set is tied.
    base : BaseSetting or None
        Strengths of a linear base that the functions are fitted beside.
    indices : bool
        Whether the functions of linear predictions are among them.
    """

    order: int
    presence_order: int
    resolution: Mapping[int, int]
    extra_ranks: tuple[int, ...]
    written_order: int | None = None
    base: BaseSetting | None = None
    indices: bool = False

    def offers(self, presence: PresenceSet) -> bool:
        """Whether a presence set may be used."""
        if ANY in presence:
            return self.written_order is not None and len(presence) <= self.presence_order
        return len(presence) <= (self.presence_order if self.written_order is None else self.written_order)

    def keeps(self, functions: ValueFunctions) -> NDArray[np.bool_]:
        """Which functions belong to the candidate."""
        sizes = functions.sizes
        limit = np.array([0] + [self.resolution.get(size, 10**9) for size in (1, 2, 3)])
        return (sizes <= self.order) & (functions.ranks <= limit[sizes]) & (self.indices | (sizes > 0))


@dataclass(frozen=True)
class Solved:
    """A candidate's unknowns and their values: on all rows, and on the rows outside each fold that judges.

    Solutions of large problems are good enough to judge by; the one kept is :meth:`Judge.polish`-ed.
    """

    problem: MaskedProblem
    functions: ValueFunctions
    solution: Solution
    fold_coefficients: tuple[NDArray[np.float64], ...]
    base: LinearBase | None = None
    fold_bases: tuple[LinearBase, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """A candidate with its best strengths and its held-out risks.

    ``risk`` and ``full_risk`` are summed over outputs, each relative to the output's variance; ``full_risk`` is at the full
    coalition (one minus the cross-validated R²). ``fold_risks`` are what the folds add to ``risk``, and ``status`` is that of
    the solves it was judged by.
    """

    candidate: Candidate
    strengths: Strengths
    risk: float
    full_risk: float
    n_unknowns: int
    fold_risks: NDArray[np.float64] = field(default_factory=lambda: np.full(1, np.inf), repr=False, compare=False)
    status: Status = field(default_factory=lambda: Status(True, 0, 0.0), repr=False)

    def lowers_risk(self, simpler: "Judgement") -> bool:
        """Whether this candidate's risk is below a simpler one's by more than the tolerance of :mod:`.choose`."""
        return lowers_risk(self.fold_risks, simpler.fold_risks)


def make_candidate_problem(
    candidate: Candidate,
    functions: ValueFunctions,
    presence_sets: Mapping[int, Sequence[PresenceSet]],
    players: Sequence[int],
    size_law: NDArray[np.float64],
) -> MaskedProblem:
    """Unknowns of a candidate, given the presence sets on offer by size.

    Tied sets say nothing that all sets of their size have not said.
    """
    offered: list[PresenceSet] = []
    for size, sets in presence_sets.items():
        own = [each for each in sets if candidate.offers(each)]
        written = [each for each in own if ANY not in each]
        offered += written if len(written) == comb(len(size_law) - 1, size) else own
    return make_problem(functions, offered, candidate.extra_ranks, players, size_law)
