"""What the command line does with a table: train, explain, and write the results."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._optional import require
from ._validation import find_column, name_columns
from .explain.auditing import audit
from .explain.explainer import Explainer
from .explain.explanation import Explanation
from .explain.fitting import FitOptions, judge_options
from .report import writing
from .table.dates import split_dates
from .trust.report import TrustReport

if TYPE_CHECKING:
    import pandas as pd

# A number as most of Europe writes it.
_DECIMAL_COMMA = r"[+-]?\d+(,\d+)?([eE][+-]?\d+)?"
# Share of the rows that a model is not trained on.
HELD_OUT = 0.2


@dataclass(frozen=True)
class Explained:
    """A model, its explainer, and the explanation of held-out rows.

    Attributes
    ----------
    model : estimator
    explainer : Explainer
    explanation : Explanation
        Of the held-out rows.
    held_out : DataFrame
    fidelity : float or None
        R² of the additive model to the model on held-out rows, over all outputs; None if the model gives every row the same.
    score : float or None
        The model's own score on held-out labels.
    seconds : dict of str to float
    dates : collection of str
        Columns of dates that were replaced by their parts; the parts are one feature.
    labels : Series or None
        Of the held-out rows.
    """

    model: Any
    explainer: Explainer
    explanation: Explanation
    held_out: pd.DataFrame
    fidelity: float | None
    score: float | None
    seconds: dict[str, float]
    dates: Collection[str] = ()
    labels: Any = None


def read_file(path: Path) -> pd.DataFrame:
    """A table from a ``.csv`` or ``.parquet`` file."""
    import pandas as pd

    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    readers: dict[str, Callable[[Path], Any]] = {".csv": _read_csv, ".parquet": pd.read_parquet, ".pq": pd.read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path} is neither .csv nor .parquet")
    if reader is pd.read_parquet:
        require("pyarrow", "cli", "parquet files")
    try:
        table: pd.DataFrame = reader(path)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as {path.suffix}: {error}") from error
    return table


def _read_csv(path: Path) -> pd.DataFrame:
    """A table whose columns are separated by what separates the names in its first line: commas, semicolons or tabs.

    Between semicolons and tabs, numbers may have decimal commas.
    """
    import pandas as pd

    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        first = lines.readline()
    separator = max(",;\t", key=lambda each: len(next(csv.reader([first], delimiter=each), [])))  # the first of equals
    table = pd.read_csv(path, sep=separator)
    texts = table.select_dtypes(exclude=["number", "bool"]).dropna(axis=1, how="all")
    has_commas = any(texts[name].dropna().map(str).str.fullmatch(_DECIMAL_COMMA).all() for name in texts)
    return pd.read_csv(path, sep=separator, decimal=",") if separator != "," and has_commas else table


def explain_table(data: pd.DataFrame, target: str, model: Any = None, order: int | None = None) -> Explained:
    """Train gradient boosting (unless a model is given), fit an explainer, and explain the held-out fifth of the rows.

    ``order`` is 2 by default, or 1 if the table has but one column beside the target. Unless a model is given, which takes the
    columns as they are, each column of dates becomes one feature of several parts (:func:`.table.dates.split_dates`).
    """
    from sklearn.model_selection import train_test_split

    X, y = _split_target(data, target)
    X, groups = (X, {}) if model is not None else split_dates(X)  # a model given takes its own columns
    order = judge_options(FitOptions(min(2, X.shape[1]) if order is None else order), tuple(name_columns(X.columns))).order
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=HELD_OUT, random_state=0)
    seconds = {}
    start = time.perf_counter()
    if model is None:
        model = _train(X_train, y_train)
        seconds["training the model"] = time.perf_counter() - start
    start = time.perf_counter()
    explainer = Explainer(model, order=order, groups=groups or None, verbose=1).fit(X_train)
    seconds["fitting the explainer"] = time.perf_counter() - start
    start = time.perf_counter()
    explanation = explainer(X_test)
    seconds["explaining the held-out rows"] = time.perf_counter() - start
    fidelity, score = _compare(explainer, X_test), _score(model, X_test, y_test)
    return Explained(model, explainer, explanation, X_test, fidelity, score, seconds, groups, y_test)


def _split_target(data: pd.DataFrame, target: str) -> tuple[pd.DataFrame, pd.Series]:
    target = data.columns[find_column(target, name_columns(data.columns), "--target")]
    if data[target].isna().any():
        raise ValueError(f"the target column {target!r} holds {int(data[target].isna().sum())} missing values; drop those rows")
    X, y = data.drop(columns=target), data[target]
    if X.shape[1] == 0:
        raise ValueError(f"the table has no column beside the target {target!r}")
    n_levels = y.nunique()
    if y.dtype.kind not in "fiub" and 2 * n_levels > max(len(y), 40):
        raise ValueError(
            f"the target column {target!r} holds {n_levels:,} different values in {len(y):,} rows that are no numbers "
            f"({y.dtype}); a class has several rows: name another --target, or make it a number"
        )
    return X, y


def audit_table(data: pd.DataFrame, target: str, model: Any = None, orders: Iterable[int] = (1, 2)) -> TrustReport:
    """Audit a model on all rows; without one gradient boosting is trained on half of them and audited on the other half.

    Dates are features as in :func:`explain_table`.
    """
    from sklearn.model_selection import train_test_split

    X, y = _split_target(data, target)
    if model is not None:
        return audit(model, X, y, orders=orders)
    X, groups = split_dates(X)
    X_train, X, y_train, y = train_test_split(X, y, test_size=0.5, random_state=0)
    return audit(_train(X_train, y_train), X, y, orders=orders, groups=groups or None)


def check_row(row: int, n_rows: int) -> None:
    """Raise ``ValueError`` unless so many rows hold out this one."""
    n_held_out = ceil(HELD_OUT * n_rows)
    if not n_held_out:
        raise ValueError("the table has no rows")
    if not 0 <= row < n_held_out:
        raise ValueError(f"--row {row} is not among the held-out rows, which are numbered 0 to {n_held_out - 1}")


def report_table(data: pd.DataFrame, target: str, path: Path, model: Any = None, order: int | None = None) -> Path:
    """Fit an explainer as :func:`explain_table` does and write a report on its held-out rows, with their labels."""
    writing.check_path(path)
    explained = explain_table(data, target, model, order)
    return writing.write_report(explained.explainer, explained.held_out, explained.labels, path, title=f"What drives {target}")


def write_report(report: TrustReport, folder: Path) -> None:
    """Write a trust report as JSON, HTML and a table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trust.json").write_text(json.dumps(report.to_dict(), indent=1), encoding="utf-8")
    page = f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Trust report</title>{report._repr_html_()}</html>"
    (folder / "trust.html").write_text(page, encoding="utf-8")
    report.table.to_csv(folder / "trust.csv")


