"""Plot of a number column's main effect: a curve, dots for values with their own coefficient, a diamond for missing values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .axis_scales import AxisScale, format_tick
from .column_rows import NOTABLE, OwnEffect, measure_spans, name_effect
from .scales import Scale, write_notes
from .style import (
    INTERVAL,
    POOLED,
    add_legend,
    draw_zero_line,
    make_axes,
    pick_colours,
    strip_frame,
    write_title,
)

# Largest number of values of a number column that each get a tick.
_MAX_TICKS = 10
_N_BINS = 50
# Distance of missing values from the largest value, as a share of the range of the values, so that labels do not overlap.
BEYOND = 0.13
# Height of the density of the rows, as a share of the axes' height.
DENSITY_HEIGHT = 0.14


def draw_curve(
    own: OwnEffect, scale: Scale, values: NDArray[np.float64] | None, name: str, axis_scale: AxisScale, ax: Any
) -> Any:
    """Draw a main effect; ``values`` are the column's values on some rows (NaN for missing), whose density is shown.

    ``name`` is the column's name as shown.
    """
    spans = measure_spans(own.encoder)
    is_point = spans == 0
    places = own.encoder.lows[:, None] + own.offsets[:-1] * spans[:, None]  # (n_cells - 1, n_points)
    low, high = float(places.min()), float(places.max())
    is_seen = values is not None and bool(np.isnan(values).any())
    is_notable = values is None and np.abs(own.effects[-1]).max() > NOTABLE * np.abs(own.effects).max()
    is_shown = is_seen or is_notable
    missing = axis_scale.step(low, high, BEYOND) if is_shown else None

    n_outputs = len(own.names)
    is_ours = ax is None
    ax = make_axes(ax, 6.6 + 1.2 * (n_outputs > 1), 4.2)
    draw_zero_line(ax, vertical=False)
    colours = pick_colours(n_outputs)
    lines = [_draw_output(ax, own, output, colours[output], places, is_point, missing) for output in range(n_outputs)]
    ax.margins(y=0.08)
    axis_scale.apply(ax.xaxis)
    if is_point.all() and len(places) <= _MAX_TICKS:
        ax.set_xticks(places[:, 0], [str(bool(place)) if own.is_boolean else format_tick(place) for place in places[:, 0]])
    if missing is not None:
        mark_missing(ax, axis_scale, low, high, missing)
    if values is not None:
        draw_density(ax, values, places[:, 0] if is_point.all() else None, (low, high), axis_scale)
    strip_frame(ax, "top", "right")
    ax.set_xlabel(name)
    ax.set_ylabel(f"added to {scale.label}")
    write_title(ax, name_effect(name, own.errors is not None))
    write_notes(ax, "" if values is None else f"grey: how many of the {len(values):,} rows have each value", scale.note)
    if n_outputs > 1:
        add_legend(ax, lines, own.names, outside=is_ours)
    return ax


def _draw_output(
    ax: Any,
    own: OwnEffect,
    output: int,
    colour: Any,
    places: NDArray[np.float64],
    is_point: NDArray[np.bool_],
    missing: float | None,
) -> Any:
    """Draw one output's curve and dots; returns the artist for the legend."""
    heights = own.effects[:, :, output]
    reach = None if own.errors is None else INTERVAL * own.errors[:, :, output]
    dots = {"color": colour, "markersize": 6}

    def draw_dots(x: Any, cells: Any, marker: str) -> Any:
        if reach is not None:
            ax.errorbar(x, heights[cells, 0], yerr=reach[cells, 0], fmt="none", ecolor=colour, elinewidth=1.2, capsize=3)
        return ax.plot(x, heights[cells, 0], marker, **dots)[0]

    points, curved = np.flatnonzero(is_point), np.flatnonzero(~is_point)
    if len(curved):
        x, y = places[curved].ravel(), heights[curved].ravel()
        (line,) = ax.plot(x, y, color=colour, linewidth=2)
        if reach is not None:
            band = reach[curved].ravel()
            ax.fill_between(x, y - band, y + band, color=colour, alpha=0.3, linewidth=0)
        if len(points):
            draw_dots(places[points, 0], points, "o")
    else:  # a set of levels: a line only guides the eye
        ax.plot(places[:, 0], heights[:-1, 0], color=colour, linewidth=0.8, alpha=0.5)
        line = draw_dots(places[:, 0], points, "o")
    if missing is not None:
        draw_dots([missing], [len(heights) - 1], "D")
    return line


def mark_missing(ax: Any, axis_scale: AxisScale, low: float, high: float, missing: float) -> None:
    """Add a tick named "missing" beyond the column's range, separated from the ticks of numbers."""
    end = float(axis_scale.step(low, high, 0.02 * BEYOND))
    ticks = [tick for tick in ax.get_xticks() if low <= tick <= end]
    ax.set_xticks([*ticks, missing], [*ax.xaxis.get_major_formatter().format_ticks(ticks), "missing"])
    ax.minorticks_off()
    ax.axvline(axis_scale.step(low, high, BEYOND / 2), color=POOLED, linewidth=0.8, linestyle=":")


def draw_density(
    ax: Any,
    values: NDArray[np.float64],
    levels: NDArray[np.float64] | None,
    span: tuple[float, float],
    axis_scale: AxisScale,
) -> None:
    """Draw the density of the rows in grey at the bottom of the axes, below all that was drawn before."""
    bottom, top = ax.get_ylim()
    limits = ax.get_xlim()
    style = {"color": POOLED, "alpha": 0.6, "transform": ax.get_xaxis_transform(), "zorder": 0.4}
    present = values[~np.isnan(values)]
    if levels is not None:
        counts = np.array([(present == level).sum() for level in levels])
        ax.vlines(levels, 0.0, DENSITY_HEIGHT * counts / max(int(counts.max(initial=0)), 1), linewidth=7, **style)
    else:
        edges = axis_scale.space(*span, _N_BINS + 1) if span[1] > span[0] else np.array([span[0] - 0.5, span[0] + 0.5])
        counts = np.histogram(present, bins=edges)[0]
        ax.stairs(DENSITY_HEIGHT * counts / max(int(counts.max()), 1), edges, fill=True, **style)
    ax.set_xlim(limits)
    ax.set_ylim(bottom - (top - bottom) * 1.25 * DENSITY_HEIGHT, top)
