"""Bases of columns that the user chose; the fit chooses those of all other columns."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from .._registries import BASES
from .._validation import find_column
from .bases import LearntColumn
from .columns import Table
from .counted import CountedValues
from .grain import Grain


class Basis(Protocol):
    """Interface of the bases of number columns, for example curves, levels and periodic curves."""

    def learn(self, column: CountedValues, grain: Grain) -> LearntColumn:
        """Cells and local functions, for terms of one, two and three columns."""


def choose_bases(table: Table, bases: Mapping[Any, Any] | None) -> Table:
    """The table with the bases that the user chose for some of its number columns.

    Parameters
    ----------
    table : Table
    bases : dict of column to str or Basis, or None
        A name of :data:`instashap._registries.BASES`, or an object with a method ``learn``.

    Raises
    ------
    ValueError
        For an unknown column or name, or a category column.
    TypeError
        For an object that is neither a name nor a basis.
    """
    if bases is None:
        return table
    if not isinstance(bases, Mapping):
        raise TypeError(f"bases must be a dict from columns to names of bases, such as {{'hour': 'periodic'}}; got {bases!r}")
    chosen = {}
    for column, basis in bases.items():
        position = find_column(column, table.schema.names, "bases")
        if table.schema.is_category[position]:
            name = table.schema.names[position]
            raise ValueError(f"bases names the category column {name!r}, whose basis is always one per level: leave it out")
        chosen[position] = BASES.make(basis, "learn")
    return replace(table, bases=chosen)
