"""Which features matter: mean absolute Shapley values."""

from typing import Any

import numpy as np

from .style import (
    POOLED,
    add_legend,
    check_count,
    check_explanation,
    describe_scale,
    find_output,
    format_numbers,
    make_axes,
    make_room,
    name_pooled,
    pick_colours,
    shorten,
    split_largest,
    strip_frame,
)


def plot_importance(explanation: Any, *, max_features: int = 15, output: str | int | None = None, ax: Any = None) -> Any:
    """Draw bars of each feature's mean absolute Shapley value over the rows, largest on top.

    ``importance_i = mean over rows of |SHAP_i(x)|``; the last, grey bar is the sum over the features not shown.

    Parameters
    ----------
    explanation : Explanation
    max_features : int
        Features with a bar of their own. A single feature left over gets one, too.
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
        If ``explanation`` is not an Explanation, or ``max_features`` not an integer.
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
    explanation = check_explanation(explanation, "plot_importance")
    limit = check_count(max_features, "max_features")
    values = explanation.values if explanation.has_outputs else explanation.values[:, :, None]
    names = explanation.output_names
    if output is not None:
        position = find_output(output, names)
        values, names = values[:, :, position : position + 1], names[position : position + 1]
    sizes = np.abs(values).mean(axis=0)  # (n_features, n_outputs)
    shown, pooled = split_largest(sizes.sum(axis=1), limit)
    labels = [shorten(explanation.feature_names[feature]) for feature in shown]
    bars = sizes[shown]
    if len(pooled):
        labels.append(name_pooled(len(pooled)))
        bars = np.vstack([bars, sizes[pooled].sum(axis=0)])

    is_ours = ax is None
    ax = make_axes(ax, 7.0 + 1.2 * (len(names) > 1), 1.4 + 0.3 * len(bars))
    drawn = _draw_bars(ax, bars)
    if len(names) == 1 and len(pooled):
        drawn[0].patches[-1].set_color(POOLED)
    totals = bars.sum(axis=1)
    numbers = format_numbers(totals)
    ax.bar_label(drawn[-1], numbers, padding=4, fontsize="small")
    make_room(ax, 0.0, float(totals.max()), numbers, left=False)
    ax.set_yticks(range(len(bars)), labels)
    ax.set_ylim(len(bars) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    strip_frame(ax, "top", "right", "left")
    scale = describe_scale(explanation.output_transform, names[0] if len(names) == 1 else None)
    ax.set_xlabel("mean |Shapley value|\n" + scale)
    ax.set_title(f"Importance of features, mean of {len(explanation):,} row{'s' * (len(explanation) != 1)}")
    if len(names) > 1:
        add_legend(ax, drawn, names, outside=is_ours)
    return ax


def _draw_bars(ax: Any, bars: Any) -> list[Any]:
    """One row of bars for each output, stacked; bars of shape (n_bars, n_outputs)."""
    starts = np.cumsum(bars, axis=1) - bars
    rows = np.arange(len(bars))
    return [
        ax.barh(rows, bars[:, output], left=starts[:, output], height=0.7, color=colour)
        for output, colour in enumerate(pick_colours(bars.shape[1]))
    ]
