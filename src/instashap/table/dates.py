"""Dates as the parts a shape function can read: the year with its fraction, month, weekday, hour.

A file of text has no dates, only text that reads as dates; as categories they would be as many levels as days.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import DataWarning, warn_caller

if TYPE_CHECKING:
    import pandas as pd

_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?( ?(Z|UTC|[+-]\d\d:?\d\d))?)?")
_NUMERIC = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})")
_WEEKDAYS = np.array(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"], dtype=object)


def reads_as_dates(values: Iterable[Any]) -> bool:
    """Whether all values are text of one form of dates: ``2024-12-31``, with or without a time of day, or ``31/12/2024``."""
    texts = list(values)
    if not texts or not all(isinstance(text, str) for text in texts):
        return False
    return all(map(_ISO.fullmatch, texts)) or all(map(_NUMERIC.fullmatch, texts))


def split_dates(X: pd.DataFrame, keep: Collection[str] = ()) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """The table with each column of dates replaced by its parts, and the names of the parts by column.

    ``day`` becomes ``day (year)``, a number with the year's elapsed fraction (to four digits, with times of day to six),
    ``day (month)`` (1 to 12), ``day (weekday)`` (text), and ``day (hour)`` (0 to 23) if it has times of day. Missing dates
    have missing parts. Times with an offset are taken in UTC.

    Parameters
    ----------
    X : DataFrame
        Dates are columns of pandas' own kind, of ``datetime`` objects, or of text (see :func:`reads_as_dates`).
    keep : collection of str
        Columns to leave as they are.

    Warns
    -----
    DataWarning
        For text in which day and month could be told either way (``03/04/2024``) in every row; it stays text.

    Examples
    --------
    >>> import pandas as pd
    >>> parts, groups = split_dates(pd.DataFrame({"day": ["2024-07-02", None]}))
    >>> parts.iloc[0].to_dict()
    {'day (year)': 2024.5, 'day (month)': 7.0, 'day (weekday)': 'Tuesday'}
    >>> groups
    {'day': ['day (year)', 'day (month)', 'day (weekday)']}
    """
    import pandas as pd

    columns: dict[Any, Any] = {}
    groups: dict[str, list[str]] = {}
    for name in X.columns:
        dates, has_hours = (None, False) if name in keep else _read_dates(X[name])
        if dates is None:
            columns[str(name)] = X[name]  # as text: a model refuses labels of which some are text
            continue
        parts = {f"{name} ({part})": values for part, values in _split(dates, has_hours).items()}
        groups[str(name)] = list(parts)
        columns |= parts
    return (pd.DataFrame(columns, index=X.index), groups) if groups else (X, groups)


def _split(dates: Any, has_hours: bool) -> dict[str, Any]:
    year = dates.dt.year
    start = year.map({each: np.datetime64(f"{each:.0f}-01-01") for each in year.dropna().unique()})
    days = (dates - start.astype(dates.dtype)).dt.total_seconds() / 86_400
    weekday = dates.dt.day_of_week
    names = np.where(weekday.isna(), None, _WEEKDAYS[weekday.fillna(0).astype(int)])
    # Down, so that no day slips into the next year; digits for a day, or for half a minute.
    digits = 1e6 if has_hours else 1e4
    moment = np.floor((year + days / (365 + dates.dt.is_leap_year)) * digits + 1e-3) / digits
    parts = {"year": moment, "month": dates.dt.month.astype(float), "weekday": names}
    return {**parts, "hour": dates.dt.hour.astype(float)} if has_hours else parts


def _read_dates(column: Any) -> tuple[Any, bool]:
    """A column as dates without time zone, and whether it has times of day; None if it holds no dates."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return _drop_zone(column), True
    present = column.dropna()
    if not len(present) or not (column.dtype == object or pd.api.types.is_string_dtype(column.dtype)):
        return None, False
    if all(hasattr(value, "isoformat") and hasattr(value, "year") for value in present):
        dates = pd.to_datetime(column, errors="coerce", utc=True)
        has_hours = any(hasattr(value, "hour") for value in present)
    elif reads_as_dates(present):
        form = _find_form(column.name, present)
        dates = None if form is None else pd.to_datetime(column, format=form, errors="coerce", utc=True)
        has_hours = max(map(len, present)) > len("2024-12-31")
    else:
        return None, False
    # 9999-12-31 and the 31st of February are no dates to pandas: the column then stays what it is.
    return (None, False) if dates is None or dates.isna().sum() > column.isna().sum() else (_drop_zone(dates), has_hours)


def _drop_zone(dates: Any) -> Any:
    return dates if dates.dt.tz is None else dates.dt.tz_convert("UTC").dt.tz_localize(None)


def _find_form(name: Any, texts: Any) -> str | None:
    """How the text writes dates; None, with a warning, if day and month cannot be told apart."""
    if _ISO.fullmatch(texts.iloc[0]):
        return "ISO8601"
    found = [match for match in map(_NUMERIC.fullmatch, texts) if match]
    mark = found[0][2]
    firsts, seconds = (max(int(match[place]) for match in found) for place in (1, 3))
    if firsts > 12:
        return f"%d{mark}%m{mark}%Y"
    if seconds > 12:
        return f"%m{mark}%d{mark}%Y"
    warn_caller(
        f"column {name!r} holds dates in which day and month cannot be told apart ({texts.iloc[0]}), and is taken as text: "
        "write them as 2024-12-31",
        DataWarning,
    )
    return None
