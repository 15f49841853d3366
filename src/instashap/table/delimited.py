"""Reading of delimited text files (``.csv``): separator, encoding, row labels, and columns of plain numbers."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._errors import DataWarning, warn_caller
from .numerals import are_grouped, find_proven_decimal, is_code

if TYPE_CHECKING:
    import pandas as pd

# Message about a file without rows.
NO_ROWS = "it has names but no rows"
# Words that pandas reads as missing values: "NA" is Namibia or North America in a column of text, "None" may be a level.
PANDAS_GAPS = frozenset(
    {"#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "-NaN", "-nan"}
)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")


def read_delimited(path: Path, keep: Collection[str] = ()) -> pd.DataFrame:
    """The table in a file; the separator is that of the names in the first line: commas, semicolons, tabs or bars.

    Columns of plain numbers, or of true and false, have that type. All others, and those to ``keep``, are text as in the file,
    in which only empty cells are missing; :class:`.recipe.Recipe` reads them. ``attrs["decimal"]`` is a comma if semicolons
    separate the columns.

    Raises
    ------
    ValueError
        For repeated names, no rows, or rows longer or shorter than the first line.

    Warns
    -----
    DataWarning
        If the text is not UTF-8, or a first column without a name is used as row labels.
    """
    import pandas as pd

    encoding = find_encoding(path)
    separator = find_separator(path, encoding)
    how: dict[str, Any] = {"sep": separator, "encoding": encoding, "index_col": False}
    head = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False, **how)
    names = [str(name).strip() for name in head.iloc[0]]
    _check_names(names)
    how |= {"header": 0, "names": range(len(names)), "low_memory": False}
    table = _read_rows(path, {place: str for place, name in enumerate(names) if name in keep}, how)
    if not len(table):
        raise ValueError(NO_ROWS)
    refuse_short_lines(path, separator, encoding, table)
    _leave_words(table, path, how)
    _leave_codes(table, path, how)
    _leave_grouped(table, path, how)
    table.columns = pd.Index(names)
    table = table.dropna(axis=1, how="all") if "" in names[1:] else table  # a separator at the end of every line
    table = _take_labels(table)
    table.attrs["decimal"] = "," if separator == ";" else "."
    return table


def _read_rows(path: Path, types: dict[int, Any], how: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table: pd.DataFrame = pd.read_csv(path, dtype=types, **how)
        except pd.errors.ParserWarning as error:
            n_names = len(how["names"])
            raise ValueError(f"its rows have more cells than there are names ({n_names}); name every column") from error
    return table


def refuse_short_lines(path: Path, separator: str, encoding: str, table: pd.DataFrame) -> None:
    """Raise ``ValueError`` if a line has fewer cells than the first: pandas reads the cells that it lacks as missing values.

    Separators at the end of the first line alone need no cells. Empty lines are none of the table.
    """
    with path.open(encoding=encoding, newline="") as lines:
        reader = csv.reader(lines, delimiter=separator)
        first = next(reader)
        n_names = max((place for place, name in enumerate(first, 1) if name.strip()), default=0)
        if not n_names or not table.iloc[:, n_names - 1].isna().any():
            return
        try:
            short = [(reader.line_num, len(row)) for row in reader if 0 < len(row) < n_names]
        except csv.Error:  # for example a cell of more than 131 072 characters
            return
    if short:
        more = f" (and {len(short) - 1:,} further lines lack cells)" if len(short) > 1 else ""
        line, length = short[0]
        raise ValueError(
            f"line {line} has {length} cell{'s' * (length != 1)}, but the first line has {n_names} names{more}; a missing "
            "value needs its separator, too: complete the line or delete it"
        )


def find_separator(path: Path, encoding: str) -> str:
    """The separator that splits the first line into most names; in ties a comma, then a semicolon.

    Bars, which names such as "P(a|b)" have too, must split the second line as well.
    """
    with path.open(encoding=encoding, errors="replace", newline="") as lines:
        head = [lines.readline(), lines.readline()]

    def count(separator: str) -> int:
        cells = [len(next(csv.reader([line], delimiter=separator), [])) for line in head]
        return min(cells) if separator == "|" else cells[0]

    return max(",;\t|", key=count)


def find_encoding(path: Path) -> str:
    """Encoding of a text file: UTF-16 by its mark or its zero bytes, UTF-8 with or without a mark, else Western European.

    Raises ``ValueError`` for an empty file, and warns of Western European text, which cannot be recognised for certain.
    """
    data = path.read_bytes()
    if not data.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n"):
        raise ValueError("it is empty")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    head = data[:2000]
    for first, encoding in ((0, "utf-16-be"), (1, "utf-16-le")):  # Latin letters have a zero byte before or after them
        if len(head) > 3 and 2 * head[first::2].count(0) > len(head[first::2]):
            return encoding
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
    """The table with row labels from a first column without a name, or with pandas' name for it, if all its values differ."""
    import pandas as pd

    nameless = [place for place, name in enumerate(table.columns) if not name]
    if len(nameless) > 1 or (nameless and nameless[0] > 0):
        raise ValueError(f"{len(nameless)} columns have no name (the first is column {nameless[0] + 1}); name every column")
    if table.columns[0] not in ("", "Unnamed: 0") or table.shape[1] < 2:
        return table
    labels = table.iloc[:, 0]
    is_label = labels.dtype.kind in "iuO" or pd.api.types.is_string_dtype(labels.dtype)
    if not is_label or not labels.is_unique or labels.isna().any():
        return table.rename(columns={"": "Unnamed: 0"})
    warn_caller("the first column has no name and a different value in every row: it is used as row labels", DataWarning)
    return table.iloc[:, 1:].set_axis(pd.Index(labels).rename(None), axis=0)


