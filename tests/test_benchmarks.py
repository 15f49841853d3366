"""The benchmark runner's judgement and result file, with a dummy entry; the benchmarks themselves are never run here."""

import ast
import json
import platform
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def runner(monkeypatch):
    if not (ROOT / "benchmarks" / "runner.py").is_file():
        pytest.skip("the benchmarks are not in the source distribution")
    monkeypatch.syspath_prepend(str(ROOT))
    return import_module("benchmarks.runner")


def test_a_figure_is_judged_on_its_side_of_the_target(runner):
    assert runner.judge(17.4, "%", at_most=17.4)["holds"]
    assert not runner.judge(17.5, "%", at_most=17.4)["holds"]
    assert runner.judge(1.0, at_least=1.0)["holds"]
    assert not runner.judge(0.9, at_least=1.0)["holds"]
    assert runner.judge(3, "s") == {"figure": 3.0, "target": None, "bound": None, "unit": "s", "holds": True}


def test_actions_are_timed_in_turn(runner):
    order = []
    seconds = runner.measure_seconds({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert order == ["a", "b", "a", "b"]
    assert [len(seconds[name]) for name in "ab"] == [2, 2]


def test_result_file_holds_figures_and_hides_the_machine(runner, tmp_path):
    def run(bench):
        bench.notes.append(f"read {tmp_path / 'secret' / 'bike.parquet'}; 5 rows/s")
        warnings.warn(f"{platform.node()}: cache in C:\\Users\\me\\cache", UserWarning, stacklevel=1)
        return {"speed": runner.judge(2.0, "rows/s", at_least=3.0, samples=[2.0])}

    path = runner.write_result(runner.measure("dummy", run, runner.Bench(quick=True)), tmp_path / "results")
    text = path.read_text(encoding="utf-8")
    result = json.loads(text)
    assert path.name == "dummy.json"
    assert result["figures"]["speed"] == {
        "figure": 2.0, "target": 3.0, "bound": ">=", "unit": "rows/s", "holds": False, "samples": [2.0]
    }  # fmt: skip
    assert (result["quick"], result["repeats"]) == (True, 1)
    assert result["notes"] == ["read <path>; 5 rows/s"]
    assert result["warnings"] == ["UserWarning: <host>: cache in <path>"]
    assert result["versions"]["python"] == platform.python_version()
    assert {"cpu", "cores", "memory_gib"} <= set(result["machine"])
    assert str(tmp_path) not in text


def test_result_file_refuses_what_json_cannot_hold(runner, tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        runner.write_result({"name": "dummy", "figures": {"x": runner.judge(float("nan"))}}, tmp_path)


def _list_imports(path):
    """Modules and names of the package that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "instashap":
            yield from ((node.module, each.name) for each in node.names)


def _is_there(module, name):
    found = import_module(module)
    return hasattr(found, name) or (hasattr(found, "__path__") and find_spec(f"{module}.{name}") is not None)


def test_what_benchmarks_import_within_functions_is_there():
    paths = sorted((ROOT / "benchmarks").rglob("*.py"))
    if not paths:
        pytest.skip("the benchmarks are not in the source distribution")
    found = sorted({each for path in paths for each in _list_imports(path)})
    assert len(found) > 20
    assert [each for each in found if not _is_there(*each)] == []
