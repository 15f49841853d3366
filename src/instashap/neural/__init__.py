"""Neural forms, with torch (extra ``neural``): additive nets with an exact mask-free loss, masked surrogates, FastSHAP, images.

>>> import instashap.neural
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .._optional import require

# Public names and their modules; torch is imported when the first of them is used.
_HOMES: dict[str, str] = {
    "FastSHAPExplainer": "fastshap",
    "ImageExplainer": "images.image_explainer",
    "ImageExplanation": "images.image_explanation",
    "MaskedClassifier": "images.black_box",
    "MaskedSurrogate": "surrogate",
    "NetShape": "nets",
    "NeuralAdditiveClassifier": "net_estimators",
    "NeuralAdditiveRegressor": "net_estimators",
    "NeuralFitter": "net_fitter",
    "PretrainedClassifier": "images.pretrained",
    "TrainingPlan": "training",
    "compute_curves": "images.image_curves",
    "explain_segments": "images.image_segments",
    "search_frontier": "term_search",
    "train_masked_classifier": "images.black_box",
    "wrap_pretrained": "images.pretrained",
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
    "PretrainedClassifier",
    "TrainingPlan",
    "compute_curves",
    "explain_segments",
    "search_frontier",
    "train_masked_classifier",
    "wrap_pretrained",
]

if TYPE_CHECKING:
    from .fastshap import FastSHAPExplainer
    from .images.black_box import MaskedClassifier, train_masked_classifier
    from .images.image_curves import compute_curves
    from .images.image_explainer import ImageExplainer
    from .images.image_explanation import ImageExplanation
    from .images.image_segments import explain_segments
    from .images.pretrained import PretrainedClassifier, wrap_pretrained
    from .net_estimators import NeuralAdditiveClassifier, NeuralAdditiveRegressor
    from .net_fitter import NeuralFitter
    from .nets import NetShape
    from .surrogate import MaskedSurrogate
    from .term_search import search_frontier
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
