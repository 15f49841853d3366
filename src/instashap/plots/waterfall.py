"""How one prediction comes about: from the base value, feature by feature."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..explain.explanation import Explanation, format_value
from .style import (
    LOWERS,
    RAISES,
    check_count,
    check_explanation,
    describe_scale,
    format_numbers,
    make_axes,
    make_room,
    name_pooled,
    shorten,
    split_largest,
    strip_frame,
)


def plot_waterfall(explanation_row: Any, *, max_features: int = 10, ax: Any = None) -> Any:
    """Draw how one row's Shapley values lead from the base value to the prediction.

    Read from the top: the base value, the features by falling absolute value, those not shown as one bar, the prediction of
    the additive model.

    Parameters
    ----------
    explanation_row : Explanation of one row and one output
        For example ``explanation[0]``, or ``explanation[0, :, "setosa"]`` where there are several outputs.
    max_features : int
        Features with a bar of their own. A single feature left over gets one, too.
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
    row = _check_row(check_explanation(explanation_row, "plot_waterfall"))
    labels, steps = _collect_steps(row, check_count(max_features, "max_features"))
    base = float(row.base_values[0])
    ends = base + np.cumsum(steps)
    starts = ends - steps

    ax = make_axes(ax, 7.5, 1.5 + 0.34 * (len(steps) + 2))
    rows = np.arange(1, len(steps) + 1)
    bars = ax.barh(rows, steps, left=starts, height=0.66, color=[RAISES if step > 0 else LOWERS for step in steps], zorder=2)
    levels = np.concatenate([[base], ends])
    numbers, totals = format_numbers(steps, sign="+"), format_numbers(levels[[0, -1]], like=steps)
    ax.bar_label(bars, numbers, padding=4, fontsize="small")
    make_room(ax, float(levels.min()), float(levels.max()), [*numbers, *totals])
    _draw_totals(ax, levels, totals)
    ax.set_yticks(range(len(steps) + 2), ["base value", *labels, "prediction"])
    for label in (ax.get_yticklabels()[0], ax.get_yticklabels()[-1]):
        label.set_fontweight("bold")
    ax.set_ylim(len(steps) + 1.6, -0.6)
    ax.tick_params(axis="y", length=0)
    strip_frame(ax, "top", "right", "left")
    ax.set_xlabel(describe_scale(row.output_transform, row.output_names[0]))
    label = "one row" if row.index is None else f"row {shorten(row.index[0])}"
    ax.set_title(f"From the base value to the prediction of {label}")
    return ax


def _check_row(explanation: Explanation) -> Explanation:
    if explanation.has_outputs:
        raise ValueError(
            f"a waterfall shows one output, got {len(explanation.output_names)} of them "
            f"({', '.join(map(repr, explanation.output_names[:8]))}); pass explanation[0, :, {explanation.output_names[0]!r}]"
        )
    if len(explanation) != 1:
        raise ValueError(f"a waterfall shows one row, got {len(explanation)}; pass explanation[0], or another position")
    return explanation


def _collect_steps(row: Explanation, limit: int) -> tuple[list[str], NDArray[np.float64]]:
    """Labels and lengths of the bars, in the order drawn."""
    values = row.values[0]
    shown, pooled = split_largest(np.abs(values), limit)
    labels = [f"{shorten(row.feature_names[j], 28)} = {shorten(format_value(row.data[0, j]), 18)}" for j in shown]
    if not len(pooled):
        return labels, values[shown]
    return [*labels, name_pooled(len(pooled))], np.append(values[shown], values[pooled].sum())


def _draw_totals(ax: Any, levels: NDArray[np.float64], totals: list[str]) -> None:
    """The base value and the prediction as marks in rows of their own, and thin lines that join one bar's end to the next."""
    colour = ax.xaxis.label.get_color()
    rows = np.arange(len(levels))
    ax.vlines(levels, rows, rows + 1, color=colour, linewidth=0.8, alpha=0.5, zorder=1)
    for level, row, text in zip(levels[[0, -1]], (0, len(levels)), totals, strict=True):
        ax.plot([level], [row], "D", color=colour, markersize=5, zorder=3)
        ax.annotate(text, (level, row), (8, 0), textcoords="offset points", va="center", fontweight="bold", fontsize="small")
