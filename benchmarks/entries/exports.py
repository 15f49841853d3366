"""Exports: differences from Python on ten thousand rows, sizes of files, and what a row costs, for bike sharing at order 2."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sqlite3
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import load_bike
from ..runner import Bench, Figure, Skipped, judge


def run(bench: Bench) -> dict[str, Figure]:
    """Largest differences, relative to the largest number; seconds are of the processor."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingRegressor

    import instashap

    split = load_bike(bench, bench.choose(None, 400))
    model = HistGradientBoostingRegressor(random_state=0).fit(split.X_train, split.y_train)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        explainer = instashap.Explainer(model, order=2).fit(split.X_train)
    rng = np.random.default_rng(0)
    X = np.asarray(split.X_train, dtype=np.float64)
    rows = X[rng.integers(0, len(X), bench.choose(10_000, 200))].copy()
    for column in range(rows.shape[1]):
        rows[:, column] = rng.permutation(rows[:, column])
    rows[rng.random(rows.shape) < 0.03] = np.nan
    far = rng.random(rows.shape) < 0.03
    rows[far] = 3 * rows[far] + 0.5
    frame = pd.DataFrame(rows, columns=explainer.feature_names_in_)
    expected = np.column_stack([explainer.predict(frame), explainer.shap_values(frame)])
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (limit, score) in _list_forms().items():
            try:
                found, more = score(explainer, frame, Path(folder))
            except Skipped as reason:
                bench.notes.append(f"{name}: {reason}")
                continue
            difference = float(np.abs(found - expected).max() / np.abs(expected).max())
            figures[f"{name}: largest difference"] = judge(difference, at_most=limit)
            figures |= {f"{name}: {what}": figure for what, figure in more.items()}
    return figures


Score = Callable[[Any, Any, Path], tuple[NDArray[np.float64], dict[str, Figure]]]


def _list_forms() -> dict[str, tuple[float, Score]]:
    return {
        "ONNX": (1e-6, _score_onnx),
        "DuckDB": (1e-9, _score_duckdb),
        "SQLite": (1e-9, _score_sqlite),
        "Python": (1e-12, _score_python),
        "JavaScript": (1e-12, _score_javascript),
    }


def _score_onnx(explainer: Any, frame: Any, folder: Path) -> tuple[NDArray[np.float64], dict[str, Figure]]:
    _need("onnx", "onnxruntime")
    import onnxruntime

    path = folder / "model.onnx"
    explainer.export(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    numbers = frame.to_numpy()
    start = time.process_time()
    parts = [session.run(["prediction", "values"], {"numbers": numbers[at : at + 256]}) for at in range(0, len(numbers), 256)]
    rate = len(numbers) / (time.process_time() - start)
    single = []
    for row in range(min(len(numbers), 500)):
        start = time.process_time()
        session.run(None, {"numbers": numbers[row : row + 1]})
        single.append(time.process_time() - start)
    found = np.concatenate([np.column_stack([prediction[:, 0], values[..., 0]]) for prediction, values in parts])
    return found, {
        "file": judge(path.stat().st_size / 1e6, "MB", at_most=10.0),
        "one row": judge(1e3 * median(single), "ms", at_most=1.0),
        "rows in batches of 256": judge(rate, "rows/s"),
    }


def _score_duckdb(explainer: Any, frame: Any, folder: Path) -> tuple[NDArray[np.float64], dict[str, Figure]]:
    _need("duckdb", "sqlglot")
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    connection.register("given", frame.assign(number=range(len(frame))))
    connection.execute("CREATE TABLE rows AS SELECT * FROM given")
    return _query(connection, explainer, "duckdb", len(frame))


def _score_sqlite(explainer: Any, frame: Any, folder: Path) -> tuple[NDArray[np.float64], dict[str, Figure]]:
    _need("sqlglot")
    connection = sqlite3.connect(":memory:")
    frame.assign(number=range(len(frame))).to_sql("rows", connection, index=False)
    return _query(connection, explainer, "sqlite", len(frame))


def _query(connection: Any, explainer: Any, dialect: str, n_rows: int) -> tuple[NDArray[np.float64], dict[str, Figure]]:
    from instashap.export import to_sql

    text = to_sql(explainer, dialect=dialect, keep=["number"])
    for statement in text.setup:
        connection.execute(statement)
    start = time.process_time()
    answers = np.array(connection.execute(text.query).fetchall(), dtype=np.float64)
    rate = n_rows / (time.process_time() - start)
    answers = answers[np.argsort(answers[:, 0])]
    size = sum(map(len, (*text.setup, text.query))) / 1e6
    return np.column_stack([answers[:, -1], answers[:, 2:-1]]), {"text": judge(size, "MB"), "rows": judge(rate, "rows/s")}


def _score_python(explainer: Any, frame: Any, folder: Path) -> tuple[NDArray[np.float64], dict[str, Figure]]:
    path = folder / "model.py"
    explainer.export(path)
    spec = importlib.util.spec_from_file_location("exported_model", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = frame.to_numpy().tolist()
    start = time.process_time()
    answers = [module.score(row) for row in rows]
    rate = len(rows) / (time.process_time() - start)
    found = np.array([[answer["prediction"], *answer["values"].values()] for answer in answers])
    return found, {"file": judge(path.stat().st_size / 1e6, "MB"), "rows": judge(rate, "rows/s")}


_NODE = """
const model = require(process.argv[1]);
const rows = JSON.parse(require("fs").readFileSync(0, "utf8"));
const start = process.cpuUsage();
const answers = rows.map((row) => model.score(row));
const { user, system } = process.cpuUsage(start);
const found = answers.map(({ prediction, values }) => [prediction, ...Object.values(values)]);
console.log(JSON.stringify({ found, seconds: (user + system) / 1e6 }));
"""


def _score_javascript(explainer: Any, frame: Any, folder: Path) -> tuple[NDArray[np.float64], dict[str, Figure]]:
    node = shutil.which("node")
    if node is None:
        raise Skipped("there is no node")
    path = folder / "model.js"
    explainer.export(path)
    rows = [[None if value != value else value for value in row] for row in frame.to_numpy().tolist()]
    command = [node, "-e", _NODE, str(path)]
    done = subprocess.run(command, input=json.dumps(rows), capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    rate = len(rows) / answer["seconds"]
    return np.array(answer["found"]), {"file": judge(path.stat().st_size / 1e6, "MB"), "rows": judge(rate, "rows/s")}


def _need(*packages: str) -> None:
    absent = [package for package in packages if importlib.util.find_spec(package) is None]
    if absent:
        raise Skipped(f"{', '.join(absent)} is not installed")
