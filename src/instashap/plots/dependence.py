"""A feature's Shapley values against its own values, coloured by the other feature that explains most of their spread."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import find_column
from ..fitted.explanation import Explanation
from .arguments import check_output, check_rows
from .curves import BEYOND, mark_missing
from .style import POOLED, describe_scale, draw_zero_line, make_axes, shorten, shorten_all, strip_frame, write_title
from .value_colours import is_absent, paint_column, put_in_order, rank, rank_levels, to_numbers

# Number of bins of the feature, and of a candidate partner within them, in the search for the strongest partner.
_N_BINS, _N_PARTNER_BINS = 8, 4
# A partner must explain this share of the spread; an unrelated feature explains 0.02 of it by chance in some hundred rows.
_LEAST_SHARE = 0.05
# Largest number of texts with their own place on the axis; the others share one.
_MAX_LEVELS = 12


def plot_dependence(
    explanation: Any, feature: str | int, *, by: str | int | None = "auto", output: str | int | None = None, ax: Any = None
) -> Any:
    """Draw a dot for every row: the feature's value and its Shapley value, coloured by another feature.

    The vertical spread at one value comes from interactions. The strongest partner is the feature whose bins (four, within each
    of eight bins of the feature) explain most of that spread after the slope within the eight bins has been removed: the one
    with the largest ``epsilon² = 1 - (SS_within / (n - cells)) / (SS_total / (n - bins))`` (Kelley 1935), which is zero on
    average for an unrelated feature. If it is at most 0.05 there is no partner.

    Parameters
    ----------
    explanation : Explanation
    feature : str or int
        Name or position.
    by : str, int, "auto" or None
        The feature that determines the colours; "auto" takes the strongest partner, if there is one; None uses one colour.
    output : str or int, optional
        Which of several outputs, by name or position.
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
    name = one.feature_names[position]

    ax = make_axes(ax, 7.2, 4.4)
    draw_zero_line(ax, vertical=False)
    colours = POOLED if partner is None else paint_column(ax, one, partner)
    _draw_dots(ax, one.data[:, position], one.values[:, position], colours, one.level_orders.get(name, ()))
    strip_frame(ax, "top", "right")
    ax.set_xlabel(shorten(name))
    ax.set_ylabel("Shapley value\n" + describe_scale(one.output_transform, one.output_names[0], 36))
    coloured = "" if partner is None else f",\ncoloured by {shorten(one.feature_names[partner])}"
    write_title(ax, f"Shapley values of {shorten(name)}{coloured}")
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
    spread = _take_slopes(values, to_numbers(explanation.data[:, feature]), bins)
    if np.allclose(spread, 0.0, atol=1e-9 * (np.abs(values).max() or 1.0)):
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


def _draw_dots(ax: Any, data: NDArray[Any], values: NDArray[np.float64], colours: Any, order: Sequence[Any]) -> None:
    numbers = to_numbers(data)
    style = {"s": float(np.clip(8000 / len(values), 4.0, 22.0)), "c": colours, "linewidths": 0, "rasterized": True}
    if numbers is None:
        places, labels = _place_texts(data, order)
        ax.scatter(places, values, **style)
        is_long = len(labels) * max(map(len, labels)) > 60
        turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
        ax.set_xticks(range(len(labels)), labels, **turned)
        ax.set_xlim(-0.6, len(labels) - 0.4)
        return
    is_missing = np.isnan(numbers)
    present = numbers[~is_missing]
    low, high = (float(present.min()), float(present.max())) if len(present) else (0.0, 0.0)
    beyond = high + BEYOND * (high - low or 1.0)
    ax.scatter(np.where(is_missing, beyond, numbers), values, **style)
    if is_missing.any():
        mark_missing(ax, low, high, beyond)


def _place_texts(data: NDArray[Any], order: Sequence[Any]) -> tuple[NDArray[np.float64], list[str]]:
    """Places of texts, spread evenly across their level's band, and the levels' labels; rare levels share the last one.

    Bands are in the order of an ordered category, otherwise by decreasing number of rows.
    """
    texts = np.array(["(missing)" if is_absent(each) else str(each) for each in data])
    levels = rank_levels(texts)
    shown = put_in_order(levels if len(levels) <= _MAX_LEVELS else levels[: _MAX_LEVELS - 1], order)
    codes = {level: code for code, level in enumerate(shown)}
    bands = np.array([codes.get(text, len(shown)) for text in texts])
    places = bands.astype(np.float64)
    for band in np.unique(bands):
        inside = np.flatnonzero(bands == band)
        # Equidistributed without a random draw: multiples of the golden ratio.
        places[inside] += 0.6 * ((np.arange(len(inside)) * 0.618034) % 1.0 - 0.5)
    labels = shorten_all(shown, 18)
    return places, labels if len(shown) == len(levels) else [*labels, f"{len(levels) - len(shown)} others"]
