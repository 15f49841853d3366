"""A sample of rows that is drawn while they are read: the same whatever their order, their files, and who reads which part.

It holds the *different* rows with the smallest hashes of their content (:mod:`instashap.table.row_hash`), each with the weight
of all its copies. Every different row is drawn with the same probability. Samples of two parts merge into that of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..table.columns import Table
from ..table.row_hash import choose_smallest, hash_table_rows


@dataclass(frozen=True)
class RowSample:
    """Different rows with the smallest hashes among all rows read.

    Attributes
    ----------
    size : int
        The most rows it holds.
    frame : DataFrame of n_rows rows
        In the order of their hashes.
    outputs : ndarray of shape (n_rows, n_outputs), float64, or None
    weights : ndarray of shape (n_rows,), float64
        Of all copies of each row together.
    hashes : ndarray of shape (n_rows,), uint64, rising
    """

    size: int
    frame: pd.DataFrame
    outputs: NDArray[np.float64] | None
    weights: NDArray[np.float64]
    hashes: NDArray[np.uint64]

    @property
    def bound(self) -> Any:
        """Largest hash that a row may have to enter."""
        return self.hashes[-1] if len(self.hashes) == self.size else np.iinfo(np.uint64).max

    def __add__(self, other: RowSample) -> RowSample:
        """The sample of both parts' rows."""
        return merge_samples([self, other])


def draw_sample(
    frame: pd.DataFrame,
    table: Table,
    outputs: NDArray[np.float64] | None,
    weights: NDArray[np.float64],
    size: int,
    bound: Any = None,
) -> RowSample:
    """The sample of some rows; those of weight 0 do not count.

    Parameters
    ----------
    frame : DataFrame of n_rows rows
    table : Table
        The same rows, read.
    outputs : ndarray of shape (n_rows, n_outputs), float64, or None
        Rows with the same content and other outputs are different rows.
    weights : ndarray of shape (n_rows,), float64
    size : int
    bound : uint64, optional
        Rows of larger hashes are known not to be in the sample.
    """
    hashes = hash_table_rows(table, outputs)
    kept = np.flatnonzero(weights > 0 if bound is None else (weights > 0) & (hashes <= bound))
    places, totals = choose_smallest(hashes[kept], weights[kept], size)
    rows = kept[places]
    return RowSample(size, frame.iloc[rows], None if outputs is None else outputs[rows], totals, hashes[rows])


def merge_samples(samples: Sequence[RowSample]) -> RowSample:
    """The sample of all parts' rows together."""
    size = min(each.size for each in samples)
    hashes = np.concatenate([each.hashes for each in samples])
    places, totals = choose_smallest(hashes, np.concatenate([each.weights for each in samples]), size)
    frame = concatenate([each.frame for each in samples]).iloc[places]
    parts = [each.outputs for each in samples if each.outputs is not None]
    return RowSample(size, frame, np.concatenate(parts)[places] if parts else None, totals, hashes[places])


def concatenate(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Frames one below the other, rows numbered anew; a category column has the levels of all of them.

    Raises ``ValueError``, naming the column, for ordered categories of different orders.
    """
    first, *others = frames
    if not others:
        return first.reset_index(drop=True)
    columns = [_join([each.iloc[:, position] for each in frames]) for position in range(first.shape[1])]
    joined: pd.DataFrame = pd.concat(columns, axis=1)
    joined.columns = first.columns
    return joined


def _join(columns: list[Any]) -> Any:
    from pandas.api.types import union_categoricals

    if any(str(column.dtype) != "category" for column in columns):
        return pd.concat(columns, ignore_index=True)
    try:
        return pd.Series(union_categoricals([column.array for column in columns]))
    except TypeError as error:
        raise ValueError(
            f"the categories of column {columns[0].name!r} do not fit together in all parts of the rows ({error}): write them "
            "in one type and, if they are ordered, in one order; or write them as text"
        ) from error
