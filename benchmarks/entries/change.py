"""What changed a mean: coverage of planted shifts, false lines where nothing changed, two models' difference, seconds."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import load_bike
from ..runner import Bench, Figure, Skipped, judge

N_ROWS = 400
SHIFT = np.array([0.5, 0.0, 0.3, 0.0, 0.0])
SLOPES = np.array([1.0, 0.5, -1.0, 0.8, 0.0])


def run(bench: Bench) -> dict[str, Figure]:
    """Figures of two cohorts, of two models, and of bike sharing in two years."""
    figures = _measure_cover(bench) | _measure_difference(bench) | _measure_seconds(bench)
    try:
        figures |= _measure_bike(bench)
    except Skipped as reason:
        bench.notes.append(str(reason))
    return figures


def _predict(X: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(X @ SLOPES + 0.3 * np.sin(2 * X[:, 3]))


def _explain(*given: Any, **options: Any) -> Any:
    import instashap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        return instashap.explain_change(*given, **options)


def _draw(rng: np.random.Generator, n_rows: int, shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian rows; columns 0 and 1 have correlation .6."""
    X = rng.normal(size=(n_rows, 5))
    X[:, 1] = 0.6 * X[:, 0] + 0.8 * X[:, 1]
    return X + shift


def _measure_cover(bench: Bench) -> dict[str, Figure]:
    """Over redraws: how often the 90 % interval of each line holds the truth, and how often an unchanged cohort has a line.

    The truth of a column that is independent of the others is its slope times its shift; that of the two correlated ones is
    the lines of a report on many rows.
    """
    n_redraws = bench.choose(200, 10)
    rng = np.random.default_rng(99)
    many = [_draw(rng, bench.choose(40_000, 2000), shift) for shift in (0 * SHIFT, SHIFT)]
    truth = SLOPES * SHIFT
    truth[:2] = _explain(_predict, *many, order=1).table["contribution"].to_numpy()[:2]
    inside, moved = [], []
    for seed in range(n_redraws):
        rng = np.random.default_rng(seed)
        table = _explain(_predict, *(_draw(rng, N_ROWS, shift) for shift in (0 * SHIFT, SHIFT)), order=1).table
        lows, highs = (table[side].to_numpy()[:5] for side in ("low", "high"))
        inside.append((lows <= truth) & (truth <= highs))
        same = _explain(_predict, *(_draw(rng, N_ROWS, 0 * SHIFT) for _ in range(2)), order=1)
        moved.append(bool(same.moved) or not same.total.is_noise)
    shares = np.mean(inside, axis=0)
    planted = [float(shares[column]) for column in np.flatnonzero(np.abs(truth) > 0.05)]
    mean = float(np.mean(planted))
    return {
        "coverage of 90 % intervals of planted lines": judge(mean, samples=planted),
        "distance of this coverage from 90 %": judge(abs(mean - 0.9), at_most=0.05),
        "reports with a false line where nothing changed": judge(float(np.mean(moved)), at_most=0.05),
    }


def _measure_difference(bench: Bench) -> dict[str, Figure]:
    """Error of the values of two models' difference, fitted once, over that of two explainers subtracted.

    The models share a part, and differ by a quadratic function of equicorrelated Gaussian columns, whose Shapley values are
    exact whatever the shared part is. The explainers are fitted on the same rows, or each on its own.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    import instashap
    from instashap.datasets import make_equicorrelated

    shared = make_equicorrelated(8, 0.6, random_state=0)
    slopes, products = 0 * shared.coef_linear, 0 * shared.coef_quadratic
    slopes[:2] = 0.1, -0.05
    products[2, 3] = products[3, 2] = 0.05
    own = replace(shared, coef_linear=slopes, coef_quadratic=products)
    (X, f), (others, _) = (shared.sample(bench.choose(3000, 600), seed) for seed in (1, 2))
    noise = np.random.default_rng(0).normal(size=len(f))
    boosted = HistGradientBoostingRegressor(random_state=0).fit(X, f + np.sin(3 * X[:, 0] * X[:, 1]) + noise)
    exact, added = own.shap_values(X), own.predict(X)

    def measure_error(values: NDArray[np.float64]) -> float:
        return float(np.sqrt(np.mean((values - exact) ** 2)))

    def explain(rows: NDArray[np.float64], outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", instashap.InstashapWarning)
            return np.asarray(instashap.Explainer().fit(rows, outputs=outputs).shap_values(X))

    once = measure_error(_explain(None, X, outputs=f, outputs_b=f + added).rows.values)
    first = explain(X, boosted.predict(X))
    subtracted = {
        "boosted models, explainers on other rows": explain(others, boosted.predict(others) + own.predict(others)) - first,
        "boosted models, explainers on the same rows": explain(X, boosted.predict(X) + added) - first,
        "quadratic models, explainers on the same rows": explain(X, f + added) - explain(X, f),
    }
    found = {
        f"{name}: error fitted once, over two subtracted": judge(once / measure_error(each), at_most=1 / 3)
        for name, each in subtracted.items()
    }
    return {
        **found,
        "rms error of the difference fitted once": judge(once),
        "rms of its exact values": judge(float(np.sqrt(np.mean(exact**2)))),
    }


def _measure_seconds(bench: Bench) -> dict[str, Figure]:
    """Processor seconds of a report on 2 × 10 000 rows of 12 columns, without the fit."""
    from instashap.questions import change

    rng = np.random.default_rng(0)
    n_rows = bench.choose(10_000, 500)
    X, X_b = rng.normal(size=(n_rows, 12)), rng.normal(size=(n_rows, 12))
    X_b[:, 0] += 0.3
    spent = [0.0]
    fit = change.fit_game

    def timed(*given: Any, **options: Any) -> Any:
        start = time.process_time()
        made = fit(*given, **options)
        spent[0] += time.process_time() - start
        return made

    def model(X: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(X[:, :5].sum(axis=1) + X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]))

    _explain(model, X[:300], X_b[:300])
    change.fit_game = timed
    try:
        start = time.process_time()
        _explain(model, X, X_b).to_text()
        whole = time.process_time() - start
    finally:
        change.fit_game = fit
    after = judge(whole - spent[0], "s of processor time", at_most=10.0)
    return {"2 × 10 000 rows: report after the fit": after, "2 × 10 000 rows: fit": judge(spent[0], "s of processor time")}


def _measure_bike(bench: Bench) -> dict[str, Figure]:
    """Bike sharing as in the page on changes: 2012 against 2011 under the model of 2011, and the model of 2012."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingRegressor

    split = load_bike(bench)
    X, y = pd.concat([split.X_train, split.X_test]), np.concatenate([split.y_train, split.y_test])
    X, y = X.iloc[:: bench.choose(1, 20)], y[:: bench.choose(1, 20)]
    is_2011 = X["yr"].to_numpy() == 0
    table = X.drop(columns="yr")
    old, new = (HistGradientBoostingRegressor().fit(table[own], y[own]) for own in (is_2011, ~is_2011))
    report = _explain(old, table[is_2011], table[~is_2011], model_b=new, labels=("2011", "2012"))
    bench.notes += list(report.sentences)
    lines = {f"bike, {line.part}, {line.name}": judge(line.value) for line in report.lines if not line.is_noise}
    return {"bike, change of the mean prediction": judge(report.change), **lines}
