"""The manifest of a saved explainer as JSON Schema, made of the declaration that files are checked against."""

from typing import Any

from .kinds import describe_kind, integer, mapping_of, record, text
from .schema import CONTENT

# The manifest around the content, which :mod:`.archive` checks; files of the first versions have no digest.
_MANIFEST = record({"schema": integer(1), "sha256": mapping_of(text), "digest?": text, "content": CONTENT})


def describe_manifest() -> dict[str, Any]:
    """The manifest as JSON Schema, which says of the arrays no more than their names' digests."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "manifest.json of a saved explainer (.insta)",
        **describe_kind(_MANIFEST),
    }
