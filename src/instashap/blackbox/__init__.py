"""Black box in: any predictor as numbers on a stated scale."""

from .adapters import wrap_model
from .model import BlackBox

__all__ = ["BlackBox", "wrap_model"]
