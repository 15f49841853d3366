"""The live report in Chromium: size, first paint and a slider's step of 20 features, a phone's page of 60, barriers."""

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
N_ON_PHONE = 60
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
    """Megabytes, milliseconds to the first paint and of a slider's step, pixels of a phone's page, and axe's violations."""
    if find_spec("playwright") is None:
        raise Skipped("playwright is not installed: pip install playwright")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise Skipped("there is no Chromium on the path")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        path = _write(Path(folder) / "report.html", N_FEATURES, bench.choose(3000, 1000), "all")
        wide = _write(Path(folder) / "wide.html", N_ON_PHONE, bench.choose(2000, 300), [(0, 1), (2, 3), (4, 5), (6, 7)])
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        loads, steps = _measure(bench, browser, path)
        figures = {
            "page": judge(path.stat().st_size / 1e6, "MB"),
            "first paint": judge(statistics.median(load["paint"] for load in loads), "ms"),
            "page ready": judge(statistics.median(load["ready"] for load in loads), "ms"),
            "slider step, median": judge(statistics.median(steps), "ms"),
            "slider step, 99 %": judge(float(np.quantile(steps, 0.99)), "ms"),
            f"phone page of {N_ON_PHONE} features": judge(_measure_height(browser, wide), "px"),
            **_count_barriers(bench, browser, path),
        }
        bench.notes.append(f"Chromium {browser.version}, headless, 1200 × 900; paints: medians of {len(loads)} loads from disk")
        browser.close()
    bench.notes.append(f"a step: a slider set, the page scored anew, the waterfall drawn and laid out; {len(steps)} steps")
    bench.notes.append("the phone: 380 × 740, all charts drawn, as the page opens; axe: light and dark, all charts drawn")
    return figures


def _write(path: Path, n_features: int, n_rows: int, interactions: Any) -> Path:
    import instashap

    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(n_rows, 3)) @ rng.normal(size=(3, n_features)) * 0.6
    X = mixed + rng.normal(size=(n_rows, n_features))
    outputs = np.sin(X).sum(axis=1) + (X[:, :-1] * X[:, 1:]).sum(axis=1)
    explainer = instashap.Explainer(order=2, interactions=interactions).fit(X, outputs=outputs)
    return instashap.write_report(explainer, X, path=path)


def _measure_height(browser: Any, path: Path) -> float:
    page = browser.new_page(viewport={"width": 380, "height": 740}, is_mobile=True, has_touch=True)
    page.goto(path.as_uri())
    page.evaluate("instashapReport.drawAll()")
    height = float(page.evaluate("document.documentElement.scrollHeight"))
    page.close()
    return height


def _count_barriers(bench: Bench, browser: Any, path: Path) -> dict[str, Figure]:
    """Violations that axe reports, of both themes together: all of them, and the serious and critical ones."""
    if find_spec("axe_playwright_python") is None:
        bench.notes.append("barriers are not counted: axe-playwright-python is not installed")
        return {}
    import axe_playwright_python

    script = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = []
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme=scheme)
        page.goto(path.as_uri())
        page.evaluate("instashapReport.drawAll()")
        page.add_script_tag(content=script)
        found += page.evaluate("axe.run()")["violations"]
        page.close()
    bench.notes.extend(f"axe: {each['id']} ({each['impact']}), {len(each['nodes'])} elements" for each in found)
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    return {"axe, violations": judge(len(found)), "axe, serious or critical": judge(len(serious))}


def _measure(bench: Bench, browser: Any, path: Path) -> tuple[list[dict[str, float]], list[float]]:
    loads: list[dict[str, float]] = []
    steps: list[float] = []
    for _ in range(bench.choose(7, 2)):
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(path.as_uri())
        loads.append(_read_load(page))
        if not steps:
            steps = page.evaluate(_STEP, bench.choose(500, 50))
        page.close()
    return loads, steps


def _read_load(page: Any) -> dict[str, float]:
    page.wait_for_timeout(500)
    load: dict[str, float] = page.evaluate(
        "({ paint: performance.getEntriesByName('first-contentful-paint')[0].startTime,"
        " ready: performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd })"
    )
    return load
