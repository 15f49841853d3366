"""Rules of the house, read from the syntax tree; each rule is also shown a violation, which it must find.

Layers are in test_layers.py. The one list of exceptions names what is imported late, so that a start stays light.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1] / "src" / "instashap"
FILES = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.py"))}
# Packages of extras, and the frameworks a user's own model or table may come from.
OPTIONAL = {
    "matplotlib", "shap", "torch", "tqdm", "rich", "pyarrow", "polars", "duckdb", "uvicorn", "fastapi", "interpret",
    "xgboost", "lightgbm", "catboost", "keras", "orjson", "prometheus_client", "starlette", "mpl_toolkits", "uvloop",
}  # fmt: skip
# Heavy packages of the core: explaining from a file needs numpy and numba alone (tests/test_imports.py).
HEAVY = {"pandas", "scipy", "sklearn", "joblib"}
# Files of the project that bring these packages, and from where they are imported late for that.
LATE = {
    "explain/explainer.py": {"explain.fitting", "questions"},
}


def find_nodes(tree, kind):
    return [node for node in ast.walk(tree) if isinstance(node, kind)]


def skip_type_checking(tree):
    """Nodes of a module but those under ``if TYPE_CHECKING``."""
    hidden = {
        id(inner)
        for node in find_nodes(tree, ast.If)
        if "TYPE_CHECKING" in ast.dump(node.test)
        for body in node.body
        for inner in ast.walk(body)
    }
    return [node for node in ast.walk(tree) if id(node) not in hidden]


def resolve(node, path):
    """Dotted names of what an import names, those of the project without its own name and with a leading dot."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not node.level:
        return [node.module]
    package = path.parent.parts
    base = (*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else ()))
    return ["." + ".".join((*base, alias.name)) for alias in node.names]


def find_file(dotted):
    """The file of the project that a dotted name is, or is in."""
    parts = dotted.lstrip(".").split(".")
    for length in (len(parts), len(parts) - 1):
        stem = Path(*parts[:length]) if length else Path()
        for path in (stem.with_suffix(".py") if length else None, stem / "__init__.py"):
            if path in FILES:
                return path
    return None
