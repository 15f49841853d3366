"""Which pairs to offer under correlation: the paper's Archipelago scores beside the closed form's ranking."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runner import Bench, Figure, Skipped, judge

N_PAIRS = (1, 2, 3, 5, 8)
Pair = tuple[int, int]


def run(bench: Bench) -> dict[str, Figure]:
    """Held-out R² and SHAP R² of an explainer offered the first so many pairs of each list, means over simulators."""
    try:
        from instashap.neural import MaskedSurrogate
    except ImportError as error:
        raise Skipped("the search on a masked net needs torch, which is not installed") from error
    from instashap import datasets

    makers = {
        "equicorrelated": datasets.make_equicorrelated,
        "factor": datasets.make_factor,
        "panel": lambda random_state: datasets.make_panel(order=2, random_state=random_state),
    }
    figures: dict[str, Figure] = {}
    for name, make in makers.items():
        found: dict[str, list[float]] = {}
        for seed in range(bench.choose(3, 1)):
            simulator = make(random_state=seed)
            X, f = simulator.sample(bench.choose(5000, 300), random_state=seed)
            test, _ = simulator.sample(1000, random_state=100 + seed)
            surrogate = MaskedSurrogate(random_state=seed, device=bench.device, plan=_make_plan(bench)).fit(X, outputs=f)
            for ranking, pairs in list_rankings(simulator, surrogate, X, f).items():
                for figure, value in _measure(simulator, X, f, test, pairs, bench).items():
                    found.setdefault(f"{ranking}, {figure}", []).append(value)
        figures |= {f"{name}, {what}": judge(float(np.mean(values)), samples=values) for what, values in found.items()}
    bench.notes.append("Archipelago on the exact game shows what the scores themselves miss, without the surrogate's errors")
    return figures


def _make_plan(bench: Bench) -> Any:
    from instashap.neural import TrainingPlan

    n_epochs = bench.choose(150, 2)
    return TrainingPlan(n_epochs=n_epochs, patience=n_epochs, batch_rows=512, device=bench.device)


def list_rankings(simulator: Any, surrogate: Any, X: NDArray[np.float64], f: NDArray[np.float64]) -> dict[str, list[Pair]]:
    """Pairs from the best on, by each ranking."""
    import instashap
    from instashap.neural import search_frontier

    explainer = instashap.Explainer(interactions="all").fit(X, outputs=f)
    rankings = {
        "closed form": explainer.rank_terms(),
        "Archipelago on a masked net": search_frontier(surrogate, X),
        "Archipelago on the exact game": search_frontier(simulator.value, X),
    }
    return {name: [each for each in ranked["columns"] if len(each) == 2] for name, ranked in rankings.items()}


def _measure(
    simulator: Any, X: NDArray[np.float64], f: NDArray[np.float64], test: NDArray[np.float64], pairs: list[Pair], bench: Bench
) -> dict[str, float]:
    import instashap

    true = {pair for pair in pairs if simulator.coef_quadratic[pair] != 0}
    outputs, exact = simulator.predict(test), simulator.shap_values(test)
    figures = {}
    for n_pairs in bench.choose(N_PAIRS, N_PAIRS[:1]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", instashap.FitWarning)
            explainer = instashap.Explainer(interactions=pairs[:n_pairs], presence_order=2).fit(X, outputs=f)
        values = explainer.shap_values(test)
        figures[f"{n_pairs} pairs: R²"] = 1 - float(np.var(outputs - explainer.predict(test)) / np.var(outputs))
        figures[f"{n_pairs} pairs: SHAP R²"] = 1 - float(np.sum((values - exact) ** 2) / np.sum(exact**2))
        figures[f"{n_pairs} pairs: of the function's own"] = float(len(true & set(pairs[:n_pairs])))
    return figures
