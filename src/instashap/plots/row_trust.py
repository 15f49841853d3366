"""How much of its output each row's explanation reproduces: all rows from the least to the most, one of them marked."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fitted.explanation import Explanation
from .arguments import check_explanation, check_rows
from .style import INTERVAL_NOTE, LOWERS, RAISES, make_axes, shorten, strip_frame, write_title

# Rows that get a dot and an interval of their own; more are a curve in a band.
_MAX_DOTS = 40


def plot_trust(explanation: Any, *, row: int | None = None, ax: Any = None) -> Any:
    """Draw the share of its output that each row's explanation reproduces, rows sorted by it, with 90 % intervals.

    The height of a row is ``explanation.output_share``: the length of its Shapley values over that length and what they
    typically leave of the model's output where the row lies. Rows on the left are those to read with care.

    Parameters
    ----------
    explanation : Explanation
        With output shares, as explainers of the conditional game give it.
    row : int, optional
        Position of a row to mark and name.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib Axes
        Across: percent of the rows, the k-th of n at ``100 (k - 1/2) / n``. Up: shares, 0 to 1.

    Raises
    ------
    TypeError
        If ``explanation`` is not an Explanation, or ``row`` not an integer.
    ValueError
        If it has no rows, or no output shares.
    IndexError
        If there is no such row.
    OptionalDependencyError
        If matplotlib is not installed.

    Examples
    --------
    ::

        from sklearn.datasets import load_diabetes
        from sklearn.ensemble import RandomForestRegressor
        import instashap
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        explainer = instashap.Explainer(RandomForestRegressor().fit(X, y)).fit(X)
        ax = instashap.plots.plot_trust(explainer(X), row=0)
        ax.figure.savefig("trust.png")
    """
    explanation = check_rows(check_explanation(explanation, "plot_trust"), "plot_trust")
    shares, intervals = _get_shares(explanation)
    marked = None if row is None else _check_row(row, len(shares))
    order = np.argsort(shares, kind="stable")
    places = np.empty(len(order))
    places[order] = 100 * (np.arange(len(order)) + 0.5) / len(order)

    ax = make_axes(ax, 6.8, 4.0)
    if len(order) <= _MAX_DOTS:
        _draw_dots(ax, places, shares, intervals, LOWERS)
    else:
        ax.fill_between(places[order], *intervals[order].T, color=LOWERS, alpha=0.3, linewidth=0)
        ax.plot(places[order], shares[order], color=LOWERS, linewidth=2)
    if marked is not None:
        _mark(ax, explanation, marked, float(places[marked]))
    ax.set_xlim(0, 100)
    ax.set_ylim(0, 1.02)
    strip_frame(ax, "top", "right")
    ax.set_xlabel("% of the rows, from the least reproduced")
    ax.set_ylabel(f"share of the output reproduced\n({INTERVAL_NOTE})")
    write_title(ax, _say(shares))
    return ax


def _get_shares(explanation: Explanation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if explanation.output_share is None or explanation.output_share_interval is None:
        raise ValueError(
            "this explanation holds no output shares of rows: explainers of the conditional game give them, those of other "
            "games and fits by likelihood do not; instashap.audit(model, X) judges any model"
        )
    return explanation.output_share, explanation.output_share_interval


def _check_row(row: Any, n_rows: int) -> int:
    if isinstance(row, bool) or not isinstance(row, Integral):
        raise TypeError(f"row must be the position of a row, got {row!r}")
    if not -n_rows <= int(row) < n_rows:
        raise IndexError(f"row={row} is not among the {n_rows} rows, at positions 0 to {n_rows - 1}")
    return int(row) % n_rows


def _draw_dots(ax: Any, places: Any, shares: NDArray[np.float64], intervals: NDArray[np.float64], colour: str) -> None:
    reach = np.maximum([shares - intervals[:, 0], intervals[:, 1] - shares], 0.0)
    ax.errorbar(places, shares, yerr=reach, fmt="o", color=colour, markersize=6, elinewidth=1.4, capsize=3, zorder=4)


def _mark(ax: Any, explanation: Explanation, row: int, place: float) -> None:
    """The row in its own colour, and its figures in words below its interval, or above one that reaches the floor."""
    shares, intervals = _get_shares(explanation[row])
    _draw_dots(ax, [place], shares, intervals, RAISES)
    name = row if explanation.index is None else shorten(explanation.index[row])
    low, high = intervals[0]
    text = f"row {name}: {_percent(shares[0])} ({_percent(low)} to {_percent(high)})"
    side, ha = (-6, "right") if place > 50 else (6, "left")
    end, lift = (low, -12) if low > 0.15 else (high, 6)
    ax.annotate(text, (place, end), (side, lift), textcoords="offset points", ha=ha, fontsize="small")


def _say(shares: NDArray[np.float64]) -> str:
    half, most = (_percent(each) for each in np.quantile(shares, [0.5, 0.1], method="inverted_cdf"))
    if len(shares) == 1:
        return f"The explanation reproduces {half} of this row's output"
    return f"Half of {len(shares):,} rows: {half} of the output reproduced, or more; nine in ten: {most}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}\u00a0%" if share > 0.99 else f"{100 * share:.0f}\u00a0%"
