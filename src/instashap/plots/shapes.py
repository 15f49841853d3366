"""What a column does: its shape function, alone or with another column."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import find_column
from ..explain.fitted import FittedGame
from ..table.bases import ColumnEncoder
from .columns import NOTABLE, find_seen, measure_spans, name_cells, read_column
from .pairs import draw_pair
from .style import (
    LOWERS,
    POOLED,
    RAISES,
    add_legend,
    describe_scale,
    draw_zero_line,
    find_output,
    format_numbers,
    make_axes,
    make_room,
    pick_colours,
    shorten,
    strip_frame,
)

# Points of a curve in one cell: a cubic's bend is drawn smoothly, also where cells are wide.
_POINTS_PER_CELL = 16
# Levels of a category that are drawn; more do not fit on a page.
_MAX_LEVELS = 30
# Values of a number column that get a tick each.
_MAX_TICKS = 10
_N_BINS = 50
# Share of the axes' height that the density of the rows takes.
_DENSITY_HEIGHT = 0.14


def plot_shape(
    explainer_or_estimator: Any, feature: Any, *, output: str | int | None = None, X: Any = None, ax: Any = None
) -> Any:
    """Draw a shape function: what a column alone adds to the output at each of its values, or two columns do together.

    ``phi_U(x_U)`` of the purified additive model ``base_value + sum_U phi_U(x_U)``: a curve for a number column (dots for
    values that have a coefficient of their own), bars for a category, a heat map for a pair. Missing values are a diamond
    or bar of their own, as are a category's rare and unknown levels ("other"); they are drawn if their effect is above 1 % of
    the largest, or if ``X`` has such rows.

    Parameters
    ----------
    explainer_or_estimator : Explainer or AdditiveRegressor
        Fitted.
    feature : str, int, or tuple of two of them
        A column by name or position. Two columns draw their interaction: the part beyond both of their own curves, the
        first on the horizontal axis. Missing values of number columns are left out of a heat map.
    output : str or int, optional
        Which of several outputs, by name or position. Default: all of them in one picture; a pair needs one.
    X : table of shape (n_rows, n_columns), optional
        Rows to show the density of: a histogram below a curve, row counts beside categories, dots on a heat map.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib Axes
        Effects are on the scale of ``output_transform_``; zero means the base value.

    Raises
    ------
    TypeError
        If the first argument has no shape functions.
    ValueError
        For an unknown column or output, a pair the model does not have, or a pair without ``output`` where there are several.
    NotFittedError
        If it is not fitted.
    OptionalDependencyError
        If matplotlib is not installed.

    Examples
    --------
    ::

        from sklearn.datasets import load_diabetes
        import instashap
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        model = instashap.AdditiveRegressor(order=1).fit(X, y)
        ax = instashap.plots.plot_shape(model, "bmi", X=X)
        ax.figure.savefig("shape.png")
    """
    fitted = _get_fitted(explainer_or_estimator)
    outputs = range(fitted.model.n_outputs) if output is None else [find_output(output, fitted.output_names)]
    table = None if X is None else fitted.read(X)
    if isinstance(feature, (tuple, list)):
        return draw_pair(fitted, feature, outputs, table, ax)
    column = find_column(feature, fitted.schema.names, "feature")
    encoder = fitted.encoder.columns[column]
    effects = _evaluate_own(fitted, column)[:, :, list(outputs)]  # (n_cells, n_points, n_outputs)
    names = tuple(fitted.output_names[position] for position in outputs)
    length = 64 if encoder.is_category else 36  # along the width, or along the height
    scale = describe_scale(fitted.output_transform, names[0] if len(names) == 1 else None, length)
    draw = _draw_category if encoder.is_category else _draw_number
    return draw(encoder, effects, names, scale, None if table is None else read_column(table, column, encoder), ax)


def _get_fitted(thing: Any) -> FittedGame:
    explainer = thing.to_explainer() if hasattr(thing, "to_explainer") else thing
    if not hasattr(explainer, "_check_fitted"):
        raise TypeError(f"plot_shape takes a fitted Explainer or AdditiveRegressor, got {type(thing).__name__}")
    fitted: FittedGame = explainer._check_fitted()
    return fitted


def _evaluate_own(fitted: FittedGame, column: int) -> NDArray[np.float64]:
    """A column's own shape function at evenly spaced places of each cell, shape (n_cells, n_points, n_outputs)."""
    n_cells = fitted.encoder.columns[column].n_cells
    if (column,) not in fitted.model.value_sets:
        return np.zeros((n_cells, _POINTS_PER_CELL, fitted.model.n_outputs))
    shape = fitted.model.shapes[fitted.model.value_sets.index((column,))]
    cells = np.repeat(np.arange(n_cells, dtype=np.int32), _POINTS_PER_CELL)
    offsets = np.tile(np.linspace(0.0, 1.0, _POINTS_PER_CELL), n_cells)
    return fitted.model.bases[column][0].combine(cells, offsets, shape).reshape(n_cells, _POINTS_PER_CELL, -1)


