"""A table as they commonly come: seconds and peak memory of a fit, a save and an audit, each stage in one fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

from ..runner import Bench, Figure, Skipped, judge

_SCRIPT = """
import json, resource, sys, tempfile, time, warnings
from pathlib import Path
import numpy as np
import lightgbm
import instashap
warnings.simplefilter("ignore")
n_rows = int(sys.argv[1])
rng = np.random.default_rng(0)
blocks = []
for size in (6, 6, 6, 5):  # correlation .9 within a block
    blocks.append(np.sqrt(0.9) * rng.normal(size=(n_rows, 1)) + np.sqrt(0.1) * rng.normal(size=(n_rows, size)))
Z = np.hstack(blocks)
X = np.where(Z < -0.3, 0.0, np.round(1000 * np.expm1(np.maximum(Z + 0.3, 0))))  # amounts, two fifths of them zero
margin = 0.8 * Z[:, 0] * (Z[:, 6] > 0) + np.sin(1.5 * Z[:, 12]) + 0.5 * Z[:, 18] * Z[:, 7] - 0.5 * np.maximum(Z[:, 1], Z[:, 13])
y = rng.random(n_rows) < 1 / (1 + np.exp(1.3 - margin))
model = lightgbm.LGBMClassifier(n_estimators=200, verbose=-1, random_state=0, n_jobs=2).fit(X, y)
instashap.warm_up()
found = {}
def measure(name, action):
    wall, processor = time.perf_counter(), time.process_time()
    result = action()
    found[name] = time.perf_counter() - wall
    found[name + ", processor"] = time.process_time() - processor
    return result
explainer = measure("fit", lambda: instashap.Explainer(model).fit(X))
found["gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
with tempfile.TemporaryDirectory() as folder:
    measure("save", lambda: explainer.save(Path(folder) / "common.insta"))
measure("audit", explainer.audit)
found["r2"] = explainer.fit_facts_["chosen"]["fidelity"]
found["unknowns"] = explainer.fit_facts_["chosen"]["n_unknowns"]
print(json.dumps(found))
"""


def run(bench: Bench) -> dict[str, Figure]:
    """21 000 rows of 23 amounts in blocks of six at a correlation of .9, a LightGBM classifier of 200 trees."""
    if find_spec("lightgbm") is None:
        raise Skipped("needs lightgbm")
    command = [sys.executable, "-W", "ignore", "-c", _SCRIPT, str(bench.choose(21_000, 1_500))]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    figures = {"peak memory of the fit": judge(found["gib"], "GiB"), "held-out R² to the model": judge(found["r2"])}
    for stage in ("fit", "save", "audit"):
        figures[stage] = judge(found[stage], "s")
        figures[f"{stage}, processor"] = judge(found[f"{stage}, processor"], "s")
    return figures | {"unknowns": judge(found["unknowns"])}