def _leave_words(table: pd.DataFrame, path: Path, how: dict[str, Any]) -> None:
    """Restore words such as ``NA`` and ``None`` in columns of text, where pandas makes all of them the same missing value."""
    places = [place for place in table if table[place].isna().any() and _is_text(table[place].dropna())]
    for place, column in _read_texts(path, places, {**how, "keep_default_na": False, "na_values": [""]}).items():
        table[place] = column


def _is_text(known: Any) -> bool:
    return len(known) > 0 and all(isinstance(cell, str) for cell in known)


def _leave_codes(table: pd.DataFrame, path: Path, how: dict[str, Any]) -> None:
    """Restore the text of columns of whole numbers that have leading zeros in the file."""
    whole = [place for place in table if table[place].dtype.kind in "iuf" and _is_whole(table[place].to_numpy())]
    texts = _read_texts(path, whole, how)
    for place in whole:
        if is_code(texts[place].dropna().unique()):
            table[place] = texts[place]


def _is_whole(values: NDArray[Any]) -> bool:
    known = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    return bool(len(known)) and (values.dtype.kind != "f" or bool((known == np.floor(known)).all()))


def _read_texts(path: Path, places: list[Any], how: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    usable = {name: value for name, value in how.items() if name != "index_col"}  # cannot be combined with usecols
    return pd.read_csv(path, dtype=str, usecols=places, **usable) if places else pd.DataFrame()


def _leave_grouped(table: pd.DataFrame, path: Path, how: dict[str, Any]) -> None:
    """Restore the text of columns in which points may separate thousands.

    That is so if every row is like ``1.234`` and another column has decimal commas, or if rows are like ``1.230`` and ``500``.
    """
    texts = [place for place in table if table[place].dtype.kind not in "iufb"]
    has_commas = any(find_proven_decimal(table[place].dropna().astype(str).unique()) == "," for place in texts)
    places = [place for place in table if table[place].dtype.kind == "f"]
    for place, column in _read_texts(path, places, how).items():
        cells = column.dropna().str.strip().unique().tolist()
        if len(cells) and (are_grouped(cells) or (has_commas and all(map(_GROUPED.fullmatch, cells)))):
            table[place] = column
