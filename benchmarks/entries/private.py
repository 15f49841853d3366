"""What noise on moments costs: R² of Shapley values of noisy moments to those of the same rows without noise, by epsilon."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runner import Bench, Figure, judge

EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0)
DELTA, OUTPUT_RANGE = 1e-6, (-6.0, 6.0)
# Options of the plan by name; it is made on 2 000 rows that everyone may see.
_PLANS: dict[str, dict[str, Any]] = {
    "4 columns, order 1": {"order": 1},
    "4 columns, one pair": {"order": 2, "interactions": [(1, 2)], "presence_order": 2},
}


def run(bench: Bench) -> dict[str, Figure]:
    """Medians over draws of the noise; delta 1e-6, outputs clipped to -6 … 6, Shapley values of 3 000 new rows."""
    import instashap
    from instashap.questions.private_moments import accumulate_with_noise

    figures: dict[str, Figure] = {}
    rng = np.random.default_rng(0)
    public, new = _draw(rng, 2000), _draw(rng, 3000)[0]
    for name, options in _PLANS.items():
        explainer = instashap.Explainer(synthetic_rows=0, n_jobs=1, **options).fit(public[0], outputs=public[1])
        for n_rows in bench.choose((20_000, 200_000), (4_000,)):
            X, outputs = _draw(rng, n_rows)
            expected = explainer.refit(explainer.accumulate(X, outputs)).shap_values(new)
            for epsilon in EPSILONS:
                found = []
                for seed in range(bench.choose(9, 2)):
                    noise: dict[str, Any] = {"epsilon": epsilon, "delta": DELTA, "output_range": OUTPUT_RANGE}
                    moments = accumulate_with_noise(explainer, X, outputs, **noise, random_state=seed)
                    found.append(_compute_r2(explainer.refit(moments).shap_values(new), expected))
                figures[f"{name}, {n_rows:,} rows, epsilon {epsilon:g}: R²"] = judge(median(found), samples=found)
    return figures


def _draw(rng: np.random.Generator, n_rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    X = rng.normal(size=(n_rows, 4))
    return X, np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + X[:, 3] / 2


def _compute_r2(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    return float(1 - ((found - expected) ** 2).sum() / ((expected - expected.mean(axis=0)) ** 2).sum())
