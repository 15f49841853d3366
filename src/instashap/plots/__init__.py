"""Three pictures: which features matter, what a feature does, and how one prediction comes about.

Importing this folder imports neither matplotlib nor the explainers; the first plot does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .importance import plot_importance
    from .shapes import plot_shape
    from .waterfall import plot_waterfall

_HOMES = {"plot_importance": "importance", "plot_shape": "shapes", "plot_waterfall": "waterfall"}

__all__ = ["plot_importance", "plot_shape", "plot_waterfall"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
