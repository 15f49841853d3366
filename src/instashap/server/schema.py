"""The body of a request, described for OpenAPI."""

from __future__ import annotations

from typing import Any

from ..explain.fitted import FittedGame
from .limits import Limits


def describe_body(fitted: FittedGame, limits: Limits) -> dict[str, Any]:
    """Request body, and the refusals a client may meet."""
    columns = {
        encoder.name: {"type": ["string", "number", "boolean", "null"] if encoder.is_category else ["number", "null"]}
        for encoder in fitted.encoder.columns
    }
    by_name = {"type": "object", "properties": columns, "required": list(columns)}
    in_order = {"type": "array", "minItems": len(columns), "maxItems": len(columns), "prefixItems": list(columns.values())}
    body = {
        "type": "object",
        "required": ["rows"],
        "properties": {
            "rows": {"type": "array", "minItems": 1, "maxItems": limits.max_rows, "items": {"anyOf": [by_name, in_order]}},
            "errors": {"type": "boolean", "description": "Standard errors of the values too."},
        },
    }
    refusals = {
        "400": "The body is not JSON.",
        "408": "The body did not arrive in time.",
        "413": "The body is too large.",
        "422": "Rows that do not fit the explainer; the sentence names the row and the column.",
        "503": "The answer took too long.",
    }
    detail = {"application/json": {"schema": {"type": "object", "properties": {"detail": {"type": "string"}}}}}
    responses = {status: {"description": words, "content": detail} for status, words in refusals.items()}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}, "responses": responses}
