"""Many rows: seconds and peak memory of a fit and of explaining, from a memory map, each size in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from ..runner import Bench, Figure, judge

_SCRIPT = """
import json, resource, sys, time
from pathlib import Path
import numpy as np
import instashap
n_rows, n_features, path = int(sys.argv[1]), 13, Path(sys.argv[2])
rng = np.random.default_rng(0)
X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n_rows, n_features))
for start in range(0, n_rows, 10_000):
    X[start : start + 10_000] = rng.normal(size=(len(X[start : start + 10_000]), n_features))
X.flush()
X = np.load(path, mmap_mode="r")
f = np.concatenate([(lambda A: np.sin(A).sum(1) + A[:, 0] * A[:, 1] + A[:, 2] * A[:, 3])(X[k : k + 10_000].astype(np.float64))
                    for k in range(0, n_rows, 10_000)])
instashap.warm_up()
def measure_peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
before = measure_peak()
start = time.perf_counter()
explainer = instashap.Explainer().fit(X, outputs=f)
seconds, peak = time.perf_counter() - start, measure_peak()
start = time.perf_counter()
for k in range(0, n_rows, 100_000):
    explainer.shap_values(X[k : k + 100_000])
explaining = time.perf_counter() - start
A = X[-10_000:].astype(np.float64)  # the columns are independent: half of a product belongs to each factor
exact = np.sin(A)
for one, other in ((0, 1), (2, 3)):
    exact[:, [one, other]] += (A[:, one] * A[:, other] / 2)[:, None]
open_share = ((explainer.shap_values(X[-10_000:]) - exact) ** 2).sum() / (exact**2).sum()
print(json.dumps({"seconds": seconds, "gib": peak, "before": before, "rate": n_rows / explaining, "r2": 1 - open_share}))
"""


def run(bench: Bench) -> dict[str, Figure]:
    """Thirteen columns in float32, two pairs; default settings."""
    figures = {}
    for n_rows in bench.choose((10_000, 100_000, 1_000_000), (1_000, 5_000)):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-W", "ignore", "-c", _SCRIPT, str(n_rows), str(Path(folder) / "rows.npy")]
            found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        figures |= {
            f"{n_rows:,} rows: fit": judge(found["seconds"], "s"),
            f"{n_rows:,} rows: peak memory": judge(found["gib"], "GiB"),
            f"{n_rows:,} rows: of that before the fit": judge(found["before"], "GiB"),
            f"{n_rows:,} rows: explained": judge(found["rate"], "rows/s"),
            f"{n_rows:,} rows: R² of Shapley values": judge(found["r2"]),
        }
    return figures
