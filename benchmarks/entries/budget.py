"""Error against budget at equal numbers of model calls: refined values beside sampling explainers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boosted import compute_relative_error, make_case
from ..runner import Bench, Figure, Skipped, judge

Values = NDArray[np.float64]
# Explainers by name: rows and budget (coalitions a row) to values.
Peers = dict[str, Callable[[Values, int], Values]]


def run(bench: Bench) -> dict[str, Figure]:
    """Relative error to exact values by coalitions a row: boosted trees (marginal), and two games known exactly."""
    if find_spec("shap") is None:
        raise Skipped("needs shap")
    logging.getLogger("shap").setLevel(logging.ERROR)
    figures = _measure_boosted(bench)
    for name in ("factor", "panel"):
        figures |= _measure_conditional(name, bench)
    bench.notes.append(
        "a budget counts coalitions of a row; in the marginal game each costs 100 model calls (background rows) for every "
        "explainer. PermutationExplainer gets the most whole permutations that fit"
    )
    return figures


def _measure_boosted(bench: Bench) -> dict[str, Figure]:
    import shap

    import instashap

    case = make_case(bench)
    n_rows = bench.choose(30, 2)
    rows, exact = case.held_out[:n_rows], case.exact[:n_rows]
    explainer = instashap.Explainer(case.model, value_function=instashap.Marginal(case.background)).fit(case.X)

    def play(row: Values) -> Callable[[Any], Values]:
        def value(masks: Any) -> Values:
            hybrids = np.where(np.asarray(masks, dtype=bool)[:, None], row, case.background).reshape(-1, len(row))
            return case.model.predict(hybrids).astype(np.float64).reshape(len(masks), -1).mean(axis=1)

        return value

    def permute(X: Values, budget: int) -> Values:
        masker = shap.maskers.Independent(case.background, max_samples=len(case.background))
        n_calls = max(budget // (2 * X.shape[1] + 1), 1) * (2 * X.shape[1] + 1)
        explainer = shap.PermutationExplainer(case.model.predict, masker, seed=0)
        return np.asarray(explainer(X, max_evals=n_calls, silent=True).values)

    peers: Peers = {
        "refine": lambda X, budget: explainer.refine(X, n_coalitions=budget).values,
        "shap KernelExplainer": lambda X, budget: _run_kernel(case.model.predict, case.background, X, budget),
        "shap PermutationExplainer": permute,
        **_list_shapiq(play, bench),
    }
    budgets = bench.choose((64, 128, 256, 512), (64, 128))
    return _draw_curves("boosted trees", peers, rows, exact, budgets, bench)


def _measure_conditional(name: str, bench: Bench) -> dict[str, Figure]:
    import instashap
    from instashap import datasets

    simulator = {"factor": datasets.make_factor, "panel": datasets.make_panel}[name](random_state=0)
    X, f = simulator.sample(bench.choose(4000, 500), random_state=0)
    rows, _ = simulator.sample(bench.choose(30, 2), random_state=1)
    explainer = instashap.Explainer().fit(X, outputs=f)

    def play(row: Values) -> Callable[[Any], Values]:
        return lambda masks: simulator.value(np.tile(row, (len(masks), 1)), np.asarray(masks, dtype=bool))

    def run_kernel(X: Values, budget: int) -> Values:
        nobody = np.zeros((1, X.shape[1]))
        each = [_run_kernel(lambda masks, row=row: play(row)(masks > 0.5), nobody, np.ones((1, len(row))), budget) for row in X]
        return np.concatenate(each)

    peers: Peers = {
        "refine": lambda X, budget: explainer.refine(X, value_function=simulator.value, n_coalitions=budget).values,
        "shap KernelExplainer": run_kernel,
        **_list_shapiq(play, bench),
    }
    budgets = bench.choose((20, 40, 80, 160), (20,))
    return _draw_curves(f"{name}, conditional", peers, rows, simulator.shap_values(rows), budgets, bench)


def _run_kernel(predict: Any, background: Values, X: Values, budget: int) -> Values:
    import shap

    np.random.seed(0)  # noqa: NPY002 - shap draws from the global generator
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.KernelExplainer(predict, background)
        return np.asarray(explainer.shap_values(X, nsamples=budget - 2, l1_reg=False, silent=True))


def _list_shapiq(play: Callable[[Values], Callable[[Any], Values]], bench: Bench) -> Peers:
    """Estimators of shapiq, run row by row on the game a row plays."""
    if find_spec("shapiq") is None:
        bench.notes.append("shapiq is not installed: none of its estimators")
        return {}
    import shapiq

    def make(build: Callable[[int], Any]) -> Callable[[Values, int], Values]:
        def explain(X: Values, budget: int) -> Values:
            return np.stack([_approximate(build(len(row)), play(row), budget) for row in X])

        return explain

    return {
        "shapiq KernelSHAP": make(lambda n: shapiq.KernelSHAP(n=n, pairing_trick=True, random_state=0)),
        "shapiq SVARM": make(lambda n: shapiq.SVARM(n=n, pairing_trick=True, random_state=0)),
        "shapiq kADDSHAP": make(lambda n: shapiq.kADDSHAP(n=n, max_order=2, pairing_trick=True, random_state=0)),
        "shapiq ProxySPEX": make(lambda n: shapiq.ProxySPEX(n=n, index="SV", max_order=1, random_state=0)),
    }


def _approximate(approximator: Any, game: Callable[[Any], Values], budget: int) -> Values:
    found = approximator.approximate(budget=budget, game=game)
    return np.array([found[(player,)] for player in range(approximator.n)], dtype=np.float64)


def _draw_curves(
    case: str, peers: Peers, rows: Values, exact: Values, budgets: tuple[int, ...], bench: Bench
) -> dict[str, Figure]:
    figures = {}
    for name, explain in peers.items():
        for budget in budgets:
            label = f"{case}, {name}, {budget} coalitions: relative error"
            try:
                figures[label] = judge(compute_relative_error(explain(rows, budget), exact))
            except Exception as error:  # a peer that cannot is a finding too
                if name == "refine":
                    raise
                bench.notes.append(f"{case}, {name}, {budget} coalitions: {type(error).__name__}: {error}")
    return figures
