"""Figures to reach in a full run, by entry: where each should lie."""

from __future__ import annotations

TARGETS: dict[str, dict[str, tuple[str, float]]] = {
    "bike": {
        "order 1: error": ("<=", 17.4),
        "order 2: error": ("<=", 4.4),
        "order 3: error": ("<=", 4.2),
        "order 2: fit": ("<=", 15.0),
    },
    "coverage": {"largest distance of a coverage from 90 %": ("<=", 0.05)},
    "fidelity": {"order 2: held-out R² to the black box": (">=", 0.985)},
    "drift": {
        "simulated, unchanged: alarms": ("<=", 0.05),
        "simulated, unchanged, explainer on training rows: alarms": ("<=", 0.05),
        "simulated, unchanged, first rows of the fit: alarms": ("<=", 0.0),
        "simulated, retrained on other rows: alarms": (">=", 0.9),
        "simulated, learning rate .05, first rows of the fit: alarms": (">=", 0.9),
        "bike, unchanged: alarms": ("<=", 0.05),
        "bike, unchanged, explainer on training rows: alarms": ("<=", 0.05),
        "bike, unchanged, first rows of the fit: alarms": ("<=", 0.0),
        "bike, retrained on other rows: alarms": (">=", 0.9),
        "bike, learning rate .05, first rows of the fit: alarms": (">=", 0.9),
        "california, unchanged: alarms": ("<=", 0.05),
        "california, unchanged, explainer on training rows: alarms": ("<=", 0.05),
        "california, unchanged, first rows of the fit: alarms": ("<=", 0.0),
        "california, retrained on other rows: alarms": (">=", 0.9),
        "california, learning rate .05, first rows of the fit: alarms": (">=", 0.9),
        "bike of 2011, unchanged: alarms": ("<=", 0.05),
        "bike of 2011, next year's: alarms": (">=", 0.9),
    },
    "first_hour": {
        "cold: whole process without training": ("<=", 12.0),
        "warm cache: whole process without training": ("<=", 4.0),
    },
    "marginal": {"refined, 256 coalitions: relative error": ("<=", 0.02)},
    "small": {
        "diabetes, default: fit": ("<=", 2.0),
        "breast cancer, default: fit": ("<=", 2.0),
        "random 200 × 200: fit and explain": ("<=", 30.0),
        "random 1000 × 200: fit and explain": ("<=", 30.0),
    },
    "speed": {
        "explain, DataFrame": (">=", 1e6),
        "one row, ndarray": ("<=", 150.0),
        "one row, DataFrame": ("<=", 1000.0),
    },
    "truth": {
        "equicorrelated_0.6, presence order 2: SHAP R²": (">=", 0.965),
        "panel_k1_rho0.707, presence order 2: SHAP R²": (">=", 0.998),
        "panel_k1_rho0, presence order 2: SHAP R²": (">=", 0.999),
        "panel_k2_rho0, presence order 2: SHAP R²": (">=", 0.995),
        "latent_bike, presence order 2: SHAP R²": (">=", 0.97),
        "equicorrelated_0.6, default: SHAP R²": (">=", 0.998),
        "factor_rank3, default: SHAP R²": (">=", 0.99),
        "panel_k2_rho0.707, default: SHAP R²": (">=", 0.995),
        "panel_k1_rho0, default: SHAP R²": (">=", 0.9998),
        "panel_k1_rho0.707, default: SHAP R²": (">=", 0.9995),
        "panel_k2_rho0, default: SHAP R²": (">=", 0.998),
        "latent_bike, default: SHAP R²": (">=", 0.985),
    },
    "wide": {"fit": ("<=", 180.0), "peak memory": ("<=", 6.0)},
}
