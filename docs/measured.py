"""Write ``measured.md`` from the committed results of the benchmarks: ``python docs/measured.py``.

A test compares the page with what this gives, and the README's table with the page.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "benchmarks" / "results"
HEAD = """# Measured

Figures of committed results, each written by a committed script: `python -m benchmarks run NAME` measures them anew, and
`python docs/measured.py` writes this page. Two cores, default settings. A result names its machine, its versions and the commit
that it was measured at; some are older than the changes that the changelog lists as unreleased.

| what | measured | beside it | entry |
|---|---|---|---|
"""


@cache
def read(entry: str) -> dict[str, Any]:
    """Figures of an entry's result by name."""
    result: dict[str, Any] = json.loads((RESULTS / f"{entry}.json").read_text(encoding="utf-8"))
    return result["figures"]


def show(entry: str, name: str, form: str, factor: float = 1.0) -> str:
    """A figure as text; a share below one starts with its point."""
    text = format(read(entry)[name]["figure"] * factor, form)
    return text.removeprefix("0") if text.startswith("0.") else text


def join(entry: str, names: list[str], form: str, factor: float = 1.0) -> str:
    """Several figures as text, separated by middle dots."""
    return " · ".join(show(entry, name, form, factor) for name in names)


def make_rows() -> list[tuple[str, str, str, str]]:
    """What is measured, the figure, what stands beside it, and the entry."""
    truths = ["equicorrelated_0.6", "factor_rank3", "panel_k2_rho0.707", "latent_bike"]
    exact = [f"{name}, default: SHAP R²" for name in truths]
    pairs = [f"{name}, presence order 2: SHAP R²" for name in truths]
    orders = ["order 1", "order 2", "order 3"]
    nets = [f"{name}, neural GAM, 1600 steps: SHAP R²" for name in truths]
    fast = [f"{name}, FastSHAP, 3000 steps: SHAP R²" for name in truths]
    refined, kernel, best = (
        show("budget", f"boosted trees, {how}, 256 coalitions: relative error", ".1f", 100)
        for how in ("refine", "shap KernelExplainer", "shapiq KernelSHAP")
    )
    return [
        (
            "rows explained a second, bike sharing (13 columns), from a DataFrame",
            f"{show('speed', 'explain, DataFrame', '.2f', 1e-6)} million",
            f"{show('speed', 'HistGB: TreeExplainer', ',.0f')} by `shap.TreeExplainer` on gradient boosting",
            "speed",
        ),
        (
            "R² of Shapley values to exact conditional ones: equicorrelated · rank-3 factor · panel of pairs, ρ = .707 · "
            "latent classes",
            join("truth", exact, ".4f"),
            f"pairs alone (`presence_order=2`): {join('truth', pairs, '.4f')}",
            "truth",
        ),
        (
            "held-out R² of the explainer to gradient boosting of bike sharing",
            show("fidelity", "order 2: held-out R² to the black box", ".4f"),
            f"order 1: {show('fidelity', 'order 1: held-out R² to the black box', '.3f')}",
            "fidelity",
        ),
        (
            "`AdditiveRegressor` on bike sharing, 100 (1 − R²): order 1 · 2 · 3",
            f"{join('bike', [f'{order}: error' for order in orders], '.2f')} % "
            f"in {join('bike', [f'{order}: fit' for order in orders], '.1f')} s",
            f"EBM {show('bike', 'EBM: error', '.2f')} % in {show('bike', 'EBM: fit', '.0f')} s; "
            f"gradient boosting {show('bike', 'HistGB: error', '.2f')} %; the paper 17.4 · 6.23 %",
            "bike",
        ),
        (
            "fit of a million rows of 13 columns, order 2",
            f"{show('rows', '1,000,000 rows: fit', '.0f')} s, {show('rows', '1,000,000 rows: peak memory', '.1f')} GiB",
            f"100 000 rows of 100 columns: {show('wide', 'fit', '.0f')} s, {show('wide', 'peak memory', '.1f')} GiB",
            "rows",
        ),
        (
            "one row, ndarray · DataFrame",
            f"{join('speed', ['one row, ndarray', 'one row, DataFrame'], '.0f')} µs",
            "",
            "speed",
        ),
        (
            "`AdditiveClassifier` on the adult census, order 2: accuracy · AUC",
            f"{join('adult', ['order 2: accuracy', 'order 2: AUC'], '.3f')} in {show('adult', 'order 2: fit', '.0f')} s",
            f"gradient boosting {join('adult', ['HistGB: accuracy', 'HistGB: AUC'], '.3f')}; "
            f"EBM {join('adult', ['EBM: accuracy', 'EBM: AUC'], '.3f')} in {show('adult', 'EBM: fit', '.0f')} s",
            "adult",
        ),
        (
            "`AdditiveClassifier` on tree cover, 7 classes, order 2: accuracy",
            f"{show('trees', 'order 2: accuracy', '.3f')} in {show('trees', 'order 2: fit', '.0f')} s",
            f"gradient boosting {show('trees', 'HistGB: accuracy', '.3f')} by default, "
            f"{show('cover', 'black box: accuracy', '.3f', 0.01)} with LightGBM's larger trees; the paper .822",
            "trees",
        ),
        (
            "class agreement with a LightGBM model of tree cover, order 2",
            f"{show('cover', 'order 2: class agreement', '.1f')} % "
            f"in {show('cover', 'order 2: fit, model calls included', '.0f')} s",
            f"order 1: {show('cover', 'order 1: class agreement', '.1f')} %",
            "cover",
        ),
        ("trust report of 17 379 rows", f"{show('trust', 'bike: report of 17,379 rows', '.0f')} s", "", "trust"),
        (
            "error of refined marginal Shapley values, boosted trees of 30 correlated columns, 256 coalitions a row",
            f"{refined} %",
            f"KernelExplainer {kernel} %, shapiq's best {best} %",
            "budget",
        ),
        (
            'R² of Shapley values by nets (`fitter="neural"`, 1 600 steps), the four cases above',
            join("fastshap", nets, ".4f"),
            f"FastSHAP of 3 000 steps: {join('fastshap', fast, '.4f')}",
            "fastshap",
        ),
        (
            "Fashion-MNIST, 49 patches: accuracy of an additive model of neighbours, one heat map",
            f"{show('images', 'GAM-2, neighbours: accuracy', '.1f', 100)} %, "
            f"{show('images', 'GAM-2, neighbours: heat map of one image', '.1f')} ms",
            f"the black box {show('images', 'black box: accuracy', '.1f', 100)} %",
            "images",
        ),
        (
            "explanations over HTTP, one process: single rows, 99 % within, batches of 1 000",
            f"{show('serve', 'single rows', ',.0f')}/s, {show('serve', 'single rows, 99 %', '.1f')} ms, "
            f"{show('serve', 'batches of 1 000 rows', ',.0f')} rows/s",
            "",
            "serve",
        ),
        (
            "fresh process to first Shapley values, 20 000 × 10, kernels compiled anew / cached",
            f"{show('first_hour', 'cold: whole process without training', '.1f')} / "
            f"{show('first_hour', 'warm cache: whole process without training', '.1f')} s",
            "",
            "first_hour",
        ),
        (
            "live report of 20 features and 190 pairs in Chromium: size, first paint, a slider's step",
            f"{show('report', 'page', '.1f')} MB, {show('report', 'first paint', '.0f')} ms, "
            f"{show('report', 'slider step, median', '.0f')} ms",
            f"60 features on a phone: {show('report', 'phone page of 60 features', ',.0f')} px; "
            f"violations that axe finds: {show('report', 'axe, violations', '.0f')}",
            "report",
        ),
    ]


def write_short() -> str:
    """The table of the README: the first five figures."""
    head = "| what | measured | beside it |\n|---|---|---|\n"
    return head + "".join(f"| {' | '.join(row[:3])} |\n" for row in make_rows()[:5])


def write_page() -> str:
    """The page as text."""
    return HEAD + "".join(f"| {' | '.join(row[:3])} | `{row[3]}` |\n" for row in make_rows())


if __name__ == "__main__":
    (DOCS / "measured.md").write_text(write_page(), encoding="utf-8")
