"""The marginal game of boosted trees, beside exact interventional values: tables alone, and refined."""

from __future__ import annotations

import numpy as np

from ..boosted import compute_relative_error, make_case, truncate_to_pairs
from ..runner import Bench, Figure, judge, judge_seconds, measure_seconds

BUDGETS = (64, 128, 256)
REGRESSOR_ROWS = 1000


def run(bench: Bench) -> dict[str, Figure]:
    """Relative error ``‖φ - φ*‖ / ‖φ*‖`` to ``shap.TreeExplainer`` on held-out rows, and what of it is beyond pairs."""
    from sklearn.ensemble import ExtraTreesRegressor

    import instashap

    case = make_case(bench)
    n_refined = bench.choose(100, 4)
    rows, exact = case.held_out[:n_refined], case.exact[:n_refined]
    explainer = instashap.Explainer(case.model, value_function=instashap.Marginal(case.background))
    seconds = measure_seconds({"fit": lambda: explainer.fit(case.X)}, 1)["fit"]
    beyond = compute_relative_error(truncate_to_pairs(case, n_refined), exact)
    figures = {
        "tables: relative error": judge(compute_relative_error(explainer.shap_values(case.held_out), case.exact)),
        "exact game without components of three and more: relative error": judge(beyond),
        "tables: fit": judge_seconds(seconds),
    }
    for budget in BUDGETS:
        explanation = explainer.refine(rows, n_coalitions=budget)
        is_inside = np.abs(explanation.values - exact) < 1.96 * explanation.standard_errors
        label = f"refined, {budget} coalitions"
        figures[f"{label}: relative error"] = judge(compute_relative_error(explanation.values, exact))
        figures[f"{label}: share within 1.96 standard errors"] = judge(float(is_inside.mean()))
    forest = ExtraTreesRegressor(200, min_samples_leaf=3, n_jobs=-1, random_state=0)
    explainer.learn_residual(case.X[: bench.choose(REGRESSOR_ROWS, 50)], forest)
    learnt = explainer.refine(case.held_out, n_coalitions=0).values
    figures["tables and learnt residual: relative error"] = judge(compute_relative_error(learnt, case.exact))
    bench.notes.append(
        "a coalition of a row asks the model about 100 hybrid rows, one a background row, and each background row has "
        "coalitions of its own: 256 coalitions are 25,600 hybrid rows a row, as for KernelExplainer with nsamples=256"
    )
    return figures
