"""Classifiers side by side: who they are, and how well they tell held-out labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from .data import Split
from .runner import Bench, Figure, judge, judge_seconds, measure_seconds

Makers = dict[str, Callable[[], Any]]


def list_classifiers(bench: Bench, orders: Sequence[int], *, pairwise: bool = True, ebm: bool = True) -> Makers:
    """Makers of the additive classifier at some orders, and of its peers by name."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    from instashap import AdditiveClassifier

    makers: Makers = {f"order {order}": lambda order=order: AdditiveClassifier(order=order) for order in orders}
    makers["HistGB"] = lambda: HistGradientBoostingClassifier(random_state=0)
    if pairwise:
        makers["HistGB pairwise"] = lambda: HistGradientBoostingClassifier(interaction_cst="pairwise", random_state=0)
    if ebm and find_spec("interpret") is None:
        bench.notes.append("interpret is not installed: no EBM")
    elif ebm:
        from interpret.glassbox import ExplainableBoostingClassifier

        options = bench.choose({}, {"outer_bags": 2})
        makers["EBM"] = lambda: ExplainableBoostingClassifier(random_state=0, **options)
    return makers


def measure_classifiers(makers: Makers, split: Split) -> dict[str, Figure]:
    """Accuracy, log-loss, for two classes AUC, and seconds of one fit of each (kernels compiled before)."""
    next(iter(makers.values()))().fit(split.X_train[:500], split.y_train[:500])  # compiles
    figures: dict[str, Figure] = {}
    for name, make in makers.items():
        models: list[Any] = []
        actions = {"fit": lambda make=make, models=models: models.append(make().fit(split.X_train, split.y_train))}
        seconds = measure_seconds(actions, 1)
        scored = score_shares(models[0].classes_, models[0].predict_proba(split.X_test), split.y_test)
        figures |= {f"{name}: {what}": judge(value) for what, value in scored.items()}
        figures[f"{name}: fit"] = judge_seconds(seconds["fit"])
    return figures


def score_shares(classes: Any, shares: Any, y: Any) -> Mapping[str, float]:
    """Accuracy, log-loss and, for two classes, AUC of predicted probabilities."""
    from sklearn.metrics import log_loss, roc_auc_score

    labels = np.asarray(y)
    scores = {
        "accuracy": float(np.mean(classes[shares.argmax(axis=1)] == labels)),
        "log-loss": float(log_loss(labels, shares, labels=classes)),
    }
    return scores | ({"AUC": float(roc_auc_score(labels, shares[:, 1]))} if len(classes) == 2 else {})
