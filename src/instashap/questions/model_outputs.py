"""Outputs of the explained model for new rows, on the scale of the fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..blackbox.adapters.families import order_columns
from ..blackbox.held_model import HeldModel
from ..fitted.game import FittedGame


def ask_outputs(fitted: FittedGame, X: Any, held: HeldModel, outputs: Any, n_rows: int) -> NDArray[np.float64]:
    """The given outputs, matched to the fitted ones by name, or those of the model if None; shape (n_rows, n_outputs)."""
    answer = held.ask(X, n_rows, order_columns(outputs, fitted.output_names), fitted.scale)
    fitted.check_n_outputs(answer.values)
    return answer.values
