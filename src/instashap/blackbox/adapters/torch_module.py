"""Modules of torch, called in evaluation mode, without gradients, on the device and in the precision of their parameters."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from ..model import BlackBox, keep_values
from .families import comes_from, detach, refuse_probability, to_numbers


def wrap_torch(model: Any, output: str) -> BlackBox | None:
    """Black box of the output of ``forward``; a module with ``predict`` or ``predict_proba`` is handled as an estimator."""
    if not comes_from(model, "torch", "Module") or hasattr(model, "predict") or hasattr(model, "predict_proba"):
        return None
    refuse_probability(model, output, "is a torch module, which does not say what its outputs are")
    name = type(model).__name__
    return BlackBox(lambda X: _forward(model, X, name), keep_values, (), f"output of {name}", name)


def _forward(model: Any, X: Any, name: str) -> Any:
    torch = import_module("torch")
    first = next((each for each in (*model.parameters(), *model.buffers()) if each.is_floating_point()), None)
    if first is None:
        rows = torch.as_tensor(to_numbers(X, name))
    else:
        rows = torch.as_tensor(to_numbers(X, name, np.float64)).to(device=first.device, dtype=first.dtype)
    with _evaluating(model), torch.no_grad():
        values = model(rows)
    if not hasattr(values, "detach"):
        raise TypeError(
            f"{name} gives a {type(values).__name__}, not one tensor; pass a function that picks what is to be explained"
        )
    return detach(values)


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Context of evaluation mode (no dropout, fixed batch norm); the mode of every part is restored at the end."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, was_training in modes:
            part.training = was_training
