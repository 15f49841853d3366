"""What estimators trained on labels share: reading tables, explaining, saving."""

from __future__ import annotations

import os
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from .._validation import check_weights
from ..likelihood.families import Family
from ..table.columns import Table, read_table
from .explainer import Explainer, _show_progress, _squeeze
from .explanation import Explanation
from .fitted import FittedGame, count_threads
from .fitting import FitOptions
from .labels import Labelled, fit_labels


class AdditiveEstimator(BaseEstimator):
    """Base of the additive regressor and classifier: a fitted game with a response."""

    order: Any
    presence_order: Any
    interactions: Any
    groups: Any
    categorical: Any
    n_jobs: int | None
    verbose: int
    _fitted: FittedGame
    _family: Any

    def eval_terms(self, X: Any) -> NDArray[np.float64]:
        """Value of each shape function, shape (n_rows, n_terms[, n_outputs]).

        With ``intercept_`` they sum to the prediction, on the scale that is explained (log-odds, logarithms or target units).
        """
        fitted = self._check(X)
        return _squeeze(fitted.compute_effects(fitted.read(X), self.n_jobs))

    def shap_values(self, X: Any) -> NDArray[np.float64]:
        """Shapley values on the scale that is explained, shape (n_rows, n_features[, n_outputs])."""
        return self.to_explainer(X).shap_values(X)

    def explain(self, X: Any, *, errors: bool = False) -> Explanation:
        """Shapley values with names and data, and standard errors if asked for; see :meth:`instashap.Explainer.__call__`."""
        return self.to_explainer(X)(X, errors=errors)

    def to_explainer(self, X: Any = None) -> Explainer:
        """This model as an :class:`instashap.Explainer`, for saving, plots and exports."""
        fitted = self._check(X)
        explainer = Explainer(order=self.order, presence_order=self.presence_order, n_jobs=self.n_jobs)
        explainer._fitted = fitted
        return explainer

    def save(self, path: str | os.PathLike[str], *, errors: bool = True) -> None:
        """Write the model to one file that :func:`instashap.load` reads as an explainer; see :meth:`Explainer.save`."""
        self.to_explainer().save(path, errors=errors)

    def _read(self, X: Any, sample_weight: Any) -> tuple[Table, NDArray[np.float64]]:
        validate_data(self, X, skip_check_array=True)
        table = read_table(X, categorical=self.categorical)
        return table, check_weights(sample_weight, table.n_rows)

    def _fit_labels(
        self,
        table: Table,
        target: NDArray[np.float64],
        weights: NDArray[np.float64],
        family: Family,
        output_names: tuple[str, ...],
        output_transform: str,
    ) -> None:
        n_columns = len(table.schema.names)
        orders = cap_order(self.order, n_columns), cap_order(self.presence_order, n_columns)
        options = FitOptions(*orders, self.interactions, groups=self.groups)
        named = output_names, output_transform
        with self._show_progress() as progress:
            rows = Labelled(table, target, weights, family, options, *named, count_threads(self.n_jobs), progress)
            self._fitted = fit_labels(rows).game
        self._family = family

    def _show_progress(self) -> _show_progress:
        return _show_progress(self.verbose)

    def _describe(self, *, is_vector: bool) -> None:
        base = self._fitted.model.base_value
        self.intercept_ = float(base[0]) if is_vector else base.copy()
        self.term_features_ = list(self._fitted.model.value_sets)
        self.term_names_ = list(self._fitted.term_names)

    def _score(self, X: Any) -> NDArray[np.float64]:
        """Output of the fitted game at the full coalition, shape (n_rows, n_outputs)."""
        fitted = self._check(X)
        return fitted.predict(fitted.read(X), self.n_jobs)

    def _check(self, X: Any) -> FittedGame:
        check_is_fitted(self, "_fitted")
        if X is not None:
            if getattr(X, "ndim", 2) != 2:
                self._fitted.read(X)  # says how to reshape
            validate_data(self, X, reset=False, skip_check_array=True)
        return self._fitted

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


def cap_order(order: Any, n_columns: int) -> Any:
    """An order no larger than the table has columns; what is not an integer is judged later."""
    return min(order, n_columns) if isinstance(order, Integral) else order
