"""Rules of the house, read from the syntax tree; each rule is also shown a violation, which it must find.

Layers are in test_layers.py. The one list of exceptions names what is imported late, so that a start stays light.
"""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1] / "src" / "instashap"
FILES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.py"))}

# Packages of extras and of a user's own models, imported where they are needed; and heavy ones of the core: explaining from
# a file needs numpy and numba alone (test_imports.py).
OPTIONAL = {"matplotlib", "shap", "torch", "tqdm", "rich", "pyarrow", "polars", "duckdb", "uvicorn", "fastapi", "orjson"}
OPTIONAL |= {"xgboost", "lightgbm", "catboost", "mpl_toolkits"}
HEAVY = {"pandas", "scipy", "sklearn", "joblib"}
# Files of the project that bring these, by the files that import them late.
LATE = {
    "cli.py": {"explain", "export", "fitted", "preparing", "questions", "report", "server", "workflow"},
    "explain/explainer.py": {"explain", "questions"},
    "explain/look_ups.py": {"questions"},
    "explain/model_questions.py": {"questions"},
    "fitted/file.py": {"fitted"},
    "questions/answers.py": {"inference"},
    "questions/explain_rows.py": {"questions"},
    "trust/references.py": {"blackbox"},
}
# Where a module may be named in a string: names that a user may write, and public names by their homes.
REGISTRIES = {"_registries.py", "__init__.py", "neural/__init__.py"}

MAX_LINES, MAX_BODY, SHORT_BODY, SHORT_SHARE, MAX_ARGUMENTS = 400, 60, 20, 0.9, 7


parse = cache(ast.parse)


@cache
def find_imports(source, path):
    """Imported names as (name, whether inside a function); those of the project begin with a dot. TYPE_CHECKING is left out."""
    tree = parse(source)
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for each in node.body
        for inner in ast.walk(each)
    }
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    late = {id(inner) for function in functions for inner in ast.walk(function)}
    package = PurePosixPath(path).parent.parts
    found = []
    for node in ast.walk(tree):
        if id(node) in hidden or not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            base = (*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else ()))
            names = ["." + ".".join((*base, alias.name)) for alias in node.names]
        found += [(name, id(node) in late) for name in names]
    return found


def find_file(name, files):
    """The file of the project that a name is, or is in; None if there is none."""
    parts = name.lstrip(".").split(".")
    stems = ["/".join(parts), "/".join(parts[:-1])]
    ends = [f"{stem}{end}" for stem in stems if stem for end in (".py", "/__init__.py")]
    return next((end for end in ends if end in files), None)


def find_circles(files):
    """Files that import each other, directly or through others."""
    graph = {
        path: {find_file(name, files) for name, _ in find_imports(source, path) if name[0] == "."} - {path}
        for path, source in files.items()
    }
    left = {path: {target for target in targets if target} for path, targets in graph.items()}
    while free := {path for path, targets in left.items() if not targets & left.keys()}:
        left = {path: targets for path, targets in left.items() if path not in free}
    # What is left imports a circle, or is in one: those that nothing left imports are not in it.
    while outer := {path for path in left if not any(path in targets for targets in left.values())}:
        left = {path: targets for path, targets in left.items() if path not in outer}
    return sorted(left)


def find_late_imports(files):
    """Imports inside functions of what is neither optional nor on the list."""
    found = []
    for path, source in files.items():
        for name, is_late in find_imports(source, path):
            allowed = LATE.get(path, set()) if name[0] == "." else OPTIONAL | HEAVY
            if is_late and name.lstrip(".").split(".")[0] not in allowed:
                found.append((path, name))
    return found


def find_private_imports(files):
    """Names with a leading underscore that another file imports."""
    imported = [(path, name) for path, source in files.items() for name, _ in find_imports(source, path) if name[0] == "."]
    private = [(path, name) for path, name in imported if re.match(r"_[^_]", name.split(".")[-1])]
    return [(path, name) for path, name in private if find_file(name, files) != name.lstrip(".").replace(".", "/") + ".py"]


def find_hidden_paths(files):
    """Strings that name a module of the project, but in registries."""
    found = []
    for path, source in files.items():
        strings = [node.value for node in ast.walk(parse(source)) if isinstance(node, ast.Constant)]
        for text in strings if path not in REGISTRIES else []:
            if isinstance(text, str) and "." in text and re.fullmatch(r"[\w.]+(:\w+)?", text):
                name = text.partition(":")[0].removeprefix("instashap").lstrip(".").replace(".", "/")
                found += [(path, text)] * bool({f"{name}.py", f"{name}/__init__.py"} & files.keys())
    return found


def get_room(path):
    return path.split("/")[0]


