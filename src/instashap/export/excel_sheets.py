"""Sheets of a workbook as they are made: lines of values and formulas, and columns of numbers that formulas use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Sheet:
    """Lines of a sheet: values, formulas as :class:`Formula`, and None.

    The first ``n_inputs`` columns are to be filled in. ``grids`` are ranges whose numbers are coloured, ``n_frozen`` lines
    stay in sight, columns are as wide as the texts of the line ``heads`` (counted from 0), and effects follow after ``n_names``
    columns.
    """

    title: str
    lines: list[list[Any]] = field(default_factory=list)
    n_inputs: int = 0
    text_inputs: frozenset[int] = frozenset()
    grids: list[str] = field(default_factory=list)
    n_frozen: int = 0
    heads: int | None = None
    n_names: int = 1


class Formula(str):
    """Text of a formula, which other text never is, whatever it begins with."""


class NumberTables:
    """Columns of numbers, each under its name, and the ranges where they lie."""

    def __init__(self) -> None:
        self.columns: list[list[Any]] = []

    def add(self, name: str, values: Sequence[Any]) -> str:
        """The range that holds some values."""
        self.columns.append([name, *values])
        letter = name_column(len(self.columns) - 1)
        return f"Tables!${letter}$2:${letter}${len(values) + 1}"

    def list_lines(self) -> list[list[Any]]:
        """Lines of the sheet that holds the columns."""
        n_lines = max(map(len, self.columns), default=0)
        return [[column[place] if place < len(column) else None for column in self.columns] for place in range(n_lines)]


def name_column(place: int) -> str:
    """Letters of a column, counted from 0.

    Examples
    --------
    >>> name_column(0), name_column(25), name_column(26), name_column(16_383)
    ('A', 'Z', 'AA', 'XFD')
    """
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
