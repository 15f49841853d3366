"""Scaling of outputs by a power of two before a fit squares them; outputs that cannot be scaled are refused."""

import numpy as np
from numpy.typing import NDArray

from ._errors import ModelOutputError

# Outputs and their differences are squared, and sums of squares are squared again: within these sizes nothing overflows.
LARGEST_OUTPUT, SMALLEST_OUTPUT = 1e60, 1e-60
# Outputs of these sizes are not scaled: standard errors of them are float32, and other packages sum squares in it.
_COMMON = 2.0**64
# Standard deviations of labels for which the limits and tolerances of fits by likelihood are made.
_USUAL = 2.0**10
# Limits of what can be scaled: tables of such outputs, and differences of them, are still float64 with all digits.
LARGEST, SMALLEST = 2.0**1000, 2.0**-900


def find_output_unit(outputs: NDArray[np.float64], what: str) -> float:
    """The power of two by which outputs are divided for the fit: 1.0 for common sizes, else it brings the largest to about 1.

    Parameters
    ----------
    outputs : ndarray of shape (n_rows, ...), float64
        Finite.
    what : str
        Name of the outputs, for messages.

    Raises
    ------
    ModelOutputError
        If no unit makes them usable; the message names the row and what to do.

    Examples
    --------
    >>> find_output_unit(np.array([[1.0], [3e100]]), "outputs") == 2.0**333
    True
    """
    if not outputs.size:
        return 1.0
    sizes = np.abs(outputs).reshape(len(outputs), -1)
    row = int(sizes.max(axis=1).argmax())
    largest = float(sizes[row].max())
    if largest > LARGEST:
        raise ModelOutputError(
            f"{what} reach {largest:.4g} in size in row {row}, and numbers above {LARGEST:.0e} cannot be explained: repair "
            "that row, or divide all by a power of ten (values are then in that unit)"
        )
    if largest <= _COMMON and not _are_too_near(outputs, 1.0 / _COMMON):
        return 1.0
    if largest < SMALLEST:
        raise ModelOutputError(
            f"{what} reach {largest:.4g} in size, and numbers below {SMALLEST:.0e} cannot be explained: multiply them by a "
            "power of ten (values are then in that unit), or explain their logarithm"
        )
    unit = float(2.0 ** np.floor(np.log2(largest)))
    if _are_too_near(outputs, SMALLEST_OUTPUT * unit):  # divided outputs could all be 0
        spreads = np.ptp(outputs, axis=0)
        raise ModelOutputError(
            f"{what} reach {largest:.4g} in size, and one of them differs by {spreads[spreads > 0].min():.4g} at most, too "
            "little beside the other: fit one explainer for each"
        )
    return unit


def find_spread_unit(values: NDArray[np.float64]) -> float:
    """The power of two by which labels are divided for a fit by likelihood: 1.0 for a standard deviation of about 1.

    Examples
    --------
    >>> find_spread_unit(np.array([1.0, 5.0])), find_spread_unit(np.array([1e6, 5e6]))
    (1.0, 1048576.0)
    """
    largest = float(np.abs(values).max(initial=0.0))
    spread = float((values / largest).std()) * largest if largest > 0 else 0.0
    return float(2.0 ** np.floor(np.log2(spread))) if spread > 0 and not 1 / _USUAL <= spread <= _USUAL else 1.0


def _are_too_near(outputs: NDArray[np.float64], least: float) -> bool:
    """Whether an output varies, but by less than a number."""
    spreads = np.ptp(outputs, axis=0)
    return bool(((spreads > 0) & (spreads < least)).any())
