"""Shapley values of the words of texts, for any model of texts: an additive model of words, then sampled coalitions."""

from .text_explainer import TextExplainer
from .text_explanation import TextExplanation

__all__ = ["TextExplainer", "TextExplanation"]
