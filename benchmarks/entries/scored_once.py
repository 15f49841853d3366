"""A model that is asked once for each row and never again: what so many scored rows give."""

from __future__ import annotations

import time
import warnings

import numpy as np

from ..runner import Bench, Figure, judge

N_SCORED = (200, 500, 1000)


def run(bench: Bench) -> dict[str, Figure]:
    """SHAP R² to exact values on rows that were not scored, held-out R² of the fit's facts, and processor seconds, by rows.

    The model is a quadratic function of eight Gaussian columns of equal correlation .6, whose conditional Shapley values are
    exact; only its outputs are passed, as those of a slow or remote model would be.
    """
    import instashap
    from instashap.datasets import make_equicorrelated

    simulator = make_equicorrelated(random_state=0)
    X_new, _ = simulator.sample(bench.choose(2000, 200), 99)
    exact = simulator.shap_values(X_new)
    figures: dict[str, Figure] = {}
    instashap.warm_up()
    for n_rows in N_SCORED[: bench.choose(len(N_SCORED), 1)]:
        shares, fidelities, seconds = [], [], []
        for seed in range(bench.choose(2, 1)):
            X, outputs = simulator.sample(n_rows, seed)
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", instashap.FitWarning)
                explainer = instashap.Explainer(None).fit(X, outputs=outputs)
            seconds.append(time.process_time() - start)
            values = explainer.shap_values(X_new)
            shares.append(1.0 - float(np.sum((values - exact) ** 2) / np.sum(exact**2)))
            fidelities.append(float(explainer.fit_facts_["chosen"]["fidelity"]))
        name = f"{n_rows} rows scored"
        figures[f"{name}: SHAP R²"] = judge(float(np.mean(shares)), samples=shares)
        figures[f"{name}: held-out R² to the model"] = judge(float(np.mean(fidelities)), samples=fidelities)
        figures[f"{name}: fit"] = judge(float(np.median(seconds)), "s of processor time", samples=seconds)
    return figures
