"""Reading of tables in any container as named columns of numbers or categories.

A number column becomes float64 with NaN for missing. A category column keeps its values (text, numbers, booleans; intervals,
dates, tuples, members of an Enum and others as their text) with ``None`` for missing. Dates that are not declared as
categories, lists, dictionaries and complex data are refused with advice. Sparse tables stay sparse
(:mod:`instashap.table.sparse`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import DataWarning, warn_caller
from .._row_arrays import fill_masked
from .._validation import check_integers, find_column, holds_large, name_columns, shorten_names
from .column_kinds import holds_flags, holds_text, refuse_blocks, refuse_dates, refuse_lists
from .column_values import read_categories, read_numbers
from .containers import open_container
from .sparse import SparseNumbers, is_sparse, open_sparse


@dataclass(frozen=True)
class Schema:
    """Names and kinds of the columns of a fit.

    Attributes
    ----------
    names : tuple of str
    is_category : tuple of bool
    has_names : bool
        Whether the names came with the table; generated names (``x0`` …) are matched by position.
    is_boolean : tuple of bool
        Which number columns held only true and false; empty if none did.
    """

    names: tuple[str, ...]
    is_category: tuple[bool, ...]
    has_names: bool
    is_boolean: tuple[bool, ...] = field(default=(), compare=False)

    @property
    def flags(self) -> frozenset[str]:
        """Names of the boolean number columns."""
        return frozenset(name for name, is_flag in zip(self.names, self.is_boolean, strict=False) if is_flag)


@dataclass(frozen=True)
class Table:
    """Columns read from a user's table, in schema order.

    Attributes
    ----------
    schema : Schema
    numbers : ndarray or SparseNumbers of shape (n_rows, n_number_columns), real dtype, any order
        Missing values are NaN. May be a view of the user's memory.
    categories : tuple of (codes, levels), one per category column
        ``codes`` int64 of shape (n_rows,), -1 for missing; ``levels`` the distinct values as Python scalars.
    index : object or None
        The row index of a pandas table.
    is_ordered : tuple of bool
        For each category column, whether its ``levels`` are ordered; empty if none are.
    bases : dict of int to Basis
        Bases that the user chose, by position of the column; see :func:`instashap.table.chosen_bases.choose_bases`.
    """

    schema: Schema
    numbers: NDArray[Any] | SparseNumbers
    categories: tuple[tuple[NDArray[np.int64], list[Any]], ...]
    index: Any = None
    is_ordered: tuple[bool, ...] = ()
    bases: Mapping[int, Any] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        return len(self.numbers)

    def take(self, rows: NDArray[np.int64]) -> "Table":
        """Some of the rows, without the index."""
        categories = tuple((codes[rows], levels) for codes, levels in self.categories)
        return replace(self, numbers=self.numbers[rows], categories=categories, index=None)


def read_table(X: Any, schema: Schema | None = None, categorical: Any = "auto") -> Table:
    """The columns of a table; with a schema they are matched to it, without one names and kinds come from the table.

    Parameters
    ----------
    X : array, sparse matrix, or table of pandas, polars, pyarrow or any library with Arrow export, of shape (n_rows, n_columns)
    schema : Schema, optional
        Columns are matched by name if both sides have names (order does not matter, extra columns are ignored with one
        warning), else by position.
    categorical : "auto" or iterable of column names or positions
        Columns to treat as categories besides text, object and categorical dtypes.

    Raises
    ------
    TypeError
        For data that are neither numbers nor categories (dates, nested objects, complex data).
    ValueError
        For an empty table, repeated names, missing columns, a wrong number of columns, or integers from 2**53 on as numbers.
    """
    X = open_container(X)
    dtypes = list(X.dtypes) if hasattr(X, "iloc") else []  # reading them takes longer than explaining a row
    if is_sparse(X, dtypes) and _is_auto(categorical) and not (schema and any(schema.is_category)):
        return _read_sparse(X, schema)
    if hasattr(X, "nnz") and not hasattr(X, "iloc"):  # a frame may have a column of this name
        raise TypeError("a sparse matrix holds only numbers; pass a pandas DataFrame if some of its columns are categories")
    if hasattr(X, "iloc"):
        return _read_frame(X, schema, categorical, dtypes)
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


def _read_frame(X: Any, schema: Schema | None, categorical: Any, dtypes: list[Any]) -> Table:
    names = check_names(X.columns)
    _check_shape(len(X), len(names))
    positions: Sequence[int] = range(len(names))
    if schema is not None:
        positions = _match(names, schema)
        if list(positions) != list(range(len(names))):
            X, dtypes = X.iloc[:, list(positions)], [dtypes[position] for position in positions]
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
        refuse_blocks(values)
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
        refuse_dates(values, labels[0], "X[:, 0]")
    return _collect(list(values.T), labels, schema, categorical, False, None)


def _as_array(X: Any, schema: Schema | None, categorical: Any) -> NDArray[Any]:
    """An array with masked entries missing; floats are at most float64, and mixed types in a list stay objects."""
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
        refuse_lists(X)
    try:
        values: NDArray[Any] = np.asarray(X)
    except ValueError as error:
        raise ValueError(
            f"Expected 2D array, got a {type(X).__name__}, whose rows have different lengths or are no rows ({error}); pass a "
            "table in memory: a DataFrame, an Arrow table, or an array of shape (n_rows, n_columns)"
        ) from error
    if is_list and (values.dtype.kind == "U" or (values.dtype.kind == "f" and holds_large(values))):
        return np.asarray(X, dtype=object)
    if values.dtype.kind == "f" and values.dtype.itemsize > 8:
        with np.errstate(over="ignore"):  # numbers that overflow are refused later as infinite, with the column's name
            return values.astype(np.float64)
    return values


def _match(names: list[str], schema: Schema) -> list[int]:
    """Positions in a frame of the columns of the schema."""
    if not schema.has_names:
        if len(names) != len(schema.names):
            raise ValueError(f"X has {len(names)} features, but the fit was on {len(schema.names)} features as input")
        if sorted(names) != sorted(schema.names):  # else they are the fit's own x0, x1, …, in any order
            return list(range(len(names)))
    where = {name: position for position, name in enumerate(names)}
    _check_present([name for name in schema.names if name not in where], schema.names)
    extra = len(names) - len(schema.names)
    if extra:
        unused = [name for name in names if name not in schema.names]
        which = "column that the fit did not see is" if extra == 1 else "columns that the fit did not see are"
        warn_caller(f"{extra} {which} ignored: {unused[:8]}", DataWarning)
    return [where[name] for name in schema.names]


def _check_present(missing: Sequence[str], known: Sequence[str]) -> None:
    """Raise if columns the explainer was fitted on are not in a table."""
    if missing:
        raise ValueError(
            f"the table lacks {len(missing)} of the fitted columns: {shorten_names(missing)}; fitted on {shorten_names(known)}"
        )


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
        as_category = schema.is_category[position] if schema else position in forced or holds_text(column, name, place)
        is_category.append(as_category)
        if as_category:
            codes, levels, has_order = read_categories(column, name)
            categories.append((codes, levels))
            is_ordered.append(has_order)
        else:
            numbers.append(read_numbers(column, name))
    n_rows = len(columns[0])
    matrix = np.column_stack(numbers) if numbers else np.empty((n_rows, 0))
    if schema is None:
        flags = tuple(not is_text and holds_flags(each) for each, is_text in zip(columns, is_category, strict=True))
        schema = Schema(tuple(names), tuple(is_category), has_names, flags if any(flags) else ())
    return Table(schema, matrix, tuple(categories), index, tuple(is_ordered))


def take_values(table: Table, column: int) -> NDArray[Any]:
    """Values of one column, NaN or None where missing; True and False if the fitted column was boolean."""
    is_category = table.schema.is_category
    place = sum(each == is_category[column] for each in is_category[:column])
    if not is_category[column]:
        numbers = np.asarray(table.numbers[:, place], dtype=np.float64)
        return name_flags(numbers) if table.schema.names[column] in table.schema.flags else numbers
    codes, levels = table.categories[place]
    return np.array([*levels, None], dtype=object)[codes]


def name_flags(numbers: NDArray[np.float64]) -> NDArray[Any]:
    """True for 1, False for 0 and None for NaN as objects; other numbers, which only new rows may hold, stay numbers.

    Examples
    --------
    >>> name_flags(np.array([1.0, 0.0, np.nan, 0.5])).tolist()
    [True, False, None, 0.5]
    """
    flags = {0.0: False, 1.0: True}
    return np.array([None if each != each else flags.get(each, each) for each in numbers.tolist()], dtype=object)
