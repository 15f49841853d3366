"""Synthetic rows: the model is asked where there are no rows, and held-out rows judge what its answers are worth.

The conditional game needs the outputs, which can be asked for anywhere, and the joint distribution of the columns, which is
estimated. Rows drawn from an estimated distribution, with the model's outputs, have moments of the same value functions; the
fit is made on ``(1 - λ) M_rows + λ M_drawn``, and λ is one more strength, chosen by the held-out masked risk of real rows. A
distribution that is wrong gets λ = 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .._errors import ModelOutputError
from ..blackbox.margins import Margin
from ..blackbox.samplers import GaussianSampler, learn_sampler
from ..blackbox.student import StudentSampler, learn_student
from ..table.encoding import Encoded
from .candidate import Candidate, Judgement
from .choose import MIN_GAIN
from .design import ValueFunctions
from .drawn import DrawnMoments
from .fold_moments import FoldMoments
from .folds import Fold
from .moments import CentredMoments, accumulate_moments, accumulate_weighted, merge_all
from .search import Search
from .search_limits import EXTRA_RANKS, MAX_SYNTHETIC_UNKNOWNS, PAIR_RESOLUTIONS
from .select import Judge
from .strengths import SYNTHETIC_GRID, Strengths

# Distributions that are tried, each with so many rows; the one of the lowest held-out risk is asked for more.
KINDS = ("copula", "mixture")
N_PILOT = 2048
# Part of the risk that they must save where rows are many: a search with synthetic rows takes several times as long there.
_MANY_ROWS, _MIN_GAIN_OF_MANY = 10_000, 1e-3
# Weights of synthetic rows, relative to their mean: larger ones are cut.
_MAX_WEIGHT = 10.0
# Multiplications that the moments of synthetic rows may take for one set of functions: some seconds.
_MAX_WORK = 1e11
# Unknowns of models by which distributions are compared, and the share of synthetic rows is chosen.
_MAX_COARSE = 1200
# Digits to which two columns' correlations with the output count as different.
_DIGITS = 9


@dataclass(frozen=True)
class SyntheticRows:
    """Rows drawn from a distribution that was estimated from all rows, and the model's outputs there.

    What is known outside a fold is the same rows, weighted by the ratio of two densities: that estimated without the fold, and
    that of all. So the model is asked once about each.

    Attributes
    ----------
    encoded : Encoded
    outputs : ndarray of shape (n_drawn, n_outputs), float64
    latent : ndarray of shape (n_drawn, n_columns), float64
        Latent scores of the rows.
    sampler : GaussianSampler
    scores : ndarray of shape (n_rows, n_columns), float64
        Of the rows that the distribution was estimated from.
    kind : str
    """

    encoded: Encoded
    outputs: NDArray[np.float64]
    latent: NDArray[np.float64]
    sampler: GaussianSampler
    scores: NDArray[np.float64]
    kind: str

    @cached_property
    def _log_density(self) -> NDArray[np.float64]:
        return self.sampler.measure_log_density(self.latent)

    def weigh(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight of each synthetic row if the distribution were estimated from rows of other weights; mean 1."""
        ratio = self.sampler.relearn(self.scores, weights).measure_log_density(self.latent) - self._log_density
        found = np.exp(ratio - ratio.max())
        return np.asarray(np.clip(found / found.mean(), 1e-9, _MAX_WEIGHT))

    def weigh_folds(self, search: Search) -> list[NDArray[np.float64]]:
        """Weights of the synthetic rows by what is known outside each fold."""
        return [self.weigh(leave_out(search.weights, fold)) for fold in search.folds]

    def describe_parts(self, functions: ValueFunctions, n_parts: int, known: DrawnMoments | None = None) -> DrawnMoments:
        """Moments of value functions on the synthetic rows, and on a part of them for each fold of the rows.

        Moments of the first of the functions may be known.
        """
        rows = self.pick(functions, 1)
        is_known = known is not None and known.is_partition and known.total.weight == len(rows)
        own = known.folds if known is not None and is_known else [None] * n_parts
        parts = [rows[rows % n_parts == part] for part in range(n_parts)]
        folds = [self._describe(functions, some, first) for some, first in zip(parts, own, strict=True)]
        return DrawnMoments(merge_all(folds), tuple(folds), True, True)

    def describe_folds(
        self, functions: ValueFunctions, shares: Sequence[NDArray[np.float64]], n_folds: int = 0, n_most: int | None = None
    ) -> DrawnMoments:
        """Moments of value functions on the synthetic rows (at most ``n_most``), and with each fold's weights of them.

        Where folds come in batches ``n_folds`` is their number in all, so that the rows are the same.
        """
        rows = self.pick(functions, max(len(shares), n_folds) + 1)[:n_most]
        weightings = [np.ones(len(rows)), *(each[rows] for each in shares)]
        total, *folds = accumulate_weighted(functions.evaluate, self.take(rows), self.outputs[rows], weightings, len(functions))
        return DrawnMoments(total, tuple(folds), False, False)

    def take(self, rows: NDArray[np.int64]) -> Encoded:
        """Some of the rows."""
        return Encoded(self.encoded.cells[rows], self.encoded.offsets[rows])

    def pick(self, functions: ValueFunctions, n_passes: int) -> NDArray[np.int64]:
        """Positions of the synthetic rows that there is time for: all, or the first, in powers of two as Sobol points are."""
        n_most = max(count_affordable(functions, n_passes), N_PILOT)
        return np.arange(min(2 ** int(np.log2(n_most)), len(self.outputs)))

    def _describe(self, functions: ValueFunctions, rows: NDArray[np.int64], known: CentredMoments | None) -> CentredMoments:
        data = self.take(rows), self.outputs[rows], np.ones(len(rows))
        return accumulate_moments(functions.evaluate, *data, len(functions), known)