def _draw_number(
    encoder: ColumnEncoder,
    effects: NDArray[np.float64],
    names: tuple[str, ...],
    scale: str,
    values: NDArray[np.float64] | None,
    ax: Any,
) -> Any:
    spans = measure_spans(encoder)
    is_point = spans == 0
    places = encoder.lows[:, None] + np.linspace(0.0, 1.0, _POINTS_PER_CELL) * spans[:, None]  # (n_cells - 1, n_points)
    low, high = float(places.min()), float(places.max())
    is_seen = values is not None and bool(np.isnan(values).any())
    is_told = is_seen or np.abs(effects[-1]).max() > NOTABLE * np.abs(effects).max()
    missing = high + 0.1 * (high - low or 1.0) if is_told else None

    is_ours = ax is None
    ax = make_axes(ax, 6.6 + 1.2 * (len(names) > 1), 4.2)
    draw_zero_line(ax, vertical=False)
    lines = []
    for output, colour in enumerate(pick_colours(len(names))):
        own = effects[:-1, :, output]
        if is_point.all():  # a set of levels: a line only guides the eye
            ax.plot(places[:, 0], own[:, 0], color=colour, linewidth=0.8, alpha=0.5)
            lines += ax.plot(places[:, 0], own[:, 0], "o", color=colour, markersize=6)
        else:
            lines += ax.plot(places[~is_point].ravel(), own[~is_point].ravel(), color=colour, linewidth=2)
            ax.plot(places[is_point, 0], own[is_point, 0], "o", color=colour, markersize=6)
        if missing is not None:
            ax.plot([missing], effects[-1, :1, output], "D", color=colour, markersize=6)
    ax.margins(y=0.08)
    if is_point.all() and len(places) <= _MAX_TICKS:
        ax.set_xticks(places[:, 0], [f"{place:g}" for place in places[:, 0]])
    if missing is not None:
        _mark_missing(ax, low, high, missing)
    if values is not None:
        _draw_density(ax, values, places[:, 0] if is_point.all() else None, low, high)
    strip_frame(ax, "top", "right")
    ax.set_xlabel(shorten(encoder.name))
    ax.set_ylabel("added to the output\n" + scale)
    ax.set_title(f"Effect of {shorten(encoder.name)}")
    if len(names) > 1:
        add_legend(ax, lines, names, outside=is_ours)
    return ax


def _mark_missing(ax: Any, low: float, high: float, missing: float) -> None:
    """A tick named "missing" beyond the column's range, apart from the numbers' ticks."""
    ticks = [tick for tick in ax.get_xticks() if low <= tick <= high + 0.02 * (missing - high)]
    ax.set_xticks([*ticks, missing], [*ax.xaxis.get_major_formatter().format_ticks(ticks), "missing"])
    ax.axvline((high + missing) / 2, color=POOLED, linewidth=0.8, linestyle=":")


