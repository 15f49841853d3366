"""Neural forms, with torch (extra ``neural``): additive nets with an exact mask-free loss, masked surrogates, FastSHAP, images.

>>> import instashap.neural
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .._optional import require

# Public names and their modules; torch is imported when the first of them is used.
_HOMES: dict[str, str] = {
    "FastSHAPExplainer": "fastshap",
    "ImageExplainer": "images.explainer",
    "ImageExplanation": "images.explanation",
    "MaskedClassifier": "images.black_box",
    "MaskedSurrogate": "surrogate",
    "NetShape": "nets",
    "NeuralAdditiveClassifier": "estimators",
    "NeuralAdditiveRegressor": "estimators",
    "NeuralFitter": "fitter",
    "TrainingPlan": "training",
    "compute_curves": "images.curves",
    "search_frontier": "frontier",
    "train_masked_classifier": "images.black_box",
}

__all__ = [
    "FastSHAPExplainer",
    "ImageExplainer",
    "ImageExplanation",
    "MaskedClassifier",
    "MaskedSurrogate",
    "NetShape",
    "NeuralAdditiveClassifier",
    "NeuralAdditiveRegressor",
    "NeuralFitter",
    "TrainingPlan",
    "compute_curves",
    "search_frontier",
    "train_masked_classifier",
]

if TYPE_CHECKING:
    from .estimators import NeuralAdditiveClassifier, NeuralAdditiveRegressor
    from .fastshap import FastSHAPExplainer
    from .fitter import NeuralFitter
    from .frontier import search_frontier
    from .images.black_box import MaskedClassifier, train_masked_classifier
    from .images.curves import compute_curves
    from .images.explainer import ImageExplainer
    from .images.explanation import ImageExplanation
    from .nets import NetShape
    from .surrogate import MaskedSurrogate
    from .training import TrainingPlan


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require("torch", extra="neural", purpose="neural models")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
