"""From an entry to a result file: time, judge, describe the machine, write JSON without paths or host names."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from instashap.store import write_file

from .targets import TARGETS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = (
    *("numpy", "scipy", "numba", "llvmlite", "scikit-learn", "pandas", "threadpoolctl"),
    *("shap", "xgboost", "interpret-core", "torch"),
)
# A file's place on this machine: two or more parts after a root, at the start of a word ("rows/s" is not one).
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:\\|~?/)[\w.+-]+(?:[\\/][\w.+-]+)+")

Figure = dict[str, Any]


class Skipped(Exception):  # noqa: N818 - an outcome, not an error
    """An entry cannot run here; the text says why."""


@dataclass
class Bench:
    """What an entry is given: how thorough to be, where the data may lie, and a place for notes.

    Attributes
    ----------
    quick : bool
        Fewer rows and repeats; figures are then not judged where rows were left out.
    folder : Path or None
        Folder of data the user named.
    notes : list of str
        What the reader of the result should know, for example a missing peer.
    device : str
        Where nets are trained.
    """

    quick: bool = False
    folder: Path | None = None
    notes: list[str] = field(default_factory=list)
    device: str = "auto"

    @property
    def repeats(self) -> int:
        return 1 if self.quick else 3

    def choose(self, full: Any, quick: Any) -> Any:
        """One of two settings, by ``quick``."""
        return quick if self.quick else full


def judge(
    value: float, unit: str = "", *, at_most: float | None = None, at_least: float | None = None, samples: Any = None
) -> Figure:
    """A figure beside its target as a plain dict; one without a target holds.

    Parameters
    ----------
    value : float
    unit : str
    at_most, at_least : float, optional
        The target, and on which side of it the figure should lie; at most one of the two.
    samples : iterable of float, optional
        The single measurements that ``value`` summarises.
    """
    target = at_least if at_most is None else at_most
    holds = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
    bound = None if target is None else "<=" if at_most is not None else ">="
    figure = {"figure": float(value), "target": target, "bound": bound, "unit": unit, "holds": bool(holds)}
    return figure if samples is None else {**figure, "samples": [float(f"{sample:.4g}") for sample in samples]}


def measure_seconds(actions: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Wall-clock seconds of each action; one round runs all of them, so a busy minute hits peers alike."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def judge_seconds(samples: list[float]) -> Figure:
    """Median of some durations."""
    return judge(statistics.median(samples), "s", samples=samples)


def load_entry(name: str) -> Callable[[Bench], dict[str, Figure]]:
    """The function ``run(bench)`` of an entry's module; ``paper.NAME`` lies in the folder of the paper's experiments."""
    module = name if name.startswith("paper.") else f"entries.{name}"
    run: Callable[[Bench], dict[str, Figure]] = import_module(f".{module}", __package__).run
    return run


def measure(name: str, run: Callable[[Bench], dict[str, Figure]], bench: Bench) -> dict[str, Any]:
    """Result of an entry as JSON: figures, versions, machine, and the warnings it gave."""
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for category in (DeprecationWarning, PendingDeprecationWarning):  # other packages' affairs
            warnings.simplefilter("ignore", category)
        figures = run(bench)
    if not bench.quick:
        figures = {label: _set_target(figure, TARGETS.get(name, {}).get(label)) for label, figure in figures.items()}
    return {
        "name": name,
        "quick": bench.quick,
        "repeats": bench.repeats,
        "seconds": round(time.perf_counter() - start, 1),
        "figures": figures,
        "notes": bench.notes,
        "warnings": sorted({f"{each.category.__name__}: {each.message}" for each in caught}),
        "versions": collect_versions(),
        "machine": describe_machine(),
    }


def _set_target(figure: Figure, target: tuple[str, float] | None) -> Figure:
    if target is None:
        return figure
    bound, value = target
    sides = {"<=": {"at_most": value}, ">=": {"at_least": value}}
    return judge(figure["figure"], figure["unit"], samples=figure.get("samples"), **sides[bound])


def collect_versions() -> dict[str, str | None]:
    """Versions of Python, instashap and the packages that matter to a figure; None for what is not installed."""
    import instashap

    found: dict[str, str | None] = {"python": platform.python_version(), "instashap": instashap.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return {**found, "revision": _read_revision()}


def _read_revision() -> str | None:
    """Commit of the checkout, with "+" if the library has changes of its own."""
    git = ["git", "-C", str(ROOT)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
        changes = subprocess.run([*git, "status", "--porcelain", "src"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.strip() + ("+" if changes.strip() else "")


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory and how busy it is; nothing that tells which machine it is."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    has_load = hasattr(os, "getloadavg")
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _read_cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": usable,
        "memory_gib": _measure_memory(),
        "load_1min": round(os.getloadavg()[0], 2) if has_load else None,
    }


def _read_cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown"


def _measure_memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def write_result(result: dict[str, Any], folder: Path) -> Path:
    """Write ``NAME.json``, machine paths and the host name blotted out; returns the path.

    Raises
    ------
    ValueError
        If a figure is infinite or NaN, which JSON cannot hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['name']}.json"
    text = json.dumps(_hide_machine(result), indent=2, allow_nan=False, ensure_ascii=False)
    write_file(path, text + "\n")
    return path


def _hide_machine(value: Any) -> Any:
    """A JSON value with paths and the host name replaced in every text."""
    if isinstance(value, dict):
        return {key: _hide_machine(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_hide_machine(each) for each in value]
    if not isinstance(value, str):
        return value
    host = platform.node()
    hidden = _PATH.sub("<path>", value)
    return re.sub(rf"\b{re.escape(host)}\b", "<host>", hidden) if host else hidden
