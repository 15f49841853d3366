"""Black box in: any predictor as numbers on a stated scale."""

from .model import BlackBox, wrap_model

__all__ = ["BlackBox", "wrap_model"]
