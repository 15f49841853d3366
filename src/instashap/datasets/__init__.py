"""Simulators whose Shapley values are known exactly, and the real tables the examples use.

A simulator knows the law of its rows, so its conditional game ``v(S) = E[f(X) | X_S = x_S]`` is a closed form and its
Shapley values are exact: the yardstick for every estimate in this library. :class:`GaussianQuadratic` has smooth, strongly
dependent numbers; :class:`LatentClass` has categories with steps and three-way terms.

The loaders read a local Parquet file, or else download through scikit-learn and its cache.
"""

from .gaussian import GaussianQuadratic, make_equicorrelated, make_factor, make_panel
from .latent_class import LatentClass, make_latent_class
from .loaders import load_adult, load_bike_sharing, load_california_housing, load_covertype

__all__ = [
    "GaussianQuadratic",
    "LatentClass",
    "load_adult",
    "load_bike_sharing",
    "load_california_housing",
    "load_covertype",
    "make_equicorrelated",
    "make_factor",
    "make_latent_class",
    "make_panel",
]
