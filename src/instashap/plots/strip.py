"""One prediction on one line: the features that raise it, and those that lower it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..fitted.explanation import Explanation
from .arguments import check_count, check_row
from .scales import name_scale, write_notes
from .style import (
    LOWERS,
    RAISES,
    format_numbers,
    make_axes,
    shorten,
    split_largest,
    strip_frame,
    write_title,
)
from .waterfall import name_values

# Width of a small character, height of a line of small text, and half the height of the strip, in inches.
_CHARACTER, _LINE, _HALF = 0.075, 0.2, 0.16
# Half the length of the marks of prediction and base value, in inches.
_REACH = 0.24


@dataclass(frozen=True)
class _Piece:
    """A part of the strip from ``start`` to ``stop`` (the higher value), and its label."""

    start: float
    stop: float
    label: str

    @property
    def middle(self) -> float:
        return (self.start + self.stop) / 2

    @property
    def inches(self) -> float:
        """Approximate width of the label."""
        return _CHARACTER * len(self.label) + 0.1


def plot_strip(explanation_row: Any, *, max_features: int = 8, output: str | int | None = None, ax: Any = None) -> Any:
    """Draw one row's Shapley values end to end on one line that ends at the prediction.

    Left of the prediction are the features that raise it, the largest next to it; right of it are those that lower it, the
    largest first. Labels of the former are above, those of the latter below. The dashed line is the base value.

    Parameters
    ----------
    explanation_row : Explanation of one row
        For example ``explanation[0]``.
    max_features : int
        Number of features with their own piece; on each side the others are pooled in one more piece.
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

    above, below = (_REACH + 0.1 + _LINE * len(pieces) for pieces in (raising, lowering))
    ax = make_axes(ax, 8.4, above + below + 1.5)
    ax.set_ylim(-below, above)
    width = 0.95 * ax.get_window_extent().width / ax.figure.dpi
    limits, goes_right = _find_limits([base, prediction], [raising, lowering], width)
    ax.set_xlim(*limits)
    for pieces, sign, colour, right in zip((raising, lowering), (1, -1), (RAISES, LOWERS), goes_right, strict=True):
        _draw_pieces(ax, pieces, colour)
        _label_pieces(ax, pieces, sign, right)
    colour = ax.xaxis.label.get_color()
    ax.vlines([prediction], -_REACH, _REACH, color=colour, linewidth=2.2)
    ax.vlines([base], -_REACH, _REACH, color=colour, linewidth=1.4, linestyle=(0, (2, 1.5)))
    ax.set_yticks([])
    ax.locator_params(axis="x", nbins=8)
    strip_frame(ax, "top", "right", "left")
    scale = name_scale(row.output_transform, row.output_names[0])
    ax.set_xlabel(scale.label)
    sides = "left of the line: what raises the prediction; right of it: what lowers it"
    write_notes(ax, f"a piece is {row.meaning}", sides, scale.note)
    totals = format_numbers(np.array([base, prediction]), like=row.values[0])
    name = "Prediction" if row.index is None else f"Prediction of row {shorten(row.index[0])}"
    write_title(ax, f"{name}: {totals[1]} (line), base value {totals[0]} (dashed)")
    return ax


def _cut_pieces(row: Explanation, limit: int, prediction: float, sign: int) -> list[_Piece]:
    """Pieces of the features that raise (``sign`` 1) or lower the prediction, from it outwards; the last pools the others."""
    values = row.values[0]
    shown, pooled = split_largest(np.abs(values), limit)
    picked = [int(feature) for feature in shown if sign * values[feature] > 0]
    sizes = [float(values[feature]) for feature in picked]
    names = name_values(row, picked)
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


def _fit_labels(limits: tuple[float, float], pieces: Sequence[_Piece], goes_right: bool, width: float) -> tuple[float, float]:
    """Limits widened to contain every label, which starts at its piece's middle; ``width`` of the axes in inches."""
    low, high = limits
    for piece in pieces:
        stretch = 1.0 / max(1.0 - piece.inches / width, 0.3)
        if goes_right:
            high = max(high, low + (piece.middle - low) * stretch)
        else:
            low = min(low, high - (high - piece.middle) * stretch)
    return low, high


def _find_limits(
    marks: Sequence[float], sides: Sequence[Sequence[_Piece]], width: float
) -> tuple[tuple[float, float], list[bool]]:
    """Limits that contain pieces and labels, and whether the labels of each side extend right, which is the shorter choice."""
    ends = [*marks, *(end for pieces in sides for piece in pieces for end in (piece.start, piece.stop))]
    pad = 0.03 * (max(ends) - min(ends) or abs(max(ends)) or 1.0)
    limits = min(ends) - pad, max(ends) + pad
    goes_right = []
    for pieces in sides:
        fits = {right: _fit_labels(limits, pieces, right, width) for right in (True, False)}
        goes_right.append(fits[True][1] - fits[True][0] <= fits[False][1] - fits[False][0])
        limits = fits[goes_right[-1]]
    return limits, goes_right


def _draw_pieces(ax: Any, pieces: Sequence[_Piece], colour: str) -> None:
    starts = [piece.start for piece in pieces]
    widths = [piece.stop - piece.start for piece in pieces]
    ax.barh([0.0] * len(pieces), widths, 2 * _HALF, left=starts, color=colour, edgecolor=ax.get_facecolor(), linewidth=1.0)


def _label_pieces(ax: Any, pieces: Sequence[_Piece], sign: int, goes_right: bool) -> None:
    """Draw labels in lanes, joined to their pieces by thin lines, in the order of lanes without crossings."""
    # A label passes over (under) the lines of other pieces, so these must end in lanes nearer to the strip.
    ordered = sorted(pieces, key=lambda piece: -piece.middle if goes_right else piece.middle)
    colour = ax.xaxis.label.get_color()
    for lane, piece in enumerate(ordered):
        height = sign * (_REACH + 0.03 + _LINE * lane)
        ax.vlines(piece.middle, sign * _HALF, height + sign * 0.06, color=colour, linewidth=0.7, alpha=0.6)
        place = {"ha": "left" if goes_right else "right", "va": "bottom" if sign > 0 else "top", "fontsize": "small"}
        shift = 3 if goes_right else -3, 2 * sign
        ax.annotate(piece.label, (piece.middle, height), shift, textcoords="offset points", **place)
