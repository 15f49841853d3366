"""Times until an event: C-index and integrated Brier score beside Cox regression and a random survival forest."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from ..runner import Bench, Figure, Skipped, judge


def run(bench: Bench) -> dict[str, Figure]:
    """Held-out figures of two trials that scikit-survival holds and of simulated rows; fit seconds of processor time."""
    if find_spec("sksurv") is None:
        raise Skipped("scikit-survival is not installed: pip install scikit-survival")
    from sksurv.datasets import load_gbsg2, load_whas500

    figures = {}
    for name, load in {"simulated": _simulate, "breast cancer": load_gbsg2, "heart attacks": load_whas500}.items():
        X, y = load()
        figures |= _compare(name, X, y, bench)
    return figures


def _simulate() -> tuple[pd.DataFrame, Any]:
    """A hazard with a bend, a product and an effect that ends; a third of the rows are censored."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(1500, 5)), columns=list("abcde"))
    rate = np.exp(np.abs(X["a"]) + 0.7 * X["b"] * X["c"] - 1.0)
    times, ends = rng.exponential(1.0 / rate), rng.exponential(4.0, len(X))
    y = np.array(list(zip(times <= ends, np.minimum(times, ends), strict=True)), dtype=[("event", bool), ("time", float)])
    return X, y


def _compare(name: str, X: pd.DataFrame, y: Any, bench: Bench) -> dict[str, Figure]:
    from sksurv.ensemble import RandomSurvivalForest
    from sksurv.linear_model import CoxPHSurvivalAnalysis

    from instashap.survival import AdditiveSurvival

    event, when = y.dtype.names
    numbers = pd.get_dummies(X, drop_first=True).astype(float)
    found: dict[str, list[tuple[float, float]]] = {"additive": [], "Cox": [], "forest": []}
    seconds = []
    for seed in range(bench.choose(2, 1)):
        order = np.random.default_rng(seed).permutation(len(X))
        train, test = np.split(order, [int(0.7 * len(X))])
        train = train[: bench.choose(len(train), 150)]
        start = time.process_time()
        additive = AdditiveSurvival(n_jobs=1).fit(X.iloc[train], y[when][train], y[event][train])
        seconds.append(time.process_time() - start)
        times = _choose_times(y[when], y[event], train, test, additive.period_ends_[-1])
        own = additive.predict(X.iloc[test]), additive.predict_survival(X.iloc[test], times)
        found["additive"].append(_judge(y, train, test, times, *own))
        peers = {
            "Cox": CoxPHSurvivalAnalysis(alpha=1e-3),
            "forest": RandomSurvivalForest(n_estimators=bench.choose(200, 20), min_samples_leaf=10, random_state=0),
        }
        for peer, model in peers.items():
            model.fit(numbers.iloc[train], y[train])
            rows = numbers.iloc[test]
            curves = np.stack([curve(times) for curve in model.predict_survival_function(rows)])
            found[peer].append(_judge(y, train, test, times, model.predict(rows), curves))
    means = {peer: np.mean(each, axis=0) for peer, each in found.items()}
    best = max(means["Cox"][0], means["forest"][0])
    figures = {f"{name}: C-index, {peer}": judge(float(each[0])) for peer, each in means.items()}
    figures |= {f"{name}: integrated Brier score, {peer}": judge(float(each[1])) for peer, each in means.items()}
    figures[f"{name}: C-index above the best of both"] = judge(float(means["additive"][0] - best))
    figures[f"{name}: processor seconds of the fit"] = judge(float(np.median(seconds)), "s", samples=seconds)
    return figures


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
