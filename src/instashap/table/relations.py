"""Number columns that are sums of others, up to rounding: totals and their parts, copies, one figure in two units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import Table

# A column is a sum of others if these leave at most this share of its variance unexplained.
_MAX_OPEN = 1e-6
# The most columns that are searched, and the most relations that are named.
MAX_COLUMNS = 100
_MAX_NAMED = 10
# Relative to the diagonal; keeps correlations of exact sums invertible.
_JITTER = 1e-10
# Digits of a factor, and the relative distance at which it counts as a whole number.
_DIGITS = 3
_ROUNDING = 1e-3


@dataclass(frozen=True)
class Relation:
    """A column as a sum of others.

    Attributes
    ----------
    target : str
    parts : tuple of str
    factors : tuple of float
    constant : float
        Zero if it is small compared with the spread of the column.
    """

    target: str
    parts: tuple[str, ...]
    factors: tuple[float, ...]
    constant: float = 0.0

    def __str__(self) -> str:
        """For example ``"total = a + b - 2 c"``."""
        terms = [_write(factor, name) for factor, name in zip(self.factors, self.parts, strict=True)]
        terms += [_write(self.constant, "")] if self.constant else []
        return f"{self.target} = {' '.join(terms).removeprefix('+ ')}"


def _write(factor: float, name: str) -> str:
    size = abs(factor)
    whole = round(size)
    number = str(whole) if whole and abs(size - whole) < _ROUNDING * whole else f"{size:.{_DIGITS}g}"
    shown = name if name and number == "1" else f"{number} {name}".rstrip()
    return f"{'-' if factor < 0 else '+'} {shown}"


def find_relations(table: Table, weights: NDArray[np.float64]) -> list[Relation]:
    """Relations between the number columns of a table, at most ten; columns with missing values have none.

    Parameters
    ----------
    table : Table
    weights : ndarray of shape (n_rows,), float64
        Above zero.

    Examples
    --------
    >>> from instashap.table.columns import read_table
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> X[:, 2] = X[:, 0] + 2 * X[:, 1]
    >>> [str(each) for each in find_relations(read_table(X), np.ones(50))]
    ['x2 = x0 + 2 x1']
    """
    names, values = _collect_numbers(table)
    return [_name(each, names) for each in find_sums(values, weights)[:_MAX_NAMED]]


class Sum(NamedTuple):
    """A column that is a constant and a weighted sum of others, by position."""

    target: int
    parts: tuple[int, ...]
    factors: NDArray[np.float64]
    constant: float
    is_without_constant: bool


def find_sums(values: NDArray[np.float64], weights: NDArray[np.float64]) -> list[Sum]:
    """Columns that are sums of others up to rounding; each column is the target or a part of one of them at least, if of any.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns), float64
        Finite; every column varies. More than 100 columns are not searched.
    weights : ndarray of shape (n_rows,), float64
        Above zero.
    """
    n_rows, n_columns = values.shape
    if not 2 <= n_columns <= MAX_COLUMNS or n_rows <= n_columns + 1:
        return []
    shares = weights / weights.sum()
    means = shares @ values
    away = values - means
    size = np.abs(away).max(axis=0)  # squares of numbers far from 1 have no place in a double
    scaled = away / size
    spread = np.sqrt(shares @ scaled**2)
    scaled, spread = scaled / spread, size * spread
    correlation = (scaled * shares[:, None]).T @ scaled
    found: list[Sum] = []
    covered: set[int] = set()
    open_shares = 1.0 / np.diag(np.linalg.inv(correlation + _JITTER * np.eye(n_columns)))
    for target in np.flatnonzero(open_shares < _MAX_OPEN).tolist():
        if target not in covered:
            members = sorted([*_thin(correlation, target), target])
            covered |= set(members)
            found.append(_solve_for_largest(members, correlation, means, spread))
    return found


def _collect_numbers(table: Table) -> tuple[list[str], NDArray[np.float64]]:
    """Names and values of number columns that vary and have no missing values."""
    names = [name for name, is_category in zip(table.schema.names, table.schema.is_category, strict=True) if not is_category]
    if len(names) > MAX_COLUMNS:
        return names, np.empty((0, 0))
    values = np.asarray(table.numbers, dtype=np.float64)
    kept = np.flatnonzero(np.isfinite(values).all(axis=0) & (values != values[:1]).any(axis=0))
    return [names[column] for column in kept], values[:, kept]


def _solve(correlation: NDArray[np.float64], target: int, columns: list[int]) -> tuple[NDArray[np.float64], float]:
    """Factors of some columns for a target, all of unit variance, and the share of its variance left unexplained."""
    matrix = correlation[np.ix_(columns, columns)] + _JITTER * np.eye(len(columns))
    factors = np.asarray(np.linalg.solve(matrix, correlation[columns, target]), dtype=np.float64)
    return factors, float(1.0 - correlation[columns, target] @ factors)


def _thin(correlation: NDArray[np.float64], target: int) -> list[int]:
    """Columns whose weighted sum is the target, without those that are not needed."""
    columns = [column for column in range(len(correlation)) if column != target]
    factors, _ = _solve(correlation, target, columns)
    for column in np.array(columns)[np.argsort(np.abs(factors), kind="stable")].tolist():
        fewer = [each for each in columns if each != column]
        if fewer and _solve(correlation, target, fewer)[1] < _MAX_OPEN:
            columns = fewer
    return columns


def _solve_for_largest(
    members: list[int], correlation: NDArray[np.float64], means: NDArray[np.float64], spread: NDArray[np.float64]
) -> Sum:
    """The relation of some columns, solved for the one of the largest spread among them: a total rather than a part."""
    target = max(members, key=lambda column: (_weigh(members, column, correlation), column))
    columns = [column for column in members if column != target]
    factors = _solve(correlation, target, columns)[0] * spread[target] / spread[columns]
    constant = float(means[target] - factors @ means[columns])
    is_small = abs(constant) < _ROUNDING * (spread[target] + abs(means[target]))
    return Sum(target, tuple(columns), factors, constant, is_small)


def _name(found: Sum, names: Sequence[str]) -> Relation:
    parts = tuple(names[column] for column in found.parts)
    constant = 0.0 if found.is_without_constant else found.constant
    return Relation(names[found.target], parts, tuple(found.factors.tolist()), constant)


def _weigh(members: list[int], target: int, correlation: NDArray[np.float64]) -> float:
    """How much more a column varies than its parts of the relation: the less its factors, the more; rounded, for ties."""
    columns = [column for column in members if column != target]
    return -round(float(np.abs(_solve(correlation, target, columns)[0]).sum()), 6)
