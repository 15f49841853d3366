"""Times of day and durations, read from text as numbers: ``7:30`` is 7.5, ``0:07:30`` is .125."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .numerals import is_missing

if TYPE_CHECKING:
    import pandas as pd

_CLOCK = re.compile(r"(?P<first>\d+)(?P<others>(:[0-5]\d){1,2})(?P<part>\.\d+)?(?P<half> ?[AaPp]\.?[Mm]\.?)?")


def reads_as_times(texts: Iterable[Any]) -> bool:
    """Whether all values are text such as ``7:30``, ``07:30:15`` or ``7:30 pm``."""
    return all(isinstance(text, str) and _CLOCK.fullmatch(text.strip()) for text in texts)


def advise_on_times(name: str, texts: Iterable[str]) -> str:
    """Advice on how to convert a column to numbers if :func:`reads_as_times` is true."""
    found = [match for match in (_CLOCK.fullmatch(text.strip()) for text in texts) if match]
    if any(match["half"] for match in found) or len({match["others"].count(":") for match in found}) > 1:
        return "it reads as times: make it a column of numbers, such as hours"
    seconds = "" if found[0]["others"].count(":") == 2 else " + ':00'"
    return f"it reads as times, so pass pd.to_timedelta(X[{name!r}]{seconds}).dt.total_seconds()"


@dataclass(frozen=True)
class ClockText:
    """Reading of a column of times as numbers; ``example`` is one of its cells."""

    example: str

    def read(self, name: str, column: pd.Series) -> dict[str, Any]:
        """The column as float64; cells that are numbers already do not change. Raises ``ValueError`` for other text."""
        import pandas as pd

        numbers = [np.nan if pd.isna(cell) else self._read_cell(name, cell) for cell in column.astype(object)]
        return {name: pd.Series(np.array(numbers, dtype=np.float64), column.index)}

    def _read_cell(self, name: str, cell: Any) -> float:
        if not isinstance(cell, str):
            return float(cell)
        match = _CLOCK.fullmatch(cell.strip())
        if match is None and not is_missing(cell):
            raise ValueError(f"column {name!r} holds {cell!r}; the fit read times there, such as {self.example!r}")
        return np.nan if match is None else _add_sixtieths(match)

    def describe(self, name: str) -> str:
        """The assumption, in a sentence."""
        value = self._read_cell(name, self.example)
        return f"column {name!r} is read as times: {self.example!r} is {value:.6g}, and parts after a colon are sixtieths"


def _add_sixtieths(match: re.Match[str]) -> float:
    parts = [*map(float, f"{match['first']}{match['others']}".split(":")), 0.0][:3]
    parts[match["others"].count(":")] += float(match["part"] or 0)
    if match["half"]:
        parts[0] = parts[0] % 12 + 12 * (match["half"].strip()[0] in "pP")
    return parts[0] + parts[1] / 60 + parts[2] / 3600
