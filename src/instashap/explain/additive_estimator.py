"""Base class of the estimators that are trained on labels: reading tables, explaining, editing, saving."""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from .._alignment import align_rows, get_index
from .._progress import show_progress
from .._row_arrays import check_weights
from .._validation import find_columns
from ..fits.labels import LabelFit, Labelled, fit_labels
from ..fits.prepare import FitOptions
from ..fitted.explanation import Explanation, squeeze_outputs
from ..fitted.game import FittedGame, count_threads
from ..likelihood.family import Family
from ..questions.average import average_magnitudes
from ..questions.edit import find_term, recentre, set_shape
from ..questions.reasons import ReasonReport
from ..table.chosen_bases import choose_bases
from ..table.columns import Table, read_table
from ..table.containers import open_container
from .directions import check_free, check_monotone
from .explainer import Explainer
from .game_html import render_game


class AdditiveEstimator(BaseEstimator):
    """Base of the additive regressor and classifier."""

    order: Any
    presence_order: Any
    interactions: Any
    groups: Any
    categorical: Any
    bases: Any = None
    monotone_constraints: Any
    warm_start: bool
    n_jobs: int | None
    verbose: int
    _is_vector: bool
    _fitted: FittedGame
    _family: Any

    def eval_terms(self, X: Any) -> NDArray[np.float64]:
        """Value of each shape function, shape (n_rows, n_terms[, n_outputs]).

        With ``intercept_`` they sum to the prediction, on the scale of the explanation (log-odds, logarithms or target units).
        """
        fitted = self._check(X)
        return squeeze_outputs(fitted.compute_effects(fitted.read(X), self.n_jobs))

    def shap_values(self, X: Any) -> NDArray[np.float64]:
        """Shapley values on the scale of the explanation, shape (n_rows, n_features[, n_outputs])."""
        return self.to_explainer(X).shap_values(X)

    def explain(self, X: Any, *, errors: bool = False) -> Explanation:
        """Shapley values with names and data, and standard errors on request; see :meth:`instashap.Explainer.__call__`."""
        return self.to_explainer(X)(X, errors=errors)

    def reasons(self, X: Any, n: int = 4, *, reference: Any, **options: Any) -> ReasonReport:
        """Reason codes on the scale of the explanation; see :meth:`instashap.Explainer.reasons`."""
        return self.to_explainer(X).reasons(X, n, reference=reference, model=self._score, **options)

    def to_explainer(self, X: Any = None) -> Explainer:
        """This model as an :class:`instashap.Explainer`, for saving, plots and exports."""
        fitted = self._check(X)
        explainer = Explainer(order=self.order, presence_order=self.presence_order, n_jobs=self.n_jobs)
        explainer._fitted = fitted
        return explainer

    def save(self, path: str | os.PathLike[str], *, errors: bool | None = None) -> None:
        """Write the model to one file that :func:`instashap.load` reads as an explainer; see :meth:`Explainer.save`."""
        self.to_explainer().save(path, errors=errors)

    def set_shape(self, term: Any, shape: Any) -> Self:
        """Replace a shape function, and with it predictions, Shapley values and interactions.

        Predictions change by the new shape minus the old, on the scale of the explanation. Terms stay centred: the mean of the
        change is added to ``intercept_``. Where its columns are absent, the change counts with its conditional mean.

        Parameters
        ----------
        term : str, int, or tuple of them
            Columns of the shape function, by name, label or position.
        shape : float, mapping or callable
            A constant (0 removes the term); for one column a mapping from levels, or from numbers that have a coefficient of
            their own, to values; or a function of arrays of the columns' values (numbers, NaN if missing; levels,
            ``"(other)"`` and None) that returns as many values. The present shape stays where the function returns NaN, and at
            levels that a mapping lacks. The function is approximated by the term's own spline, hat functions or levels.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            If the estimator was unpickled: copies do not hold the rows of the fit.
        ValueError
            If there is no such term, a mapping has a key that is no level of the column, or a value is infinite.
        """
        fitted = self._check(None)
        names = fitted.schema.names
        values = find_term(find_columns(term, names, "term"), fitted.model.value_sets, names)
        self._fitted = set_shape(fitted, values, shape)
        self._describe()
        return self

    def remove_term(self, term: Any) -> Self:
        """Set a shape function to zero; see :meth:`set_shape`."""
        return self.set_shape(term, 0.0)

    def recentre(self, X: Any, sample_weight: Any = None) -> Self:
        """Make the distribution of ``X`` the reference: shapes are centred on it, and Shapley values conditional on it.

        Predictions do not change.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        sample_weight : array of shape (n_rows,), optional
        """
        fitted = self._check(X)
        table = fitted.read(X)
        weights = check_weights(align_rows(sample_weight, get_index(X), "sample_weight"), table.n_rows)
        kept = np.flatnonzero(weights > 0)
        self._fitted = recentre(fitted, fitted.encoder.encode(table.take(kept)), weights[kept])
        self._describe()
        return self

    def _repr_html_(self) -> str:
        """What was fitted and which features matter most, for notebooks; an unfitted estimator as scikit-learn shows it."""
        if getattr(self, "_fitted", None) is None:
            return str(super()._repr_html_())
        steps = "<code>explain(X)</code> explains rows, <code>to_explainer().audit(X)</code> judges the explanations"
        return render_game(self._fitted, type(self).__name__, steps)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Text and HTML; scikit-learn's own would be taken before :meth:`_repr_html_`."""
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def _read(self, X: Any, sample_weight: Any) -> tuple[Table, NDArray[np.float64]]:
        validate_data(self, open_container(X), skip_check_array=True)
        table = choose_bases(read_table(X, categorical=self.categorical), self.bases)
        return table, check_weights(align_rows(sample_weight, get_index(X), "sample_weight"), table.n_rows)

    def _fit_labels(
        self,
        table: Table,
        target: NDArray[np.float64],
        weights: NDArray[np.float64],
        family: Family,
        output_names: tuple[str, ...],
        output_transform: str,
    ) -> None:
        options = FitOptions(self.order, self.presence_order, self.interactions, groups=self.groups)
        directions = check_monotone(self.monotone_constraints, table.schema.names, table.schema.is_category)
        check_free(directions, table.bases, table.schema.names)
        former = self._find_former(table, family, output_names)
        named = output_names, output_transform
        with self._show_progress() as progress:
            rows = Labelled(
                table, target, weights, family, options, *named, directions, count_threads(self.n_jobs), progress
            )
            self._label_fit = fit_labels(rows, former)
        self._fitted = self._label_fit.game
        self._family = family

    def _find_former(self, table: Table, family: Family, output_names: tuple[str, ...]) -> LabelFit | None:
        """The previous fit, if this one is to start from it."""
        former: LabelFit | None = getattr(self, "_label_fit", None)
        if not self.warm_start or former is None:
            return None
        named = former.game.output_names
        if table.schema != former.game.schema or (output_names != named and len(output_names + named) != 2):
            raise ValueError(
                f"warm_start=True starts from a fit of the columns {list(former.game.schema.names)} with the outputs "
                f"{list(former.game.output_names)}; this table or these labels differ: set warm_start=False"
            )
        return former

    def __getstate__(self) -> dict[str, Any]:
        """The state without the previous fit that a warm start needs: it holds rows, which stay in this process."""
        return {name: value for name, value in super().__getstate__().items() if name != "_label_fit"}

    def _show_progress(self) -> show_progress:
        return show_progress(self.verbose)

    def _describe(self) -> None:
        base = self._fitted.model.base_value
        self.intercept_ = float(base[0]) if self._is_vector else base.copy()
        self.term_features_ = list(self._fitted.model.value_sets)
        self.term_names_ = list(self._fitted.term_names)
        self.feature_importances_ = average_magnitudes(self._fitted)

    def _score(self, X: Any) -> NDArray[np.float64]:
        """Output of the fitted game at the full coalition, shape (n_rows, n_outputs)."""
        fitted = self._check(X)
        return fitted.predict(fitted.read(X), self.n_jobs)

    def _check(self, X: Any) -> FittedGame:
        check_is_fitted(self, "_fitted")
        if X is not None:
            if getattr(X, "ndim", 2) != 2:
                self._fitted.read(X)  # raises with advice on how to reshape
            validate_data(self, open_container(X), reset=False, skip_check_array=True)
        return self._fitted

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags
