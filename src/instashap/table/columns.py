"""Tables of any container as named columns of a kind: numbers, or categories.

A number column becomes float64 with NaN for missing. A category column keeps its values (text, numbers, booleans; intervals,
dates, tuples, members of an Enum and others as their text) with ``None`` for missing. Columns of dates that are no categories,
lists, dictionaries and complex data are refused with advice. Sparse tables stay sparse (:mod:`instashap.table.sparse`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import DataWarning, warn_caller
from .._validation import (
    check_features_present,
    check_integer,
    check_integers,
    fill_masked,
    find_column,
    holds_large,
    name_columns,
)
from .containers import open_container
from .sparse import SparseNumbers, is_sparse, open_sparse

_SCALARS = (str, bool, int, float, np.bool_, np.integer, np.floating)


@dataclass(frozen=True)
class Schema:
    """Names and kinds of the columns a table was learnt on.

    Attributes
    ----------
    names : tuple of str
    is_category : tuple of bool
    has_names : bool
        Whether the names came with the table; generated names (``x0`` …) are matched by position.
    is_boolean : tuple of bool
        Number columns that held nothing but true and false; empty if none did.
    """

    names: tuple[str, ...]
    is_category: tuple[bool, ...]
    has_names: bool
    is_boolean: tuple[bool, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Table:
    """Columns read from a user's table, in schema order.

    Attributes
    ----------
    schema : Schema
    numbers : ndarray or SparseNumbers of shape (n_rows, n_number_columns), real dtype, any order
        Missing values are NaN. May be a view of the user's memory.
    categories : tuple of (codes, levels), one a category column
        ``codes`` int64 of shape (n_rows,), -1 for missing; ``levels`` the distinct values as Python scalars.
    index : object or None
        The row index of a pandas table.
    is_ordered : tuple of bool
        Of each category column, whether its ``levels`` are in an order of their own; empty if none are.
    """

    schema: Schema
    numbers: NDArray[Any] | SparseNumbers
    categories: tuple[tuple[NDArray[np.int64], list[Any]], ...]
    index: Any = None
    is_ordered: tuple[bool, ...] = ()

    @property
    def n_rows(self) -> int:
        return len(self.numbers)

    def take(self, rows: NDArray[np.int64]) -> "Table":
        """Some of the rows, without the index."""
        categories = tuple((codes[rows], levels) for codes, levels in self.categories)
        return Table(self.schema, self.numbers[rows], categories, is_ordered=self.is_ordered)


def read_table(X: Any, schema: Schema | None = None, categorical: Any = "auto") -> Table:
    """Read a table; without a schema its names and kinds are learnt, with one its columns are matched.

    Parameters
    ----------
    X : array, sparse matrix, or table of pandas, polars, pyarrow or any library that speaks Arrow, of shape (n_rows, n_columns)
    schema : Schema, optional
        Columns are matched by name if both sides have names (order does not matter, extra columns are ignored with one
        warning), else by position.
    categorical : "auto" or iterable of column names or positions
        Columns to treat as categories besides text, object and categorical dtypes.

    Raises
    ------
    TypeError
        For a kind of data that has no meaning here (dates, nested objects, complex data).
    ValueError
        For an empty table, repeated names, missing columns, a wrong number of columns, or integers from 2**53 on as numbers.
    """
    X = open_container(X)
    if is_sparse(X) and _is_auto(categorical) and not (schema and any(schema.is_category)):
        return _read_sparse(X, schema)
    if hasattr(X, "nnz") and not hasattr(X, "iloc"):  # a frame may have a column of this name
        raise TypeError("a sparse matrix holds numbers alone; pass a pandas DataFrame if some of its columns are categories")
    if hasattr(X, "iloc"):
        return _read_frame(X, schema, categorical)
    return _read_array(X, schema, categorical)


def _check_shape(n_rows: int, n_columns: int) -> None:
    if n_rows == 0:
        raise ValueError(f"Found array with 0 sample(s) (shape=({n_rows}, {n_columns})) while a minimum of 1 is required.")
    if n_columns == 0:
        raise ValueError(f"0 feature(s) (shape=({n_rows}, 0)) while a minimum of 1 is required.")


def check_names(columns: Any) -> list[str]:
    """Names of columns as text; raises ``ValueError`` if two are alike."""
    names = name_columns(columns)
    if len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"column names are repeated: {', '.join(map(repr, repeated))}; rename them")
    return names


def _read_frame(X: Any, schema: Schema | None, categorical: Any) -> Table:
    names = check_names(X.columns)
    _check_shape(len(X), len(names))
    positions: Sequence[int] = range(len(names))
    if schema is not None:
        positions = _match(names, schema)
        if list(positions) != list(range(len(names))):
            X = X.iloc[:, list(positions)]
    dtypes = list(X.dtypes)
    if all(dtype.kind in "fiu" for dtype in dtypes) and not (schema and any(schema.is_category)) and _is_auto(categorical):
        known = schema or Schema(tuple(names), (False,) * len(names), True)
        is_plain = all(isinstance(dtype, np.dtype) for dtype in dtypes)
        values = np.asarray(X.to_numpy() if is_plain else X.to_numpy(dtype=np.float64, na_value=np.nan))
        check_integers(values, known.names, [dtype.kind in "iu" for dtype in dtypes])
        return Table(known, values, (), X.index)
    labels = names if schema is None else list(schema.names)
    return _collect([X.iloc[:, column] for column in range(X.shape[1])], labels, schema, categorical, True, X.index)


def _read_sparse(X: Any, schema: Schema | None) -> Table:
    matrix = open_sparse(X)
    if matrix.ndim != 2:
        raise ValueError(f"Expected 2D array, got {matrix.ndim}D array instead; use X.reshape(1, -1) if it is one row")
    _check_shape(*matrix.shape)
    if matrix.dtype.kind not in "fiub":
        raise ValueError(f"Complex data not supported: the sparse matrix holds {matrix.dtype}; pass real numbers")
    has_names = hasattr(X, "columns")
    names = check_names(X.columns) if has_names else [f"x{column}" for column in range(matrix.shape[1])]
    if schema is not None:
        if not has_names and matrix.shape[1] != len(schema.names):
            raise ValueError(f"X has {matrix.shape[1]} features, but the fit was on {len(schema.names)} features as input")
        positions = _match(names, schema) if has_names else range(len(names))
        matrix = matrix if list(positions) == list(range(matrix.shape[1])) else matrix.tocsc()[:, list(positions)]
    known = schema or Schema(tuple(names), (False,) * len(names), has_names)
    numbers = SparseNumbers(matrix)
    if matrix.dtype.kind in "iu" and holds_large(numbers.stored):
        for column, name in enumerate(known.names):
            check_integers(numbers[:, column][:, None], (name,), (True,))
    return Table(known, numbers, (), getattr(X, "index", None))


def _read_array(X: Any, schema: Schema | None, categorical: Any) -> Table:
    values = _as_array(X, schema, categorical)
    if values.dtype.kind == "c":
        raise ValueError("Complex data not supported: pass real and imaginary parts as two columns")
    if values.dtype.names:
        raise TypeError("X is an array of records with named fields; pass pd.DataFrame(X)")
    if values.ndim == 0:
        raise ValueError(
            f"Expected 2D array, got a {type(X).__name__}, which holds no rows numpy can read; pass a table in memory: "
            "a DataFrame, an Arrow table, or an array of shape (n_rows, n_columns)"
        )
    if values.ndim > 2:
        _refuse_blocks(values)
    if values.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {values.ndim}D array instead of shape {values.shape} ({type(X).__name__}). Reshape your "
            "data: np.reshape(X, (1, -1)) if it is one row, np.reshape(X, (-1, 1)) if it is one column"
        )
    _check_shape(*values.shape)
    if schema is not None and values.shape[1] != len(schema.names):
        raise ValueError(f"X has {values.shape[1]} features, but the fit was on {len(schema.names)} features as input")
    labels = list(schema.names) if schema else [f"x{column}" for column in range(values.shape[1])]
    if values.dtype.kind in "fiub" and not (schema and any(schema.is_category)) and _is_auto(categorical):
        booleans = (True,) * len(labels) if values.dtype.kind == "b" else ()
        known = schema or Schema(tuple(labels), (False,) * len(labels), False, booleans)
        check_integers(values, labels, [values.dtype.kind in "iu"] * len(labels))
        return Table(known, values, ())
    if values.dtype.kind in "Mm" and schema is None and _is_auto(categorical):
        _refuse_dates(values, labels[0], "X[:, 0]")
    return _collect(list(values.T), labels, schema, categorical, False, None)


def _refuse_blocks(values: NDArray[Any]) -> None:
    """Rows that are sequences or images: flat columns, which a function folds again."""
    n_rows, *inner = values.shape
    sizes = ", ".join(map(str, inner))
    raise ValueError(
        f"Expected 2D array, got {values.ndim}D array instead of shape {values.shape}: pass the rows flat, "
        f"np.reshape(X, ({n_rows}, -1)), and a function that folds them: lambda rows: predict(rows.reshape(-1, {sizes})); "
        "groups= joins the columns of one step into one feature"
    )


def _refuse_lists(rows: Sequence[Any]) -> None:
    """Raise for lists that are no rows of numbers or text: dictionaries, texts, rows of different lengths."""
    if rows and all(isinstance(row, dict) for row in rows):
        raise TypeError("X is a list of dictionaries; pass pd.DataFrame(X)")
    if rows and all(isinstance(row, str) for row in rows):
        raise ValueError(
            "Expected 2D array, got 1D array instead: X is a list of texts; pass np.reshape(X, (-1, 1)) if they are the rows "
            "of one column, or what a model of texts makes of them, such as the counts of words"
        )
    lengths = {len(row) for row in rows if isinstance(row, (list, tuple))}
    if len(lengths) > 1:
        raise ValueError(
            f"the rows of X have different lengths, from {min(lengths)} to {max(lengths)}; a table has as many values in each: "
            "fill the missing ones with None"
        )


def _as_array(X: Any, schema: Schema | None, categorical: Any) -> NDArray[Any]:
    """An array as float64 at most; masked entries are missing, and what a list mixes (text, numbers, integers) is kept."""
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        if X.dtype.kind not in "fiub" or (schema and any(schema.is_category)) or not _is_auto(categorical):
            objects = np.array(X.data, dtype=object)
            objects[np.ma.getmaskarray(X)] = None
            return objects
        labels = [f"x{column}" for column in range(X.shape[-1])]
        check_integers(X.filled(0), labels, [X.dtype.kind in "iu"] * len(labels))
        X = fill_masked(X)
    is_list = not hasattr(X, "dtype")
    if isinstance(X, (list, tuple)):
        _refuse_lists(X)
    values: NDArray[Any] = np.asarray(X)
    if is_list and (values.dtype.kind == "U" or (values.dtype.kind == "f" and holds_large(values))):
        return np.asarray(X, dtype=object)
    if values.dtype.kind == "f" and values.dtype.itemsize > 8:
        with np.errstate(over="ignore"):  # what does not fit is refused as infinite, by the column's name
            return values.astype(np.float64)
    return values


def _match(names: list[str], schema: Schema) -> list[int]:
    """Positions in a frame of the columns of the schema."""
    if not schema.has_names:
        if len(names) != len(schema.names):
            raise ValueError(f"X has {len(names)} features, but the fit was on {len(schema.names)} features as input")
        return list(range(len(names)))
    where = {name: position for position, name in enumerate(names)}
    check_features_present([name for name in schema.names if name not in where], schema.names)
    extra = len(names) - len(schema.names)
    if extra:
        unused = [name for name in names if name not in schema.names]
        warn_caller(f"{extra} columns the fit did not see are ignored: {unused[:8]}", DataWarning)
    return [where[name] for name in schema.names]


def _is_auto(categorical: Any) -> bool:
    return isinstance(categorical, str) and categorical == "auto"


def _collect(
    columns: list[Any], names: list[str], schema: Schema | None, categorical: Any, has_names: bool, index: Any
) -> Table:
    if _is_auto(categorical):
        forced: set[int] = set()
    elif isinstance(categorical, str) or not isinstance(categorical, Iterable):
        raise TypeError(f"categorical must be 'auto' or a list of columns, got {categorical!r}")
    else:
        forced = {find_column(column, names, "categorical") for column in categorical}
    numbers, categories, is_category, is_ordered = [], [], [], []
    for position, (name, column) in enumerate(zip(names, columns, strict=True)):
        place = f"X[{name!r}]" if has_names else f"X[:, {position}]"
        as_category = schema.is_category[position] if schema else position in forced or _holds_text(column, name, place)
        is_category.append(as_category)
        if as_category:
            codes, levels, has_order = read_categories(column, name)
            categories.append((codes, levels))
            is_ordered.append(has_order)
        else:
            numbers.append(_read_numbers(column, name))
    n_rows = len(columns[0])
    matrix = np.column_stack(numbers) if numbers else np.empty((n_rows, 0))
    if schema is None:
        flags = tuple(not is_text and _holds_flags(each) for each, is_text in zip(columns, is_category, strict=True))
        schema = Schema(tuple(names), tuple(is_category), has_names, flags if any(flags) else ())
    return Table(schema, matrix, tuple(categories), index, tuple(is_ordered))


def _refuse_dates(values: Any, name: str, place: str) -> None:
    """Raise with the way to numbers that suits the kind: dates, lengths of time, periods or times of day.

    Parameters
    ----------
    values : a column, or one of its values
    name : str
    place : str
        How the user writes the column.
    """
    label = str(getattr(values, "dtype", type(values).__name__))
    if label.startswith(("timedelta", "duration", "m8", "Timedelta")):
        what, way = "lengths of time", f"pd.to_timedelta(pd.Series({place})).dt.total_seconds()"
    elif label.startswith("period"):
        what, way = "periods", f"{place}.dt.month"
    elif label.startswith("time") and not label.startswith("timestamp"):
        hours = f"pd.to_timedelta(pd.Series({place}).astype(str), errors='coerce').dt.total_seconds() / 3600"
        what, way = "times of day", hours
    else:
        what, way = "dates", f"pd.to_datetime(pd.Series({place})).dt.month, .dt.dayofweek or .dt.year"
    raise TypeError(
        f"column {name!r} holds {what} ({label}); derive the numbers that matter, such as {way}, and pass those, or name the "
        f"column in categorical=[{name!r}] if its values are but a few"
    )


def _holds_text(column: Any, name: str, place: str) -> bool:
    """Whether a column is a category by its type; refuses types that have no meaning here."""
    dtype = column.dtype
    label = str(dtype)
    if dtype.kind in "Mm" or label.startswith(("datetime", "timestamp", "date", "time", "duration", "period")):
        _refuse_dates(column, name, place)
    if dtype.kind == "c":
        raise ValueError(f"Complex data not supported: column {name!r} is complex")
    if label in ("category", "str") or dtype.kind in "UST" or label.startswith(_TEXT_TYPES):
        return True
    if dtype.kind != "O" or _is_arrow_number(dtype):
        return False
    return _object_holds_text(column, name, place)


_TEXT_TYPES = ("string", "large_string", "dictionary", "interval")


def _holds_flags(column: Any) -> bool:
    """Whether a column holds true and false and nothing else, but for missing values."""
    if str(column.dtype) in ("bool", "boolean", "bool[pyarrow]"):
        return True
    known = [value for value in column if not _is_missing(value)] if column.dtype == object else []
    return bool(known) and all(isinstance(value, (bool, np.bool_)) for value in known)


def _is_arrow_number(dtype: Any) -> bool:
    return hasattr(dtype, "numpy_dtype") and np.dtype(dtype.numpy_dtype).kind in "fiub"


def _object_holds_text(column: Any, name: str, place: str) -> bool:
    has_text = False
    for value in np.asarray(column, dtype=object):
        if _is_missing(value):
            continue
        if not isinstance(value, _SCALARS):
            if any(hasattr(value, part) for part in ("isoformat", "strftime", "total_seconds")):
                _refuse_dates(value, name, place)
            if isinstance(value, Number):
                raise _refuse_object(value, name)
            write_level(value, name)
        has_text = has_text or not isinstance(value, _SCALARS[1:])
    return has_text


def _refuse_object(value: Any, name: str) -> TypeError:
    return TypeError(
        f"argument must be a string or a number, not {type(value).__name__!r}: column {name!r} holds {value!r}; "
        "cast it to numbers or text"
    )


def write_level(value: Any, name: str = "") -> Any:
    """A category's value as files and pages hold it: text, numbers and booleans as they are, any other value as its text.

    Raises ``TypeError``, naming the column, for a value that is not hashable, or has no text that every process would write.

    Examples
    --------
    >>> import pandas as pd
    >>> write_level(pd.Interval(0, 30)), write_level(pd.Timestamp("2024-02-01")), write_level((1, "a")), write_level(True)
    ('(0, 30]', '2024-02-01', "(1, 'a')", True)
    """
    if isinstance(value, _Flag):
        return value.value
    if isinstance(value, np.datetime64):
        value = np.datetime_as_string(value).replace("T", " ")
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return int(value)
    has_text = any(getattr(type(value), name) is not getattr(object, name) for name in ("__str__", "__repr__"))
    if not has_text or not _is_hashable(value) or isinstance(value, (bytes, frozenset)):
        raise _refuse_object(value, name)
    if isinstance(value, tuple):
        return str(tuple(part.item() if isinstance(part, np.generic) else part for part in value))
    return str(value).removesuffix(" 00:00:00")  # of a day, its midnight


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _is_missing(value: Any) -> bool:
    is_nan = isinstance(value, (float, np.floating)) and value != value  # pd.NA and arrays cannot be asked
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _read_numbers(column: Any, name: str) -> NDArray[np.float64]:
    is_object = column.dtype == object
    if is_object:
        for value in column:
            check_integer(value, name)
    try:
        if is_object:
            return np.array([np.nan if _is_missing(value) else float(value) for value in column], dtype=np.float64)
        if column.dtype.kind in "Mm":
            raise TypeError("dates would become counts of nanoseconds")
        if isinstance(column.dtype, np.dtype):
            values = np.asarray(column, dtype=np.float64)
        else:
            values = np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    except (TypeError, ValueError) as error:
        raise TypeError(f"column {name!r} must hold numbers as in the fit, got dtype {column.dtype} ({error})") from error
    check_integers(values[:, None], (name,), (column.dtype.kind in "iu",))
    return values


def read_categories(column: Any, name: str) -> tuple[NDArray[np.int64], list[Any], bool]:
    """Codes and distinct values of a category column, and whether the values are in an order of their own.

    That is the order of an ordered pandas category, else that of intervals and dates, which have one.
    """
    if str(column.dtype).startswith("dictionary"):  # pandas cannot factorise those of unsigned codes
        column = column.array.__arrow_array__().to_pandas()
    is_ordered = False
    if str(column.dtype) == "category":
        codes, values, is_ordered = column.cat.codes, column.cat.categories, bool(column.cat.ordered)
    else:
        codes, values = _factorize(column)
    codes, values = np.asarray(codes, dtype=np.int64), list(values)
    if values and not is_ordered and all(hasattr(value, "closed_left") or hasattr(value, "strftime") for value in values):
        ranked = sorted(range(len(values)), key=values.__getitem__)
        codes = np.append(np.argsort(ranked), -1)[codes]
        values, is_ordered = [values[place] for place in ranked], True
    levels = [write_level(value, name) for value in values]
    if len({(isinstance(level, bool), level) for level in levels}) < len(levels):
        twice = next(level for level in levels if levels.count(level) > 1)
        raise TypeError(f"column {name!r} holds different values that read alike, as {twice!r}; make them one, or rename one")
    return codes, levels, is_ordered


class _Flag(Enum):
    """Stands for a boolean, which pandas would take for the number 0 or 1 beside it."""

    NO = False
    YES = True


def _factorize(column: Any) -> tuple[Any, Any]:
    import pandas as pd

    if isinstance(column, np.ndarray) and column.dtype.kind in "US":
        column = column.astype(object)
    if column.dtype == object:
        flagged = [_Flag(bool(value)) if isinstance(value, (bool, np.bool_)) else value for value in column]
        column = np.empty(len(flagged), dtype=object)  # made first: of tuples numpy would make rows
        column[:] = flagged
    return pd.factorize(column, use_na_sentinel=True)
