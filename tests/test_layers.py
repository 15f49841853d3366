"""The house has one direction: a module imports only from a lower layer, or its own folder."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "instashap"
# The way of the data: rooms of one number do not see each other.
LAYERS = {
    "_alignment": 0,
    "_output_unit": 0,
    "_compile": 0,
    "_errors": 0,
    "_html": 0,
    "_optional": 0,
    "_progress": 0,
    "_status": 0,
    "_threads": 0,
    "_registries": 0,
    "_row_arrays": 0,
    "_sentences": 0,
    "_validation": 0,
    "linear": 1,
    "game": 1,
    "store": 1,
    "table": 2,
    "blackbox": 3,
    "datasets": 3,
    "rows": 3,
    "model": 4,
    "masked": 5,
    "asked": 6,
    "likelihood": 6,
    "inference": 7,
    "fitted": 8,
    "trust": 8,
    "fits": 9,
    "questions": 10,
    "explain": 11,
    "neural": 12,
    "plots": 12,
    "survival": 12,
    "text": 12,
    "export": 12,
    "distributed": 12,
    "report": 13,
    "preparing": 14,
    "server": 15,
    "workflow": 15,
    "cli": 16,
}


def find_imports(source: str, package: tuple[str, ...]) -> set[str]:
    """Rooms of the project a module imports from, wherever in the file (not under TYPE_CHECKING)."""
    tree = ast.parse(source)
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    rooms = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            path = (*base, *(node.module.split(".") if node.module else ()))
            rooms |= {path[0]} if path else {alias.name for alias in node.names}
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            rooms |= {name.split(".")[1] for name in names if name.startswith("instashap.")}
    return rooms


def check(room: str, imported: set[str]) -> list[str]:
    """Rooms that should not be imported; within the ground floor (errors, validation) modules may see each other."""
    if LAYERS[room] == 0:
        return [other for other in imported if LAYERS.get(other, 0) > 0]
    return [other for other in imported if other in LAYERS and other != room and LAYERS[other] >= LAYERS[room]]


MODULES = [path for path in sorted(ROOT.rglob("*.py")) if path.parent != ROOT or path.stem != "__init__"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_from_lower_layers(path: Path) -> None:
    package = path.relative_to(ROOT).parent.parts
    room = package[0] if package else path.stem
    assert room in LAYERS, f"{room} has no layer: add it to the picture"
    assert not check(room, find_imports(path.read_text(encoding="utf-8"), package))


def test_an_upward_import_is_found() -> None:
    assert check("table", find_imports("from ..explain.explainer import Explainer", ("table",))) == ["explain"]
    assert check("game", find_imports("def f():\n    from ..table import columns", ("game",))) == ["table"]
    assert check("table", find_imports("import instashap.model.lookup", ("table",))) == ["model"]
    assert check("_errors", find_imports("from .game import terms", ())) == ["game"]
    assert check("explain", find_imports("from ..table import columns\nimport numpy", ("explain",))) == []
