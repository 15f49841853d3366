"""Work of the command line on a table: train a model, explain it, and write the results."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import plots
from ._errors import FitWarning, warn_caller
from ._optional import require
from ._validation import name_columns
from .explain.explainer import Explainer
from .explain.options import hold_model
from .fits.prepare import FitOptions, judge_options
from .fitted.explanation import Explanation
from .fitted.shortening import clean
from .preparing import Prepared, choose_columns, prepare
from .questions.audit import audit
from .report import writing
from .report.markdown import escape_markdown
from .store import write_file
from .trust.report import TrustReport

if TYPE_CHECKING:
    import pandas as pd

# Share of the rows that are held out of training.
HELD_OUT = 0.2


@dataclass(frozen=True)
class Explained:
    """A model, its explainer, and the explanation of held-out rows.

    Attributes
    ----------
    model : estimator
    explainer : Explainer
    explanation : Explanation
        Explanation of the held-out rows.
    held_out : DataFrame
    labels : Series
        Labels of the held-out rows.
    fidelity : float or None
        R² of the additive model to the model on held-out rows, over all outputs; None if the model's output is constant.
    score : float or None
        The model's own score on held-out labels.
    seconds : dict of str to float
    notes : tuple of str
        Assumptions about the columns and the target, one sentence each.
    """

    model: Any
    explainer: Explainer
    explanation: Explanation
    held_out: pd.DataFrame
    labels: pd.Series
    fidelity: float | None
    score: float | None
    seconds: dict[str, float]
    notes: tuple[str, ...] = ()


def explain_table(
    data: pd.DataFrame,
    target: str,
    model: Any = None,
    order: int | None = None,
    *,
    task: str = "auto",
    text: Collection[str] = (),
    loss: str | None = None,
    synthetic_rows: int | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Explained:
    """Train gradient boosting (unless a model is given), fit an explainer, and explain the held-out fifth of the rows.

    ``order`` is 2 by default, or 1 if the table has only one column beside the target. A given model receives the columns that
    it was trained on, unchanged. The explainer reads their text by the recipe of :func:`prepare`, which it stores: each column
    of dates becomes one feature of several parts. ``synthetic_rows`` is the explainer's option; None: as many as help.
    ``on_note`` is called with each sentence on an assumption.
    """
    from sklearn.model_selection import train_test_split

    table = _prepare(_choose(data, target, model, on_note), target, task, text, on_note)
    names = tuple(name_columns(table.recipe.apply(table.X.iloc[:1]).columns))
    order = judge_options(FitOptions(min(2, len(names)) if order is None else order), names).order
    X_train, X_test, y_train, y_test = train_test_split(table.X, table.y, test_size=HELD_OUT, random_state=0)
    seconds = {}
    start = time.perf_counter()
    if model is None:
        if on_note is not None:
            on_note(f"training gradient boosting on {len(X_train):,} rows")
        model = _train(X_train, y_train, table, loss)
        seconds["training the model"] = time.perf_counter() - start
    start = time.perf_counter()
    output_name = None if table.is_class else target
    explainer = Explainer(model, order=order, groups=table.recipe.groups or None, output_name=output_name, verbose=1)
    explainer.set_params(categorical=[name for name in text if name in names] or "auto")
    explainer.set_params(synthetic_rows="auto" if synthetic_rows is None else synthetic_rows)
    explainer.recipe = table.recipe
    explainer.fit(X_train)
    seconds["fitting the explainer"] = time.perf_counter() - start
    start = time.perf_counter()
    explanation = explainer(X_test, outputs=True)
    seconds["explaining the held-out rows"] = time.perf_counter() - start
    fidelity, score = _compare(explainer, X_test), _score(model, X_test, y_test)
    if fidelity is not None and fidelity < 0:
        warn_caller(
            f"the explainer's held-out R² to the model is {fidelity:.3g}, below that of the mean alone: do not use its values; "
            "more rows, another reading of a column, or another --order may help",
            FitWarning,
        )
    return Explained(model, explainer, explanation, X_test, y_test, fidelity, score, seconds, table.notes)


def _prepare(
    data: pd.DataFrame, target: str, task: str, text: Collection[str], on_note: Callable[[str], None] | None
) -> Prepared:
    table = prepare(data, target, task, text)
    for note in table.notes if on_note is not None else ():
        on_note(note)  # type: ignore[misc]
    return table


def _choose(data: pd.DataFrame, target: str, model: Any, on_note: Callable[[str], None] | None) -> pd.DataFrame:
    chosen, note = choose_columns(data, target, model)
    if note and on_note is not None:
        on_note(note)
    return chosen


def audit_table(
    data: pd.DataFrame,
    target: str,
    model: Any = None,
    orders: Iterable[int] = (1, 2),
    *,
    task: str = "auto",
    text: Collection[str] = (),
    loss: str | None = None,
    on_note: Callable[[str], None] | None = None,
) -> TrustReport:
    """Audit of a model on all rows; without a model, of gradient boosting trained on half of the rows, on the other half.

    Text is read as in :func:`explain_table`, except for a given model, which receives the columns unchanged.
    """
    from sklearn.model_selection import train_test_split

    if model is not None:
        data = _choose(data, target, model, on_note)
        table = prepare(data, target, task, [name for name in data.columns if name != target])
        return audit(model, table.X, table.y, orders=orders)
    table = _prepare(data, target, task, text, on_note)
    X = table.recipe.apply(table.X)
    X_train, X, y_train, y = train_test_split(X, table.y, test_size=0.5, random_state=0)
    return audit(_train(X_train, y_train, table, loss), X, y, orders=orders, groups=table.recipe.groups or None)


def check_row(row: int, n_rows: int) -> None:
    """Raise ``ValueError`` if ``row`` is not the number of a held-out row of a table of ``n_rows`` rows."""
    n_held_out = ceil(HELD_OUT * n_rows)
    if not n_held_out:
        raise ValueError("the table has no rows")
    if not 0 <= row < n_held_out:
        raise ValueError(f"--row {row} is not among the held-out rows, which are numbered 0 to {n_held_out - 1}")


def report_table(
    data: pd.DataFrame, target: str, path: Path, model: Any = None, order: int | None = None, **options: Any
) -> Path:
    """Fit an explainer as :func:`explain_table` does and write a report on its held-out rows, with their labels."""
    writing.check_path(path)
    explained = explain_table(data, target, model, order, **options)
    return writing.write_report(explained.explainer, explained.held_out, explained.labels, path, title=f"What drives {target}")


def write_report(report: TrustReport, folder: Path) -> None:
    """Write a trust report as a table, HTML and JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    page = f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Trust report</title>{report._repr_html_()}</html>"
    write_file(folder / "trust.csv", report.table.to_csv())
    write_file(folder / "trust.html", page)
    write_file(folder / "trust.json", json.dumps(report.to_dict(), indent=1))


