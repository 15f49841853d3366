"""Colours of a feature's values, and positions of dots that do not overlap."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._optional import require
from ..fitted.explanation import Explanation
from ..fitted.explanation_text import format_value
from .axis_scales import format_tick
from .style import POOLED, make_value_map, pick_colours, shorten_all, shorten_own

# Largest number of levels, or of different numbers, with their own colour in a legend.
_MAX_LEVELS = 6
# A colour bar ends at these quantiles, as otherwise a few outliers would leave one colour for all other values.
_ENDS = (0.05, 0.95)


def to_numbers(values: NDArray[Any]) -> NDArray[np.float64] | None:
    """A column's values as float64, NaN for missing; None if some are neither numbers nor missing."""
    if values.dtype != object:
        return np.asarray(values, dtype=np.float64)
    is_missing = np.array([is_absent(each) for each in values], dtype=bool)
    if is_missing.all() or not all(isinstance(each, (Real, np.bool_)) for each in values[~is_missing]):
        return None
    return np.array([np.nan if absent else float(each) for each, absent in zip(values, is_missing, strict=True)])


def name_numbers(values: NDArray[Any], numbers: NDArray[np.float64]) -> list[str]:
    """Labels of some of a column's numbers: False and True if it holds nothing else, unless they are missing."""
    has_flags = values.dtype == object and all(isinstance(each, (bool, np.bool_)) for each in values if not is_absent(each))
    return [format_value(bool(each) if has_flags else float(each)) for each in numbers.tolist()]


def read_numbers(explanation: Explanation, feature: int) -> NDArray[np.float64] | None:
    """A feature's values as float64: numbers, or places of an ordered category's levels; None for other text."""
    values, order = explanation.data[:, feature], explanation.level_orders.get(explanation.feature_names[feature])
    if order is None:
        return to_numbers(values)
    places = {level: float(place) for place, level in enumerate(order)}
    return np.array([places.get(each, np.nan) for each in values])


def is_absent(value: Any) -> bool:
    """Whether a value is missing: None or NaN."""
    return value is None or bool(value != value)