def find_shared_names(files):
    """Names of files, and of public classes, that several rooms have."""
    rooms = defaultdict(set)
    for path, source in files.items():
        stem = PurePosixPath(path).stem
        if stem != "__init__":
            rooms[f"{stem}.py"].add(get_room(path))
        for node in parse(source).body:
            if isinstance(node, ast.ClassDef) and node.name[0] != "_":
                rooms[node.name].add(get_room(path))
    return {name: sorted(found) for name, found in rooms.items() if len(found) > 1}


def count_lines(source):
    """Lines of a file, docstrings too."""
    return len(source.splitlines())


def measure_bodies(source):
    """Name and lines of the body of every function, without its docstring."""
    functions = [node for node in ast.walk(parse(source)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    bodies = [(node.name, node.body[ast.get_docstring(node) is not None :]) for node in functions]
    return [(name, body[-1].end_lineno - body[0].lineno + 1 if body else 0) for name, body in bodies]


def count_arguments(source):
    """Name and arguments of every function that is no constructor; options by name, which have defaults, are not counted."""
    found = []
    for node in ast.walk(parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name not in ("__init__", "__new__"):
            positional = [each.arg for each in (*node.args.posonlyargs, *node.args.args) if each.arg not in ("self", "cls")]
            found.append((node.name, len(positional) + node.args.kw_defaults.count(None)))
    return found


def is_kernel(path):
    return "kernel" in PurePosixPath(path).stem


def test_files_import_each_other_in_one_direction():
    assert find_circles(FILES) == []


def test_imports_inside_functions_are_of_optional_packages_or_on_the_list():
    assert find_late_imports(FILES) == []


def test_private_names_stay_in_their_file():
    assert find_private_imports(FILES) == []


def test_modules_are_named_in_strings_by_registries_alone():
    assert find_hidden_paths(FILES) == []


def test_no_two_rooms_have_files_of_the_same_name():
    assert {name for name in find_shared_names(FILES) if name.endswith(".py")} == set()


def test_no_two_rooms_have_public_classes_of_the_same_name():
    assert {name for name in find_shared_names(FILES) if not name.endswith(".py")} == set()


@pytest.mark.parametrize("path", FILES)
def test_a_file_holds_at_most_four_hundred_lines(path):
    assert count_lines(FILES[path]) <= MAX_LINES


def test_bodies_are_short_and_nine_in_ten_very_short():
    bodies = [(path, *each) for path, source in FILES.items() for each in measure_bodies(source) if not is_kernel(path)]
    assert [each for each in bodies if each[2] > MAX_BODY] == []
    assert sum(lines < SHORT_BODY for *_, lines in bodies) / len(bodies) >= SHORT_SHARE


def test_functions_take_at_most_seven_arguments_beside_options():
    many = [(path, *each) for path, source in FILES.items() for each in count_arguments(source) if not is_kernel(path)]
    assert [each for each in many if each[2] > MAX_ARGUMENTS] == []


def plant(**files):
    """Some files of the project, by path with ``__`` for a slash, and what they hold."""
    return {f"{name.replace('__', '/')}.py": source for name, source in files.items()}


@pytest.mark.parametrize(
    ("find", "files", "found"),
    [
        (
            find_circles,
            plant(table__a="from .b import x", table__b="def f():\n    from .c import x", table__c="from .a import x", d=""),
            ["table/a.py", "table/b.py", "table/c.py"],
        ),
        (find_circles, plant(table__a="from .b import x", table__b="from . import c", table__c="from ..d import x", d=""), []),
        (
            find_late_imports,
            plant(table__a="def f():\n    import pandas\n    import numba\n    from ..game import terms", b="import numba"),
            [("table/a.py", "numba"), ("table/a.py", ".game.terms")],
        ),
        (
            find_private_imports,
            plant(table__a="from .b import _f, g\nfrom .._c import h\nfrom .. import __version__", table__b="", _c=""),
            [("table/a.py", ".table.b._f")],
        ),
        (
            find_hidden_paths,
            plant(a="x = import_module('instashap.game.terms'), 'game.html'", game__terms="", _registries="'game.terms'"),
            [("a.py", "instashap.game.terms")],
        ),
        (
            find_shared_names,
            plant(table__rows="class A: ...\nclass _B: ...", game__rows="class _B: ...", game__c="class A: ...", game__d__c=""),
            {"rows.py": ["game", "table"], "A": ["game", "table"]},
        ),
    ],
)
def test_a_planted_violation_is_found(find, files, found):
    assert find(files) == found


def test_bodies_are_counted_without_docstrings_and_arguments_without_options():
    source = 'def f(a, b, *, c, d=1):\n    """One.\n\n    Two.\n    """\n    x = 1\n\n    return x\n'
    assert count_lines(source) == 8
    assert measure_bodies(source) == [("f", 3)]
    assert count_arguments(source) == [("f", 3)]
    assert count_arguments("class A:\n    def __init__(self, a, b): ...\n    def g(self, a): ...") == [("g", 1)]
