"""Small tables: seconds, and whether the default beats simpler explanations on held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..data import compute_fidelity
from ..runner import Bench, Figure, judge, judge_seconds, measure_seconds


def run(bench: Bench) -> dict[str, Figure]:
    """Fidelity to gradient boosting of two bundled tables, mean of some splits; seconds and finiteness of random tables."""
    from sklearn.datasets import load_breast_cancer, load_diabetes
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    import instashap

    instashap.warm_up()
    diabetes = load_diabetes(return_X_y=True, as_frame=True)
    cancer = load_breast_cancer(return_X_y=True, as_frame=True)
    figures = _measure_fidelity("diabetes", HistGradientBoostingRegressor(random_state=0), diabetes, bench)
    figures |= _measure_fidelity("breast cancer", HistGradientBoostingClassifier(random_state=0), cancer, bench)
    for shape in bench.choose(((200, 200), (1000, 200)), ((200, 200),)):
        figures |= _measure_random_table(shape, bench)
    return figures


def _measure_fidelity(name: str, black_box: Any, table: tuple[Any, Any], bench: Bench) -> dict[str, Figure]:
    """A classifier's outputs are its clipped log-odds, the scale an explainer states, for all contenders."""
    from sklearn.model_selection import train_test_split

    from instashap.blackbox import wrap_model

    samples: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    n_splits = bench.choose(10, 1)
    for seed in range(n_splits):
        X_train, X_test, y_train, _ = train_test_split(*table, test_size=0.25, random_state=seed)
        box = wrap_model(black_box.fit(X_train, y_train))
        outputs, held_out = (box.predict(X, len(X))[:, 0] for X in (X_train, X_test))
        for contender, make in _list_contenders().items():
            fit = make()
            spent = measure_seconds({"fit": lambda fit=fit, X=X_train, f=outputs: fit(X, f)}, 1)["fit"]
            seconds.setdefault(contender, []).extend(spent)
            samples.setdefault(contender, []).append(compute_fidelity(fit.predict(X_test), held_out))
    bench.notes.append(f"{name}: a quarter held out, splits: {n_splits}")
    figures = {}
    for contender, scores in samples.items():
        figures[f"{name}, {contender}: held-out R²"] = judge(float(np.mean(scores)), samples=scores)
        figures[f"{name}, {contender}: fit"] = judge_seconds(seconds[contender])
    return figures


class _ExplainerFit:
    """Fit on outputs, then predict: what the contenders have in common."""

    def __init__(self, **options: Any) -> None:
        from instashap import Explainer

        self._explainer = Explainer(**options)
        self.predict = self._explainer.predict

    def __call__(self, X: Any, outputs: Any) -> None:
        self._explainer.fit(X, outputs=outputs)


class _RidgeFit:
    """Ridge regression on standardised columns, strength by cross-validation."""

    def __init__(self) -> None:
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._model = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 4, 29)))
        self.predict = self._model.predict

    def __call__(self, X: Any, outputs: Any) -> None:
        self._model.fit(X, outputs)


def _list_contenders() -> dict[str, Callable[[], Any]]:
    return {"default": _ExplainerFit, "order 1": lambda: _ExplainerFit(order=1), "ridge": _RidgeFit}


def _measure_random_table(shape: tuple[int, int], bench: Bench) -> dict[str, Figure]:
    import instashap

    X = np.random.default_rng(0).normal(size=shape)
    outputs = X[:, 0] + X[:, 1] * X[:, 2]
    values: list[Any] = []

    def explain() -> None:
        values.append(instashap.Explainer().fit(X, outputs=outputs).shap_values(X))

    name = f"random {shape[0]} × {shape[1]}"
    seconds = measure_seconds({"explain": explain}, bench.repeats)["explain"]
    is_finite = all(np.isfinite(each).all() for each in values)
    return {
        f"{name}: fit and explain": judge_seconds(seconds),
        f"{name}: all values finite": judge(float(is_finite), "yes = 1", at_least=1.0),
    }
