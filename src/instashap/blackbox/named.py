"""Value functions by name."""

from typing import Any

from .._registries import VALUE_FUNCTIONS

# The game that is fitted to the model's outputs for the given rows alone.
CLOSED_FORM = "conditional"


def is_closed_form(value_function: Any) -> bool:
    """Whether a value function is given by the name of the conditional game, which needs no further call of the model."""
    return isinstance(value_function, str) and value_function == CLOSED_FORM


def make_value_function(given: Any, rows: Any) -> Any:
    """The value function with a given name, made from rows of the fit; any other value function unchanged.

    Raises ``ValueError`` for an unknown name, and for a name whose value function needs other rows than those of the fit.
    """
    if not isinstance(given, str) or is_closed_form(given):
        return given
    entry = VALUE_FUNCTIONS.find(given)
    if not hasattr(entry, "from_rows"):
        raise ValueError(f"value_function={given!r} needs rows of its own: pass instashap.{entry.__name__}(rows)")
    return entry.from_rows(rows)
