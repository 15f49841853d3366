"""What synthetic rows add where the model can be asked: Shapley values beside the exact ones of the conditional game."""

from __future__ import annotations

import importlib.util
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..data import find_truth, load_truth
from ..runner import Bench, Figure, judge

N_ROWS = (300, 2_000, 20_000)
SETTINGS: dict[str, Any] = {"rows alone": 0, "synthetic rows": "auto"}


def run(bench: Bench) -> dict[str, Figure]:
    """SHAP R² and processor seconds of a fit, for each truth file that has a simulator beside it."""
    figures: dict[str, Figure] = {}
    for path in find_truth(bench):
        model = _find_model(path)
        if model is not None:
            for n_rows in N_ROWS[: 1 if bench.quick else None]:
                figures |= _measure(path, model, n_rows)
    if not figures:
        bench.notes.append("the simulators of the truth files, families.py, are not beside them")
    return figures


def _find_model(path: Path) -> Any:
    """The black box of a truth file; None if its simulator is not there."""
    source = path.parent / "families.py"
    specification = importlib.util.spec_from_file_location("families", source) if source.exists() else None
    if specification is None or specification.loader is None:
        return None
    families = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(families)
    try:
        black_box = families.make(path.stem).f
    except KeyError:
        return None
    return lambda rows: black_box(np.asarray(rows, dtype=np.float64))


def _measure(path: Path, model: Any, n_rows: int) -> dict[str, Figure]:
    import instashap

    truth = load_truth(path, n_rows)
    exact = truth["shap_test"]
    figures = {}
    for setting, number in SETTINGS.items():
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", instashap.FitWarning)
            explainer = instashap.Explainer(model, synthetic_rows=number).fit(truth["X_train"])
        seconds = time.process_time() - start
        estimate = explainer.shap_values(truth["X_test"])
        score = 1.0 - float(np.sum((estimate - exact) ** 2) / np.sum(exact**2))
        figures[f"{path.stem}, {n_rows} rows, {setting}: SHAP R²"] = judge(score)
        figures[f"{path.stem}, {n_rows} rows, {setting}: fit"] = judge(seconds, "s")
    return figures
