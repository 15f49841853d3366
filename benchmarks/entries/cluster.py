"""Dask, Spark (classic and Connect) and Ray of two workers beside one process: the same Shapley values, and what they cost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..cluster_engines import FEATURES, N_FEATURES
from ..runner import ROOT, Bench, Figure, Skipped, judge

N_FILES = 8
_ENGINES = {
    "dask": "Dask, 2 workers",
    "spark": "Spark, local[2]",
    "connect": "Spark Connect, local[2]",
    "ray": "Ray, 2 processors",
}
_PACKAGES = {"dask": ("dask", "distributed"), "spark": ("pyspark",), "connect": ("pyspark", "grpc"), "ray": ("ray",)}


def run(bench: Bench) -> dict[str, Figure]:
    """200 000 rows of 13 columns, in Parquet files, are fitted, and ten times as many explained.

    The fit is of order 2 with six pairs, planned on 10 000 rows.
    """
    import numpy as np

    if find_spec("psutil") is None:
        raise Skipped("psutil is not installed: pip install --group engines")
    n_rows = bench.choose(200_000, 16_000)
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spread = _write_rows(folder, n_rows)
        one = _measure("one", folder)
        expected = np.load(folder / "one.npy")
        figures |= {
            "one process: fit": judge(one["fit"], "s"),
            "one process: processor time of the fit": judge(one["fit_processor"], "s"),
            "one process: explained": judge(10 * n_rows / one["explain_processor"], "rows/s of processor time"),
            "one process: explained in memory": judge(one["memory_rate"], "rows/s of processor time"),
        }
        for engine, title in _ENGINES.items():
            absent = [package for package in _PACKAGES[engine] if find_spec(package) is None]
            if absent:
                bench.notes.append(f"{title}: {', '.join(absent)} is not installed")
                continue
            found = _measure(engine, folder)
            assert found["n_rows"] == one["n_rows"] == n_rows
            difference = float(np.abs(np.load(folder / f"{engine}.npy") - expected).max()) / spread
            figures |= _compare(title, found, one, difference, n_rows)
            shutil.rmtree(folder / f"many_{engine}")
    bench.notes.append(
        "processor seconds are those of all processes, Java included; rows are explained from Parquet files to Parquet files; "
        "fits begin when workers have explained 2 000 rows, and `start` is the time until then"
    )
    return figures


def _compare(title: str, found: dict[str, Any], one: dict[str, Any], difference: float, n_rows: int) -> dict[str, Figure]:
    asked = {"at_least": 0.5} if title.startswith("Spark") else {}
    return {
        f"{title}: largest difference of a Shapley value": judge(difference, "sd of the output", at_most=1e-9),
        f"{title}: start": judge(found["start"], "s"),
        f"{title}: fit": judge(found["fit"], "s"),
        f"{title}: overhead of a fit": judge(found["fit"] - one["fit"], "s"),
        f"{title}: overhead of a fit, processor time": judge(found["fit_processor"] - one["fit_processor"], "s"),
        f"{title}: explained": judge(10 * n_rows / found["explain_processor"], "rows/s of processor time"),
        f"{title}: explained, of one process's": judge(one["explain_processor"] / found["explain_processor"], "×", **asked),
    }


def _write_rows(folder: Path, n_rows: int) -> float:
    """Files of few rows, of those that are fitted, and of many; returns the standard deviation of the output."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, N_FEATURES))
    f = np.sin(X).sum(axis=1) + X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3] / 2
    frame = pd.DataFrame(X, columns=FEATURES).assign(f=f)
    for name in ("few", "rows", "many"):
        (folder / name).mkdir()
    frame[:2000].to_parquet(folder / "few" / "0.parquet")
    for number, part in enumerate(np.array_split(np.arange(n_rows), N_FILES)):
        frame.iloc[part].to_parquet(folder / "rows" / f"{number}.parquet")
    for number in range(N_FILES):
        copies = pd.concat([frame] * 10)[number::N_FILES]
        copies.to_parquet(folder / "many" / f"{number}.parquet", index=False)
    return float(f.std())


def _measure(engine: str, folder: Path) -> dict[str, Any]:
    """What :mod:`benchmarks.cluster_engines` prints for an engine."""
    places = [str(ROOT / "src"), str(ROOT)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(places), "PYSPARK_PYTHON": sys.executable}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.cluster_engines", engine, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(f"{engine} failed: {done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
