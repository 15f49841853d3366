"""Keras models: ``predict`` without its progress bar, on numbers in single precision."""

from typing import Any

from ..model import BlackBox, keep_values
from .families import comes_from, refuse_probability, to_numbers


def wrap_keras(model: Any, output: str) -> BlackBox | None:
    """Black box of the output of the last layer."""
    if not any(comes_from(model, package, "Model") for package in ("keras", "tf_keras", "tensorflow")):
        return None
    refuse_probability(model, output, "does not say what its outputs are")
    source = f"{type(model).__name__}.predict"
    return BlackBox(
        lambda X: model.predict(to_numbers(X, source), verbose=0), keep_values, (), "output of predict", source
    )
