"""Checks of options, and of columns by their names; all other code relies on them."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

# All smaller integers are exact in float64; from here on, neighbouring integers become the same number.
LARGEST_INTEGER = 2**53


def check_order(order: Any, n_features: int, name: str = "order", largest: int | None = None) -> int:
    """Return ``order`` as an int of at least 1, capped by the number of features there are; above ``largest`` it is refused."""
    if isinstance(order, bool) or not isinstance(order, Integral):
        raise TypeError(f"{name} must be an integer, got {order!r}")
    if int(order) < 1 or (largest is not None and int(order) > largest):
        raise ValueError(f"{name}={order} is out of range: use 1 {'or more' if largest is None else f'to {largest}'}")
    return min(int(order), n_features)


def check_at_least(value: Any, least: int, name: str, reason: str) -> int:
    """Return ``value`` as an int of at least ``least``; ``reason`` ends the message."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if int(value) < least:
        raise ValueError(f"{name}={value} is too few: use at least {least}, as {reason}")
    return int(value)


def check_positive(value: Any, name: str) -> float:
    """Return ``value`` as a finite float above zero."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    if not (np.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be finite and above 0, got {value!r}")
    if not 1e-12 <= number <= 1e12:
        raise ValueError(f"{name} must lie between 1e-12 and 1e12, got {value!r}")
    return number


def check_choice(value: Any, choices: Sequence[str], name: str) -> str:
    """Return ``value`` if it is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name}={value!r} is not known; use one of {', '.join(map(repr, choices))}")
    return str(value)


