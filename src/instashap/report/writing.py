"""Writing of reports; the ending of the file determines the format."""

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
    marginal: Any = None,
) -> Path:
    """Write a report with the verdict of the audit, importances, shapes of features, and a row explorer.

    The page works in any browser without a connection: it holds the tables, and computes the prediction, the Shapley values and
    the trust of a row itself. It also holds up to 150 rows of ``X`` for the row explorer.

    Parameters
    ----------
    explainer_or_estimator : Explainer or estimator
        Fitted.
    X : table of shape (n_rows, n_columns)
        Rows for importances and densities; if there are more than 20 000, evenly spaced ones are used. Preferably rows on which
        the model was not trained.
    y : array, optional
        Labels of X; with them the audit also scores the model and the explanations against labels. X must be the rows of the
        fit, or new ones.
    path : str or path
        ``.html``, or ``.md`` or ``.json`` for the same figures without the live part.
    title : str
    marginal : True, table or Marginal, optional
        The page then also shows, for the rows of the row explorer, what the model does with each column (the marginal game),
        and marks opposite signs. The model is called on about 1 600 rows for each; see :meth:`Explainer.__call__`.

    Returns
    -------
    Path
        Path of the file.

    Raises
    ------
    ValueError
        For another ending, or a table that does not fit the explainer.
    OSError
        If the folder cannot be written; an existing report is then unchanged.
    TypeError
        If the first argument is not an explainer, or y is a path.

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
        raise TypeError(f"y must be the labels of X, got {y!r}; pass the file to write as path=")
    target = check_path(path)
    render = _FORMS[target.suffix.lower()]
    write_file(target, render(summarise(explainer_or_estimator, X, y, marginal), title))
    return target


def check_path(path: str | os.PathLike[str]) -> Path:
    """The path, if its ending is that of a report format; raises ``ValueError`` otherwise."""
    target = Path(path)
    if target.suffix.lower() not in _FORMS:
        raise ValueError(f"a report is written as .html, .md or .json, got path={str(path)!r}")
    return target
