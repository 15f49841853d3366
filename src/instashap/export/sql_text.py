"""Expressions of SQL as text; sqlglot writes what differs between dialects: identifiers, literals and types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._optional import require
from .._validation import check_choice

# Dialects whose queries are run in the tests, with the longest name in bytes and whether names differ by case alone.
DIALECTS = {"duckdb": (None, False), "postgres": (63, True), "sqlite": (None, False)}


@dataclass(frozen=True)
class Dialect:
    """One dialect of SQL.

    Attributes
    ----------
    name : str
    sqlglot : module
    """

    name: str
    sqlglot: Any

    @classmethod
    def find(cls, name: str) -> Dialect:
        """A dialect by name; raises ``ValueError`` for one whose queries are not tested."""
        return cls(check_choice(name, tuple(DIALECTS), "dialect"), require("sqlglot", "sql", "SQL queries"))

    def name_column(self, name: str) -> str:
        """A quoted identifier."""
        return str(self.sqlglot.exp.to_identifier(name, quoted=True).sql(self.name))

    def name_table(self, name: str) -> str:
        """A quoted name of a table, or of one in a schema: ``sales.orders``."""
        return ".".join(map(self.name_column, name.split(".")))

    def quote(self, text: str) -> str:
        """A literal of text."""
        return str(self.sqlglot.exp.Literal.string(text).sql(self.name))

    def cast(self, expression: str, kind: str) -> str:
        """An expression as ``double``, ``int`` or ``text``."""
        return f"CAST({expression} AS {self.sqlglot.exp.DataType.build(kind).sql(self.name)})"

    def read_number(self, column: str, is_flag: bool) -> str:
        """A column as double, NULL for missing; true and false are 1 and 0."""
        value = self.cast(self.cast(column, "int") if is_flag else column, "double")
        if self.name == "sqlite" or is_flag:
            return value
        is_nan = f"isnan({value})" if self.name == "duckdb" else f"{value} = 'NaN'"
        return f"CASE WHEN {is_nan} THEN NULL ELSE {value} END"

    def find_invalid(self, column: str, is_flag: bool) -> str:
        """0, or what makes a sum NULL or NaN where Python refuses a value: an infinite one, in SQLite also text."""
        value = self.read_number(column, is_flag)
        if self.name == "sqlite":
            is_text = f"typeof({column}) IN ('text', 'blob')"
            return f"CASE WHEN {column} IS NULL THEN 0e0 WHEN {is_text} THEN NULL ELSE {value} - {value} END"
        return f"COALESCE({value} - {value}, 0e0)"


def write_number(value: float) -> str:
    """A number that every dialect reads to the same bits, as a double where it distinguishes these from decimals."""
    text = repr(float(value))
    text = text if "e" in text else f"{text}e0"
    return f"({text})" if text.startswith("-") else text


def add_up(parts: Sequence[str]) -> str:
    """A sum in halves of halves: databases limit how deep expressions may be."""
    if len(parts) <= 1:
        return parts[0] if parts else "0e0"
    middle = len(parts) // 2
    return f"({add_up(parts[:middle])} + {add_up(parts[middle:])})"


def branch(subject: str, bounds: Sequence[str], leaves: Sequence[str]) -> str:
    """A nested ``CASE``: leaf k where ``bounds[k - 1] < subject <= bounds[k]``; equal leaves beside each other are one.

    Examples
    --------
    >>> branch("x", ["1", "2", "3"], ["a", "b", "b", "c"])
    'CASE WHEN x <= 3 THEN CASE WHEN x <= 1 THEN a ELSE b END ELSE c END'
    """
    kept = [place for place in range(len(leaves)) if place + 1 == len(leaves) or leaves[place] != leaves[place + 1]]
    return _split(subject, [bounds[place] for place in kept[:-1]], [leaves[place] for place in kept])


def _split(subject: str, bounds: Sequence[str], leaves: Sequence[str]) -> str:
    if len(leaves) == 1:
        return leaves[0]
    middle = (len(leaves) - 1) // 2
    below = _split(subject, bounds[:middle], leaves[: middle + 1])
    above = _split(subject, bounds[middle + 1 :], leaves[middle + 1 :])
    return f"CASE WHEN {subject} <= {bounds[middle]} THEN {below} ELSE {above} END"


def write_polynomial(coefficients: Sequence[float], variable: str) -> str:
    """A polynomial by Horner's rule, coefficients by rising power; those that are zero at the end are left out."""
    kept = list(coefficients)
    while len(kept) > 1 and kept[-1] == 0.0:
        kept.pop()
    text = write_number(kept[-1])
    for coefficient in reversed(kept[:-1]):
        text = f"({write_number(coefficient)} + {variable} * {text})"
    return text
