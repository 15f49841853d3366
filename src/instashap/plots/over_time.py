"""Plot of Shapley values over time: one output of the explanation for each time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fitted.explanation import Explanation
from .arguments import check_count, check_explanation, check_rows, list_names
from .scales import name_scale, write_notes
from .style import (
    INTERVAL,
    INTERVAL_NOTE,
    POOLED,
    add_legend,
    draw_zero_line,
    make_axes,
    name_pooled,
    pick_colours,
    shorten,
    split_largest,
    strip_frame,
    write_title,
)
from .waterfall import name_values


def plot_over_time(explanation: Any, *, times: Any = None, max_features: int = 6, ax: Any = None) -> Any:
    """Draw how Shapley values change over time, for an explanation with one output for each time.

    Of one row, a curve for each feature is its Shapley value at each time; bands are 90 % intervals if there are standard
    errors. Of several rows it is the mean absolute value over them. Features that are not drawn are summed in one grey curve.

    Parameters
    ----------
    explanation : Explanation
        For example of ``Explainer(survive_at(model, times))``, all rows or ``explanation[0]``.
    times : array of shape (n_outputs,), optional
        Rising. Default: the numbers at the ends of the outputs' names, as in "survival at 2.5".
    max_features : int
        Number of features with their own curve: those of the largest mean absolute value over times.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib Axes
        Vertical positions are on the scale of ``explanation.output_transform``.

    Raises
    ------
    TypeError
        If ``explanation`` is not an Explanation, or ``max_features`` not an integer.
    ValueError
        If it has one output or no rows, or the times are not known or do not rise.
    OptionalDependencyError
        If matplotlib is not installed.

    Examples
    --------
    ::

        import numpy as np
        import instashap
        X = np.random.default_rng(0).uniform(size=(300, 2))
        model = instashap.survival.AdditiveSurvival(order=1).fit(X, 1.0 + X[:, 0], np.ones(300))
        explanation = model.to_explainer(X, [1.2, 1.5, 1.8])(X)
        ax = instashap.plots.plot_over_time(explanation[0])
        ax.figure.savefig("over_time.png")
    """
    found = check_rows(check_explanation(explanation, "plot_over_time"), "plot_over_time")
    limit = check_count(max_features, "max_features")
    when = _check_times(times, found)
    is_one = len(found) == 1
    curves = found.values[0] if is_one else np.abs(found.values).mean(axis=0)  # (n_features, n_times)
    errors = found.standard_errors[0] if is_one and found.standard_errors is not None else None
    shown, pooled = split_largest(np.abs(curves).mean(axis=1), limit)

    is_ours = ax is None
    ax = make_axes(ax, 8.0, 4.2)
    draw_zero_line(ax, vertical=False)
    lines = []
    for feature, colour in zip(shown.tolist(), pick_colours(len(shown)), strict=True):
        lines += ax.plot(when, curves[feature], "-o", color=colour, markersize=3.5, linewidth=2)
        if errors is not None:
            reach = INTERVAL * errors[feature]
            band = (curves[feature] - reach, curves[feature] + reach)
            ax.fill_between(when, *band, color=colour, alpha=0.2, linewidth=0)
    labels = _name_features(found, shown.tolist(), is_one)
    if len(pooled):
        lines += ax.plot(when, curves[pooled].sum(axis=0), "--", color=POOLED, linewidth=1.5)
        labels.append(name_pooled(len(pooled)))
    strip_frame(ax, "top", "right")
    ax.set_xlabel("time")
    scale = name_scale(found.output_transform, None)
    ax.set_ylabel("Shapley value" if is_one else "mean |Shapley value|")
    bands = "" if errors is None else f"bands: {INTERVAL_NOTE}"
    write_notes(ax, f"of {scale.label}", bands, scale.note)
    who = f"{len(found):,} rows" if not is_one else "one row" if found.index is None else f"row {shorten(found.index[0])}"
    write_title(ax, f"Shapley values over time of {who}")
    add_legend(ax, lines, labels, outside=is_ours)
    return ax


def _name_features(explanation: Explanation, features: list[int], with_values: bool) -> list[str]:
    return name_values(explanation, features) if with_values else [explanation.feature_names[each] for each in features]


def _check_times(times: Any, explanation: Explanation) -> NDArray[np.float64]:
    names = explanation.output_names
    if not explanation.has_outputs or len(names) < 2:
        raise ValueError(
            "plot_over_time draws one output for each time, and this explanation has one output: explain "
            "instashap.survival.survive_at(model, times) with several times"
        )
    if times is None:
        try:
            times = [float(name.rsplit(maxsplit=1)[-1]) for name in names]
        except (ValueError, IndexError) as error:
            known = list_names(names)
            raise ValueError(f"the outputs {known} do not end in numbers: pass their times, times=[1, 2, …]") from error
    when = np.asarray(times, dtype=np.float64).ravel()
    if len(when) != len(names) or not np.isfinite(when).all() or (np.diff(when) <= 0).any():
        raise ValueError(f"times must be {len(names)} numbers that rise, one for each output; got {when.tolist()}")
    return when
