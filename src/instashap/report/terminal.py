"""One explanation as a table in a terminal."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._optional import require
from .._sentences import percent, write_like
from ..fitted.explanation import Explanation
from ..fitted.explanation_text import shorten_value
from ..fitted.shortening import clean, shorten_all

_BAR_WIDTH = 24
# Largest number of characters of a name, and of a value.
_NAME_LENGTH, _VALUE_LENGTH = 40, 24


def render_terminal(explanation: Explanation, row: int = 0, n_features: int = 15) -> Any:
    """The Shapley values of one row, the largest first, as a ``rich`` table; print it with ``rich.print``.

    Parameters
    ----------
    explanation : Explanation
        If it has several outputs the first is shown; choose another with ``explanation[..., name]``.
    row : int
        Position among the rows.
    n_features : int
        Number of features with their own line; the others are summed up.

    Raises
    ------
    IndexError
        If there is no such row.
    OptionalDependencyError
        If rich is not installed.
    """
    table_of = require("rich.table", "terminal", "terminal views").Table
    write = require("rich.text", "terminal", "terminal views").Text  # a plain string would be interpreted as markup
    if not 0 <= row < len(explanation):
        raise IndexError(f"there is no row {row}: the explanation has rows 0 to {len(explanation) - 1}")
    one = (explanation[..., 0] if explanation.has_outputs else explanation)[row]
    values, base = one.values[0], float(one.base_values[0])
    title = write(f"{_describe_output(one)}: {_name_row(explanation, row)}", style="table.title")
    table = table_of(title=title, caption=f"{_describe_share(one)}a value is {one.meaning}")
    for name, side in (("feature", "left"), ("value", "left"), ("", "left"), ("adds", "right")):
        table.add_column(name, justify=side)
    largest = float(np.abs(values).max()) or 1.0
    table.add_row("average row", "", "", write_like(base, largest))
    order = np.argsort(-np.abs(values), kind="stable")
    names = shorten_all([one.feature_names[player] for player in order[:n_features]], _NAME_LENGTH)
    for name, player in zip(names, order, strict=False):
        value = float(values[player])
        length = max(round(_BAR_WIDTH * abs(value) / largest), 1 if value else 0)
        bar = write(("+" if value > 0 else "-") * length, style="red" if value > 0 else "blue")
        given = shorten_value(one, 0, int(player), _VALUE_LENGTH)
        table.add_row(write(name), write(given), bar, write_like(value, largest, "+"))
    rest = order[n_features:]
    if len(rest):
        table.add_row(f"{len(rest)} weaker features", "", "", write_like(float(values[rest].sum()), largest, "+"))
    table.add_section()
    table.add_row("prediction", "", "", write_like(float(one.predictions[0]), largest))
    return table


def _describe_output(one: Explanation) -> str:
    """The explained scale, after the output's name if the scale does not contain it."""
    name = one.output_names[0]
    scale = clean(one.output_transform)
    return scale if name == "output" or repr(name) in one.output_transform else f"{clean(name)}: {scale}"


def _name_row(explanation: Explanation, row: int) -> str:
    """The row by its label in the table, and by its position among the rows if that differs."""
    if explanation.index is None or str(explanation.index[row]) == str(row):
        return f"row {row}"
    return f"row {clean(explanation.index[row])} (number {row} of the rows explained, from 0)"


def _describe_share(one: Explanation) -> str:
    if one.output_share is None or one.output_share_interval is None:
        return ""
    low, high = one.output_share_interval[0]
    place = one.describe_place(0)
    note = f"; {place}" if place else ""
    share = percent(float(one.output_share[0]))
    return f"these values reproduce {share} of the output ({percent(float(low))} to {percent(float(high))}){note}\n"


def check_terminal() -> None:
    """Raise ``OptionalDependencyError`` if rich is not installed."""
    require("rich", "terminal", "terminal views")


def print_explanation(explanation: Explanation, row: int = 0) -> None:
    """Print the table of :func:`render_terminal`."""
    require("rich.console", "terminal", "terminal views").Console().print(render_terminal(explanation, row))
