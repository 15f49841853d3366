"""The values of one column: as numbers, or as codes of levels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import check_integer, check_integers
from .column_kinds import is_missing
from .written_levels import Flag, write_level


def read_numbers(column: Any, name: str) -> NDArray[np.float64]:
    """A column as float64, NaN for missing; raises ``TypeError`` for other data, ``ValueError`` for integers from 2**53 on."""
    is_object = column.dtype == object or str(column.dtype).startswith("decimal")
    if is_object:
        for value in column:
            check_integer(value, name)
    try:
        if is_object:
            return np.array([np.nan if is_missing(value) else float(value) for value in column], dtype=np.float64)
        if column.dtype.kind in "Mmc":
            is_complex = column.dtype.kind == "c"
            raise TypeError("imaginary parts would be lost" if is_complex else "dates would become counts of nanoseconds")
        if isinstance(column.dtype, np.dtype):
            values = np.asarray(column, dtype=np.float64)
        else:
            values = np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    except (TypeError, ValueError) as error:
        raise TypeError(f"column {name!r} must hold numbers as in the fit, got dtype {column.dtype} ({error})") from error
    check_integers(values[:, None], (name,), (column.dtype.kind in "iu",))
    return values


def read_categories(column: Any, name: str) -> tuple[NDArray[np.int64], list[Any], bool]:
    """Codes and distinct values of a category column, and whether the values are ordered.

    The order is that of an ordered pandas category, or the natural one of intervals and dates.
    """
    if str(column.dtype).startswith("dictionary"):  # pandas cannot factorise those of unsigned codes
        column = column.array.__arrow_array__().to_pandas()
    is_ordered = False
    if str(column.dtype) == "category":
        codes, values, is_ordered = column.cat.codes, column.cat.categories, bool(column.cat.ordered)
    else:
        codes, values = _factorize(column, name)
    codes, values = np.asarray(codes, dtype=np.int64), list(values)
    if values and not is_ordered and all(hasattr(value, "closed_left") or hasattr(value, "strftime") for value in values):
        ranked = sorted(range(len(values)), key=values.__getitem__)
        codes = np.append(np.argsort(ranked), -1)[codes]
        values, is_ordered = [values[place] for place in ranked], True
    levels = [write_level(value, name) for value in values]
    if len({(isinstance(level, bool), level) for level in levels}) < len(levels):
        twice = next(level for level in levels if levels.count(level) > 1)
        raise TypeError(f"column {name!r} holds different values with the same text, {twice!r}; make them one, or rename one")
    return codes, levels, is_ordered


def _factorize(column: Any, name: str) -> tuple[Any, Any]:
    import pandas as pd

    if isinstance(column, np.ndarray) and column.dtype.kind in "US":
        column = column.astype(object)
    if column.dtype == object:
        flagged = [Flag(bool(value)) if isinstance(value, (bool, np.bool_)) else value for value in column]
        column = np.empty(len(flagged), dtype=object)  # allocated first, as numpy would turn tuples into rows
        column[:] = flagged
    try:
        return pd.factorize(column, use_na_sentinel=True)
    except TypeError:
        for value in column:
            write_level(value, name)  # raises for the value that is not hashable, with the column's name
        raise
