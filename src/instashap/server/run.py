"""Serve a saved explainer until stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._optional import require
from ..explain.explainer import load
from .app import make_app
from .limits import Limits


def serve(path: Path, X: Any = None, *, host: str = "127.0.0.1", port: int = 8000, limits: Limits | None = None) -> None:
    """Load an explainer and answer requests.

    Parameters
    ----------
    path : Path
        As :meth:`Explainer.save` wrote it: tables and names, no code.
    X : table, optional
        Rows for the page at ``/``.
    host, port
        The default can be reached from this machine alone.
    limits : Limits, optional
    """
    uvicorn = require("uvicorn", "server", "services")
    explainer = load(path)
    explainer.predict(_make_first_row(explainer))  # compiles before the first request
    app = make_app(explainer, X, limits=limits, title=f"Report on {path.stem}")
    uvicorn.run(app, host=host, port=port, log_level="warning", limit_concurrency=512, timeout_keep_alive=15)


def _make_first_row(explainer: Any) -> Any:
    """A row with every value missing."""
    import pandas as pd

    fitted = explainer._check_fitted()
    return pd.DataFrame([[None] * len(fitted.schema.names)], columns=list(fitted.schema.names), dtype=object)
