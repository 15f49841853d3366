"""Tables in files of separated text (``.csv``): separator, encoding, row labels, and which columns are plain numbers."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import DataWarning, warn_caller
from .numerals import find_proven_decimal, is_code, is_plain

if TYPE_CHECKING:
    import pandas as pd

_INTEGER = re.compile(r"[+-]?\d{1,18}")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
_FLAGS = {"true": True, "false": False}


def read_delimited(path: Path, keep: Collection[str] = ()) -> pd.DataFrame:
    """A table whose columns are separated by what separates the names in its first line: commas, semicolons or tabs.

    Columns of plain numbers, or of true and false, are of that type. All others, and those to ``keep``, are text as it stands
    in the file; :class:`.recipe.Recipe` reads them. ``attrs["decimal"]`` is a comma where semicolons separate the columns.

    Raises
    ------
    ValueError
        For repeated names, no rows, or rows longer than the first line.

    Warns
    -----
    DataWarning
        If the text is not UTF-8, or a first column without a name is taken for row labels.
    """
    import pandas as pd

    encoding = _find_encoding(path)
    separator = find_separator(path, encoding)
    how: dict[str, Any] = {"sep": separator, "dtype": str, "encoding": encoding, "index_col": False}
    head = pd.read_csv(path, header=None, nrows=1, keep_default_na=False, **how)
    names = [str(name).strip() for name in head.iloc[0]]
    _check_names(names)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table = pd.read_csv(path, header=0, **how)
        except pd.errors.ParserWarning as error:
            raise ValueError(f"its rows have more cells than there are names ({len(names)}); name every column") from error
    if not len(table):
        raise ValueError("it has names but no rows")
    table.columns = pd.Index(names)
    table = table.dropna(axis=1, how="all") if "" in names[1:] else table  # a separator at the end of every line
    table = _take_labels(table)
    columns = {name: table[name] if name in keep else _read_plain(table[name]) for name in table.columns}
    read = pd.DataFrame(columns, index=table.index)
    _leave_grouped(read, table)
    read.attrs["decimal"] = "," if separator == ";" else "."
    return read


def find_separator(path: Path, encoding: str) -> str:
    """What splits the first line into most names; of equals a comma, then a semicolon."""
    with path.open(encoding=encoding, errors="replace", newline="") as lines:
        first = lines.readline()
    return max(",;\t", key=lambda each: len(next(csv.reader([first], delimiter=each), [])))


def _find_encoding(path: Path) -> str:
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        warn_caller(f"{path} is not UTF-8 and is read as Western European text; check letters with accents", DataWarning)
        return "latin-1"
    return "utf-8-sig"


def _check_names(names: list[str]) -> None:
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise ValueError(f"column names are repeated: {', '.join(map(repr, repeated))}; rename them")


def _take_labels(table: pd.DataFrame) -> pd.DataFrame:
    """A first column without a name, or with the one pandas gives it, holds row labels if no two are alike."""
    import pandas as pd

    nameless = [place for place, name in enumerate(table.columns) if not name]
    if len(nameless) > 1 or (nameless and nameless[0] > 0):
        raise ValueError(f"{len(nameless)} columns have no name (the first is column {nameless[0] + 1}); name every column")
    if table.columns[0] not in ("", "Unnamed: 0") or table.shape[1] < 2:
        return table
    labels = table.iloc[:, 0]
    if not labels.is_unique or labels.isna().any() or (any(map(is_plain, labels)) and not all(map(_INTEGER.fullmatch, labels))):
        return table.rename(columns={"": "Unnamed: 0"})
    warn_caller("the first column has no name and a different value in every row: it is taken as row labels", DataWarning)
    index = pd.Index(_read_plain(labels))
    return table.iloc[:, 1:].set_axis(index.rename(None), axis=0)


def _read_plain(column: pd.Series) -> pd.Series:
    """Plain numbers as int64 or float64, true and false as booleans; all else as it is."""
    import pandas as pd

    cells = [cell.strip() for cell in column.dropna()]
    if not cells:
        return pd.Series(np.nan, column.index)
    if all(map(_INTEGER.fullmatch, cells)):
        if is_code(cells):
            return column
        values: Any = np.array([int(cell) for cell in cells], dtype=np.int64)
    elif all(map(is_plain, cells)):
        values = np.array([float(cell) for cell in cells])
    elif all(cell.casefold() in _FLAGS for cell in cells):
        values = np.array([_FLAGS[cell.casefold()] for cell in cells])
    else:
        return column
    if len(cells) == len(column):
        return pd.Series(values, column.index)
    filled = np.full(len(column), None, dtype=object) if values.dtype == bool else np.full(len(column), np.nan)
    filled[column.notna().to_numpy()] = values
    return pd.Series(filled, column.index)


def _leave_grouped(read: pd.DataFrame, table: pd.DataFrame) -> None:
    """Where another column proves decimal commas, ``1.234`` in every row may be thousands: it stays text for the recipe."""
    texts = [name for name in read if read[name].dtype not in (np.int64, np.float64, bool)]
    if not any(find_proven_decimal(read[name].dropna().astype(str).unique()) == "," for name in texts):
        return
    for name in read.columns.difference(texts):
        cells = table[name].dropna().str.strip()
        if len(cells) and cells.str.fullmatch(_GROUPED.pattern).all():
            read[name] = table[name]
