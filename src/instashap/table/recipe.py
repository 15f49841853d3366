"""Recipes for reading the text columns of a file as numbers, codes, times, dates or words; saved for new rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .clock import ClockText, reads_as_times
from .dates import DateText, find_layout, learn_dates
from .numerals import (
    FRACTION,
    LIMITS,
    Numeral,
    count_units,
    find_forms,
    find_proven_decimal,
    is_code,
    is_missing,
    is_word,
    list_some,
    split_numeral,
    to_number,
)

if TYPE_CHECKING:
    import pandas as pd

# A text column with more different numbers than this is a quantity; with fewer, its values may as well be categories.
_MAX_LEVELS = 10
# If at least this share of the rows are numbers, the other cells are regarded as mistakes in a column of numbers.
_MOSTLY = 0.9
# More different words after numbers than this are not units, but for example streets or departments.
_MAX_UNITS = 5
# At most so many different other texts, with at least this share of numbers, are mistakes too, or limits: ``<5``, ``80+``.
_FEW_WORDS, _MANY_NUMBERS = 3, 0.5
_BOOLEANS = ({"yes", "no"}, {"y", "n"}, {"true", "false"}, {"t", "f"}, {"on", "off"})


@dataclass(frozen=True)
class NumberText:
    """Reading of text as numbers.

    Attributes
    ----------
    mark : str
        Mark between thousands; may be empty.
    decimal : str
        Decimal mark.
    unit : str
        Text before or after each number.
    example : str
        One of the cells.
    missing : tuple of str
        Texts in the column that mean a missing value, out of :data:`.numerals.MISSING`.
    """

    mark: str
    decimal: str
    unit: str
    example: str
    missing: tuple[str, ...] = ()

    def read(self, name: str, column: pd.Series) -> dict[str, Any]:
        """The column as float64; cells that are numbers already do not change. Raises ``ValueError`` for other text."""
        import pandas as pd

        if not _is_text(column):
            return {name: column}
        known: dict[Any, float] = {}
        numbers = [self._read_cell(name, cell, known) for cell in column.astype(object)]
        return {name: pd.Series(np.array(numbers, dtype=np.float64), column.index)}

    def _read_cell(self, name: str, cell: Any, known: dict[Any, float]) -> float:
        if not isinstance(cell, str):
            return np.nan if _is_gap(cell) else float(cell)
        if cell not in known:
            known[cell] = self._parse(name, cell)
        return known[cell]

    def _parse(self, name: str, text: str) -> float:
        if is_missing(text):
            return np.nan
        numeral = split_numeral(text)
        try:
            if numeral is not None and numeral.unit in ("", self.unit):
                return to_number(numeral, self.mark, self.decimal)
        except ValueError:
            pass
        raise ValueError(f"column {name!r} holds {text!r}; the fit read numbers there, such as {self.example!r}")

    def describe(self, name: str) -> str:
        """The assumption, in a sentence."""
        value = self._parse(name, self.example)
        unit = " percent" if self.unit == "%" else ""
        gaps = f"; {list_some(self.missing)} means missing" if self.missing else ""
        return f"column {name!r} is read as numbers: {self.example!r} is {value:.15g}{unit}{gaps}"


@dataclass(frozen=True)
class CodeText:
    """Reading of digits with leading zeros as categories; ``width`` is the number of digits, or 0 if it differs."""

    width: int

    def read(self, name: str, column: pd.Series) -> dict[str, Any]:
        """The column as text; numbers are padded with zeros to ``width``, and text that means a missing value is missing."""
        import pandas as pd

        cells = [self._read_cell(cell) for cell in column.astype(object)]
        return {name: pd.Series(cells, column.index, dtype=object)}

    def _read_cell(self, cell: Any) -> str | None:
        if _is_gap(cell) or (isinstance(cell, str) and is_missing(cell)):
            return None
        text = str(int(cell)) if isinstance(cell, (float, np.floating)) and float(cell).is_integer() else str(cell).strip()
        return text.zfill(self.width)

    def describe(self, name: str) -> str:
        """The assumption, in a sentence."""
        return f"column {name!r} is read as codes, because it has leading zeros: each code is a category"


@dataclass(frozen=True)
class WordText:
    """Reading of yes and no in several spellings, which are unified."""

    spellings: tuple[str, ...]

    def read(self, name: str, column: pd.Series) -> dict[str, Any]:
        """The column in small letters."""
        import pandas as pd

        cells = [cell.strip().casefold() if isinstance(cell, str) else None if _is_gap(cell) else cell for cell in column]
        return {name: pd.Series(cells, column.index, dtype=object)}

    def describe(self, name: str) -> str:
        """The assumption, in a sentence."""
        return f"column {name!r}: different spellings are one category ({list_some(self.spellings, 6)})"


Reading = NumberText | CodeText | WordText | ClockText | DateText
_KINDS: dict[str, type[Any]] = {
    "number": NumberText,
    "code": CodeText,
    "word": WordText,
    "clock": ClockText,
    "date": DateText,
}


@dataclass(frozen=True)
class Recipe:
    """Readings of text columns, by name; other columns stay unchanged.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"price": ["$ 1,200", "$ 950"], "day": ["2024-07-02", None]})
    >>> recipe = Recipe.learn(table)
    >>> recipe.apply(table).iloc[0].to_dict()
    {'price': 1200.0, 'day (year)': 2024.5, 'day (month)': 7.0, 'day (weekday)': 'Tuesday'}
    >>> recipe.groups
    {'day': ['day (year)', 'day (month)', 'day (weekday)']}
    """

    readings: Mapping[str, Reading] = field(default_factory=dict)

    @classmethod
    def learn(cls, X: pd.DataFrame, keep: Collection[str] = (), decimal: str | None = None) -> Recipe:
        """The recipe for the text columns of a table.

        Parameters
        ----------
        X : DataFrame
        keep : collection of str
            Columns to leave unchanged.
        decimal : str, optional
            The decimal mark for ambiguous columns (``1,234``); default: that of the table's other columns, else a point.

        Raises
        ------
        ValueError
            If a few cells in a column of numbers are not numbers, or a column has several units: the message names them.

        Warns
        -----
        DataWarning
            For dates in which day and month are ambiguous in every row; they stay text.
        """
        texts = {str(name): X[name] for name in X.columns if str(name) not in keep and _is_readable(X[name])}
        counts = {name: _count(column) for name, column in texts.items() if _is_text(column)}
        proven = {find_proven_decimal(each) for each in counts.values()} - {None}
        likely = proven.pop() if len(proven) == 1 else decimal
        found = {name: _learn_column(name, column, counts.get(name), likely) for name, column in texts.items()}
        return cls({name: reading for name, reading in found.items() if reading is not None})

    def apply(self, X: pd.DataFrame) -> pd.DataFrame:
        """The table with each text column read; dates become their parts. Columns that were read before stay unchanged.

        Raises ``ValueError`` for text that the recipe cannot read; the message names column and text.
        """
        import pandas as pd

        if not any(str(name) in self.readings for name in X.columns):
            return X
        columns: dict[Any, Any] = {}
        for place, name in enumerate(X.columns):
            column = X.iloc[:, place]
            reading = self.readings.get(str(name))
            # All names become text, like those of parts: scikit-learn refuses a mixture of text and other labels.
            read = {str(name): column} if reading is None else reading.read(str(name), column)
            repeated = sorted(map(str, read.keys() & columns.keys()))
            if repeated:
                raise ValueError(f"column names are repeated: {list_some(repeated)}; rename them")
            columns |= read
        return pd.DataFrame(columns, index=X.index)

    def without(self, name: str) -> Recipe:
        """The recipe without the column ``name``."""
        return Recipe({each: reading for each, reading in self.readings.items() if each != name})

    @property
    def groups(self) -> dict[str, list[str]]:
        """Names of the parts of each column of dates."""
        return {name: reading.list_parts(name) for name, reading in self.readings.items() if isinstance(reading, DateText)}

    def find_raw_names(self, names: Collection[str]) -> list[str]:
        """Names of the unread columns from which the given columns are read."""
        whole = {part: name for name, parts in self.groups.items() for part in parts}
        return list(dict.fromkeys(whole.get(name, name) for name in names))

    def describe(self) -> list[str]:
        """The assumptions, one sentence per column."""
        return [reading.describe(name) for name, reading in self.readings.items()]

    def to_json(self) -> dict[str, dict[str, Any]]:
        """The recipe as JSON: kind and attributes of the reading of each column."""
        kinds = {kind: name for name, kind in _KINDS.items()}
        return {name: {"kind": kinds[type(reading)], **_list_fields(reading)} for name, reading in self.readings.items()}

    @classmethod
    def from_json(cls, content: Any) -> Recipe:
        """The recipe from the result of :meth:`to_json`; raises ``ValueError`` for any other content."""
        return cls({_check(name, str): _read_json(name, each) for name, each in _check(content, dict).items()})


def _list_fields(reading: Reading) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(reading).items()}


def _read_json(name: str, content: Any) -> Reading:
    """One reading, with each field checked, as the file may not be trustworthy."""
    given = dict(_check(content, dict))
    kind = _KINDS.get(_check(given.pop("kind", None), str))
    if kind is None or set(given) != set(kind.__dataclass_fields__):
        raise ValueError(f"the recipe of column {name!r} has another kind or other fields than this version knows")
    for key, value in given.items():
        expected = kind.__dataclass_fields__[key].type
        if expected == "tuple[str, ...]":
            given[key] = tuple(_check(each, str) for each in _check(value, list))
        else:
            _check(value, {"str": str, "int": int, "bool": bool}[expected])
    reading: Reading = kind(**given)
    try:
        reading.describe(name)  # raises for an example that cannot be read, or an invalid format
    except (KeyError, StopIteration) as error:
        raise ValueError(f"the recipe of column {name!r} cannot be applied") from error
    return reading


def _check(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"a recipe holds {value!r} where a {kind.__name__} is expected")
    return value


def _is_gap(cell: Any) -> bool:
    is_nan = isinstance(cell, (float, np.floating)) and cell != cell
    return cell is None or is_nan or type(cell).__name__ in ("NAType", "NaTType")


def _is_text(column: pd.Series) -> bool:
    import pandas as pd

    return column.dtype == object or (pd.api.types.is_string_dtype(column.dtype) and str(column.dtype) != "category")


def _is_readable(column: Any) -> bool:
    import pandas as pd

    is_column = isinstance(column, pd.Series)  # a name that two columns share gives a frame, which is refused later
    return is_column and (_is_text(column) or pd.api.types.is_datetime64_any_dtype(column.dtype))


def _count(column: pd.Series) -> Counter[str]:
    """Number of rows with each text; empty if any cell is not text."""
    cells = [cell for cell in column.astype(object) if not _is_gap(cell)]
    return Counter(cells) if all(isinstance(cell, str) for cell in cells) else Counter()


def _learn_column(name: str, column: pd.Series, counts: Counter[str] | None, decimal: str | None) -> Reading | None:
    dates = learn_dates(name, column)
    if dates is not None or not counts:
        return dates
    present = {text: count for text, count in counts.items() if not is_missing(text)}
    if not present:
        return None
    if is_code(present):
        widths = {len(text.strip()) for text in present}
        return CodeText(widths.pop() if len(widths) == 1 else 0)
    words = {text.strip().casefold() for text in present}
    if words in _BOOLEANS:
        return WordText(tuple(present)) if len(present) > 2 else None
    if len(present) > _MAX_LEVELS and reads_as_times(present):
        return ClockText(next(iter(present)))
    _refuse_stray_dates(name, present)
    return _learn_numbers(name, present, tuple(text for text in counts if text not in present), decimal)


def _refuse_stray_dates(name: str, counts: Mapping[str, int]) -> None:
    """Raise for a column of dates in which a few cells are not dates, or which has several date formats."""
    layouts = {text: find_layout(text.strip()) for text in counts}
    others = [text for text, layout in layouts.items() if layout is None]
    share = sum(count for text, count in counts.items() if layouts[text]) / sum(counts.values())
    if len(counts) - len(others) <= _MAX_LEVELS or share < _MOSTLY:
        return
    if others:
        _refuse(name, f"holds dates except in {_list_cells(others, counts)}", "write dates there or leave the cells empty")
    forms = {layout: text for text, layout in layouts.items()}
    if len(forms) > 1:
        _refuse(name, f"has dates in several formats ({list_some(list(forms.values()))})", "write all of them as 2024-12-31")


def _learn_numbers(name: str, counts: Mapping[str, int], missing: tuple[str, ...], decimal: str | None) -> NumberText | None:
    split = {text: split_numeral(text) for text in counts}
    numerals = {text: numeral for text, numeral in split.items() if numeral is not None}
    numbers = {text: numeral for text, numeral in numerals.items() if numeral.unit[:1] not in LIMITS}
    numerals = numbers or numerals  # "<5" in every row is a number, among numbers it is not
    others = [text for text in counts if text not in numerals]
    is_quantity = len(numerals) > _MAX_LEVELS
    share = sum(counts[text] for text in numerals) / sum(counts.values())
    units = count_units(numerals, counts)
    least = (_MANY_NUMBERS if len(others) <= _FEW_WORDS else _MOSTLY) if is_quantity else 1.0
    if share < least or len(units) > _MAX_UNITS:
        return None
    if others:
        _refuse(name, f"holds numbers except in {_list_cells(others, counts)}", "write numbers there or leave the cells empty")
    if len(units) > 1 and is_quantity:
        listed = ", ".join(f"{unit or 'none'!r} in {count:,}" for unit, count in units.most_common())
        _refuse(name, f"holds numbers in different units (rows: {listed})", "convert them to one unit")
    if len(units) > 1:
        return None
    (unit,) = units
    if unit == FRACTION and is_quantity:
        _refuse(name, f"holds numbers with fractions ({list_some(list(numerals))})", "write them as decimals")
    if (is_word(unit) or unit[:1] in LIMITS) and not is_quantity:
        return None
    return _choose_form(name, numerals, unit, missing, decimal)


def _choose_form(
    name: str, numerals: Mapping[str, Numeral], unit: str, missing: tuple[str, ...], decimal: str | None
) -> NumberText | None:
    forms = find_forms(numerals.values())
    if not forms:
        if len(numerals) > _MAX_LEVELS and any(mark in each.digits for each in numerals.values() for mark in ".,"):
            _refuse(name, f"has numbers in several formats ({list_some(list(numerals))})", "write all of them in one format")
        return None
    mark, point = next((form for form in forms if form[1] == decimal), forms[0])
    marked = [text for text, each in numerals.items() if {mark, point} & set(each.digits)]
    example = max(marked or list(numerals), key=len)
    return NumberText(mark, point, unit, example, missing)


def _list_cells(texts: list[str], counts: Mapping[str, int]) -> str:
    n_rows = sum(counts[text] for text in texts)
    return f"{n_rows:,} cell{'s' * (n_rows != 1)} ({list_some(texts)})"


def _refuse(name: str, what: str, advice: str) -> None:
    raise ValueError(f"column {name!r} {what}; {advice}, or treat the text as categories: --text {name!r}")
