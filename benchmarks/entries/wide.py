"""Many features: seconds and peak memory of a fit in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

from ..runner import Bench, Figure, judge

_SCRIPT = """
import json, resource, sys, time
import numpy as np
import instashap
n_rows, n_features = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
loading = rng.integers(0, 5, n_features)
def draw(n):
    X = 0.6 * rng.normal(size=(n, 5))[:, loading] + 0.8 * rng.normal(size=(n, n_features))
    return X, X[:, :10].sum(1) + X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3] + np.sin(2 * X[:, 4]) + (X[:, 5] > 0) * X[:, 6]
X, f = draw(n_rows)
X_test, f_test = draw(5000)
start = time.perf_counter()
explainer = instashap.Explainer().fit(X, outputs=f)
seconds = time.perf_counter() - start
error = np.mean((explainer.predict(X_test) - f_test) ** 2) / f_test.var()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"seconds": seconds, "gib": peak, "r2": 1 - error, "terms": len(explainer.terms_)}))
"""


def run(bench: Bench) -> dict[str, Figure]:
    """Correlated Gaussian features (five factors), ten of them in main effects, six in pairs."""
    n_rows, n_features = bench.choose((100_000, 100), (2_000, 20))
    command = [sys.executable, "-W", "ignore", "-c", _SCRIPT, str(n_rows), str(n_features)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {
        "fit": judge(found["seconds"], "s"),
        "peak memory": judge(found["gib"], "GiB"),
        "held-out R²": judge(found["r2"]),
        "shape functions": judge(found["terms"]),
    }
