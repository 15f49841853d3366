"""Rows far out in the tails count less, where few rows hold the variance of the outputs.

Where tails are heavy and outputs grow with the columns, as products of t-distributed columns do,
the variance is that of a handful of rows, and least squares fit these: more rows do not help, as the largest grows with their
number. Rows at a distance r from the middle of the table then have the weight ``min(1, (c / r)⁴)``, under which squares of
quadratic outputs count alike beyond c. What is fitted is the game of another distribution, nearer to that of all rows the
larger c is: c is the largest under which a hundred rows hold the variance.

Held-out rows count as ever. One of them may hold most of the risk, so models are compared fold by fold, and the median decides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..table.encoding import Encoded
from .candidate import Judgement
from .candidate_search import Found
from .design import ValueFunctions
from .drawn import DrawnMoments
from .drawn_search import DrawnSearch
from .folds import Fold, count_copies
from .moments import CentredMoments, accumulate_moments, merge_all
from .search import Search

# Rows that should hold the outputs' variance at least.
_ENOUGH = 100.0
# Distances beyond which weights fall, in mean distances, from weak to strong: normal rows are hardly ever at 3.
_LIMITS = tuple(3.0 * 2.0 ** (step / 4) for step in range(40, -1, -1))
_POWER = 4
# Least share of the weight that every fold leaves to the others.
_LEAST_OUTSIDE = 1e-6
# Part of the held-out risk that lower weights must save in the median fold: less is not worth a game of another distribution.
_MIN_GAIN = 0.03
# Least weight of a row that is left out, relative to its own.
_LEAST = 1e-12


@dataclass(frozen=True)
class TemperedRows:
    """The rows of a fit, those far out with less weight.

    Attributes
    ----------
    encoded : Encoded
    outputs : ndarray of shape (n_rows, n_outputs), float64
    weights : ndarray of shape (n_rows,), float64
    folds : sequence of Fold
    factors : ndarray of shape (n_rows,), float64
        On the weights, at most 1.
    limit : float
        Distance from the middle beyond which they fall, in mean distances.
    """

    encoded: Encoded
    outputs: NDArray[np.float64]
    weights: NDArray[np.float64]
    folds: Sequence[Fold]
    factors: NDArray[np.float64]
    limit: float = field(default=np.inf)

    def weigh(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights of the rows, given those without a fold or group."""
        return np.maximum(weights, _LEAST * self.weights) * self.factors

    def describe_parts(
        self, functions: ValueFunctions, n_parts: int, known: DrawnMoments | None = None
    ) -> DrawnMoments:
        """Moments of value functions on all rows, and on those of each fold."""
        folds = [self._describe(functions, rows, weights * self.factors[rows]) for rows, weights in self.folds]
        return DrawnMoments(merge_all(folds), tuple(folds), True, True)

    def describe_folds(
        self, functions: ValueFunctions, shares: Sequence[NDArray[np.float64]], n_folds: int = 0
    ) -> DrawnMoments:
        """Moments of value functions on all rows, and under other weights of theirs."""
        rows = np.arange(len(self.weights))
        folds = tuple(self._describe(functions, rows, each) for each in shares)
        return DrawnMoments(self._describe(functions, rows, self.weigh(self.weights)), folds, False, False)

    def _describe(self, functions: ValueFunctions, rows: NDArray[np.int64], weights: NDArray[np.float64]) -> CentredMoments:
        part = self.encoded.take(rows), self.outputs[rows], weights
        return accumulate_moments(functions.evaluate, *part, len(functions))


