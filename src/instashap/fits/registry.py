"""Fitters by name. A new one is a line here, and must pass the laws of the tests."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from .._optional import require
from .._validation import check_choice

# Module and class of each; imported when asked for, so that only the neural one needs torch.
FITTERS: dict[str, tuple[str, str]] = {
    "closed-form": ("instashap.masked.fitter", "ClosedFormFitter"),
    "neural": ("instashap.neural.net_fitter", "NeuralFitter"),
}


def find_fitter(fitter: Any) -> Callable[..., Any]:
    """What makes a fitter: of a name, or what was passed itself if it is callable.

    Raises
    ------
    ValueError
        For an unknown name.
    OptionalDependencyError
        If the neural fitter is asked for and torch is missing.
    """
    if callable(fitter):
        return fitter  # type: ignore[no-any-return]
    module, name = FITTERS[check_choice(fitter, sorted(FITTERS), "fitter")]
    if fitter == "neural":
        require("torch", "neural", "neural models")
    made: Callable[..., Any] = getattr(import_module(module), name)
    return made
