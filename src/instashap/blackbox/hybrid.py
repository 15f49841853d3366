"""Hybrid rows, with some columns from one row and the others from another, in the user's own container and types."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._optional import require

Positions = NDArray[np.int64]


class Mixer(Protocol):
    """Interface of objects that make tables of hybrid rows."""

    @property
    def n_rows(self) -> int:
        """Number of rows to explain."""

    @property
    def n_references(self) -> int:
        """Number of rows from which absent columns are taken."""

    def mix(self, rows: Positions, references: Positions, masks: NDArray[np.bool_]) -> Any:
        """Table whose row k has the columns of ``masks[k]`` from row ``rows[k]``, the others from ``references[k]``.

        Parameters
        ----------
        rows : ndarray of shape (n_hybrids,), int64
        references : ndarray of shape (n_hybrids,) or (n_hybrids, n_columns), int64
            One reference row for all columns, or one for each.
        masks : ndarray of shape (n_hybrids, n_columns), bool
            True = from the row.
        """


def make_mixer(X: Any, reference: Any, names: Sequence[str] | None, n_columns: int, what: str) -> Mixer:
    """Mixer of rows and references in the container of the rows; hybrids have the columns of the fit, in its order.

    Parameters
    ----------
    X : numpy array, or table of pandas, polars or pyarrow
    reference : table like X, array of shape (n_references, n_columns), or one row as an array or pandas Series
    names : sequence of str, or None
        Names of the columns of the fit; None if it had no names, and columns are matched by position.
    n_columns : int
    what : str
        Name of the references, for messages: ``"background"`` or ``"baseline"``.

    Raises
    ------
    TypeError
        For another container, or values that a column of the rows cannot hold.
    ValueError
        If columns are missing, there is no reference, or a reference's category is not among the rows'.
    """
    _refuse_foreign(X, "table of rows")
    if not (_is_arrow(X) and _is_arrow(reference)):
        _refuse_foreign(reference, what)
    rows = _pick_columns(X, names, n_columns, "table of rows")
    references = _pick_columns(reference, names, n_columns, what)
    if len(references) == 0:
        raise ValueError(f"the {what} has no rows; it needs at least one")
    if hasattr(X, "columns"):
        return _make_frame_mixer(rows, references, what)
    others = _as_array(references)
    common = _find_common(rows.dtype, others)
    return ArrayMixer(rows.astype(common, copy=False), others.astype(common, copy=False))


def _refuse_foreign(table: Any, what: str) -> None:
    """Raise ``TypeError`` for tables of other libraries, whose columns cannot be mixed in their own container."""
    if hasattr(table, "nnz") and not hasattr(table, "iloc"):
        raise TypeError(
            f"hybrid rows cannot be made of a {type(table).__name__}, and the {what} is one: pass its toarray(), and a "
            "function that makes rows sparse again, lambda rows: predict(scipy.sparse.csr_matrix(rows))"
        )
    has_arrow = any(hasattr(table, name) for name in ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__"))
    is_known = hasattr(table, "iloc") or hasattr(table, "to_series")  # pandas or polars
    if has_arrow and not is_known and not (what == "table of rows" and _is_arrow(table)):
        raise TypeError(
            f"hybrid rows are made of numpy, pandas, polars or pyarrow tables, and the {what} is a {type(table).__name__}: "
            "pass a pandas DataFrame, or both as tables of pyarrow"
        )


def _is_arrow(table: Any) -> bool:
    return type(table).__module__.partition(".")[0] == "pyarrow" and type(table).__name__ == "Table"


def take_rows(X: Any, rows: Positions) -> Any:
    """Rows of a user's table by position, in its own container."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if isinstance(X, (list, tuple)):
        return [X[row] for row in rows]
    return X.take(rows) if hasattr(X, "column_names") else X[rows]


