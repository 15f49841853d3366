"""Dates as the parts that shape functions read: the year with its fraction, month, weekday, hour.

In a text file dates are text; as categories, they would have as many levels as there are days.
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
# Other forms, each with or without a time of day; the groups' names determine the format for ``datetime.strptime``.
_TIME = r"(?P<gap>,?[T ])(?P<hour>\d{1,2}):\d\d(?P<second>:\d\d)?(?P<half> ?[AaPp][Mm])?"
_WRITTEN = [
    re.compile(f"{day}({_TIME})?")
    for day in (
        r"(?P<left>\d{1,2})(?P<mark>[/.-])(?P<right>\d{1,2})(?P=mark)(?P<year>\d{4}|\d\d)",
        r"(?P<year>\d{4})(?P<mark>[/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
        r"(?P<day>\d{1,2})(?P<mark>[ /-]|\. ?)(?P<name>[A-Za-z]{3,9})(?P<next>[ /-])(?P<year>\d{4}|\d\d)",
        r"(?P<name>[A-Za-z]{3,9})(?P<mark> )(?P<day>\d{1,2})(?P<next>,? )(?P<year>\d{4})",
    )
]
_WEEKDAYS = np.array(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"], dtype=object)


def reads_as_dates(values: Iterable[Any]) -> bool:
    """Whether all values are text of one form of dates, with or without a time of day.

    Forms are ``2024-12-31``, ``2024/12/31``, ``31/12/2024``, ``12/31/24``, ``31-Dec-2024``, ``31 December 2024`` and
    ``Dec 31, 2024``.
    """
    texts = list(values)
    if not texts or not all(isinstance(text, str) for text in texts):
        return False
    layouts = set(map(find_layout, texts))
    return len(layouts) == 1 and None not in layouts


def find_layout(text: str) -> str | None:
    """Format of a date for ``datetime.strptime``, with ``%L`` and ``%R`` for an ambiguous day and month; None for other text.

    Names of months, short or in full, are written as ``%b``.
    """
    if _ISO.fullmatch(text):
        return "ISO8601"
    match = next((found for found in (form.fullmatch(text) for form in _WRITTEN) if found), None)
    return None if match is None else _write_layout(match)


def _write_layout(match: re.Match[str]) -> str:
    parts = match.groupdict()
    year = "%Y" if len(parts["year"]) == 4 else "%y"
    mark, following = parts["mark"], parts.get("next") or parts["mark"]
    if "left" in parts:
        layout = f"%L{mark}%R{mark}{year}"
    elif "month" in parts:
        layout = f"%Y{mark}%m{mark}%d"
    elif match.string[0].isdigit():
        layout = f"%d{mark}%b{following}{year}"
    else:
        layout = f"%b{mark}%d{following}{year}"
    if parts["hour"] is None:
        return layout
    half = parts["half"] or ""
    clock = ("%I" if half else "%H") + ":%M" + (":%S" if parts["second"] else "") + (half[:-2] + "%p" if half else "")
    return f"{layout}{parts['gap']}{clock}"


@dataclass(frozen=True)
class DateText:
    """Reading of a column of dates as its parts.

    Attributes
    ----------
    form : str
        Format of the text: "ISO8601", or that for ``datetime.strptime``.
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
        dates have missing parts. Times with an offset are converted to UTC. Raises ``ValueError`` for text that is not a date
        in this format.
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
        """The assumption, in a sentence."""
        parts = [part.removeprefix(f"{name} (").removesuffix(")") for part in self.list_parts(name)]
        return f"column {name!r} is read as dates ({self.form}), by {', '.join(parts)}"


