"""Lines of a report on a change: differences of weighted means, with standard errors, and which of them exceed noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.special import stdtr, stdtrit

from ..inference.uncertainty import N_GROUPS, compute_contrast
from ..table.row_hash import mix

# Chance of one false line or more in a whole report (Holm 1979), and the intervals' coverage line by line.
LEVEL = 0.05
COVERAGE = 0.9
# Standard errors below this share of the outputs' size are rounding errors, and values of a fit below that one of their spread.
_ROUNDING, _FIT_ROUNDING = 1e-9, 1e-5
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

# Rows of one side of a comparison: sign, positions, and weights that sum to one.
Side = tuple[float, NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True)
class ChangeLine:
    """One summand of a change.

    Attributes
    ----------
    part : {"data", "model", "rest"}
        Rows that moved, a model that moved, or what the additive game does not reproduce.
    name : str
        A feature, or a phrase in parentheses for a line that belongs to none.
    value : float
        On the scale of the report.
    deviations : ndarray of shape (n_groups,), float64
        Scaled deviations of the jackknife: the squares of a sum's deviations add up to its variance.
    is_feature : bool
    floor : float
        Least standard error: below it there are only rounding errors.
    p_value : float
        Adjusted for all lines of the report; 1 until :func:`judge_lines`.
    chance : float or None
        Two-sided p-value of this line alone, where it is not that of a mean (Student's t).
    """

    part: str
    name: str
    value: float
    deviations: NDArray[np.float64] = field(repr=False)
    is_feature: bool = True
    floor: float = 0.0
    p_value: float = 1.0
    chance: float | None = None

    @property
    def standard_error(self) -> float:
        """From rows of all cohorts and from the fit, which was refitted without each group of rows."""
        return float(np.linalg.norm(self.deviations))

    @property
    def shown(self) -> float:
        """The value, 0 where it is a rounding error."""
        return self.value if abs(self.value) > self.floor else 0.0

    @property
    def is_noise(self) -> bool:
        """Whether the line is indistinguishable from zero, at a chance of 5 % for any false line among all of the report's."""
        return self.p_value >= LEVEL

    @property
    def reach(self) -> float:
        """Half width of the 90 % interval."""
        return find_quantile(COVERAGE, len(self.deviations)) * self.standard_error

    @property
    def own_p_value(self) -> float:
        """Two-sided p-value of this line alone."""
        if self.chance is not None:
            return self.chance
        spread = self.standard_error
        if abs(self.value) <= self.floor or not (spread or self.value):
            return 1.0
        return float(2 * stdtr(count_freedom(len(self.deviations)), -abs(self.value) / max(spread, self.floor, 1e-300)))


def count_freedom(n_groups: int) -> int:
    """Degrees of freedom of a standard error from so many groups."""
    return max(n_groups - 1, 1)


def find_quantile(coverage: float, n_groups: int) -> float:
    """Half width in standard errors of an interval with a coverage, by Student's t."""
    return float(stdtrit(count_freedom(n_groups), (1 + coverage) / 2))


def add_lines(lines: Sequence[ChangeLine], part: str, name: str) -> ChangeLine:
    """The sum of lines as one line that belongs to no feature."""
    values, spreads = sum(line.value for line in lines), np.sum([line.deviations for line in lines], axis=0)
    return ChangeLine(part, name, float(values), spreads, False, max(line.floor for line in lines))


def judge_lines(lines: Sequence[ChangeLine]) -> list[ChangeLine]:
    """The lines with p-values adjusted for their number, step by step (Holm 1979): at most 5 % of reports have a false line."""
    own = np.array([line.own_p_value for line in lines])
    order = np.argsort(own, kind="stable")
    adjusted = np.empty(len(own))
    adjusted[order] = np.minimum(np.maximum.accumulate(own[order] * np.arange(len(own), 0, -1)), 1.0)
    return [replace(line, p_value=float(each)) for line, each in zip(lines, adjusted, strict=True)]


@dataclass(frozen=True)
class RowGroups:
    """Groups of rows that the jackknife leaves out, the same for means over rows and for refits.

    Attributes
    ----------
    shares : sparse array of shape (n_groups, n_rows), float64
        Share of each row in each group: 1 in one of them, but for rows that stand for several equal ones.
    contrast : ndarray of shape (n_groups, n_groups), float64
        See :func:`instashap.inference.uncertainty.compute_contrast`.
    """

    shares: csc_array
    contrast: NDArray[np.float64]

    @property
    def n_groups(self) -> int:
        return len(self.contrast)

    def find_rows(self, group: int, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Which of the rows at some places are in a group, as positions among these places, and with what share."""
        own = self.shares[[group]][:, places].toarray()[0]
        found = np.flatnonzero(own)
        return found, own[found]

    def compare(self, values: NDArray[np.float64], sides: Sequence[Side]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Signed sum of weighted means over the sides' rows, shape (n_values,), and its deviations (n_groups, n_values).

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_values), float64
        sides : sequence of (sign, rows, weights)
        """
        whole, without = np.zeros(values.shape[1]), np.zeros((self.n_groups, values.shape[1]))
        for sign, rows, weights in sides:
            in_groups = self.shares[:, rows]
            shares, sums = in_groups @ weights, in_groups @ (weights[:, None] * values[rows])
            total = sums.sum(axis=0)
            left = np.maximum(1.0 - shares, 1e-12)[:, None]
            whole += sign * total
            without += sign * np.where(shares[:, None] < 1.0 - 1e-9, (total - sums) / left, total)
        return whole, self.contrast @ (without - whole)


def deal_rows(
    hashes: NDArray[np.uint64], cohorts: NDArray[np.int64], weights: NDArray[np.float64], copies: NDArray[np.int64]
) -> RowGroups:
    """Groups of equal size within each cohort, by hashes of rows, so that the order of rows and cohorts does not matter.

    Copies of a row, which are indistinguishable, are numbered and dealt one by one.

    Parameters
    ----------
    hashes : ndarray of shape (n_rows,), uint64
    cohorts : ndarray of shape (n_rows,), int64
    weights : ndarray of shape (n_rows,), float64
    copies : ndarray of shape (n_rows,), int64
        How many equal rows each stands for.
    """
    owners = np.repeat(np.arange(len(hashes)), copies)
    content = [int(hashes[cohorts == cohort].sum()) for cohort in range(int(cohorts.max()) + 1)]
    ranks = np.argsort(np.argsort(np.array(content, dtype=np.uint64), kind="stable"), kind="stable")[cohorts[owners]]
    parts = weights[owners] / copies[owners]
    order = np.lexsort((parts, hashes[owners], ranks))
    ranked = mix(hashes[owners][order] + _GOLDEN * ranks[order].astype(np.uint64))
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    numbered = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    keys = np.empty(len(order), dtype=np.uint64)
    keys[order] = mix(ranked + _GOLDEN * (numbered.astype(np.uint64) + np.uint64(1)))
    numbers = np.empty(len(order), dtype=np.int64)
    for rank in np.unique(ranks):
        rows = np.flatnonzero(ranks == rank)
        numbers[rows[np.argsort(keys[rows], kind="stable")]] = np.arange(len(rows)) % N_GROUPS
    used, numbers = np.unique(numbers, return_inverse=True)
    shares = csc_array((1.0 / copies[owners], (numbers, owners)), shape=(len(used), len(hashes)))
    sums = shares @ weights
    return RowGroups(shares, compute_contrast(sums / sums.sum()))


def find_floor(outputs: NDArray[np.float64]) -> float:
    """Size below which figures of outputs are rounding errors."""
    return _ROUNDING * float(np.abs(outputs).max(initial=0.0))


def find_fit_floor(outputs: NDArray[np.float64]) -> float:
    """The same of values that a fit gives, which is as accurate as its penalties and its solution."""
    return max(find_floor(outputs), _FIT_ROUNDING * float(outputs.std()))
