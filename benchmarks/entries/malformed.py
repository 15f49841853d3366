"""Malformed requests, made by schemathesis from the service's own description: no 5xx, no crash, and memory that stays."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..runner import Bench, Figure, Skipped, judge
from .serve import check_packages, serve

N_ROUNDS = 5
# A process of its own, so that its memory is not the server's. Bodies that break the schema, by its own strategy.
_ATTACKER = """
import sys, warnings
import requests, schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
warnings.simplefilter("ignore")
address, number, n_examples = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
schema, session = schemathesis.openapi.from_url(address + "/openapi.json"), requests.Session()
for path in ("/predict", "/explain"):
    strategy = schema[path]["POST"].as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
    @seed(number)
    @settings(max_examples=n_examples, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(strategy)
    def attack(case):
        case.call(base_url=address, session=session)
    attack()
"""


def run(bench: Bench) -> dict[str, Figure]:
    """Rounds of requests that break the schema, each with a seed of its own; counted by the service itself."""
    check_packages()
    if find_spec("schemathesis") is None:
        raise Skipped("schemathesis is not installed: pip install schemathesis")
    memory = []
    with tempfile.TemporaryDirectory() as folder, serve(_fit(Path(folder) / "served.insta"), "--max-rows", "3") as served:
        port, process = served
        for number in range(N_ROUNDS):
            command = [sys.executable, "-c", _ATTACKER, f"http://127.0.0.1:{port}", str(number), str(bench.choose(1050, 20))]
            subprocess.run(command, check=True)
            memory.append(_measure_memory(process.pid))
        answers = _count_answers(port)
        lives = process.poll() is None
    told = ", ".join(f"{count:,} × {status}" for status, count in sorted(answers.items()))
    bench.notes.append(f"answers: {told}; memory after each round, MB: {', '.join(f'{each:.1f}' for each in memory)}")
    return {
        "requests": judge(sum(answers.values())),
        "refused, 4xx": judge(sum(count for status, count in answers.items() if 400 <= status < 500)),
        "server errors, 5xx": judge(sum(count for status, count in answers.items() if status >= 500)),
        "lives": judge(float(lives)),
        "memory after the last round less after the first": judge(memory[-1] - memory[0], "MB"),
    }


def _fit(path: Path) -> Path:
    """An explainer of numbers and text, with gaps."""
    import pandas as pd

    import instashap

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(1000, 4)), columns=["a", "b", "c", "d"])
    frame["town"] = rng.choice(["north", "south", "east"], 1000)
    frame.iloc[::9, 1] = np.nan
    outputs = frame["a"] * (frame["town"] == "north") + np.sin(frame["c"])
    instashap.Explainer(order=2, interactions="all").fit(frame, outputs=outputs.to_numpy()).save(path)
    return path


def _count_answers(port: int) -> Counter[int]:
    """Answers of the two paths that take rows, by status."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    found = re.findall(r'^instashap_requests_total\{path="/(?:predict|explain)",status="(\d+)"\} (\S+)$', text, re.MULTILINE)
    answers: Counter[int] = Counter()
    for status, count in found:
        answers[int(status)] += int(float(count))
    return answers


def _measure_memory(process: int) -> float:
    """Resident memory of a process in MB."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise Skipped("memory is read from /proc, which this system lacks")
    return int(found[1]) / 1000
