"""Network of the pairs of features that interact in the model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._optional import require
from ..fitted.game import FittedGame
from .arguments import check_count, find_output, get_fitted, list_names
from .scales import name_scale, write_notes
from .style import LOWERS, POOLED, format_numbers, make_axes, shorten_all, strip_frame, write_title

# Width of the thickest line in points, and area of the largest disc in square points.
_THICKEST, _LARGEST = 9.0, 900.0
_DISCS = "#E69F00"


def plot_interactions(
    explainer_or_estimator: Any,
    X: Any,
    *,
    max_features: int = 12,
    max_pairs: int = 20,
    output: str | int | None = None,
    ax: Any = None,
) -> Any:
    """Draw features as discs on a circle, and interactions as lines between them: the thicker, the stronger.

    A disc's area is proportional to the standard deviation over the rows of the column's main effect, a line's width to that of
    the purified pair (what two columns add together beyond both main effects), each relative to the largest of its kind.

    Parameters
    ----------
    explainer_or_estimator : Explainer, AdditiveRegressor or AdditiveClassifier
        Fitted.
    X : table of shape (n_rows, n_columns)
        Rows over which effects vary.
    max_features : int
        Number of columns drawn: those with the strongest main effect or pair.
    max_pairs : int
        Number of lines drawn, the strongest ones.
    output : str or int, optional
        Which of several outputs, by name or position.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If the first argument has no shape functions.
    ValueError
        For an unknown output, several outputs and none chosen, or counts below 1.
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
        model = instashap.AdditiveRegressor().fit(X, y)
        ax = instashap.plots.plot_interactions(model, X)
        ax.figure.savefig("interactions.png")
    """
    fitted = get_fitted(explainer_or_estimator, "plot_interactions")
    limits = check_count(max_features, "max_features"), check_count(max_pairs, "max_pairs")
    chosen = _choose_output(fitted, output)
    mains, pairs = _measure(fitted, X, chosen)
    columns, drawn = _pick(mains, pairs, *limits)

    ax = make_axes(ax, 9.0, 5.8)
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(columns)) / max(len(columns), 1)
    places = dict(zip(columns, np.column_stack([np.cos(angles), np.sin(angles)]), strict=True))
    _draw_lines(ax, places, drawn)
    _draw_discs(ax, places, mains)
    labels = shorten_all([fitted.schema.names[column] for column in columns], 24)
    for label, angle in zip(labels, angles, strict=True):
        _write_name(ax, label, angle)
    ax.set(xlim=(-2.3, 2.3), ylim=(-1.25, 1.25), aspect="equal", xticks=[], yticks=[])  # room for the names at the sides
    strip_frame(ax, "top", "right", "bottom", "left")
    write_title(ax, "Interactions: lines are pairs, discs are features alone")
    scale = name_scale(fitted.output_transform, fitted.output_names[chosen])
    ax.set_xlabel(f"spread of the effect on {scale.label}: {_describe_largest(mains, pairs)}")
    n_rows = len(X) if hasattr(X, "__len__") else 0
    left_out = len(pairs) - len(drawn)
    write_notes(
        ax,
        f"spread: standard deviation over the {n_rows:,} rows" if n_rows else "spread: standard deviation over the rows",
        f"{left_out} weaker pair{'s are' if left_out > 1 else ' is'} not shown" if left_out else "",
        "the model has no pairs" * (not pairs),
        scale.note,
    )
    return ax


def _choose_output(fitted: FittedGame, output: Any) -> int:
    names = fitted.output_names
    if output is not None:
        return find_output(output, names)
    if len(names) > 1:
        raise ValueError(
            f"plot_interactions shows one output, got {len(names)} of them: pass output= one of {list_names(names)}"
        )
    return 0


def _measure(fitted: FittedGame, X: Any, output: int) -> tuple[NDArray[np.float64], dict[tuple[int, int], float]]:
    """Standard deviation over the rows of each column's main effect, shape (n_columns,), and of each pair."""
    effects = fitted.compute_effects(fitted.read(X))[:, :, output]
    unit = np.abs(effects).max(initial=0.0) or 1.0  # squares of the largest outputs are no float64
    sizes = (effects / unit).std(axis=0) * unit
    mains = np.zeros(len(fitted.schema.names))
    pairs = {}
    for values, size in zip(fitted.model.value_sets, sizes.tolist(), strict=True):
        if len(values) == 1:
            mains[values[0]] = size
        elif len(values) == 2:
            pairs[values[0], values[1]] = size
    return mains, pairs


