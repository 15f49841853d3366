"""An additive classifier as a scorecard: points for each bin of each term, which sum to a score of log-odds."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._validation import check_at_least, check_positive
from ..fitted.explanation_text import format_value
from ..fitted.game import FittedGame
from ..store import write_file
from ..table.columns import Table, take_values

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Bins:
    """Bins of one column: intervals of a number, or levels.

    Attributes
    ----------
    column : int
    edges : ndarray of shape (n_bins - 1,), float64
        Inner edges, for a number: bin k holds ``edges[k - 1] < x <= edges[k]``; a last bin holds missing values.
    levels : tuple
        For a category; a last bin holds missing values and levels that the card does not have.
    """

    column: int
    edges: NDArray[np.float64]
    levels: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.levels) + 1 if self.levels else len(self.edges) + 2

    def find(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Bin of each value."""
        if self.levels:
            places = {level: place for place, level in enumerate(self.levels)}
            return np.array([places.get(value, len(self.levels)) for value in values.tolist()], dtype=np.int64)
        numbers = np.asarray(values, dtype=np.float64)
        return np.where(np.isnan(numbers), len(self) - 1, np.searchsorted(self.edges, numbers, side="left"))

    def name(self, place: int) -> str:
        """Words for a bin."""
        if self.levels:
            return format_value(self.levels[place]) if place < len(self.levels) else "missing or other"
        if place == len(self) - 1:
            return "missing"
        if not len(self.edges):
            return "any"
        if place == 0:
            return f"up to {format_value(float(self.edges[0]))}"
        low = format_value(float(self.edges[place - 1]))
        return f"above {low}" if place == len(self.edges) else f"above {low}, up to {format_value(float(self.edges[place]))}"


@dataclass(frozen=True)
class CardTerm:
    """Points of one term.

    Attributes
    ----------
    name : str
    bins : tuple of Bins
        One for each column of the term.
    points : ndarray of shape (n_bins_1, …), float64
    counts : ndarray like ``points``, float64
        Weight of the rows in each bin.
    """

    name: str
    bins: tuple[Bins, ...]
    points: NDArray[np.float64] = field(repr=False)
    counts: NDArray[np.float64] = field(repr=False)


@dataclass(frozen=True)
class Scorecard:
    """Points that sum to a score: ``score = offset + sum of points``, ``score = base + pdo / log(2) · (log-odds - log(odds))``.

    Attributes
    ----------
    terms : tuple of CardTerm
    offset : float
        Points of a row with the mean log-odds; a term's points have mean zero, but for rounding, over the rows of the card.
    pdo : float
        Points that double the odds.
    base, odds : float
        The score at which the odds of ``good`` are ``odds``.
    good : str
        The class whose odds rise with the score.
    agreement : float
        R² of the scores to those of the classifier's own log-odds, over the rows of the card: what bins and rounding lose.
    """

    terms: tuple[CardTerm, ...]
    offset: float
    pdo: float
    base: float
    odds: float
    good: str
    agreement: float
    read: Callable[[Any], Table] = field(repr=False, compare=False)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each bin: term, bin, points and rows; the offset is first."""
        import pandas as pd

        rows = [("(offset)", "every row", self.offset, float(self.terms[0].counts.sum()) if self.terms else 0.0)]
        for term in self.terms:
            for place in np.ndindex(term.points.shape):
                if term.counts[place]:
                    name = " × ".join(bins.name(each) for bins, each in zip(term.bins, place, strict=True))
                    rows.append((term.name, name, float(term.points[place]), float(term.counts[place])))
        return pd.DataFrame(rows, columns=["term", "bin", "points", "rows"])

    def score(self, X: Any) -> NDArray[np.float64]:
        """Score of each row, shape (n_rows,): the offset and the points of its bins in the table; 0 points for other bins."""
        table = self.read(X)
        total = np.full(table.n_rows, self.offset)
        for term in self.terms:
            total += term.points[tuple(bins.find(take_values(table, bins.column)) for bins in term.bins)]
        return total

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the table as CSV; raises ``ValueError`` for another ending."""
        if Path(path).suffix != ".csv":
            raise ValueError(f"a scorecard is written as a table, got {Path(path).name!r}; use the ending .csv")
        write_file(Path(path), self.table.to_csv(index=False))


def make_scorecard(
    fitted: FittedGame, X: Any, classes: Sequence[Any], options: dict[str, Any]
) -> Scorecard:
    """The card of a classifier of two classes; see :meth:`instashap.AdditiveClassifier.scorecard`."""
    if len(classes) != 2:
        raise ValueError(f"a scorecard is that of two classes, the model has {len(classes)}: fit one against the rest")
    pdo, odds = check_positive(options["pdo"], "pdo"), check_positive(options["odds"], "odds")
    n_bins = check_at_least(options["n_bins"], 1, "n_bins", "a column has at least one bin")
    good = classes[1] if options["good"] is None else options["good"]
    if good not in list(classes):
        raise ValueError(f"good={good!r} is none of the classes {list(classes)}")
    table = fitted.read(X)
    sign = 1.0 if good == classes[1] else -1.0
    factor = sign * pdo / log(2)
    effects = factor * fitted.compute_effects(table)[:, :, 0]  # (n_rows, n_terms)
    made, offset = [], options["base"] - pdo / log(2) * log(odds) + factor * float(fitted.model.base_value[0])
    for term, (values, name) in enumerate(zip(fitted.model.value_sets, fitted.term_names, strict=True)):
        bins = tuple(_make_bins(table, column, n_bins if len(values) == 1 else max(n_bins // 2, 1)) for column in values)
        places = tuple(each.find(take_values(table, each.column)) for each in bins)
        counts, sums = np.zeros([len(each) for each in bins]), np.zeros([len(each) for each in bins])
        np.add.at(counts, places, 1.0)
        np.add.at(sums, places, effects[:, term])
        points = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
        made.append(CardTerm(name, bins, np.asarray(np.round(points, options["decimals"]) + 0.0, dtype=np.float64), counts))
    rounded = float(np.round(offset, options["decimals"]))
    card = Scorecard(tuple(made), rounded, pdo, float(options["base"]), odds, str(good), 1.0, fitted.read)
    exact = offset + effects.sum(axis=1)
    spread = float(np.var(exact))
    lost = float(np.mean((card.score(X) - exact) ** 2)) / spread if spread > 0 else 0.0
    return replace(card, agreement=1.0 - lost)


def _make_bins(table: Table, column: int, n_bins: int) -> Bins:
    """Levels of a category or of a number of few values; else intervals with about equally many rows."""
    values = take_values(table, column)
    if table.schema.is_category[column] or values.dtype == object:
        levels = sorted({value for value in values.tolist() if value is not None}, key=str)
        return Bins(column, np.empty(0), tuple(levels))
    known = np.unique(values[~np.isnan(values)])
    if len(known) <= n_bins:
        return Bins(column, (known[:-1] + known[1:]) / 2)
    inner = np.quantile(values[~np.isnan(values)], np.linspace(0, 1, n_bins + 1)[1:-1], method="lower")
    edges = np.unique(inner)
    return Bins(column, edges[edges < known[-1]])
