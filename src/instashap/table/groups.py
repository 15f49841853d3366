"""Groups of columns, and detection of one-hot blocks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import check_choice
from .columns import Table


def choose_groups(groups: Any, table: Table) -> Any:
    """The user's groups of columns; for "auto" the one-hot blocks of the table."""
    if not isinstance(groups, str):
        return groups
    check_choice(groups, ("auto",), "groups")
    return find_one_hot_groups(table)


def find_one_hot_groups(table: Table) -> dict[str, list[str]]:
    """Blocks of adjacent 0/1 columns of which exactly one is 1 in every row, named by their common prefix.

    Blocks are found greedily from the left: the shortest run of columns that sums to one, of at least two columns. A column of
    other values or kinds ends a block.

    Examples
    --------
    >>> import numpy as np
    >>> from instashap.table import read_table
    >>> find_one_hot_groups(read_table(np.array([[1.0, 0, 5], [0.0, 1, 7]])))
    {'x0…x1': ['x0', 'x1']}
    """
    names = [name for name, is_category in zip(table.schema.names, table.schema.is_category, strict=True) if not is_category]
    values = np.asarray(table.numbers, dtype=np.float64)
    is_binary = np.asarray(np.isin(values, (0.0, 1.0)).all(axis=0))
    groups: dict[str, list[str]] = {}
    start = 0
    while start < len(names):
        stop = _find_block(values, is_binary, start)
        if stop:
            members = names[start:stop]
            groups[_name_block(members)] = members
        start = stop or start + 1
    return groups


def _find_block(values: NDArray[np.float64], is_binary: NDArray[np.bool_], start: int) -> int:
    """End of the one-hot block that begins at ``start``, or 0."""
    total = np.zeros(len(values))
    for column in range(start, values.shape[1]):
        if not is_binary[column]:
            return 0
        total += values[:, column]
        if (total > 1).any():
            return 0
        if (total == 1).all():
            return column + 1 if column > start else 0
    return 0


def _name_block(members: list[str]) -> str:
    prefix = members[0]
    while prefix and not all(name.startswith(prefix) for name in members):
        prefix = prefix[:-1]
    prefix = prefix.rstrip("_-=: ")
    return prefix if prefix and prefix not in members and not prefix.endswith("x") else f"{members[0]}…{members[-1]}"
