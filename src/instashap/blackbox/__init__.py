"""Black box in: any predictor as numbers on a stated scale."""

from .adapters import wrap_model
from .model import Answer, BlackBox

__all__ = ["Answer", "BlackBox", "wrap_model"]
