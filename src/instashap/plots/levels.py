"""Plot of a category's main effect: one horizontal line per level, which leaves room for long names."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..table.bases import ColumnEncoder
from .column_rows import OwnEffect, find_seen, name_cells, name_effect
from .scales import Scale, write_notes
from .style import (
    INTERVAL,
    LOWERS,
    POOLED,
    RAISES,
    add_legend,
    draw_whiskers,
    draw_zero_line,
    format_numbers,
    label_ends,
    make_axes,
    make_room,
    pick_colours,
    strip_frame,
    write_title,
)

# Largest number of drawn levels; more do not fit on a page.
_MAX_LEVELS = 30


def draw_levels(own: OwnEffect, scale: Scale, values: NDArray[Any] | None, name: str, ax: Any) -> Any:
    """Draw bars for one output, dots for several; ``values`` are the cells of some rows, whose counts are shown."""
    encoder, names = own.encoder, own.names
    heights = own.effects[:, 0]  # (n_cells, n_outputs)
    counts = None if values is None else np.bincount(values, minlength=encoder.n_cells)
    cells, n_left_out = _pick_cells(encoder, heights, counts)
    labels = name_cells(encoder, 28)
    if counts is not None:
        labels = [f"{label}  ({count:,} row{'s' * (count != 1)})" for label, count in zip(labels, counts.tolist(), strict=True)]

    is_ours = ax is None
    ax = make_axes(ax, 7.0 + 1.2 * (len(names) > 1), 1.5 + 0.32 * max(len(cells), 2))
    draw_zero_line(ax, vertical=True)
    errors = None if own.errors is None else own.errors[cells, 0]  # (n_drawn, n_outputs)
    if len(names) == 1:
        _draw_bars(ax, heights[cells, 0], None if errors is None else errors[:, 0])
    else:
        add_legend(ax, _draw_dots(ax, heights[cells], errors), names, outside=is_ours)
    ax.set_yticks(range(len(cells)), [labels[cell] for cell in cells])
    ax.set_ylim(len(cells) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    strip_frame(ax, "top", "right", "left")
    ax.set_xlabel(f"added to {scale.label}")
    write_title(ax, name_effect(name, errors is not None))
    n_all = len(cells) + n_left_out
    left_out = f"the {len(cells)} of {n_all} levels with the largest effects; the other {n_left_out} are not shown"
    write_notes(ax, left_out * bool(n_left_out), scale.note)
    return ax


def _draw_bars(ax: Any, shown: NDArray[np.float64], errors: NDArray[np.float64] | None) -> None:
    rows = range(len(shown))
    ax.barh(rows, shown, height=0.66, color=[RAISES if each > 0 else LOWERS for each in shown])
    reach = np.zeros_like(shown) if errors is None else INTERVAL * errors
    if errors is not None:
        draw_whiskers(ax, rows, shown, errors)
    numbers = format_numbers(shown, sign="+")
    signs = np.where(shown < 0, -1.0, 1.0)
    label_ends(ax, rows, shown + signs * reach, signs, numbers)
    reached = np.concatenate([shown - reach, shown + reach, [0.0]])
    make_room(ax, float(reached.min()), float(reached.max()), numbers)


def _draw_dots(ax: Any, shown: NDArray[np.float64], errors: NDArray[np.float64] | None) -> list[Any]:
    rows = np.arange(len(shown))
    ax.hlines(rows, shown.min(axis=1), shown.max(axis=1), color=POOLED, linewidth=0.8, zorder=1)
    dots = []
    for output, colour in enumerate(pick_colours(shown.shape[1])):
        if errors is not None:
            ax.errorbar(shown[:, output], rows, xerr=INTERVAL * errors[:, output], fmt="none", ecolor=colour, capsize=3)
        dots += ax.plot(shown[:, output], rows, "o", color=colour, markersize=7)
    return dots


def _pick_cells(
    encoder: ColumnEncoder, heights: NDArray[np.float64], counts: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], int]:
    """Cells of a category in the order drawn, and how many are left out.

    Ordered levels and numbers keep their order; others are sorted by decreasing effect. "Other" and "missing" come last.
    """
    sizes = np.abs(heights).max(axis=1)
    cells = find_seen(sizes, counts)
    n_levels = len(encoder.levels or ())
    kept = np.sort(cells[np.argsort(-sizes[cells], kind="stable")][:_MAX_LEVELS])
    own, rest = kept[kept < n_levels], kept[kept >= n_levels]
    if encoder.has_order:
        own = np.array([cell for cell in encoder.shown_cells if cell in own], dtype=np.int64)
    else:
        own = own[np.argsort(-heights[own].mean(axis=1), kind="stable")]
    return np.concatenate([own, rest]), len(cells) - len(kept)
