"""Functions of the rows, whose results are never transformed."""

from typing import Any

from ..model import BlackBox, keep_values
from .families import watch_labels


def wrap_function(model: Any, output: str) -> BlackBox | None:
    """Black box of the function's results; an attribute ``output_names`` of the function names their columns."""
    if not callable(model):
        return None
    label = getattr(model, "__name__", type(model).__name__)
    if output == "probability":
        raise TypeError(f"output='probability' needs predict_proba, which {label} does not have; use output='auto'")
    _refuse_labels(model, label)
    names = tuple(map(str, getattr(model, "output_names", ())))
    return BlackBox(watch_labels(model, label), keep_values, names, f"output of {label}", label)


def _refuse_labels(function: Any, label: str) -> None:
    """Raise for the ``predict`` of a classifier or a clustering: its labels are not amounts, even if they are numbers."""
    owner = getattr(function, "__self__", None)
    if label != "predict" or owner is None:
        return
    classes = getattr(owner, "classes_", None)
    if hasattr(owner, "labels_") or (classes is not None and len(classes)):
        raise TypeError(
            f"{type(owner).__name__}.predict gives labels, which are not amounts; pass the model itself instead of its predict"
        )
