"""Rows for display beside their Shapley values, with one entry per feature."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..table.columns import Table, take_values
from .explanation import Explanation, squeeze_outputs
from .explanation_text import format_value
from .game import FittedGame


def make_explanation(
    fitted: FittedGame, table: Table, values: NDArray[np.float64], base_value: NDArray[np.float64]
) -> Explanation:
    """Explanation of the rows of a table, with names and data.

    Parameters
    ----------
    fitted : FittedGame
    table : Table
    values : ndarray of shape (n_rows, n_features, n_outputs), float64
    base_value : ndarray of shape (n_outputs,), float64
    """
    return Explanation(
        values=squeeze_outputs(values),
        base_values=squeeze_outputs(np.tile(base_value, (table.n_rows, 1))),
        data=collect_data(table, fitted.feature_names, fitted.players),
        feature_names=fitted.feature_names,
        output_names=fitted.output_names,
        output_transform=fitted.output_transform,
        game=fitted.game,
        index=table.index,
        level_orders={column.name: column.order for column in fitted.encoder.columns if column.order},
        levels={column.name: tuple(column.levels) for column in fitted.encoder.columns if column.levels},
    )


def collect_data(table: Table, feature_names: tuple[str, ...], players: tuple[int, ...]) -> NDArray[Any]:
    """Values of the features, shape (n_rows, n_features), those of groups joined by commas; True and False of booleans."""
    is_plain = not table.categories and not any(table.schema.is_boolean) and len(feature_names) == len(players)
    if is_plain:
        return np.asarray(table.numbers, dtype=np.float64)
    columns = [take_values(table, column).astype(object) for column in range(len(table.schema.names))]
    data = np.empty((table.n_rows, len(feature_names)), dtype=object)
    for player in range(len(feature_names)):
        own = [columns[column] for column, owner in enumerate(players) if owner == player]
        data[:, player] = own[0] if len(own) == 1 else [", ".join(map(format_value, each)) for each in zip(*own, strict=True)]
    return data
