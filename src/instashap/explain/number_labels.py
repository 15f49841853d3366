"""Labels that are numbers, with the names of their columns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import DataConversionWarning

from .._alignment import align_rows, read_names
from .._errors import warn_caller
from .._row_arrays import check_target


def read_numbers(y: Any, index: Any, n_rows: int) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Labels in the order of the rows, shape (n_rows,) or (n_rows, n_outputs), and the names of their columns.

    Without names it is an empty tuple. A single column is read as a vector, with a warning, as scikit-learn does.
    """
    aligned = align_rows(y, index, "y")
    target = check_target(aligned, n_rows)
    if target.ndim == 2 and target.shape[1] == 1:
        warn_caller(
            f"A column-vector y was passed when a 1d array was expected (shape {target.shape}); use y.ravel()",
            DataConversionWarning,
        )
        target = target[:, 0]
    return target, read_names(aligned)


def check_single(target: NDArray[np.float64], loss: str) -> None:
    """Raise ``ValueError`` for labels of several columns, for a loss that takes one."""
    if target.ndim == 2:
        raise ValueError(
            f"loss={loss!r} takes one target{' under monotone_constraints' if loss == 'squared_error' else ''}, "
            f"y has shape {target.shape}; fit one model per target"
        )
