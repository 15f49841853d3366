"""Check that an explainer's options can be pickled; the error names the option that cannot, and alternatives."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from typing import Any

# Packages that copy or pickle objects which the standard library's pickle cannot.
_ABLE = ("copy", "dill", "cloudpickle")


class _NullFile:
    """A file that discards what is written."""

    def write(self, data: Any) -> int:
        return len(data)


def check_pickle(options: Mapping[str, Any]) -> None:
    """Raise ``PicklingError`` if an option cannot be pickled, unless the caller is copy, dill or cloudpickle."""
    for name, value in options.items():
        try:
            pickle.Pickler(_NullFile(), pickle.HIGHEST_PROTOCOL).dump(value)
        except Exception as error:  # a class may raise any exception
            if _is_able():
                return
            raise pickle.PicklingError(
                f"the explainer's {name} cannot be pickled ({error}). Explainer.save(path) writes all but the model, for "
                f"instashap.load(path); or define the {name} in a module, by def; or pickle after set_params({name}=None)"
            ) from error


def _is_able() -> bool:
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        parts = frame.f_globals.get("__name__", "").split(".")
        if parts[0] in _ABLE or "cloudpickle" in parts:
            return True
    return False
