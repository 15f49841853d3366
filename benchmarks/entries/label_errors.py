"""Standard errors of fits by likelihood: how often their 90 % intervals hold the values of the law behind the labels."""

from __future__ import annotations

import warnings

import numpy as np

from ..runner import Bench, Figure, judge

N_ROWS, N_SHOWN = 500, 50


def run(bench: Bench) -> dict[str, Figure]:
    """Coverage over redraws of labels and rows: Shapley values and shape functions of two independent columns.

    The log-odds are a straight line in one column and a sine in the other, so that the exact values are known. Smoothing has a
    bias, which standard errors estimate from the fit.
    """
    import instashap

    inside: dict[str, list[float]] = {}
    shown = np.random.default_rng(99).uniform(-1.5, 1.5, size=(N_SHOWN, 2))
    exact = np.column_stack([shown[:, 0], np.sin(2 * shown[:, 1])])
    for seed in range(bench.choose(40, 5)):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(N_ROWS, 2))
        odds = X[:, 0] + np.sin(2 * X[:, 1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", instashap.InstashapWarning)
            fits = {
                "classes": instashap.AdditiveClassifier(order=1).fit(X, rng.random(N_ROWS) < 1 / (1 + np.exp(-odds))),
                "counts": instashap.AdditiveRegressor(order=1, loss="poisson").fit(X, rng.poisson(np.exp(odds / 2))),
            }
            for name, fit in fits.items():
                explanation = fit.explain(shown, errors=True)
                truth = exact / (1 if name == "classes" else 2)
                distance = np.abs(explanation.values - truth)
                for column, what in enumerate(("a line", "a sine")):
                    share = np.mean(distance[:, column] <= 1.729 * explanation.standard_errors[:, column])
                    inside.setdefault(f"{name}, Shapley values of {what}: coverage of 90 % intervals", []).append(float(share))
    return {name: judge(float(np.mean(shares))) for name, shares in inside.items()}
