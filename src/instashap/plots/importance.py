"""Importance of features: mean absolute Shapley values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fitted.explanation import Explanation
from .arguments import check_count, check_explanation, check_rows, find_output
from .importance_table import draw_table
from .scales import name_scale, write_notes
from .style import (
    INTERVAL,
    INTERVAL_NOTE,
    POOLED,
    add_legend,
    draw_whiskers,
    format_numbers,
    label_ends,
    make_axes,
    make_room,
    name_pooled,
    pick_colours,
    shorten_all,
    split_largest,
    strip_frame,
    write_title,
)

# The bar of the features not shown is cut if it is so many times as long as the longest other, at this multiple of that one.
_FAR, _CUT = 1.5, 1.15


def plot_importance(explanation: Any, *, max_features: int = 15, output: str | int | None = None, ax: Any = None) -> Any:
    """Draw bars of how important each feature is, largest on top.

    For an explanation: each feature's mean absolute Shapley value over its rows,
    ``importance_i = mean over rows of |SHAP_i(x)|``; the last, grey bar is the sum over the features not shown. If the
    explanation has standard errors, whiskers are 90 % intervals of the means over these rows: 1.73 times the mean standard
    error of the rows. As all rows come from one fit, their errors are correlated; the mean of their standard errors is an upper
    bound of the mean's standard error (Minkowski), reached if they are perfectly correlated. The grey bar has none.

    For a table of :meth:`instashap.Explainer.importance`: its values with 90 % intervals, and what is not explained as a grey
    bar of its own. Values below zero have another colour.

    Parameters
    ----------
    explanation : Explanation or DataFrame
        An explanation from ``explainer(X, errors=True)`` has intervals. Or the table of ``explainer.importance(...)``.
    max_features : int
        Number of features with their own bar. If a single feature would remain, it gets one too.
    output : str or int, optional
        Which of several outputs, by name or position. Default: all of them, stacked; a bar's length and label are then the
        sum over outputs.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib Axes
        Bar lengths are on the scale of ``explanation.output_transform``.

    Raises
    ------
    TypeError
        If ``explanation`` is neither an Explanation nor such a table, or ``max_features`` not an integer.
    ValueError
        If ``max_features`` is below 1, or there is no such output.
    OptionalDependencyError
        If matplotlib is not installed.

    Examples
    --------
    ::

        from sklearn.datasets import load_diabetes
        import instashap
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        model = instashap.AdditiveRegressor(order=1).fit(X, y)
        ax = instashap.plots.plot_importance(model.explain(X))
        ax.figure.savefig("importance.png")
    """
    if hasattr(explanation, "attrs"):
        return draw_table(explanation, check_count(max_features, "max_features"), output, ax)
    explanation = check_rows(check_explanation(explanation, "plot_importance"), "plot_importance")
    limit = check_count(max_features, "max_features")
    names = explanation.output_names
    picked = range(len(names)) if output is None else [find_output(output, names)]
    names = tuple(names[position] for position in picked)
    sizes, errors = _average(explanation, list(picked))  # (n_features, n_outputs)
    shown, pooled = split_largest(sizes.sum(axis=1), limit)
    labels = shorten_all([explanation.feature_names[feature] for feature in shown])
    bars, ends = sizes[shown], sizes[shown].sum(axis=1)
    together = sizes[pooled].sum(axis=0)
    is_cut = bool(len(pooled)) and together.sum() > _FAR * ends.max()
    if len(pooled):
        labels.append(name_pooled(len(pooled)))
        # A bar much longer than all others would leave them no room: it ends a little beyond the longest.
        bars = np.vstack([bars, together * (_CUT * ends.max() / together.sum() if is_cut else 1.0)])

    is_ours = ax is None
    ax = make_axes(ax, 7.0 + 1.2 * (len(names) > 1), 1.4 + 0.3 * len(bars))
    drawn = _draw_bars(ax, bars)
    if len(names) == 1 and len(pooled):
        drawn[0].patches[-1].set_color(POOLED)
    numbers = format_numbers(ends)
    if len(pooled):
        numbers += format_numbers(np.array([together.sum()]), like=np.array([together.sum()]) if is_cut else ends)
    if is_cut:
        _draw_break(ax, len(bars) - 1, float(bars[-1].sum()))
    _label_bars(ax, bars.sum(axis=1), numbers, None if errors is None else errors[shown].sum(axis=1))
    ax.set_yticks(range(len(bars)), labels)
    ax.set_ylim(len(bars) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    strip_frame(ax, "top", "right", "left")
    scale = name_scale(explanation.output_transform, names[0] if len(names) == 1 else None)
    ax.set_xlabel(f"mean |Shapley value| ({scale.label})" + ("" if errors is None else f", {INTERVAL_NOTE}"))
    cut = f"the bar of the {len(pooled)} other features is cut: it would reach {numbers[-1]}" if is_cut else ""
    write_notes(ax, f"a value is {explanation.meaning}", cut, scale.note)
    write_title(ax, f"Importance of features, mean of {len(explanation):,} row{'s' * (len(explanation) != 1)}")
    if len(names) > 1:
        add_legend(ax, drawn, names, outside=is_ours)
    return ax


def _draw_break(ax: Any, row: int, end: float) -> None:
    """Draw two slanted gaps across a bar that is cut before its end."""
    for place in (0.86, 0.90):
        ax.plot(
            [place * end - 0.008 * end, place * end + 0.008 * end],
            [row + 0.42, row - 0.42],
            color=ax.get_facecolor(),
            linewidth=2.5,
        )


def _average(explanation: Explanation, outputs: list[int]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Mean absolute values and mean standard errors over the rows, each (n_features, n_outputs)."""

    def average(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(sizes.mean(axis=0).reshape(len(explanation.feature_names), -1)[:, outputs])

    errors = explanation.standard_errors
    return average(np.abs(explanation.values)), None if errors is None else average(errors)


def _label_bars(ax: Any, totals: NDArray[np.float64], numbers: list[str], errors: NDArray[np.float64] | None) -> None:
    """Draw numbers beyond the ends of the bars, and whiskers on the first bars, those that have errors."""
    ends = totals.copy()
    if errors is not None:
        draw_whiskers(ax, range(len(errors)), totals[: len(errors)], errors)
        ends[: len(errors)] += INTERVAL * errors
    label_ends(ax, range(len(ends)), ends, np.ones(len(ends)), numbers)
    make_room(ax, 0.0, float(ends.max()), numbers, left=False)


def _draw_bars(ax: Any, bars: Any) -> list[Any]:
    """Draw stacked bars of shape (n_bars, n_outputs); returns the artists of each output."""
    starts = np.cumsum(bars, axis=1) - bars
    rows = np.arange(len(bars))
    return [
        ax.barh(rows, bars[:, output], left=starts[:, output], height=0.7, color=colour)
        for output, colour in enumerate(pick_colours(bars.shape[1]))
    ]
