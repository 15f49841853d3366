"""The masked additive model: moments, the closed-form fit, and its tables."""

from .fitter import FITTERS, ClosedFormFitter, FitResult, Fitter
from .model import AdditiveModel
from .moments import Moments

__all__ = ["FITTERS", "AdditiveModel", "ClosedFormFitter", "FitResult", "Fitter", "Moments"]
