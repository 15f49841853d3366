"""Values of category columns as files and pages hold them."""

from enum import Enum
from typing import Any

import numpy as np


class Flag(Enum):
    """Stands for a boolean, which pandas would take for the number 0 or 1 beside it."""

    NO = False
    YES = True


def refuse_object(value: Any, name: str) -> TypeError:
    """The error for a value that is neither a number nor text, nor has a text of its own."""
    return TypeError(
        f"argument must be a string or a number, not {type(value).__name__!r}: column {name!r} holds {value!r}; "
        "cast it to numbers or text"
    )


def write_level(value: Any, name: str = "") -> Any:
    """A category's value as files and pages hold it: text, numbers and booleans as they are, any other value as its text.

    Raises ``TypeError``, naming the column, for a value that is not hashable, or has no text that every process would write.

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
    if isinstance(value, int):
        return int(value)
    has_text = any(getattr(type(value), name) is not getattr(object, name) for name in ("__str__", "__repr__"))
    if not has_text or not _is_hashable(value) or isinstance(value, (bytes, frozenset)):
        raise refuse_object(value, name)
    if isinstance(value, tuple):
        return str(tuple(part.item() if isinstance(part, np.generic) else part for part in value))
    return str(value).removesuffix(" 00:00:00")  # of a day, its midnight


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
