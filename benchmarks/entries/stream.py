"""Rows that do not fit in memory: a fit and explanations of Parquet files, each size in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from ..runner import Bench, Figure, judge

N_FEATURES, N_PAIRS, FILE_ROWS = 20, 50, 250_000

_SCRIPT = """
import json, resource, sys, time
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from pathlib import Path
import instashap
from instashap.masked.sums import Accumulator
n_rows, n_features, n_pairs, file_rows, folder = *map(int, sys.argv[1:5]), Path(sys.argv[5])
pairs = [(j, (j + step) % n_features) for step in (1, 2, 3) for j in range(n_features)][:n_pairs]
rng = np.random.default_rng(0)
(folder / "rows").mkdir()
for start in range(0, n_rows, file_rows):
    A = rng.normal(size=(min(file_rows, n_rows - start), n_features)).astype(np.float32)
    f = np.sin(A).sum(1) + sum(A[:, j] * A[:, k] for j, k in pairs) / 4
    columns = {f"x{j}": A[:, j] for j in range(n_features)} | {"f": f.astype(np.float64)}
    pq.write_table(pa.table(columns), folder / "rows" / f"{start:09d}.parquet", row_group_size=100_000)
del A, f, columns
instashap.warm_up()
spent = {"wall": 0.0, "cpu": 0.0}
add = Accumulator.add
def timed(self, *block):
    wall, cpu = time.perf_counter(), time.process_time()
    add(self, *block)
    spent["wall"] += time.perf_counter() - wall
    spent["cpu"] += time.process_time() - cpu
Accumulator.add = timed
def measure_peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
def measure(work):
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu
explainer = instashap.Explainer(interactions=n_pairs)
seconds, cpu = measure(lambda: explainer.fit(folder / "rows", outputs="f"))
peak = measure_peak()
explaining, explaining_cpu = measure(lambda: explainer.explain_to(folder / "values.parquet", folder / "rows"))
plan = explainer._fitted.answers.plan
print(json.dumps({"seconds": seconds, "cpu": cpu, "sums": spent["wall"], "sums_cpu": spent["cpu"], "gib": peak,
    "n_functions": 1 if plan is None else len(plan.functions) + 2, "explaining": explaining, "explaining_cpu": explaining_cpu,
    "explaining_gib": measure_peak()}))
"""


def run(bench: Bench) -> dict[str, Figure]:
    """Twenty columns in float32, fifty pairs; outputs are a column of the files."""
    sizes = bench.choose((1_000_000, 10_000_000), (110_000, 150_000))
    found = {n_rows: _measure(n_rows) for n_rows in sizes}
    figures = {}
    for n_rows, each in found.items():
        figures |= {
            f"{n_rows:,} rows: fit": judge(each["seconds"], "s"),
            f"{n_rows:,} rows: processor time of the fit": judge(each["cpu"], "s"),
            f"{n_rows:,} rows: of that summing": judge(each["sums_cpu"], "s"),
            f"{n_rows:,} rows: summed": judge(n_rows / each["sums"], "rows/s"),
            f"{n_rows:,} rows: peak memory of the fit": judge(each["gib"], "GiB"),
            f"{n_rows:,} rows: explained": judge(n_rows / each["explaining"], "rows/s"),
            f"{n_rows:,} rows: peak memory": judge(each["explaining_gib"], "GiB"),
        }
    few, many = sizes
    growth = (found[many]["sums_cpu"] / many) / (found[few]["sums_cpu"] / few)
    flops = many * found[many]["n_functions"] ** 2
    return figures | {
        "summing a row, most rows against fewest": judge(growth),
        "share of the processor's dsyrk": judge(flops / found[many]["sums_cpu"] / _measure_syrk(found[many]["n_functions"])),
    }


def _measure(n_rows: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        arguments = [*map(str, (n_rows, N_FEATURES, N_PAIRS, FILE_ROWS)), str(Path(folder))]
        command = [sys.executable, "-W", "ignore", "-c", _SCRIPT, *arguments]
        found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def _measure_syrk(n_functions: int, n_rows: int = 8192) -> float:
    """Multiplications and additions a second of processor time in a symmetric product of a block of this shape."""
    import time

    import numpy as np
    from scipy.linalg.blas import dsyrk
    from threadpoolctl import threadpool_limits

    values = np.asfortranarray(np.random.default_rng(0).normal(size=(n_functions, n_rows)))
    with threadpool_limits(1):
        start = time.process_time()
        for _ in range(5):
            dsyrk(1.0, values)
        return 5 * n_rows * n_functions**2 / (time.process_time() - start)
