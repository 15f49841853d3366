"""Tables from files, and how their columns and their target are read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import DataWarning, warn_caller
from ._optional import require
from ._validation import check_choice, find_column, name_columns
from .table.dates import DateText
from .table.delimited import NO_ROWS, PANDAS_GAPS, find_encoding, find_separator, read_delimited, refuse_short_lines
from .table.numerals import list_some
from .table.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd

# A number with a decimal comma, as in most of Europe.
_DECIMAL_COMMA = r"[+-]?\d+(,\d+)?([eE][+-]?\d+)?"
TASKS = ("auto", "regression", "classification")
# A target with at most so many different whole numbers may hold numbers of classes.
_FEW = 20
# A fifth of so many rows is two, the fewest for which a score can be computed.
_LEAST_ROWS = 6


@dataclass(frozen=True)
class Prepared:
    """A table as it is in its file, with the recipe that reads its text, and its target.

    Attributes
    ----------
    X : DataFrame
        Columns as in the file; ``recipe`` reads their text.
    y : Series
        The target as numbers or classes.
    recipe : Recipe
    is_class : bool
        Whether the target is a class.
    notes : tuple of str
        Assumptions, one sentence per column.
    """

    X: pd.DataFrame
    y: pd.Series
    recipe: Recipe
    is_class: bool
    notes: tuple[str, ...]


def read_file(
    path: Path,
    *,
    keep: Collection[str] = (),
    for_model: bool = False,
    levels: Mapping[str, Collection[str]] | None = None,
) -> pd.DataFrame:
    """The table in a ``.parquet`` file, or in one of delimited text: ``.csv``, ``.tsv`` or ``.txt``.

    Text stays as in the file; in the columns to ``keep``, numbers stay text too. With ``for_model`` pandas reads the file, as
    in the code that most likely trained the model; but columns with known ``levels`` that are text stay text (``007``), and
    words that pandas reads as missing values (``NA``) are missing only if they are no level.
    """
    import pandas as pd

    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")

    def read_csv(path: Path) -> Any:
        return _read_csv(path, levels or {}) if for_model else read_delimited(path, keep)

    readers: dict[str, Callable[[Path], Any]] = dict.fromkeys((".csv", ".tsv", ".txt"), read_csv)
    readers |= dict.fromkeys((".parquet", ".pq"), pd.read_parquet)
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path} is none of {', '.join(readers)}: save the table as one of them")
    if reader is pd.read_parquet:
        require("pyarrow", "cli", "parquet files")
    try:
        table: pd.DataFrame = reader(path)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as {path.suffix}: {error}") from error
    return table


def _read_csv(path: Path, levels: Mapping[str, Collection[str]]) -> pd.DataFrame:
    """The table as pandas reads it; if semicolons or tabs separate columns, numbers may have decimal commas."""
    import pandas as pd

    encoding = find_encoding(path)
    separator = find_separator(path, encoding)
    table = pd.read_csv(path, sep=separator, encoding=encoding)
    if not len(table):
        raise ValueError(NO_ROWS)
    refuse_short_lines(path, separator, encoding, table)
    if table.columns[0] == "Unnamed: 0" and table.iloc[:, 0].is_unique:
        warn_caller(
            "the first column has no name and a different value in every row; the model receives it as 'Unnamed: 0'. If it "
            "holds row labels, delete it in the file, for example with to_csv(..., index=False)",
            DataWarning,
        )
    texts = table.select_dtypes(exclude=["number", "bool"]).dropna(axis=1, how="all")
    has_commas = any(texts[name].dropna().map(str).str.fullmatch(_DECIMAL_COMMA).all() for name in texts)
    if separator != "," and has_commas:
        table = pd.read_csv(path, sep=separator, encoding=encoding, decimal=",")
    names = [name for name in table if name in levels]
    how: dict[str, Any] = {"sep": separator, "encoding": encoding, "keep_default_na": False, "na_values": [""]}
    for name, column in (pd.read_csv(path, dtype=str, usecols=names, **how) if names else table[[]]).items():
        table[name] = column.where(~column.isin(PANDAS_GAPS.difference(levels[str(name)])))
    return table


def prepare(data: pd.DataFrame, target: str, task: str = "auto", text: Collection[str] = ()) -> Prepared:
    """Features and target of a table, with the recipe that reads its text.

    Parameters
    ----------
    data : DataFrame
    target : str
    task : {"auto", "regression", "classification"}
        Whether the target is a number or a class. "auto": numbers with more than two different values are numbers.
    text : collection of str
        Columns whose text is treated as categories, whatever it looks like.

    Raises
    ------
    ValueError
        If the target cannot be predicted: dates, missing values, a single class, nearly one class per row; or if the table has
        no other column, or a column cannot be read.
    """
    check_choice(task, TASKS, "task")
    names = list(data.columns)
    known = name_columns(names)
    target = names[find_column(target, known, "--target")]
    kept = {str(names[find_column(each, known, "--text")]) for each in text}
    if data.shape[1] == 1:
        raise ValueError(f"the table has no column beside the target {target!r}")
    if len(data) < _LEAST_ROWS:
        count = f"{len(data)} row{'s' * (len(data) != 1)}"
        raise ValueError(f"the table has {count}; at least {_LEAST_ROWS} are needed to hold some out")
    recipe = Recipe.learn(data, kept, data.attrs.get("decimal"))
    y, is_class, note = _read_target(data[target], recipe, task)
    features = recipe.without(str(target))
    notes = [*recipe.describe(), *_describe_words(data.drop(columns=target), features), *([note] if note else [])]
    return Prepared(data.drop(columns=target), y, features, is_class, tuple(notes))


def choose_columns(data: pd.DataFrame, target: str, model: Any) -> tuple[pd.DataFrame, str]:
    """The columns that a model was trained on, in its order, and the target; with a note on columns that are left out.

    The table is unchanged if the model holds no names, or one that is no column: the model then says what it needs.
    """
    names = _read_names(model)
    if target not in data.columns or not names or not set(names) <= set(data.columns):
        return data, ""
    unused = [name for name in data.columns if name not in names and name != target]
    chosen = data[[*names, *([] if target in names else [target])]]
    left_out = f"the model was trained without {list_some(unused)}, which {'are' if len(unused) > 1 else 'is'} left out"
    return chosen, left_out if unused else ""


def _read_names(model: Any) -> list[str]:
    """Names of the columns that a model was trained on; empty if it holds none."""
    for attribute in ("feature_names_in_", "feature_names_", "feature_names", "feature_name"):
        names = getattr(model, attribute, None)
        names = names() if callable(names) else names
        if names is not None and len(names):
            return list(names)
    return []


def _describe_words(X: pd.DataFrame, recipe: Recipe) -> list[str]:
    """A sentence for each column of text with words that pandas reads as missing values."""
    texts = {name: column for name, column in X.items() if column.dtype.kind == "O" and str(name) not in recipe.readings}
    words = {name: sorted(PANDAS_GAPS & {cell for cell in column if isinstance(cell, str)}) for name, column in texts.items()}
    return [
        f"column {name!r}: text such as {list_some(found)} is a category, not a missing value; read new rows by "
        "pd.read_csv(..., keep_default_na=False, na_values=[''])"
        for name, found in words.items()
        if found
    ]


def _read_target(column: pd.Series, recipe: Recipe, task: str) -> tuple[pd.Series, bool, str]:
    """The target as numbers or classes, whether it is a class, and the assumption made."""
    name = column.name
    reading = recipe.readings.get(str(name))
    if isinstance(reading, DateText) or column.dtype.kind in "mM":
        raise ValueError(
            f"the target column {name!r} holds dates or durations, which are no numbers to predict; add a column of "
            "numbers, such as the days since the first date, and name that as --target"
        )
    y = column if reading is None else reading.read(str(name), column)[str(name)]
    gaps = y.isna() | y.isin(PANDAS_GAPS)
    if gaps.any():
        written = f" ({y[gaps].dropna().iloc[0]!r})" if y[gaps].notna().any() else ""
        raise ValueError(f"the target column {name!r} holds {int(gaps.sum())} missing values{written}; drop those rows")
    n_values, is_number = y.nunique(), y.dtype.kind in "fiu"
    if is_number and np.isinf(y.to_numpy(dtype=np.float64)).any():
        raise ValueError(f"the target column {name!r} holds infinite values; repair or drop those rows")
    is_whole = is_number and bool((y % 1 == 0).all())
    is_class = task == "classification" or (task == "auto" and (not is_number or (is_whole and n_values == 2)))
    _check_target(y, is_class, is_number)
    if is_class and is_whole:
        y = y.astype(int)
    other, manner = ("regression", "classes") if is_class else ("classification", "a number")
    is_open = task == "auto" and is_whole and 1 < n_values <= _FEW
    note = f"target {name!r} holds {n_values} different whole numbers and is explained as {manner}; to change: --task {other}"
    return y, is_class, note if is_open else ""


def _check_target(y: pd.Series, is_class: bool, is_number: bool) -> None:
    n_values = y.nunique()
    if is_class and n_values < 2:
        raise ValueError(f"the target column {y.name!r} holds one class only, {y.tolist()[0]!r}: name another --target")
    if is_class and 2 * n_values > max(len(y), 40):
        raise ValueError(
            f"the target column {y.name!r} holds {n_values:,} different values in {len(y):,} rows that are no numbers "
            f"({y.dtype}); a class has several rows: name another --target, or make it a number"
        )
    if not is_class and not is_number and y.dtype != bool:
        raise ValueError(f"the target column {y.name!r} is no number ({y.dtype}): leave out --task regression")
