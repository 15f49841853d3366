"""The live report of 20 features at order 2, in headless Chromium: its size, first paint, and a slider's step."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..runner import Bench, Figure, Skipped, judge

N_FEATURES = 20
# One step as a hand makes it: value, event, and the layout it asks for, so that nothing is left for later; a frame apart.
_STEP = """
async (n) => {
  const sliders = [...document.querySelectorAll("input[type=range]")];
  const seconds = [];
  for (let step = 0; step < n; step++) {
    const slider = sliders[step % sliders.length];
    await new Promise(requestAnimationFrame);
    const share = ((step * 37) % 101) / 100;
    const start = performance.now();
    slider.value = Number(slider.min) + share * (Number(slider.max) - Number(slider.min));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    document.getElementById("waterfall").getBoundingClientRect();
    seconds.push(performance.now() - start);
  }
  return seconds;
}
"""


def run(bench: Bench) -> dict[str, Figure]:
    """Bytes, milliseconds to the first paint and to a page that answers, and milliseconds of a slider's step."""
    if find_spec("playwright") is None:
        raise Skipped("playwright is not installed: pip install playwright")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise Skipped("there is no Chromium on the path")
    with tempfile.TemporaryDirectory() as folder:
        path = _write(bench, Path(folder) / "report.html")
        size = path.stat().st_size
        loads, steps, version = _measure(bench, chromium, path)
    bench.notes.append(f"Chromium {version}, headless, 1200 × 900; paints are medians of {len(loads)} loads from disk")
    bench.notes.append(f"a step: a slider set, the page scored anew, the waterfall drawn and laid out; {len(steps)} steps")
    return {
        "page": judge(size / 1e6, "MB"),
        "first paint": judge(statistics.median(load["paint"] for load in loads), "ms"),
        "page ready": judge(statistics.median(load["ready"] for load in loads), "ms"),
        "slider step, median": judge(statistics.median(steps), "ms"),
        "slider step, 99 %": judge(float(np.quantile(steps, 0.99)), "ms"),
    }


def _write(bench: Bench, path: Path) -> Path:
    import instashap

    rng = np.random.default_rng(0)
    n_rows = bench.choose(3000, 1000)
    X = rng.normal(size=(n_rows, 3)) @ rng.normal(size=(3, N_FEATURES)) * 0.6 + rng.normal(size=(n_rows, N_FEATURES))
    outputs = np.sin(X).sum(axis=1) + (X[:, :-1] * X[:, 1:]).sum(axis=1)
    explainer = instashap.Explainer(order=2, interactions="all").fit(X, outputs=outputs)
    return instashap.write_report(explainer, X, path=path)


def _measure(bench: Bench, chromium: str, path: Path) -> tuple[list[dict[str, float]], list[float], str]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        loads: list[dict[str, float]] = []
        steps: list[float] = []
        for _ in range(bench.choose(7, 2)):
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            page.goto(path.as_uri())
            loads.append(_read_load(page))
            if not steps:
                steps = page.evaluate(_STEP, bench.choose(500, 50))
            page.close()
        version = browser.version
        browser.close()
    return loads, steps, version


def _read_load(page: Any) -> dict[str, float]:
    page.wait_for_timeout(500)
    load: dict[str, float] = page.evaluate(
        "({ paint: performance.getEntriesByName('first-contentful-paint')[0].startTime,"
        " ready: performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd })"
    )
    return load
