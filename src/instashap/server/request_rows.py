"""Rows of a request, with a check of every value."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import LARGEST_INTEGER, holds_large
from ..table.columns import Schema, Table
from ..table.recipe import Reading, Recipe

# Keys of a request's body, by question.
KEYS = {"predict": ("rows",), "explain": ("rows", "errors")}
# Ignored keys of rows are counted up to about so many.
MAX_IGNORED = 100
# Types of the values of number columns.
_NUMBERS = {bool, int, float, type(None)}


def read_rows(schema: Schema, rows: Any, max_rows: int, recipe: Recipe | None = None) -> Table:
    """A table of rows given as JSON: objects by column name, or lists in the fitted order; null is missing.

    With a ``recipe`` rows may also hold columns before their conversion by the recipe: a date instead of its parts.

    Raises
    ------
    ValueError
        For values that do not fit; the message names the row and the column.
    """
    return start_reader(schema, rows, max_rows, recipe).finish()


def start_reader(schema: Schema, rows: Any, max_rows: int, recipe: Recipe | None = None) -> RequestReader:
    """A reader that holds these rows; see :func:`read_rows`."""
    if not isinstance(rows, list) or not rows:
        raise ValueError('"rows" must be a list of one or more rows, each an object {column: value} or a list of values')
    check_count(len(rows), max_rows)
    reader = RequestReader(schema, recipe)
    reader.add(rows)
    return reader


def check_keys(content: Any, question: str) -> None:
    """Raise ``ValueError`` for a body that is no object, has a key that the question does not know, or a wrong option."""
    if not isinstance(content, dict):
        raise ValueError('the body must be an object {"rows": [...]}')
    known = KEYS[question]
    unknown = sorted(content.keys() - set(known))
    if unknown:
        raise ValueError(f"the body has the unknown key {unknown[0]!r}; /{question} knows {', '.join(map(repr, known))}")
    if not isinstance(content.get("errors", False), bool):
        raise ValueError(f"'errors' must be true or false, got {_name_type(content['errors'])}")


def check_count(n_rows: int, max_rows: int) -> None:
    """Raise ``ValueError`` for more rows than the limit."""
    if n_rows > max_rows:
        raise ValueError(f"{n_rows:,} rows were sent, the limit of one request is {max_rows:,}; send them in parts")


class RequestReader:
    """Builds a table from rows that are added in parts.

    Attributes
    ----------
    ignored : dict of str to None
        Keys of rows that are no column of the fit, in the order in which they came; about ``MAX_IGNORED`` at most.
    """

    def __init__(self, schema: Schema, recipe: Recipe | None = None) -> None:
        self.schema = schema
        self.recipe = recipe
        self.n_rows = 0
        self.ignored: dict[str, None] = {}
        self._known = frozenset(schema.names).union(() if recipe is None else recipe.readings)
        kinds = np.array(schema.is_category)
        self._numbers, self._categories = np.flatnonzero(~kinds).tolist(), np.flatnonzero(kinds).tolist()
        self._names = [schema.names[place] for place in self._numbers]
        self._matrices: list[NDArray[np.float64]] = []
        self._codes: list[list[NDArray[np.int64]]] = [[] for _ in self._categories]
        self._levels: list[dict[tuple[bool, Any], int]] = [{} for _ in self._categories]

    def add(self, rows: list[Any]) -> None:
        """Check and add some rows; raises ``ValueError`` for values that do not fit."""
        self._note_ignored(rows)
        if self.recipe is not None:
            rows = _follow(self.recipe, self.schema, rows, self.n_rows)
        listed = [_list_values(self.schema, number, row) for number, row in enumerate(rows, self.n_rows)]
        numbers = [[row[place] for place in self._numbers] for row in listed] if self._categories else listed
        self._matrices.append(_read_numbers(numbers, self._names, self.n_rows))
        for place, codes, levels in zip(self._categories, self._codes, self._levels, strict=True):
            codes.append(_read_categories([row[place] for row in listed], self.schema.names[place], levels, self.n_rows))
        self.n_rows += len(rows)

    def _note_ignored(self, rows: list[Any]) -> None:
        for row in rows:
            if isinstance(row, dict) and not row.keys() <= self._known and len(self.ignored) < MAX_IGNORED:
                self.ignored |= dict.fromkeys(name for name in row if name not in self._known)

    def finish(self) -> Table:
        """The table of all rows."""
        matrix = self._matrices[0] if len(self._matrices) == 1 else np.concatenate(self._matrices)
        categories = tuple(
            (np.concatenate(codes), [value for _, value in levels])
            for codes, levels in zip(self._codes, self._levels, strict=True)
        )
        return Table(self.schema, matrix, categories)


def _follow(recipe: Recipe, schema: Schema, rows: list[Any], start: int) -> list[Any]:
    """Rows whose raw columns are converted as in the fit; a list may be in the order of the raw columns."""
    raw_names = recipe.find_raw_names(schema.names)
    named = [
        dict(zip(raw_names, row, strict=True)) if isinstance(row, list) and len(row) == len(raw_names) else row for row in rows
    ]
    followed = [dict(row) if isinstance(row, dict) else row for row in named]
    for name, reading in recipe.readings.items():
        holders = [number for number, row in enumerate(named) if isinstance(row, dict) and name in row]
        parts = _read_cells(reading, name, {start + number: named[number][name] for number in holders})
        for part, cells in parts.items():
            for number, cell in zip(holders, cells, strict=True):
                followed[number][part] = cell
    return followed


def _read_cells(reading: Reading, name: str, cells: dict[int, Any]) -> dict[str, list[Any]]:
    """Parts of raw cells by name; errors name the row of the cell."""
    import pandas as pd

    for number, cell in cells.items():
        if isinstance(cell, (dict, list, bool)):
            raise ValueError(f"row {number}: {name!r} must be text, a number or null, got {_name_type(cell)}")
    if not cells:
        return {}
    try:
        read = reading.read(name, pd.Series(list(cells.values()), dtype=object))
    except ValueError as error:
        if len(cells) > 1:
            for number, cell in cells.items():
                _read_cells(reading, name, {number: cell})
        raise ValueError(f"row {next(iter(cells))}: {error}") from error
    listed = {part: np.asarray(column, dtype=object).tolist() for part, column in read.items()}
    return {part: [None if cell != cell else cell for cell in column] for part, column in listed.items()}


def _list_values(schema: Schema, number: int, row: Any) -> list[Any]:
    if isinstance(row, dict):
        try:
            return [row[name] for name in schema.names]
        except KeyError as error:
            raise ValueError(f"row {number} lacks the column {error}; send null for a missing value") from error
    if not isinstance(row, list):
        raise ValueError(f"row {number} must be an object or a list, got {_name_type(row)}")
    if len(row) != len(schema.names):
        columns = f"{len(schema.names)} columns: {_list(schema.names)}"
        raise ValueError(f"row {number} has {len(row)} values, the explainer has {columns}")
    return row


def _read_numbers(rows: list[list[Any]], names: Sequence[str], start: int) -> NDArray[np.float64]:
    """Numbers of some columns; true and false are 1 and 0, and whole numbers from 2**53 on are refused, as in tables."""
    if not names:
        return np.empty((len(rows), 0))
    if not set(map(type, chain.from_iterable(rows))) <= _NUMBERS:
        _refuse_kinds(rows, names, start)
    try:
        matrix = np.array(rows, dtype=np.float64)
    except OverflowError:
        matrix = np.full((len(rows), len(names)), np.inf)
    if holds_large(matrix):
        _refuse_large(rows, names, start)
    return matrix


def _refuse_kinds(rows: list[list[Any]], names: Sequence[str], start: int) -> None:
    for number, row in enumerate(rows, start):
        for name, value in zip(names, row, strict=True):
            if type(value) not in _NUMBERS:
                raise ValueError(f"row {number}: {name!r} must be a number, true, false or null, got {_name_type(value)}")


def _refuse_large(rows: list[list[Any]], names: Sequence[str], start: int) -> None:
    """Raise ``ValueError`` for the first infinite number, or integer that float64 does not distinguish from its neighbours."""
    for number, row in enumerate(rows, start):
        for name, value in zip(names, row, strict=True):
            if isinstance(value, float) and np.isinf(value):
                raise ValueError(f"row {number}: {name!r} is infinite; send null for a missing value")
            if isinstance(value, int) and abs(value) >= LARGEST_INTEGER:
                raise ValueError(
                    f"row {number}: {name!r} is an integer of 2**53 or more, where float64 makes different integers equal; if "
                    "it is a quantity, write it with a decimal point or an exponent, such as 1.0e16"
                )


def _read_categories(
    values: list[Any], name: str, levels: dict[tuple[bool, Any], int], start: int
) -> NDArray[np.int64]:
    """Codes of values; new levels are added to ``levels``."""
    codes = np.empty(len(values), dtype=np.int64)
    for number, value in enumerate(values):
        if value is None:
            codes[number] = -1
            continue
        if not isinstance(value, (str, bool, int, float)):
            kind = _name_type(value)
            raise ValueError(f"row {start + number}: {name!r} must be text, a number, true, false or null, got {kind}")
        codes[number] = levels.setdefault((isinstance(value, bool), value), len(levels))
    return codes


def _name_type(value: Any) -> str:
    names = {bool: "true or false", str: "text", dict: "an object", list: "a list", type(None): "null"}
    return names.get(type(value), "a number")


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:20]))
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"
