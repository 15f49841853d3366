"""What is computed of a fitted game once, when first asked for, and kept in its answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..fitted.game import FittedGame
from ..inference.residuals import ResidualReference
from ..model.deviations import Deviations
from ..table.encoding import Encoded
from ..table.reach import Reach, learn_reach

_NO_ERRORS = "there are no standard errors in here (save(path, errors=True) right after the fit keeps them), and new ones need"


def get_errors(fitted: FittedGame) -> Deviations:
    """What standard errors are looked up from: computed on first use, or read from the file.

    Raises
    ------
    NotFittedError
        If there are none and the rows of the fit are gone: in a loaded or unpickled game.
    """
    if fitted.answers.errors is None:
        from ..inference.uncertainty import compute_deviations

        # The fit's players are those that vary; standard errors are read by all features.
        fitted.answers.errors = replace(compute_deviations(fitted.get_record(_NO_ERRORS)), model=fitted.model)
    return fitted.answers.errors


def get_residuals(fitted: FittedGame) -> ResidualReference:
    """How far the model usually lies from this one: computed on first use, or read from the file; raises as above."""
    if fitted.answers.residuals is None:
        from ..inference.holdout import describe_residuals

        fitted.answers.residuals = describe_residuals(fitted.get_record("check() needs"))
    return fitted.answers.residuals


def get_reach(fitted: FittedGame) -> Reach | None:
    """Where the fitted rows lie: computed on first use, or read from the file; None where neither is there."""
    if fitted.answers.reach is None and (fitted.rows or fitted.record):
        fitted.answers.reach = learn_reach(fitted.encoder, fitted.get_rows().encoded)
    return fitted.answers.reach


def compute_shape_errors(fitted: FittedGame, values: tuple[int, ...], encoded: Encoded) -> NDArray[np.float64]:
    """Standard errors of a shape function at places of its columns, shape (n_places, n_outputs).

    Parameters
    ----------
    values : tuple of int
        The term, one of ``fitted.model.value_sets``.
    encoded : Encoded
        Cells and offsets of the term's columns, in their order: shapes (n_places, len(values)).
    """
    shape = len(encoded.cells), len(fitted.players)
    full = Encoded(np.zeros(shape, dtype=np.int32), np.zeros(shape))
    full.cells[:, values], full.offsets[:, values] = encoded
    return get_errors(fitted).make_shape_lookup(values).apply(full)[:, 0]
