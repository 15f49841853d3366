"""Plots of an audit: fidelity of each order of explanations, for all features and for any number of known ones."""

from typing import Any

import numpy as np

from .style import (
    INTERVAL_NOTE,
    POOLED,
    add_legend,
    label_ends,
    make_axes,
    make_room,
    pick_colours,
    strip_frame,
    write_title,
)


def plot_ladder(report: Any, *, ax: Any = None) -> Any:
    """Draw how much of the model each order of explanations explains, with 90 % intervals, and the verdict on it.

    For every order the bars show the shares that its verdict is based on: R² with respect to the model's output on held-out
    rows, the estimated R² of its Shapley values, what it explains of partly known rows (attributions are averages over these),
    and for classifiers the share of the rows that it puts in the model's class.

    Parameters
    ----------
    report : TrustReport
        From :func:`instashap.audit` or :meth:`instashap.Explainer.audit`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib Axes
        Shares, 0 to 1; a negative one is worse than the mean. The highest order is on top.

    Raises
    ------
    TypeError
        If ``report`` is not a TrustReport.
    OptionalDependencyError
        If matplotlib is not installed.

    Examples
    --------
    ::

        from sklearn.datasets import load_diabetes
        from sklearn.ensemble import RandomForestRegressor
        import instashap
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        report = instashap.audit(RandomForestRegressor().fit(X, y), X)
        ax = instashap.plots.plot_ladder(report)
        ax.figure.savefig("ladder.png")
    """
    rungs = [rung for rung in _get_rungs(report, "plot_ladder") if rung.order]  # order 0 is the base value alone
    kinds = _collect_shares(rungs)
    is_ours = ax is None
    ax = make_axes(ax, 8.4, 1.5 + 0.3 * len(kinds) * len(rungs))
    height = 0.8 / len(kinds)
    handles, written, reached = [], [], [0.0, 1.0]
    for kind, (shares, colour) in enumerate(zip(kinds.values(), pick_colours(len(kinds)), strict=True)):
        # Within each order the first kind is on top.
        rows = np.array([row + height * ((len(kinds) - 1) / 2 - kind) for row in shares])
        values, lows, highs = np.array(list(shares.values())).reshape(-1, 3).T
        handles.append(ax.barh(rows, values, 0.9 * height, color=colour))
        reach, text = np.stack([values - lows, highs - values]), ax.xaxis.label.get_color()
        ax.errorbar(values, rows, xerr=reach, fmt="none", ecolor=text, elinewidth=1.1, capsize=2.5, capthick=1.1, zorder=4)
        numbers = [f"{100 * value:.3g} %".replace("-", "−") for value in values]
        label_ends(ax, rows, highs, np.ones(len(rows)), numbers)
        written += numbers
        reached += [*lows, *highs]
    ax.set_yticks(range(len(rungs)), [f"order {rung.order}: {report.verdicts[rung.order]}" for rung in rungs])
    ax.tick_params(axis="y", length=0)
    ax.axvline(1.0, color=POOLED, linewidth=0.8, linestyle=":", zorder=0.5)
    make_room(ax, min(reached), max(reached), written, left=False)
    strip_frame(ax, "top", "right", "left")
    ax.set_xlabel(f"explained share, {INTERVAL_NOTE}; {report.n_rows:,} rows")
    write_title(ax, f"Are the explanations safe to use? Order {rungs[-1].order}: {report.verdict}")
    add_legend(ax, handles, list(kinds), outside=is_ours)
    return ax


def _get_rungs(report: Any, plot: str) -> Any:
    if not hasattr(report, "rungs"):
        raise TypeError(f"{plot} takes a TrustReport, got {type(report).__name__}; explainer.audit() makes one")
    return report.rungs


def _collect_shares(rungs: Any) -> dict[str, dict[int, tuple[float, float, float]]]:
    """For each kind, its figures (value, low, high) by position of the orders that have it."""
    names = "prediction (R²)", "Shapley values (R²)", "partly known rows", "same class"
    kinds: dict[str, dict[int, tuple[float, float, float]]] = {name: {} for name in names}
    for row, rung in enumerate(rungs):
        kinds["prediction (R²)"][row] = rung.carried
        if rung.attribution is not None:
            kinds["Shapley values (R²)"][row] = rung.attribution.r2
        if rung.masked is not None:
            kinds["partly known rows"][row] = rung.masked.carried
        if "class agreement" in rung.classes:
            kinds["same class"][row] = rung.classes["class agreement"]
    return {kind: shares for kind, shares in kinds.items() if shares}


def plot_masked_fidelity(report: Any, *, ax: Any = None) -> Any:
    """Draw the share of the output's variance that each order explains, against the number of known features.

    Heights are ``1 - risk`` with the masked risk ``E (f - v(x; S))²`` over held-out rows and coalitions S of one size, as a
    share of the output's variance. No explanation reaches 1 before all features are known; the dotted line is an unrestricted
    reference (the share of the highest order, plus its gap if there is one). Bars are 90 % intervals.

    Parameters
    ----------
    report : TrustReport
        From :func:`instashap.audit` or :meth:`instashap.Explainer.audit`, with masked games.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If ``report`` is not a TrustReport.
    ValueError
        If the report has no masked games.
    OptionalDependencyError
        If matplotlib is not installed.

    Examples
    --------
    ::

        from sklearn.datasets import load_diabetes
        from sklearn.ensemble import RandomForestRegressor
        import instashap
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        report = instashap.audit(RandomForestRegressor().fit(X, y), X)
        ax = instashap.plots.plot_masked_fidelity(report)
        ax.figure.savefig("masked_fidelity.png")
    """
    rungs = [rung for rung in _get_rungs(report, "plot_masked_fidelity") if rung.masked is not None and rung.masked.sizes]
    if not rungs:
        raise ValueError(
            "plot_masked_fidelity needs masked games, which this audit did not measure; instashap.audit(model, X) does"
        )
    is_ours = ax is None
    ax = make_axes(ax, 8.2, 4.4)
    lines = []
    colours = pick_colours(len(rungs))
    for position, (rung, colour) in enumerate(zip(rungs, colours, strict=True)):
        sizes = np.array([each.size for each in rung.masked.sizes])
        explained, high, low = 1.0 - np.array([tuple(each.risk) for each in rung.masked.sizes]).T  # limits swap with the sign
        # Intervals are shifted sideways, so that those of equal orders do not hide each other.
        places = sizes + 0.08 * (position - (len(rungs) - 1) / 2)
        reach = [explained - low, high - explained]
        ax.errorbar(places, explained, yerr=reach, fmt="none", ecolor=colour, elinewidth=1.2, capsize=3)
        lines += ax.plot(sizes, explained, "o-", color=colour, linewidth=1.6, markersize=5)
    best = rungs[-1].masked.sizes
    reference = [1.0 - each.risk.value + max(each.gap.value, 0.0) for each in best]
    lines += ax.plot([each.size for each in best], reference, linestyle=":", color=ax.xaxis.label.get_color(), linewidth=1.6)
    ax.locator_params(axis="x", integer=True)
    ax.set_ylim(min(0.0, ax.get_ylim()[0]), 1.03)
    strip_frame(ax, "top", "right")
    ax.set_xlabel("number of known features")
    ax.set_ylabel(f"explained share of the output's variance\n({INTERVAL_NOTE})")
    write_title(ax, "Explained variance while other features are unknown")
    add_legend(ax, lines, [*(f"order {rung.order}" for rung in rungs), "reference"], outside=is_ours)
    return ax
