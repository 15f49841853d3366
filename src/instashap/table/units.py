"""Scaling of columns by powers of two before a fit squares their numbers; columns that cannot be scaled are refused."""

import numpy as np
from numpy.typing import NDArray

from .._errors import DataWarning, warn_caller

# Numbers from 1 / _COMMON to _COMMON need no scaling: their squares and cubes keep all digits.
_COMMON = 2.0**64
# Limits of a column's numbers: differences of any two of them, and the reciprocals of these, are still float64.
LARGEST, SMALLEST = 2.0**1000, 2.0**-900
# Curves are constant beyond so many times the distance of the 5 % and 95 % quantiles from the median. Products of two such
# curves keep digits for the other rows: up to 1e9 an interaction of 200 rows beside one wild cell has an R² of .94, beyond
# 1e10 it is lost.
FARTHEST = 1e8


def find_unit(size: float) -> float:
    """The power of two that scales numbers of a size to about 1 if they are divided by it; 1.0 for common sizes and zero.

    Division by a power of two is exact.

    Examples
    --------
    >>> find_unit(12.0), find_unit(2.0**200)
    (1.0, 1.6069380442589903e+60)
    """
    if size == 0 or 1 / _COMMON <= size <= _COMMON:
        return 1.0
    return float(2.0 ** np.floor(np.log2(size)))


def find_column_unit(values: NDArray[np.float64], name: str) -> float:
    """The unit of a column of numbers, NaN for missing; raises ``ValueError`` if no unit makes them usable.

    Parameters
    ----------
    values : ndarray of shape (n_rows,), float64
    name : str
    """
    sizes = np.abs(values[~np.isnan(values)])
    sizes = sizes[sizes > 0]
    largest, smallest = float(sizes.max(initial=0.0)), float(sizes.min(initial=np.inf))
    if largest > LARGEST:
        raise ValueError(
            f"column {name!r} holds {_show_largest(values)}, and numbers above {LARGEST:.0e} cannot be fitted: if it stands "
            "for a missing value, put NaN in its place; else divide the column by a power of ten"
        )
    if 0 < largest < SMALLEST:
        raise ValueError(
            f"column {name!r} holds no number larger in size than {largest:.6g}, and numbers below {SMALLEST:.0e} cannot be "
            "fitted: multiply the column by a power of ten"
        )
    unit = find_unit(largest)
    if unit != 1.0 and smallest / unit < SMALLEST:
        raise ValueError(
            f"column {name!r} holds {_show_largest(values)} beside {smallest:.6g}, too far apart to be fitted as numbers: if "
            "the former stands for a missing value, put NaN in its place; else take logarithms"
        )
    return unit


def warn_of_far_cells(values: NDArray[np.float64], name: str) -> None:
    """Warn if a cell of a column lies so far from the others that its curve ends before."""
    known = values[~np.isnan(values)]
    if not len(known):
        return
    low, centre, high = np.quantile(known, [0.05, 0.5, 0.95], method="inverted_cdf")
    with np.errstate(over="ignore"):
        reach = FARTHEST * (high - low)
    if not 0 < reach < np.abs(known - centre).max():
        return
    far = np.where(np.isnan(values), centre, values)
    row = int(np.argmax(np.abs(far - centre)))
    warn_caller(
        f"column {name!r} holds {values[row]:.6g} in row {row}, while 90 % of its values lie between {low:.6g} and {high:.6g}: "
        "its curve is constant that far away; if the number stands for a missing value, put NaN in its place",
        DataWarning,
    )


def _show_largest(values: NDArray[np.float64]) -> str:
    row = int(np.nanargmax(np.abs(values)))
    return f"{values[row]:.6g} in row {row}"
