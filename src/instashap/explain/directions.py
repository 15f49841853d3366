"""Constraints of monotonicity: directions in which predictions may change with a column."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .._validation import find_column


def check_monotone(constraints: Any, names: Sequence[str], is_category: Sequence[bool]) -> tuple[int, ...]:
    """One direction (1, 0 or -1) per column; an empty tuple if no column is constrained."""
    if constraints is None:
        return ()
    if hasattr(constraints, "iloc"):  # a pandas Series names its columns
        constraints = constraints.to_dict()
    if not isinstance(constraints, Mapping):
        given = list(constraints)
        if len(given) != len(names):
            raise ValueError(f"monotone_constraints has {len(given)} directions for {len(names)} columns; give one each")
        constraints = dict(zip(names, given, strict=True))
    directions = [0] * len(names)
    for column, direction in constraints.items():
        position = find_column(column, names, "monotone_constraints")
        if isinstance(direction, bool) or direction not in (-1, 0, 1):
            raise ValueError(f"monotone_constraints[{column!r}] must be 1 (rising), -1 (falling) or 0, got {direction!r}")
        if direction and is_category[position]:
            raise ValueError(f"monotone_constraints names the category column {names[position]!r}, whose levels have no order")
        directions[position] = int(direction)
    return tuple(directions) if any(directions) else ()


def check_free(directions: Sequence[int], chosen: Collection[int], names: Sequence[str]) -> None:
    """Raise ``ValueError`` for a constrained column whose basis was chosen: the constraint needs a curve without spikes."""
    both = [names[position] for position, direction in enumerate(directions) if direction and position in chosen]
    if both:
        raise ValueError(
            f"bases and monotone_constraints both name {both}; a monotone curve has its own basis, and a periodic one cannot "
            "be monotone: leave these columns out of one of them"
        )
