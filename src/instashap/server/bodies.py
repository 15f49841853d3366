"""Large request bodies, parsed in short steps so that no step blocks other requests for long.

A JSON parser holds the interpreter's lock until it has finished: a fifth of a second for 15 MB. NumPy finds the bounds of the
rows without the lock, and the rows are then parsed a few at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Bytes of rows that are parsed at once, which takes a fraction of a millisecond.
_BLOCK_BYTES = 50_000
# Largest size of one row, and of the body without its rows.
_MOST_BYTES = 250_000
# Largest mean number of lists and objects per row.
_CONTAINERS = 16


class Body(NamedTuple):
    """A body split into its rows and the rest.

    Attributes
    ----------
    rest : bytes
        The body with an empty list of rows.
    n_rows : int
    blocks : iterator of bytes
        JSON lists, each of some rows.
    """

    rest: bytes
    n_rows: int
    blocks: Iterator[bytes]


def join_parts(parts: Sequence[bytes]) -> NDArray[np.uint8]:
    """A body as one array, copied part by part, because a single copy would block other requests for too long."""
    joined = np.empty(sum(map(len, parts)), dtype=np.uint8)
    start = 0
    for part in parts:
        joined[start : start + len(part)] = np.frombuffer(part, dtype=np.uint8)
        start += len(part)
    return joined


def split_body(body: NDArray[np.uint8], max_rows: int) -> Body:
    """Split a body ``{"rows": [...]}`` into its rows and the rest; that the rows are JSON is not checked here.

    Raises
    ------
    ValueError
        If there is not exactly one list of rows, or if a row or the rest of the body is too large.
    """
    places, depths = _find_containers(body, _CONTAINERS * max_rows + 1000)
    starts = [int(place) for place in places[depths == 2] if body[place] == ord("[") and _follows_rows(body, place)]
    if len(starts) != 1:
        raise ValueError(f'the body must be an object {{"rows": [...]}} with one list of rows, got {len(starts)}')
    inside = np.flatnonzero(places > starts[0])
    ends = inside[depths[inside] == 1]  # the depth at a closing bracket is that outside of it
    if not len(ends):
        raise ValueError("the list of rows does not end")
    stop = int(places[ends[0]])
    closed = inside[(inside < ends[0]) & (depths[inside] == 2)]
    cuts = places[closed] + 1
    bounds = np.concatenate([[starts[0] + 1], cuts, [stop]])
    n_beside = starts[0] + 1 + len(body) - stop
    if max(n_beside, int(np.diff(bounds).max())) > _MOST_BYTES:
        raise ValueError(f"a row, or the body without its rows, has more than {_MOST_BYTES:,} bytes")
    rest = body[: starts[0] + 1].tobytes() + body[stop:].tobytes()
    return Body(rest, len(cuts), _cut(body, bounds))


def _find_containers(text: NDArray[np.uint8], most: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Positions of the brackets outside of strings, and the number of open brackets after each."""
    quotes = text == ord('"')
    if (text == ord("\\")).any():
        quotes &= ~_find_escaped(text)
    outside = ~np.logical_xor.accumulate(quotes)
    opens = ((text == ord("[")) | (text == ord("{"))) & outside
    closes = ((text == ord("]")) | (text == ord("}"))) & outside
    if np.count_nonzero(opens) > most:
        raise ValueError(f"the body holds more than {most:,} lists and objects")
    places = np.flatnonzero(opens | closes)
    return places, np.cumsum(np.where(opens[places], 1, -1), dtype=np.int32)


def _find_escaped(text: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether each character follows an odd number of backslashes."""
    is_slash = text == ord("\\")
    numbers = np.arange(len(text), dtype=np.int32)
    last_other = np.maximum.accumulate(np.where(is_slash, np.int32(-1), numbers))
    escaped = np.zeros(len(text), dtype=bool)
    escaped[1:] = ((numbers - last_other)[:-1] & 1).astype(bool)
    return escaped


def _follows_rows(body: NDArray[np.uint8], place: int) -> bool:
    before = body[max(place - 100, 0) : place].tobytes().rstrip()
    return before.endswith(b":") and before[:-1].rstrip().endswith(b'"rows"')


def _cut(body: NDArray[np.uint8], bounds: NDArray[np.int64]) -> Iterator[bytes]:
    """Yield JSON lists of whole rows of about a block's bytes, and the text after the last row if there is any."""
    first = 0
    while first < len(bounds) - 1:
        target = bounds[first] + _BLOCK_BYTES
        last = max(int(np.searchsorted(bounds, target, side="right")) - 1, first + 1)
        text = body[bounds[first] : bounds[last]].tobytes().strip(b" \t\r\n")
        if first and text:  # rows are separated by commas; other text between them must not become valid JSON
            text = text[1:] if text.startswith(b",") and len(text) > 1 else b","
        if text:
            yield b"[%b]" % text
        first = last
