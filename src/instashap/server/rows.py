"""Rows as a request brings them, judged value by value."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..table.columns import Schema, Table


def read_rows(schema: Schema, rows: Any, max_rows: int) -> Table:
    """A table of rows given as JSON: objects by column name, or lists in the fitted order; null is missing.

    Raises
    ------
    ValueError
        With a sentence that names the row and the column.
    """
    if not isinstance(rows, list) or not rows:
        raise ValueError('"rows" must be a list of one or more rows, each an object {column: value} or a list of values')
    if len(rows) > max_rows:
        raise ValueError(f"{len(rows):,} rows were sent, at most {max_rows:,} are taken at once; send them in parts")
    listed = [_list_values(schema, number, row) for number, row in enumerate(rows)]
    kinds = np.array(schema.is_category)
    numbers = listed if not kinds.any() else [[row[place] for place in np.flatnonzero(~kinds)] for row in listed]
    names = [name for name, is_category in zip(schema.names, kinds, strict=True) if not is_category]
    matrix = _read_numbers(numbers, names)
    categories = tuple(
        _read_categories([row[place] for row in listed], schema.names[place]) for place in np.flatnonzero(kinds)
    )
    return Table(schema, matrix, categories)


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
        raise ValueError(f"row {number} has {len(row)} values, the explainer {columns}")
    return row


def _read_numbers(rows: list[list[Any]], names: Sequence[str]) -> NDArray[np.float64]:
    if not names:
        return np.empty((len(rows), 0))
    if not set(map(type, chain.from_iterable(rows))) <= {int, float, type(None)}:
        _refuse_kinds(rows, names)
    matrix = np.array(rows, dtype=np.float64)
    if np.isinf(matrix).any():
        row, column = np.argwhere(np.isinf(matrix))[0]
        raise ValueError(f"row {row}: {names[column]!r} is infinite; send null for a missing value")
    return matrix


def _refuse_kinds(rows: list[list[Any]], names: Sequence[str]) -> None:
    for number, row in enumerate(rows):
        for name, value in zip(names, row, strict=True):
            if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
                raise ValueError(f"row {number}: {name!r} must be a number or null, got {_name_type(value)}")


def _read_categories(values: list[Any], name: str) -> tuple[NDArray[np.int64], list[Any]]:
    codes = np.empty(len(values), dtype=np.int64)
    levels: dict[tuple[bool, Any], int] = {}
    for number, value in enumerate(values):
        if value is None:
            codes[number] = -1
            continue
        if not isinstance(value, (str, bool, int, float)):
            raise ValueError(f"row {number}: {name!r} must be text, a number, true, false or null, got {_name_type(value)}")
        codes[number] = levels.setdefault((isinstance(value, bool), value), len(levels))
    return codes, [value for _, value in levels]


def _name_type(value: Any) -> str:
    names = {bool: "true or false", str: "text", dict: "an object", list: "a list", type(None): "null"}
    return names.get(type(value), "a number")


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:20]))
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"
