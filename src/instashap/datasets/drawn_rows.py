"""Functions that the simulators share: checked rows, read-only parameters, values by mask."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._row_arrays import check_masks
from ..game.grouping import group_masks


def freeze(owner: object, name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Store a read-only float64 copy as an attribute of a frozen dataclass."""
    array = copy_read_only(values)
    if array.shape != shape or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; expected {shape}, and at least one entry")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite values")
    object.__setattr__(owner, name, array)
    return array


def copy_read_only(values: ArrayLike) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array


def check_rows(X: ArrayLike, n_features: int, masks: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Return rows as float64 of shape (n_rows, n_features), finite where present."""
    rows = np.asarray(X, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != n_features:
        raise ValueError(f"X has shape {rows.shape}; expected (n_rows, {n_features})")
    strange = ~np.isfinite(rows) if masks is None else ~np.isfinite(rows) & masks
    if strange.any():
        raise ValueError(f"X holds {int(strange.sum())} NaN or infinite values in present columns; they must be finite")
    return rows


def evaluate_by_mask(
    value_under: Callable[[NDArray[np.float64], NDArray[np.bool_]], NDArray[np.float64]],
    X: ArrayLike,
    masks: ArrayLike,
    n_features: int,
) -> NDArray[np.float64]:
    """Values of rows under one mask, or one mask per row; rows with the same mask are computed together."""
    shape = np.shape(X)
    masks = check_masks(masks, shape[0] if shape else 0, n_features)
    rows = np.where(masks, check_rows(X, n_features, masks), 0.0)
    if len(rows) and (masks == masks[0]).all():
        return value_under(rows, masks[0])
    values = np.empty(len(rows))
    for mask, members in group_masks(masks):
        values[members] = value_under(rows[members], mask)
    return values
