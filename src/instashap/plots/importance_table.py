"""Importance of features as measured by an explainer: bars with 90 % intervals, values below zero to the left."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arguments import find_output
from .style import (
    INTERVAL_NOTE,
    LOWERS,
    POOLED,
    RAISES,
    draw_intervals,
    draw_zero_line,
    format_numbers,
    label_ends,
    make_axes,
    make_room,
    name_pooled,
    shorten_all,
    split_largest,
    strip_frame,
    write_title,
)

_LINE_LENGTH = 64
_TITLES = {
    "mean_abs": "Importance of features",
    "variance": "What explains the variance of the output",
    "loss": "What lowers the loss",
}


def draw_table(table: Any, limit: int, output: str | int | None, ax: Any) -> Any:
    """Draw a table of :meth:`instashap.Explainer.importance`; see :func:`instashap.plots.plot_importance`."""
    about = dict(table.attrs)
    if "kind" not in about:
        raise TypeError("plot_importance takes an Explanation or the table of explainer.importance(...), got another table")
    if table.index.nlevels > 1:
        names = tuple(dict.fromkeys(table.index.get_level_values(0)))
        if output is None:
            raise ValueError(f"plot_importance shows one output, got a table of {len(names)}: pass output= one of {names}")
        table = table.loc[names[find_output(output, names)]]
    values = table["value"].to_numpy()
    sides = np.nan_to_num(np.stack([values - table["low"], table["high"] - values]))  # (2, n_lines): below and above
    is_left = np.char.startswith(np.array(list(map(str, table.index)), dtype=str), "(")
    own = np.flatnonzero(~is_left)
    shown, pooled = split_largest(np.abs(values[own]), limit)
    places = own[np.sort(shown)]  # in the order of the table
    labels = shorten_all([str(table.index[place]) for place in places])
    bars, reach = values[places], sides[:, places]
    if len(pooled):
        labels.append(name_pooled(len(pooled)).replace("features", "pairs" if about.get("pairs") else "features"))
        bars, reach = np.append(bars, values[own[pooled]].sum()), np.append(reach, np.zeros((2, 1)), axis=1)
    if is_left.any():
        labels.append("not explained")
        bars, reach = np.append(bars, values[is_left]), np.append(reach, sides[:, is_left], axis=1)
    ax = make_axes(ax, 7.0, 1.4 + 0.3 * len(bars))
    named = bars[: len(places)]
    colours = np.where(named < 0, LOWERS, RAISES) if about.get("pairs") or (named < 0).any() else [LOWERS] * len(named)
    ax.barh(range(len(bars)), bars, height=0.7, color=[*colours, *[POOLED] * (len(bars) - len(named))])
    _label(ax, bars, reach)
    ax.set_yticks(range(len(bars)), labels)
    ax.set_ylim(len(bars) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    strip_frame(ax, "top", "right", "left")
    note = f", {INTERVAL_NOTE}" if reach.any() else ""
    what = f"{'interaction in the ' if about.get('pairs') else ''}{about['of']}{note}"
    ax.set_xlabel(textwrap.fill(what, _LINE_LENGTH))
    write_title(ax, "Pairs that explain more, or less, together" if about.get("pairs") else _TITLES[about["kind"]])
    return ax


def _label(ax: Any, bars: NDArray[np.float64], reach: NDArray[np.float64]) -> None:
    """Whiskers where errors are known, numbers beyond them."""
    known = np.flatnonzero(reach.any(axis=0))
    if len(known):
        draw_intervals(ax, known, bars[known], reach[:, known])
    signs = np.where(bars < 0, -1.0, 1.0)
    ends = bars + signs * np.where(bars < 0, *reach)
    numbers = format_numbers(bars)
    label_ends(ax, range(len(bars)), ends, signs, numbers)
    lowest = min(float((bars - reach[0]).min()), 0.0)
    has_left = bool((bars < 0).any())
    make_room(ax, lowest, max(float((bars + reach[1]).max()), 0.0), numbers, left=has_left)
    if lowest < 0:
        draw_zero_line(ax, vertical=True)
