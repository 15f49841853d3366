"""From independent columns to a correlation of .99: how far shapes, Shapley values and purified terms can be believed.

Two correlated pairs of Gaussian columns and a quadratic function, so that everything is known exactly: conditional Shapley
values, and the Stone–Hooker parts, where ``x1 x2`` of a pair with correlation ρ leaves ``ρ / (1 + ρ²) (x1² - 1)`` to x1 and as
much to x2. Labels carry noise; the same experiment is drawn again and again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runner import Bench, Figure, judge

Rows = NDArray[np.float64]
CORRELATIONS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999)
LINEAR = np.array([1.0, 0.5, -1.0, 0.5])
# Products x1 x2 (a correlated pair) and x1 x3 (across pairs).
WITHIN, ACROSS = 1.0, 0.7
NOISE = 0.5
# Mass of the full coalition beside an interior of 1 from which a fit counts as unmasked.
UNMASKED = 1e6
# A purified main effect whose error is this share of its own size says nothing any more.
BROKEN = 0.5
PURIFIED = "purified (Stone-Hooker) main effects, relative error"


def run(bench: Bench) -> dict[str, Figure]:
    """Spread between redraws and error against the exact values, by correlation; where purified terms break down."""
    n_draws, n_rows = bench.choose(6, 2), bench.choose(1500, 500)
    figures: dict[str, Figure] = {}
    errors = []
    for correlation in CORRELATIONS if not bench.quick else CORRELATIONS[::3]:
        found = _measure(correlation, n_draws, n_rows)
        errors.append((correlation, found[PURIFIED]))
        figures |= {f"correlation {correlation:g}: {label}": judge(value) for label, value in found.items()}
    broken = [correlation for correlation, error in errors if error > BROKEN]
    if broken:
        figures["purified main effects break down from a correlation of"] = judge(broken[0])
    else:
        bench.notes.append(f"no purified main effect missed by more than {BROKEN:.0%} of its size")
    return figures


def make_simulator(correlation: float) -> Any:
    """Quadratic function of two correlated pairs, output variance about 4."""
    from instashap.datasets import GaussianQuadratic

    covariance = np.eye(4)
    covariance[0, 1] = covariance[1, 0] = covariance[2, 3] = covariance[3, 2] = correlation
    quadratic = np.zeros((4, 4))
    quadratic[0, 1] = quadratic[1, 0] = WITHIN / 2
    quadratic[0, 2] = quadratic[2, 0] = ACROSS / 2
    return GaussianQuadratic(covariance, LINEAR, quadratic)


def compute_pure_effects(X: Rows, correlation: float) -> Rows:
    """Exact Stone–Hooker main effects, shape (n_rows, 4)."""
    effects = X * LINEAR
    effects[:, :2] += WITHIN * correlation / (1 + correlation**2) * (X[:, :2] ** 2 - 1)
    return np.asarray(effects)


def _measure(correlation: float, n_draws: int, n_rows: int) -> dict[str, float]:
    simulator = make_simulator(correlation)
    X_test, _ = simulator.sample(500, 999)
    exact, pure = simulator.shap_values(X_test), compute_pure_effects(X_test, correlation)
    kept: dict[str, list[Rows]] = {}
    for draw in range(n_draws):
        X, outputs = simulator.sample(n_rows, draw)
        labels = outputs + NOISE * np.random.default_rng(draw).normal(size=n_rows)
        for name, values in _fit_and_read(X, labels, X_test).items():
            kept.setdefault(name, []).append(values)
    size = float(np.sqrt(simulator.variance))
    purified = _miss(kept["order 2, plain GAM, purified (Stone-Hooker)"], pure)
    spreads = {f"spread of shapes, {name}": _spread(kept[name]) / size for name in kept if not name.startswith("SHAP")}
    return {
        **spreads,
        PURIFIED: purified,
        "SHAP R², masked fit": 1 - _miss(kept["SHAP masked"], exact) ** 2,
        "SHAP R², plain GAM": 1 - _miss(kept["SHAP plain"], exact) ** 2,
    }


def _fit_and_read(X: Rows, labels: Rows, X_test: Rows) -> dict[str, Rows]:
    """Shapes on the test rows, one a column, of masked and unmasked fits to the same labels; and Shapley values of these."""
    import instashap

    def fit(order: int, **options: Any) -> Any:
        return instashap.Explainer(order=order, interactions="all", **options).fit(X, outputs=labels)

    masked, plain = fit(2), fit(2, presence_order=2, full_weight=UNMASKED)
    single, plain_single = fit(1, presence_order=1), fit(1, presence_order=1, full_weight=UNMASKED)
    return {
        "order 1, masked fit": _read_main_effects(single, X_test),
        "order 1, plain GAM": _read_main_effects(plain_single, X_test),
        "order 2, masked fit, alone": np.stack([masked.mobius_values(X_test, [player]) for player in range(4)], axis=1),
        "order 2, masked fit, all present": _read_main_effects(masked, X_test),
        "order 2, plain GAM": _read_main_effects(plain, X_test),
        "order 2, plain GAM, purified (Stone-Hooker)": _read_main_effects(plain.purify("stone-hooker", X), X_test),
        "SHAP masked": masked.shap_values(X_test),
        "SHAP plain": plain.shap_values(X_test),
    }


def _read_main_effects(explainer: Any, X: Rows) -> Rows:
    values = explainer.interaction_values(X)
    return np.asarray(values[:, [explainer.terms_.index((column,)) for column in range(4)]])


def _spread(draws: list[Rows]) -> float:
    """Root mean square over rows and features of the standard deviation between draws."""
    return float(np.sqrt(np.var(np.stack(draws), axis=0, ddof=1).mean()))


def _miss(draws: list[Rows], exact: Rows) -> float:
    """Root mean squared error relative to the root mean square of the exact values."""
    return float(np.sqrt(np.mean((np.stack(draws) - exact) ** 2) / np.mean(exact**2)))
