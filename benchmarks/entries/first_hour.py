"""What a new user waits for: import, fit and first Shapley values in a fresh process, kernels not yet compiled.

Run as a module with a file name and a number of rows it is that process: it trains gradient boosting, then times the rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..runner import ROOT, Bench, Figure, judge_seconds

N_FEATURES = 10


def run(bench: Bench) -> dict[str, Figure]:
    """Seconds of each step with an empty cache of compiled kernels, and again with the cache it left."""
    n_rows = bench.choose(20_000, 2000)
    samples: dict[str, list[float]] = {}
    for _ in range(bench.choose(3, 1)):
        with tempfile.TemporaryDirectory() as folder:
            for state in ("cold", "warm cache"):
                for step, seconds in _run_process(Path(folder), n_rows).items():
                    samples.setdefault(f"{state}: {step}", []).append(seconds)
    bench.notes.append(f"{n_rows:,} × {N_FEATURES} rows; scikit-learn is imported while the black box is trained")
    bench.notes.append(f"processes for each state of the cache: {bench.choose(3, 1)}")
    return {name: judge_seconds(seconds) for name, seconds in samples.items()}


def _run_process(folder: Path, n_rows: int) -> dict[str, float]:
    out = folder / "seconds.json"
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", __name__, str(out), str(n_rows)],
        cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")},
        check=True,
    )
    total = time.perf_counter() - start
    steps: dict[str, float] = json.loads(out.read_text(encoding="utf-8"))
    return {**steps, "whole process": total, "whole process without training": total - steps["training the black box"]}


def _time_steps(n_rows: int) -> dict[str, float]:
    import numpy as np

    clock = time.perf_counter
    marks = [clock()]
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, N_FEATURES))
    y = X[:, 0] + X[:, 1] * X[:, 2] + np.sin(2 * X[:, 3]) + 0.5 * X[:, 4] * X[:, 5] + 0.1 * rng.normal(size=n_rows)
    model = HistGradientBoostingRegressor(random_state=0).fit(X, y)
    marks.append(clock())
    import instashap

    explainer = instashap.Explainer(model)
    marks.append(clock())
    explainer.fit(X)
    marks.append(clock())
    explainer.shap_values(X)
    marks.append(clock())
    steps = ("training the black box", "import", "fit", "first Shapley values")
    seconds = {step: end - start for step, start, end in zip(steps, marks, marks[1:], strict=False)}
    return {**seconds, "import + fit + first values": marks[-1] - marks[1]}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(_time_steps(int(sys.argv[2]))), encoding="utf-8")
