"""Additive models trained on labels: interpretable scikit-learn estimators that explain themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score

from .._alignment import align_rows, get_index
from .._output_unit import find_spread_unit
from .._registries import FAMILIES
from .._row_arrays import check_target, scale_weights
from ..blackbox.adapters.families import order_columns
from ..fits.conditional import fit_game
from ..fits.prepare import FitOptions
from ..fitted.explanation import squeeze_outputs
from ..likelihood.family import AmountFamily, Family
from ..likelihood.losses.binary import Binary
from ..likelihood.losses.multinomial import Multinomial
from ..questions.scorecard import Scorecard, make_scorecard
from ..table.columns import Table
from .additive_estimator import AdditiveEstimator
from .class_labels import check_labels, weigh_classes
from .exposure import divide_by_exposure, read_exposure
from .number_labels import check_single, read_numbers


class AdditiveRegressor(RegressorMixin, AdditiveEstimator):
    """Generalised additive model (GAM) with pairwise shape functions, which gives its own Shapley values.

    It is *purified*: interactions hold no main effects. With the squared error, the masked loss is minimised on the labels in
    closed form; Shapley values are those of the conditional game of the labels' mean. Models of other losses are fitted as in
    :class:`AdditiveClassifier`, and explained on the scale of their link. All Shapley values are table look-ups.

    Parameters
    ----------
    order, presence_order, interactions, groups, categorical, n_jobs, random_state, verbose
        As in :class:`instashap.Explainer`.
    bases : dict of column to str or basis, optional
        As in :class:`instashap.Explainer`; for columns without a monotone constraint.
    full_weight : float
        As in :class:`instashap.Explainer`, but 10 by default, which favours accurate predictions. Only the squared error uses
        it.
    loss : str
        "squared_error"; "poisson" (counts) and "gamma" (positive amounts), both with a logarithmic link: ``predict`` returns
        the mean, Shapley values sum to its logarithm; "quantile", in target units.
    quantile : float
        The level of the quantile, between 0 and 1; only ``loss="quantile"`` uses it.
    monotone_constraints : dict or sequence, optional
        For number columns: 1 if the prediction may not fall with the column, whatever the values of the other columns, -1 if it
        may not rise, 0 if it is free. Either a dict by name or position, or one value per column. The squared error is then
        fitted like the other losses.
    warm_start : bool
        Start from the previous fit and keep its knots, terms and penalties: new rows are fitted in a fraction of the time. The
        closed-form fit always starts afresh.

    Attributes
    ----------
    term_features_ : list of tuple of int
        Columns of each shape function.
    term_names_ : list of str
    intercept_ : float or ndarray of shape (n_outputs,)
        Weighted mean of the labels; with another loss the mean score, on the link's scale.
    feature_importances_ : ndarray of shape (n_columns,)
        Mean absolute Shapley value of each column over the fitted rows, summed over outputs; each column of a group has the
        group's value.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if the table had names.

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
        bases: Any = None,
        full_weight: float = 10.0,
        loss: str = "squared_error",
        quantile: float = 0.5,
        monotone_constraints: Any = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.order = order
        self.presence_order = presence_order
        self.interactions = interactions
        self.groups = groups
        self.categorical = categorical
        self.bases = bases
        self.full_weight = full_weight
        self.loss = loss
        self.quantile = quantile
        self.monotone_constraints = monotone_constraints
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, exposure: Any = None, offset: Any = None) -> AdditiveRegressor:
        """Fit the model to labels; returns the estimator itself.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        y : array of shape (n_rows,) or, with the squared error, (n_rows, n_outputs)
        sample_weight : array of shape (n_rows,), optional
            Whole numbers are counts: a row of weight w is w equal rows. Other weights are relative, in any unit: they are
            scaled to sum to the effective number of rows ``(sum w)² / sum w²``. With ``loss="poisson"`` and rates (labels that
            are not all whole numbers), all weights are exposures, in any unit.
        exposure : array of shape (n_rows,), optional
            With ``loss="poisson"``, how long, or over how many, the events of each row were counted; ``y`` are then the numbers
            of events, and ``predict`` returns events per unit of exposure. The unit changes nothing else. Rows of exposure 0
            are dropped.
        offset : array of shape (n_rows,), optional
            Logarithm of the exposure, in its place.

        Raises
        ------
        ValueError
            For invalid labels, weights or exposures; the message says what to do.
        """
        family: type[AmountFamily] = FAMILIES.find(self.loss)
        table, weights = self._read(X, sample_weight)
        target, names = read_numbers(y, get_index(X), table.n_rows)
        exposures = read_exposure(exposure, offset, get_index(X), table.n_rows, self.loss)
        if self.loss != "squared_error" or self.monotone_constraints is not None:
            self._is_vector = True
            check_single(target, self.loss)
            if exposures is None:
                weights = family.prepare_weights(target, weights)
            else:
                target, weights = divide_by_exposure(target, weights, exposures)
            unit = 1.0 if family.has_unit else self._choose_unit(target[weights > 0])
            likelihood: Any = family.from_labels(target / unit, weights, self.get_params())
            self._fit_labels(table, target / unit, weights, likelihood, names or ("output",), likelihood.output_transform)
            self._fitted, self._label_unit = replace(self._fitted, model=self._fitted.model.scale(unit)), unit
        else:
            self._is_vector = target.ndim == 1
            self._fit_squares(table, target.reshape(table.n_rows, -1), weights, names)
        self._describe()
        return self

    def _choose_unit(self, target: NDArray[np.float64]) -> float:
        """Unit of labels; a warm start keeps that of the previous fit, whose tables are in it."""
        is_warm = self.warm_start and hasattr(self, "_label_unit")
        return self._label_unit if is_warm else find_spread_unit(target)

    def _fit_squares(
        self, table: Table, target: NDArray[np.float64], weights: NDArray[np.float64], names: tuple[str, ...]
    ) -> None:
        orders = self.order, self.presence_order
        options = FitOptions(*orders, self.interactions, self._get_fitter(), self.groups, self.full_weight)
        self._family: Family | None = None
        with self._show_progress() as progress:
            fitted = fit_game(
                table, target, weights, options, output_names=names, output_transform="target units", progress=progress
            )
        self._fitted = replace(fitted, facts={**fitted.facts, "is_of_labels": True})

    def _get_fitter(self) -> Any:
        """Fitter for the squared error."""
        return "closed-form"

    def predict(self, X: Any, *, exposure: Any = None, offset: Any = None) -> NDArray[np.float64]:
        """Predictions in target units, shape (n_rows,) or (n_rows, n_outputs).

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        exposure, offset : array of shape (n_rows,), optional
            As in :meth:`fit`: predictions are then the expected numbers of events, the rate times the exposure.
        """
        scores = self._score(X)
        exposures = read_exposure(exposure, offset, get_index(X), len(scores), self.loss)
        if self._family is not None:
            return np.asarray(self._family.respond(scores) * (1.0 if exposures is None else exposures))
        return scores[:, 0] if self._is_vector else scores

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, exposure: Any = None, offset: Any = None) -> float:
        """R² of the predictions, as for any scikit-learn regressor; of expected numbers of events if there are exposures.

        Rows of pandas objects are matched by index, as in ``fit``.
        """
        index = get_index(X)
        weights = align_rows(sample_weight, index, "sample_weight")
        predicted = self.predict(X, exposure=exposure, offset=offset)
        y = order_columns(align_rows(y, index, "y"), self._fitted.output_names)
        unit = self._fitted.output_unit
        if unit != 1.0:
            y, predicted = check_target(y, len(predicted)) / unit, predicted / unit
        return float(r2_score(y, predicted, sample_weight=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self.loss == "squared_error"
        tags.target_tags.single_output = True
        tags.target_tags.positive_only = self.loss in FAMILIES.entries and FAMILIES.find(self.loss).is_positive
        return tags


class AdditiveClassifier(ClassifierMixin, AdditiveEstimator):
    """Generalised additive model (GAM) of class log-odds with pairwise shape functions, which gives its own Shapley values.

    Value tables are fitted by penalised likelihood. Each term has its own penalties, estimated from the rows; held-out deviance
    chooses their common level. Parts of the functions are then moved between terms, which changes no score, so that
    interactions hold no main effects and Shapley values are those of the conditional game of the scores.

    Parameters
    ----------
    order, presence_order, interactions, groups, categorical, n_jobs, random_state, verbose
        As in :class:`instashap.Explainer`.
    bases : dict of column to str or basis, optional
        As in :class:`instashap.Explainer`; for columns without a monotone constraint. A periodic curve is piecewise
        linear here.
    class_weight : dict, "balanced" or None
        Factor on the weights of a class's rows. "balanced" gives all classes the same total weight; unlike in scikit-learn, a
        row of weight w then counts as w rows, and a name that is no class is refused.
    monotone_constraints : dict or sequence, optional
        With two classes, for number columns: 1 if the log-odds may not fall with the column, whatever the values of the other
        columns, -1 if they may not rise, 0 if they are free. Either a dict by name or position, or one value per column.
    warm_start : bool
        Start from the previous fit and keep its knots, terms and penalties: new rows are fitted in a fraction of the time.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    term_features_ : list of tuple of int
        Columns of each shape function.
    term_names_ : list of str
    intercept_ : float or ndarray of shape (n_classes,)
        Weighted mean score.
    feature_importances_ : ndarray of shape (n_columns,)
        Mean absolute Shapley value of each column over the fitted rows, summed over outputs; each column of a group has the
        group's value.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if the table had names.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = AdditiveClassifier(order=1).fit(X, y)
    >>> model.predict_proba(X).shape, model.shap_values(X).shape
    ((150, 3), (150, 4, 3))
    """

    def __init__(
        self,
        *,
        order: int = 2,
        presence_order: int | str = "auto",
        interactions: Any = "auto",
        groups: Any = None,
        categorical: Any = "auto",
        bases: Any = None,
        class_weight: Any = None,
        monotone_constraints: Any = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.order = order
        self.presence_order = presence_order
        self.interactions = interactions
        self.groups = groups
        self.categorical = categorical
        self.bases = bases
        self.class_weight = class_weight
        self.monotone_constraints = monotone_constraints
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> AdditiveClassifier:
        """Fit the model to class labels; returns the estimator itself.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        y : array of shape (n_rows,)
            Numbers, strings or booleans; two classes or more among the rows of positive weight.
        sample_weight : array of shape (n_rows,), optional
            Whole numbers are counts: a row of weight w is w equal rows. Other weights are relative, in any unit: they are
            scaled to sum to the effective number of rows ``(sum w)² / sum w²``.
        """
        table, weights = self._read(X, sample_weight)
        self.classes_, codes = check_labels(align_rows(y, get_index(X), "y"), weights)
        weights = scale_weights(weigh_classes(self.class_weight, self.classes_, codes, weights))
        n_classes = len(self.classes_)
        names = tuple(map(str, self.classes_[1:] if n_classes == 2 else self.classes_))
        if self.monotone_constraints is not None and n_classes > 2:
            raise ValueError(
                f"monotone_constraints need two classes, y has {n_classes}: the scores of all classes cannot rise together"
            )
        family: Family = Binary() if n_classes == 2 else Multinomial(n_classes)
        transform = "log-odds" if n_classes == 2 else "centred log-probabilities"
        self._fit_labels(table, codes.astype(np.float64), weights, family, names, transform)
        self._fitted = replace(self._fitted, facts={**self._fitted.facts, "classes": list(map(str, self.classes_))})
        self._is_vector = n_classes == 2
        self._describe()
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Log-odds of ``classes_[1]``, shape (n_rows,), or centred log-probabilities, shape (n_rows, n_classes)."""
        return squeeze_outputs(self._score(X))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the classes, shape (n_rows, n_classes)."""
        scores = self._score(X)
        return np.asarray(self._family.respond(scores))

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Logarithms of the classes' probabilities, shape (n_rows, n_classes)."""
        return np.asarray(np.log(self.predict_proba(X)))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class, shape (n_rows,)."""
        scores = self._score(X)
        codes = (scores[:, 0] > 0).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[codes])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of rows whose class is predicted correctly, as for any scikit-learn classifier.

        Rows of pandas objects are matched by index, as in ``fit``.
        """
        index = get_index(X)
        weights = align_rows(sample_weight, index, "sample_weight")
        return float(super().score(X, align_rows(y, index, "y"), weights))

    def scorecard(
        self,
        X: Any,
        *,
        pdo: float = 20.0,
        base: float = 600.0,
        odds: float = 50.0,
        good: Any = None,
        n_bins: int = 8,
        decimals: int = 0,
    ) -> Scorecard:
        """The model of two classes as a scorecard: points for each bin of each term, which sum to a score.

        ``score = base + pdo / log(2) * (log-odds of good - log(odds))``

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
            Rows, usually those of the fit, from which bins are made. A bin's points are the mean of the term over its rows.
        pdo : float
            Points that double the odds.
        base, odds : float
            The score at which the odds of ``good`` are ``odds`` to one.
        good : object, optional
            The class whose odds rise with the score; default ``classes_[1]``.
        n_bins : int
            The most bins of a number column; pairs have half as many for each column.
        decimals : int
            Of the points.

        Returns
        -------
        Scorecard
            ``table`` of points, ``score(X)``, ``write("card.csv")``; ``agreement`` states what bins and rounding lose.

        Raises
        ------
        ValueError
            If there are more than two classes, or ``good`` is none of them.
        """
        fitted = self._check(X)
        options = {"pdo": pdo, "base": base, "odds": odds, "good": good, "n_bins": n_bins, "decimals": decimals}
        return make_scorecard(fitted, X, self.classes_.tolist(), options)
