"""Checks of the plots' arguments: explanations, counts, one of several outputs."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from ..fitted.explanation import Explanation
from ..fitted.game import FittedGame


def check_explanation(explanation: Any, plot: str) -> Explanation:
    """Return ``explanation``; raises ``TypeError`` unless it is an Explanation."""
    if not isinstance(explanation, Explanation):
        raise TypeError(f"{plot} takes an Explanation, got {type(explanation).__name__}; explainer(X) makes one")
    return explanation


def check_output(explanation: Any, output: Any, plot: str) -> Explanation:
    """The explanation of one output: the chosen one, or the only one."""
    checked = check_explanation(explanation, plot)
    names = checked.output_names
    position = 0 if output is None else find_output(output, names)
    if not checked.has_outputs:
        return checked
    if output is not None or len(names) == 1:
        return checked[..., position]
    raise ValueError(f"{plot} shows one output, got {len(names)} of them: pass output= one of {list_names(names)}")


def check_row(explanation: Any, output: Any, plot: str) -> Explanation:
    """The explanation of one row and one output; raises ``ValueError`` for another number of rows."""
    row = check_output(explanation, output, plot)
    if len(row) != 1:
        raise ValueError(f"{plot} shows one row, got {len(row)}; pass explanation[0], or another position")
    return row


def check_rows(explanation: Explanation, plot: str) -> Explanation:
    """Return ``explanation``; raises ``ValueError`` if it has no rows."""
    if not len(explanation):
        raise ValueError(f"{plot} shows the rows of an explanation, but this explanation has no rows")
    return explanation


def get_fitted(thing: Any, plot: str) -> FittedGame:
    """The fitted game of an explainer or estimator."""
    explainer = thing.to_explainer() if hasattr(thing, "to_explainer") else thing
    if not hasattr(explainer, "_check_fitted"):
        raise TypeError(f"{plot} takes a fitted Explainer or additive estimator, got {type(thing).__name__}")
    fitted: FittedGame = explainer._check_fitted()
    return fitted


def check_count(count: Any, name: str) -> int:
    """Return ``count`` as an int of at least 1."""
    if isinstance(count, bool) or not isinstance(count, Integral):
        raise TypeError(f"{name} must be an integer, got {count!r}")
    if count < 1:
        raise ValueError(f"{name}={count} shows nothing; use 1 or more")
    return int(count)


def find_output(output: Any, names: Sequence[str]) -> int:
    """Position of an output given by name or position; a number that may be the name of another output is refused."""
    is_number = isinstance(output, Integral) and not isinstance(output, bool)
    is_place = is_number and 0 <= output < len(names)
    is_name = (is_number or isinstance(output, str)) and str(output) in names
    if is_place and is_name and names[output] != str(output):
        raise ValueError(
            f"output={output} is the name of one output and the position of another: "
            f"write {str(output)!r} for the first, or {names[output]!r} for the second"
        )
    if is_name:
        return list(names).index(str(output))
    if is_place:
        return int(output)
    raise ValueError(f"unknown output {output!r}; there are {list_names(names)}, at positions 0 to {len(names) - 1}")


def list_names(names: Sequence[str], limit: int = 8) -> str:
    """Names in quotes, the first few of many."""
    return ", ".join(map(repr, names[:limit])) + f", … ({len(names)} in all)" * (len(names) > limit)
