"""Checks of arrays with an entry for each row: weights, labels, outputs and masks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import DataWarning, ModelOutputError, warn_caller
from ._output_unit import LARGEST_OUTPUT, SMALLEST_OUTPUT

# A row with less than this share of the largest weight changes no reliable digit of any sum.
LEAST_WEIGHT = 1e-12
# Weights worth fewer rows than this, and a quarter of the rows that have any, are warned of.
_FEW_WORTH = 30
# Weights are counts only below this; in float64 all numbers from 2**52 on are whole.
_LARGEST_COUNT = 2.0**40


def fill_masked(values: Any) -> Any:
    """A masked array as float64 with NaN at masked entries; anything else unchanged."""
    if not isinstance(values, np.ma.MaskedArray):
        return values
    return np.where(np.ma.getmaskarray(values), np.nan, np.asarray(values.data, dtype=np.float64))


def check_weights(sample_weight: Any, n_rows: int) -> NDArray[np.float64]:
    """Row weights as float64 of shape (n_rows,); ``None`` means one each.

    Whole numbers below 2**40 are counts and are not changed: a row of weight w is w equal rows. Other weights are relative, in
    any unit: they are scaled to sum to the effective number of rows ``(sum w)² / sum w²`` (Kish 1965).
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weights = read_numeric(sample_weight, "sample_weight")
    if weights.ndim == 0:
        weights = np.full(n_rows, float(weights))
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got shape {weights.shape}")
    if weights.shape != (n_rows,):
        raise ValueError(f"sample_weight has {len(weights)} entries, the table has {n_rows} rows")
    if not np.isfinite(weights).all():
        raise ValueError("sample_weight holds NaN or infinite values")
    if (weights < 0).any():
        raise ValueError(f"sample_weight holds {int((weights < 0).sum())} negative values; weights must be 0 or more")
    if not weights.any():
        raise ValueError("sample_weight sums to zero: no row is left to fit; give at least one row a positive weight")
    weights = _drop_lost(weights)
    _warn_of_few(weights)
    return scale_weights(weights)