def _draw_density(ax: Any, values: NDArray[np.float64], levels: NDArray[np.float64] | None, low: float, high: float) -> None:
    """How many rows lie where, in grey at the foot of the axes, below the curve."""
    bottom, top = ax.get_ylim()
    limits = ax.get_xlim()
    style = {"color": POOLED, "alpha": 0.6, "transform": ax.get_xaxis_transform()}
    present = values[~np.isnan(values)]
    if levels is not None:
        counts = np.array([(present == level).sum() for level in levels])
        ax.vlines(levels, 0.0, _DENSITY_HEIGHT * counts / max(int(counts.max()), 1), linewidth=7, **style)
    else:
        counts, edges = np.histogram(present, bins=_N_BINS, range=(low, high))
        ax.stairs(_DENSITY_HEIGHT * counts / max(int(counts.max()), 1), edges, fill=True, **style)
    ax.set_xlim(limits)
    ax.set_ylim(bottom - (top - bottom) * 1.25 * _DENSITY_HEIGHT, top)


def _draw_category(
    encoder: ColumnEncoder,
    effects: NDArray[np.float64],
    names: tuple[str, ...],
    scale: str,
    values: NDArray[Any] | None,
    ax: Any,
) -> Any:
    """One line a level, so that long names stay level: bars for one output, dots for several."""
    heights = effects[:, 0]  # (n_cells, n_outputs)
    counts = None if values is None else np.bincount(values, minlength=encoder.n_cells)
    cells, n_left_out = _pick_cells(encoder, heights, counts)
    labels = name_cells(encoder, 28)
    if counts is not None:
        labels = [f"{label}  ({count:,} row{'s' * (count != 1)})" for label, count in zip(labels, counts.tolist(), strict=True)]

    is_ours = ax is None
    ax = make_axes(ax, 7.0 + 1.2 * (len(names) > 1), 1.5 + 0.32 * max(len(cells), 2))
    draw_zero_line(ax, vertical=True)
    rows = np.arange(len(cells))
    if len(names) == 1:
        shown = heights[cells, 0]
        bars = ax.barh(rows, shown, height=0.66, color=[RAISES if each > 0 else LOWERS for each in shown])
        numbers = format_numbers(shown, sign="+")
        ax.bar_label(bars, numbers, padding=4, fontsize="small")
        make_room(ax, min(float(shown.min()), 0.0), max(float(shown.max()), 0.0), numbers)
    else:
        dots = [
            ax.plot(heights[cells, output], rows, "o", color=colour, markersize=7)[0]
            for output, colour in enumerate(pick_colours(len(names)))
        ]
        ax.hlines(rows, heights[cells].min(axis=1), heights[cells].max(axis=1), color=POOLED, linewidth=0.8, zorder=1)
        add_legend(ax, dots, names, outside=is_ours)
    ax.set_yticks(rows, [labels[cell] for cell in cells])
    ax.set_ylim(len(cells) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    strip_frame(ax, "top", "right", "left")
    note = f"\n{n_left_out} levels with smaller effects are not shown" if n_left_out else ""
    ax.set_xlabel(f"added to the output\n{scale}{note}")
    ax.set_title(f"Effect of {shorten(encoder.name)}")
    return ax


def _pick_cells(
    encoder: ColumnEncoder, heights: NDArray[np.float64], counts: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], int]:
    """Cells of a category in the order drawn, and how many are left out.

    Levels that are numbers keep their order; others go by falling effect. "Other" and "missing" come last.
    """
    sizes = np.abs(heights).max(axis=1)
    cells = find_seen(sizes, counts)
    levels = encoder.levels or ()
    kept = np.sort(cells[np.argsort(-sizes[cells], kind="stable")][:_MAX_LEVELS])
    is_level = kept < len(levels)
    own = kept[is_level]
    has_order = all(isinstance(level, (int, float)) for level in levels)
    keys = np.array([float(levels[cell]) for cell in own]) if has_order else -heights[own].mean(axis=1)
    return np.concatenate([own[np.argsort(keys, kind="stable")], kept[~is_level]]), len(cells) - len(kept)
