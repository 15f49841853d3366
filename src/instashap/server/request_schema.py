"""OpenAPI description of a request's body."""

from __future__ import annotations

from typing import Any

from ..fitted.game import FittedGame
from ..table.bases import ColumnEncoder
from .limits import Limits
from .request_rows import KEYS


def _describe_column(encoder: ColumnEncoder) -> dict[str, Any]:
    own = ["string"] if encoder.is_category else []
    return {"type": [*own, "number", "boolean", "null"]}


def describe_body(fitted: FittedGame, limits: Limits, question: str) -> dict[str, Any]:
    """OpenAPI description of the request body of a question and of the error responses."""
    columns = dict(zip(fitted.schema.names, map(_describe_column, fitted.encoder.columns), strict=True))
    if fitted.recipe is not None:  # columns as they are before the recipe converts them
        text = {"type": ["string", "number", "null"]}
        raw = fitted.recipe.find_raw_names(columns)
        columns = {name: text if name in fitted.recipe.readings else columns[name] for name in raw}
    by_name = {"type": "object", "properties": columns, "required": list(columns)}
    in_order = {"type": "array", "minItems": len(columns), "maxItems": len(columns), "prefixItems": list(columns.values())}
    keys = {
        "rows": {"type": "array", "minItems": 1, "maxItems": limits.max_rows, "items": {"anyOf": [by_name, in_order]}},
        "errors": {"type": "boolean", "description": "Whether to return standard errors of the values."},
    }
    own = {key: keys[key] for key in KEYS[question]}
    body = {"type": "object", "required": ["rows"], "properties": own, "additionalProperties": False}
    refusals = {
        "400": "The body is not JSON.",
        "408": "The body did not arrive in time.",
        "413": "The body is too large.",
        "422": "The rows do not fit the explainer, or a key is unknown; the message names the row and the column, or the key.",
        "503": "The answer took too long.",
    }
    detail = {"application/json": {"schema": {"type": "object", "properties": {"detail": {"type": "string"}}}}}
    responses = {status: {"description": words, "content": detail} for status, words in refusals.items()}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}, "responses": responses}
