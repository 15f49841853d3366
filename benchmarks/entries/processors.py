"""Shapley values under the kernels of several processors: how far they differ."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runner import ROOT, Bench, Figure, Skipped, judge

# Kernels of OpenBLAS from the newest to the oldest instructions (AVX-512, AVX2 twice, SSE3).
KERNELS = ("SkylakeX", "Haswell", "Zen", "Prescott")
MOST = 1e-3


def run(bench: Bench) -> dict[str, Figure]:
    """Largest relative difference of Shapley values between any two kernels, by table and model."""
    with tempfile.TemporaryDirectory() as folder:
        found = {kernel: values for kernel in KERNELS if (values := measure(kernel, Path(folder), bench)) is not None}
    if len(found) < 2:
        raise Skipped("fewer than two kernels run here")
    bench.notes.append(f"kernels: {', '.join(found)}")
    return {what: judge(difference, at_most=MOST) for what, difference in compare(found).items()}


def measure(kernel: str, folder: Path, bench: Bench) -> dict[str, NDArray[np.float64]] | None:
    """Shapley values in a process of its own under a kernel; None, with a note, where the processor cannot run it."""
    path = folder / f"{kernel}.npz"
    command = [sys.executable, "-m", "benchmarks.entries.processors", str(path), "quick" if bench.quick else "full"]
    given = {"INSTASHAP_DATA": str(bench.folder)} if bench.folder else {}
    places = os.pathsep.join([str(ROOT), *sys.path[1:]])
    environment = {**os.environ, **given, "OPENBLAS_CORETYPE": kernel, "PYTHONPATH": places}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode > 0:
        raise RuntimeError(f"under the kernel {kernel}: {ended.stderr[-2000:]}")
    if ended.returncode < 0:  # the processor lacks an instruction
        bench.notes.append(f"{kernel} is left out: the process ended by signal {-ended.returncode}")
        return None
    if kernel.lower() not in ended.stdout.lower():
        bench.notes.append(f"{kernel} is left out: BLAS ran {ended.stdout.strip() or 'no OpenBLAS'} instead")
        return None
    with np.load(path) as file:
        return dict(file)


def compare(found: dict[str, dict[str, NDArray[np.float64]]]) -> dict[str, float]:
    """Largest relative L2 difference between any two kernels, for each table and model."""
    every = list(found.values())
    return {
        what: max(
            float(np.linalg.norm(one[what] - other[what]) / np.linalg.norm(other[what])) for one in every for other in every
        )
        for what in every[0]
    }


def compute_values(quick: bool) -> dict[str, NDArray[np.float64]]:
    """Shapley values of an explainer, a regressor and a classifier on three tables."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    from instashap import AdditiveClassifier, AdditiveRegressor, Explainer

    values = {}
    for name, X, y in list_tables(quick):
        outputs = HistGradientBoostingRegressor(max_iter=60, random_state=0).fit(X, y).predict(X)
        labels = (y > np.median(y)).astype(int)
        values[f"{name}, explainer"] = Explainer().fit(X, outputs=outputs).shap_values(X)
        values[f"{name}, regressor"] = AdditiveRegressor().fit(X, y).shap_values(X)
        values[f"{name}, classifier"] = AdditiveClassifier().fit(X, labels).shap_values(X)
    return values


def list_tables(quick: bool) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Names, columns and targets; quick: some columns and rows of bundled tables."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

    X, y = load_diabetes(return_X_y=True)
    yield "diabetes", *((X[:, 2:7], y) if quick else (X, y))
    X, _ = load_breast_cancer(return_X_y=True)
    radius = np.log(X[:, 20])  # of the largest cells
    yield "breast cancer", *((X[:300, 1:6], radius[:300]) if quick else (X[:, :20], radius))
    X, _ = load_wine(return_X_y=True)
    yield "wine", *((X[:, :5], X[:, 12]) if quick else (X[:, :12], X[:, 12]))
    if not quick and (housing := _load_housing()) is not None:
        yield "California housing, every tenth row", *housing


def _load_housing() -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    from instashap.datasets import load_california_housing

    try:
        housing: Any = load_california_housing()
    except (OSError, RuntimeError):  # no folder of data, no network
        return None
    return np.asarray(housing.data, dtype=np.float64)[::10], np.asarray(housing.target, dtype=np.float64)[::10]


def main(path: str, how: str) -> None:
    """Write the values, and print the kernels in use."""
    import scipy.linalg  # noqa: F401 - its BLAS should be among them
    from threadpoolctl import threadpool_info

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.savez(path, **compute_values(how == "quick"))
    print(*sorted({str(each["architecture"]) for each in threadpool_info() if each["internal_api"] == "openblas"}))


if __name__ == "__main__":
    main(*sys.argv[1:])
