"""A function of the rows: never transformed."""

from typing import Any

from ..model import BlackBox, keep_values


def wrap_function(model: Any, output: str) -> BlackBox | None:
    """Explained on what it gives."""
    if not callable(model):
        return None
    label = getattr(model, "__name__", type(model).__name__)
    if output == "probability":
        raise TypeError(f"output='probability' needs predict_proba, which {label} does not have; use output='auto'")
    return BlackBox(model, keep_values, (), f"output of {label}", label)
