"""Every row's Shapley values at once, feature by feature."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._optional import require
from ..fitted.explanation import Explanation
from .arguments import check_count, check_output, check_rows
from .scales import name_scale, write_notes
from .style import (
    draw_zero_line,
    format_numbers,
    make_axes,
    make_value_map,
    name_pooled,
    shorten_all,
    split_largest,
    strip_frame,
    write_title,
)
from .value_colours import paint, rank, read_numbers, spread

# Sums of the features not shown that reach so many times as far as those shown are written as numbers.
_FAR = 2.0


def plot_beeswarm(explanation: Any, *, max_features: int = 12, output: str | int | None = None, ax: Any = None) -> Any:
    """Draw a dot for every row and feature at its Shapley value, coloured by the feature's value.

    Features are sorted by decreasing mean absolute value. Colours are ranks within the feature, blue for the lowest; values
    that are text without an order, or missing, are grey. The last line shows, for every row, the sum over the other features;
    sums that reach more than twice as far as the features shown are given as numbers, as dots would crowd the others.

    Parameters
    ----------
    explanation : Explanation
    max_features : int
        Number of features with their own line. If a single feature would remain, it gets one too.
    output : str or int, optional
        Which of several outputs, by name or position.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib Axes
        Horizontal positions are on the scale of ``explanation.output_transform``.

    Raises
    ------
    TypeError
        If ``explanation`` is not an Explanation, or ``max_features`` not an integer.
    ValueError
        If ``max_features`` is below 1, there are no rows, no such output, or several and none was chosen.
    OptionalDependencyError
        If matplotlib is not installed.

    Examples
    --------
    ::

        from sklearn.datasets import load_diabetes
        import instashap
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        model = instashap.AdditiveRegressor(order=1).fit(X, y)
        ax = instashap.plots.plot_beeswarm(model.explain(X))
        ax.figure.savefig("beeswarm.png")
    """
    one = check_rows(check_output(explanation, output, "plot_beeswarm"), "plot_beeswarm")
    shown, pooled = split_largest(np.abs(one.values).mean(axis=0), check_count(max_features, "max_features"))
    labels = shorten_all([one.feature_names[feature] for feature in shown])
    swarms = [one.values[:, feature] for feature in shown]
    scales = [_scale(one, feature) for feature in shown]
    sums = one.values[:, pooled].sum(axis=1)
    is_far = bool(len(pooled)) and np.ptp(sums) > _FAR * max(map(np.ptp, swarms))
    if len(pooled):
        labels.append(name_pooled(len(pooled)))
    if len(pooled) and not is_far:
        swarms.append(sums)
        scales.append(np.full(len(one), np.nan))

    ax = make_axes(ax, 7.6, 1.5 + 0.36 * max(len(labels), 4))
    draw_zero_line(ax, vertical=True)
    size = float(np.clip(3000 / len(one), 3.0, 14.0))
    for row, (swarm, shifts, scale) in enumerate(zip(swarms, spread(swarms), scales, strict=True)):
        ax.scatter(swarm, row + shifts, s=size, c=paint(scale), linewidths=0, rasterized=True)
    if is_far:
        _write_sums(ax, sums, len(swarms))
    ax.locator_params(axis="x", nbins=6)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    strip_frame(ax, "top", "right", "left")
    name, note = name_scale(one.output_transform, one.output_names[0])
    ax.set_xlabel(f"Shapley value ({name})")
    is_grey = bool(np.isnan(scales).any())
    write_notes(ax, f"a value is {one.meaning}", "a dot is a row" + "; grey: text, missing or a sum" * is_grey, note)
    write_title(ax, f"Shapley values of {len(one):,} row{'s' * (len(one) != 1)}")
    _add_value_bar(ax)
    return ax


def _write_sums(ax: Any, sums: NDArray[np.float64], row: int) -> None:
    """Write the range of the other features' sums into their row, in which no dots fit."""
    low, high = format_numbers(np.array([sums.min(), sums.max()]), sign="+")
    place = {"xycoords": ax.get_yaxis_transform(), "va": "center", "ha": "center", "fontsize": "small"}
    ax.annotate(f"sums from {low} to {high}, beyond this axis", (0.5, row), **place)


def _scale(explanation: Explanation, feature: int) -> NDArray[np.float64]:
    """Ranks of the feature's values from 0 to 1, NaN for text without an order and missing values."""
    numbers = read_numbers(explanation, feature)
    return np.full(len(explanation), np.nan) if numbers is None else rank(numbers)


def _add_value_bar(ax: Any) -> None:
    """Add a colour bar without numbers, because every feature has its own range."""
    cm = require("matplotlib.cm", extra="plots", purpose="plots")
    bar = ax.figure.colorbar(cm.ScalarMappable(cmap=make_value_map()), ax=ax, aspect=30, fraction=0.04, pad=0.02)
    bar.set_ticks([0.0, 1.0], labels=["low", "high"])
    bar.ax.tick_params(length=0)
    bar.set_label("feature's value", labelpad=-12, fontsize="small")
    bar.outline.set_visible(False)
