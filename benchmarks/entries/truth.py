"""Shapley values beside the exact ones of the conditional game."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..data import find_truth, load_truth
from ..runner import Bench, Figure, judge, judge_seconds, measure_seconds

SETTINGS: dict[str, dict[str, Any]] = {"presence order 2": {"presence_order": 2}, "default": {}}


def run(bench: Bench) -> dict[str, Figure]:
    """SHAP R² ``1 - Σ(est - true)² / Σ true²`` on held-out rows of every truth file, and fit seconds."""
    import instashap

    instashap.warm_up()
    figures: dict[str, Figure] = {}
    for path in find_truth(bench):
        figures |= _measure_file(path, bench)
    if bench.quick:
        bench.notes.append("quick: the first 500 training rows of each file")
    return figures


def _measure_file(path: Path, bench: Bench) -> dict[str, Figure]:
    import instashap

    truth = load_truth(path, bench.choose(None, 500))
    exact = truth["shap_test"]
    figures = {}
    for setting, options in SETTINGS.items():
        explainer = instashap.Explainer(None, categorical=truth["categorical"] or "auto", **options)
        fit = {"fit": lambda made=explainer: made.fit(truth["X_train"], outputs=truth["f_train"])}
        seconds = measure_seconds(fit, 1)["fit"]
        estimate = explainer.shap_values(truth["X_test"])
        score = 1.0 - float(np.sum((estimate - exact) ** 2) / np.sum(exact**2))
        figures[f"{path.stem}, {setting}: SHAP R²"] = judge(score)
        figures[f"{path.stem}, {setting}: fit"] = judge_seconds(seconds)
    return figures
