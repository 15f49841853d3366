"""The trust report of a neural network and of a tree ensemble on hourly bike sharing."""

from __future__ import annotations

from typing import Any

from ..data import compute_error, load_bike
from ..runner import Bench, Figure, judge, judge_seconds, measure_seconds
from .interactions import LEVELS

ORDERS = (1, 2)


def run(bench: Bench) -> dict[str, Figure]:
    """Trained on four fifths of the rows, audited on the fifth it has not seen, orders 1 and 2."""
    split = load_bike(bench, bench.choose(None, 1500))
    figures: dict[str, Figure] = {}
    for name, model in make_models().items():
        model.fit(split.X_train, split.y_train)
        figures[f"{name}: error"] = judge(compute_error(model, split), "%")
        figures |= _audit(bench, name, model, split)
    return figures


def make_models() -> dict[str, Any]:
    """Untrained models by name."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    steps = [("levels", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["hr", "weekday", "mnth", "season"])]
    columns = ColumnTransformer(steps, remainder=StandardScaler(), verbose_feature_names_out=False)
    net = MLPRegressor(hidden_layer_sizes=(64, 64), early_stopping=True, random_state=0, max_iter=60)
    return {
        "neural network": make_pipeline(columns, net),
        "gradient boosting": HistGradientBoostingRegressor(random_state=0),
    }


def _audit(bench: Bench, name: str, model: Any, split: Any) -> dict[str, Figure]:
    import instashap

    reports: list[Any] = []
    seconds = measure_seconds(
        {"audit": lambda: reports.append(instashap.audit(model, split.X_test, split.y_test, orders=ORDERS))}, 1
    )["audit"]
    report = reports[0]
    bench.notes.append(f"{name}: {report.summary()}")
    figures = {f"{name}: audit": judge_seconds(seconds)}
    for order, rung in zip(ORDERS, report.rungs[-len(ORDERS) :], strict=True):
        figures[f"{name}, order {order}: share carried"] = judge(report.table.loc[f"order {order}", "carried"])
        label = f"{name}, order {order}: verdict (0 unsafe, 1 caution, 2 safe)"
        figures[label] = judge(LEVELS[report.verdicts[order]])
        if rung.missing:
            bench.notes.append(f"{name}: order {order} lacks first of all {rung.missing[0].name}")
    return figures
