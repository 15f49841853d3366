"""The index part of a model, and that of a plan, as a file holds them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.index_part import IndexPart
from ..table.encoding import TableEncoder

# Fields of IndexPart that are arrays of all indices.
_PARTS = ("weights", "constants", "nodes", "values")


def pack_index(part: IndexPart, encoder: TableEncoder, prefix: str = "") -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Facts (JSON) and arrays by name; a column without a score has zeros."""
    scores = dict(zip(part.columns, part.scores, strict=True))
    arrays: dict[str, NDArray[Any]] = {f"{prefix}index_{name}": getattr(part, name) for name in _PARTS}
    for column, bases in enumerate(encoder.bases):
        arrays[f"{prefix}index_score_{column:05d}"] = scores.get(column, np.zeros(bases[0].n_functions))
    return {"columns": part.columns, "present": part.present, "absent": part.absent}, arrays


def unpack_index(described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> IndexPart:
    """The part that was packed."""
    columns = tuple(described["columns"])
    scores = tuple(arrays[f"{prefix}index_score_{column:05d}"] for column in columns)
    present, absent = (tuple(map(tuple, described[each])) for each in ("present", "absent"))
    return IndexPart(columns, scores, present, absent, *(arrays[f"{prefix}index_{name}"] for name in _PARTS))
