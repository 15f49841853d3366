"""More columns than rows, and a sparse table of text: seconds and peak memory of fresh processes."""

from __future__ import annotations

import json
import subprocess
import sys

from ..runner import Bench, Figure, judge

_SCRIPT = """
import json, resource, sys, time, warnings
import numpy as np
from scipy import sparse
import instashap
warnings.simplefilter("ignore")
kind, n_rows, n_columns, order = sys.argv[1], *map(int, sys.argv[2:5])
rng = np.random.default_rng(0)
if kind == "sparse":
    X = sparse.random(n_rows, n_columns, density=0.01, format="csr", random_state=0)
    f = np.asarray(X @ np.where(np.arange(n_columns) % 7 == 0, 1.0, 0.0)).ravel()
else:
    X = rng.normal(size=(n_rows, n_columns))
    f = 2 * X[:, 0] + X[:, 1] * X[:, 2] + np.sin(2 * X[:, 3])
instashap.warm_up()
wall, processor = time.perf_counter(), time.process_time()
if kind == "labels":
    made = instashap.AdditiveClassifier(order=order).fit(X, f > 0)
else:
    made = instashap.Explainer(order=order).fit(X, outputs=f)
found = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
found["gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps(found))
"""
# Kind, rows, columns, order.
CASES = {
    "200 × 1 000, order 1": ("dense", 200, 1000, 1),
    "200 × 1 000, order 2": ("dense", 200, 1000, 2),
    "300 × 300, order 2": ("dense", 300, 300, 2),
    "1 000 × 5 000, order 1": ("dense", 1000, 5000, 1),
    "labels, 200 × 500, order 1": ("labels", 200, 500, 1),
    "sparse, 10 000 × 5 000, order 1": ("sparse", 10_000, 5000, 1),
}


def run(bench: Bench) -> dict[str, Figure]:
    """Gaussian columns of which four matter, labels from them, and a sparse table of one entry in a hundred."""
    figures = {}
    for name, (kind, n_rows, n_columns, order) in bench.choose(CASES, {"60 × 100, order 2": ("dense", 60, 100, 2)}).items():
        command = [sys.executable, "-W", "ignore", "-c", _SCRIPT, kind, str(n_rows), str(n_columns), str(order)]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        figures[name] = judge(found["wall"], "s")
        figures[f"{name}: processor"] = judge(found["processor"], "s")
        figures[f"{name}: peak memory"] = judge(found["gib"], "GiB")
    return figures