def is_whole(value: Any) -> bool:
    """Whether a value is an integer, or a decimal or a fraction that is one; floats are none."""
    if isinstance(value, Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return isinstance(value, Integral) or (isinstance(value, Fraction) and value.denominator == 1)


def check_integer(value: Any, name: str) -> None:
    """Raise ``ValueError`` for an integer from 2**53 on (or a decimal or fraction that is one): float64 would lose digits."""
    if is_whole(value) and not -LARGEST_INTEGER < int(value) < LARGEST_INTEGER:
        raise ValueError(
            f"column {name!r} holds integers as large as {int(value)}; from 2**53 on float64 makes different integers equal: "
            f"cast the column to float if it is a quantity, name it in categorical=[{name!r}] or drop it if it is an identifier"
        )


def check_integers(values: NDArray[Any], names: Sequence[str], is_integer: Sequence[bool]) -> None:
    """The same for columns of numbers, shape (n_rows, n_columns); they may already be float64, NaN is missing."""
    if not any(is_integer) or not holds_large(values):
        return
    for column, name in enumerate(names):
        if is_integer[column] and holds_large(values[:, column]):
            check_integer(int(max(np.fmax.reduce(values[:, column]), np.fmin.reduce(values[:, column]), key=abs)), name)


def holds_large(values: NDArray[Any]) -> bool:
    """Whether the absolute value of any number is 2**53 or more; NaN is ignored."""
    if values.dtype.itemsize < 8 or not values.size:
        return False
    low, high = (float(reduce(values, axis=None)) for reduce in (np.fmin.reduce, np.fmax.reduce))
    return high >= LARGEST_INTEGER or low <= -LARGEST_INTEGER


class ColumnName(str):
    """Name of a column whose label in the user's table is not text: the text of the label, and the ``label`` itself.

    Such labels are numbers, for example, or tuples such as ("rate", 2020) in a table with several header levels.

    Examples
    --------
    >>> ColumnName(3), ColumnName(3).label
    ('3', 3)
    """

    label: Any

    def __new__(cls, label: Any) -> "ColumnName":
        """The text of a label, with the label as an attribute."""
        name = super().__new__(cls, label)
        name.label = label
        return name

    def __getnewargs__(self) -> tuple[Any]:
        return (self.label,)


def name_columns(labels: Iterable[Any]) -> list[str]:
    """Names of a table's columns: labels that are text, and a :class:`ColumnName` for any other label."""
    return [str(label) if isinstance(label, str) else ColumnName(label) for label in labels]


def find_column(column: Any, names: Sequence[str], what: str) -> int:
    """Position of a column given by name, by the table's own label, or by position.

    A label takes precedence over a position. If any label is a number, numbers are labels and never positions; a position is
    refused if it is also the text of another column's name.

    Parameters
    ----------
    column : str, int or another label
    names : sequence of str
        Names of columns whose label is not text are a :class:`ColumnName`.
    """
    found = names.index(column) if isinstance(column, str) and column in names else _find_label(column, names)
    if found is not None:
        return found
    if isinstance(column, bool) or not isinstance(column, Integral):
        unknown = f"{what} names the unknown column {column!r}"
        raise ValueError(f"{unknown}; {_suggest(column, names)}the columns are {shorten_names(names)}")
    return _find_position(int(column), names, what)


def _find_position(number: int, names: Sequence[str], what: str) -> int:
    """Position of a column given by a number that is not the label of any column."""
    labels = [getattr(name, "label", name) for name in names]
    if any(isinstance(label, Real) for label in labels):
        raise ValueError(f"{what} names column {number}, and no column has this label; the labels are {shorten_names(labels)}")
    namesake = names.index(str(number)) if str(number) in names else number
    if not 0 <= namesake < len(names):
        raise ValueError(f"{what} names column {number}, the table has columns 0 to {len(names) - 1}")
    if namesake != number and 0 <= number < len(names):
        raise ValueError(
            f"{what} names column {number}, which is the name of one column and the position of another: "
            f"write {str(number)!r} for the first, or {names[number]!r} for the second"
        )
    return namesake


def find_columns(columns: Any, names: Sequence[str], what: str) -> list[int]:
    """Positions of one column, or of several in a tuple or list; a tuple that is a label itself is one column."""
    is_one = not isinstance(columns, (tuple, list)) or is_label(columns, names)
    return [find_column(each, names, what) for each in ([columns] if is_one else columns)]


def is_label(column: Any, names: Sequence[str]) -> bool:
    """Whether a column has this label, which is not text."""
    return _find_label(column, names) is not None


def _find_label(column: Any, names: Sequence[str]) -> int | None:
    """Position of the label that equals ``column``; a boolean equals no number."""
    if isinstance(column, str) or not isinstance(column, Hashable):
        return None
    is_flag, lacks_label = isinstance(column, (bool, np.bool_)), _is_nothing(column)
    for position, name in enumerate(names):
        label = getattr(name, "label", name)
        if (lacks_label and _is_nothing(label)) or (isinstance(label, (bool, np.bool_)) == is_flag and label == column):
            return position
    return None


def _is_nothing(label: Any) -> bool:
    """Whether a label is None or NaN, into which pandas turns None."""
    return label is None or (isinstance(label, float) and label != label)


def _suggest(column: Any, names: Sequence[str]) -> str:
    """A suggestion of the most similar name; empty if none is similar."""
    named = {str(name): name for name in names}
    close = get_close_matches(str(column), named, n=1)
    return f"did you mean {named[close[0]]!r}? " if close else ""


def check_interactions(interactions: Any, names: Sequence[str], order: int) -> Any:
    """Return ``"auto"``, ``"all"``, an int, or sorted tuples of column positions."""
    if isinstance(interactions, str):
        return check_choice(interactions, ("auto", "all"), "interactions")
    if not isinstance(interactions, bool) and isinstance(interactions, Integral):
        if int(interactions) < 0:
            raise ValueError(f"interactions={interactions} is negative; 0 means main effects only")
        return int(interactions)
    if not isinstance(interactions, Iterable):
        raise TypeError(f"interactions must be 'auto', 'all', an integer or a list of column tuples, got {interactions!r}")
    terms = []
    for term in interactions:
        if isinstance(term, str) or not isinstance(term, Iterable):
            raise TypeError(f"each interaction is a tuple of columns, got {term!r}")
        columns = tuple(sorted(find_column(column, names, "interactions") for column in term))
        if len(set(columns)) != len(columns) or not 2 <= len(columns) <= order:
            most = f"2 to {order}" if order > 1 else "2 or more"
            raise ValueError(f"interaction {term!r} must hold {most} different columns (order={order})")
        terms.append(columns)
    return sorted(set(terms), key=lambda term: (len(term), term))


def check_groups(groups: Mapping[str, Sequence[Any]] | None, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return player names and the player of each column; players are ordered by their first column."""
    owner: dict[int, str] = {}
    if groups and not isinstance(groups, Mapping):
        raise TypeError(f"groups must be a dict of a name and its columns, such as {{'size': ['a', 'b']}}, got {groups!r}")
    for label, members in (groups or {}).items():
        if isinstance(members, str) or not isinstance(members, Iterable):
            raise TypeError(f"group {label!r} must list its columns, got {members!r}")
        members = list(members)
        if not members:
            raise ValueError(f"group {label!r} names no column; leave it out")
        for column in members:
            position = find_column(column, names, f"group {label!r}")
            if position in owner:
                raise ValueError(f"groups overlap: column {names[position]!r} is in {owner[position]!r} and {label!r}")
            owner[position] = str(label)
    players: list[str] = []
    assigned = []
    for position, name in enumerate(names):
        label = owner.get(position, name)
        if position not in owner and label in owner.values():
            raise ValueError(f"group {label!r} has the name of a column outside it; rename the group")
        if label not in players:
            players.append(label)
        assigned.append(players.index(label))
    return tuple(players), tuple(assigned)


def shorten_names(names: Sequence[str], limit: int = 8) -> str:
    """The first few names, followed by their number if there are more."""
    shown = ", ".join(repr(name) for name in list(names)[:limit])
    return shown if len(names) <= limit else f"{shown}, … ({len(names)} in all)"