@dataclass(frozen=True)
class ArrayMixer:
    """Rows and references of shape (n, n_columns), of one dtype."""

    rows: NDArray[Any]
    references: NDArray[Any]

    @property
    def n_rows(self) -> int:
        return len(self.rows)

    @property
    def n_references(self) -> int:
        return len(self.references)

    def mix(self, rows: Positions, references: Positions, masks: NDArray[np.bool_]) -> NDArray[Any]:
        """See :class:`Mixer`."""
        own = self.rows[rows]
        is_whole = references.ndim == 1
        others = self.references[references] if is_whole else np.take_along_axis(self.references, references, axis=0)
        is_masked = any(isinstance(each, np.ma.MaskedArray) for each in (own, others))
        return np.ma.where(masks, own, others) if is_masked else np.where(masks, own, others)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class FrameMixer:
    """Mixer of frames; each column holds the values of the rows, followed by those of the references.

    ``take(column, positions)`` and ``build(columns by name)`` are functions of the library of the frames.
    """

    n_rows: int
    n_references: int
    columns: dict[Any, Any]
    take: Callable[[Any, Positions], Any]
    build: Callable[[dict[Any, Any]], Any]

    def mix(self, rows: Positions, references: Positions, masks: NDArray[np.bool_]) -> Any:
        """See :class:`Mixer`."""
        others = self.n_rows + (references[:, None] if references.ndim == 1 else references)
        places = np.where(masks, rows[:, None], others)
        pairs = zip(self.columns.items(), places.T, strict=True)
        return self.build({name: self.take(column, own) for (name, column), own in pairs})


def _pick_columns(table: Any, names: Sequence[str] | None, n_columns: int, what: str) -> Any:
    """The columns of the fit, in its order; arrays are returned with two axes."""
    if isinstance(table, Mapping):
        import pandas as pd

        if names is None:
            raise ValueError(f"the {what} names columns, and those of the rows have no names: pass their values in order")
        table = pd.DataFrame([table])
    if hasattr(table, "iloc") and not hasattr(table, "columns"):  # a pandas Series is one row
        table = table.to_frame().T.infer_objects()
    if hasattr(table, "columns"):
        labels = [str(label) for label in (table.column_names if _is_arrow(table) else table.columns)]
        places = list(range(len(labels))) if names is None else _find_columns(labels, names, what)
        _check_width((len(table), len(places)), n_columns, what)
        if _is_arrow(table):
            return table.select(places)
        return table.iloc[:, places] if hasattr(table, "iloc") else table[:, places]
    values = _as_array(table)
    values = values.reshape(1, -1) if values.ndim == 1 else values
    _check_width(values.shape, n_columns, what)
    return values


def _as_array(table: Any) -> NDArray[Any]:
    """An array; a masked array is returned unchanged, as its mask marks the missing values."""
    return table if isinstance(table, np.ma.MaskedArray) else np.asarray(table)


def _check_width(shape: tuple[int, ...], n_columns: int, what: str) -> None:
    if len(shape) != 2 or shape[1] != n_columns:
        raise ValueError(f"the {what} has shape {shape}; expected {n_columns} columns, as the fit has")


def _find_columns(labels: Sequence[str], names: Sequence[str], what: str) -> list[int]:
    missing = [name for name in names if name not in labels]
    if missing:
        raise ValueError(f"the {what} lacks the columns {', '.join(map(repr, missing[:8]))}")
    return [labels.index(name) for name in names]


def _find_common(own: np.dtype[Any], others: NDArray[Any]) -> np.dtype[Any]:
    """The rows' dtype if it holds the references, else one that holds both; float32 rows stay float32."""
    is_number = own.kind in "fiub" and others.dtype.kind in "fiub"
    if is_number and (own.kind == others.dtype.kind == "f" or _holds(others, own)):
        return own
    return np.result_type(own, others.dtype)


