"""The model of an audit, asked about the audit's own rows with some of their columns drawn from a distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import InstashapError
from ..blackbox.drawn_game import learn_game
from ..blackbox.hybrid import Positions, make_mixer, take_rows
from ..blackbox.model import BlackBox, scale_box
from ..fitted.game import FittedGame
from ..table.columns import Table
from ..trust.references import Draw

# Rows whose outputs are asked for again before a model is believed to be the one that was fitted, and how near they must be.
_N_COMPARED = 32
_SAME = 1e-6


@dataclass(frozen=True)
class ModelAsker:
    """See :class:`instashap.trust.references.Asker`.

    Attributes
    ----------
    box : BlackBox
    X : table
        The audit's rows in the user's container, in the audit's order.
    read : callable
        Rows in the user's container to a ``Table`` of the fitted columns.
    names : tuple of str, or None
        Of the columns; None if they are matched by position.
    players : tuple of int
        Player of each column.
    outputs : ndarray of shape (n_rows, n_outputs), float64
    """

    box: BlackBox
    X: Any
    read: Callable[[Any], Table]
    names: tuple[str, ...] | None
    players: tuple[int, ...]
    outputs: NDArray[np.float64]

    def learn(self, kind: str, learners: Positions, rows: Positions) -> Draw:
        """See :class:`instashap.trust.references.Asker`."""
        known, own = take_rows(self.X, learners), take_rows(self.X, rows)
        mixer = make_mixer(own, known, self.names, len(self.players), "rows of the audit")
        tables = self.read(known), self.read(own), self.outputs[learners]
        return learn_game(kind, self.box, mixer, np.array(self.players), tables, 1).draw_outputs


def make_asker(
    fitted: FittedGame, box: BlackBox, X: Any, players: tuple[int, ...], outputs: NDArray[np.float64]
) -> ModelAsker | None:
    """An asker of the model, or None where it cannot be asked: rows of another container, or outputs of another model.

    Its outputs are in the unit of the fit, ``fitted.output_unit``.

    The model is asked about a few rows first, which must have the outputs they had.

    Parameters
    ----------
    fitted : FittedGame
        Reads the rows.
    box : BlackBox
    X : table
        The audit's rows in the user's container, in the audit's order.
    players : tuple of int
        Player of each column.
    outputs : ndarray of shape (n_rows, n_outputs), float64
        In that unit.
    """
    box = scale_box(box, fitted.output_unit)
    n_rows, names = len(outputs), fitted.schema.names if fitted.schema.has_names else None
    some = np.unique(np.linspace(0, n_rows - 1, min(n_rows, _N_COMPARED)).astype(np.int64))
    try:
        rows = take_rows(X, some)
        mixer = make_mixer(rows, rows, names, len(players), "rows of the audit")
        whole = np.ones((len(some), len(players)), dtype=bool)
        found = box.predict(mixer.mix(np.arange(len(some)), np.arange(len(some)), whole), len(some))
    except (InstashapError, AttributeError, TypeError, ValueError, KeyError, IndexError):
        return None
    if found.shape != outputs[some].shape:
        return None
    spread = np.maximum(np.ptp(outputs, axis=0), np.abs(outputs).max(axis=0) * _SAME)
    if (np.abs(found - outputs[some]) > _SAME * spread).any():
        return None
    return ModelAsker(box, X, fitted.read, names, players, outputs)