def _train(X: pd.DataFrame, y: pd.Series, table: Prepared, loss: str | None = None) -> Any:
    """Gradient boosting, a classifier or regressor as the target requires, on rows as in the file; text becomes categories.

    Raises ``ValueError`` for a loss of numbers if the target is a class, or if the loss does not allow its values.
    """
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

    boosting = HistGradientBoostingClassifier if table.is_class else HistGradientBoostingRegressor
    learner = boosting(random_state=0, **({} if loss is None else {"loss": _check_loss(loss, y, table.is_class)}))
    text = make_column_selector(dtype_exclude=["number", "bool"])
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    columns = make_column_transformer(("drop", _find_empty), (encoder, text), remainder="passthrough")
    return make_pipeline(FunctionTransformer(table.recipe.apply), columns, learner).fit(X, y)


def _check_loss(loss: str, y: pd.Series, is_class: bool) -> str:
    """The loss, if it can be used for the target."""
    if is_class:
        raise ValueError(
            f"--loss {loss} is for numbers, and the target {y.name!r} holds classes: leave it out, or add --task regression"
        )
    lowest = float(y.min())
    if (lowest < 0 and loss == "poisson") or (lowest <= 0 and loss == "gamma"):
        least, other = ("0 or more", "squared_error") if loss == "poisson" else ("more than 0", "poisson, or squared_error")
        raise ValueError(f"--loss {loss} needs a target of {least}, and {y.name!r} goes down to {lowest:g}: use {other}")
    return loss


def _find_empty(X: pd.DataFrame) -> list[Any]:
    """Columns without a value, which gradient boosting refuses."""
    return list(X.columns[X.isna().all()])


def _compare(explainer: Explainer, X: pd.DataFrame) -> float | None:
    box = hold_model(explainer).wrap().restore(explainer._check_fitted().scale)
    outputs = box.predict(X, len(X))
    if not np.ptp(outputs, axis=0).any():
        return None
    unit = np.abs(outputs).max()
    outputs, fitted = outputs / unit, np.asarray(explainer.predict(X)).reshape(outputs.shape) / unit
    return float(1 - ((outputs - fitted) ** 2).sum() / ((outputs - outputs.mean(axis=0)) ** 2).sum())


def _score(model: Any, X: pd.DataFrame, y: pd.Series) -> float | None:
    return float(model.score(X, y)) if hasattr(model, "score") else None


