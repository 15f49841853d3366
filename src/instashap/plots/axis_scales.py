"""Linear, logarithmic and symmetric logarithmic axes of a number column."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._optional import require
from .._validation import check_choice

KINDS = ("auto", "linear", "log", "symlog")
# An axis is logarithmic if nine tenths of the values lie on less than this share of a linear one, and on more than twice that
# share of the logarithmic one.
_CROWDED = 0.2
# Fewest different values that make an axis logarithmic by itself.
_LEAST_VALUES = 12


@dataclass(frozen=True)
class AxisScale:
    """Positions along an axis as a function of values: linear, log10, or linear up to a threshold and logarithmic beyond.

    Attributes
    ----------
    kind : {"linear", "log", "symlog"}
    threshold : float
        Of "symlog": values of smaller size are on a linear scale.
    """

    kind: str = "linear"
    threshold: float = 1.0

    def forward(self, values: Any) -> NDArray[np.float64]:
        """Positions of values, in decades for logarithmic scales."""
        numbers = np.asarray(values, dtype=np.float64)
        if self.kind == "log":
            return np.log10(numbers)
        if self.kind == "symlog":
            sizes = np.maximum(np.abs(numbers) / self.threshold, 1.0)
            return np.where(
                np.abs(numbers) <= self.threshold, numbers / self.threshold, np.sign(numbers) * (1 + np.log10(sizes))
            )
        return numbers

    def inverse(self, places: Any) -> NDArray[np.float64]:
        """Values at positions."""
        numbers = np.asarray(places, dtype=np.float64)
        if self.kind == "log":
            return np.asarray(10.0**numbers)
        if self.kind == "symlog":
            beyond = np.sign(numbers) * self.threshold * 10.0 ** np.maximum(np.abs(numbers) - 1.0, 0.0)
            return np.where(np.abs(numbers) <= 1.0, numbers * self.threshold, beyond)
        return numbers

    def step(self, low: float, high: float, share: float) -> float:
        """The value ``share`` of the axis beyond ``high``."""
        ends = self.forward([low, high])
        return float(self.inverse(ends[1] + share * (float(np.ptp(ends)) or 1.0)))

    def space(self, low: float, high: float, n_places: int) -> NDArray[np.float64]:
        """Values evenly spaced along the axis; the first and the last are exact."""
        start, stop = self.forward([low, high]).tolist()
        values = self.inverse(np.linspace(start, stop, n_places))
        values[[0, -1]] = low, high
        return values

    def apply(self, axis: Any) -> None:
        """Make an axis of this scale, with ticks in plain numbers."""
        ax, name = axis.axes, axis.axis_name
        if self.kind != "linear":
            options = {} if self.kind == "log" else {"linthresh": self.threshold, "linscale": 1.0}
            (ax.set_xscale if name == "x" else ax.set_yscale)(self.kind, **options)
            axis.set_minor_formatter(require("matplotlib.ticker", extra="plots", purpose="plots").NullFormatter())
        ticker = require("matplotlib.ticker", extra="plots", purpose="plots")
        low, high = sorted(axis.get_view_interval())
        if self.kind != "linear" or 1e4 <= max(abs(low), abs(high)) < 1e7:
            axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: format_tick(value)))


def format_tick(value: float) -> str:
    """A tick's number: thousands separated, no power of ten between 0.001 and ten millions."""
    size = abs(value)
    text = f"{value:,.0f}" if 1e3 <= size < 1e8 else f"{value:.4g}"
    return text.replace("-", "−")


def choose_scale(values: NDArray[np.float64], asked: str = "auto") -> AxisScale:
    """Scale of an axis for a column's values; NaN values are ignored.

    "auto" is logarithmic if nine tenths of the values are crowded on a fifth of a linear axis and spread on that one: "log" if
    all are positive, else "symlog". The threshold of "symlog" is the size that one in twenty values other than 0 is below.

    Raises
    ------
    ValueError
        For an unknown scale, or "log" and values of 0 or less.
    """
    check_choice(asked, KINDS, "x_scale")
    present = np.asarray(values, dtype=np.float64)
    present = present[np.isfinite(present)]
    if asked == "linear" or not len(present):
        return AxisScale()
    if asked == "log" and present.min() <= 0:
        raise ValueError(f"x_scale='log' needs values above 0, but the smallest is {present.min():.6g}: use 'symlog'")
    sizes = np.abs(present[present != 0])
    if not len(sizes):
        return AxisScale()
    kind = "log" if asked == "log" or (asked == "auto" and present.min() > 0) else "symlog"
    scale = AxisScale(kind, float(np.quantile(sizes, 0.05)) if kind == "symlog" else 1.0)
    if asked != "auto":
        return scale
    others = present[present != 0]  # a column that is mostly 0 is judged by its other values
    if len(np.unique(others)) < _LEAST_VALUES:
        return AxisScale()
    spread, spread_log = (_measure_spread(each.forward(others), each.forward(present)) for each in (AxisScale(), scale))
    return scale if spread < _CROWDED and spread_log > 2 * spread else AxisScale()


def _measure_spread(places: NDArray[np.float64], all_places: NDArray[np.float64]) -> float:
    """Share of the axis that the middle nine tenths of the places take."""
    return float(np.subtract(*np.quantile(places, [0.95, 0.05])) / (np.ptp(all_places) or 1.0))
