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


def _draw(rng: np.random.Generator, n_rows: int, shift: NDArray[np.float64], correlation: float) -> NDArray[np.float64]:
    """Gaussian rows; columns 0 and 1 are correlated."""
    X = rng.normal(size=(n_rows, 5))
    X[:, 1] = correlation * X[:, 0] + np.sqrt(1 - correlation**2) * X[:, 1]
    return X + shift


def _measure_cover(bench: Bench) -> dict[str, Figure]:
    """Over redraws: how often the 90 % interval of each line holds the truth, and how often an unchanged cohort has a line.

    Where columns are independent, the truth is the slope times the shift. Where they are correlated, it is the
    lines of a report on many rows.
    """
    n_redraws = bench.choose(200, 10)
    found: dict[str, Figure] = {}
    for name, correlation in (("independent", 0.0), ("correlated .6", 0.6)):
        truth = SLOPES * SHIFT
        if correlation:
            rng = np.random.default_rng(99)
            many = [_draw(rng, bench.choose(40_000, 2000), shift, correlation) for shift in (0 * SHIFT, SHIFT)]
            truth = _explain(_predict, *many, order=1).table["contribution"].to_numpy()[:5]
        inside, moved = [], []
        for seed in range(n_redraws):
            rng = np.random.default_rng((seed, int(10 * correlation)))
            pair = [_draw(rng, N_ROWS, shift, correlation) for shift in (0 * SHIFT, SHIFT)]
            table = _explain(_predict, *pair, order=1).table
            lows, highs = (table[side].to_numpy()[:5] for side in ("low", "high"))
            inside.append((lows <= truth) & (truth <= highs))
            same = _explain(_predict, *(_draw(rng, N_ROWS, 0 * SHIFT, correlation) for _ in range(2)), order=1)
            moved.append(bool(same.moved) or not same.total.is_noise)
        shares = np.mean(inside, axis=0)
        used = np.flatnonzero(np.abs(truth) > 0.05)
        found[f"{name}, coverage of 90 % intervals of planted lines"] = judge(float(shares[used].mean()), samples=shares)
        found[f"{name}, reports with a false line"] = judge(float(np.mean(moved)), at_most=0.05)
    return found


def _measure_difference(bench: Bench) -> dict[str, Figure]:
    """Error of the values of two models' difference, fitted once, over that of two explainers subtracted.

    The models are quadratic functions of Gaussian columns, whose Shapley values are exact; the second has another slope of two
    columns and a further product.
    """
    import instashap
    from instashap.datasets import make_equicorrelated, make_factor

    found: dict[str, Figure] = {}
    for name, make in (("equicorrelated .6", make_equicorrelated), ("three factors", make_factor)):
        first = make(random_state=0)
        slopes, products = first.coef_linear.copy(), first.coef_quadratic.copy()
        slopes[:2] += 0.1, -0.05
        products[2, 3] += 0.05
        products[3, 2] += 0.05
        second = replace(first, coef_linear=slopes, coef_quadratic=products)
        X, f = first.sample(bench.choose(5000, 800), 1)
        exact = second.shap_values(X) - first.shap_values(X)
        once = _explain(None, X, outputs=f, outputs_b=second.predict(X)).rows.values
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", instashap.InstashapWarning)
            both = [instashap.Explainer().fit(X, outputs=each.predict(X)).shap_values(X) for each in (first, second)]
        errors = [float(np.sqrt(np.mean((each - exact) ** 2))) for each in (once, both[1] - both[0])]
        found[f"{name}: rms error of the difference fitted once, over two subtracted"] = judge(
            errors[0] / errors[1], at_most=1 / 3
        )
        found[f"{name}: rms error of two subtracted"] = judge(errors[1])
        found[f"{name}: rms of the exact values"] = judge(float(np.sqrt(np.mean(exact**2))))
    return found


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
    """Bike sharing: rows of 2012 against rows of 2011 under the model of 2011, and the model of 2012."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingRegressor

    bike = load_bike(bench)
    X, y = pd.concat([bike.X_train, bike.X_test]), np.concatenate([bike.y_train, bike.y_test])
    is_first = X["yr"].to_numpy() == 0
    table = X.drop(columns="yr")
    models = [HistGradientBoostingRegressor(random_state=0).fit(table[own], y[own]) for own in (is_first, ~is_first)]
    rows = [table[own].iloc[:: bench.choose(2, 20)] for own in (is_first, ~is_first)]
    report = _explain(models[0], *rows, model_b=models[1], labels=("2011", "2012"))
    bench.notes += list(report.sentences)
    lines = {f"bike, {line.part}, {line.name}": judge(line.value) for line in report.lines if not line.is_noise}
    return {"bike, change of the mean prediction": judge(report.change), **lines}