def learn_dates(name: str, column: pd.Series) -> DateText | None:
    """Reading of a column of dates; None for any other column.

    Dates are of pandas' own type, ``datetime`` objects, or text (see :func:`reads_as_dates`).

    Warns
    -----
    DataWarning
        For text in which day and month are ambiguous (``03/04/2024``) in every row; it stays text.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return DateText("ISO8601", True)
    present = [cell for cell in map(_clean, column.astype(object)) if cell is not None]
    if present and all(hasattr(cell, "isoformat") and hasattr(cell, "year") for cell in present):
        is_known = pd.notna(pd.to_datetime(present, format="ISO8601", errors="coerce", utc=True)).all()
        return DateText("ISO8601", any(hasattr(cell, "hour") for cell in present)) if is_known else None
    if not reads_as_dates(present):
        return None
    if _find_form(present) is None:
        warn_caller(
            f"column {name!r} holds dates in which day and month are ambiguous ({present[0]}), and is treated as text: "
            "write them as 2024-12-31",
            DataWarning,
        )
    form = _find_working_form(present)
    return None if form is None else DateText(form, any(":" in text for text in present))


def _clean(cell: Any) -> Any:
    """A cell; text without surrounding blanks, None if it is missing."""
    if isinstance(cell, str):
        return None if is_missing(cell) else cell.strip()
    return None if cell is None or cell != cell or type(cell).__name__ in ("NAType", "NaTType") else cell


def _split(dates: Any, has_hours: bool) -> list[Any]:
    """Year with its fraction, month, weekday and, with ``has_hours``, hour."""
    year = dates.dt.year
    start = year.map({each: np.datetime64(f"{each:.0f}-01-01") for each in year.dropna().unique()})
    days = (dates - start.astype(dates.dtype)).dt.total_seconds() / 86_400
    weekday = dates.dt.day_of_week
    names = np.where(weekday.isna(), None, _WEEKDAYS[weekday.fillna(0).astype(int)])
    # Rounded down, so that no day moves to the next year, to digits that resolve a day, or half a minute.
    digits = 1e6 if has_hours else 1e4
    moment = np.floor((year + days / (365 + dates.dt.is_leap_year)) * digits + 1e-3) / digits
    parts = [moment, dates.dt.month.astype(float), names]
    return [*parts, dates.dt.hour.astype(float)] if has_hours else parts


def _drop_zone(dates: Any) -> Any:
    return dates if dates.dt.tz is None else dates.dt.tz_convert("UTC").dt.tz_localize(None)


def _find_form(texts: list[str]) -> str | None:
    """Format of dates in text; None if day and month are ambiguous."""
    layout = str(find_layout(texts[0]))
    if "%L" not in layout:
        return layout
    found = [match for match in map(_WRITTEN[0].fullmatch, texts) if match]
    lefts, rights = (max(int(match[side]) for match in found) for side in ("left", "right"))
    if "%y" in layout and lefts > 12:  # 24/12/31 may as well begin with the year
        return None
    if lefts > 12:
        return layout.replace("%L", "%d").replace("%R", "%m")
    return layout.replace("%L", "%m").replace("%R", "%d") if rights > 12 else None


def _find_working_form(texts: list[str]) -> str | None:
    """Format by which pandas reads all texts; None if there is none, as for the 31st of February."""
    import pandas as pd

    form = _find_form(texts)
    forms = [] if form is None else [form] if "%b" not in form else [form, form.replace("%b", "%B")]
    is_read = (pd.notna(pd.to_datetime(texts, format=each, errors="coerce", utc=True)).all() for each in forms)
    return next((each for each, all_read in zip(forms, is_read, strict=True) if all_read), None)


def advise_on_dates(name: str, levels: Iterable[Any]) -> str:
    """Advice on what to pass if levels of a category are dates; empty if they are not."""
    texts = list(levels)
    if not reads_as_dates(texts):
        return ""
    form = _find_working_form(texts)
    if form is None:
        return "it reads as dates: write them as 2024-12-31, and pass the parts that matter"
    option = "" if form == "ISO8601" else f", format={form!r}"
    return f"it reads as dates, so pass the parts that matter, such as pd.to_datetime(X[{name!r}]{option}).dt.month"