def count_affordable(functions: ValueFunctions, n_passes: int) -> float:
    """Synthetic rows whose moments there is time for."""
    return _MAX_WORK / (n_passes * max(len(functions), 1) ** 2)


def leave_out(weights: NDArray[np.float64], fold: Fold) -> NDArray[np.float64]:
    """Weights of all rows without those of a fold; rounding leaves no row behind."""
    rows, own = fold
    left = weights.copy()
    left[rows] -= own
    left[left < 1e-9 * weights] = 0.0
    return left


@dataclass(frozen=True)
class SyntheticSource:
    """What synthetic rows are made from.

    Attributes
    ----------
    encoded : Encoded
        The rows of the fit; synthetic ones have their values, column by column.
    outputs : ndarray of shape (n_rows, n_outputs), float64
    weights : ndarray of shape (n_rows,), float64
    columns : ndarray of shape (n_varying,), int64
        Those that vary; the others keep their value.
    margins : tuple of Margin
        Of the columns that vary.
    scores : ndarray of shape (n_rows, n_varying), float64
    ask : callable
        Positions of rows of the fit, one a column, shape (n, n_columns), to the model's outputs.
    n_most : int
        Rows that the model may be asked about.
    calls : list of int
        Rows that it was asked about, one number a call.
    refusals : list of str
        Why the model gave no outputs for synthetic rows, if it did not.
    """

    encoded: Encoded
    outputs: NDArray[np.float64]
    weights: NDArray[np.float64]
    columns: NDArray[np.int64]
    margins: tuple[Margin, ...]
    scores: NDArray[np.float64]
    ask: Callable[[NDArray[np.int64]], NDArray[np.float64]]
    n_most: int
    calls: list[int] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def learn(self, kind: str) -> GaussianSampler:
        """A distribution of the rows."""
        if kind == "student":
            assert self._student is not None
            return self._student
        if kind == "mixture":
            return self._mixture
        return self._learn(kind)

    def _learn(self, kind: str) -> GaussianSampler:
        sampler = learn_sampler(kind, self.margins, self.scores, self.weights)
        assert isinstance(sampler, GaussianSampler)
        return sampler

    @cached_property
    def _student(self) -> StudentSampler | None:
        return learn_student(self.margins, self.scores, self.weights)

    @cached_property
    def _mixture(self) -> GaussianSampler:
        return self._learn("mixture")

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Distributions that are tried: a t copula alone, if it is likelier than a Gaussian one and than a mixture (BIC).

        Its rows are extreme together, and few of them would be compared by a handful.
        """
        if self._student is None:
            return KINDS
        n_columns, total = self.scores.shape[1], float(self.weights.sum())
        n_correlations = n_columns * (n_columns - 1) // 2
        counts = n_correlations + 1, len(self._mixture.weights) * (1 + 2 * n_columns + n_correlations) - 1
        likelihoods = [each.measure_log_density(self.scores) @ self.weights for each in (self._student, self._mixture)]
        own, other = (count * np.log(total) - 2 * value for count, value in zip(counts, likelihoods, strict=True))
        return ("student",) if own < other else KINDS

    def draw(self, kind: str, n_rows: int, known: SyntheticRows | None = None) -> SyntheticRows:
        """Rows of a distribution and the model's outputs; those already ``known`` are the first and are not asked again."""
        sampler = self.learn(kind) if known is None else known.sampler
        latent = sampler.sample(self.make_noise(n_rows))
        places = np.zeros((n_rows, self.encoded.cells.shape[1]), dtype=np.int64)
        places[:, self.columns] = sampler.find_rows(latent)
        start = 0 if known is None else len(known.outputs)
        self.calls.append(n_rows - start)
        outputs = self.ask(places[start:])
        if known is not None:
            outputs = np.concatenate([known.outputs, outputs])
        across = np.arange(places.shape[1])
        encoded = Encoded(self.encoded.cells[places, across], self.encoded.offsets[places, across])
        return SyntheticRows(encoded, outputs, latent, sampler, self.scores, kind)

    def make_noise(self, n_rows: int) -> NDArray[np.float64]:
        """Points that fill the unit cube evenly (Sobol, scrambled), shape (n_rows, n_varying + 1).

        Columns take their coordinates in the order of how they go with the output, and the sign of that: rows do not depend
        on the order of the columns, nor on the signs of columns and outputs, whose longer tail counts as the upper one.
        """
        from scipy.stats import qmc

        points = qmc.Sobol(self.scores.shape[1] + 1, seed=0).random_base2(int(np.ceil(np.log2(n_rows))))[:n_rows]
        points = np.clip(points, 1e-9, 1 - 1e-9)
        centred = self.outputs[:, 0] - np.average(self.outputs[:, 0], weights=self.weights)
        centred /= np.sqrt(self.weights @ centred**2) or 1.0
        output = centred * self.weights * (-1.0 if np.round(self.weights @ centred**3, _DIGITS) < 0 else 1.0)
        straight, bent = output @ self.scores, output @ self.scores**2
        order = np.lexsort((np.round(bent, _DIGITS), -np.round(np.abs(straight), _DIGITS)))
        noise = points.copy()
        noise[:, order] = points[:, : len(order)]
        noise[:, :-1] = np.where(straight < 0, 1.0 - noise[:, :-1], noise[:, :-1])
        return np.asarray(noise)


