"""Colours of a feature's values, and positions of dots that do not overlap."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._optional import require
from ..fitted.explanation import Explanation
from .style import POOLED, make_value_map, pick_colours, shorten, shorten_all

# Largest number of levels of a text column with their own colour.
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
    """Colours of a column's values, shape (n_rows, 4); adds a colour bar (numbers) or a legend (text)."""
    name, values = explanation.feature_names[feature], explanation.data[:, feature]
    numbers = to_numbers(values)
    if numbers is None:
        return _paint_levels(ax, name, values, explanation.level_orders.get(name, ()))
    cm = require("matplotlib.cm", extra="plots", purpose="plots")
    colours = require("matplotlib.colors", extra="plots", purpose="plots")
    present = numbers[~np.isnan(numbers)]
    low, high = np.quantile(present, _ENDS) if len(present) else (0.0, 1.0)
    if low == high:
        low, high = (present.min(), present.max()) if len(present) and np.ptp(present) else (low, low + 1.0)
    mappable = cm.ScalarMappable(colours.Normalize(low, high), make_value_map())
    note = "" if len(present) == len(numbers) else "\n(grey: missing)"
    ax.figure.colorbar(mappable, ax=ax, label=shorten(name, 28) + note, extend="both", fraction=0.05, pad=0.02)
    return paint(np.clip((numbers - low) / (high - low), 0.0, 1.0))


def _paint_levels(ax: Any, name: str, values: NDArray[Any], order: Sequence[Any]) -> NDArray[np.float64]:
    colours = require("matplotlib.colors", extra="plots", purpose="plots")
    lines = require("matplotlib.lines", extra="plots", purpose="plots")
    texts = np.array(["missing" if is_absent(each) else str(each) for each in values])
    levels = rank_levels(texts)
    shown = put_in_order(levels if len(levels) <= _MAX_LEVELS else levels[: _MAX_LEVELS - 1], order)
    palette = dict(zip(shown, pick_colours(len(shown)), strict=True))
    labels = [*((label, palette[level]) for label, level in zip(shorten_all(shown, 20), shown, strict=True))]
    if len(levels) > len(shown):
        labels.append((f"{len(levels) - len(shown)} others", POOLED))
    handles = [lines.Line2D([], [], marker="o", linestyle="", color=colour, label=label) for label, colour in labels]
    ax.legend(handles=handles, title=shorten(name, 24), frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return np.array([colours.to_rgba(palette.get(text, POOLED)) for text in texts])


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
