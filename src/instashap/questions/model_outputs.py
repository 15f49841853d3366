"""Outputs of the explained model for new rows, on the scale of the fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import ModelOutputError
from ..blackbox.adapters.families import order_columns
from ..blackbox.held_model import HeldModel
from ..blackbox.model import Answer
from ..fits.conditional import name_outputs
from ..fitted.game import FittedGame


def ask_outputs(fitted: FittedGame, X: Any, held: HeldModel, outputs: Any, n_rows: int) -> NDArray[np.float64]:
    """The given outputs, or those of the model if None, matched to the fitted ones by name; shape (n_rows, n_outputs)."""
    answer = held.ask(X, n_rows, order_columns(outputs, fitted.output_names), fitted.scale)
    return match_outputs(fitted, answer)


def match_outputs(fitted: FittedGame, answer: Answer) -> NDArray[np.float64]:
    """A model's outputs in the order of the fitted ones, by name where both name several.

    Raises ``ModelOutputError`` for another number of outputs, and for several outputs of other names.
    """
    fitted.check_n_outputs(answer.values)
    known, own = fitted.output_names, answer.output_names
    if own in ((), known) or len(known) < 2 or known == name_outputs((), len(known)):
        return answer.values
    if set(own) != set(known):
        raise ModelOutputError(f"the model gives the outputs {list(own)}, the explainer was fitted on {list(known)}: fit again")
    return answer.values[:, [own.index(name) for name in known]]
