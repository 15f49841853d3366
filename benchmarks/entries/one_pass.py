"""The one pass over rows of a fit, beside what BLAS takes for its largest part: ``dsyrk`` on the same shapes."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import combinations

import numpy as np
from scipy.linalg.blas import dsyrk

from ..runner import Bench, Figure, judge

# Columns of the table, and the resolution of the pairs whose functions are summed: 884 and 1 820 functions.
_N_COLUMNS = 13
_RESOLUTIONS = (4, 8)


def run(bench: Bench) -> dict[str, Figure]:
    """Thirteen columns in float32, all pairs; processor time of all threads: other work hardly counts."""
    from dataclasses import replace

    from instashap.fits.conditional import get_plan, plan_game
    from instashap.fits.prepare import FitOptions
    from instashap.masked.fitter import ClosedFormFitter
    from instashap.masked.search import Search
    from instashap.masked.sums import Accumulator
    from instashap.table.columns import read_table

    n_rows = bench.choose(100_000, 4_000)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, _N_COLUMNS)).astype(np.float32)
    f = np.sin(X).sum(axis=1, keepdims=True).astype(np.float64)
    few, weights = slice(0, 2_000), np.ones(n_rows)
    named = {"output_names": ("f",), "output_transform": "units"}
    game = plan_game(read_table(X[few]), f[few], weights[few], FitOptions(order=1), **named)
    record, table = game.get_record("the pass needs"), read_table(X, game.schema)
    data = record.encoded, record.outputs, record.weights, record.size_law
    search = Search(ClosedFormFitter(record.columns, record.players), *data)
    search.budget = 30_000
    value_sets = [(k,) for k in range(_N_COLUMNS)] + list(combinations(range(_N_COLUMNS), 2))
    figures = {}
    for resolution in _RESOLUTIONS:
        functions = search.make_functions(value_sets, resolution)
        accumulator = Accumulator(replace(get_plan(game), functions=functions))
        seconds = _time(lambda each=accumulator: each.add(table, f, weights))
        of_blas = _time_dsyrk(len(functions) + 2, n_rows)
        figures |= {
            f"{len(functions):,} functions: rows": judge(n_rows / seconds, "rows/s of processor time"),
            f"{len(functions):,} functions: time of the pass over that of dsyrk": judge(seconds / of_blas, "×", at_most=2.0),
        }
    return figures


def _time_dsyrk(n_functions: int, n_rows: int, block: int = 4096) -> float:
    """Processor seconds of the products of so many rows, from four blocks."""
    values, total = np.random.default_rng(0).normal(size=(n_functions, block)), np.zeros((n_functions, n_functions), order="F")

    def multiply() -> None:
        dsyrk(1.0, values.T, beta=1.0, c=total, trans=1, lower=0, overwrite_c=1)

    multiply()
    return _time(lambda: [multiply() for _ in range(4)]) * n_rows / (4 * block)


def _time(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
