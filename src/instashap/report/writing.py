"""Write a report: the file's ending says what kind."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..store import write_file
from .markdown import render_markdown
from .page import render_page
from .summary import Summary, summarise


def render_json(summary: Summary, title: str) -> str:
    """The figures of a summary as JSON."""
    return json.dumps({"title": title, **summary.to_dict()}, indent=1, allow_nan=False)


_FORMS: dict[str, Callable[[Summary, str], str]] = {
    ".html": render_page,
    ".htm": render_page,
    ".md": render_markdown,
    ".json": render_json,
}


def write_report(
    explainer_or_estimator: Any,
    X: Any,
    y: Any = None,
    path: str | os.PathLike[str] = "report.html",
    *,
    title: str = "Model report",
) -> Path:
    """Write a report for people: may the explanations be believed, what matters, what each feature does, and rows to try.

    The page works in any browser without a connection: it holds the tables, and computes prediction, Shapley values and
    trust of a row by itself. It also holds up to 100 rows of ``X``, to start from.

    Parameters
    ----------
    explainer_or_estimator : Explainer or estimator
        Fitted.
    X : table of shape (n_rows, n_columns)
        Rows that importances and densities are averages over; of more than 20 000 some, evenly spaced. Best are rows that the
        model was not trained on.
    y : array, optional
        Labels of X: the verdict then also says what the model and its explanations are worth against them. X must be the rows
        of the fit, or new ones.
    path : str or path
        ``.html``, or ``.md`` or ``.json`` for the same figures without the live part.
    title : str

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    ValueError
        For another ending, or a table that does not fit the explainer.
    OSError
        If the folder cannot be written; a report that is there stays as it is.
    TypeError
        If the first argument cannot explain, or y is a path.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from instashap import Explainer
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> explainer = Explainer(lambda X: X[:, 0] - X[:, 1], order=1).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(explainer, X, path=f"{folder}/report.md").name
    'report.md'
    """
    if isinstance(y, (str, os.PathLike)):
        raise TypeError(f"y holds the labels of X, got {y!r}; a file to write is named by path=")
    target = check_path(path)
    render = _FORMS[target.suffix.lower()]
    write_file(target, render(summarise(explainer_or_estimator, X, y), title))
    return target


def check_path(path: str | os.PathLike[str]) -> Path:
    """A path whose ending names a form that reports are written in."""
    target = Path(path)
    if target.suffix.lower() not in _FORMS:
        raise ValueError(f"a report is written as .html, .md or .json, got path={str(path)!r}")
    return target
