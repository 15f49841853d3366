"""Three bundled tables: accuracy and log-loss by repeated cross-validation, beside boosting."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..classifiers import Makers, list_classifiers, score_shares
from ..runner import Bench, Figure, judge


def run(bench: Bench) -> dict[str, Figure]:
    """Means over the folds, and how far the default classifier is above boosting."""
    from sklearn.datasets import load_breast_cancer, load_digits, load_wine

    makers = list_classifiers(bench, (2,), pairwise=False, ebm=False)
    figures: dict[str, Figure] = {}
    for name, load, n_repeats in (("breast cancer", load_breast_cancer, 4), ("wine", load_wine, 4), ("digits", load_digits, 1)):
        figures |= _measure(name, load(return_X_y=True, as_frame=True), makers, bench, n_repeats)
    return figures


def _measure(name: str, table: tuple[Any, Any], makers: Makers, bench: Bench, n_repeats: int) -> dict[str, Figure]:
    from sklearn.model_selection import RepeatedStratifiedKFold

    X, y = table
    n_splits, n_repeats = bench.choose((5, n_repeats), (3, 1))
    samples: dict[tuple[str, str], list[float]] = {}
    for train, test in RepeatedStratifiedKFold(n_splits=n_splits, n_repeats=n_repeats, random_state=0).split(X, y):
        for maker, make in makers.items():
            model = make().fit(X.iloc[train], y.iloc[train])
            for what, value in score_shares(model.classes_, model.predict_proba(X.iloc[test]), y.iloc[test]).items():
                samples.setdefault((maker, what), []).append(value)
    bench.notes.append(f"{name}: {n_splits} folds, {n_repeats} times")
    means = {key: float(np.mean(values)) for key, values in samples.items()}
    figures = {f"{name}, {maker}: {what}": judge(mean) for (maker, what), mean in means.items()}
    for what in ("accuracy", "log-loss"):
        figures[f"{name}: {what} above HistGB"] = judge(means["order 2", what] - means["HistGB", what])
    return figures