def write_results(explained: Explained, folder: Path, row: int = 0, add: Collection[str] = ()) -> str:
    """Write explanations as parquet, the explainer, pictures (one of a ``row``) and, last, the summary, which is returned.

    ``add`` may hold "totals" and "data", for more columns of the explanations; see :meth:`Explanation.to_frame`.
    """
    require("pyarrow", "cli", "parquet files")
    folder.mkdir(parents=True, exist_ok=True)
    frame = explained.explanation.to_frame(totals="totals" in add, data="data" in add)
    if explained.explanation.has_outputs:
        frame.columns = [" · ".join(map(str, names)) for names in frame.columns]
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    contents = {"explanations.parquet": buffer.getvalue(), **_draw(explained, row)}  # made before the first is written
    contents["summary.md"] = summarise(explained, folder, escape_markdown).encode()
    explained.explainer.save(folder / "explainer.insta")
    for name, content in contents.items():
        write_file(folder / name, content)
    return summarise(explained, folder)


def summarise(explained: Explained, folder: Path, escape: Callable[[str], str] = clean) -> str:
    """A page of Markdown: the explained output, how well it is explained, and the most important features.

    ``escape`` makes text of the data harmless for the place where it is shown: by default a terminal.
    """
    explainer, explanation = explained.explainer, explained.explanation
    chosen = explainer.fit_facts_["chosen"]
    magnitudes = np.abs(explanation.values).mean(axis=0)
    magnitudes = magnitudes if magnitudes.ndim == 1 else magnitudes.sum(axis=1)
    ranked = np.argsort(-magnitudes, kind="stable")[:10]
    names = [clean(name) for name in explanation.feature_names]
    width = max(len(names[j]) for j in ranked)
    fidelity = (
        "has no variance to explain: the model's output is the same for every held-out row"
        if explained.fidelity is None
        else f"predicts the model worse than its mean on held-out rows (R² {explained.fidelity:.3g}): do not use its values"
        if explained.fidelity < 0
        else f"explains {100 * explained.fidelity:.1f} % of the model's variance on held-out rows"
    )
    score = "" if explained.score is None else f"- the model's own score on held-out rows: {explained.score:.3f}\n"
    notes = "".join(f"- {escape(note)}\n" for note in explained.notes)
    timings = "".join(f"- {what}: {seconds:.2f} s\n" for what, seconds in explained.seconds.items())
    importances = "".join(f"    {names[j]:<{width}}  {magnitudes[j]:.4g}\n" for j in ranked)
    return (
        f"# Explained: {escape(explanation.output_transform)}\n\n"
        f"- {len(explanation):,} held-out rows, {len(explanation.feature_names)} features, {explanation.game} game\n"
        f"- the additive model of order {chosen['order']} {fidelity}\n{score}{notes}{timings}\n"
        f"Mean absolute Shapley value, the largest first:\n\n{importances}\n"
        f"Written to {escape(str(folder))}: "
        "explanations.parquet, explainer.insta, summary.md, importance.png, waterfall.png, shape.png\n"
    )


def _draw(explained: Explained, row: int) -> dict[str, bytes]:
    """Pictures by file name."""
    pyplot = require("matplotlib.pyplot", "plots", "plots")
    first = explained.explanation[..., 0] if explained.explanation.has_outputs else explained.explanation
    strongest = _find_strongest(explained, int(np.argmax(np.abs(first.values).mean(axis=0))))
    drawings: dict[str, Callable[[], Any]] = {
        "importance.png": lambda: plots.plot_importance(explained.explanation),
        "waterfall.png": lambda: plots.plot_waterfall(first[row]),
        "shape.png": lambda: plots.plot_shape(explained.explainer, strongest, X=explained.held_out),
    }
    pictures = {}
    for name, draw in drawings.items():
        axes, buffer = draw(), io.BytesIO()
        axes.figure.savefig(buffer, format="png", dpi=120, bbox_inches="tight")
        pyplot.close(axes.figure)
        pictures[name] = buffer.getvalue()
    return pictures


def _find_strongest(explained: Explained, feature: int) -> str:
    """Name of the column of a feature whose own effect moves the output most."""
    explainer = explained.explainer
    effects = np.abs(explainer.interaction_values(explained.held_out))
    sizes = effects.mean(axis=0).reshape(len(explainer.terms_), -1).sum(axis=1)
    alone = {term[0]: size for term, size in zip(explainer.terms_, sizes, strict=True) if len(term) == 1}
    own = [column for column, player in enumerate(explainer._check_fitted().players) if player == feature]
    return str(explainer.feature_names_in_[max(own, key=lambda column: alone.get(column, 0.0))])


def run_demo(folder: Path) -> str:
    """Explain gradient boosting of the diabetes data that scikit-learn includes; returns the summary and the report's path."""
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
    explained = explain_table(data, "progression", synthetic_rows=0)  # a first look should take seconds
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.html"
    title = "What drives the progression of diabetes"
    writing.write_report(explained.explainer, explained.held_out, explained.labels, path, title=title)
    summary = write_results(explained, folder)
    return f"{summary}\nOpen {path} in a browser: move a slider there, and see prediction, Shapley values and trust follow.\n"
