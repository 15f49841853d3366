"""Empirical margins of a copula or of a Gaussian: conversion of columns of any kind to scores, and back."""

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
    the mean of a standard normal variable within its part. A straight margin has standardised values as scores
    instead.

    Attributes
    ----------
    values : ndarray of shape (n_values,), float64
        Rising; -inf means missing, and categories are positions in the order of levels.
    scores : ndarray of shape (n_values,), float64
    reliability : float
        Variance of the scores: 1 for a continuous column, less for coarser values, 0 for a single value.
    rows : ndarray of shape (n_values,), int64
        Position of a row that holds each value.
    ends : ndarray of shape (n_values,), float64
        Share of the rows up to each value.
    levels : dict or None
        Place of each category; None for numbers.
    is_straight : bool
    """

    values: NDArray[np.float64]
    scores: NDArray[np.float64]
    reliability: float
    rows: NDArray[np.int64]
    ends: NDArray[np.float64]
    levels: dict[Any, float] | None = None
    is_straight: bool = False

    def score_numbers(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores of numbers, NaN for missing; between known values they are interpolated, beyond them the last one's.

        Those of a straight margin go on beyond them.
        """
        is_missing = np.isnan(numbers)
        if self.is_straight:
            slope = (self.scores[-1] - self.scores[0]) / (self.values[-1] - self.values[0])
            return np.where(is_missing, 0.0, self.scores[0] + slope * (numbers - self.values[0]))
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

    def find_rows(self, latent: NDArray[np.float64]) -> NDArray[np.int64]:
        """Positions of rows whose value belongs to each latent score: that of the quantile, or the nearest."""
        from scipy.special import ndtr

        if self.is_straight:
            places = np.searchsorted((self.scores[:-1] + self.scores[1:]) / 2, latent)
        else:
            places = np.minimum(np.searchsorted(self.ends, ndtr(latent), side="right"), len(self.rows) - 1)
        return np.asarray(self.rows[places])


def learn_margins(
    table: Table, outputs: NDArray[np.float64], weights: NDArray[np.float64] | None = None, is_straight: bool = False
) -> tuple[Margin, ...]:
    """Margin of every column of a table; levels of unordered categories are in the order of their rows' mean output.

    Parameters
    ----------
    table : Table
    outputs : ndarray of shape (n_rows,), float64
    weights : ndarray of shape (n_rows,), float64, optional
        Above zero.
    is_straight : bool
        Keep continuous columns without missing values on their own scale: their scores are the standardised values.
    """
    weights = np.ones(table.n_rows) if weights is None else weights
    numbers, categories = iter(table.numbers.T), iter(table.categories)
    margins = []
    for is_category in table.schema.is_category:
        if is_category:
            codes, levels = next(categories)
            places = _order_levels(codes, len(levels), outputs, weights)
            values = np.append(places, -np.inf)[codes]
            margins.append(_learn_margin(values, weights, dict(zip(levels, places.tolist(), strict=True))))
        else:
            values = np.asarray(next(numbers), dtype=np.float64)
            margins.append(_learn_margin(np.where(np.isnan(values), -np.inf, values), weights, None, is_straight))
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


def _order_levels(
    codes: NDArray[np.int64], n_levels: int, outputs: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Place of each level in the order of mean outputs; levels without rows come last."""
    known = codes >= 0
    totals = np.bincount(codes[known], weights=weights[known], minlength=n_levels)
    sums = np.bincount(codes[known], weights=(weights * outputs)[known], minlength=n_levels)
    means = np.divide(sums, totals, out=np.full(n_levels, np.inf), where=totals > 0)
    places = np.empty(n_levels)
    places[np.argsort(means, kind="stable")] = np.arange(n_levels)
    return places


def _learn_margin(
    values: NDArray[np.float64], weights: NDArray[np.float64], levels: dict[Any, float] | None, is_straight: bool = False
) -> Margin:
    from scipy.stats import norm

    distinct, rows, owner = np.unique(values, return_index=True, return_inverse=True)
    shares = np.bincount(owner, weights=weights) / weights.sum()
    ends = np.append(np.cumsum(shares)[:-1], 1.0)
    density = norm.pdf(norm.ppf(np.append(0.0, ends)))
    scores = (density[:-1] - density[1:]) / shares
    reliability = float(shares @ scores**2)
    if is_straight and reliability > _CONTINUOUS and np.isfinite(distinct).all():
        away = distinct - shares @ distinct
        return Margin(distinct, away / np.sqrt(shares @ away**2), 1.0, rows, ends, is_straight=True)
    return Margin(distinct, scores, reliability, rows, ends, levels)
