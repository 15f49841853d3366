"""Keys of rows, features and outputs, as they are written in brackets, for NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from .._validation import ColumnName, find_column, is_label


def split_key(key: Any, n_axes: int) -> tuple[Any, Any, Any]:
    """Keys of the rows, the features and the outputs; ``slice(None)`` where an axis has none.

    Raises ``IndexError`` for more keys than axes, and for a name where rows are meant.
    """
    parts = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in [part for part in parts if part is Ellipsis]:
        place = next(position for position, part in enumerate(parts) if part is Ellipsis)
        parts[place : place + 1] = [slice(None)] * (n_axes - len(parts) + 1)
    if len(parts) > n_axes:
        axes = "rows, features, outputs" if n_axes == 3 else "rows, features"
        raise IndexError(f"the explanation has {n_axes} axes ({axes}), got {len(parts)} keys")
    if isinstance(parts[0], str):
        raise IndexError(f"rows have no names, got {parts[0]!r}; write explanation[:, {parts[0]!r}] for a feature")
    parts += [slice(None)] * (3 - len(parts))
    return parts[0], parts[1], parts[2]


def find_named(key: Any, names: Sequence[str], what: str) -> Any:
    """A key as a NumPy index: names become positions; raises ``KeyError`` for an unknown one."""
    if isinstance(key, str):
        if key not in names:
            raise KeyError(f"unknown {what} {key!r}; there are {', '.join(map(repr, names))}")
        return list(names).index(key)
    if isinstance(key, (list, tuple)) and key and all(isinstance(each, str) for each in key):
        return [find_named(each, names, what) for each in key]
    return key


def find_features(key: Any, names: Sequence[str]) -> Any:
    """A key of features as a NumPy index: names and labels become positions.

    If columns have numbers as labels, a number is a label (see :func:`.._validation.find_column`), and an array of numbers,
    which could be labels or positions, is refused.
    """
    if isinstance(key, str):
        return find_named(key, names, "feature")
    if isinstance(key, (list, tuple)) and not is_label(key, names):
        return [each if isinstance(each, bool) else find_features(each, names) for each in key]
    numbers_are_positions = not any(isinstance(name, ColumnName) or name.isdecimal() for name in names) or all(
        name == str(position) for position, name in enumerate(names)
    )
    if isinstance(key, np.ndarray) and key.dtype.kind in "iu" and not numbers_are_positions:
        raise KeyError(f"{key!r} may hold labels or positions of the features {list(names)}: pass a list of their names")
    if is_label(key, names) or (not isinstance(key, bool) and isinstance(key, Integral) and not numbers_are_positions):
        try:
            return find_column(key, names, "the key")
        except ValueError as error:
            raise KeyError(str(error)) from error
    return key
