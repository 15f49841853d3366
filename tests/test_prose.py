"""Docstrings, comments and names are plain technical English, which a stranger with a statistics degree understands."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "instashap"
# Words of a private dialect: explain, report, predict, estimate, choose say the same and are the field's.
FORBIDDEN = re.compile(
    r"\b(foretell\w*|foretold|wander\w*|fit_lower_orders\w*|insist\w*|wish(es)?|settl(e|es|ed|ing)|tells?|told|speaks?|spoken)\b",
    re.IGNORECASE,
)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def find_faults(source: str) -> Iterator[str]:
    """Sentences and names that break a rule, each with its reason."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, *_DEFINITIONS)):
            text = ast.get_docstring(node) or ""
            if re.match(r"Of\b", text):
                yield f"a docstring begins with 'Of': {text[:60]}"
            yield from _find_words(text)
        if isinstance(node, _DEFINITIONS):
            # Underscores and capitals separate the words of a name.
            yield from _find_words(re.sub(r"_|(?<=[a-z])(?=[A-Z])", " ", node.name))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if re.match(r"#\s*…", token.string):
                yield f"a comment continues another: {token.string[:60]}"
            yield from _find_words(token.string)


def _find_words(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from (f"{found[0]!r} in {line.strip()[:90]!r}" for found in FORBIDDEN.finditer(line))


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ('"""Of some of the functions."""', "begins with 'Of'"),
        ('def f():\n    """What one column tells of another."""', "'tells'"),
        ("def settle_presence(): ...", "'settle'"),
        ("class SettledPlan: ...", "'Settled'"),
        ("x = 1\n# … and where it ends.", "continues another"),
        ("x = 1  # columns that foretell each other", "'foretell'"),
    ],
)
def test_private_words_are_found(source: str, fault: str) -> None:
    (found,) = find_faults(source)
    assert fault in found


def test_plain_sentences_pass() -> None:
    assert not list(find_faults('"""Moments of the selected functions."""\n# Warn above this residual.\ndef intellect(): ...'))


def test_rooms_are_written_in_plain_english() -> None:
    paths = sorted(ROOT.rglob("*.py"))
    faults = [f"{path.relative_to(ROOT)}: {fault}" for path in paths for fault in find_faults(path.read_text("utf-8"))]
    assert not faults, "\n".join(faults)
