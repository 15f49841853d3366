"""Fidelity against the number of terms."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arguments import check_count
from .scales import write_notes
from .style import LOWERS, POOLED, RAISES, make_axes, shorten_all, strip_frame, write_title

# The smallest model whose R² is within this of the best one is marked.
_SLACK = 0.01


def plot_frontier(ranking: Any, *, max_terms: int = 20, ax: Any = None) -> Any:
    """Draw the fidelity of the model of the first k terms for every k, and the gain of each term.

    Terms are in the order of ``rank_terms()``, each the one of largest gain after those before it. The line is the
    cross-validated R² of the model of this and all earlier terms; a dot is hollow if fewer terms reach the same R². Bars show
    the gain: the share of the masked risk, the criterion of the fit, that the term removes. The ring marks the smallest number
    of terms within 0.01 of the best R². If nothing could be held out, R² is that of the fitted rows.

    Parameters
    ----------
    ranking : DataFrame
        Table from :meth:`instashap.Explainer.rank_terms`.
    max_terms : int
        Number of terms shown by name; after a gap, the last place shows the model of all terms.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib Axes
        Shares, 0 to 1.

    Raises
    ------
    TypeError
        If ``ranking`` is not such a table.
    ValueError
        If it is empty, or ``max_terms`` is below 1.
    OptionalDependencyError
        If matplotlib is not installed.

    Examples
    --------
    ::

        from sklearn.datasets import load_diabetes
        import instashap
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        explainer = instashap.AdditiveRegressor().fit(X, y).to_explainer()
        ax = instashap.plots.plot_frontier(explainer.rank_terms())
        ax.figure.savefig("frontier.png")
    """
    names, gains, r2, what = _read(ranking)
    n_terms = len(names)
    n_shown = n_terms if n_terms <= check_count(max_terms, "max_terms") + 1 else max_terms
    numbers = np.arange(1, n_shown + 1)
    if n_shown < n_terms:
        numbers = np.append(numbers, n_terms)
    places = np.arange(1.0, len(numbers) + 1)
    places[n_shown:] += 0.6  # a gap before the last place, the model of all terms

    ax = make_axes(ax, max(5.5, 2.2 + 0.36 * len(numbers)), 5.0)
    bars = ax.bar(places[:n_shown], gains[:n_shown], 0.6, color=POOLED, alpha=0.55)
    line = _draw_fidelity(ax, places, r2[numbers - 1], n_shown)
    best = _find_enough(r2)
    marks = []
    if best in numbers:
        ring = {"markersize": 13, "fillstyle": "none", "markeredgewidth": 2, "color": RAISES}
        marks = ax.plot(places[numbers == best], [r2[best - 1]], "o", **ring)
    labels = shorten_all(names[:n_shown], 24) + [f"all {n_terms} terms"] * (n_shown < n_terms)
    ax.set_xticks(places, labels, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_ylim(min(0.0, 1.05 * float(r2.min())), 1.03)
    strip_frame(ax, "top", "right")
    ax.set_ylabel("share")
    ax.set_xlabel("terms, each with all before it")
    write_title(ax, f"{best} of {n_terms} terms reach R² {r2[best - 1]:.3f}; the best is {r2.max():.3f}")
    keys = [what, "gain", f"fewest within {_SLACK} of the best"]
    ax.legend([line, bars, *marks], keys[: 2 + len(marks)], frameon=False, loc="best")
    write_notes(ax, "a hollow dot: fewer terms do as well" if (np.diff(r2) <= 0).any() else "")
    return ax


def _read(ranking: Any) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64], str]:
    """Names, gains, R² of the first k terms for every k, and a label of the R²."""
    missing = {"term", "gain", "r2", "variance_share"} - set(getattr(ranking, "columns", ()))
    if missing:
        raise TypeError(f"plot_frontier takes the table that explainer.rank_terms() returns, got {type(ranking).__name__}")
    if not len(ranking):
        raise ValueError("plot_frontier shows ranked terms, but the table has no rows")
    names, gains = list(ranking["term"]), ranking["gain"].to_numpy(dtype=np.float64)
    r2, shares = (ranking[name].to_numpy(dtype=np.float64) for name in ("r2", "variance_share"))
    if np.isnan(r2).any():
        return names, gains, shares.cumsum(), "R² (fitted rows)"
    return names, gains, r2, "R² (cross-validated)"


def _draw_fidelity(ax: Any, places: NDArray[np.float64], r2: NDArray[np.float64], n_shown: int) -> Any:
    """Draw the line, with full dots where R² exceeds that of every smaller model; returns the line."""
    (line,) = ax.plot(places[:n_shown], r2[:n_shown], color=LOWERS, linewidth=1.6, marker="o", markersize=0)
    ax.plot(places[n_shown - 1 :], r2[n_shown - 1 :], color=LOWERS, linewidth=1.6, linestyle=":")
    is_better = r2 > np.maximum.accumulate(np.concatenate([[-np.inf], r2[:-1]]))
    ax.plot(places[is_better], r2[is_better], "o", color=LOWERS, markersize=6)
    ax.plot(places[~is_better], r2[~is_better], "o", color=LOWERS, markersize=6, fillstyle="none")
    return line


def _find_enough(r2: NDArray[np.float64]) -> int:
    """Smallest number of terms within 0.01 of the best R²."""
    return int(np.argmax(r2 >= r2.max() - _SLACK)) + 1
