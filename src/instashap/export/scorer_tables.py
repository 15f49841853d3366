"""What a scorer outside Python needs: the tables of a game, its base, and what a row's output share is computed from."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import LARGEST_INTEGER
from ..fitted.game import FittedGame
from ..questions.answers import get_reach, get_residuals
from ..trust.rows import pick_typical_sizes

# Facts of :meth:`FittedGame.tables` that scorers know, and the beginnings of the names of its arrays.
_FACTS = {
    *("names", "labels", "is_category", "has_names", "is_boolean", "columns", "players", "feature_names", "null_players"),
    *("value_sets", "presence_sets", "output_names", "output_transform", "game", "facts"),
    "index",
}
_COLUMN_FACTS = {"name", "levels", "values", "order", "has_pooled", "n_functions", "n_repeated"}
_ARRAYS = ("column_", "table_", "mixing_", "base_value", "index_")


def write_out_tables(fitted: FittedGame) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What :meth:`FittedGame.tables` gives, with a linear part as tables; raises ``ValueError`` for parts not known here."""
    described, arrays = replace(fitted, model=fitted.model.write_out_linear()).tables()
    _refuse_unknown(described, arrays)
    return described, arrays


def pack_scorer(fitted: FittedGame) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Facts (JSON) and arrays of a scorer; a linear part is written out as tables.

    Beside what :meth:`FittedGame.tables` gives, ``residuals`` holds the level and three quantiles of the held-out residuals,
    with the first curve of each column, and ``reach`` the region of the fitted rows; neither is there where it is not known.

    Raises
    ------
    ValueError
        If the game has parts that scorers do not know: they are named.
    """
    described, arrays = write_out_tables(fitted)
    described.pop("facts")
    if fitted.answers.residuals is not None or fitted.record is not None:
        described["residuals"], residuals = _pack_residuals(fitted)
        arrays |= residuals
    if (reach := get_reach(fitted)) is not None:
        described["reach"], region = reach.pack()
        arrays |= region
    return described, arrays


def pack_payload(fitted: FittedGame) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What :func:`pack_scorer` gives, arrays as JSON: {dtype, shape, data} with base64 of little-endian numbers."""
    described, arrays = pack_scorer(fitted)
    return described, {name: _pack_array(array) for name, array in arrays.items()}


def write_javascript_json(content: Any) -> str:
    """JSON for JavaScript, with whole numbers from 2**53 on, which are levels, as their text: it would round them.

    Examples
    --------
    >>> write_javascript_json({"levels": [2**53 + 1, 7, 1e300]})
    '{"levels":["9007199254740993",7,1e+300]}'
    """
    return json.dumps(_write_large(content), ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _write_large(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _write_large(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_write_large(value) for value in content]
    return str(content) if isinstance(content, int) and abs(content) >= LARGEST_INTEGER else content


def _pack_array(array: NDArray[Any]) -> dict[str, Any]:
    data = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return {"dtype": data.dtype.str, "shape": list(array.shape), "data": base64.b64encode(data.tobytes()).decode("ascii")}


def check_text(fitted: FittedGame, form: str) -> None:
    """Raise ``ValueError`` for a game that converts text of its rows by a recipe, which no other program can follow."""
    if fitted.recipe is None or not fitted.recipe.readings:
        return
    read = [f"{name!r} ({type(each).__name__.removesuffix('Text').lower()}s)" for name, each in fitted.recipe.readings.items()]
    raise ValueError(
        f"{form} cannot convert text as the fit did, in {', '.join(read)}: convert these columns before the fit, and fit again"
    )


def _refuse_unknown(described: dict[str, Any], arrays: Iterable[str]) -> None:
    unknown = sorted(described.keys() - _FACTS)
    unknown += sorted({key for column in described["columns"] for key in column.keys() - _COLUMN_FACTS})
    unknown += sorted(name for name in arrays if not name.startswith(_ARRAYS))
    if unknown:
        raise ValueError(
            f"the fitted game has parts that exports do not know, {', '.join(map(repr, unknown))}: without them other programs "
            "would compute other numbers; save() keeps them"
        )


def _pack_residuals(fitted: FittedGame) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Data for the output share of a row: three quantiles of the held-out residual sizes, and each column's first curve."""
    facts, arrays = get_residuals(fitted).pack()
    curves = {name: array[:, :1] for name, array in arrays.items() if name.startswith("residual_curves_")}
    typical = pick_typical_sizes(arrays["residual_sizes"]).tolist()
    return {"level": facts["level"], "typical": typical}, {"residual_spread": arrays["residual_spread"], **curves}
