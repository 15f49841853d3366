"""Intervals of global importance: how often those of few rows hold the exact Shapley effects and mean magnitudes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..runner import Bench, Figure, judge

COEFFICIENTS = np.array([2.0, 1.0, 0.5, 0.0])
CORRELATION = 0.5
# Rows of the table, and redraws.
TABLES = ((80, 100), (200, 60), (2000, 30))


def run(bench: Bench) -> dict[str, Figure]:
    """Coverage of 90 % intervals over redraws of a linear output of four equicorrelated Gaussian columns.

    The output of a column that has no coefficient depends on it through the others alone. Effects are exact, by enumeration of
    all coalitions; magnitudes of the Gaussian Shapley values are ``sqrt(2 / pi)`` times their standard deviations.
    """
    from instashap import Explainer

    covariance = np.full((4, 4), CORRELATION) + (1.0 - CORRELATION) * np.eye(4)
    exact = dict(zip(("variance", "mean_abs"), _compute_exact(covariance), strict=True))
    root = np.linalg.cholesky(covariance)
    figures = {}
    for n_rows, n_draws in TABLES:
        inside: dict[str, list[NDArray[np.bool_]]] = {kind: [] for kind in exact}
        for seed in range(bench.choose(n_draws, 3)):
            X = np.random.default_rng(seed).normal(size=(n_rows, 4)) @ root.T
            explainer = Explainer(order=1).fit(X, outputs=X @ COEFFICIENTS)
            for kind, values in exact.items():
                found = explainer.importance(kind).loc[list(explainer.feature_names_)]
                inside[kind].append(((found["low"] <= values) & (values <= found["high"])).to_numpy())
        for kind, held in inside.items():
            coverage = float(np.mean(held))
            figures[f"{n_rows} rows, {kind}: coverage of 90 % intervals"] = judge(coverage)
            figures[f"{n_rows} rows, {kind}: distance of that coverage from 90 %"] = judge(abs(coverage - 0.9))
    return figures


def _compute_exact(covariance: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from instashap.game.coalitions import enumerate_coalitions
    from instashap.game.exact import compute_shapley_values

    slopes = []  # of E[f | x_S] along the columns, for each coalition S
    for mask in enumerate_coalitions(len(covariance)):
        projected = np.zeros(len(covariance))
        projected[mask] = np.linalg.solve(covariance[np.ix_(mask, mask)], covariance[mask] @ COEFFICIENTS)
        slopes.append(projected)
    effects = compute_shapley_values(np.array([slope @ covariance @ slope for slope in slopes]))
    credits = np.array([compute_shapley_values(column) for column in np.array(slopes).T])  # (n_columns, n_players)
    return effects, np.sqrt(2.0 / np.pi * np.diag(credits.T @ covariance @ credits))
