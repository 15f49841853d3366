"""Distinct values of a number column and their weights, from which its basis is made."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

# Skewness below which a column counts as symmetric: above what float32 and other units do to it.
_LEAST_SKEWNESS = 1e-5


@dataclass(frozen=True)
class CountedValues:
    """The distinct values of a number column.

    Attributes
    ----------
    name : str
    values : ndarray of shape (n_distinct,), float64, rising
        Without missing values.
    totals : ndarray of shape (n_distinct,), float64
        Total weight of the rows with each value.
    unit : float
        Power of two by which the user's column was divided: not 1 for columns of huge or tiny numbers.
    """

    name: str
    values: NDArray[np.float64]
    totals: NDArray[np.float64]
    unit: float = 1.0

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def is_left_skewed(self) -> bool:
        """Whether the third central moment is negative. Rules that need an end of the column start at that of the short tail.

        So a column and its negative get the same basis, mirrored. The moment of a symmetric column is rounding and has no say.
        """
        if len(self.values) < 2:
            return False
        shares = self.totals / self.totals.sum()
        places = (self.values - self.values[0]) / np.ptp(self.values)
        centred = places - shares @ places
        return bool(shares @ centred**3 < -_LEAST_SKEWNESS * (shares @ centred**2) ** 1.5)


def count_values(
    name: str, values: NDArray[np.float64], weights: NDArray[np.float64], unit: float = 1.0
) -> CountedValues:
    """Distinct values of rows, NaN left out, divided by a unit."""
    values = values / unit
    present = ~np.isnan(values)
    distinct, inverse = np.unique(values[present], return_inverse=True)
    totals = np.bincount(inverse, weights=weights[present], minlength=len(distinct))
    return CountedValues(name, distinct, np.asarray(totals, dtype=np.float64), unit)
