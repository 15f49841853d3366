"""Dates as the parts a shape function can read: the year with its fraction, month, weekday, hour.

A file of text has no dates, only text that reads as dates; as categories they would be as many levels as days.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import DataWarning, warn_caller
from .numerals import is_missing

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


@dataclass(frozen=True)
class DateText:
    """A column of dates, which becomes its parts.

    Attributes
    ----------
    form : str
        How text writes them: "ISO8601", or as for ``datetime.strptime``.
    has_hours : bool
        Whether there are times of day.
    """

    form: str
    has_hours: bool

    def list_parts(self, name: str) -> list[str]:
        """Names of the parts."""
        return [f"{name} ({part})" for part in ("year", "month", "weekday", *(["hour"] if self.has_hours else []))]

    def read(self, name: str, column: pd.Series) -> dict[str, Any]:
        """The parts by name.

        ``day`` becomes ``day (year)``, a number with the year's elapsed fraction (to four digits, with times of day to six),
        ``day (month)`` (1 to 12), ``day (weekday)`` (text), and ``day (hour)`` (0 to 23) if there are times of day. Missing
        dates have missing parts. Times with an offset are taken in UTC. Raises ``ValueError`` for text that is no date of the
        form.
        """
        import pandas as pd

        if not pd.api.types.is_datetime64_any_dtype(column.dtype):
            given = [_clean(cell) for cell in column.astype(object)]
            known: Any = [cell if isinstance(cell, str) or hasattr(cell, "isoformat") else None for cell in given]
            dates = pd.Series(pd.to_datetime(known, format=self.form, errors="coerce", utc=True), column.index)
            bad = [cell for cell, date in zip(given, dates, strict=True) if cell is not None and pd.isna(date)]
            if bad:
                raise ValueError(f"column {name!r} holds {str(bad[0])!r}, which is no date of the form {self.form}")
            column = dates
        return dict(zip(self.list_parts(name), _split(_drop_zone(column), self.has_hours), strict=True))

    def describe(self, name: str) -> str:
        """What was assumed, in a sentence."""
        parts = [part.removeprefix(f"{name} (").removesuffix(")") for part in self.list_parts(name)]
        return f"column {name!r} is read as dates ({self.form}), by {', '.join(parts)}"


def learn_dates(name: str, column: pd.Series) -> DateText | None:
    """How a column writes dates, None if it holds none.

    Dates are of pandas' own kind, ``datetime`` objects, or text (see :func:`reads_as_dates`).

    Warns
    -----
    DataWarning
        For text in which day and month could be read either way (``03/04/2024``) in every row; it stays text.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return DateText("ISO8601", True)
    present = [cell for cell in map(_clean, column.astype(object)) if cell is not None]
    if present and all(hasattr(cell, "isoformat") and hasattr(cell, "year") for cell in present):
        form: str | None = "ISO8601"
        has_hours = any(hasattr(cell, "hour") for cell in present)
    elif reads_as_dates(present):
        form = _find_form(name, present)
        has_hours = max(map(len, present)) > len("2024-12-31")
    else:
        return None
    # 9999-12-31 and the 31st of February are no dates to pandas: the column then stays what it is.
    if form is None or pd.isna(pd.to_datetime(present, format=form, errors="coerce", utc=True)).any():
        return None
    return DateText(form, has_hours)


def _clean(cell: Any) -> Any:
    """A cell, text without blanks around it; None if it is missing."""
    if isinstance(cell, str):
        return None if is_missing(cell) else cell.strip()
    return None if cell is None or cell != cell or type(cell).__name__ in ("NAType", "NaTType") else cell


def _split(dates: Any, has_hours: bool) -> list[Any]:
    """Year, month, weekday and, if asked for, hour."""
    year = dates.dt.year
    start = year.map({each: np.datetime64(f"{each:.0f}-01-01") for each in year.dropna().unique()})
    days = (dates - start.astype(dates.dtype)).dt.total_seconds() / 86_400
    weekday = dates.dt.day_of_week
    names = np.where(weekday.isna(), None, _WEEKDAYS[weekday.fillna(0).astype(int)])
    # Down, so that no day slips into the next year; digits for a day, or for half a minute.
    digits = 1e6 if has_hours else 1e4
    moment = np.floor((year + days / (365 + dates.dt.is_leap_year)) * digits + 1e-3) / digits
    parts = [moment, dates.dt.month.astype(float), names]
    return [*parts, dates.dt.hour.astype(float)] if has_hours else parts


def _drop_zone(dates: Any) -> Any:
    return dates if dates.dt.tz is None else dates.dt.tz_convert("UTC").dt.tz_localize(None)


def _find_form(name: Any, texts: Any) -> str | None:
    """How the text writes dates; None, with a warning, if day and month cannot be told apart."""
    if _ISO.fullmatch(texts[0]):
        return "ISO8601"
    found = [match for match in map(_NUMERIC.fullmatch, texts) if match]
    mark = found[0][2]
    firsts, seconds = (max(int(match[place]) for match in found) for place in (1, 3))
    if firsts > 12:
        return f"%d{mark}%m{mark}%Y"
    if seconds > 12:
        return f"%m{mark}%d{mark}%Y"
    warn_caller(
        f"column {name!r} holds dates in which day and month cannot be told apart ({texts[0]}), and is taken as text: "
        "write them as 2024-12-31",
        DataWarning,
    )
    return None
