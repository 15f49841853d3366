"""One prediction in one line: what pushes it up, and what pulls it down."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..explain.explanation import Explanation
from .arguments import check_count, check_row
from .style import (
    LOWERS,
    RAISES,
    describe_scale,
    format_numbers,
    make_axes,
    shorten,
    split_largest,
    strip_frame,
)
from .waterfall import name_value

# Inches of a small character, of a line of small text, and of the strip itself (half); heights of the axes are in inches.
_CHARACTER, _LINE, _HALF = 0.08, 0.2, 0.16


@dataclass(frozen=True)
class _Piece:
    """A part of the strip, from ``start`` to ``stop`` (the higher one), and what is written beside it."""

    start: float
    stop: float
    label: str

    @property
    def middle(self) -> float:
        return (self.start + self.stop) / 2

    @property
    def inches(self) -> float:
        """About as wide is the label."""
        return _CHARACTER * len(self.label) + 0.1


def plot_strip(explanation_row: Any, *, max_features: int = 8, output: str | int | None = None, ax: Any = None) -> Any:
    """Draw one row's Shapley values end to end on one line that ends at the prediction.

    From the left the features that raise the prediction, the largest last; there, at the prediction, those that lower it
    begin, the largest first. Labels of the first are above, of the second below. The dashed line is the base value.

    Parameters
    ----------
    explanation_row : Explanation of one row
        For example ``explanation[0]``.
    max_features : int
        Features with a piece of their own; the rest are, on either side, one more.
    output : str or int, optional
        Which of several outputs, by name or position.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib Axes
        Horizontal positions are on the scale of ``explanation_row.output_transform``.

    Raises
    ------
    TypeError
        If ``explanation_row`` is not an Explanation, or ``max_features`` not an integer.
    ValueError
        If it has more than one row, several outputs and none was chosen, or ``max_features`` is below 1.
    OptionalDependencyError
        If matplotlib is not installed.

    Examples
    --------
    ::

        from sklearn.datasets import load_diabetes
        import instashap
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        explanation = instashap.AdditiveRegressor(order=1).fit(X, y).explain(X)
        ax = instashap.plots.plot_strip(explanation[0])
        ax.figure.savefig("strip.png")
    """
    row = check_row(explanation_row, output, "plot_strip")
    limit = check_count(max_features, "max_features")
    base, prediction = float(row.base_values[0]), float(row.predictions[0])
    raising, lowering = (_cut_pieces(row, limit, prediction, sign) for sign in (1, -1))

    above, below = (_HALF + 0.15 + _LINE * len(pieces) for pieces in (raising, lowering))
    ax = make_axes(ax, 8.4, above + below + 1.5)
    ax.set_ylim(-below, above)
    width = 0.95 * ax.get_window_extent().width / ax.figure.dpi
    goes_right = [_choose_side(pieces, base, prediction) for pieces in (raising, lowering)]
    ax.set_xlim(*_find_limits([base, prediction], [raising, lowering], goes_right, width))
    for pieces, sign, colour, right in zip((raising, lowering), (1, -1), (RAISES, LOWERS), goes_right, strict=True):
        _draw_pieces(ax, pieces, colour)
        _label_pieces(ax, pieces, sign, right)
    colour = ax.xaxis.label.get_color()
    ax.vlines(prediction, -below, above, color=colour, linewidth=1.6)
    ax.vlines(base, -below, above, color=colour, linewidth=1.0, linestyle="--", zorder=0)
    ax.set_yticks([])
    strip_frame(ax, "top", "right", "left")
    ax.set_xlabel(describe_scale(row.output_transform, row.output_names[0]))
    totals = format_numbers(np.array([base, prediction]), like=row.values[0])
    name = "Prediction" if row.index is None else f"Prediction of row {shorten(row.index[0])}"
    ax.set_title(f"{name}: {totals[1]} (line), base value {totals[0]} (dashed)")
    return ax


def _cut_pieces(row: Explanation, limit: int, prediction: float, sign: int) -> list[_Piece]:
    """The features that raise (``sign`` 1) or lower the prediction, from there outwards, those not shown as the last piece."""
    values = row.values[0]
    shown, pooled = split_largest(np.abs(values), limit)
    picked = [int(feature) for feature in shown if sign * values[feature] > 0]
    sizes = [float(values[feature]) for feature in picked]
    names = [name_value(row, feature) for feature in picked]
    rest = pooled[sign * values[pooled] > 0]
    if len(rest):
        sizes.append(float(values[rest].sum()))
        names.append(f"{len(rest)} other{'s' * (len(rest) > 1)}")
    numbers = format_numbers(np.array(sizes), like=values, sign="+")
    edges = prediction - np.cumsum([0.0, *sizes])  # to the left of the prediction if they raise, to the right if they lower
    return [
        _Piece(min(span), max(span), f"{name}  {number}")
        for span, name, number in zip(pairwise(edges.tolist()), names, numbers, strict=True)
    ]


def _choose_side(pieces: Sequence[_Piece], base: float, prediction: float) -> bool:
    """Whether labels run to the right of the pieces' middles: towards where there is more strip."""
    places = [*(piece.middle for piece in pieces), prediction, base]
    return bool(pieces) and max(places) - pieces[0].middle > pieces[0].middle - min(places)


def _find_limits(
    marks: Sequence[float], sides: Sequence[Sequence[_Piece]], goes_right: Sequence[bool], width: float
) -> tuple[float, float]:
    """Limits within which every piece lies, and every label that starts at its middle; ``width`` of the axes in inches."""
    ends = [*marks, *(end for pieces in sides for piece in pieces for end in (piece.start, piece.stop))]
    low, high = min(ends), max(ends)
    pad = 0.03 * (high - low or abs(high) or 1.0)
    low, high = low - pad, high + pad
    for pieces, right in zip(sides, goes_right, strict=True):
        for piece in pieces:
            stretch = 1.0 / max(1.0 - piece.inches / width, 0.3)
            if right:
                high = max(high, low + (piece.middle - low) * stretch)
            else:
                low = min(low, high - (high - piece.middle) * stretch)
    return low, high


def _draw_pieces(ax: Any, pieces: Sequence[_Piece], colour: str) -> None:
    starts = [piece.start for piece in pieces]
    widths = [piece.stop - piece.start for piece in pieces]
    ax.barh([0.0] * len(pieces), widths, 2 * _HALF, left=starts, color=colour, edgecolor=ax.get_facecolor(), linewidth=1.0)


def _label_pieces(ax: Any, pieces: Sequence[_Piece], sign: int, goes_right: bool) -> None:
    """Labels in lanes, joined to their pieces by thin lines; the order of the lanes is the one in which nothing crosses."""
    # A label passes over (under) the lines of the pieces on its way, so these end in nearer lanes.
    ordered = sorted(pieces, key=lambda piece: -piece.middle if goes_right else piece.middle)
    colour = ax.xaxis.label.get_color()
    for lane, piece in enumerate(ordered):
        height = sign * (_HALF + 0.15 + _LINE * lane)
        ax.vlines(piece.middle, sign * _HALF, height + sign * 0.06, color=colour, linewidth=0.7, alpha=0.6)
        place = {"ha": "left" if goes_right else "right", "va": "bottom" if sign > 0 else "top", "fontsize": "small"}
        ax.annotate(piece.label, (piece.middle, height), (3 if goes_right else -3, 0), textcoords="offset points", **place)
