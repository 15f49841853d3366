"""Explanations over HTTP, from a saved explainer."""

from .app import make_app
from .limits import Limits

__all__ = ["Limits", "make_app"]
