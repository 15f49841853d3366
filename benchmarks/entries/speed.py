"""Explaining speed: a million rows, one row, and beside TreeExplainer and the black box in the same run."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..data import Split, load_bike
from ..runner import Bench, Figure, judge, measure_seconds


def run(bench: Bench) -> dict[str, Figure]:
    """Rows a second of bike sharing at order 2 in four containers, latency of one row, and ratios to peers."""
    import instashap

    split = load_bike(bench, bench.choose(None, 400))
    n_rows = bench.choose(1_000_000, 100_000)
    boxes = _train_black_boxes(split, bench)
    X_train = split.X_train.astype("float64")
    explainers = {name: instashap.Explainer(model, order=2).fit(X_train) for name, model in boxes.items()}
    explainer = explainers["HistGB"]
    frame = _tile(split.X_test, n_rows)
    figures = _measure_throughput(explainer, split, frame, bench) | _measure_latency(explainer, frame, bench)
    for name, model in boxes.items():
        figures |= _measure_peers(name, model, explainers[name], frame, bench)
    bench.notes.append(f"{n_rows:,} rows made by repeating held-out rows as float64; TreeExplainer is timed on fewer of them")
    return figures


def _train_black_boxes(split: Split, bench: Bench) -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    X = split.X_train.astype("float64")
    boxes: dict[str, Any] = {"HistGB": HistGradientBoostingRegressor(random_state=0).fit(X, split.y_train)}
    if find_spec("xgboost") is None:
        bench.notes.append("xgboost is not installed: no second black box")
        return boxes
    from xgboost import XGBRegressor

    return {**boxes, "XGBoost": XGBRegressor(random_state=0).fit(X, split.y_train)}


def _tile(X: Any, n_rows: int) -> Any:
    return X.iloc[np.resize(np.arange(len(X)), n_rows)].reset_index(drop=True).astype("float64")


def _judge_rate(n_rows: int, seconds: list[float]) -> Figure:
    """Median rows a second."""
    rates = [n_rows / each for each in seconds]
    return judge(statistics.median(rates), "rows/s", samples=rates)


def _measure_throughput(explainer: Any, split: Split, frame: Any, bench: Bench) -> dict[str, Figure]:
    import instashap

    text_train, text = _write_as_text(split.X_train), _write_as_text(frame)
    of_text = instashap.Explainer(order=2).fit(text_train, outputs=explainer.model.predict(split.X_train.astype("float64")))
    compiled, array = explainer.compile(), np.ascontiguousarray(frame.to_numpy())
    actions: dict[str, Callable[[], Any]] = {
        "DataFrame": lambda: explainer.shap_values(frame),
        "ndarray": lambda: explainer.shap_values(array),
        "compiled": lambda: compiled(array),
        "DataFrame with two text columns": lambda: of_text.shap_values(text),
    }
    measure_seconds(actions, 1)  # compiles
    seconds = measure_seconds(actions, bench.repeats)
    return {f"explain, {name}": _judge_rate(len(frame), seconds[name]) for name in actions}


def _write_as_text(X: Any) -> Any:
    """Season and weather as text."""
    return X.assign(**{name: "code " + X[name].astype(int).astype(str) for name in ("season", "weathersit")})


def _measure_latency(explainer: Any, frame: Any, bench: Bench) -> dict[str, Figure]:
    row, compiled = frame.iloc[[0]], explainer.compile()
    array = np.ascontiguousarray(row.to_numpy())
    actions: dict[str, Callable[[], Any]] = {
        "ndarray": lambda: explainer.shap_values(array),
        "compiled": lambda: compiled(array),
        "DataFrame": lambda: explainer.shap_values(row),
    }
    measure_seconds(actions, 10)
    seconds = measure_seconds(actions, bench.choose(5000, 500))
    return {f"one row, {name}": judge(1e6 * statistics.median(seconds[name]), "µs") for name in actions}


def _measure_peers(name: str, model: Any, explainer: Any, frame: Any, bench: Bench) -> dict[str, Figure]:
    """An explainer of this black box beside TreeExplainer of it and its own predictions."""
    some = frame[: bench.choose(3000, 100)]
    n_rows = {"explain": len(frame), "predict": len(frame), "TreeExplainer": len(some)}
    actions: dict[str, Callable[[], Any]] = {
        "explain": lambda: explainer.shap_values(frame),
        "predict": lambda: model.predict(frame),
    }
    if find_spec("shap") is None:
        bench.notes.append("shap is not installed: no TreeExplainer")
    else:
        import shap

        tree = shap.TreeExplainer(model)
        actions["TreeExplainer"] = lambda: tree.shap_values(some)
    seconds = measure_seconds(actions, bench.repeats)
    figures = {f"{name}: {each}": _judge_rate(n_rows[each], seconds[each]) for each in actions}
    for peer in [each for each in actions if each != "explain"]:
        ratio = figures[f"{name}: explain"]["figure"] / figures[f"{name}: {peer}"]["figure"]
        figures[f"{name}: explain / {peer}"] = judge(ratio, "×")
    return figures
