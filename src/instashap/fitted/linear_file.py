"""The linear part of a model as a file holds it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import FileFormatError
from ..model.linear_part import LinearPart
from ..table.encoding import TableEncoder

# Fields of LinearPart that are arrays of all scores.
_PARTS = ("covariance", "cross", "credits")


def pack_linear(linear: LinearPart, encoder: TableEncoder) -> dict[str, NDArray[Any]]:
    """Arrays of a linear part; a column without scores has an empty table."""
    tables = dict(zip(linear.columns, linear.tables, strict=True))
    arrays: dict[str, NDArray[Any]] = {f"linear_{name}": getattr(linear, name) for name in _PARTS}
    for column, bases in enumerate(encoder.bases):
        arrays[f"linear_table_{column:05d}"] = tables.get(column, np.empty((bases[0].n_functions, 0)))
    return arrays


def unpack_linear(players: Sequence[int], arrays: dict[str, NDArray[Any]]) -> LinearPart | None:
    """The linear part of a model whose columns have these players; None if it has none."""
    if "linear_cross" not in arrays:
        return None
    tables = [arrays[f"linear_table_{column:05d}"] for column in range(len(players))]
    columns = tuple(column for column, table in enumerate(tables) if table.shape[1])
    owners = np.repeat(np.array(players, dtype=np.int64), [table.shape[1] for table in tables])
    n_scores = len(arrays["linear_cross"])
    if len(owners) != n_scores:
        raise FileFormatError(f"the linear part has {len(owners)} scores in its tables and {n_scores} elsewhere")
    parts = (arrays[f"linear_{name}"] for name in _PARTS)
    return LinearPart(columns, tuple(tables[column] for column in columns), owners, *parts)