def rank(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank of each number among the others, from 0 (lowest) to 1; equal numbers have the same rank, NaN remains NaN.

    Examples
    --------
    >>> rank(np.array([5.0, 7.0, np.nan, 5.0, 9.0])).tolist()
    [0.25, 0.625, nan, 0.25, 0.875]
    """
    present = np.sort(numbers[~np.isnan(numbers)])
    below, upto = (np.searchsorted(present, numbers, side=side) for side in ("left", "right"))
    return np.where(np.isnan(numbers), np.nan, (below + upto) / (2.0 * max(len(present), 1)))


def paint(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours of shares from 0 (low) to 1 (high), grey for NaN; shape (n_rows, 4)."""
    colours = require("matplotlib.colors", extra="plots", purpose="plots")
    painted = np.asarray(make_value_map()(np.nan_to_num(shares)), dtype=np.float64)
    painted[np.isnan(shares)] = colours.to_rgba(POOLED)
    return painted


def paint_column(ax: Any, explanation: Explanation, feature: int) -> NDArray[np.float64]:
    """Colours of a column's values, shape (n_rows, 4), and their key.

    The key is a legend for text and for up to six different numbers or ordered levels, else a colour bar.
    """
    names = explanation.feature_names
    title, order = shorten_own(names[feature], names, 28), explanation.level_orders.get(names[feature], ())
    numbers = read_numbers(explanation, feature)
    if numbers is None:
        return _paint_levels(ax, title, explanation.data[:, feature])
    present = np.unique(numbers[~np.isnan(numbers)])
    if len(present) <= _MAX_LEVELS:
        labels = [str(order[int(place)]) for place in present] if order else name_numbers(explanation.data[:, feature], present)
        return _paint_steps(ax, title, numbers, present, labels)
    return _paint_range(ax, title, numbers, order)


def _paint_range(ax: Any, title: str, numbers: NDArray[np.float64], order: Sequence[Any]) -> NDArray[np.float64]:
    """Colours of many numbers, or of the places of ordered levels, with a colour bar."""
    cm = require("matplotlib.cm", extra="plots", purpose="plots")
    colours = require("matplotlib.colors", extra="plots", purpose="plots")
    is_present = ~np.isnan(numbers)
    low, high = (0.0, len(order) - 1.0) if order else np.quantile(numbers[is_present], _ENDS)
    if low == high:
        low, high = numbers[is_present].min(), numbers[is_present].max()
    mappable = cm.ScalarMappable(colours.Normalize(low, high), make_value_map())
    note = "" if is_present.all() else "\n(grey: missing)"
    reach = "neither" if order else "both"
    bar = ax.figure.colorbar(mappable, ax=ax, label=title + note, extend=reach, fraction=0.05, pad=0.02)
    if order:
        places = np.unique(np.linspace(0, len(order) - 1, min(len(order), 9)).astype(int))
        bar.set_ticks(places, labels=[shorten_all(order, 18)[place] for place in places])
    elif not low <= 0 <= high and 1e4 <= max(abs(low), abs(high)) < 1e7:
        bar.ax.yaxis.set_major_formatter(lambda value, _: format_tick(value))
    return paint(np.clip((numbers - low) / (high - low), 0.0, 1.0))


def _paint_steps(
    ax: Any, title: str, numbers: NDArray[np.float64], present: NDArray[np.float64], labels: Sequence[str]
) -> NDArray[np.float64]:
    """Colours of a few different numbers, evenly spaced on the map of values, with a legend in their order."""
    shares = np.linspace(0.0, 1.0, len(present)) if len(present) > 1 else np.zeros(len(present))
    places = np.searchsorted(present, numbers).clip(0, max(len(present) - 1, 0))
    own = np.full(len(numbers), np.nan) if not len(present) else np.where(np.isnan(numbers), np.nan, shares[places])
    keys = list(zip(shorten_all(labels, 20), paint(shares), strict=True))
    _add_key(ax, title, keys + [("missing", POOLED)] * bool(np.isnan(numbers).any()))
    return paint(own)


def _paint_levels(ax: Any, title: str, values: NDArray[Any]) -> NDArray[np.float64]:
    colours = require("matplotlib.colors", extra="plots", purpose="plots")
    texts = np.array(["missing" if is_absent(each) else str(each) for each in values])
    levels = rank_levels(texts)
    shown = levels if len(levels) <= _MAX_LEVELS else levels[: _MAX_LEVELS - 1]
    palette = dict(zip(shown, pick_colours(len(shown)), strict=True))
    keys = [*((label, palette[level]) for label, level in zip(shorten_all(shown, 20), shown, strict=True))]
    if len(levels) > len(shown):
        keys.append((f"{len(levels) - len(shown)} rarer levels", POOLED))
    _add_key(ax, title, keys)
    return np.array([colours.to_rgba(palette.get(text, POOLED)) for text in texts])


def _add_key(ax: Any, title: str, keys: Sequence[tuple[str, Any]]) -> None:
    lines = require("matplotlib.lines", extra="plots", purpose="plots")
    handles = [lines.Line2D([], [], marker="o", linestyle="", color=colour, label=label) for label, colour in keys]
    ax.legend(handles=handles, title=title, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0))


def rank_levels(texts: NDArray[Any]) -> list[str]:
    """Distinct texts, the most frequent first; equally frequent ones in the order of the alphabet."""
    levels, counts = np.unique(texts, return_counts=True)
    return [str(levels[k]) for k in np.argsort(-counts, kind="stable")]


def put_in_order(texts: Sequence[str], order: Sequence[Any]) -> list[str]:
    """Texts of levels in the order of an ordered category; other texts come last, in their given order."""
    places = {str(level): place for place, level in enumerate(order)}
    return sorted(texts, key=lambda text: places.get(text, len(places)))


def spread(places: Sequence[NDArray[np.float64]], height: float = 0.42, n_bins: int = 120) -> list[NDArray[np.float64]]:
    """Vertical shifts of the dots of each row of a plot, so that dots at the same place form a swarm.

    Parameters
    ----------
    places : sequence of ndarray of shape (n_dots,), float64
        Horizontal positions of the dots, one array per row; bins are the same for all rows, as they share an axis.
    height : float
        The largest shift.
    """
    low, high = min(each.min() for each in places), max(each.max() for each in places)
    width = (high - low) / n_bins or 1.0
    layers = [_stack(np.floor((each - low) / width)) for each in places]
    # At least eight layers: few dots lie close to the line.
    return [height * each / max(8.0, np.abs(each).max()) for each in layers]


def _stack(bins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Layer of each dot in its bin: 0, 1, -1, 2, -2, … in the order of the rows."""
    order = np.argsort(bins, kind="stable")
    ordered = bins[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1.0))
    position = np.arange(len(bins)) - np.repeat(starts, np.diff(starts, append=len(bins)))
    layers = np.empty(len(bins))
    layers[order] = np.ceil(position / 2) * np.where(position % 2, 1.0, -1.0)
    return layers
