"""Conversion of category values to text, numbers and booleans, which files and pages can store."""

from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np

from .._validation import is_whole


class Flag(Enum):
    """Substitute for a boolean, which pandas would not distinguish from the numbers 0 and 1."""

    NO = False
    YES = True


def refuse_object(value: Any, name: str) -> TypeError:
    """The error for a value that is neither a number nor text, and cannot be converted to text."""
    return TypeError(
        f"argument must be a string or a number, not {type(value).__name__!r}: column {name!r} holds {value!r}; "
        "cast it to numbers or text"
    )


def write_level(value: Any, name: str = "") -> Any:
    """A category's value in a form that files can store: text, numbers and booleans unchanged, any other value as its text.

    Raises ``TypeError``, with the column's name, for a value that is not hashable, or whose text differs between processes.

    Examples
    --------
    >>> import pandas as pd
    >>> write_level(pd.Interval(0, 30)), write_level(pd.Timestamp("2024-02-01")), write_level((1, "a")), write_level(True)
    ('(0, 30]', '2024-02-01', "(1, 'a')", True)
    """
    if isinstance(value, Flag):
        return value.value
    if isinstance(value, np.datetime64):
        value = np.datetime_as_string(value).replace("T", " ")
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (bool, float)):
        return value
    if isinstance(value, (Decimal, Fraction)):
        return int(value) if is_whole(value) and int(value) != float(value) else float(value)
    if isinstance(value, int):
        return int(value)
    has_text = any(getattr(type(value), name) is not getattr(object, name) for name in ("__str__", "__repr__"))
    if not has_text or not _is_hashable(value) or isinstance(value, (bytes, frozenset)):
        raise refuse_object(value, name)
    if isinstance(value, tuple):
        return str(tuple(part.item() if isinstance(part, np.generic) else part for part in value))
    return str(value).removesuffix(" 00:00:00")  # a date without a time of day


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