def _pick(
    mains: NDArray[np.float64], pairs: dict[tuple[int, int], float], max_features: int, max_pairs: int
) -> tuple[list[int], dict[tuple[int, int], float]]:
    """Columns and pairs to draw; columns that interact strongly are neighbours on the circle."""
    reach = mains.copy()
    for pair, size in pairs.items():
        for column in pair:
            reach[column] = max(reach[column], size)
    kept = set(np.argsort(-reach, kind="stable")[:max_features].tolist())
    inside = [pair for pair in pairs if set(pair) <= kept and pairs[pair] > 0]
    strongest = sorted(inside, key=lambda pair: -pairs[pair])[:max_pairs]
    return _arrange(sorted(kept), strongest), {pair: pairs[pair] for pair in strongest}


def _arrange(columns: list[int], strongest: Sequence[tuple[int, int]]) -> list[int]:
    """An order in which strong pairs are adjacent: chains are joined at their ends, the strongest pairs first."""
    chains = [[column] for column in columns]
    for pair in strongest:
        first, second = (next(chain for chain in chains if column in chain) for column in pair)
        if first is second or pair[0] not in (first[0], first[-1]) or pair[1] not in (second[0], second[-1]):
            continue
        joined = (first if first[-1] == pair[0] else first[::-1]) + (second if second[0] == pair[1] else second[::-1])
        chains = [chain for chain in chains if chain is not first and chain is not second] + [joined]
    return [column for chain in sorted(chains, key=len, reverse=True) for column in chain]


def _draw_lines(ax: Any, places: dict[int, NDArray[np.float64]], pairs: dict[tuple[int, int], float]) -> None:
    """Draw the pairs, the strongest on top; weak ones are grey, which is visible on white and on black."""
    tools = require("matplotlib.colors", extra="plots", purpose="plots")
    colours = tools.LinearSegmentedColormap.from_list("weak_strong", [POOLED, LOWERS])
    largest = max(pairs.values(), default=0.0)
    for pair, size in sorted(pairs.items(), key=lambda each: each[1]):
        (x0, y0), (x1, y1) = (places[column] for column in pair)
        share = size / largest
        ax.plot([x0, x1], [y0, y1], color=colours(share), linewidth=0.6 + _THICKEST * share, solid_capstyle="round")


def _draw_discs(ax: Any, places: dict[int, NDArray[np.float64]], mains: NDArray[np.float64]) -> None:
    spots = np.array(list(places.values()))
    sizes = mains[list(places)]
    areas = 20.0 + _LARGEST * sizes / (sizes.max() or 1.0)
    ax.scatter(*spots.T, s=areas, color=_DISCS, edgecolor=ax.get_facecolor(), linewidth=1.0, zorder=3)


def _write_name(ax: Any, name: str, angle: float) -> None:
    x, y = np.cos(angle), np.sin(angle)
    side = "center" if abs(x) < 0.2 else "left" if x > 0 else "right"
    ax.annotate(name, (1.17 * x, 1.17 * y), ha=side, va="center")


def _describe_largest(mains: NDArray[np.float64], pairs: dict[tuple[int, int], float]) -> str:
    """Values of the largest disc and of the thickest line."""
    strongest = max(pairs.values(), default=0.0)
    alone, together = format_numbers(np.array([mains.max(initial=0.0), strongest]))
    return f"largest disc {alone}" + f", thickest line {together}" * bool(pairs)
