"""What an import brings, seen from a fresh process."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import instashap

# numba itself loads scipy.linalg, and older ones of that load scipy.sparse: our own module of sparse products tells instead
PACKAGES = (
    "numba",
    "numpy",
    "pandas",
    "scipy.interpolate",
    "instashap.masked.problem",
    "sklearn",
    "matplotlib",
    "shap",
    "torch",
)


def list_loaded(code: str, *arguments: str) -> set[str]:
    """Packages in ``sys.modules`` after running code in a new interpreter."""
    report = f"{code}\nimport json, sys; print(json.dumps([p for p in {PACKAGES!r} if p in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", report, *arguments], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_loads_numpy_at_most() -> None:
    assert list_loaded("import instashap") <= {"numpy"}
    assert list_loaded("import instashap.plots, instashap.datasets") <= {"numpy"}


def test_loading_and_explaining_need_neither_scikit_learn_nor_scipys_routines(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(80, 2))
    explainer = instashap.Explainer(order=1).fit(X, outputs=X[:, 0] + X[:, 1])
    explainer.save(tmp_path / "small.insta", errors=True)
    code = (
        "import sys, numpy, instashap; e = instashap.load(sys.argv[1]); e(numpy.zeros((3, 2)), errors=True); "
        "e.predict(numpy.ones((1, 2)))"
    )
    assert list_loaded(code, str(tmp_path / "small.insta")) == {"numpy", "numba"}
