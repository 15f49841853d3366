"""Whether 90 % intervals of Shapley values, pairs and predictions cover the fixed-penalty projection in nine draws of ten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runner import Bench, Figure, judge

# Student's t with one degree less than the 20 groups: the errors are themselves estimates.
T_90 = 1.729
N_TARGET = 400_000
N_PROBES = 50


def run(bench: Bench) -> dict[str, Figure]:
    """Shares of (redraw, probe row, feature or pair) whose interval holds the projection of a very large sample.

    Knots, functions, terms and penalty strengths are learnt on a sample of their own and stay. Beside them the share of
    exact Shapley values inside the intervals of default fits.
    """
    from instashap import datasets

    simulators = {
        "equicorrelated 0.5": datasets.make_equicorrelated(6, 0.5, random_state=1),
        "rank-3 factor": datasets.make_factor(6, rank=3, random_state=2),
        "latent class": datasets.make_latent_class(5, n_levels=4, n_classes=6, random_state=4),
    }
    n_rows, n_draws = bench.choose((1000, 200), (300, 10))
    bench.notes.append(f"{n_draws} redraws of {n_rows} rows, {N_PROBES} probe rows; target: {N_TARGET:,} rows")
    figures: dict[str, Figure] = {}
    for name, simulator in simulators.items():
        found = _measure(simulator, n_rows, n_draws, bench) | _measure_default(simulator, n_rows, n_draws // 10)
        figures |= {f"{name}, {what}": each for what, each in found.items()}
    fixed = [each["figure"] for label, each in figures.items() if label.endswith(": coverage")]
    return {"largest distance of a coverage from 90 %": judge(max(abs(share - 0.9) for share in fixed))} | figures


def _measure_default(simulator: Any, n_rows: int, n_draws: int) -> dict[str, Figure]:
    """What the intervals do not promise: exact Shapley values, with everything chosen anew on each draw."""
    from instashap import Explainer

    probes, _ = simulator.sample(N_PROBES, random_state=1)
    exact = simulator.shap_values(probes)
    covered = []
    for seed in range(n_draws):
        X, outputs = simulator.sample(n_rows, random_state=1000 + seed)
        explanation = Explainer().fit(X, outputs=outputs)(probes, errors=True)
        covered.append(np.abs(explanation.values - exact) <= T_90 * explanation.standard_errors)
    return {"default fit: share of exact Shapley values inside": judge(float(np.mean(covered)))}


def _measure(simulator: Any, n_rows: int, n_draws: int, bench: Bench) -> dict[str, Figure]:
    from instashap.inference.uncertainty import compute_deviations

    learnt, encode = _learn(*simulator.sample(n_rows, random_state=0))
    probes = encode(simulator.sample(N_PROBES, random_state=1)[0])
    draw = _Refit(learnt, encode, simulator)
    expected = _read(draw(bench.choose(N_TARGET, 20_000), 2).result.model, probes)
    covered: dict[str, list[NDArray[np.bool_]]] = {}
    widths: dict[str, list[float]] = {}
    for seed in range(n_draws):
        record = draw(n_rows, 1000 + seed)
        deviations = compute_deviations(record)
        found, errors = _read(record.result.model, probes), _read(deviations, probes)
        for what, error in errors.items():
            is_inside = np.abs(found[what] - expected[what]) <= T_90 * error
            covered.setdefault(what, []).append(is_inside)
            widths.setdefault(what, []).append(float(error.mean()))
    figures = {f"{what}: coverage": judge(float(np.mean(each))) for what, each in covered.items()}
    return figures | {f"{what}: mean error": judge(float(np.mean(each))) for what, each in widths.items()}


def _read(tables: Any, probes: Any) -> dict[str, NDArray[np.float64]]:
    """Values of a model, or errors of its deviations, on rows; of the shape functions the pairs."""
    model = getattr(tables, "model", tables)
    is_pair = np.array([len(values) == 2 for values in model.value_sets])
    base = 0.0 if tables is not model else model.base_value
    return {
        "Shapley values": tables.credits.apply(probes)[:, :, 0],
        "pairs": tables.effects.apply(probes)[:, is_pair, 0],
        "predictions": tables.prediction.apply(probes)[:, 0] + base,
    }


def _learn(X: Any, outputs: NDArray[np.float64]) -> tuple[Any, Any]:
    """A record of a fit at fixed strengths, and the function that encodes rows like its own."""
    from instashap.game.coalitions import compute_shapley_size_law
    from instashap.masked.fitter import ClosedFormFitter, FitRecord
    from instashap.masked.strengths import Strengths
    from instashap.table.columns import read_table
    from instashap.table.encoding import learn_table

    table = read_table(X)
    weights = np.ones(table.n_rows)
    encoder, columns = learn_table(table, weights)
    players, law = tuple(range(len(columns))), compute_shapley_size_law(len(columns))
    fitter = ClosedFormFitter(columns, players, presence_order=3, smoothness=Strengths(1e-4, 1e-3, 3.0), resolution=4)
    arguments = encoder.encode(table), outputs[:, None], weights
    record = FitRecord(*arguments, columns, players, law, fitter.fit(*arguments, law))
    return record, lambda rows: encoder.encode(read_table(rows, encoder.schema))


class _Refit:
    """Fits of fresh rows with what a record has learnt."""

    def __init__(self, record: Any, encode: Any, simulator: Any) -> None:
        self.record, self.encode, self.simulator = record, encode, simulator

    def __call__(self, n_rows: int, seed: int) -> Any:
        from instashap.masked.expand import expand_solution
        from instashap.masked.moments import accumulate_moments
        from instashap.masked.solve import solve_problem

        record, result = self.record, self.record.result
        X, outputs = self.simulator.sample(n_rows, random_state=seed)
        rows = self.encode(X), outputs[:, None], np.ones(n_rows)
        problem, functions = result.solved.problem, result.solved.functions
        total = accumulate_moments(functions.evaluate, *rows, len(functions))
        gram, cross, _ = total.around(total)
        solution = solve_problem(problem, gram, cross, result.chosen.strengths.penalise(functions))
        bases = tuple(column.encoder.bases for column in record.columns)
        model = expand_solution(problem, functions, solution, total, bases, len(record.size_law) - 1)
        fitted = replace(result, model=model, total=total, solved=replace(result.solved, solution=solution))
        return replace(record, encoded=rows[0], outputs=rows[1], weights=rows[2], result=fitted)
