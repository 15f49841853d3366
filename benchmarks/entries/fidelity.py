"""How well an explainer's additive model matches a black box on rows neither was fitted on."""

from __future__ import annotations

from ..data import compute_error, compute_fidelity, load_bike
from ..runner import Bench, Figure, judge, judge_seconds, measure_seconds


def run(bench: Bench) -> dict[str, Figure]:
    """Held-out R² to gradient boosting of bike sharing, order 1 and 2, and seconds of the fit, model calls included."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    import instashap

    split = load_bike(bench, bench.choose(None, 1000))
    model = HistGradientBoostingRegressor(random_state=0).fit(split.X_train, split.y_train)
    outputs = model.predict(split.X_test)
    figures = {"black box: error": judge(compute_error(model, split), "%")}
    for order in (1, 2):
        explainer = instashap.Explainer(model, order=order)
        explainer.fit(split.X_train[:300])  # compiles
        seconds = measure_seconds({"fit": lambda made=explainer: made.fit(split.X_train)}, bench.repeats)["fit"]
        fidelity = compute_fidelity(explainer.predict(split.X_test), outputs)
        figures[f"order {order}: held-out R² to the black box"] = judge(fidelity)
        figures[f"order {order}: fit"] = judge_seconds(seconds)
    return figures
