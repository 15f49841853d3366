"""Three pictures: which features matter, what a feature does, and how one prediction comes about.

Importing this folder does not import matplotlib; the first plot does.
"""

from .importance import plot_importance
from .shapes import plot_shape
from .waterfall import plot_waterfall

__all__ = ["plot_importance", "plot_shape", "plot_waterfall"]