def scale_weights(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts unchanged; other weights scaled to sum to their effective number of rows."""
    are_counts = (weights == np.floor(weights)).all() and weights.max() < _LARGEST_COUNT
    return weights if are_counts else normalise_weights(weights)


def normalise_weights(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights scaled to sum to their effective number of rows, ``(sum w)² / sum w²``.

    Examples
    --------
    >>> normalise_weights(np.array([0.25, 0.25, 0.5])).sum().round(3)
    np.float64(2.667)
    """
    shares = weights / weights.max()
    return np.asarray(shares * (shares.sum() / (shares**2).sum()))


def _drop_lost(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights with 0 in place of those that are negligible beside the largest; warns of their number."""
    largest = weights.max()
    lost = (weights > 0) & (weights < LEAST_WEIGHT * largest)
    if not lost.any():
        return weights
    warn_caller(
        f"{int(lost.sum())} rows have less than a {LEAST_WEIGHT:g}th of the largest sample_weight, {largest:.4g} in row "
        f"{int(weights.argmax())}: they cannot change the fit and are dropped; check that weight",
        DataWarning,
    )
    return np.where(lost, 0.0, weights)


def _warn_of_few(weights: NDArray[np.float64]) -> None:
    """Warn if a few rows have nearly all of the weight."""
    n_rows, n_worth = int(np.count_nonzero(weights)), float(normalise_weights(weights).sum())
    if n_worth < _FEW_WORTH and 4 * n_worth < n_rows:
        warn_caller(
            f"sample_weight is worth {n_worth:.3g} rows of equal weight, of {n_rows:,}: nearly all of it is in a few rows "
            f"(the largest is {weights.max():.4g} in row {int(weights.argmax())}, the median {np.median(weights):.4g}), "
            "and the fit describes those; check these weights",
            DataWarning,
        )


def check_magnitude(outputs: NDArray[np.float64], what: str) -> None:
    """Raise ``ModelOutputError`` for numbers, shape (n_rows, …), whose squares or squared differences float64 cannot hold."""
    if not outputs.size:
        return
    sizes = np.abs(outputs).reshape(len(outputs), -1).max(axis=1)
    row = int(sizes.argmax())
    if sizes[row] > LARGEST_OUTPUT:
        raise ModelOutputError(
            f"{what} reach {sizes[row]:.4g} in size in row {row}; squares cannot be summed above {LARGEST_OUTPUT:g}: "
            "repair that row, or divide all by a power of ten (values are then in that unit)"
        )
    spreads = np.ptp(outputs, axis=0)
    if ((spreads > 0) & (spreads < SMALLEST_OUTPUT)).any():
        raise ModelOutputError(
            f"{what} differ by {spreads[spreads > 0].min():.4g} at most, below {SMALLEST_OUTPUT:g}, which cannot be squared: "
            "multiply them by a power of ten (values are then in that unit), or explain their logarithm"
        )


def read_numeric(given: Any, what: str, hint_on_text: str = "") -> NDArray[np.float64]:
    """Numbers as a float64 array, NaN for masked ones; raises ``ValueError`` for complex numbers, dates, durations and text."""
    values = np.asarray(fill_masked(given))
    if values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {what} is complex; pass real numbers")
    if values.dtype.kind in "mM":
        raise ValueError(
            f"{what} must be numeric, got dates or durations ({values.dtype}); pass numbers, such as the days since the first: "
            f"({what} - {what}.min()) / pd.Timedelta(days=1)"
        )
    try:
        with np.errstate(over="ignore"):
            return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        hint = hint_on_text if values.dtype.kind in "OU" and values.ndim else ""
        raise ValueError(f"{what} must be numeric, got dtype {values.dtype} ({error}){hint}") from error


def check_target(y: Any, n_rows: int, what: str = "y") -> NDArray[np.float64]:
    """Return a regression target as float64 of shape (n_rows,) or (n_rows, n_outputs); messages call it ``what``."""
    if y is None:
        raise ValueError(f"requires {what} to be passed, but the target {what} is None")
    values = read_numeric(y, what, "; class labels are for AdditiveClassifier" * (what == "y"))
    if values.ndim not in (1, 2):
        raise ValueError(f"{what} should be a 1d array, got an array of shape {values.shape} instead")
    if len(values) != n_rows:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {n_rows} rows, {what} has {len(values)}"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"Input {what} contains {int((~np.isfinite(values)).sum())} NaN or infinity values; drop those rows")
    return values


def check_outputs(outputs: Any, n_rows: int, source: str, first_row: int = 0) -> NDArray[np.float64]:
    """Return model outputs as float64 of shape (n_rows, n_outputs), finite.

    Parameters
    ----------
    outputs : array
    n_rows : int
    source : str
        Starts the message, for example ``"the model's predict"``.
    first_row : int
        Where in the table these rows begin.
    """
    values = _read_outputs(outputs, source)
    if values.ndim == 0 or len(values) != n_rows:
        raise ModelOutputError(
            f"{source} gave shape {values.shape} for {n_rows} rows; expected ({n_rows},) or ({n_rows}, n_outputs)"
        )
    if values.ndim > 2:
        raise ModelOutputError(
            f"{source} gave shape {values.shape}; expected one row of outputs for each row, ({n_rows}, n_outputs)"
        )
    if not values.size:
        raise ModelOutputError(f"{source} gave shape {values.shape}: no outputs; expected ({n_rows},) or ({n_rows}, n_outputs)")
    values = values.reshape(n_rows, -1)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if bad.size:
        raise ModelOutputError(
            f"{source} is not finite on {bad.size} rows, the first is row {first_row + bad[0]} ({values[bad[0]].tolist()}); "
            "repair the model or drop those rows"
        )
    return values


def _read_outputs(outputs: Any, source: str) -> NDArray[np.float64]:
    """Outputs as float64; dates, complex numbers, and text even if it looks like numbers, raise ``ModelOutputError``."""
    try:
        values = np.asarray(fill_masked(outputs))
        holds_text = values.dtype == object and any(isinstance(value, str) for value in values.flat)
        if values.dtype.kind not in "fiubO" or holds_text:
            raise TypeError(f"dtype {values.dtype}")
        with np.errstate(over="ignore"):  # numbers beyond float64 are refused as infinite
            return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:  # a tensor that still tracks gradients raises a RuntimeError
        raise ModelOutputError(
            f"{source} must return numbers, got {type(outputs).__name__} ({error}); wrap the model in a function that does; "
            "for class labels pass the classifier itself, or a function that returns the probability of one class"
        ) from error


def check_masks(masks: Any, n_rows: int, n_features: int) -> NDArray[np.bool_]:
    """Masks as bool of shape (n_rows, n_features); a single mask applies to every row."""
    values = np.asarray(masks)
    if values.dtype != bool:
        raise TypeError(f"masks must be boolean (True = present), got dtype {values.dtype}")
    if values.shape[-1:] != (n_features,) or values.ndim > 2 or (values.ndim == 2 and values.shape[0] not in (1, n_rows)):
        raise ValueError(f"masks have shape {values.shape}; expected ({n_features},) or ({n_rows}, {n_features})")
    return np.broadcast_to(values, (n_rows, n_features))
