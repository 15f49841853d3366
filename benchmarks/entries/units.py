"""Shapley values of a table in other units, signs, precision and order, and with a column of one value: how far they move."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..data import load_california
from ..runner import Bench, Figure, judge

Array = NDArray[np.float64]
MOST = 0.02


def run(bench: Bench) -> dict[str, Figure]:
    """Largest change of any Shapley value, in standard deviations of the explained outputs, by table, model and change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {what: judge(moved, at_most=MOST) for what, moved in measure(bench)}


def measure(bench: Bench) -> Iterator[tuple[str, float]]:
    """What was changed, and the largest change it made."""
    for table, X, y in list_tables(bench):
        for model, explain in list_models(X, y).items():
            values = explain(X, np.arange(len(X)))
            spread = values.sum(axis=1).std()
            for change, changed, rows, columns in list_changes(X):
                moved = explain(changed, rows)[:, columns] - values[rows]
                yield f"{table}, {model}, {change}", float(np.abs(moved).max() / spread)


def list_changes(X: Array) -> Iterator[tuple[str, NDArray[np.floating], NDArray[np.int64], NDArray[np.int64]]]:
    """Name of a change, the changed table, its rows as places in ``X``, and the places of ``X``'s columns in it."""
    n_rows, n_columns = X.shape
    rows, columns = np.arange(n_rows), np.arange(n_columns)
    yield "× 1000", 1000 * X, rows, columns
    yield "+ 273.15", X + 273.15, rows, columns
    yield "× −1", -X, rows, columns
    yield "float32", X.astype(np.float32), rows, columns
    rng = np.random.default_rng(0)
    mixed = rng.permutation(n_rows)
    yield "permuted rows", X[mixed], mixed, columns
    order = rng.permutation(n_columns)
    yield "permuted columns", X[:, order], rows, np.argsort(order)
    yield "a column of ones", np.insert(X, 1, 1.0, axis=1), rows, np.delete(np.arange(n_columns + 1), 1)
    yield "an empty column", np.insert(X, 1, np.nan, axis=1), rows, np.delete(np.arange(n_columns + 1), 1)


def list_models(X: Array, y: Array) -> dict[str, Callable[[NDArray[np.floating], NDArray[np.int64]], Array]]:
    """Explainer, regressor and classifier, each from a table and the places of its rows to Shapley values."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    from instashap import AdditiveClassifier, AdditiveRegressor, Explainer

    outputs = HistGradientBoostingRegressor(max_iter=60, random_state=0).fit(X, y).predict(X)
    labels = (y > y.mean()).astype(int)
    return {
        "explainer": lambda table, rows: Explainer().fit(table, outputs=outputs[rows]).shap_values(table),
        "regressor": lambda table, rows: AdditiveRegressor().fit(table, y[rows]).shap_values(table),
        "classifier": lambda table, rows: AdditiveClassifier().fit(table, labels[rows]).shap_values(table),
    }


def list_tables(bench: Bench) -> Iterator[tuple[str, Array, Array]]:
    """Names, columns and targets; quick: few rows and columns."""
    from sklearn.datasets import load_breast_cancer, load_diabetes

    X, y = load_diabetes(return_X_y=True)
    yield "diabetes", *((X[:, 2:6], y) if bench.quick else (X, y))
    if bench.quick:
        return
    X, y = load_breast_cancer(return_X_y=True)
    yield "breast cancer", X, y.astype(float)
    X, y = load_california(bench)
    yield "California housing, every tenth row", np.asarray(X, dtype=np.float64)[::10], y[::10]
