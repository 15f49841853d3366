"""Waterfall plot of one row: from the base value to the prediction, feature by feature."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fitted.explanation import Explanation
from ..fitted.explanation_text import shorten_value
from .arguments import check_count, check_row
from .scales import name_scale, write_notes
from .style import (
    INTERVAL,
    INTERVAL_NOTE,
    LOWERS,
    RAISES,
    UNEXPLAINED,
    draw_whiskers,
    format_numbers,
    label_ends,
    make_axes,
    make_room,
    name_pooled,
    shorten,
    shorten_all,
    split_largest,
    strip_frame,
    write_title,
)


def plot_waterfall(explanation_row: Any, *, max_features: int = 10, output: str | int | None = None, ax: Any = None) -> Any:
    """Draw how one row's Shapley values lead from the base value to the prediction.

    From top to bottom are the base value, the features by decreasing absolute value, one bar for those not shown, and the
    prediction of the additive model. If the explanation has the model's own output, a grey bar shows the remainder, which the
    values do not explain, and the last mark is the model's output instead. If there are standard errors, whiskers on a bar's
    end are the 90 % interval of its length (1.73 standard errors); the bar of the features not shown has none.

    Parameters
    ----------
    explanation_row : Explanation of one row
        For example ``explanation[0]``.
    max_features : int
        Number of features with their own bar. If a single feature would remain, it gets one too.
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
        If it has more than one row, or several outputs, or ``max_features`` is below 1.
    OptionalDependencyError
        If matplotlib is not installed.

    Examples
    --------
    ::

        from sklearn.datasets import load_diabetes
        import instashap
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        explanation = instashap.AdditiveRegressor(order=1).fit(X, y).explain(X)
        ax = instashap.plots.plot_waterfall(explanation[0])
        ax.figure.savefig("waterfall.png")
    """
    row = check_row(explanation_row, output, "plot_waterfall")
    labels, steps, errors = _collect_steps(row, check_count(max_features, "max_features"))
    colours = [RAISES if step > 0 else LOWERS for step in steps]
    if row.remainder is not None:
        labels, steps, colours = [*labels, "remainder"], np.append(steps, row.remainder[0]), [*colours, UNEXPLAINED]
    end = "prediction" if row.remainder is None else "model output"
    base = float(row.base_values[0])
    ends = base + np.cumsum(steps)
    starts = ends - steps

    ax = make_axes(ax, 7.5, 1.5 + 0.34 * (len(steps) + 2))
    rows = np.arange(1, len(steps) + 1)
    ax.barh(rows, steps, left=starts, height=0.66, color=colours, zorder=2)
    reach = np.zeros(len(steps))
    if errors is not None:
        draw_whiskers(ax, rows[: len(errors)], ends[: len(errors)], errors)
        reach[: len(errors)] = INTERVAL * errors
    levels = np.concatenate([[base], ends])
    numbers, totals = format_numbers(steps, sign="+"), format_numbers(levels[[0, -1]], like=steps)
    signs = np.where(steps < 0, -1.0, 1.0)
    label_ends(ax, rows, ends + signs * reach, signs, numbers)
    make_room(ax, float(min(base, (ends - reach).min())), float(max(base, (ends + reach).max())), [*numbers, *totals])
    draw_totals(ax, levels, totals)
    ax.set_yticks(range(len(steps) + 2), ["base value", *labels, end])
    for label in (ax.get_yticklabels()[0], ax.get_yticklabels()[-1]):
        label.set_fontweight("bold")
    ax.set_ylim(len(steps) + 1.6, -0.6)
    ax.tick_params(axis="y", length=0)
    strip_frame(ax, "top", "right", "left")
    scale = name_scale(row.output_transform, row.output_names[0])
    ax.set_xlabel(scale.label)
    whiskers = "" if errors is None else f"whiskers: {INTERVAL_NOTE} of the bars' lengths"
    rest = "remainder: what the values leave of the model's output" if row.remainder is not None else ""
    write_notes(ax, f"a bar is {row.meaning}", whiskers, rest, scale.note)
    label = "one row" if row.index is None else f"row {shorten(row.index[0])}"
    write_title(ax, f"From the base value to the {end} of {label}")
    return ax


def name_values(row: Explanation, features: Sequence[int]) -> list[str]:
    """``name = value`` of a row's features, both cut to fit beside a plot."""
    names = shorten_all([row.feature_names[feature] for feature in features], 28)
    values = [shorten_value(row, 0, feature, 18) for feature in features]
    return [f"{name} = {value}" for name, value in zip(names, values, strict=True)]


def _collect_steps(row: Explanation, limit: int) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64] | None]:
    """Labels and lengths of the bars in the order drawn, and standard errors of the bars of single features."""
    values = row.values[0]
    shown, pooled = split_largest(np.abs(values), limit)
    labels = name_values(row, shown.tolist())
    errors = None if row.standard_errors is None else row.standard_errors[0, shown]
    if not len(pooled):
        return labels, values[shown], errors
    return [*labels, name_pooled(len(pooled))], np.append(values[shown], values[pooled].sum()), errors


def draw_totals(ax: Any, levels: NDArray[np.float64], totals: list[str]) -> None:
    """Draw marks for the base value and the last value in their own rows, and thin lines between the ends of bars."""
    colour = ax.xaxis.label.get_color()
    rows = np.arange(len(levels))
    ax.vlines(levels, rows, rows + 1, color=colour, linewidth=0.8, alpha=0.5, zorder=1)
    for level, row, text in zip(levels[[0, -1]], (0, len(levels)), totals, strict=True):
        ax.plot([level], [row], "D", color=colour, markersize=5, zorder=3)
        ax.annotate(text, (level, row), (8, 0), textcoords="offset points", va="center", fontweight="bold", fontsize="small")