def _train(X: pd.DataFrame, y: pd.Series) -> Any:
    """Gradient boosting of the kind the target asks for; text columns become categories of their own."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    is_class = y.dtype.kind not in "fiu" or (y.nunique() <= 20 and y.dtype.kind in "iub")
    learner = HistGradientBoostingClassifier(random_state=0) if is_class else HistGradientBoostingRegressor(random_state=0)
    text = make_column_selector(dtype_exclude=["number", "bool"])
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    columns = make_column_transformer(("drop", _find_empty), (encoder, text), remainder="passthrough")
    return make_pipeline(columns, learner).fit(X, y)


def _find_empty(X: pd.DataFrame) -> list[Any]:
    """Columns without a value, which gradient boosting refuses."""
    return list(X.columns[X.isna().all()])


def _compare(explainer: Explainer, X: pd.DataFrame) -> float | None:
    box = explainer._wrap_model().restore(explainer._check_fitted().scale)
    outputs = box.predict(X, len(X))
    if not np.ptp(outputs, axis=0).any():
        return None
    fitted = np.asarray(explainer.predict(X)).reshape(outputs.shape)
    return float(1 - ((outputs - fitted) ** 2).sum() / ((outputs - outputs.mean(axis=0)) ** 2).sum())


def _score(model: Any, X: pd.DataFrame, y: pd.Series) -> float | None:
    return float(model.score(X, y)) if hasattr(model, "score") else None


def write_results(explained: Explained, folder: Path) -> str:
    """Write explanations as parquet, the explainer, a summary, and pictures; returns the summary."""
    require("pyarrow", "cli", "parquet files")
    folder.mkdir(parents=True, exist_ok=True)
    frame = explained.explanation.to_frame()
    if explained.explanation.has_outputs:
        frame.columns = [" · ".join(map(str, names)) for names in frame.columns]
    frame.to_parquet(folder / "explanations.parquet")
    explained.explainer.save(folder / "explainer.insta")
    summary = summarise(explained, folder)
    (folder / "summary.md").write_text(summary, encoding="utf-8")
    _draw(explained, folder)
    return summary


def summarise(explained: Explained, folder: Path) -> str:
    """A page of Markdown: what was explained, how well, and what matters most."""
    explainer, explanation = explained.explainer, explained.explanation
    chosen = explainer.fit_facts_["chosen"]
    magnitudes = np.abs(explanation.values).mean(axis=0)
    magnitudes = magnitudes if magnitudes.ndim == 1 else magnitudes.sum(axis=1)
    ranked = np.argsort(-magnitudes, kind="stable")[:10]
    width = max(len(explanation.feature_names[j]) for j in ranked)
    fidelity = (
        "has nothing to carry: the model gives every held-out row the same output"
        if explained.fidelity is None
        else f"carries {100 * explained.fidelity:.1f} % of the model's variance on held-out rows"
    )
    score = "" if explained.score is None else f"- the model's own score on held-out rows: {explained.score:.3f}\n"
    dates = f"- read as dates, by year, month, weekday and hour: {', '.join(explained.dates)}\n" if explained.dates else ""
    timings = "".join(f"- {what}: {seconds:.2f} s\n" for what, seconds in explained.seconds.items())
    importances = "".join(f"    {explanation.feature_names[j]:<{width}}  {magnitudes[j]:.4g}\n" for j in ranked)
    return (
        f"# Explained: {explanation.output_transform}\n\n"
        f"- {len(explanation):,} held-out rows, {len(explanation.feature_names)} features, {explanation.game} game\n"
        f"- the additive model of order {chosen['order']} {fidelity}\n{score}{dates}{timings}\n"
        f"Mean absolute Shapley value, the largest first:\n\n{importances}\n"
        f"Written to {folder}: explanations.parquet, explainer.insta, summary.md, importance.png, waterfall.png, shape.png\n"
    )


def _draw(explained: Explained, folder: Path) -> None:
    pyplot = require("matplotlib.pyplot", "plots", "plots")
    from . import plots

    first = explained.explanation[..., 0] if explained.explanation.has_outputs else explained.explanation
    strongest = _find_strongest(explained, int(np.argmax(np.abs(first.values).mean(axis=0))))
    drawings: dict[str, Callable[[], Any]] = {
        "importance.png": lambda: plots.plot_importance(explained.explanation),
        "waterfall.png": lambda: plots.plot_waterfall(first[0]),
        "shape.png": lambda: plots.plot_shape(explained.explainer, strongest, X=explained.held_out),
    }
    for name, draw in drawings.items():
        axes = draw()
        axes.figure.savefig(folder / name, dpi=120, bbox_inches="tight")
        pyplot.close(axes.figure)


def _find_strongest(explained: Explained, feature: int) -> str:
    """Name of the column of a feature whose own effect moves the output most."""
    explainer = explained.explainer
    effects = np.abs(explainer.interaction_values(explained.held_out))
    sizes = effects.mean(axis=0).reshape(len(explainer.terms_), -1).sum(axis=1)
    alone = {term[0]: size for term, size in zip(explainer.terms_, sizes, strict=True) if len(term) == 1}
    own = [column for column, player in enumerate(explainer._check_fitted().players) if player == feature]
    return str(explainer.feature_names_in_[max(own, key=lambda column: alone.get(column, 0.0))])


def run_demo(folder: Path) -> str:
    """Explain gradient boosting of the diabetes data that ships inside scikit-learn; returns the summary, and where to look."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(as_frame=True, scaled=False)
    names = {
        "bp": "blood pressure",
        "s1": "total cholesterol",
        "s2": "LDL",
        "s3": "HDL",
        "s4": "cholesterol / HDL",
        "s5": "log triglycerides",
        "s6": "glucose",
    }
    data = bunch.data.rename(columns=names).assign(progression=bunch.target)
    explained = explain_table(data, "progression")
    summary = write_results(explained, folder)
    path = folder / "report.html"
    title = "What drives the progression of diabetes"
    writing.write_report(explained.explainer, explained.held_out, explained.labels, path, title=title)
    return f"{summary}\nOpen {path} in a browser: move a slider there, and see prediction, Shapley values and trust follow.\n"
