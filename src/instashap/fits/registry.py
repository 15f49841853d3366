"""Fitters by name. A new one is a line of :data:`instashap._registries.FITTERS`, and must pass the laws of the tests."""

from collections.abc import Callable
from typing import Any

from .._optional import require
from .._registries import FITTERS


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
    if fitter == "neural":
        require("torch", "neural", "neural models")
    made: Callable[..., Any] = FITTERS.find(fitter)
    return made
