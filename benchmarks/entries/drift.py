"""Drift: how often the unchanged model alarms, and how often another one is found, on 500 rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import load_bike, load_california
from ..runner import Bench, Figure, Skipped, judge

N_ROWS = 500
REPEATS = 200


def run(bench: Bench) -> dict[str, Figure]:
    """Shares of alarms over 200 checks of fresh rows, from several splits; and on the first 500 rows of the fit, one by one.

    A split has a third of the rows for the black box (gradient boosting), a third for another one of the same settings, and
    the rest for the explainer and the checks, so that the explainer is fitted on rows its black box was not trained on;
    figures with the explainer on the training rows themselves stand beside.
    """
    figures = _measure("simulated", _simulate, bench.choose(10, 1), bench)
    try:
        X, y = _join(load_bike(bench))
        figures |= _measure("bike", lambda seed: (X, y), bench.choose(4, 1), bench) | _measure_next_year(X, y, bench)
        houses = load_california(bench)
        figures |= _measure("california", lambda seed: houses, bench.choose(4, 1), bench)
    except Skipped as reason:
        bench.notes.append(str(reason))
    return figures


def _simulate(seed: int) -> tuple[Any, Any]:
    """Friedman's first function with noise and five columns that do not matter."""
    from sklearn.datasets import make_friedman1

    return make_friedman1(12_000, n_features=10, noise=1.0, random_state=seed)


def _join(bike: Any) -> tuple[Any, NDArray[np.float64]]:
    import pandas as pd

    return pd.concat([bike.X_train, bike.X_test]), np.concatenate([bike.y_train, bike.y_test])


def _measure(name: str, draw: Callable[[int], tuple[Any, Any]], n_splits: int, bench: Bench) -> dict[str, Figure]:
    counts: dict[str, list[bool]] = {}
    for seed in range(n_splits):
        X, y = draw(seed)
        order = np.random.default_rng(seed).permutation(len(X))
        n = int(bench.choose(0.3, 0.1) * len(X))
        trained, other, fitted, fresh = order[:n], order[n : 2 * n], order[2 * n : 3 * n], order[3 * n :]
        train = _make_trainer(X, y)
        model = train(trained)
        models = {
            "unchanged": model,
            "retrained on other rows": train(other),
            "retrained on half other rows": train(np.concatenate([trained[n // 2 :], other[: n // 2]])),
            "learning rate .05": train(trained, learning_rate=0.05),
        }
        n_checks = bench.choose(REPEATS, 20) // n_splits
        for place, rows in (("", fitted), (", explainer on training rows", trained)):
            explainer = _fit(model, _take(X, rows))
            checks = [np.random.default_rng((seed, k)).choice(fresh, N_ROWS, replace=False) for k in range(n_checks)]
            for label, each in models.items():
                reports = [explainer.check(_take(X, check), each) for check in checks]
                counts.setdefault(f"{label}{place}", []).extend(report.has_moved for report in reports)
                own = explainer.check(_take(X, rows[:N_ROWS]), each).has_moved
                counts.setdefault(f"{label}, first rows of the fit", []).append(own)
    return {f"{name}, {label}: alarms": judge(float(np.mean(found))) for label, found in counts.items()}


def _measure_next_year(X: Any, y: NDArray[np.float64], bench: Bench) -> dict[str, Figure]:
    """The model of 2011 and the model of 2012, both asked about rows of 2011 that neither saw."""
    order = np.random.default_rng(0).permutation(len(X))
    is_first = X["yr"].to_numpy()[order] == 0
    first, second = order[is_first], order[~is_first]
    table = X.drop(columns="yr")
    n = bench.choose(len(first) * 2 // 5, 1500)
    train = _make_trainer(table, y)
    model, newer = train(first[:n]), train(second[:n])
    explainer = _fit(model, table.iloc[first[n : 2 * n]])
    n_checks = bench.choose(REPEATS, 20)
    rng = np.random.default_rng(1)
    checks = [rng.choice(first[2 * n :], N_ROWS, replace=False) for _ in range(n_checks)]
    names: Mapping[str, Any] = {"unchanged": model, "next year's": newer}
    return {
        f"bike of 2011, {label}: alarms": judge(
            float(np.mean([explainer.check(table.iloc[check], each).has_moved for check in checks]))
        )
        for label, each in names.items()
    }


def _make_trainer(X: Any, y: NDArray[np.float64]) -> Callable[..., Any]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    def train(rows: NDArray[np.int64], **options: Any) -> Any:
        return HistGradientBoostingRegressor(random_state=0, **options).fit(_take(X, rows), y[rows])

    return train


def _fit(model: Any, X: Any) -> Any:
    import instashap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.FitWarning)  # which terms were not worth having
        return instashap.Explainer(model).fit(X)


def _take(X: Any, rows: NDArray[np.int64]) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]
