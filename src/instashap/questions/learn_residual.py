"""A regressor of the difference between refined Shapley values and those of the tables, for fast values of later rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fitted.explanation import Explanation
from ..fitted.game import FittedGame
from ..fitted.shown_rows import make_explanation
from ..table.columns import Table
from .refine_rows import RefinedGame, refine_rows, refine_table


@dataclass(frozen=True)
class LearntResidual:
    """A regressor of refined values minus the tables' values.

    Attributes
    ----------
    regressor : estimator
    base_value : ndarray of shape (n_outputs,), float64
        Base value of the refined game.
    game, output_transform : str
        The refined game, and the scale of its values.
    """

    regressor: Any
    base_value: NDArray[np.float64]
    game: str
    output_transform: str

    def predict(self, fitted: FittedGame, table: Table) -> NDArray[np.float64]:
        """Predicted differences from the tables' values, shape (n_rows, n_players, n_outputs)."""
        shape = table.n_rows, len(fitted.feature_names), fitted.model.n_outputs
        found = np.asarray(self.regressor.predict(_make_features(fitted, table)), dtype=np.float64)
        return found.reshape(shape) * fitted.output_unit


def learn_residual(fitted: FittedGame, X: Any, game: RefinedGame, regressor: Any) -> LearntResidual:
    """Refine rows and fit a copy of a scikit-learn regressor to the differences from the tables' values.

    A regressor for a single target is repeated for every value.
    """
    from sklearn.base import clone
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.utils import get_tags

    if isinstance(regressor, type) or not hasattr(regressor, "get_params") or not hasattr(regressor, "fit"):
        raise TypeError(f"regressor must be an instance of a scikit-learn regressor, such as Ridge(), got {regressor!r}")
    table = fitted.read(X)
    refined = refine_table(fitted, X, table, game)
    missed = (refined.values - fitted.compute_shapley_values(table)).reshape(table.n_rows, -1) / fitted.output_unit
    copy = clone(regressor)
    is_single = missed.shape[1] == 1
    learner = copy if is_single or get_tags(copy).target_tags.multi_output else MultiOutputRegressor(copy)
    target = missed[:, 0] if is_single else missed
    learner.fit(_make_features(fitted, table), target)
    return LearntResidual(learner, refined.base_value, refined.game, refined.output_transform)


def explain_refined(
    fitted: FittedGame, X: Any, game: RefinedGame, residual: LearntResidual | None, n_jobs: int | None = None
) -> Explanation:
    """Refined Shapley values of rows, or for 0 coalitions those of the tables plus the learnt residual.

    See :meth:`instashap.Explainer.refine`. Raises ``ValueError`` for 0 coalitions if nothing was learnt.
    """
    if game.n_coalitions != 0:
        return refine_rows(fitted, X, game)
    if residual is None:
        raise ValueError("n_coalitions=0 adds a learnt residual, but there is none: call learn_residual first")
    table = fitted.read(X)
    values = fitted.compute_shapley_values(table, n_jobs) + residual.predict(fitted, table)
    explanation = make_explanation(fitted, table, values, residual.base_value)
    return replace(explanation, game=residual.game, output_transform=residual.output_transform)


def _make_features(fitted: FittedGame, table: Table) -> NDArray[np.float64]:
    """Columns as floats, shape (n_rows, n_columns): numbers with NaN for missing, categories as codes of their cells."""
    cells = fitted.encoder.encode(table).cells
    numbers = iter(np.asarray(table.numbers, dtype=np.float64).T)
    columns = [cells[:, place] if flag else next(numbers) for place, flag in enumerate(fitted.schema.is_category)]
    return np.column_stack(columns).astype(np.float64)
