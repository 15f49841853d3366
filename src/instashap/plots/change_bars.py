"""Waterfall of a change: from the mean of one side to that of the other, line by line."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..questions.change_report import ChangeReport
from .arguments import check_count
from .scales import name_scale, write_notes
from .style import (
    INTERVAL,
    INTERVAL_NOTE,
    LOWERS,
    POOLED,
    RAISES,
    UNEXPLAINED,
    draw_whiskers,
    format_numbers,
    label_ends,
    make_axes,
    make_room,
    shorten_all,
    split_largest,
    strip_frame,
    write_title,
)
from .waterfall import draw_totals


def plot_change(report: Any, *, max_features: int = 10, ax: Any = None) -> Any:
    """Draw how the lines of a report lead from the mean of the first side to that of the second.

    Lines within noise are grey; whiskers are 90 % intervals of the bars' lengths. Features of a report on two models and two
    cohorts have one bar for the data that moved and one for the model.

    Parameters
    ----------
    report : ChangeReport
        On two cohorts; one on two models and the same rows has no summands, and is refused.
    max_features : int
        Number of lines with their own bar; the others share one.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If ``report`` is not a ChangeReport.
    ValueError
        If the report is on two models and the same rows.
    """
    if not isinstance(report, ChangeReport):
        came = type(report).__name__
        raise TypeError(f"plot_change takes a ChangeReport, got {came}; explain_change(model, X, X_b) makes one")
    if report.kind == "models":
        raise ValueError(
            "plot_change shows summands of a change between cohorts; for two models on the same rows draw report.rows, for "
            "example with plot_importance"
        )
    bars = _collect_bars(report, check_count(max_features, "max_features"))
    n_bars = len(bars.steps)
    ends, rows = report.start + np.cumsum(bars.steps), np.arange(1, n_bars + 1)
    ax = make_axes(ax, 7.5, 1.5 + 0.34 * (n_bars + 2))
    ax.barh(rows, bars.steps, left=ends - bars.steps, height=0.66, color=bars.colours, zorder=2)
    n_shown = len(bars.errors)
    draw_whiskers(ax, rows[:n_shown], ends[:n_shown], bars.errors)
    reach = np.append(INTERVAL * bars.errors, np.zeros(n_bars - n_shown))
    levels = np.concatenate([[report.start], ends])
    numbers, totals = format_numbers(bars.steps, sign="+"), format_numbers(levels[[0, -1]], like=bars.steps)
    signs = np.where(bars.steps < 0, -1.0, 1.0)
    label_ends(ax, rows, ends + signs * reach, signs, numbers)
    edges = [report.start, *(ends - reach), *(ends + reach)]
    make_room(ax, float(min(edges)), float(max(edges)), [*numbers, *totals])
    draw_totals(ax, levels, totals)
    ax.set_yticks(range(n_bars + 2), [report.labels[0], *bars.labels, report.labels[1]])
    for label in (ax.get_yticklabels()[0], ax.get_yticklabels()[-1]):
        label.set_fontweight("bold")
    ax.set_ylim(n_bars + 1.6, -0.6)
    ax.tick_params(axis="y", length=0)
    strip_frame(ax, "top", "right", "left")
    scale = name_scale(report.scale)
    ax.set_xlabel(f"mean {report.what} ({scale.label})")
    write_notes(ax, f"grey: within noise; whiskers: {INTERVAL_NOTE} of the bars' lengths", scale.note)
    write_title(ax, f"What changed the mean {report.what}")
    return ax


class _Bars(NamedTuple):
    """Bars in the order drawn; the last one pools what is not shown, and has no error."""

    labels: list[str]
    steps: NDArray[np.float64]
    errors: NDArray[np.float64]
    colours: list[str]


def _collect_bars(report: ChangeReport, limit: int) -> _Bars:
    values = np.array([line.value for line in report.lines])
    shown, pooled = split_largest(np.abs(values), limit)
    lines = [report.lines[place] for place in shown]
    labels = shorten_all([f"{line.name} ({line.part})" if report.kind == "both" else line.name for line in lines], 32)
    colours = [UNEXPLAINED if line.is_noise else RAISES if line.value > 0 else LOWERS for line in lines]
    errors = np.array([line.standard_error for line in lines])
    if not len(pooled):
        return _Bars(labels, values[shown], errors, colours)
    steps = np.append(values[shown], values[pooled].sum())
    return _Bars([*labels, f"{len(pooled)} other lines"], steps, errors, [*colours, POOLED])
