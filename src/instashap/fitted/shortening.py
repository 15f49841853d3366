"""Names and levels for display: without control characters, and shortened to a given length.

A long text loses the words that it shares with the texts shown beside it; negations and comparisons are kept.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

# Words that are dropped last: without them a text would mean the opposite, or another amount.
_PROTECTED = frozenset(
    {
        "no", "not", "non", "none", "never", "without", "except", "un", "neither", "nor", "less", "more", "under",
        "over", "below", "above", "before", "after", "min", "max", "low", "high", "nicht", "kein", "keine", "keinen",
        "ohne", "nie", "weder", "pas", "sans", "jamais", "aucun", "sin", "nunca", "ni", "senza", "mai", "sem", "nem",
        "geen", "niet", "zonder",
    }
)
_WORD = re.compile(r"[^\s_/\\.,;:|·×()\[\]-]+[\s_/\\.,;:|·×()\[\]-]*|[\s_/\\.,;:|·×()\[\]-]+")
_GAP = "…"


def clean(text: Any) -> str:
    """Text on one line; control characters, which terminals would execute, are replaced by their code."""
    return show_controls(" ".join(str(text).split()))


def show_controls(line: str) -> str:
    """The line with control characters replaced by their code."""
    return "".join(f"\\x{ord(each):02x}" if unicodedata.category(each) in ("Cc", "Cf", "Cs") else each for each in line)


def shorten(text: Any, length: int) -> str:
    """Text of at most ``length`` characters; see :func:`shorten_all`."""
    return shorten_all([text], length)[0]


def shorten_all(texts: Sequence[Any], length: int) -> list[str]:
    """Texts of at most ``length`` characters; different texts remain different.

    Words that most of the texts share are left out first, then those in the middle; negations, numbers and comparisons last.
    Texts that still coincide are cut to the part where they differ, or numbered.

    Examples
    --------
    >>> shorten_all(["arrest, the case was dropped, no charge", "arrest, the case was dropped, charge"], 20)
    ['arrest, …no charge', 'arrest, the …charge']
    """
    raw = [str(text) for text in texts]
    lines = {text: clean(text) for text in dict.fromkeys(raw)}  # two texts that differ in spaces share a line
    different = list(dict.fromkeys(lines.values()))
    counts = Counter(word for line in different for word in {_strip(each) for each in _WORD.findall(line)})
    short = {line: line if len(line) <= length else _drop_words(line, length, counts) for line in different}
    for clash in _find_clashes(short):
        short |= _cut_to_difference(clash, length)
    shown = {text: short[line] for text, line in lines.items()}
    for clash in _find_clashes(shown):
        _number_apart(shown, clash, length)
    return [shown[text] for text in raw]


def _number_apart(shown: dict[str, str], clash: Sequence[str], length: int) -> None:
    """Give the texts of a clash numbered forms that no other text has."""
    place = 0
    for text in clash:
        form = shown[text]
        while form in shown.values():
            place += 1
            form = _number(shown[text], place, length)
        shown[text] = form


def _strip(word: str) -> str:
    return word.strip(" _/\\.,;:|·×()[]-").casefold()


def _drop_words(line: str, length: int, counts: Counter[str]) -> str:
    """The text with an ellipsis for each run of dropped words, see :func:`_rate`; one long word is cut in its middle."""
    words = _WORD.findall(line)
    kept = set(range(len(words)))
    ranked = sorted(kept, key=lambda place: _rate(words, place, counts))
    for place in ranked[:-1]:
        if len(_join(words, kept)) <= length:
            break
        kept.remove(place)
    short = _join(words, kept)
    return short if len(short) <= length else _cut_middle(line, length)


def _rate(words: list[str], place: int, counts: Counter[str]) -> tuple[bool, int, float]:
    """Sort key of a word; the smallest is dropped first: shared words, then those in the middle."""
    word = _strip(words[place])
    is_protected = word in _PROTECTED or word.endswith("n't") or bool(re.search(r"[\d<>≤≥=%+]", word))
    middle = (len(words) - 1) * 0.55
    return is_protected, -counts[word], abs(place - middle)


def _join(words: list[str], kept: set[int]) -> str:
    parts: list[str] = []
    for place, word in enumerate(words):
        if place in kept:
            parts.append(word)
        elif parts[-1:] != [_GAP]:
            parts.append(_GAP)
    return "".join(parts).strip()


def _cut_middle(line: str, length: int) -> str:
    n_end = max(length // 3, 1)
    return line[: max(length - n_end - 1, 0)].rstrip() + _GAP + line[-n_end:].lstrip()


def _find_clashes(short: dict[str, str]) -> list[list[str]]:
    """Groups of different texts with the same short form."""
    found: dict[str, list[str]] = {}
    for line, form in short.items():
        found.setdefault(form, []).append(line)
    return [lines for lines in found.values() if len(lines) > 1]


def _cut_to_difference(lines: list[str], length: int) -> dict[str, str]:
    """The texts without the beginning and the end that all of them share, cut to ``length``."""
    head = _count_shared(lines)
    tail = min(_count_shared([line[head:][::-1] for line in lines]), length // 4)
    start = max(head - length // 4, 0)
    cut = {}
    for line in lines:
        inner = line[start : start + length - 2 - tail] if len(line) - start > length - 1 else line[start:]
        rest = line[start + len(inner) :]
        end = _GAP + rest[len(rest) - tail :] if rest else ""
        cut[line] = (_GAP if start else "") + inner + end
    return cut


def _count_shared(lines: list[str]) -> int:
    """Number of characters at the beginning that all lines share."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*lines, strict=False)))


def _number(form: str, place: int, length: int) -> str:
    mark = f" ({place})"
    return form[: length - len(mark)].rstrip() + mark
