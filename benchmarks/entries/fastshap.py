"""SHAP R² against seconds: FastSHAP as published, our closed form, and FastSHAP of what the closed form leaves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import find_truth, load_truth
from ..runner import Bench, Figure, Skipped, judge

# Training steps of the surrogate, and again of the explainer.
N_STEPS = (750, 3000)
# What the nets over a base may take; they have little to learn.
N_RESIDUAL_STEPS = (1500,)
# Of the additive nets, on half as many rows a step.
N_GAM_STEPS = (400, 1600)
BATCH_ROWS = 512

# Of a truth set, a number of steps and the run's options: something fitted that has ``shap_values(X)``.
Method = Callable[[dict[str, Any], int, Bench], Any]


def fit_closed_form(truth: dict[str, Any], n_steps: int, bench: Bench, presence_order: int | str = "auto") -> Any:
    """The default explainer; it takes no steps."""
    import instashap

    explainer = instashap.Explainer(None, presence_order=presence_order, categorical=truth["categorical"] or "auto")
    return explainer.fit(truth["X_train"], outputs=truth["f_train"])


def fit_fastshap(truth: dict[str, Any], n_steps: int, bench: Bench) -> Any:
    """A masked surrogate and an explainer trained on it."""
    return _fit_nets(truth, n_steps, bench, {"categorical": truth["categorical"] or "auto"})


def fit_residual_fastshap(truth: dict[str, Any], n_steps: int, bench: Bench, presence_order: int | str = "auto") -> Any:
    """The same over the closed form: both nets learn what it leaves."""
    return _fit_nets(truth, n_steps, bench, {"base": fit_closed_form(truth, 0, bench, presence_order)})


def fit_neural_gam(truth: dict[str, Any], n_steps: int, bench: Bench) -> Any:
    """Nets of main effects and pairs under presence sets, weighed in closed form."""
    import instashap
    from instashap.neural import NeuralFitter
    from instashap.neural.net_fitter import PLAN

    n_epochs = bench.choose(max(round(n_steps * PLAN.batch_rows / len(truth["X_train"])), 1), 2)
    fitter = partial(NeuralFitter, plan=replace(PLAN, n_epochs=n_epochs, patience=n_epochs, device=bench.device))
    explainer = instashap.Explainer(None, categorical=truth["categorical"] or "auto", fitter=fitter)
    return explainer.fit(truth["X_train"], outputs=truth["f_train"])


def _fit_nets(truth: dict[str, Any], n_steps: int, bench: Bench, options: dict[str, Any]) -> Any:
    from instashap.neural import FastSHAPExplainer, TrainingPlan

    n_epochs = bench.choose(max(round(n_steps * BATCH_ROWS / len(truth["X_train"])), 1), 2)
    plan = TrainingPlan(n_epochs=n_epochs, patience=n_epochs, batch_rows=BATCH_ROWS, device=bench.device)
    slow = replace(plan, learning_rate=2e-3)  # the defaults' own rates
    explainer = FastSHAPExplainer(plan=slow, surrogate_plan=plan, random_state=0, **options)
    return explainer.fit(truth["X_train"], outputs=truth["f_train"])


# By name: the method, and the numbers of steps to try. A new one is a line here.
METHODS: dict[str, tuple[Method, tuple[int, ...]]] = {
    "closed form": (fit_closed_form, (0,)),
    "neural GAM": (fit_neural_gam, N_GAM_STEPS),
    "FastSHAP": (fit_fastshap, N_STEPS),
    "closed form + FastSHAP": (fit_residual_fastshap, N_RESIDUAL_STEPS),
    # A base of pairs that leaves something to learn where columns are correlated.
    "pairs alone": (partial(fit_closed_form, presence_order=2), (0,)),
    "pairs alone + FastSHAP": (partial(fit_residual_fastshap, presence_order=2), N_RESIDUAL_STEPS),
}


def run(bench: Bench) -> dict[str, Figure]:
    """SHAP R² on held-out rows, seconds by the wall and of the processor, for every truth file, method and number of steps."""
    try:
        import torch
    except ImportError as error:
        raise Skipped("FastSHAP needs torch, which is not installed") from error
    import instashap

    instashap.warm_up()
    figures: dict[str, Figure] = {}
    files = find_truth(bench)
    for path in bench.choose(files, files[:1]):
        truth = load_truth(path, bench.choose(None, 500))
        for name, (fit, numbers) in METHODS.items():
            for n_steps in bench.choose(numbers, numbers[:1]):
                label = f"{path.stem}, {name}" + (f", {n_steps} steps" if n_steps else "")
                figures |= measure_method(label, fit, truth, n_steps, bench)
    bench.notes += [
        f"{torch.get_num_threads()} threads of torch on {len(os.sched_getaffinity(0))} cores, device {bench.device}; other "
        "work was running: processor seconds are the ones to compare"
    ]
    return figures


def measure_method(label: str, fit: Method, truth: dict[str, Any], n_steps: int, bench: Bench) -> dict[str, Figure]:
    """Figures of one fit: all its seconds count, the base's and the surrogate's too."""
    wall, processor = time.perf_counter(), time.process_time()
    explainer = fit(truth, n_steps, bench)
    seconds, used = time.perf_counter() - wall, time.process_time() - processor
    figures = {
        f"{label}: SHAP R²": judge(score_values(explainer.shap_values(truth["X_test"]), truth["shap_test"])),
        f"{label}: seconds": judge(seconds, "s"),
        f"{label}: processor seconds": judge(used, "s"),
    }
    print(f"  {label}: {figures[f'{label}: SHAP R²']['figure']:.5f} in {used:.0f} s", flush=True)
    return figures


def score_values(estimate: NDArray[np.float64], exact: NDArray[np.float64]) -> float:
    """``1 - Σ(est - true)² / Σ true²``."""
    return float(1 - np.sum((estimate - exact) ** 2) / np.sum(exact**2))
