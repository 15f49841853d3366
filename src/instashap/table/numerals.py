"""Parsing of numbers in text files: ``1,234.5``, ``1.234,5``, ``$ 5``, ``12 %``, ``80 m2``, ``(3)``, ``?`` for missing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

# Texts of missing values in a column of numbers or dates, in small letters.
MISSING = frozenset(
    {
        "?", "-", "--", "---", "–", "—", ".", "..", "...", "*", "n/a", "na", "n.a.", "n.a", "<na>", "#n/a", "#na",
        "nan", "-nan", "null", "none", "nil", "nd", "n.d.", "missing", "unknown", "(null)", "(blank)", "#value!",
        "#div/0!", "#ref!", "#null!", "#num!", "#name?", "", "not available", "no data",
    }
)

_CURRENCY = (
    r"(?:[A-Z]{0,3}[$€£¥₹₽₩₺₴₦₫₱฿₪¢]|Rs\.?|kr\.?|zł|(?:USD|EUR|GBP|JPY|CNY|INR|CHF|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|ZAR"
    r"|RUB|TRY|KRW|SGD|HKD)\b)"
)
# First characters of numbers that are limits or approximate.
LIMITS = ("<", ">", "≤", "≥", "~", "≈")
# The unit of numbers that end with a fraction, such as 5 1/2 and 5½, which are not read.
FRACTION = "fraction"
_SPACES = "\u00a0\u202f\u2009"  # typographic spaces between thousands
_CELL = re.compile(
    rf"(?P<limit>[<>]=?|[{''.join(LIMITS)}])?\s*(?P<sign>[+−-]?)\s*(?P<before>{_CURRENCY})?\s*(?P<inner>[+−-]?)\s*"
    r"(?P<digits>(?:\d+(?:[ '’.,]\d+)*|[.,]\d+)(?:[eE][+-]?\d+)?)"
    r"(?P<outer>[−-]?)\s*(?P<after>[^\W\d_].{0,15}|[%‰°$€£¥₹₽₩₺₴₦₫₱฿₪¢].{0,8}|\d+/\d+|[¼-¾⅐-⅞])?"
)
_NEGATIVE = re.compile(rf"((?:{_CURRENCY})?)\s*\(([^()]*)\)\s*(%?)")
_CODE = re.compile(r"\d+")
_ORDINAL = re.compile(r"(st|nd|rd|th)\b", re.IGNORECASE)
# Single letters that are units; others are more often parts of a code (seat 12B, house 3a).
_LETTERS = frozenset("mgltshkKMWVN")
# After amounts of money: thousands, millions, … Rows with different ones have different units.
_MAGNITUDES = frozenset({"k", "K", "m", "M", "b", "B", "bn", "Bn", "mn", "Mn", "mio", "Mio", "T"})
_EXPONENT = r"([eE][+-]?\d+)?"
# Ways to write a number: the mark between thousands, the decimal mark, and what such a number looks like.
_FORMS = [
    ("", ".", re.compile(rf"(\d+(\.\d+)?|\.\d+){_EXPONENT}")),
    ("", ",", re.compile(rf"(\d+(,\d+)?|,\d+){_EXPONENT}")),
    *(
        (mark, decimal, re.compile(rf"([1-9]\d{{0,2}}([{mark}]\d{{2,3}})*[{mark}]\d{{3}}|\d+)([{decimal}]\d+)?{_EXPONENT}"))
        for mark, decimal in ((",", "."), (".", ","), (" ", "."), (" ", ","), ("'", "."), ("'", ","))
    ),
]


class Numeral(NamedTuple):
    """Parts of a cell: sign, digits with their marks, and the unit before or after them."""

    sign: str
    digits: str
    unit: str


def is_missing(text: str) -> bool:
    """Whether the text of a cell means a missing value in a column of numbers or dates."""
    return text.strip().casefold() in MISSING


def is_code(texts: Iterable[str]) -> bool:
    """Whether all texts are digits only, some with a leading zero: codes such as postcodes, not quantities."""
    stripped = [text.strip() for text in texts]
    return all(map(_CODE.fullmatch, stripped)) and any(len(text) > 1 and text[0] == "0" for text in stripped)


def split_numeral(text: str) -> Numeral | None:
    """The parts of a cell, or None if it is not a number."""
    line = " ".join(text.translate(dict.fromkeys(map(ord, _SPACES), " ")).replace("’", "'").split())
    negative = _NEGATIVE.fullmatch(line)
    if negative:
        line = "".join(negative.groups())
    match = _CELL.fullmatch(line)
    signs = "" if match is None else match["sign"] + match["inner"] + match["outer"]
    if match is None or len(signs) > 1:
        return None
    before, after = match["before"] or "", (match["after"] or "").rstrip(". ")
    if not _is_unit(after) or (before and after and after not in _MAGNITUDES):
        return None
    is_below = bool(negative) ^ (signs in ("-", "−"))
    unit = (match["limit"] or "") + before + (FRACTION if after and not after[0].isalpha() and after[-1].isnumeric() else after)
    return Numeral("-" if is_below else "", match["digits"], unit if len(unit) < 2 else unit.casefold())


def _is_unit(after: str) -> bool:
    if not after or not after[0].isalpha():
        return True
    return after in _LETTERS if len(after) == 1 else not _ORDINAL.match(after)


def is_word(unit: str) -> bool:
    """Whether a unit is a word, as in ``12 months``, which may also be the level of a category, and not a currency."""
    return unit.isalpha() and not re.fullmatch(_CURRENCY, unit, re.IGNORECASE)


def are_grouped(texts: Collection[str], mark: str = ".") -> bool:
    """Whether all numbers are whole, with a mark between thousands, because they could not be decimals.

    Decimals of one column have one length, so that 500 is 500.000 there, or no zeros at the end, so that 1.230 is 1.23. Ten
    different numbers with a mark are needed, as a few may have been typed by hand.
    """
    form = re.compile(rf"[+−-]?(0|[1-9]\d{{0,2}}([{mark}]\d{{3}})*)")
    marked = [text for text in texts if mark in text]
    is_sure = len(marked) >= 10 and len(marked) < len(texts) and any(text[-1] == "0" for text in marked)
    return is_sure and all(map(form.fullmatch, texts))


def find_forms(numerals: Iterable[Numeral]) -> list[tuple[str, str]]:
    """Pairs of marks (between thousands, decimal) with which all digits can be read; the simplest pair per decimal mark."""
    texts = {numeral.digits for numeral in numerals}
    forms = [(mark, decimal) for mark, decimal, form in _FORMS if all(map(form.fullmatch, texts))]
    forms = [(mark, decimal) for mark, decimal in forms if not are_grouped(texts, decimal)]
    firsts = {decimal: (mark, decimal) for mark, decimal in reversed(forms)}
    return [firsts[decimal] for decimal in (".", ",") if decimal in firsts]


def find_proven_decimal(texts: Iterable[str]) -> str | None:
    """The decimal mark of a column of numbers if only one is possible, else None."""
    numerals = [split_numeral(text) for text in texts if not is_missing(text)]
    if not numerals or any(numeral is None for numeral in numerals):
        return None
    forms = find_forms(numeral for numeral in numerals if numeral is not None)
    return forms[0][1] if len(forms) == 1 else None


def to_number(numeral: Numeral, mark: str, decimal: str) -> float:
    """The number, read with the given marks; raises ``ValueError`` if its digits have other marks."""
    form = next(form for each, point, form in _FORMS if (each, point) == (mark, decimal))
    if form.fullmatch(numeral.digits) is None:
        raise ValueError(f"{numeral.digits!r} is written in another way")
    digits = numeral.digits.replace(mark, "") if mark else numeral.digits
    return float(numeral.sign + digits.replace(decimal, "."))


def count_units(numerals: Mapping[str, Numeral], counts: Mapping[str, int]) -> Counter[str]:
    """Number of rows with each unit."""
    found: Counter[str] = Counter()
    for text, numeral in numerals.items():
        found[numeral.unit] += counts[text]
    return found


def list_some(items: Sequence[Any], limit: int = 3) -> str:
    """The first few items, quoted, and the number of further ones."""
    shown = ", ".join(map(repr, items[:limit]))
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"


def advise_on_numbers(name: str, levels: Iterable[Any]) -> str:
    """Advice on converting levels that are numbers written as text; empty if most levels are something else."""
    texts = [level for level in levels if isinstance(level, str) and not is_missing(level)]
    numerals = [numeral for numeral in map(split_numeral, texts) if numeral is not None]
    if not texts or is_code(texts) or len(numerals) < 0.9 * len(texts):
        return ""
    forms = find_forms(numerals)
    is_signed = any(each.sign for each in numerals) and (numerals[0].unit or any(text.strip()[0] == "(" for text in texts))
    if len(numerals) < len(texts) or len(forms) != 1 or len({each.unit for each in numerals}) > 1 or is_signed:
        return "it holds numbers written as text: make it a column of numbers"
    (mark, decimal) = forms[0]
    steps = [r".str.extract(r'(-?[\d., ]*\d)')[0]"] if numerals[0].unit else []
    steps += [f".str.replace({mark!r}, '')"] if mark else []
    steps += [".str.replace(',', '.')"] if decimal == "," else []
    return f"it holds numbers written as text, so pass pd.to_numeric(X[{name!r}]{''.join(steps)}, errors='coerce')"
