"""The JSON Schema of a saved explainer's manifest is what the code checks, and files of every version follow it."""

import copy
import json
import zipfile
from pathlib import Path

import jsonschema
import pytest

from instashap.store.json_schema import describe_manifest
from instashap.store.schema import CONTENT

SCHEMA = Path(__file__).parents[2] / "docs" / "explainer.schema.json"
FILES = sorted(Path(__file__).parent.glob("schema-*.insta"))


def read_manifest(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("manifest.json"))


def test_the_published_schema_is_what_the_code_checks():
    # Written by: json.dumps(describe_manifest(), indent=1)
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json.loads(json.dumps(describe_manifest()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_of_every_version_follow_the_schema(path):
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(read_manifest(path))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("names",), "a"),
        (("names",), []),
        (("is_category", 0), 1),
        (("players", 0), -1),
        (("columns", 0, "levels"), 3),
        (("game",), None),
        (("seasons",), 4),
        (("facts", "chosen", "order"), "2"),
        (("value_sets", 0), [0, 1, 2, 3]),
    ],
)
def test_what_the_code_refuses_the_schema_refuses(place, value):
    manifest = copy.deepcopy(read_manifest(FILES[-1]))
    *way, last = place
    part = manifest["content"]["fitted"]
    for step in way:
        part = part[step]
    part[last] = value
    with pytest.raises(ValueError, match=r"content\.fitted"):
        CONTENT(manifest["content"], "content")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest, json.loads(SCHEMA.read_text(encoding="utf-8")))
