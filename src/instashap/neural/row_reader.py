"""Rows as inputs of nets, and the additive game of a fitted explainer on rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import FitWarning, TooLargeError
from .._validation import check_groups
from ..blackbox.adapters.families import order_columns
from ..explain.explainer import Explainer
from ..fitted.game import FittedGame
from ..game.terms import make_presence_masks
from ..table.columns import Schema, Table, read_table
from ..table.encoding import TableEncoder, learn_table
from ..table.groups import choose_groups
from .inputs import TableInputs, learn_inputs
from .losses import sum_live_parts

# Unrestricted nets read the standardised values of a curve only: with six functions of each column they learnt the surrogate of
# a quadratic function half as fast.
_CURVE_FUNCTIONS = 1
# Largest size of the base's components on the rows.
_MAX_BYTES = 4 * 2**30


@dataclass(frozen=True)
class RowReader:
    """Converts a user's table to a net's inputs.

    Attributes
    ----------
    encoder : TableEncoder
    inputs : TableInputs
    feature_names : tuple of str
        Names of the players.
    players : tuple of int
        Player of each column.
    """

    encoder: TableEncoder
    inputs: TableInputs
    feature_names: tuple[str, ...]
    players: tuple[int, ...]

    @property
    def schema(self) -> Schema:
        return self.encoder.schema

    @property
    def owners(self) -> Tensor:
        """Player of each input, shape (n_inputs,), int64."""
        return torch.as_tensor(np.array(self.players, dtype=np.int64)[self.inputs.columns])

    def read(self, X: Any) -> Table:
        """A user's table with columns of the kinds learnt."""
        return read_table(X, self.schema)

    def evaluate(self, table: Table) -> Tensor:
        """Inputs of rows, shape (n_rows, n_inputs), float32, on the CPU."""
        return torch.as_tensor(self.inputs.evaluate(self.encoder.encode(table)))


def read_rows(X: Any, base: Explainer | None, groups: Any, categorical: Any) -> tuple[Table, tuple[str, ...], tuple[int, ...]]:
    """A table, the names of its players, and the player of each column; all of them as in the base if there is one.

    Raises
    ------
    ValueError
        If groups or categories are given in addition to a base.
    """
    if base is None:
        table = read_table(X, categorical=categorical)
        return table, *check_groups(choose_groups(groups, table), table.schema.names)
    if groups is not None or not (isinstance(categorical, str) and categorical == "auto"):
        raise ValueError("groups= and categorical= are those of the base: pass them to the base's explainer, and fit it again")
    fitted = check_base(base)
    return fitted.read(X), fitted.feature_names, fitted.players


def learn_reader(
    table: Table, weights: NDArray[np.float64], feature_names: tuple[str, ...], players: tuple[int, ...]
) -> RowReader:
    """Learn the columns of a table; rows of weight 0 should have been dropped."""
    encoder, columns = learn_table(table, weights)
    inputs = learn_inputs(columns, encoder.encode(table), weights, _CURVE_FUNCTIONS, is_graded=False)
    if not len(inputs.columns):
        raise ValueError("no column of the table varies, so a net cannot learn anything; pass rows with varying columns")
    return RowReader(encoder, inputs, feature_names, players)


def check_base(base: Any) -> FittedGame:
    """The game of a fitted explainer; raises ``TypeError`` for anything else."""
    if not isinstance(base, Explainer):
        raise TypeError(f"base must be a fitted instashap.Explainer, got {type(base).__name__}")
    return base._check_fitted()


def refit_base(base: Explainer, X: Any, outputs: NDArray[np.float64], weights: NDArray[np.float64]) -> FittedGame:
    """The base's game fitted again on other rows with the same options; the base itself if it was not fitted on rows.

    An additive game fits its own rows too well; an unbiased comparison on some rows needs a game fitted without them.
    """
    fitted = check_base(base)
    if fitted.record is None:
        return fitted
    names, players = fitted.schema.names, fitted.players
    if len(getattr(X, "columns", names)) > len(names):
        X = order_columns(X, names)
    options = {
        "groups": {
            label: [name for name, owner in zip(names, players, strict=True) if owner == player]
            for player, label in enumerate(fitted.feature_names)
            if players.count(player) > 1
        },
        "categorical": [name for name, flag in zip(names, fitted.schema.is_category, strict=True) if flag] or "auto",
        "presence_order": max(fitted.facts["chosen"]["presence_order"], min(base.order, len(fitted.feature_names))),
        "model": None,
        "verbose": 0,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # the base's own fit has warned
        return check_base(Explainer(**{**base.get_params(), **options}).fit(X, outputs=outputs, sample_weight=weights))


class BaseRows:
    """The additive game ``g(x; S) = base_value + sum_R 1[R ⊆ S] h_R(x)`` of some rows, looked up once for any masks.

    Parameters
    ----------
    fitted : FittedGame
    table : Table
        Rows of the game's own schema.

    Raises
    ------
    TooLargeError
        If the components take more than 4 GiB.
    """

    def __init__(self, fitted: FittedGame, table: Table) -> None:
        presence_sets, lookup = fitted.model.components
        n_bytes = 4 * table.n_rows * max(len(presence_sets), 1) * fitted.model.n_outputs
        if n_bytes > _MAX_BYTES:
            raise TooLargeError(
                f"{len(presence_sets)} presence sets of the base on {table.n_rows} rows take {n_bytes / 2**30:.1f} GiB: "
                "fit the base with presence_order=2, or learn from fewer rows"
            )
        parts = fitted.look_up(lookup, table)[:, : len(presence_sets)]
        members = make_presence_masks(presence_sets, fitted.model.n_players)
        self.parts = torch.as_tensor(parts, dtype=torch.float32)
        self.members = torch.as_tensor(members)
        self._model = fitted.model
        others = fitted.model.linear is not None or fitted.model.index is not None
        self._encoded = fitted.encoder.encode(table) if others else None

    def evaluate(self, rows: Tensor, masks: Tensor) -> Tensor:
        """``g(x_rows[k]; masks[k])`` without the base value, shape (n_coalitions, n_outputs); all on the CPU."""
        values = sum_live_parts(self.parts[rows], masks, self.members)
        if self._encoded is None:
            return values
        model, encoded, present = self._model, self._encoded.take(rows.numpy()), masks.numpy()
        for part in (model.linear, model.index):
            if part is not None:
                values = values + torch.as_tensor(part.predict(model.bases, encoded, present), dtype=values.dtype)
        return values
