"""Black boxes: outputs of any predictor as numbers on a stated scale, and games that call it."""

from .adapters import wrap_model
from .model import Answer, BlackBox

__all__ = ["Answer", "BlackBox", "wrap_model"]
