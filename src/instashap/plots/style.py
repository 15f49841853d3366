"""Colours, labels and axes that the plots share. Text and frames keep the colours of the user's matplotlib style."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._optional import require
from .._sentences import write_like
from ..fitted import shortening

# Okabe and Ito's palette, distinguishable with any colour vision and visible on white and on black; without the pale yellow.
RAISES, LOWERS = "#D55E00", "#0072B2"
# The remainder that the values leave.
UNEXPLAINED = "#8A8A8A"
_OUTPUT_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
POOLED = "#8A8A8A"
# Colours of low, middle and high values of a feature: vivid, unlike the grey of missing values, and of rising lightness, which
# any colour vision and a grey print show.
_LOW_VALUE, _MIDDLE_VALUE, _HIGH_VALUE = "#2A50DC", "#D24C98", "#FFA51E"
# Half width of a 90 % interval in standard errors (Student's t with 19 degrees of freedom, for a jackknife over 20 groups).
INTERVAL = 1.729
INTERVAL_NOTE = "90 % intervals"
# Largest number of characters of a name on an axis (about a third of the default width).
_NAME_LENGTH = 32


def make_axes(ax: Any, width: float, height: float) -> Any:
    """``ax`` itself, or the axes of a new figure of ``width`` × ``height`` inches that makes room for its labels."""
    if ax is None:
        pyplot = require("matplotlib.pyplot", extra="plots", purpose="plots")
        ax = pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    for axis in (ax.xaxis, ax.yaxis):
        separate_thousands(axis)
    return ax


def separate_thousands(axis: Any) -> None:
    """Separate thousands of tick labels from 10,000 on, as in the numbers beside bars; four digits may be a year."""
    plain = require("matplotlib.ticker", extra="plots", purpose="plots").ScalarFormatter
    if type(axis.get_major_formatter()) is plain:
        axis.set_major_formatter(_make_formatter(plain))


def _make_formatter(plain: Any) -> Any:
    """A formatter like matplotlib's ``plain`` one, which is known only when a plot is drawn."""

    class SeparatedFormatter(plain):
        def __call__(self, value: float, pos: int | None = None) -> str:
            if self.get_offset() or abs(value) < 1e4:
                return str(super().__call__(value, pos))
            return f"{value:,.0f}".replace("-", "−")

    return SeparatedFormatter()


def strip_frame(ax: Any, *sides: str) -> None:
    """Hide sides of the frame that have no ticks."""
    for side in sides:
        ax.spines[side].set_visible(False)


def draw_zero_line(ax: Any, *, vertical: bool) -> None:
    """Draw a thin line at zero, in the colour of the frame."""
    line = {"color": ax.xaxis.label.get_color(), "linewidth": 0.8, "alpha": 0.5, "zorder": 0.5}
    _ = ax.axvline(0.0, **line) if vertical else ax.axhline(0.0, **line)


def pick_colours(n_outputs: int) -> list[Any]:
    """One colour per output: the palette, or evenly spaced colours if it is too short."""
    if n_outputs <= len(_OUTPUT_COLOURS):
        return list(_OUTPUT_COLOURS[:n_outputs])
    colours = require("matplotlib", extra="plots", purpose="plots").colormaps["turbo"]
    return [colours(place) for place in np.linspace(0.08, 0.92, n_outputs)]


def make_diverging_map() -> Any:
    """Colours of effects: blue lowers the output, vermilion raises it."""
    colours = require("matplotlib.colors", extra="plots", purpose="plots")
    return colours.LinearSegmentedColormap.from_list("lowers_raises", [LOWERS, "#F7F7F7", RAISES])


def make_value_map() -> Any:
    """Colours of a feature's values, from low to high."""
    colours = require("matplotlib.colors", extra="plots", purpose="plots")
    return colours.LinearSegmentedColormap.from_list("low_high", [_LOW_VALUE, _MIDDLE_VALUE, _HIGH_VALUE])


