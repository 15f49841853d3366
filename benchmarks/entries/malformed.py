"""Malformed requests, made by schemathesis from the service's own description: no 5xx, no crash, and memory that stays."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from pathlib import Path

import numpy as np

from ..runner import Bench, Figure, Skipped, judge
from .serve import check_packages, serve

N_ROUNDS = 6


def run(bench: Bench) -> dict[str, Figure]:
    """Rounds of requests that break the schema, each with a seed of its own; counted by the service itself."""
    check_packages()
    command = shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or shutil.which("schemathesis")
    if command is None:
        raise Skipped("schemathesis is not installed: pip install schemathesis, best in an environment of its own on the PATH")
    memory = []
    with tempfile.TemporaryDirectory() as folder, serve(_fit(Path(folder) / "served.insta")) as (port, process):
        for seed in range(N_ROUNDS):
            _attack(command, port, seed, bench.choose(1000, 30), folder)
            memory.append(_measure_memory(process.pid))
        answers = _count_answers(port)
        lives = process.poll() is None
    n_server_errors = sum(count for status, count in answers.items() if status >= 500)
    told = ", ".join(f"{count} × {status}" for status, count in sorted(answers.items()))
    bench.notes.append(f"answers: {told}; memory after each round, MB: {', '.join(f'{each:.1f}' for each in memory)}")
    return {
        "requests": judge(sum(answers.values())),
        "refused, 4xx": judge(sum(count for status, count in answers.items() if 400 <= status < 500)),
        "server errors, 5xx": judge(n_server_errors),
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


def _attack(command: str, port: int, seed: int, n_examples: int, folder: str) -> None:
    address = f"http://127.0.0.1:{port}"
    options = ["--mode", "negative", "--phases", "fuzzing", "--checks", "not_a_server_error", "--continue-on-failure"]
    options += ["--max-examples", str(n_examples), "--seed", str(seed), "--warnings", "off", "--no-color", "--no-shrink"]
    done = subprocess.run(
        [command, "run", f"{address}/openapi.json", "--include-path-regex", "predict|explain", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):  # 1: found a failure, which the service has counted
        raise RuntimeError(f"schemathesis ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


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
