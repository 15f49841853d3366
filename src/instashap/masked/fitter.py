"""Fitters: encoded rows and outputs to an additive model."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._status import Status, warn_unless_converged
from ..model.additive_model import AdditiveModel
from ..table.bases import LearntColumn
from ..table.encoding import Encoded
from .candidate import Judgement, Solved
from .drawn_search import DrawnRows
from .expand import expand_solution
from .fallback import fall_back
from .moments import CentredMoments
from .offer_base import offer_base
from .offer_index import offer_index
from .search import Search
from .search_limits import N_FOLDS, PAIR_RESOLUTIONS, TRIPLE_RESOLUTION
from .select import Judge
from .strengths import Strengths
from .synthetic import SyntheticRows, SyntheticSource, try_synthetic
from .synthetic_search import SyntheticSearch
from .tempered import TemperedRows, is_lower_in_most_folds, try_tempered


class Fitter(Protocol):
    """What every fitter does; the laws of the tests run over all that :mod:`instashap.fits.registry` names."""

    def fit(
        self, encoded: Encoded, outputs: NDArray[np.float64], weights: NDArray[np.float64], size_law: NDArray[np.float64]
    ) -> "FitResult":
        """Fit the conditional game of ``outputs`` under a mask law."""


@dataclass(frozen=True)
class FitResult:
    """A fitted model and how it was chosen.

    Attributes
    ----------
    model : AdditiveModel
    judgements : tuple of Judgement
        Every candidate tried, in order.
    chosen : Judgement
    solved : Solved
        The chosen candidate's unknowns, value functions and coefficients.
    total : CentredMoments
        Of the value functions, over all rows.
    n_folds : int
        Into how many folds the rows fell that the candidates were judged by.
    is_held_out : bool
        Whether a fold's rows were left out where candidates were judged on them; no, if the few different rows are all in each.
    note : str
        What a user should know about the choice; empty if nothing.
    mains : FitResult or None
        The best main effects that were found on the way to a model of a higher order.
    drawn : SyntheticRows or TemperedRows or None
        Rows whose moments have a share in the fit, ``chosen.strengths.synthetic``.
    """

    model: AdditiveModel
    judgements: tuple[Judgement, ...]
    chosen: Judgement
    solved: Solved = field(repr=False)
    total: CentredMoments = field(repr=False)
    n_folds: int = N_FOLDS
    is_held_out: bool = True
    note: str = ""
    mains: "FitResult | None" = field(default=None, repr=False)
    drawn: DrawnRows | None = field(default=None, repr=False)

    @property
    def synthetic(self) -> SyntheticRows | None:
        """Rows of an estimated distribution that have a share in the fit."""
        return self.drawn if isinstance(self.drawn, SyntheticRows) and self.chosen.strengths.synthetic else None

    @property
    def tail_limit(self) -> float | None:
        """Distance from the middle of the table beyond which rows count less (:mod:`.tempered`); None if all count alike."""
        return self.drawn.limit if isinstance(self.drawn, TemperedRows) else None

    @property
    def gradient(self) -> float:
        """Largest residual of the normal equations relative to their right-hand side (0 at the optimum)."""
        return self.solved.solution.gradient

    @property
    def status(self) -> Status:
        """Status of the solve that the model comes from."""
        return self.solved.solution.status


@dataclass(frozen=True)
class FitRecord:
    """What a fit has seen; kept in memory for what is computed on demand (standard errors, gains of terms, audits), not saved.

    Attributes
    ----------
    encoded : Encoded
    outputs : ndarray of shape (n_rows, n_outputs), float64
    weights : ndarray of shape (n_rows,), float64
    columns : tuple of LearntColumn
    players : tuple of int
        Player of each column.
    size_law : ndarray of shape (n_players + 1,), float64
    result : FitResult
    index : Index or None
        Row labels of a pandas table.
    positions : ndarray of shape (n_rows,), int64, or None
        Where these rows are in the table of the fit, if they are a sample of it.
    n_copies : float
        How many rows a weight of 1 stands for: more than 1 where every row was copied.
    """

    encoded: Encoded
    outputs: NDArray[np.float64]
    weights: NDArray[np.float64]
    columns: tuple[LearntColumn, ...]
    players: tuple[int, ...]
    size_law: NDArray[np.float64]
    result: FitResult
    index: Any = None
    positions: NDArray[np.int64] | None = None
    n_copies: float = 1.0


@dataclass(frozen=True)
class ClosedFormFitter:
    """The masked additive model in closed form (InstaSHAP Eq. 20, with the mask expectation taken exactly).

    Parameters
    ----------
    columns : tuple of LearntColumn
    players : tuple of int
        Player of each column.
    order : int
        The most columns a shape function may read, 1 to 3.
    presence_order : int or "auto"
        The most players a presence set may hold; "auto" tries up to 4 and keeps what lowers the held-out risk. Above
        10 features sets of four, above 20 most sets of three are tied: any others count alike; above 50 sets of three at most.
        It then also tries a linear base, whose presence sets are all there are.
    interactions : "auto", "all", int, or list of column tuples
    smoothness : Strengths or None
        Fixed penalty strengths: nothing is chosen then, the model has exactly the orders asked for ("auto" presence means
        ``order``) at the given resolution, and the fit is linear in the outputs.
    resolution : int
        With fixed ``smoothness``: largest product of ranks in a pair.
    start : Strengths or None
        Where the walks along the strengths of main effects begin, of curves that are penalised as far as they are bent (by rank
        where tails are heavy). None: kinds of smoothness are chosen too, from weak penalties on.
    progress : callable or None
        Called with the share done (0 to 1) and what is being done.
    synthetic : SyntheticSource or None
        Where the model can be asked about rows that are not in the table.
    """

    columns: tuple[LearntColumn, ...]
    players: tuple[int, ...]
    order: int = 2
    presence_order: int | str = "auto"
    interactions: Any = "auto"
    smoothness: Strengths | None = None
    resolution: int = PAIR_RESOLUTIONS[1]
    start: Strengths | None = None
    progress: Callable[[float, str], None] | None = None
    synthetic: SyntheticSource | None = None

    def fit(
        self, encoded: Encoded, outputs: NDArray[np.float64], weights: NDArray[np.float64], size_law: NDArray[np.float64]
    ) -> FitResult:
        """See :class:`Fitter`.

        Parameters
        ----------
        encoded : Encoded
        outputs : ndarray of shape (n_rows, n_outputs), float64
        weights : ndarray of shape (n_rows,), float64
            Above zero.
        size_law : ndarray of shape (n_players + 1,), float64
        """
        data = encoded, outputs, weights, size_law
        search = Search(self, *data)
        search.start = self.start
        if self.smoothness is not None:
            functions = search.make_functions(search.list_value_sets(), self.resolution)
            search.fit_at(self.smoothness, functions, {2: self.resolution, 3: TRIPLE_RESOLUTION})
            return finish_search(search, self.columns)
        mains = self._explore(search)
        tempered = try_tempered(search, self._explore, data)
        richer, its_mains = self._explore_synthetic(search, data)
        if self.presence_order == "auto":
            offer_base(search)
        if richer is not None and richer.best[1].lowers_risk(search.best[1]):
            search, mains = richer, its_mains
        if tempered is not None and is_lower_in_most_folds(tempered[0].best[1], search.best[1]):
            search, mains = tempered
        if self.presence_order == "auto":
            offer_index(search)
        note = fall_back(search)
        result = replace(finish_search(search, self.columns), note=note)
        if result.chosen.candidate.order > 1:
            return replace(result, mains=_expand(search, mains, self.columns))
        return result

    def _explore_synthetic(self, search: Search, data: Any) -> tuple[SyntheticSearch | None, tuple[Judge, Judgement, Solved]]:
        """A search with synthetic rows and its best main effects; None where there are none, or they do not help."""
        drawn = None if self.synthetic is None else try_synthetic(self.synthetic, search)
        if drawn is None:
            return None, search.best
        richer = SyntheticSearch(drawn, self, *data)
        mains = self._explore(richer)
        richer.choose_share()
        if not richer.share:
            return None, mains
        richer.best, richer.main_effects, mains = map(richer.judge_by_rows, (richer.best, richer.main_effects, mains))
        richer.raise_share()
        return richer, mains

    def _explore(self, search: Search) -> tuple[Judge, Judgement, Solved]:
        """Candidates from simple to rich; returns the best main effects."""
        search.fit_main_effects()
        mains = search.best
        if self.order > 1:
            search.fit_interactions()
        search.climb_presence()
        if self.order > 1:
            search.reconsider_main_effects()
        return mains


def _expand(search: Search, found: tuple[Judge, Judgement, Solved], columns: tuple[LearntColumn, ...]) -> FitResult:
    """The model of a candidate."""
    judge, chosen, solved = found
    solution, total = judge.polish(chosen, solved)
    bases = tuple(column.encoder.bases for column in columns)
    model = expand_solution(solved.problem, solved.functions, solution, total, bases, search.n_players, solved.base)
    tried = tuple(search.judgements[: search.judgements.index(chosen) + 1])
    solved = replace(solved, solution=solution)
    held = search.n_folds, search.is_held_out
    return FitResult(model, tried, chosen, solved, total, *held, drawn=search.get_drawn(chosen))


def finish_search(search: Search, columns: tuple[LearntColumn, ...]) -> FitResult:
    """The model of a search's best candidate, solved to full accuracy; warns if its normal equations do not hold well."""
    chosen, solved, total = search.finish()
    warn_unless_converged(solved.solution.status)
    bases = tuple(column.encoder.bases for column in columns)
    model = expand_solution(solved.problem, solved.functions, solved.solution, total, bases, search.n_players, solved.base)
    search.report(1.0, "done")
    drawn = search.get_drawn(chosen)
    held = search.n_folds, search.is_held_out
    return FitResult(model, tuple(search.judgements), chosen, solved, total, *held, drawn=drawn)