def measure_distances(functions: ValueFunctions, encoded: Encoded, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each row is from the middle of the table, over the mean of that; shape (n_rows,).

    The distance is the root of the mean square, over number columns, of a value's distance from the column's mean, in mean
    absolute distances of the column. Tables without numbers have distance 1 everywhere.

    Parameters
    ----------
    functions : ValueFunctions
        Of main effects; their straight lines are those of the values.
    encoded : Encoded
    weights : ndarray of shape (n_rows,), float64
    """
    shares = weights / weights.sum()
    squares = np.zeros(len(weights))
    for columns, chosen in zip(functions.value_sets, functions.choices, strict=True):
        axis = functions.axes[1, columns[0]]
        if not axis.roughness.any():
            continue
        cells, offsets = encoded.cells[:, columns[0]], encoded.offsets[:, columns[0]]
        line = axis.basis.combine(cells, offsets, axis.coefficients[:, chosen[0]])[:, 0]
        away = np.abs(line - shares @ line)
        squares += (away / (shares @ away)) ** 2
    distances = np.sqrt(squares)
    mean = float(shares @ distances)
    return np.asarray(distances / mean) if mean > 0 else np.ones(len(weights))


def try_tempered(search: Search, explore: Callable[[Search], Found], data: Any) -> tuple[DrawnSearch, Found] | None:
    """A search by rows of less weight in the tails, and its best main effects; None where many rows hold the variance.

    Parameters
    ----------
    search : Search
        By all rows as they are.
    explore : callable
        Goes through the candidates of a search and returns its best main effects.
    data : tuple
        What a search is made of: rows, outputs, weights and size law.
    """
    if len(search.folds) < 2 or count_effective(search.outputs, search.weights) >= _ENOUGH:
        return None
    distances = measure_distances(search.main_effects[0].moments.functions, search.encoded, search.weights)
    for limit in _LIMITS:
        factors = (limit / np.maximum(distances, limit)) ** _POWER
        if count_effective(search.outputs, search.weights, factors) >= _ENOUGH:
            break
    else:
        return None  # large outputs are not those of rows far out
    if is_one_fold(search.folds, factors):
        return None
    rows = TemperedRows(search.encoded, search.outputs, search.weights, search.folds, factors, limit)
    trial = DrawnSearch(rows, 1.0, search.fitter, *data)
    mains = explore(trial)
    trial.best, trial.main_effects, mains = map(trial.judge_by_rows, (trial.best, trial.main_effects, mains))
    explains = trial.best[1].full_risk < search.outputs.shape[1]  # a model that does not is replaced by the base value
    return (trial, mains) if explains else None


def is_one_fold(folds: Sequence[Fold], factors: NDArray[np.float64]) -> bool:
    """Whether one fold holds all the weight, as it does under wild weights: without it there is nothing to fit."""
    own = np.array([weights @ factors[rows] for rows, weights in folds])
    return bool(own.max() >= (1.0 - _LEAST_OUTSIDE) * own.sum())


def is_lower_in_most_folds(tempered: Judgement, plain: Judgement) -> bool:
    """Whether lower weights save a part of the held-out risk in the median fold."""
    return bool(np.median(tempered.fold_risks - (1.0 - _MIN_GAIN) * plain.fold_risks) < 0)


def count_effective(
    outputs: NDArray[np.float64], weights: NDArray[np.float64], factors: NDArray[np.float64] | float = 1.0
) -> float:
    """Rows that hold the variance of the outputs: ``(sum v)² / sum v²`` of their parts v of it, mean over the outputs.

    Parameters
    ----------
    outputs : ndarray of shape (n_rows, n_outputs), float64
    weights : ndarray of shape (n_rows,), float64
        Whole numbers are counts of equal rows.
    factors : ndarray of shape (n_rows,), float64, optional
        On the weights.

    Examples
    --------
    >>> count_effective(np.array([[3.0], [-3.0], [3.0], [-3.0]]), np.ones(4))
    4.0
    >>> count_effective(np.array([[3.0], [-3.0]]), np.array([2.0, 2.0]))
    4.0
    """
    shares = weights * factors / (weights * factors).sum()
    squares = (outputs - shares @ outputs) ** 2
    variances = shares @ squares
    if not variances.any():
        return np.inf
    parts = shares * (squares[:, variances > 0] / variances[variances > 0]).sum(axis=1)
    return float(parts.sum() ** 2 / max(float(parts @ (parts / count_copies(weights))), 1e-300))
