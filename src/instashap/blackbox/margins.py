"""Empirical margins of a copula: conversion of columns of any kind to normal scores, and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..table.columns import Table

# Columns of at least this reliability count as continuous.
_CONTINUOUS = 0.98


@dataclass(frozen=True)
class Margin:
    """The empirical distribution of one column.

    The sorted values divide the unit interval into parts, as long as the values' shares of the rows; the score of a value is
    the mean of a standard normal variable within its part.

    Attributes
    ----------
    values : ndarray of shape (n_values,), float64
        Rising; -inf means missing, and categories are positions in the order of levels.
    scores : ndarray of shape (n_values,), float64
    reliability : float
        Variance of the scores: 1 for a continuous column, less for coarser values, 0 for a single value.
    order : ndarray of shape (n_rows,), int64
        Positions of the rows in the order of their values.
    levels : dict or None
        Place of each category; None for numbers.
    """

    values: NDArray[np.float64]
    scores: NDArray[np.float64]
    reliability: float
    order: NDArray[np.int64]
    levels: dict[Any, float] | None = None

    def score_numbers(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores of numbers, NaN for missing; between known values they are interpolated, beyond them the last one's."""
        is_missing = np.isnan(numbers)
        known = np.isfinite(self.values)
        scores = np.zeros(len(numbers))
        if known.any():
            scores[~is_missing] = np.interp(numbers[~is_missing], self.values[known], self.scores[known])
        scores[is_missing] = self.scores[0] if not known.all() else 0.0
        return scores

    def score_levels(self, codes: NDArray[np.int64], levels: Sequence[Any]) -> NDArray[np.float64]:
        """Scores of categories; those not known get 0, the mean."""
        assert self.levels is not None
        places = np.array([self.levels.get(level, np.nan) for level in levels] + [-np.inf])
        found = places[codes]  # code -1, missing, is the last
        at = np.minimum(np.searchsorted(self.values, found), len(self.values) - 1)
        return np.where(self.values[at] == found, self.scores[at], 0.0)

    def find_rows(self, uniform: NDArray[np.float64]) -> NDArray[np.int64]:
        """Positions of rows that hold the quantiles of the column."""
        places = np.floor(uniform * len(self.order)).astype(np.int64)
        return self.order[np.clip(places, 0, len(self.order) - 1)]


@dataclass(frozen=True)
class StraightMargin(Margin):
    """A column of numbers on its own scale: its scores are its values, standardised.

    Attributes
    ----------
    order : ndarray of shape (n_values,), int64
        Position of a row that holds each value.
    centre, spread : float
        Mean and standard deviation of the column.
    """

    centre: float = 0.0
    spread: float = 1.0

    def score_numbers(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standardised numbers; missing ones, which no row of the margin has, get 0."""
        return np.where(np.isnan(numbers), 0.0, (numbers - self.centre) / self.spread)

    def find_rows(self, uniform: NDArray[np.float64]) -> NDArray[np.int64]:
        """Positions of rows that hold the values next to the quantiles of a normal distribution."""
        from scipy.special import ndtri

        wanted = ndtri(uniform)
        right = np.clip(np.searchsorted(self.scores, wanted), 1, len(self.scores) - 1)
        is_left = wanted - self.scores[right - 1] < self.scores[right] - wanted
        return np.asarray(self.order[right - is_left])


def learn_margins(table: Table, outputs: NDArray[np.float64], is_straight: bool = False) -> tuple[Margin, ...]:
    """Margin of every column of a table; levels of unordered categories are in the order of their rows' mean output.

    Parameters
    ----------
    table : Table
    outputs : ndarray of shape (n_rows,), float64
    is_straight : bool
        Keep continuous columns without missing values on their own scale.
    """
    numbers, categories = iter(table.numbers.T), iter(table.categories)
    margins = []
    for is_category in table.schema.is_category:
        if is_category:
            codes, levels = next(categories)
            places = _order_levels(codes, len(levels), outputs)
            values = np.append(places, -np.inf)[codes]
            margins.append(_learn_margin(values, dict(zip(levels, places.tolist(), strict=True))))
        else:
            values = np.asarray(next(numbers), dtype=np.float64)
            margin = _learn_margin(np.where(np.isnan(values), -np.inf, values), None)
            margins.append(_straighten(margin, values) if is_straight else margin)
    return tuple(margins)


def score_table(margins: Sequence[Margin], table: Table) -> NDArray[np.float64]:
    """Normal scores of a table's rows, shape (n_rows, n_columns)."""
    numbers, categories = iter(table.numbers.T), iter(table.categories)
    scores = np.empty((table.n_rows, len(margins)))
    for column, (margin, is_category) in enumerate(zip(margins, table.schema.is_category, strict=True)):
        if is_category:
            scores[:, column] = margin.score_levels(*next(categories))
        else:
            scores[:, column] = margin.score_numbers(np.asarray(next(numbers), dtype=np.float64))
    return scores


def _order_levels(codes: NDArray[np.int64], n_levels: int, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place of each level in the order of mean outputs; levels without rows come last."""
    known = codes >= 0
    counts = np.bincount(codes[known], minlength=n_levels)
    sums = np.bincount(codes[known], weights=outputs[known], minlength=n_levels)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    places = np.empty(n_levels)
    places[np.argsort(means, kind="stable")] = np.arange(n_levels)
    return places


def _learn_margin(values: NDArray[np.float64], levels: dict[Any, float] | None) -> Margin:
    from scipy.stats import norm

    distinct, counts = np.unique(values, return_counts=True)
    ends = np.concatenate([[0.0], np.cumsum(counts) / len(values)])
    ends[-1] = 1.0
    density = norm.pdf(norm.ppf(ends))
    scores = (density[:-1] - density[1:]) / np.diff(ends)
    reliability = float(np.diff(ends) @ scores**2)
    return Margin(distinct, scores, reliability, np.argsort(values, kind="stable"), levels)


def _straighten(margin: Margin, values: NDArray[np.float64]) -> Margin:
    """The margin on the column's own scale; as it is where the column has few values, or missing ones."""
    if margin.reliability < _CONTINUOUS or not np.isfinite(margin.values[0]):
        return margin
    _, rows = np.unique(values, return_index=True)
    centre, spread = float(values.mean()), float(values.std())
    return StraightMargin(margin.values, (margin.values - centre) / spread, 1.0, rows, None, centre, spread)
