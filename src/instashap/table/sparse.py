"""Sparse tables of numbers, read by column and in blocks of rows; the whole table is never dense."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


class SparseNumbers:
    """Number columns of a sparse matrix, indexed as an array of them would be.

    ``numbers[start:stop]`` and ``numbers[rows, column]`` are dense arrays; ``numbers[rows]`` by positions stays sparse.

    Parameters
    ----------
    matrix : scipy sparse matrix or array of shape (n_rows, n_columns), real dtype
        In any format; entries that are not stored are 0.
    """

    def __init__(self, matrix: Any) -> None:
        self._rows = matrix.tocsr()
        self.shape: tuple[int, int] = tuple(matrix.shape)
        self.dtype: np.dtype[Any] = matrix.dtype

    @cached_property
    def _columns(self) -> Any:
        return self._rows.tocsc()

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All rows as a dense array, for the few rows that plots and reports show."""
        return np.asarray(self._rows.toarray(), dtype=dtype)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            rows, column = key
            return self._get_column(column)[rows]
        if isinstance(key, slice):
            return self._rows[key].toarray()
        return SparseNumbers(self._rows[key])

    @property
    def T(self) -> NDArray[Any]:  # noqa: N802 - numpy's name
        """The dense transpose, with one column per row."""
        return np.asarray(self).T

    @property
    def stored(self) -> NDArray[Any]:
        """The values that are stored; all others are 0."""
        values: NDArray[Any] = self._rows.data
        return values

    def _get_column(self, column: int) -> NDArray[Any]:
        start, stop = self._columns.indptr[column : column + 2]
        values = np.zeros(self.shape[0], dtype=self.dtype)
        np.add.at(values, self._columns.indices[start:stop], self._columns.data[start:stop])  # repeated entries add
        return values


def is_sparse(X: Any, dtypes: Sequence[Any] = ()) -> bool:
    """Whether a container is a scipy sparse matrix or array, or a pandas table whose every column is sparse with fill 0.

    ``dtypes`` are those of a table's columns.
    """
    if hasattr(X, "nnz") and hasattr(X, "tocsr"):
        return True
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(X, pandas.DataFrame) or not len(dtypes):
        return False
    return all(isinstance(each, pandas.SparseDtype) and each.kind in "fiub" and each.fill_value == 0 for each in dtypes)


def open_sparse(X: Any) -> Any:
    """The scipy matrix of a sparse container."""
    return X if hasattr(X, "nnz") else X.sparse.to_coo()
