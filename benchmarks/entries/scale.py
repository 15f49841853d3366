"""Costs of the pass over rows, measured by rows, columns, functions and outputs, and extrapolated to 10¹¹ rows of a cluster."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import nnls

from ..runner import Bench, Figure, judge

# Settings the model is fitted to: features, pairs, cells of an axis of a pair, outputs.
_FITTED = ((5, 0, 4, 1), (20, 0, 4, 1), (20, 20, 4, 1), (20, 20, 8, 1), (10, 30, 8, 4), (40, 0, 4, 8), (40, 40, 4, 1))
# One that is not, to see how far the model is off.
_HELD_OUT = (30, 30, 6, 2)
# The pass whose rows grow.
_GROWING = (10, 2, 4, 1)
# What is extrapolated: 10¹¹ rows on 100 machines of 16 cores that exchange 1 GB a second each, in tasks of 2.5 million rows.
N_ROWS, N_MACHINES, N_CORES, EXCHANGE, TASK_ROWS = 10**11, 100, 16, 1e9, 2_500_000
# Tasks whose sums are added at once, as instashap.distributed does for Spark.
GROUP = 16
_WORKLOADS = {
    "20 columns, order 1": (20, 0, 4, 1),
    "50 columns, 50 pairs": (50, 50, 6, 1),
    "100 columns, 200 pairs": (100, 200, 6, 1),
}


class _Pass(NamedTuple):
    """A plan of a size, and rows for it."""

    accumulator: Any
    table: Any
    outputs: Any
    size: int
    n_sums: int


def run(bench: Bench) -> dict[str, Figure]:
    """Processor seconds, memory and bytes exchanged of the pass over rows; one thread; explaining and reading beside."""
    few = bench.choose(20_000, 2_000)
    measured = {setting: _measure(setting, few) for setting in (*_FITTED, _HELD_OUT)}
    model = _fit([(*each, measured[each][0]) for each in _FITTED], {each: measured[each][1] for each in _FITTED})
    predicted = _predict(model, _HELD_OUT[0], measured[_HELD_OUT][1])
    figures = {
        "a row and a column": judge(1e9 * model[0], "ns of processor time"),
        "a row and a function": judge(1e9 * model[1], "ns of processor time"),
        "a row and a product of two functions": judge(1e9 * model[2], "ns of processor time"),
        "model over measurement, a setting left out": judge(predicted / measured[_HELD_OUT][0], "×"),
    }
    sizes = bench.choose((10**5, 10**6, 10**7), (2_000, 4_000, 8_000))
    growing = {n_rows: _measure(_GROWING, min(few, sizes[0]), n_rows)[0] for n_rows in sizes}
    figures |= {f"{n_rows:,} rows: a row": judge(1e9 * seconds, "ns of processor time") for n_rows, seconds in growing.items()}
    figures["a row of the most, over one of the fewest"] = judge(growing[sizes[-1]] / growing[sizes[0]], "×")
    explained, read = _measure_explaining(few), _measure_reading(few)
    figures |= {
        "a row explained, 20 columns and 10 pairs": judge(1e9 * explained, "ns of processor time"),
        "a row read from Parquet, 20 columns": judge(1e9 * read, "ns of processor time"),
    }
    for name, setting in _WORKLOADS.items():
        figures |= {f"10¹¹ rows, {name}: {what}": figure for what, figure in _extrapolate(model, read / 20, setting).items()}
    cores = N_MACHINES * N_CORES
    bench.notes.append(
        f"extrapolated to {N_MACHINES} machines of {N_CORES} cores ({cores:,}), {EXCHANGE:.0e} B/s each; not run"
    )
    bench.notes.append("the largest pass adds one block of rows again and again: what is measured is adding, not reading")
    return figures


def _plan(setting: tuple[int, ...], n_rows: int) -> _Pass:
    from dataclasses import replace
    from itertools import combinations, islice

    from instashap.fits.conditional import get_plan, plan_game
    from instashap.fits.prepare import FitOptions
    from instashap.masked.fitter import ClosedFormFitter
    from instashap.masked.search import Search
    from instashap.masked.sums import Accumulator
    from instashap.table.columns import read_table

    n_features, n_pairs, resolution, n_outputs = setting
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_features))
    f = np.stack([np.sin(X + k).sum(axis=1) for k in range(n_outputs)], axis=1)
    few, weights = slice(0, 500), np.ones(n_rows)
    named = {"output_names": tuple(f"f{k}" for k in range(n_outputs)), "output_transform": "units"}
    game = plan_game(read_table(X[few]), f[few], weights[few], FitOptions(order=1, presence_order=1), **named)
    record = game.get_record("the pass needs")
    search = Search(
        ClosedFormFitter(record.columns, record.players), record.encoded, record.outputs, record.weights, record.size_law
    )
    search.budget = 30_000
    pairs = list(islice(combinations(range(n_features), 2), n_pairs))
    functions = search.make_functions([(k,) for k in range(n_features)] + pairs, resolution)
    plan = replace(get_plan(game), functions=functions)
    return _Pass(Accumulator(plan), read_table(X, game.schema), f, plan.size, plan.n_sums)


def _measure(setting: tuple[int, ...], n_block: int, n_rows: int | None = None) -> tuple[float, int, int]:
    """Processor seconds a row of the pass, the size of its products, and bytes of its sums."""
    made, weights = _plan(setting, n_block), np.ones(n_block)
    made.accumulator.add(made.table, made.outputs, weights)  # pages and kernels
    n_times = max((n_rows or n_block) // n_block, 1)
    start = time.process_time()
    for _ in range(n_times):
        made.accumulator.add(made.table, made.outputs, weights)
    seconds = time.process_time() - start
    n_bytes = made.accumulator.finish().products.nbytes
    assert n_bytes == _count_bytes(made.size, made.n_sums)
    return seconds / (n_times * n_block), made.size, n_bytes


def _count_bytes(size: int, n_sums: int) -> int:
    """Bytes of the sums of a task: a triangle of products for each fold."""
    return 8 * n_sums * size * (size + 1) // 2


def _fit(settings: list[tuple[Any, ...]], sizes: dict[tuple[int, ...], int]) -> Any:
    """Costs of a column, a function and a product, none below zero, by relative least squares."""
    seconds = np.array([each[-1] for each in settings])
    columns = np.array([_describe(each[0], sizes[each[:4]]) for each in settings])
    return nnls(columns / seconds[:, None], np.ones(len(seconds)))[0]


def _describe(n_features: int, size: int) -> tuple[float, float, float]:
    return float(n_features), float(size), size * (size + 1) / 2


def _predict(model: Any, n_features: int, size: int) -> float:
    return float(np.dot(model, _describe(n_features, size)))


def _extrapolate(model: Any, read: float, setting: tuple[int, ...]) -> dict[str, Figure]:
    made = _plan(setting, 500)
    n_features, *_, n_outputs = setting
    seconds = N_ROWS * (_predict(model, n_features, made.size) + read * (n_features + n_outputs))
    n_tasks = N_ROWS // TASK_ROWS
    own = _count_bytes(made.size, made.n_sums)
    exchanged = own * (n_tasks + n_tasks / GROUP)
    return {
        "functions": judge(made.size),
        "processor time": judge(seconds / 3600, "h"),
        "wall time on the cluster": judge((seconds / (N_MACHINES * N_CORES) + exchanged / (N_MACHINES * EXCHANGE)) / 60, "min"),
        "exchanged": judge(exchanged / 1e9, "GB"),
        "sums of a task": judge(own / 1e6, "MB"),
        "memory of a core": judge((own + 2 * 2**26) / 1e6, "MB"),
    }


def _measure_explaining(n_rows: int) -> float:
    import instashap

    X = np.random.default_rng(0).normal(size=(n_rows, 20))
    pairs = [(j, j + 1) for j in range(10)]
    f = np.sin(X).sum(axis=1) + sum(X[:, j] * X[:, k] for j, k in pairs)
    options: dict[str, Any] = {"order": 2, "interactions": pairs, "presence_order": 2, "synthetic_rows": 0, "n_jobs": 1}
    explainer = instashap.Explainer(**options).fit(X[:5_000], outputs=f[:5_000])
    explainer.shap_values(X[:1_000])
    start = time.process_time()
    explainer.shap_values(X)
    return (time.process_time() - start) / n_rows


def _measure_reading(n_rows: int) -> float:
    import io

    import pandas as pd

    buffer = io.BytesIO()
    pd.DataFrame(np.random.default_rng(0).normal(size=(n_rows, 20))).rename(columns=str).to_parquet(buffer)
    pd.read_parquet(io.BytesIO(buffer.getvalue()))
    start = time.process_time()
    pd.read_parquet(io.BytesIO(buffer.getvalue()))
    return (time.process_time() - start) / n_rows
