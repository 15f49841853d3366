"""Colours, labels and axes the plots share. Text and frames keep the colours of the user's matplotlib style."""

import textwrap
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._optional import require
from ..explain.explanation import Explanation

# Okabe and Ito's palette, told apart with any colour vision and visible on white and on black; yellow is too pale for white.
RAISES, LOWERS = "#D55E00", "#0072B2"
_OUTPUT_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
POOLED = "#8A8A8A"
# Characters of a name on an axis (about a third of the default width), and of a scale's description on one line.
_NAME_LENGTH = 32
_LINE_LENGTH = 64


def make_axes(ax: Any, width: float, height: float) -> Any:
    """``ax`` itself, or the axes of a new figure of ``width`` × ``height`` inches that makes room for its labels."""
    if ax is not None:
        return ax
    return require("matplotlib.pyplot", extra="plots", purpose="plots").subplots(figsize=(width, height), layout="constrained")[1]


def strip_frame(ax: Any, *sides: str) -> None:
    """Hide sides of the frame, which carry no ticks."""
    for side in sides:
        ax.spines[side].set_visible(False)


def draw_zero_line(ax: Any, *, vertical: bool) -> None:
    """A thin line where nothing is added, in the colour of the frame."""
    line = {"color": ax.xaxis.label.get_color(), "linewidth": 0.8, "alpha": 0.5, "zorder": 0.5}
    _ = ax.axvline(0.0, **line) if vertical else ax.axhline(0.0, **line)


def pick_colours(n_outputs: int) -> list[Any]:
    """One colour an output: the palette, or evenly spaced ones where it is too short."""
    if n_outputs <= len(_OUTPUT_COLOURS):
        return list(_OUTPUT_COLOURS[:n_outputs])
    colours = require("matplotlib", extra="plots", purpose="plots").colormaps["turbo"]
    return [colours(place) for place in np.linspace(0.08, 0.92, n_outputs)]


def add_legend(ax: Any, handles: Sequence[Any], names: Sequence[str], *, outside: bool) -> None:
    """A frameless legend, beside the axes where the figure is ours to arrange."""
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)} if outside else {"loc": "best"}
    legend = ax.legend(list(handles), [str(k) for k in range(len(names))], frameon=False, **place)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(shorten(name))  # afterwards: a label that starts with "_" would be left out


def shorten(text: Any, length: int = _NAME_LENGTH) -> str:
    """Text of at most ``length`` characters on one line; a dollar sign stays one and starts no formula."""
    line = " ".join(str(text).split())
    cut = line if len(line) <= length else line[: length - 1].rstrip() + "…"
    return cut.replace("$", r"\$")


def format_number(value: float, sign: str = "") -> str:
    """Three significant digits, or all digits before the point; ``sign="+"`` shows the sign of positive numbers, too."""
    if abs(value) >= 1000:
        text = f"{value:{sign}.5g}" if abs(value) >= 1e7 else f"{value:{sign},.0f}"
    else:
        text = f"{value:{sign}.3g}"
    return text.replace("-", "−")


def describe_scale(transform: str, output_name: str | None = None) -> str:
    """What an axis measures, wrapped: the scale, after the output's name where the scale does not say it."""
    is_told = output_name is None or output_name == "output" or repr(output_name) in transform
    text = transform if is_told else f"{shorten(output_name)}: {transform}"
    return "\n".join(textwrap.wrap(text.replace("$", r"\$"), _LINE_LENGTH))


def check_explanation(explanation: Any, plot: str) -> Explanation:
    """Return ``explanation`` if it is one."""
    if not isinstance(explanation, Explanation):
        raise TypeError(f"{plot} takes an Explanation, got {type(explanation).__name__}; explainer(X) makes one")
    return explanation


def check_count(count: Any, name: str) -> int:
    """Return ``count`` as an int of at least 1."""
    if isinstance(count, bool) or not isinstance(count, Integral):
        raise TypeError(f"{name} must be an integer, got {count!r}")
    if count < 1:
        raise ValueError(f"{name}={count} shows nothing; use 1 or more")
    return int(count)


def find_output(output: Any, names: Sequence[str]) -> int:
    """Position of an output given by name or position."""
    if isinstance(output, str) and output in names:
        return list(names).index(output)
    if isinstance(output, Integral) and not isinstance(output, bool) and 0 <= output < len(names):
        return int(output)
    raise ValueError(f"unknown output {output!r}; there are {', '.join(map(repr, names))}, at positions 0 to {len(names) - 1}")


def split_largest(sizes: NDArray[np.float64], limit: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the ``limit`` largest sizes, falling, and of the rest; a rest of one is shown, not pooled."""
    order = np.argsort(-sizes, kind="stable")
    n_shown = len(order) if len(order) <= limit + 1 else limit
    return order[:n_shown], order[n_shown:]


def name_pooled(n_pooled: int) -> str:
    """Label of the bar that stands for the features not shown."""
    return f"{n_pooled} other features"
