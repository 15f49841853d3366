"""A feature's Shapley values against its own values, coloured by the other feature that explains most of their spread."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import find_column
from ..fitted.explanation import Explanation
from .arguments import check_output, check_rows
from .axis_scales import choose_scale
from .curves import BEYOND, DENSITY_HEIGHT, draw_density, mark_missing
from .scales import name_scale, write_notes
from .style import LOWERS, POOLED, draw_zero_line, make_axes, shorten_all, shorten_own, strip_frame, write_title
from .value_colours import is_absent, name_numbers, paint_column, put_in_order, rank, rank_levels, read_numbers, to_numbers

# Number of bins of the feature, and of a candidate partner within them, in the search for the strongest partner.
_N_BINS, _N_PARTNER_BINS = 8, 4
# A partner must explain this share of the spread; an unrelated feature explains 0.02 of it by chance in some hundred rows.
_LEAST_SHARE = 0.05
# Largest number of texts with their own place on the axis, the others share one; and of ordered levels with a label.
_MAX_LEVELS = 12
# Dots of a column with at most so many different numbers are spread sideways, over this share of the smallest gap.
_MAX_STEPS, _SPREAD = 60, 0.5
# Multiples of the golden ratio, modulo 1, fill an interval evenly without a random draw.
_GOLDEN = 0.618034


def plot_dependence(
    explanation: Any,
    feature: str | int,
    *,
    by: str | int | None = "auto",
    output: str | int | None = None,
    x_scale: str = "auto",
    ax: Any = None,
) -> Any:
    """Draw a dot for every row: the feature's value and its Shapley value, coloured by another feature.

    The vertical spread at one value comes from interactions. The strongest partner is the feature whose bins (four, within each
    of eight bins of the feature) explain most of that spread after the slope within the eight bins has been removed: the one
    with the largest ``epsilon² = 1 - (SS_within / (n - cells)) / (SS_total / (n - bins))`` (Kelley 1935), which is zero on
    average for an unrelated feature. If it is at most 0.05 there is no partner. Grey at the bottom is the number of rows. Dots
    of numbers that many rows share, and of levels, are spread sideways.

    Parameters
    ----------
    explanation : Explanation
    feature : str or int
        Name or position.
    by : str, int, "auto" or None
        The feature that determines the colours; "auto" takes the strongest partner, if there is one; None uses one colour.
    output : str or int, optional
        Which of several outputs, by name or position.
    x_scale : {"auto", "linear", "log", "symlog"}
        Axis of a number column. "auto": logarithmic if nine tenths of the values would be crowded on a fifth of the axis;
        "symlog" is linear around 0 and takes values of either sign.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib Axes
        Heights are on the scale of ``explanation.output_transform``. Missing values are at the right, beyond the others.

    Raises
    ------
    TypeError
        If ``explanation`` is not an Explanation.
    ValueError
        For an unknown feature or output, several outputs and none chosen, or no rows.
    OptionalDependencyError
        If matplotlib is not installed.

    Examples
    --------
    ::

        from sklearn.datasets import load_diabetes
        import instashap
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        model = instashap.AdditiveRegressor().fit(X, y)
        ax = instashap.plots.plot_dependence(model.explain(X), "bmi")
        ax.figure.savefig("dependence.png")
    """
    one = check_rows(check_output(explanation, output, "plot_dependence"), "plot_dependence")
    position = find_column(feature, one.feature_names, "feature")
    partner = _choose_partner(one, position, by)
    name = shorten_own(one.feature_names[position], one.feature_names)

    ax = make_axes(ax, 7.2, 4.4)
    draw_zero_line(ax, vertical=False)
    colours = LOWERS if partner is None else paint_column(ax, one, partner)
    about = _draw_dots(ax, one, position, colours, x_scale)
    strip_frame(ax, "top", "right")
    scale = name_scale(one.output_transform, one.output_names[0])
    ax.set_xlabel(name)
    ax.set_ylabel(f"Shapley value ({scale.label})")
    coloured = "" if partner is None else f",\ncoloured by {shorten_own(one.feature_names[partner], one.feature_names)}"
    write_title(ax, f"Shapley values of {name}{coloured}")
    write_notes(ax, f"a value is {one.meaning}", *about, scale.note)
    return ax


def _choose_partner(explanation: Explanation, feature: int, by: Any) -> int | None:
    if by is None:
        return None
    if isinstance(by, str) and by == "auto" and by not in explanation.feature_names:
        return find_partner(explanation, feature)
    return find_column(by, explanation.feature_names, "by")


def find_partner(explanation: Explanation, feature: int) -> int | None:
    """Position of the other feature that explains most of the spread of a feature's Shapley values at its own values.

    None if no feature explains a twentieth of it. The explanation has one output.
    """
    bins = _cut(explanation.data[:, feature], _N_BINS)
    values = explanation.values[:, feature]
    values = values / (np.abs(values).max(initial=0.0) or 1.0)
    spread = _take_slopes(values, to_numbers(explanation.data[:, feature]), bins)
    if np.allclose(spread, 0.0, atol=1e-9):
        return None
    others = [other for other in range(len(explanation.feature_names)) if other != feature]
    shares = [_explain(spread, bins, _cut(explanation.data[:, other], _N_PARTNER_BINS)) for other in others]
    return others[int(np.argmax(shares))] if shares and max(shares) > _LEAST_SHARE else None


def _take_slopes(
    values: NDArray[np.float64], numbers: NDArray[np.float64] | None, bins: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Values minus their mean, and for number columns minus their slope, within each bin of their own feature.

    Without this, a feature correlated with this one would explain the slope of a steep curve.
    """

    def centre(each: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(each - (np.bincount(bins, each) / np.maximum(np.bincount(bins), 1))[bins])

    spread = centre(values)
    if numbers is None:
        return spread
    places = centre(np.nan_to_num(numbers))
    slopes = np.bincount(bins, places * spread) / np.maximum(np.bincount(bins, places**2), 1e-300)
    return np.asarray(spread - slopes[bins] * places)


def _explain(spread: NDArray[np.float64], bins: NDArray[np.int64], partner: NDArray[np.int64]) -> float:
    """``epsilon²`` of the cells (bin, partner's bin) for the spread within the bins."""
    cells = np.unique(bins * (partner.max() + 1) + partner, return_inverse=True)[1].reshape(-1)
    counts = np.bincount(cells)
    within = float((spread**2).sum() - (np.bincount(cells, spread) ** 2 / counts).sum())
    freedom, total_freedom = len(spread) - len(counts), len(spread) - len(np.unique(bins))
    return 1.0 - within / freedom * total_freedom / float((spread**2).sum()) if freedom > 0 else -np.inf


def _cut(values: NDArray[Any], n_bins: int) -> NDArray[np.int64]:
    """Bin of each row: numbers in bins of about equal counts, each frequent text in its own; missing values separate."""
    numbers = to_numbers(values)
    if numbers is not None:
        shares = rank(numbers)
        return np.where(np.isnan(shares), n_bins, np.minimum(np.nan_to_num(shares) * n_bins, n_bins - 1)).astype(np.int64)
    texts = np.array(["" if is_absent(each) else str(each) for each in values])
    codes = {level: min(code, n_bins) for code, level in enumerate(rank_levels(texts))}
    return np.array([codes[text] for text in texts], dtype=np.int64)


def _draw_dots(ax: Any, one: Explanation, feature: int, colours: Any, x_scale: str) -> list[str]:
    """Draw the dots on an axis of numbers, of ordered levels or of texts; returns what there is to know about them."""
    data, heights = one.data[:, feature], one.values[:, feature]
    order = one.level_orders.get(one.feature_names[feature], ())
    style = {"s": float(np.clip(8000 / len(heights), 4.0, 22.0)), "c": colours, "linewidths": 0, "rasterized": True}
    places = read_numbers(one, feature) if len(order) > _MAX_LEVELS else to_numbers(data)
    if places is None:
        return _draw_bands(ax, data, heights, order, style)
    scale = choose_scale(places, "linear" if order else x_scale)
    is_missing = np.isnan(places)
    present = places[~is_missing]
    low, high = (float(present.min()), float(present.max())) if len(present) else (0.0, 0.0)
    beyond = scale.step(low, high, BEYOND)
    steps = np.unique(present)
    is_spread = scale.kind == "linear" and 1 < len(steps) <= min(_MAX_STEPS, len(present) / 3)
    reach = _SPREAD * float(np.diff(steps).min()) if is_spread else 0.0
    shown = np.where(is_missing, beyond, places + reach * _fill_evenly(places))
    ax.scatter(shown, heights, **style)
    scale.apply(ax.xaxis)
    if order:
        ticks = np.unique(np.linspace(0, len(order) - 1, _MAX_LEVELS).astype(int))
        _write_levels(ax, ticks, [shorten_all(order, 18)[tick] for tick in ticks])
    elif 1 < len(steps) <= 3:
        ax.set_xticks(steps, name_numbers(data, steps))
    if is_missing.any():
        mark_missing(ax, scale, low, high, beyond)
    if len(present):
        draw_density(ax, places, steps if is_spread and len(steps) <= 30 else None, (low - reach / 2, high + reach / 2), scale)
    spread = "dots of one value are spread sideways" * is_spread
    return ["a dot is a row; grey: how many rows have each value" + f"; {spread}" * bool(spread)]


def _draw_bands(ax: Any, data: NDArray[Any], heights: NDArray[np.float64], order: Sequence[Any], style: Any) -> list[str]:
    """Draw the dots of texts, one band a level, with the number of rows in grey."""
    places, labels, n_left_out = _place_texts(data, order)
    ax.scatter(places, heights, **style)
    _write_levels(ax, range(len(labels)), labels)
    ax.set_xlim(-0.6, len(labels) - 0.4)
    bottom, top = ax.get_ylim()
    counts = np.bincount(np.round(places).astype(int), minlength=len(labels))
    bars = {"color": POOLED, "alpha": 0.6, "transform": ax.get_xaxis_transform(), "zorder": 0.4}
    ax.bar(range(len(labels)), DENSITY_HEIGHT * counts / counts.max(), 0.6, **bars)
    ax.set_ylim(bottom - (top - bottom) * 1.25 * DENSITY_HEIGHT, top)
    rare = f"the {n_left_out} rarest of {len(labels) - 1 + n_left_out} levels share the last place" * bool(n_left_out)
    return ["a dot is a row; grey: how many rows have each value", rare]


def _write_levels(ax: Any, places: Any, labels: Sequence[str]) -> None:
    is_long = len(labels) * max(map(len, labels)) > 60
    ax.set_xticks(places, labels, **({"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if is_long else {}))


def _fill_evenly(values: NDArray[Any]) -> NDArray[np.float64]:
    """For each row a shift of -0.5 to 0.5, such that the rows of one value fill that interval evenly."""
    shifts = np.zeros(len(values))
    for value in np.unique(values):
        inside = np.flatnonzero(values == value)
        shifts[inside] = (np.arange(len(inside)) * _GOLDEN + 0.5) % 1.0 - 0.5
    return shifts


def _place_texts(data: NDArray[Any], order: Sequence[Any]) -> tuple[NDArray[np.float64], list[str], int]:
    """Places of texts, spread evenly across their level's band, the bands' labels, and the number of levels in the last one.

    Bands are in the order of an ordered category, otherwise by decreasing number of rows; rare levels share the last band.
    """
    texts = np.array(["(missing)" if is_absent(each) else str(each) for each in data])
    levels = rank_levels(texts)
    shown = put_in_order(levels if len(levels) <= _MAX_LEVELS else levels[: _MAX_LEVELS - 1], order)
    codes = {level: code for code, level in enumerate(shown)}
    bands = np.array([codes.get(text, len(shown)) for text in texts])
    places = bands + 0.6 * _fill_evenly(bands)
    labels, n_left_out = shorten_all(shown, 18), len(levels) - len(shown)
    return places, [*labels, f"{n_left_out} others"] if n_left_out else labels, n_left_out
