"""The same model trained on labels: interpretable scikit-learn estimators that explain themselves."""

from __future__ import annotations

import os
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._validation import check_target, check_weights
from ..table.columns import read_table
from .explainer import Explainer, _squeeze
from .explanation import Explanation
from .fitted import FittedGame
from .fitting import FitOptions, fit_game


class AdditiveRegressor(RegressorMixin, BaseEstimator):
    """A purified additive model (GAM) with pairwise shape functions that is its own Shapley explainer.

    The masked squared loss is minimised in closed form on the labels; the result predicts, and its Shapley values (those of
    the conditional game of the label's mean) are table look-ups.

    Parameters
    ----------
    order, presence_order, interactions, groups, categorical, n_jobs, random_state, verbose
        As in :class:`instashap.Explainer`.
    full_weight : float
        As there, but 10: what a model trained on labels is asked for first is its prediction.

    Attributes
    ----------
    term_features_ : list of tuple of int
        Columns of each shape function.
    term_names_ : list of str
    intercept_ : float or ndarray of shape (n_outputs,)
        Weighted mean of the labels.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        If the table had names.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> AdditiveRegressor(order=1).fit(X, y).shap_values(X).shape
    (442, 10)
    """

    def __init__(
        self,
        *,
        order: int = 2,
        presence_order: int | str = "auto",
        interactions: Any = "auto",
        groups: Any = None,
        categorical: Any = "auto",
        full_weight: float = 10.0,
        n_jobs: int | None = None,
        random_state: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.order = order
        self.presence_order = presence_order
        self.interactions = interactions
        self.groups = groups
        self.categorical = categorical
        self.full_weight = full_weight
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> AdditiveRegressor:
        """Fit on labels.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        y : array of shape (n_rows,) or (n_rows, n_outputs)
        sample_weight : array of shape (n_rows,), optional
            A weight of w counts as w equal rows.
        """
        validate_data(self, X, skip_check_array=True)
        table = read_table(X, categorical=self.categorical)
        target = check_target(y, table.n_rows)
        if target.ndim == 2 and target.shape[1] == 1:
            self._warn_column(target)
            target = target[:, 0]
        self._is_vector = target.ndim == 1
        weights = check_weights(sample_weight, table.n_rows)
        n_columns = len(table.schema.names)
        orders = _cap(self.order, n_columns), _cap(self.presence_order, n_columns)
        options = FitOptions(*orders, self.interactions, "closed-form", self.groups, self.full_weight)
        names = tuple(map(str, y.columns)) if hasattr(y, "columns") and target.ndim == 2 else ()
        self._fitted = fit_game(
            table, target.reshape(table.n_rows, -1), weights, options, output_names=names, output_transform="target units"
        )
        base = self._fitted.model.base_value
        self.intercept_ = float(base[0]) if self._is_vector else base.copy()
        self.term_features_ = list(self._fitted.model.value_sets)
        self.term_names_ = list(self._fitted.term_names)
        return self

    @staticmethod
    def _warn_column(target: NDArray[np.float64]) -> None:
        import warnings

        from sklearn.exceptions import DataConversionWarning

        warnings.warn(
            f"A column-vector y was passed when a 1d array was expected (shape {target.shape}); use y.ravel()",
            DataConversionWarning,
            stacklevel=3,
        )

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predictions in target units, shape (n_rows,) or (n_rows, n_outputs)."""
        fitted = self._check(X)
        values = fitted.predict(fitted.read(X), self.n_jobs)
        return values[:, 0] if self._is_vector else values

    def eval_terms(self, X: Any) -> NDArray[np.float64]:
        """Value of each shape function, shape (n_rows, n_terms[, n_outputs]); with ``intercept_`` they sum to ``predict``."""
        fitted = self._check(X)
        return _squeeze(fitted.compute_effects(fitted.read(X), self.n_jobs))

    def shap_values(self, X: Any) -> NDArray[np.float64]:
        """Shapley values in target units, shape (n_rows, n_features[, n_outputs])."""
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

    def _check(self, X: Any) -> FittedGame:
        check_is_fitted(self, "_fitted")
        fitted: FittedGame = self._fitted
        if X is not None:
            if getattr(X, "ndim", 2) != 2:
                fitted.read(X)  # says how to reshape
            validate_data(self, X, reset=False, skip_check_array=True)
        return fitted

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags


def _cap(order: Any, n_columns: int) -> Any:
    """An order no larger than the table has columns; what is not an integer is judged later."""
    return min(order, n_columns) if isinstance(order, Integral) else order
