"""Which terms an order lacks, and what each would add: cell means of held-out residuals, cross-fitted."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from .held_rows import Rows

# Rows looked at, in short where nobody asked for an audit, and rows a cell should have on average.
N_ROWS = 20_000
N_ROWS_BRIEF = 4_096
_ROWS_PER_CELL = 30
# Bins of a column are at least and at most so many.
_MIN_BINS, _MAX_BINS = 3, 24
_N_FOLDS = 20
# A term is named if it would add half a point at least, and that many standard errors above zero: many are looked at.
MIN_GAIN = 0.005
_CERTAIN = 4.5
MAX_TERMS = 5
# Terms of a ranking whose gain is asked for again once a better one is in.
_N_RIVALS = 25
# Triples are looked for among all columns if they are no more than this, else among the columns of the best pairs.
_MAX_TRIPLES = 1200
_N_COLUMNS = 18


@dataclass(frozen=True)
class MissingTerm:
    """A term that would explain some of what an order leaves.

    Attributes
    ----------
    columns : tuple of str
    gain : float
        Share of the model's variance that a step function of its cells adds after the terms before it: what the term would
        add at least.
    """

    columns: tuple[str, ...]
    gain: float

    @property
    def name(self) -> str:
        return " × ".join(self.columns)


@dataclass(frozen=True)
class Missing:
    """What an order lacks.

    Attributes
    ----------
    terms : tuple of MissingTerm
        The largest gain first.
    columns : tuple of tuple of int
        Columns of each term.
    steps : ndarray of shape (n_terms, n_chosen, n_outputs), float64
        Their step functions on the rows ``rows.choose(N_ROWS)``, cross-fitted, in spreads of the outputs.
    """

    terms: tuple[MissingTerm, ...]
    columns: tuple[tuple[int, ...], ...]
    steps: NDArray[np.float64]


def find_missing(rows: Rows, residual: NDArray[np.float64], n_rows: int = N_ROWS) -> Missing:
    """Pairs, then triples, whose step functions predict held-out residuals of rows that are not in their means.

    Parameters
    ----------
    rows : Rows
    residual : ndarray of shape (n_rows, n_outputs), float64
        In spreads of the outputs.
    n_rows : int
        The most rows looked at.
    """
    chosen = rows.choose(n_rows)
    scale = np.sqrt(residual.shape[1])
    search = _Search(rows.take(chosen), residual[chosen] / scale)
    n_columns = len(rows.columns)
    pairs: list[tuple[int, ...]] = list(combinations(range(n_columns), 2))
    ranked = search.add_best(pairs, MAX_TERMS)
    columns: Sequence[int] = range(n_columns)
    if comb(n_columns, 3) > _MAX_TRIPLES:
        columns = sorted(list(dict.fromkeys(column for pair in ranked for column in pair))[:_N_COLUMNS])
    search.add_best(list(combinations(columns, 3)), MAX_TERMS)
    found = sorted(search.found, key=lambda each: -each[1])[:MAX_TERMS]
    terms = tuple(MissingTerm(tuple(rows.names[column] for column in term), gain) for term, gain, _ in found)
    steps = np.array([step for _, _, step in found]).reshape(len(found), len(chosen), residual.shape[1]) * scale
    return Missing(terms, tuple(term for term, _, _ in found), steps)


class _Search:
    """Terms taken in one after the other, each the best given those before."""

    def __init__(self, rows: Rows, residual: NDArray[np.float64]) -> None:
        self.rows, self.residual = rows, residual
        self.folds = (rows.keys >> np.uint64(24)) % np.uint64(_N_FOLDS)
        self.found: list[tuple[tuple[int, ...], float, NDArray[np.float64]]] = []
        self._bins: dict[tuple[int, int], tuple[NDArray[np.int64], int]] = {}

    def add_best(self, terms: list[tuple[int, ...]], limit: int) -> list[tuple[int, ...]]:
        """Take in up to so many terms; returns all by what each would add alone."""
        gains = {term: self._measure(term)[0] for term in terms}
        ranked = sorted(terms, key=lambda term: (-gains[term], term))
        rivals = ranked[:_N_RIVALS]
        for _ in range(limit):
            scored = [(*self._measure(term), term) for term in rivals]
            sure = [(gain, term) for gain, error, term in scored if gain >= max(MIN_GAIN, _CERTAIN * error)]
            if not sure:
                break
            gain, best = max(sure, key=lambda each: each[0])
            step = self._predict(best)
            self.residual = self.residual - step
            self.found.append((best, float(gain), step))
            rivals.remove(best)
        return ranked

    def _measure(self, term: tuple[int, ...]) -> tuple[float, float]:
        """Drop of the mean squared residual by a term's cells, means taken on the other folds; and its standard error."""
        cells, n_cells = self._find_cells(term)
        sums, weights = self._sum_cells(cells, n_cells)
        means = self._shrink(sums, weights)
        drops = (means * (2 * sums - means * weights[:, :, None])).sum(axis=(1, 2))  # of each fold
        total = weights.sum()
        shares = weights.sum(axis=1)
        gain = float(drops.sum() / total)
        filled = shares > 0
        if filled.sum() < 2:
            return gain, np.inf
        error = np.std(drops[filled] / shares[filled], ddof=1) / np.sqrt(filled.sum())
        return gain, float(error)

    def _predict(self, term: tuple[int, ...]) -> NDArray[np.float64]:
        cells, n_cells = self._find_cells(term)
        means = self._shrink(*self._sum_cells(cells, n_cells))
        return np.asarray(means[self.folds.astype(np.int64), cells])

    def _sum_cells(self, cells: NDArray[np.int64], n_cells: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sums of residuals by fold and cell, shape (n_folds, n_cells, n_outputs), and weights."""
        code = self.folds.astype(np.int64) * n_cells + cells
        size = _N_FOLDS * n_cells

        def add(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(np.bincount(code, weights=values, minlength=size).reshape(_N_FOLDS, n_cells), dtype=np.float64)

        weights = self.rows.weights
        sums = [add(weights * output) for output in self.residual.T]
        return np.stack(sums, axis=2), add(weights)

    def _shrink(self, sums: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means of the rows outside each fold, drawn to zero by the noise of a row over the variance between cells."""
        others, filled = sums.sum(axis=0) - sums, weights.sum(axis=0) - weights
        squared = self.rows.weights * (self.residual**2).sum(axis=1)
        squares = squared.sum() - np.bincount(self.folds.astype(np.int64), weights=squared, minlength=_N_FOLDS)
        between = (others**2 / np.maximum(filled, 1e-300)[:, :, None]).sum(axis=(1, 2))
        n, n_cells = filled.sum(axis=1), (filled > 0).sum(axis=1)
        noise = np.maximum(squares - between, 0.0) / np.maximum(n - n_cells, 1.0)  # of a row
        signal = np.maximum(between - n_cells * noise, 1e-9 * between + 1e-300) / np.maximum(n, 1.0)
        return np.asarray(others / (filled + (noise / signal)[:, None] + 1e-9)[:, :, None])

    def _find_cells(self, term: tuple[int, ...]) -> tuple[NDArray[np.int64], int]:
        limit = int(np.clip((len(self.rows) / _ROWS_PER_CELL) ** (1 / len(term)), _MIN_BINS, _MAX_BINS))
        cells, n_cells = np.zeros(len(self.rows), dtype=np.int64), 1
        for column in term:
            if (column, limit) not in self._bins:
                self._bins[column, limit] = make_bins(self.rows.values[:, column], limit, self.rows.columns[column].is_category)
            own, n_own = self._bins[column, limit]
            cells, n_cells = cells * n_own + own, n_cells * n_own
        return cells, n_cells


def make_bins(values: NDArray[np.float64], limit: int, is_category: bool) -> tuple[NDArray[np.int64], int]:
    """Bin of each value and their number: single values where they are few, else quantiles (categories: the most frequent
    and the rest); missing values have a bin of their own.

    Examples
    --------
    >>> make_bins(np.array([5.0, 7.0, np.nan, 5.0]), 3, False)
    (array([0, 1, 2, 0]), 3)
    """
    is_missing = np.isnan(values)
    distinct, codes, counts = np.unique(values[~is_missing], return_inverse=True, return_counts=True)
    if len(distinct) > limit and is_category:
        rank = np.empty(len(distinct), dtype=np.int64)
        rank[np.argsort(-counts, kind="stable")] = np.arange(len(distinct))
        codes = np.minimum(rank[codes], limit - 1)
    elif len(distinct) > limit:
        # Middle ranks: a value that many rows share lies in one bin.
        middles = (np.cumsum(counts) - counts / 2) / counts.sum()
        codes = np.minimum((middles * limit).astype(np.int64), limit - 1)[codes]
    n_bins = int(codes.max(initial=-1)) + 1
    bins = np.full(len(values), n_bins, dtype=np.int64)
    bins[~is_missing] = codes
    return bins, max(n_bins + bool(is_missing.any()), 1)
