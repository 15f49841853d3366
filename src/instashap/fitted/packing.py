"""What scores a row, as plain facts and arrays: the seam to files, pages and exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..table.encoding import TableEncoder
from .fit_kind import write_kind
from .index_file import pack_index
from .linear_file import pack_linear

if TYPE_CHECKING:
    from .game import FittedGame


def pack_tables(fitted: FittedGame) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What is needed to predict and explain rows, as facts (JSON) and arrays by name."""
    columns, arrays = _pack_columns(fitted.encoder)
    for number, table in enumerate(fitted.model.tables):
        arrays[f"table_{number:05d}"] = table
        arrays[f"mixing_{number:05d}"] = fitted.model.mixings[number]
    arrays["base_value"] = fitted.model.base_value
    if fitted.model.linear is not None:
        arrays |= pack_linear(fitted.model.linear, fitted.encoder)
    described: dict[str, Any] = {
        "names": fitted.schema.names,
        "labels": [_pack_label(name) for name in fitted.schema.names],
        "is_category": fitted.schema.is_category,
        "has_names": fitted.schema.has_names,
        "is_boolean": fitted.schema.is_boolean,
        "columns": columns,
        "value_sets": fitted.model.value_sets,
        "presence_sets": fitted.model.presence_sets,
        "feature_names": fitted.feature_names,
        "players": fitted.players,
        "null_players": fitted.model.null_players,
        "output_names": fitted.output_names,
        "output_transform": fitted.output_transform,
        "game": fitted.game,
        "facts": write_kind(fitted.facts, fitted.kind),
    }
    if fitted.model.index is not None:
        described["index"], of_index = pack_index(fitted.model.index, fitted.encoder)
        arrays |= of_index
    return described, arrays


def _pack_label(name: str) -> Any:
    """A column's label as JSON if it is a number or text, or a tuple of these; None if only its name can be stored."""
    label = getattr(name, "label", None)
    parts = [part.item() if isinstance(part, np.generic) else part for part in (label if isinstance(label, tuple) else [label])]
    if not all(isinstance(part, (str, int, float)) and part == part for part in parts):
        return None
    return parts if isinstance(label, tuple) else parts[0]


def _pack_columns(encoder: TableEncoder) -> tuple[list[dict[str, Any]], dict[str, NDArray[Any]]]:
    described: list[dict[str, Any]] = []
    arrays: dict[str, NDArray[Any]] = {}
    for position, column in enumerate(encoder.columns):
        described.append(
            {
                "name": column.name,
                "levels": column.levels,
                "values": column.values,
                "order": column.order,
                "has_pooled": column.has_pooled,
                "n_functions": [basis.n_functions for basis in column.bases],
            }
        )
        if any(repeated := [basis.n_repeated for basis in column.bases]):
            described[-1]["n_repeated"] = repeated
        arrays |= {f"column_{position:05d}_{part}": getattr(column, part) for part in ("edges", "lows", "scales")}
        for size, basis in enumerate(column.bases):
            arrays[f"column_{position:05d}_first_{size}"] = basis.first
            arrays[f"column_{position:05d}_polynomials_{size}"] = basis.polynomials
    return described, arrays
