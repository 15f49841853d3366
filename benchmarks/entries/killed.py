"""Every writer killed at a random moment (SIGKILL), many times: the old file or the new one, and nothing beside it."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..runner import Bench, Figure, Skipped, judge

SEED = 0
N_KILLS = 50


def run(bench: Bench) -> dict[str, Figure]:
    """Fork a writer of two versions in turn, kill it, and look at what is there."""
    if not hasattr(os, "fork"):
        raise Skipped("this system cannot fork")
    rng, torn, litter, n_kills = random.Random(SEED), 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for name, write in make_writers().items():
            place = Path(folder) / name
            place.mkdir()
            versions, seconds = _write_versions(place, write)
            found = [_kill(place, write, versions, seconds * rng.random()) for _ in range(bench.choose(N_KILLS, 5))]
            torn += sum(is_torn for is_torn, _ in found)
            litter += sum(left for _, left in found)
            n_kills += len(found)
    bench.notes.append(f"writers: {', '.join(make_writers())}; {N_KILLS} kills each")
    return {
        "writers killed": judge(n_kills),
        "files neither old nor new": judge(torn),
        "files left beside": judge(litter),
    }


def make_writers() -> dict[str, Callable[[Path, str], Any]]:
    """Writers of files in a folder, by name; the second argument makes versions differ."""
    import pandas as pd

    import instashap
    from instashap import workflow
    from instashap.questions.save import save_fitted

    rng = np.random.default_rng(0)
    data = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120)}).assign(y=lambda each: each["a"] * each["b"])
    explained = workflow.explain_table(data, "y", order=2)
    explainer, rows, report = explained.explainer, explained.held_out, explained.explainer.audit()
    fitted = explainer._check_fitted()

    def write_trust(folder: Path, title: str) -> None:
        from dataclasses import replace

        workflow.write_report(replace(report, output_transform=title), folder)

    return {
        "explainer": lambda folder, title: save_fitted(fitted, folder / "a.insta", output=title),
        "html": lambda folder, title: instashap.write_report(explainer, rows, path=folder / "a.html", title=title),
        "markdown": lambda folder, title: instashap.write_report(explainer, rows, path=folder / "a.md", title=title),
        "json": lambda folder, title: instashap.write_report(explainer, rows, path=folder / "a.json", title=title),
        "trust report": write_trust,
        "results": lambda folder, title: workflow.write_results(_change(explained, title), folder),
    }


def _change(explained: Any, title: str) -> Any:
    from dataclasses import replace

    values = explained.explanation.values * (1.0 if title == "one" else 2.0)
    return replace(explained, explanation=replace(explained.explanation, values=values), seconds={title: 1.0})


def _write_versions(folder: Path, write: Callable[[Path, str], Any]) -> tuple[list[dict[str, bytes]], float]:
    """Both versions' files, and the seconds that both take."""
    versions = []
    start = time.perf_counter()
    for title in ("one", "two"):
        write(folder, title)
        versions.append({path.name: path.read_bytes() for path in folder.iterdir()})
    return versions, time.perf_counter() - start


def _kill(
    folder: Path, write: Callable[[Path, str], Any], versions: list[dict[str, bytes]], seconds: float
) -> tuple[bool, int]:
    """Whether any file is neither version, and how many files are there that no version has, after so many seconds."""
    child = os.fork()
    if not child:
        while True:
            write(folder, "one")
            write(folder, "two")
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    torn = any(data not in [version.get(name) for version in versions] for name, data in found.items() if name in versions[0])
    beside = [name for name in found if name not in versions[0]]
    for name in beside:
        (folder / name).unlink()
    return torn or versions[0].keys() > found.keys(), len(beside)
