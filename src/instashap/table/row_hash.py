"""Sampling of rows by hashes of their values, which does not depend on the order of rows or their division into parts.

Each different row has a hash of its content. The sample consists of the rows with the smallest hashes; a row that occurs
several times is one row with their total weight. The sample of two parts together is the sample of the two parts' samples.
"""

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import Table

# Numbers hashed at a time: 8 MB.
_BLOCK_NUMBERS = 2**20
_MISSING = np.uint64(0x9E3779B97F4A7C15)


def hash_table_rows(table: Table, outputs: NDArray[np.float64] | None = None) -> NDArray[np.uint64]:
    """Hash of each row, shape (n_rows,), uint64, from its values and the names of their columns.

    Numbers are hashed by value, whatever their precision; categories by their level. With ``outputs`` of shape (n_rows,
    n_outputs), rows that differ only in these have different hashes too.

    Examples
    --------
    >>> from instashap.table.columns import read_table
    >>> one, other = read_table([[1.0, 2.0], [3.0, 4.0]]), read_table([[3.0, 4.0], [1.0, 2.0]])
    >>> bool((hash_table_rows(one) == hash_table_rows(other)[::-1]).all())
    True
    """
    hashed = np.zeros(table.n_rows, dtype=np.uint64)
    is_category = np.array(table.schema.is_category, dtype=bool)
    names = np.array(table.schema.names, dtype=object)
    keys = np.array([_hash_text(f"column {name}") for name in names[~is_category]], dtype=np.uint64)
    if len(keys):
        _add_numbers(hashed, table.numbers, keys)
    for name, (codes, levels) in zip(names[is_category], table.categories, strict=True):
        known = [_hash_text(f"{type(level).__name__} {level}") for level in levels]
        own = np.append(np.array(known, dtype=np.uint64), _MISSING)  # code -1 is missing
        hashed += mix(own ^ np.uint64(_hash_text(f"column {name}")))[codes]
    if outputs is not None:
        _add_numbers(hashed, outputs, np.array([_hash_text(f"output {k}") for k in range(outputs.shape[1])], dtype=np.uint64))
    return mix(hashed)


def choose_smallest(
    hashes: NDArray[np.uint64], weights: NDArray[np.float64], n_rows: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Positions of the rows with the smallest hashes, in rising order, and the total weight of all rows with each hash.

    Parameters
    ----------
    hashes : ndarray of shape (n,), uint64
    weights : ndarray of shape (n,), float64
    n_rows : int
        The most different rows to choose.

    Examples
    --------
    >>> places, totals = choose_smallest(np.array([7, 3, 7, 9], dtype=np.uint64), np.ones(4), n_rows=2)
    >>> places.tolist(), totals.tolist()
    ([1, 0], [1.0, 2.0])
    """
    candidates = np.arange(len(hashes))
    if len(hashes) > 4 * n_rows:  # avoids sorting all rows if few are chosen
        limit = np.partition(hashes, 2 * n_rows)[2 * n_rows]
        few = np.flatnonzero(hashes <= limit)
        candidates = few if len(np.unique(hashes[few])) > n_rows else candidates
    found, first, owner = np.unique(hashes[candidates], return_index=True, return_inverse=True)
    totals: NDArray[np.float64] = np.bincount(owner.reshape(-1), weights=weights[candidates]).astype(np.float64)
    return candidates[first[:n_rows]], totals[: min(n_rows, len(found))]


def _add_numbers(hashed: NDArray[np.uint64], numbers: Any, keys: NDArray[np.uint64]) -> None:
    """Add the hashes of number columns, block by block."""
    step = max(_BLOCK_NUMBERS // len(keys), 1)
    for start in range(0, len(hashed), step):
        values = np.asarray(numbers[start : start + step], dtype=np.float64) + 0.0  # adding 0 turns -0 into 0
        bits = np.where(np.isnan(values), _MISSING, np.ascontiguousarray(values).view(np.uint64))
        hashed[start : start + step] += mix(mix(bits) ^ keys).sum(axis=1, dtype=np.uint64)


def _hash_text(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of MurmurHash3: every input bit reaches every output bit."""
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return values ^ (values >> np.uint64(33))
