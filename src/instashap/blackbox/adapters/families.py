"""Recognition of a model's family without importing its library, and conversion of rows to what the model accepts."""

import re
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._errors import DataWarning, warn_caller
from ..._row_arrays import fill_masked

# From 3 to 20 consecutive whole numbers may be classes; two may be explained as an amount, like no and yes.
_LABELS = 3, 20
# Names of types of integers in numpy, pandas and polars.
_INTEGERS = re.compile(r"u?int\d", re.IGNORECASE)


def comes_from(model: Any, package: str, name: str) -> bool:
    """Whether the model's class, or one of its bases, has this name and comes from this package."""
    return any(base.__name__ == name and base.__module__.split(".")[0] == package for base in type(model).__mro__)


def refuse_probability(model: Any, output: str, reason: str) -> None:
    """Raise if ``output`` is "probability", for a model that gives none."""
    if output == "probability":
        name = type(model).__name__
        raise TypeError(f"output='probability' needs class probabilities, but {name} {reason}; use output='auto'")


def order_columns(X: Any, names: Sequence[str] | None) -> Any:
    """A table's columns in the order of the model's names, if it has names and the table has them all; else the rows."""
    columns = _name_columns(X)
    if not columns or not names or columns == list(names) or not set(names) <= set(columns):
        return X
    if hasattr(X, "iloc"):
        return X.iloc[:, [columns.index(name) for name in names]]
    if hasattr(X, "project"):  # a relation of DuckDB, which would select a list of names as one column
        return X.project(", ".join('"{}"'.format(name.replace('"', '""')) for name in names))
    return X.select(list(names))


def order_like(X: Any, other: Any) -> Any:
    """A table's columns in the order of another table, as in :func:`order_columns`."""
    return order_columns(X, _name_columns(other))


def refuse_other_order(X: Any, names: Sequence[str], name: str) -> None:
    """Raise if a model that matches columns by position is given its own columns in another order."""
    columns = _name_columns(X)
    if columns and columns != list(names) and set(columns) == set(names):
        labels = list(X.columns) if hasattr(X, "iloc") else columns
        wanted = [labels[columns.index(each)] for each in names]
        raise ValueError(f"columns are not in the order that {name} was trained on, and it ignores names: pass X[{wanted}]")


def _name_columns(X: Any) -> list[str]:
    """Names of the columns of a pandas, polars or Arrow table, as text; empty for others."""
    columns = getattr(X, "column_names", None)
    return [str(each) for each in (getattr(X, "columns", []) if columns is None else columns)]


def to_numbers(X: Any, source: str, dtype: Any = np.float32) -> NDArray[Any]:
    """Rows as numbers of shape (n_rows, n_columns), for networks."""
    values = X.to_numpy() if hasattr(X, "to_numpy") else fill_masked(X)
    try:
        return np.require(values, dtype=dtype, requirements=("C", "W"))  # tensors share memory that must be writable
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{source} takes numbers only, and the rows hold others ({error}); pass a function of the rows that encodes them"
        ) from error


def detach(values: Any) -> Any:
    """A tensor of torch as an array, without its gradient, floats of any precision as float64; anything else unchanged."""
    if not hasattr(values, "detach"):
        return values
    found = values.detach().cpu()
    return (found.double() if found.is_floating_point() else found).numpy()


def _are_integers(values: Any) -> bool:
    """Whether a model returned one integer for each row: an array, a list, or a series of pandas or polars."""
    if isinstance(values, (list, tuple)):
        return all(isinstance(each, Integral) and not isinstance(each, bool) for each in values)
    return len(getattr(values, "shape", ())) == 1 and _INTEGERS.match(str(getattr(values, "dtype", ""))) is not None


def watch_labels(call: Callable[[Any], Any], source: str) -> Callable[[Any], Any]:
    """The same function, with a warning if its results look like numbers of classes."""

    def ask(X: Any) -> Any:
        values = detach(call(X))
        if _are_integers(values):
            found = np.unique(np.asarray(values))
            if _LABELS[0] <= len(found) <= _LABELS[1] and np.array_equal(found, np.arange(len(found)) + found[0]):
                warn_caller(
                    f"{source} gives the whole numbers {found[0]} to {found[-1]}, which are explained as amounts. If they are "
                    "numbers of classes, pass the classifier itself, or a function that gives the probability of one class; "
                    "if they are amounts, give them as floats",
                    DataWarning,
                )
        return values

    return ask