def try_synthetic(source: SyntheticSource, search: Search) -> SyntheticRows | None:
    """Rows of the distribution that lowers the held-out risk of a search's best candidate most; None if none does.

    Distributions are compared by few rows each; the best one is then asked for as many as there may be. A model that fails on
    rows that are not in the table, or gives no numbers for them, is asked no further.
    """
    try:
        return _compare_kinds(source, search)
    except ModelOutputError as error:
        source.refusals.append(str(error))
        return None


def _compare_kinds(source: SyntheticSource, search: Search) -> SyntheticRows | None:
    judge, best, _ = search.best
    kinds = source.kinds
    n_pilot = min(N_PILOT, source.n_most // (2 * len(kinds)))
    is_rich = best.n_unknowns > MAX_SYNTHETIC_UNKNOWNS  # rows alone determine more than a fit with synthetic ones may have
    if judge.moments.rows is not None or len(search.folds) < 2 or not n_pilot or is_rich or not len(source.columns):
        return None
    candidate = coarsen(judge, best.candidate)
    moments = judge.moments.select(candidate.keeps(judge.moments.functions))
    is_coarse = candidate == best.candidate  # it has been judged
    alone = best.risk if is_coarse else judge_share(judge, candidate, moments, best.strengths, 0.0).risk
    found: list[tuple[float, SyntheticRows | None]] = [(alone, None)]
    share = find_pooled_share(n_pilot, float(search.weights.sum()))
    for kind in kinds:
        rows = source.draw(kind, n_pilot)
        drawn = rows.describe_folds(moments.functions, rows.weigh_folds(search))
        judged = judge_share(judge, candidate, replace(moments, drawn=drawn), best.strengths, share)
        share = judged.strengths.synthetic or share  # the next one's walk begins there
        found.append((judged.risk, rows))
    risk, chosen = min(found, key=lambda each: each[0])
    least = _MIN_GAIN_OF_MANY if search.weights.sum() >= _MANY_ROWS else MIN_GAIN
    if chosen is None or risk >= alone * (1 - least):
        return None
    return source.draw(chosen.kind, source.n_most - n_pilot * (len(kinds) - 1), chosen)


def coarsen(judge: Judge, candidate: Candidate) -> Candidate:
    """A candidate of few unknowns, for what is chosen by distributions rather than by functions.

    Its presence sets are as large as the unknowns allow: they differ most between distributions.
    """
    finest = PAIR_RESOLUTIONS[1]
    resolution = {size: min(rank, finest) if size == 2 else rank for size, rank in candidate.resolution.items()}
    coarse = replace(candidate, resolution=resolution, extra_ranks=EXTRA_RANKS[0], written_order=None)
    functions = judge.moments.functions.select(coarse.keeps(judge.moments.functions))
    while coarse.presence_order > 2 and len(judge.make_problem(coarse, functions)) > _MAX_COARSE:
        coarse = replace(coarse, presence_order=coarse.presence_order - 1)
    return coarse


def find_pooled_share(n_drawn: int, n_rows: float) -> float:
    """The share on the grid at which a synthetic row counts about as much as another."""
    return min(SYNTHETIC_GRID, key=lambda share: abs(share - n_drawn / (n_drawn + n_rows)))


def judge_share(judge: Judge, candidate: Candidate, moments: FoldMoments, strengths: Strengths, share: float) -> Judgement:
    """The best share of synthetic rows for a candidate, walking from one; 0 is judged as it is."""
    own = Judge(moments, judge.presence_sets, judge.players, judge.size_law)
    free = ("synthetic",) if share else ()
    return own.judge(candidate, replace(strengths, synthetic=share), free)[0]
