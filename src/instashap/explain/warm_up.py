"""Compilation of all kernels ahead of use."""

import numpy as np

from .explainer import Explainer


def warm_up() -> None:
    """Compile the kernels of fits and explanations now instead of at first use: it takes seconds once, then they are cached."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    Explainer(interactions="all").fit(X, outputs=X[:, 0] * X[:, 1] + X[:, 0]).shap_values(X)
