"""A number column as its distinct values: what a basis is learnt from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CountedValues:
    """The distinct values of a number column.

    Attributes
    ----------
    name : str
    values : ndarray of shape (n_distinct,), float64, rising
        Without missing ones.
    totals : ndarray of shape (n_distinct,), float64
        Weight of the rows of each.
    unit : float
        What 1 is in the user's column: columns of huge or tiny numbers are divided by it, a power of two.
    """

    name: str
    values: NDArray[np.float64]
    totals: NDArray[np.float64]
    unit: float = 1.0

    def __len__(self) -> int:
        return len(self.values)


def count_values(
    name: str, values: NDArray[np.float64], weights: NDArray[np.float64], unit: float = 1.0
) -> CountedValues:
    """Distinct values of rows, NaN left out, divided by a unit."""
    values = values / unit
    present = ~np.isnan(values)
    distinct, inverse = np.unique(values[present], return_inverse=True)
    totals = np.bincount(inverse, weights=weights[present], minlength=len(distinct))
    return CountedValues(name, distinct, np.asarray(totals, dtype=np.float64), unit)