def _holds(values: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    with np.errstate(invalid="ignore"):
        return bool(np.array_equal(values.astype(dtype).astype(values.dtype), values, equal_nan=values.dtype.kind == "f"))


def _make_frame_mixer(rows: Any, references: Any, what: str) -> FrameMixer:
    is_pandas, is_arrow = hasattr(rows, "iloc"), _is_arrow(rows)
    columns = {}
    for number, name in enumerate(rows.column_names if is_arrow else rows.columns):
        join = _join_pandas if is_pandas else _join_arrow if is_arrow else _join_polars
        try:
            columns[name] = join(_take_column(rows, number), _take_column(references, number))
        except (TypeError, ValueError) as error:
            raise type(error)(f"column {name!r} of the {what} does not fit the rows' column: {error}") from error
    sizes = len(rows), len(references)
    if is_pandas:
        import pandas as pd

        labels = rows.columns  # which may have names themselves
        return FrameMixer(
            *sizes, columns, lambda column, places: column.take(places), lambda own: pd.DataFrame(own).set_axis(labels, axis=1)
        )
    if is_arrow:
        pa = require("pyarrow", "tables", "tables of pyarrow")
        return FrameMixer(*sizes, columns, lambda column, places: column.take(places), partial(pa.table, schema=rows.schema))
    import polars as pl

    return FrameMixer(*sizes, columns, lambda column, places: column.gather(places), pl.DataFrame)


def _take_column(table: Any, number: int) -> Any:
    if hasattr(table, "iloc"):
        return table.iloc[:, number]
    if _is_arrow(table):
        return table.column(number)
    return table.to_series(number) if hasattr(table, "columns") else table[:, number]


def _join_pandas(own: Any, other: Any) -> Any:
    """Both columns' values as one pandas array of the rows' dtype; numbers it cannot hold make it float64."""
    import pandas as pd

    own, other = (pd.Series(column).reset_index(drop=True) for column in (own, other))
    if pd.api.types.is_numeric_dtype(own.dtype):
        numbers = pd.to_numeric(other).to_numpy(dtype=np.float64, na_value=np.nan)
        cast = _cast_numbers(numbers, own.dtype)
        own, cast = (own, cast) if cast is not None else (own.astype("float64"), pd.Series(numbers))
    else:
        if str(own.dtype) == "category":
            _check_categories(other, own.dtype.categories)
        cast = other.astype(own.dtype)
    return pd.concat([own, cast], ignore_index=True).array


def _check_categories(column: Any, categories: Any) -> None:
    unknown = column[column.notna() & ~column.isin(categories)]
    if len(unknown):
        raise ValueError(f"{unknown.iloc[0]!r} is not among its categories")


def _cast_numbers(numbers: NDArray[np.float64], dtype: Any) -> Any:
    """Numbers as a pandas column of a dtype; None if it cannot hold them. Floats of lower precision are accepted."""
    import pandas as pd

    try:
        cast = pd.Series(numbers).astype(dtype)
        held = cast.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        return None
    return cast if dtype.kind == "f" or np.array_equal(held, numbers, equal_nan=True) else None


def _join_arrow(own: Any, other: Any) -> Any:
    """Both columns' values as one Arrow array of the rows' type; raises ``ValueError`` for values that it cannot hold."""
    pa = require("pyarrow", "tables", "tables of pyarrow")
    given = other if isinstance(other, pa.ChunkedArray) else pa.chunked_array([pa.array(other, from_pandas=True)])
    cast = given.cast(own.type)  # a value that the type cannot hold raises, which a conversion of lists would truncate
    return pa.chunked_array([*own.chunks, *cast.chunks], type=own.type).unify_dictionaries().combine_chunks()


def _join_polars(own: Any, other: Any) -> Any:
    """Both columns' values as one polars column of the rows' dtype; numbers it cannot hold make it Float64."""
    import polars as pl

    other = other if isinstance(other, pl.Series) else pl.Series(own.name, np.asarray(other).tolist())
    try:
        cast = other.cast(own.dtype)
        if own.dtype.is_integer() and not (cast.cast(pl.Float64) == other.cast(pl.Float64)).all():
            own, cast = own.cast(pl.Float64), other.cast(pl.Float64)
        return pl.concat([own.rechunk(), cast.alias(own.name)])
    except pl.exceptions.PolarsError as error:
        raise TypeError(str(error)) from error
