"""What the model itself does with each column of some rows, beside what knowing the column changes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..blackbox.held_model import HeldModel
from ..blackbox.hybrid import take_rows
from ..blackbox.value_functions import Marginal
from ..fitted.game import FittedGame
from ..game.pairs import count_least_coalitions
from ..table.columns import Table
from .refine_rows import RefinedGame, refine_table

# Rows of the fit that stand in for absent columns, and coalitions for each of them: errors of a value are then some percent of
# the row's largest one, at 1 600 rows of the model for each row explained.
_N_BACKGROUND, _N_COALITIONS = 50, 32


def compute_marginal(
    fitted: FittedGame, X: Any, table: Table, background: Any, held: HeldModel, fit_rows: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shapley values of rows in the marginal game and their standard errors, each of shape (n_rows, n_players, n_outputs).

    Parameters
    ----------
    fitted : FittedGame
    X : table
        As it is passed to the model.
    table : Table
        The same rows in the fitted columns.
    background : True, table or Marginal
        True for at most 50 evenly spaced rows of the fit.
    held : HeldModel
    fit_rows : table or None
        Rows of the fit as the user gave them; None if they are gone.

    Raises
    ------
    ValueError
        If there is no model to ask, or ``background`` is True and the rows of the fit are gone.
    """
    if background is True:
        if fit_rows is None:
            raise ValueError(
                "marginal=True takes its background from the rows of the fit, which this explainer does not hold: pass some "
                "rows, marginal=X_train[:50]"
            )
        some = np.unique(np.linspace(0, _count(fit_rows) - 1, _N_BACKGROUND).astype(np.int64))
        background = take_rows(fit_rows, some)
    game = background if isinstance(background, Marginal) else Marginal(background)
    n_coalitions = max(count_least_coalitions(len(fitted.feature_names)), _N_COALITIONS)
    refined = refine_table(fitted, X, table, RefinedGame(game, held, fit_rows, n_coalitions, 0))
    return refined.values, refined.standard_errors


def _count(X: Any) -> int:
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)
