"""A text on the colours of the Shapley values of its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._optional import require
from .scales import name_scale, write_notes
from .style import LOWERS, RAISES, format_numbers, make_axes, strip_frame, write_title

if TYPE_CHECKING:
    from ..text.text_explanation import TextExplanation

# Width of a new figure in inches; size of the words, distance of lines and of words in points.
_WIDTH, _SIZE, _LINE, _SPACE = 7.2, 12.0, 24.0, 7.0
# Height for title, colour bar and notes in inches.
_AROUND = 1.75
# Opacity of the largest value, so that text is legible on it in dark and in light.
_OPACITY = 0.6
# Longer words are cut, as they would not fit on a line.
_LONGEST = 60


def plot_text(
    explanation_row: TextExplanation, ax: Any = None, *, output: str | int | None = None, limit: float | None = None
) -> Any:
    """Draw the words of one text on the colours of their values: vermilion raises an output, blue lowers it.

    Parameters
    ----------
    explanation_row : TextExplanation of one text
        For example ``explanation[0]``.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure, as high as the text needs.
    output : str or int, optional
        Which of several outputs, by name or position. Default: the largest output.
    limit : float, optional
        Value of the strongest colour; a common limit makes plots comparable. Default: the largest value of the text.

    Returns
    -------
    matplotlib Axes
        Its texts with the group id ``"word"`` are the words in their order.

    Raises
    ------
    ValueError
        If the explanation does not hold exactly one text.
    """
    if len(explanation_row) != 1:
        raise ValueError(f"plot_text shows one text, got {len(explanation_row)}; take one with explanation[0]")
    row = explanation_row.take_output(int(np.argmax(explanation_row.predictions)) if output is None else output)
    values = row.values[0]
    strongest = float(np.abs(values).max() if limit is None else limit) or 1.0
    words = [word if len(word) <= _LONGEST else f"{word[: _LONGEST - 1]}…" for word in row.words[0]]
    inches = _WIDTH - 0.3 if ax is None else ax.get_window_extent().width / ax.figure.dpi
    places, n_lines = _place_words(words, 72 * inches)
    ax = make_axes(ax, _WIDTH, _AROUND + n_lines * _LINE / 72)
    mappable = require("matplotlib.cm", extra="plots", purpose="plots").ScalarMappable(cmap=_make_map())
    mappable.set_clim(-strongest, strongest)
    for word, colour, (x, y) in zip(words, mappable.to_rgba(values), places, strict=True):
        box = {"boxstyle": "round,pad=0.2", "facecolor": tuple(colour), "linewidth": 0}
        place = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False, "va": "center"}
        ax.annotate(word, (0, 1), (x, -y), gid="word", fontsize=_SIZE, bbox=box, parse_math=False, **place)
    ax.set_xticks([])
    ax.set_yticks([])
    strip_frame(ax, "top", "right", "bottom", "left")
    bar = ax.figure.colorbar(mappable, ax=ax, orientation="horizontal", fraction=0.12, aspect=50, pad=0.03)
    scale = name_scale(row.output_transform, row.output_names[0])
    bar.set_label(scale.label, fontsize="small")
    write_notes(bar.ax, f"a value is {row.meaning}", scale.note)
    shown = format_numbers(np.array([row.predictions[0], row.base_values[0]]), like=values)
    write_title(ax, f"Output {shown[0]} (without any word {shown[1]})")
    return ax


def _make_map() -> Any:
    """Colours of values, from blue by nothing to vermilion; text has the colour of the style in use."""
    colours = require("matplotlib.colors", extra="plots", purpose="plots")
    ends = [(LOWERS, _OPACITY), (LOWERS, 0.0), (RAISES, 0.0), (RAISES, _OPACITY)]
    stops = zip((0.0, 0.5, 0.5, 1.0), [colours.to_rgba(*end) for end in ends], strict=True)
    return colours.LinearSegmentedColormap.from_list("lowers_raises", list(stops), N=257)


def _place_words(words: Sequence[str], width: float) -> tuple[list[tuple[float, float]], int]:
    """Positions of words from the upper left corner, in points, and the number of lines that they fill."""
    measure = require("matplotlib.textpath", extra="plots", purpose="plots").TextToPath().get_text_width_height_descent
    font = require("matplotlib.font_manager", extra="plots", purpose="plots").FontProperties(size=_SIZE)
    places, x, line = [], _SPACE / 2, 0
    for word in words:
        length = measure(word, font, False)[0]
        if x + length > width and x > _SPACE:
            x, line = _SPACE / 2, line + 1
        places.append((x, (line + 0.5) * _LINE))
        x += length + _SPACE
    return places, line + 1
