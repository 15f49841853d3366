"""Which combinations of numbers no row is near: a distance that counts how columns depend on each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from .column_views import ColumnValues, ColumnView

# Largest numbers of columns and of rows that are looked at, and of quantiles that stand for a column's distribution.
_MAX_COLUMNS, _MAX_ROWS, _N_PLACES = 60, 5000, 32
# Added to the variances of the scores: relations that hold but for rounding then still have a scale.
_RIDGE = 0.01


@dataclass(frozen=True)
class Nearness:
    """Squared Mahalanobis distances of normal scores: ``z' R^-1 z``, R the correlation of the rows' scores.

    Attributes
    ----------
    columns : list of int
        Number columns that vary and are mostly known.
    places, scores : list of list of float
        For each of these, quantiles of the rows in increasing order, and their normal scores; between them scores are linear.
    inverse : list of list of float
        R^-1.
    limit : float
        The largest distance of a row. A row farther away is a combination that no row is near.
    """

    columns: list[int]
    places: list[list[float]]
    scores: list[list[float]]
    inverse: list[list[float]]
    limit: float

    def measure(self, row: list[Any]) -> float:
        """Distance of a row of all columns; missing values count as the median."""
        z = np.array([self._score(number, row[column]) for number, column in enumerate(self.columns)])
        return float(z @ np.array(self.inverse) @ z)

    def _score(self, number: int, value: Any) -> float:
        return 0.0 if value is None else float(np.interp(value, self.places[number], self.scores[number]))


def learn_nearness(views: list[ColumnView], values: list[ColumnValues]) -> Nearness | None:
    """The distance for some rows; None with fewer than two number columns, too many columns, or hardly more rows than these."""
    numbers = [k for k, view in enumerate(views) if not view.is_category and len(np.unique(values[k])) > 1]
    n_rows = len(values[0]) if values else 0
    if not 2 <= len(numbers) <= _MAX_COLUMNS or n_rows < 5 * len(numbers):
        return None
    some = np.linspace(0, n_rows - 1, min(n_rows, _MAX_ROWS)).astype(np.int64)
    kept, places, scores, columns = [], [], [], []
    for column in numbers:
        own = np.asarray(values[column], dtype=np.float64)[some]
        if np.isnan(own).mean() > 0.5:
            continue
        at, score = _learn_scores(own[~np.isnan(own)])
        if len(at) < 2:
            continue
        columns.append(column)
        places.append(at.tolist())
        scores.append(score.tolist())
        kept.append(np.where(np.isnan(own), 0.0, np.interp(own, at, score)))
    if len(columns) < 2:
        return None
    z = np.stack(kept, axis=1)
    inverse = np.linalg.inv(z.T @ z / len(z) + _RIDGE * np.eye(len(columns)))
    limit = float(((z @ inverse) * z).sum(axis=1).max())
    return Nearness(columns, places, scores, inverse.tolist(), limit)


def _learn_scores(known: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Quantiles of a column and their normal scores; a value that many rows share has the score of its middle rank."""
    ordered = np.sort(known)
    picked = np.unique(ordered[np.linspace(0, len(ordered) - 1, _N_PLACES).astype(np.int64)])
    ranks = (np.searchsorted(ordered, picked, "left") + np.searchsorted(ordered, picked, "right")) / (2 * len(ordered))
    return picked, np.asarray(ndtri(np.clip(ranks, 0.5 / len(ordered), 1 - 0.5 / len(ordered))))
