"""Exposures of counts: how long, or over how many, the events of each row were counted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._alignment import align_rows
from .._row_arrays import fill_masked


def read_exposure(exposure: Any, offset: Any, index: Any, n_rows: int, loss: str) -> NDArray[np.float64] | None:
    """Exposures of rows, shape (n_rows,), 0 or more and not all 0; None if neither argument is given.

    Parameters
    ----------
    exposure : array of shape (n_rows,), or None
        In any unit.
    offset : array of shape (n_rows,), or None
        Logarithms of exposures.
    index : Index or None
        Row labels of the table, see :func:`instashap._alignment.get_index`.
    n_rows : int
    loss : str
        Of the model; only counts ("poisson") have exposures.

    Raises
    ------
    ValueError
        If both are given, for another loss, for another number of rows, for values that are not finite, for exposures below 0,
        and for offsets whose exponentials are not float64.

    Examples
    --------
    >>> read_exposure(None, np.log([0.5, 2.0]), None, 2, "poisson")
    array([0.5, 2. ])
    """
    if exposure is None and offset is None:
        return None
    if exposure is not None and offset is not None:
        raise ValueError("exposure and offset are the same thing twice, offset = log(exposure): pass one of them")
    if loss != "poisson":
        raise ValueError(f"exposure= and offset= belong to counts, and loss={loss!r}: set loss='poisson', or fit y / exposure")
    name, given = ("exposure", exposure) if offset is None else ("offset", offset)
    values = _read(align_rows(given, index, name), name, n_rows)
    if offset is not None:
        if np.abs(values).max(initial=0.0) > _LARGEST_OFFSET:
            raise ValueError(
                f"offset reaches {values[np.abs(values).argmax()]:.6g}, and its exponential is no float64: offset is the "
                "logarithm of the exposure; pass the exposure itself as exposure="
            )
        return np.exp(values)
    if (values < 0).any():
        raise ValueError(
            f"exposure holds {int((values < 0).sum())} values below 0; if they are logarithms of exposures, pass them as "
            "offset="
        )
    if n_rows and not values.any():
        raise ValueError("exposure is 0 in every row: events were counted nowhere; pass the time or the number at risk")
    return values


# Exponentials of larger numbers, or their squares, are beyond float64.
_LARGEST_OFFSET = 300.0


def _read(given: Any, name: str, n_rows: int) -> NDArray[np.float64]:
    try:
        values = np.asarray(fill_masked(given), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers, one per row, got {type(given).__name__} ({error})") from error
    if values.shape != (n_rows,):
        raise ValueError(f"{name} has shape {values.shape}, the table has {n_rows} rows: pass one number per row")
    if not np.isfinite(values).all():
        raise ValueError(
            f"{name} holds {int((~np.isfinite(values)).sum())} NaN or infinite values, the first in row "
            f"{int(np.flatnonzero(~np.isfinite(values))[0])}; drop those rows"
        )
    return values


def divide_by_exposure(
    counts: NDArray[np.float64], weights: NDArray[np.float64], exposure: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Events per unit of exposure, and the weights of these rates: the row's own times its exposure, in units of the mean.

    The Poisson likelihood of rates with these weights is that of the counts with the logarithm of the exposure as an offset:
    ``w (E exp(s) - y s) = w E (exp(s) - (y / E) s)``. A row that was never exposed has the weight 0.

    Raises
    ------
    ValueError
        If events were counted in a row of exposure 0.
    """
    is_exposed = exposure > 0
    impossible = np.flatnonzero(~is_exposed & (counts != 0) & (weights > 0))
    if impossible.size:
        raise ValueError(
            f"{impossible.size} rows have events and an exposure of 0, the first is row {impossible[0]} "
            f"(y={counts[impossible[0]]:g}); correct their exposure or drop them"
        )
    kept = is_exposed & (weights > 0)
    if not kept.any():
        raise ValueError("every row of positive weight has an exposure of 0; pass the time or the number at risk")
    rates = np.divide(counts, exposure, out=np.zeros_like(counts), where=is_exposed)
    return rates, np.asarray(weights * (exposure / np.average(exposure[kept], weights=weights[kept])))
