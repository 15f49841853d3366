"""Two functions of independent columns: which feature gets what, and what each order can be trusted with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import compute_fidelity
from ..runner import Bench, Figure, judge

Rows = NDArray[np.float64]
# Verdicts as figures.
LEVELS = {"unsafe": 0.0, "caution": 1.0, "safe": 2.0}


def compute_pair(X: Any) -> Rows:
    """``x1 + x2 x3``."""
    x1, x2, x3 = np.asarray(X).T
    return np.asarray(x1 + x2 * x3)


def compute_triple(X: Any) -> Rows:
    """``x1 x2 x3 + x4``."""
    x1, x2, x3, x4 = np.asarray(X).T
    return np.asarray(x1 * x2 * x3 + x4)


def run(bench: Bench) -> dict[str, Figure]:
    """Held-out R² and verdict of each order; what the terms that should be there, and those that should not, hold."""
    n_rows = bench.choose(20_000, 2_000)
    return {
        **_run_function(bench, "x1 + x2 x3", compute_pair, 3, (1, 2), n_rows),
        **_run_function(bench, "x1 x2 x3 + x4", compute_triple, 4, (1, 2, 3), n_rows),
    }


def _run_function(
    bench: Bench, label: str, function: Callable[[Any], Rows], d: int, orders: tuple[int, ...], n_rows: int
) -> dict[str, Figure]:
    import instashap

    rng = np.random.default_rng(0)
    X, others = rng.normal(size=(n_rows, d)), rng.normal(size=(n_rows, d))
    names = [f"x{column + 1}" for column in range(d)]
    figures: dict[str, Figure] = {}
    for order in orders:
        explainer = instashap.Explainer(function, order=order, interactions="all").fit(X)
        carried = compute_fidelity(explainer.predict(others), function(others))
        figures[f"{label}, order {order}: held-out R²"] = judge(carried)
        figures |= {f"{label}, order {order}: {what}": judge(value) for what, value in _read(explainer, others, label).items()}
    report = instashap.audit(function, _name(X, names), orders=orders)
    bench.notes.append(f"{label}: {report.summary()}")
    for order, verdict in report.verdicts.items():
        figures[f"{label}, order {order}: verdict (0 unsafe, 1 caution, 2 safe)"] = judge(LEVELS[verdict])
    return figures


def _read(explainer: Any, X: Rows, label: str) -> dict[str, float]:
    """Shares of variance and errors of Shapley values, for the orders that can say the function."""
    sets = {(1, 2), (1,), (2,)} if label.startswith("x1 + ") else {(0, 1, 2)}
    whole = max(sets, key=len)
    if whole not in explainer.terms_:
        return {}
    found = {players: float(np.var(explainer.mobius_values(X, players))) for players in explainer.presence_terms_}
    wrong = sum(share for players, share in found.items() if len(players) > 1 and players != whole)
    values = explainer.shap_values(X)
    product = np.prod(X[:, list(whole)], axis=1)
    exact = np.zeros_like(X)
    exact[:, list(whole)] = product[:, None] / len(whole)
    alone = 0 if len(whole) == 2 else 3
    exact[:, alone] = X[:, alone]
    return {
        "variance of all other interactions, share of the true one's": wrong / found[whole],
        f"Shapley values of x{alone + 1}, mean squared error": float(np.mean((values[:, alone] - exact[:, alone]) ** 2)),
        "SHAP R²": float(1 - np.sum((values - exact) ** 2) / np.sum(exact**2)),
    }


def _name(X: Rows, names: list[str]) -> Any:
    import pandas as pd

    return pd.DataFrame(X, columns=names)
