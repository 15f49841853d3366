"""Texts as players: words, phrases or pieces of one text, and the text that some of them leave."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import check_choice

# Maps a text to its players, in the order of the text.
Splitter = Callable[[str], Sequence[str]]

# A phrase ends with punctuation that is followed by space, so that 3.5 is not cut.
_PATTERNS = {"words": re.compile(r"\S+"), "phrases": re.compile(r"\S.*?(?:[.,;:!?]+(?=\s|\Z)|\Z)", re.DOTALL)}


@dataclass(frozen=True)
class SplitText:
    """A text, cut into players and what stands between them.

    Attributes
    ----------
    text : str
    words : tuple of str
        The players, in the order of the text.
    gaps : tuple of str
        What stands before the first word, and after each of them; one more than words.
    """

    text: str
    words: tuple[str, ...]
    gaps: tuple[str, ...]

    def keep(self, mask: NDArray[np.bool_], absent: str) -> str:
        """The text that the present words leave, shape of the mask (n_words,).

        An absent word is deleted with the gap after it, or replaced by ``absent``.
        """
        if mask.all():
            return self.text
        parts = [self.gaps[0]]
        for word, gap, is_present in zip(self.words, self.gaps[1:], mask.tolist(), strict=True):
            if is_present or absent:
                parts += [word if is_present else absent, gap]
        return "".join(parts).strip()


def split_text(text: str, players: str | Splitter = "words") -> SplitText:
    """A text cut into players.

    Parameters
    ----------
    text : str
    players : {"words", "phrases"} or callable
        ``"words"``: what space separates. ``"phrases"``: what ends with punctuation. A callable maps the text to its pieces.

    Raises
    ------
    ValueError
        If there is no player, or a piece is not found in the text after the piece before it.

    Examples
    --------
    >>> split_text("slow , but never dull", "phrases").words
    ('slow ,', 'but never dull')
    """
    spans = _find_pieces(text, players) if callable(players) else [each.span() for each in _PATTERNS[players].finditer(text)]
    spans = [(start, start + len(text[start:stop].rstrip())) for start, stop in spans]
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    pieces = [text[start:stop] for start, stop in pairwise(edges)]
    return SplitText(text, tuple(pieces[1::2]), tuple(pieces[::2]))


def _find_pieces(text: str, players: Splitter) -> list[tuple[int, int]]:
    spans, place = [], 0
    for piece in players(text):
        start = text.find(piece, place) if isinstance(piece, str) and piece.strip() else -1
        if start < 0:
            raise ValueError(f"players gave {piece!r}, which is not in {text!r} after position {place}; give pieces in order")
        place = start + len(piece)
        spans.append((start, place))
    return spans


def check_texts(texts: Any, players: str | Splitter) -> list[SplitText]:
    """Texts cut into players.

    Raises
    ------
    TypeError
        If they are no sequence of str.
    ValueError
        If there is none, or one has no player.
    """
    if not callable(players):
        check_choice(players, tuple(_PATTERNS), "players")
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise TypeError(f"texts must be a sequence of str, got one {type(texts).__name__}; pass [text]")
    every = list(texts)
    if not every:
        raise ValueError("there are no texts; pass one or more")
    for number, text in enumerate(every):
        if not isinstance(text, str):
            raise TypeError(f"text {number} must be a str, got {type(text).__name__}; drop or replace missing texts")
    found = [split_text(str(text), players) for text in every]
    empty = [number for number, each in enumerate(found) if not each.words]
    if empty:
        raise ValueError(f"text {empty[0]} ({len(empty)} in all) has no words to explain; drop it")
    return found
