"""Kinds of columns: numbers, categories, and types of data that are refused with advice."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .written_levels import refuse_object, write_level

_NUMBERS = (bool, int, float, np.bool_, np.integer, np.floating, Decimal, Fraction)
_SCALARS = (str, *_NUMBERS)
_TEXT_TYPES = ("string", "large_string", "dictionary", "interval")


def holds_text(column: Any, name: str, place: str) -> bool:
    """Whether a column is a category by its type; types that are neither numbers nor categories are refused."""
    dtype = column.dtype
    label = str(dtype)
    if dtype.kind in "Mm" or label.startswith(("datetime", "timestamp", "date", "time", "duration", "period")):
        refuse_dates(column, name, place)
    if dtype.kind == "c":
        raise ValueError(f"Complex data not supported: column {name!r} is complex")
    if label in ("category", "str") or dtype.kind in "UST" or label.startswith(_TEXT_TYPES):
        return True
    if dtype.kind != "O" or _is_arrow_number(dtype):
        return False
    return _object_holds_text(column, name, place)


def _is_arrow_number(dtype: Any) -> bool:
    return hasattr(dtype, "numpy_dtype") and np.dtype(dtype.numpy_dtype).kind in "fiub"


def _object_holds_text(column: Any, name: str, place: str) -> bool:
    has_text = False
    for value in np.asarray(column, dtype=object):
        if is_missing(value):
            continue
        if not isinstance(value, _SCALARS):
            if any(hasattr(value, part) for part in ("isoformat", "strftime", "total_seconds")):
                refuse_dates(value, name, place)
            if isinstance(value, Number):
                raise refuse_object(value, name)
            write_level(value, name)
        has_text = has_text or not isinstance(value, _NUMBERS)
    return has_text


def holds_flags(column: Any) -> bool:
    """Whether a column holds only true, false and missing values."""
    if str(column.dtype) in ("bool", "boolean", "bool[pyarrow]"):
        return True
    known = [value for value in column if not is_missing(value)] if column.dtype == object else []
    return bool(known) and all(isinstance(value, (bool, np.bool_)) for value in known)


def is_missing(value: Any) -> bool:
    """Whether a value is missing: None, NaN, NA or NaT."""
    is_nan = isinstance(value, (float, np.floating, Decimal)) and value != value  # comparing pd.NA or arrays gives no bool
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def refuse_dates(values: Any, name: str, place: str) -> None:
    """Raise ``TypeError`` with advice that suits the kind: dates, durations, periods or times of day.

    Parameters
    ----------
    values : a column, or one of its values
    name : str
    place : str
        Expression with which the user accesses the column.
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
        f"column in categorical=[{name!r}] if it has only a few different values"
    )


def refuse_blocks(values: NDArray[Any]) -> None:
    """Raise ``ValueError`` for rows that are sequences or images, with advice to flatten them and reshape in a function."""
    n_rows, *inner = values.shape
    sizes = ", ".join(map(str, inner))
    raise ValueError(
        f"Expected 2D array, got {values.ndim}D array instead of shape {values.shape}: pass the rows flat, "
        f"np.reshape(X, ({n_rows}, -1)), and a function that reshapes them: lambda rows: predict(rows.reshape(-1, {sizes})); "
        "groups= joins the columns of one step into one feature"
    )


def refuse_lists(rows: Sequence[Any]) -> None:
    """Raise for lists that are not rows of equal length: dictionaries, texts, rows of different lengths."""
    if rows and all(isinstance(row, dict) for row in rows):
        raise TypeError("X is a list of dictionaries; pass pd.DataFrame(X)")
    if rows and all(isinstance(row, str) for row in rows):
        raise ValueError(
            "Expected 2D array, got 1D array instead: X is a list of texts; pass np.reshape(X, (-1, 1)) if they are the rows "
            "of one column, or numbers that a text model derives from them, such as counts of words"
        )
    lengths = {len(row) for row in rows if isinstance(row, (list, tuple))}
    if len(lengths) > 1:
        raise ValueError(
            f"the rows of X have different lengths, from {min(lengths)} to {max(lengths)}; all rows of a table have as many "
            "values: fill the missing ones with None"
        )
