"""Times until an event: C-index and integrated Brier score beside Cox regression and a random survival forest, both tuned."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from ..runner import Bench, Figure, Skipped, judge

# Splits into seven tenths to fit and three to judge on.
N_SPLITS = 4


def run(bench: Bench) -> dict[str, Figure]:
    """Held-out figures of trials that scikit-survival holds and of simulated rows; fit seconds of processor time.

    The additive model has its default settings, and order 1 on the trials, which have too few events for pairs. The forest's
    leaves are chosen by its rows out of bag, the ridge of Cox regression by five folds of the rows to fit.
    """
    if find_spec("sksurv") is None:
        raise Skipped("scikit-survival is not installed: pip install scikit-survival")
    from sksurv.datasets import load_gbsg2, load_veterans_lung_cancer, load_whas500

    trials = {"breast cancer": load_gbsg2, "heart attacks": load_whas500, "lung cancer": load_veterans_lung_cancer}
    figures = _compare("simulated", *_simulate(), 2, bench)
    for name, load in trials.items():
        figures |= _compare(name, *load(), 1, bench)
    return figures


def _simulate() -> tuple[pd.DataFrame, Any]:
    """A hazard with a bend and a product of two columns; a third of the rows are censored."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(800, 5)), columns=list("abcde"))
    rate = np.exp(np.abs(X["a"]) + 0.7 * X["b"] * X["c"] - 1.0)
    times, ends = rng.exponential(1.0 / rate), rng.exponential(4.0, len(X))
    y = np.array(list(zip(times <= ends, np.minimum(times, ends), strict=True)), dtype=[("event", bool), ("time", float)])
    return X, y


def _compare(name: str, X: pd.DataFrame, y: Any, order: int, bench: Bench) -> dict[str, Figure]:
    from instashap.survival import AdditiveSurvival

    event, when = y.dtype.names
    numbers = pd.get_dummies(X, drop_first=True).astype(float)
    found: dict[str, list[tuple[float, float]]] = {"additive": [], "Cox": [], "forest": []}
    seconds = []
    for seed in range(bench.choose(N_SPLITS, 1)):
        shuffled = np.random.default_rng(seed).permutation(len(X))
        train, test = np.split(shuffled, [int(0.7 * len(X))])
        train = train[: bench.choose(len(train), 150)]
        start = time.process_time()
        model = AdditiveSurvival(order=order, n_jobs=1)
        additive = model.fit(X.iloc[train], y[when][train], y[event][train])
        seconds.append(time.process_time() - start)
        times = _choose_times(y[when], y[event], train, test, additive.period_ends_[-1])
        own = additive.predict(X.iloc[test]), additive.predict_survival(X.iloc[test], times)
        found["additive"].append(_judge(y, train, test, times, *own))
        rows = numbers.iloc[test]
        for peer, fitted in _fit_peers(numbers.iloc[train], y[train], bench).items():
            curves = np.stack([curve(times) for curve in fitted.predict_survival_function(rows)])
            found[peer].append(_judge(y, train, test, times, fitted.predict(rows), curves))
    indices = {peer: [float(each[0]) for each in judged] for peer, judged in found.items()}
    figures = {f"{name}: C-index, {peer}": judge(float(np.mean(each)), samples=each) for peer, each in indices.items()}
    figures |= {
        f"{name}: integrated Brier score, {peer}": judge(float(np.mean([each[1] for each in judged])))
        for peer, judged in found.items()
    }
    best = max(("Cox", "forest"), key=lambda peer: float(np.mean(indices[peer])))
    gains = np.subtract(indices["additive"], indices[best])
    figures[f"{name}: C-index above the best of both"] = judge(float(gains.mean()), at_least=-0.01, samples=gains)
    figures[f"{name}: processor seconds of the fit"] = judge(float(np.median(seconds)), "s", samples=seconds)
    return figures


def _fit_peers(X: pd.DataFrame, y: Any, bench: Bench) -> dict[str, Any]:
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sksurv.ensemble import RandomSurvivalForest
    from sksurv.linear_model import CoxPHSurvivalAnalysis

    cox = make_pipeline(StandardScaler(), CoxPHSurvivalAnalysis())
    ridges = {"coxphsurvivalanalysis__alpha": [0.01, 1.0, 10.0, 100.0]}
    forests = [
        RandomSurvivalForest(bench.choose(200, 20), min_samples_leaf=size, oob_score=True, random_state=0).fit(X, y)
        for size in (3, 10, 30)
    ]
    best = max(forests, key=lambda forest: float(forest.oob_score_))
    return {"Cox": GridSearchCV(cox, ridges, cv=5).fit(X, y).best_estimator_, "forest": best}


def _choose_times(when: Any, event: Any, train: Any, test: Any, last: float) -> Any:
    """Times at which all curves and weights of censoring are known."""
    low, high = np.quantile(when[test][event[test]], [0.1, 0.9])
    return np.linspace(low, min(high, last, 0.999 * when[train].max(), 0.999 * when[test].max()), 30)


def _judge(y: Any, train: Any, test: Any, times: Any, risk: Any, curves: Any) -> tuple[float, float]:
    """Harrell's C-index, and the Brier score weighted by censoring, averaged over time."""
    from sksurv.metrics import concordance_index_censored, integrated_brier_score

    event, when = y.dtype.names
    inside = y[test][when] < y[train][when].max()
    concordance = concordance_index_censored(y[event][test], y[when][test], risk)[0]
    return concordance, integrated_brier_score(y[train], y[test][inside], curves[inside], times)
