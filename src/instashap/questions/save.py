"""Save a fitted game: the answers that a file should hold are computed first, then everything is written at once."""

from __future__ import annotations

import os
from typing import Any

from .._errors import InstashapWarning, TooLargeError, warn_caller
from ..fitted.file import write_fitted
from ..fitted.game import FittedGame
from ..model.deviations import Deviations
from .answers import get_errors, get_reach, get_residuals
from .audit import get_audit
from .updating import find_plan


def save_fitted(fitted: FittedGame, path: str | os.PathLike[str], *, errors: bool | None = None, **content: Any) -> None:
    """Write a game and its answers to one file; ``content`` is added to the manifest (JSON).

    Standard errors are written if they exist; ``errors=True`` computes them first, ``errors=False`` leaves them out.
    """
    answers, audit = fitted.answers, None
    find_plan(fitted)
    if errors:
        _prepare_errors(fitted)
    if answers.residuals is not None or fitted.record is not None:
        get_residuals(fitted)
    get_reach(fitted)
    if answers.audit is not None or fitted.record is not None or (fitted.is_exact and fitted.has_rows):
        audit = get_audit(fitted).to_dict()
    write_fitted(fitted, path, audit, with_errors=errors is not False, **content)


def _prepare_errors(fitted: FittedGame) -> None:
    """Compute standard errors, or warn that they cannot be computed, or not be kept."""
    reason = fitted.kind.explain_missing(fitted.game) or "the rows of the fit are gone; call fit again"
    try:
        if fitted.record is not None:
            get_errors(fitted)
    except (TooLargeError, ValueError) as error:
        reason = str(error)
    if not isinstance(fitted.answers.errors, Deviations):
        warn_caller(f"saved without standard errors: {reason}", InstashapWarning)
