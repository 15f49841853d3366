"""Value functions by name."""

from typing import Any

from .._registries import VALUE_FUNCTIONS

# The game that is fitted to the model's outputs for whole rows alone, without asking about others.
CLOSED_FORM = "conditional"


def is_closed_form(value_function: Any) -> bool:
    """Whether a value function is the conditional game by its name, which a fit gets without asking the model more."""
    return isinstance(value_function, str) and value_function == CLOSED_FORM


def make_value_function(given: Any, rows: Any) -> Any:
    """A value function that can be asked, made from rows of the fit where it is given by name; others as they are.

    Raises ``ValueError`` for an unknown name, and for one whose value function needs more than the rows of the fit.
    """
    if not isinstance(given, str) or is_closed_form(given):
        return given
    entry = VALUE_FUNCTIONS.find(given)
    if not hasattr(entry, "from_rows"):
        raise ValueError(f"value_function={given!r} needs rows of its own: pass instashap.{entry.__name__}(rows)")
    return entry.from_rows(rows)