def label_ends(ax: Any, rows: Any, ends: Any, signs: Any, labels: Sequence[str]) -> None:
    """Draw small labels beyond the ends of horizontal bars, on the left of negative ones."""
    for row, end, sign, label in zip(rows, ends, signs, labels, strict=True):
        side, ha = (-4, "right") if sign < 0 else (4, "left")
        ax.annotate(label, (end, row), (side, 0), textcoords="offset points", va="center", ha=ha, fontsize="small")


def draw_whiskers(ax: Any, rows: Any, ends: Any, errors: Any) -> None:
    """Draw horizontal 90 % intervals around ``ends`` as thin whiskers in the colour of the text."""
    draw_intervals(ax, rows, ends, INTERVAL * np.asarray(errors))


def draw_intervals(ax: Any, rows: Any, ends: Any, reach: Any) -> None:
    """Draw whiskers of a reach, shape (n_rows,), or (2, n_rows) for that to the left and to the right."""
    colour = ax.xaxis.label.get_color()
    ax.errorbar(ends, rows, xerr=reach, fmt="none", ecolor=colour, elinewidth=1.1, capsize=2.5, capthick=1.1, zorder=4)


def write_title(ax: Any, title: str) -> None:
    """Write a title that wraps at the edge of the figure, as axes beside long labels may be narrower than their title."""
    ax.set_title(title, wrap=True)


def add_legend(ax: Any, handles: Sequence[Any], names: Sequence[str], *, outside: bool) -> None:
    """Add a frameless legend; with ``outside``, for a figure made here, it stands beside the axes."""
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)} if outside else {"loc": "best"}
    legend = ax.legend(list(handles), [str(k) for k in range(len(names))], frameon=False, **place)
    for text, name in zip(legend.get_texts(), shorten_all(names), strict=True):
        text.set_text(name)  # set afterwards, because matplotlib leaves out labels that start with "_"


def shorten(text: Any, length: int = _NAME_LENGTH) -> str:
    """Text of at most ``length`` characters, see :mod:`.fitted.shortening`; dollar signs are escaped."""
    return shorten_all([text], length)[0]


def shorten_all(texts: Sequence[Any], length: int = _NAME_LENGTH) -> list[str]:
    """Texts of at most ``length`` characters each; different texts remain different, and dollar signs are escaped."""
    return [text.replace("$", r"\$") for text in shortening.shorten_all(texts, length)]


def format_numbers(values: NDArray[np.float64], like: NDArray[np.float64] | None = None, sign: str = "") -> list[str]:
    """Numbers with the same decimals, so that they add up: three digits of the largest of ``like`` (default ``values``).

    ``sign="+"`` also shows the sign of positive numbers; a number that rounds to zero has no sign.
    """
    sizes = np.abs(values if like is None or not np.any(like) else like)
    largest = float(sizes.max(initial=0.0))
    return [write_like(float(value), largest, sign) for value in values]


def shorten_own(name: str, names: Sequence[str], length: int = _NAME_LENGTH) -> str:
    """Short form of one name that is unlike the short form of every other of ``names``, in whichever plot it is drawn."""
    return shorten_all(names, length)[list(names).index(name)] if name in names else shorten(name, length)


def make_room(ax: Any, low: float, high: float, labels: Sequence[str], *, left: bool = True) -> None:
    """Set limits of a horizontal axis with room for small labels beside bars between ``low`` and ``high``.

    The width of the axes is known only after drawing; it is estimated as six tenths of the figure, or less.
    """
    inches = min(0.62 * ax.figure.get_figwidth(), 1.2 * ax.get_window_extent().width / ax.figure.dpi)
    share = min((0.09 * max(map(len, labels)) + 0.15) / inches, 0.3)
    span = (high - low) or abs(high) or 1.0
    room = span * share / (1 - share * (1 + left))
    ax.set_xlim(low - room * left, high + room)
    ax.locator_params(axis="x", nbins=6)


def split_largest(sizes: NDArray[np.float64], limit: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the ``limit`` largest sizes in decreasing order, and of the rest; a single remaining one is also shown."""
    order = np.argsort(-sizes, kind="stable")
    n_shown = len(order) if len(order) <= limit + 1 else limit
    return order[:n_shown], order[n_shown:]


def name_pooled(n_pooled: int) -> str:
    """Label of the bar that pools the features not shown."""
    return f"{n_pooled} other features"
