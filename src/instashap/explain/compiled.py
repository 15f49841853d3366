"""Shapley values of rows of numbers with the least overhead per call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..fitted.explanation import squeeze_outputs
from ..fitted.game import FittedGame
from ..table.columns import Table


class CompiledExplainer:
    """Function that returns Shapley values of C-ordered float64 rows; made by :meth:`Explainer.compile`.

    Columns must be in the order of the fit. Infinite values and another number of columns are refused with a ``ValueError``;
    nothing else is checked. Raises ``TypeError`` when it is made if any column is not a number column.
    """

    def __init__(self, fitted: FittedGame, n_jobs: int | None = None) -> None:
        if any(fitted.schema.is_category):
            raise TypeError("a compiled explainer takes number columns only; this one has text or categorical columns")
        self._fitted = fitted
        self._n_jobs = n_jobs
        self._credits = fitted.model.credits

    def __call__(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shapley values, shape (n_rows, n_features) or (n_rows, n_features, n_outputs)."""
        n_columns = len(self._fitted.schema.names)
        if X.ndim != 2 or X.shape[1] != n_columns:  # compiled code would read beyond the end of the rows
            raise ValueError(f"a compiled explainer takes arrays of shape (n_rows, {n_columns}), got {X.shape}")
        table = Table(self._fitted.schema, X, ())
        return squeeze_outputs(self._fitted.look_up(self._credits, table, self._n_jobs))
