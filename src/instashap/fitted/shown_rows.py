"""Rows for display beside their Shapley values, with one entry per feature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..table.columns import Table
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
    """Values of the features, shape (n_rows, n_features); those of grouped columns are joined by commas."""
    is_plain = not table.categories and len(feature_names) == len(players)
    if is_plain:
        return np.asarray(table.numbers, dtype=np.float64)
    columns = list(_iterate_columns(table))
    data = np.empty((table.n_rows, len(feature_names)), dtype=object)
    for player in range(len(feature_names)):
        own = [columns[column] for column, owner in enumerate(players) if owner == player]
        data[:, player] = own[0] if len(own) == 1 else [", ".join(map(format_value, each)) for each in zip(*own, strict=True)]
    return data


def _iterate_columns(table: Table) -> Iterator[NDArray[Any]]:
    numbers, categories = iter(range(table.numbers.shape[1])), iter(table.categories)
    for is_category in table.schema.is_category:
        if is_category:
            codes, levels = next(categories)
            yield np.array([*levels, None], dtype=object)[codes]
        else:
            yield np.asarray(table.numbers[:, next(numbers)], dtype=np.float64).astype(object)
