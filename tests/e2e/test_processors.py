"""Equal answers under the kernels of different processors."""

import subprocess
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def processors(monkeypatch):
    if not (ROOT / "benchmarks" / "runner.py").is_file():
        pytest.skip("the benchmarks are not in the source distribution")
    monkeypatch.syspath_prepend(str(ROOT))
    return import_module("benchmarks.entries.processors")


def test_values_do_not_depend_on_the_processor(processors, tmp_path):
    bench = import_module("benchmarks.runner").Bench(quick=True)
    kernels = ("SkylakeX", "Haswell")
    found = {kernel: values for kernel in kernels if (values := processors.measure(kernel, tmp_path, bench)) is not None}
    if len(found) < 2:
        pytest.skip("; ".join(bench.notes))
    differences = processors.compare(found)
    assert len(differences) == 9
    assert max(differences.values()) < 1e-4


def test_a_kernel_that_blas_does_not_have_is_left_out_with_a_reason(processors, tmp_path, monkeypatch):
    bench = import_module("benchmarks.runner").Bench(quick=True)
    ended = subprocess.CompletedProcess([], 0, "Haswell", "")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: ended)
    assert processors.measure("SkylakeX", tmp_path, bench) is None
    assert bench.notes == ["SkylakeX is left out: BLAS ran Haswell instead"]
    ended.returncode = -4
    assert processors.measure("Zen", tmp_path, bench) is None
    assert bench.notes[1] == "Zen is left out: the process ended by signal 4"
