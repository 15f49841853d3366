"""The explainer: after one fit, every Shapley value is a table look-up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .._alignment import align_rows, get_index
from .._html import escape
from .._registries import EXPORTS, QUESTIONS
from ..blackbox.drawn_game import Conditional
from ..blackbox.named import is_closed_form
from ..fitted.explanation import Explanation
from ..fitted.pickling import check_pickle
from ..questions.check import DriftReport, check_model
from ..questions.explain_rows import RowRequest, explain_rows
from ..questions.values import (
    compute_index_values,
    compute_interaction_values,
    compute_mobius_values,
    compute_shap_values,
    predict_masked,
    predict_outputs,
)
from .attributes import FittedAttributes, summarise_game
from .compiled import CompiledExplainer
from .game_html import render_game
from .options import ExplainerOptions, hold_model

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..questions.learn_residual import LearntResidual
    from ..questions.reasons import ReasonReport
    from ..questions.refine_rows import RefinedGame
    from ..questions.updating import Moments
    from ..trust.report import TrustReport
    from ..trust.thresholds import Thresholds


class Explainer(ExplainerOptions, FittedAttributes):
    """Shapley values of any model by table look-up, after one fit that needs no labels.

    ``fit`` approximates the model's output, also where only a set S of features is known, by a masked additive model
    ``g(x; S)``: a sum of functions of a few columns, each of which counts once certain features are known (InstaSHAP, Eq. 20,
    solved in closed form). By default ``g(x; S)`` estimates ``E[f(X) | X_S = x_S]``, the conditional game. Shapley values,
    interactions and shape functions are then exact for ``g`` and need no further call of the model. :meth:`audit` measures on
    held-out rows how well ``g`` predicts the model.

    Parameters
    ----------
    model : estimator, callable or None
        Anything with ``predict_proba``, ``decision_function`` or ``predict``, a native booster of XGBoost or LightGBM, a
        torch module, a Keras model, or a function of the rows. It receives rows in the container and types of the table passed
        to ``fit``. None if ``fit`` is given ``outputs``.
    order : int
        The most columns that a shape function reads, 1 to 3; 2 means pairs. In a table with fewer columns, it is their number.
    presence_order : int or "auto"
        The most features in a presence set, the set of features that must all be known for a function to count. "auto" tries up
        to 4 (3 above 50 features) and keeps the value of least held-out risk. Above 10 features most sets of four, above 20
        most sets of three are *tied*: all that contain the same two features share one function. Equal to ``order`` it is the
        paper's model.
    interactions : "auto", "all", int, or list of column tuples
        Candidate terms of two and more columns: the best by a screening, all, so many of the best, or these. 0: main effects
        only.
    output : {"auto", "raw", "probability"}
        Scale of a classifier's explanation: log-odds ("auto", "raw") or probability.
    output_name : str, optional
        Name of what the model predicts, with which plots label its scale, if the model has one output without a name of its
        own, as regressors have. Default: the name of ``outputs``, if it is a Series.
    value_function : "conditional", Conditional, Marginal, Baseline, another name, or callable
        The distribution of absent features: given the present ones ("conditional", or :class:`instashap.Conditional` with a
        distribution from which :meth:`refine` can draw); that of background rows (:class:`instashap.Marginal`); or the values
        of one row (:class:`instashap.Baseline`). A function ``F(X, masks)`` of your own receives rows in their own container
        and masks of shape (n_rows, n_features), True = present. The last three call the model on rows that are not in X.
    fitter : "closed-form", "neural", or callable
        Type of the functions: splines and levels, fitted in closed form; or neural nets (extra ``neural``). A callable that
        makes a fitter sets its options, for example ``partial(instashap.neural.NeuralFitter, plan=...)``.
    groups : dict of str to list of columns, or "auto"
        Columns that act as one feature (one player), for example those of a one-hot block; "auto" finds such blocks. Here and
        below, a column is given by name, by the table's own label, or by position; where labels are numbers, a number is a
        label.
    categorical : "auto" or list of columns
        Columns to treat as categories besides text and categorical dtypes.
    bases : dict of column to str or basis, optional
        Basis of number columns in the closed form: "spline", "levels", "codes", or "periodic" for hours and months
        (:class:`instashap.Periodic` if the period is not the range of whole numbers). By default the fit chooses from the data.
    full_weight : float
        Weight of the full coalition in the loss; the other sizes have weight 1 together. More favours the prediction over the
        attribution where the terms cannot serve both.
    synthetic_rows : "auto" or int
        The most rows outside X on which the model is called, for the conditional game in closed form. They are drawn from a
        distribution estimated from X, and each column has values that it has in X. Their weight is the one that minimises the
        risk on held-out rows, which may be 0. "auto": 18 432, from 10 000 rows of X on 65 536; fewer for a model that takes
        longer than 10 s for them, none if X has more than 50 000 rows. 0: the model is called on the rows of X alone.
    batch_rows : int
        The most rows in one call of the model; smaller batches need less memory.
    plan_rows : int
        For a longer table, a sample of so many rows is used to choose columns' bases, terms and penalties; the other rows enter
        through sums in one pass. The sample does not depend on the order of the rows: it has the smallest hashes.
    n_jobs : int, optional
        Threads for explaining; default every core. The result has the same bits for any number.
    random_state : int, optional
        Seed of fitters that draw random numbers; the closed form draws none.
    verbose : int
        1 shows progress and the time left, of model calls and of the fit: a bar in a terminal, elsewhere one line per stage.

    Attributes
    ----------
    terms_ : list of tuple of int
        Value sets: the columns that each shape function reads.
    presence_terms_ : list of tuple of int
        Presence sets: for each, a function counts once all features in it are known.
    feature_names_ : tuple of str
        Names of the players: columns, or groups of them.
    feature_names_in_ : ndarray of str
        Names of the columns.
    output_names_ : tuple of str
        Classes, or columns of what a model returned or ``outputs`` held.
    n_features_in_ : int
    output_transform_ : str
        What the explained outputs are, on which scale, and any clipping.
    expected_value : float or ndarray of shape (n_outputs,)
        Weighted mean output of the fitted rows: the base value.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 2))
    >>> explainer = Explainer(lambda X: 2 * X[:, 0] + X[:, 1], order=1).fit(X)
    >>> explainer.shap_values(X).shape
    (500, 2)
    """

    _residual: LearntResidual | None = None  # what learn_residual has learnt
    _fit_rows: Any = None  # rows from which audits, and value functions without rows of their own, estimate distributions

    def fit(self, X: Any, *, outputs: Any = None, sample_weight: Any = None) -> Explainer:
        """Fit the masked additive model to the model's outputs on rows.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns), or row source
            Rows without labels. Rows that the model was not trained on are best, if there are some hundred; else its training
            rows. A row source need not fit in memory: the path of a Parquet file, of a folder, or a pattern; a
            ``pyarrow.dataset.Dataset``, a polars ``LazyFrame``, a DuckDB relation, or a function without arguments that
            returns a fresh iterator of DataFrames or record batches. The model gets its rows as pandas DataFrames.
        outputs : array of shape (n_rows,) or (n_rows, n_outputs), or names of columns of X, optional
            The model's predictions; the model is then not called, and may be None. Rows of pandas objects, here and in the
            outputs of a model, are matched by index: another order is corrected, an index of other labels is refused.
        sample_weight : array of shape (n_rows,), or name of a column of X, optional
            Whole numbers are counts: a row of weight w is w equal rows. Other weights are relative, in any unit: they are
            scaled to sum to the effective number of rows ``(sum w)² / sum w²``. Rows of weight 0 are dropped.

        Returns
        -------
        Explainer
            The explainer itself.

        Raises
        ------
        ValueError
            For invalid values in the table, weights or options; the message names the column and what to do.
        ModelOutputError
            If the model raises an error or returns outputs that cannot be used.
        """
        from .fit_rows import fit_rows
        from .fitting import keep_rows, name_output

        game, rows = fit_rows(self, X, outputs, sample_weight)
        self._fitted = name_output(game, self.output_name)
        rows = keep_rows(rows, sample_weight) if rows is X else rows
        self._fit_rows = rows if isinstance(self.value_function, (str, Conditional)) else None
        return self

    def __call__(self, X: Any, *, errors: bool = False, outputs: Any = None, marginal: Any = None) -> Explanation:
        """Shapley values of rows, with names and data.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
            Columns are matched by name where both tables have names.
        errors : bool
            Also estimate standard errors of the values (``Explanation.standard_errors``): how much the values would vary with
            the rows drawn for the fit, at the chosen terms and smoothness. They come from a jackknife over 20 groups of rows;
            the first call after ``fit`` computes it, which takes about as long as the fit.
        outputs : array of shape (n_rows,) or (n_rows, n_outputs), or True, optional
            The model's own outputs of these rows, on the scale of ``output_transform_``; True calls the explainer's model. The
            explanation then has ``model_outputs`` and the ``remainder``, which the values and the base value leave unexplained.
        marginal : True, table or Marginal, optional
            Also give values of the marginal game (``marginal_values``): what the model does with each column, where the values
            say what knowing it changes. ``opposite_signs`` shows where the two disagree. The background is the given rows, or
            with True some 50 rows of the fit; the model is called on about 1 600 rows for each row explained.

        Returns
        -------
        Explanation
            Rows outside the fitted ones are named (``outside``, ``new_pairs``), with one warning if they are many or far.
            Each row has an ``output_share``, the share of its output that the values reproduce, and an
            ``output_share_interval``. The first call after ``fit`` estimates the size of residuals as a function of the row, by
            a small fit to held-out rows. With ``errors``, and after :meth:`audit`, each row has ``total_errors`` too, which
            include the bias of the model class, as the audit estimated it.

        Raises
        ------
        NotFittedError
            With ``errors``, if the explainer was loaded from a file without them.
        TooLargeError
            If the tables from which errors are computed would take more than 100 MB.
        """
        asks_model = not is_closed_form(self.value_function)
        request = RowRequest(errors, outputs, hold_model(self), asks_model, self.n_jobs, marginal, self._fit_rows)
        return explain_rows(self._check_fitted(), X, request)

    def refine(
        self,
        X: Any,
        *,
        model: Any = None,
        value_function: Any = None,
        n_coalitions: int = 256,
        random_state: int | None = None,
    ) -> Explanation:
        """Unbiased estimates of the Shapley values of the value function itself, row by row, with standard errors.

        The model is called on sampled coalitions; the fitted tables serve as the control variate, and the estimates are
        unbiased whatever the fit. Errors fall as ``1 / sqrt(n_coalitions)``, and are rounding errors once ``n_coalitions``
        reaches ``2**n_features``. A row's values and base value sum to the game's full value exactly.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        model : estimator or callable, optional
            Default: the explainer's model, which a loaded explainer does not have.
        value_function : Conditional, Marginal, Baseline, or callable ``F(X, masks)``, optional
            Default: that of the explainer. The conditional game needs a distribution from which absent columns are drawn:
            ``Conditional("copula", rows)``, or a function of your own.
        n_coalitions : int
            Coalitions evaluated for each row, at least ``2 + 2 * (n_features // 2)``. A marginal game calls the model on
            so many hybrid rows for every background row, each with its own coalitions. With 0 the model is not called, and the
            values are corrected by what :meth:`learn_residual` has learnt.
        random_state : int, optional
            Seed of the coalitions; default: the explainer's, else 0.

        Returns
        -------
        Explanation
            ``standard_errors`` are those of the sampled coalitions; None for 0 coalitions.
        """
        from ..questions.learn_residual import explain_with_residual
        from ..questions.refine_rows import refine_rows

        fitted = self._check_fitted()
        if n_coalitions == 0:
            return explain_with_residual(fitted, X, self._residual, self.n_jobs)
        return refine_rows(fitted, X, self._choose_game(model, value_function, n_coalitions, random_state))

    def learn_residual(
        self,
        X: Any,
        regressor: Any,
        *,
        model: Any = None,
        value_function: Any = None,
        n_coalitions: int = 64,
        random_state: int | None = None,
    ) -> Explainer:
        """Fit a regressor to the errors of the tables' Shapley values, so that ``refine(X, n_coalitions=0)`` needs no model.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
            Rows that are refined to learn from; many rows with few coalitions each are better than few rows with many.
        regressor : scikit-learn regressor
            A copy is fitted on the columns as numbers (categories as codes, missing values as NaN). It is kept in memory;
            :meth:`save` does not store it.
        model, value_function, n_coalitions, random_state
            As in :meth:`refine`.

        Returns
        -------
        Explainer
            The explainer itself.
        """
        from ..questions.learn_residual import learn_residual

        game = self._choose_game(model, value_function, n_coalitions, random_state)
        self._residual = learn_residual(self._check_fitted(), X, game, regressor)
        return self

    def _choose_game(self, model: Any, value_function: Any, n_coalitions: int, random_state: int | None) -> RefinedGame:
        from ..questions.refine_rows import RefinedGame

        chosen = self.value_function if value_function is None else value_function
        seed = (self.random_state if random_state is None else random_state) or 0
        return RefinedGame(chosen, hold_model(self, model), self._fit_rows, n_coalitions, seed)

    def reasons(
        self,
        X: Any,
        n: int = 4,
        *,
        reference: Any,
        better: str = "high",
        model: Any = None,
        texts: Any = None,
        groups: Any = None,
        target: Any = None,
        stable: float = 0.8,
        error: float = 0.01,
        random_state: int | None = None,
    ) -> ReasonReport:
        """Reason codes: for each row, the features that cost it most against a stated reference.

        A regulator's reason may name only what the model reads. So whatever game this explainer is of, reasons are values of
        the marginal game over the reference rows, or of the baseline game of one row, computed from outputs of the model: a
        column that it does not read has exactly no value, however correlated it is with one that it reads.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        n : int
            The most reasons for a row.
        reference : table, one row, or "best"
            What rows are compared with: cases such as approved applicants (100 of them are used if there are more), one row, or
            for each feature the value, among those of 20 rows of the fit, of the best mean output.
        better : {"high", "low"}
            Which outputs are favourable: "low" if the output is, for example, the risk of default.
        model : estimator or callable, optional
            Default: the explainer's model, which a loaded explainer does not have.
        texts : dict, optional
            For a feature a text, or ``{"high": text, "low": text}`` for numbers above and below the reference's median.
        groups : dict of str to list of columns, optional
            Related columns that make one reason. Default: the groups of the explainer.
        target : str or int, optional
            Which of several outputs.
        stable : float
            A code is given if, in this share of 200 resamples of the reference, its feature has the same rank or a better one.
        error : float
            Largest standard error of a value, as a share of the spread of the outputs of X and the reference. Orders of the
            features are sampled until it is reached; sums of functions of one and two features need none.
        random_state : int, optional
            Seed of orders and resamples; default: the explainer's, else 0.

        Returns
        -------
        ReasonReport
            ``table`` of the codes with their texts, ``withheld`` those that are not stable, ``texts(row)``.

        Raises
        ------
        ValueError
            If there is no model, or an unknown feature has a text.
        TypeError
            For rows that are not of numpy, pandas or polars: they are mixed in their own container.
        """
        from ..questions.reasons import ReasonOptions, find_reasons

        seed = (self.random_state if random_state is None else random_state) or 0
        options = ReasonOptions(n, better, texts, groups, target, stable, error, seed)
        return find_reasons(self._check_fitted(), X, reference, hold_model(self, model), options, self._fit_rows)

    def shap_values(self, X: Any) -> NDArray[np.float64]:
        """Shapley values, shape (n_rows, n_features) or (n_rows, n_features, n_outputs).

        ``SHAP_i(x) = sum_{R ∋ i} h_R(x) / |R|`` over the presence sets (InstaSHAP, Eq. 13). A row's values and
        ``expected_value`` sum to ``predict``.
        """
        return compute_shap_values(self._check_fitted(), X, self.n_jobs)

    def index_values(self, X: Any, index: Any, *, structure: Any = None) -> NDArray[np.float64]:
        """Values of the features by an index of cooperative games, such as Banzhaf's; of the shape of :meth:`shap_values`.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        index : str or object
            "banzhaf": the mean contribution of a feature over all coalitions of the others, with equal weights; where three
            and more features interact, a row's values do not sum to its output. "shapley": as :meth:`shap_values`.
            "asymmetric": the mean contribution over the orders in which causes, or earlier times, come first. "owen": over
            the orders in which the features of a group follow each other. Or an object of your own with a method ``split``,
            which divides each component of the game among its features (:class:`instashap.game.credits.Index`).
        structure : list of lists of features, optional
            For "asymmetric" the groups in their order, the earliest first; features in no group may come anywhere. For "owen"
            the groups; features in no group are by themselves.
        """
        return compute_index_values(self._check_fitted(), X, index, structure, self.n_jobs)

    def interaction_values(self, X: Any, *, errors: bool = False) -> Any:
        """Value of each shape function on each row, shape (n_rows, n_terms) or (n_rows, n_terms, n_outputs).

        Columns are in the order of ``terms_``; a row's values and ``expected_value`` sum to ``predict``. With ``errors`` it
        returns a pair: the values, and their standard errors in an array of the same shape.
        """
        return compute_interaction_values(self._check_fitted(), X, errors, self.n_jobs)

    def mobius_values(self, X: Any, players: Any, *, errors: bool = False) -> Any:
        """Möbius coefficient of a set of features, on each row; shape (n_rows,) or (n_rows, n_outputs).

        It is the part of the game that is added once all of these features are known: ``Σ_{R ⊆ S} (-1)^{|S| - |R|} g(x; R)``.

        Parameters
        ----------
        players : iterable of str or int
            The set S: features by name, label or position. The coefficients are zero for a set without a part in the model, and
            the base value for the empty set.
        errors : bool
            Return a pair: the values, and their standard errors in an array of the same shape.
        """
        return compute_mobius_values(self._check_fitted(), X, players, errors, self.n_jobs)

    def predict(self, X: Any, *, masks: Any = None, errors: bool = False) -> Any:
        """Output of the additive model, shape (n_rows,) or (n_rows, n_outputs).

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        masks : bool array of shape (n_features,) or (n_rows, n_features), optional
            Which features are known (True), for all rows or row by row: the output is then the fit's estimate of
            ``E[f(X) | x_known]``, and depends on no other value of the row. Default: all are known. The columns of a frame are
            matched to the features by name, its rows to those of X by index.
        errors : bool
            Return a pair: the outputs, and their standard errors in an array of the same shape. All features must be known.
        """
        if masks is not None:
            return predict_masked(self._check_fitted(), X, masks, errors)
        return predict_outputs(self._check_fitted(), X, errors, self.n_jobs)

    def rank_terms(self, n_terms: int | None = None, *, presence: bool = False) -> pd.DataFrame:
        """Table of terms from the most to the least useful, with what the terms up to each one explain together.

        The ranking is greedy: the next term is the one that lowers the masked risk most, computed exactly at the chosen
        smoothness; a pair comes after its two columns. It needs the moments of the fit, in the process that fitted.

        Parameters
        ----------
        n_terms : int, optional
            Stop after about so many terms.
        presence : bool
            Rank each part of a term by itself. A term has one part for each presence set, the features that must be known for
            the part to count. Parts of larger presence sets come after the term's own.

        Returns
        -------
        DataFrame
            Index: number of terms so far. ``term``: name; ``columns``: positions; with ``presence``, ``known``: names of the
            features of the presence set, ``"*"`` for any other. ``gain``: decrease of the fit's criterion, as
            a share of the masked risk of the base value alone. ``variance_share``: increase of R² on the fitted rows, which is
            the Sobol index if columns are independent. ``masked_risk`` and ``r2``: cross-validated, for the model of this and
            all earlier terms; the first is a share of that of the base value alone (NaN if no rows can be held out).
            All are means over outputs.

        Raises
        ------
        NotFittedError
            If the explainer was loaded: the rows of the fit are not in the file.
        TooLargeError
            If the terms have more than 6 500 functions in all.
        """
        from ..questions.rank import tabulate_ranking

        return tabulate_ranking(self._check_fitted(), n_terms, presence)

    def importance(
        self,
        kind: str = "mean_abs",
        X: Any = None,
        y: Any = None,
        *,
        sample_weight: Any = None,
        pairs: bool = False,
        errors: bool = True,
    ) -> pd.DataFrame:
        """Table of how important each feature is over all rows, with standard errors; exact for the fitted game.

        Parameters
        ----------
        kind : {"mean_abs", "variance", "loss"}
            "mean_abs": mean absolute Shapley value. "variance": Shapley effects, the Shapley values of
            ``v(S) = Var E[f | x_S]`` (Owen 2014): they sum to the variance of the output that the fit explains. "loss": the
            Shapley values of how much known features lower the loss of predicting labels (SAGE; Covert and others 2020): the
            squared error, or the log-loss where log-odds are explained. Values below 0 belong to features that add noise.
        X : table of shape (n_rows, n_columns), optional
            Rows whose distribution counts. Default: those of the fit; "loss" needs rows that the model was not trained on.
        y : array of shape (n_rows,) or (n_rows, n_outputs), optional
            Labels of X, for "loss" only.
        sample_weight : array of shape (n_rows,), optional
            Of the rows of X, as in :meth:`fit`.
        pairs : bool
            Pairs of features instead, by the Shapley interaction index of the same game: above 0, two features explain more
            together than each by itself; below 0, one stands for the other.
        errors : bool
            Whether to estimate standard errors, which takes about as long as the fit at first.

        Returns
        -------
        DataFrame
            One row for each feature, the most important first, and ``(not explained)`` last: what is left of the output's
            variance, or of the loss. ``value``; ``standard_error`` (NaN if not known; ``attrs["errors"]`` says what it
            counts); ``low`` and ``high``, the ends of the 90 % interval; ``share`` of the whole; and with "variance" and
            "loss" the worth of a feature if it is the only one known (``alone``) and if it is the last one to be known
            (``last``): for independent columns and the variance these are the first-order and total Sobol indices, times the
            variance. With several outputs, one such table below the other.

        Raises
        ------
        ValueError
            For "loss" without rows and labels, or if the explained output is not on the scale of the labels.
        NotFittedError
            If X is not given and the rows of the fit are gone.
        TooLargeError
            If the fit has more than 8 000 presence sets.

        Examples
        --------
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(500, 2))
        >>> explainer = Explainer(order=1).fit(X, outputs=2 * X[:, 0] + X[:, 1])
        >>> explainer.importance("variance").index.tolist()
        ['x0', 'x1', '(not explained)']
        """
        from ..questions.overall import ImportanceRequest, tabulate_importance

        asked = ImportanceRequest(kind, X, y, sample_weight, pairs, errors)
        return tabulate_importance(self._check_fitted(), hold_model(self), asked)

    def check(self, X: Any, model: Any = None, *, outputs: Any = None) -> DriftReport:
        """Test of whether the model has changed since the fit; also for a loaded explainer.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
            Some hundred recent rows. If they begin with the first 500 rows of the fit (all, if it had fewer), outputs are
            compared one by one with the fitted ones. Otherwise the differences between model and explainer are tested: whether
            they are larger than on rows held out of the fit, and whether they depend on the features.
        model : estimator or callable, optional
            Default: the explainer's own, which a loaded one does not have.
        outputs : array of shape (n_rows,) or (n_rows, n_outputs), optional
            The model's predictions for X, on the scale of ``output_transform_``; the model is then not called. Columns with
            names are matched to the fitted outputs.

        Returns
        -------
        DriftReport
            ``has_moved``, ``p_value``, ``summary()``.

        Raises
        ------
        ValueError
            If there is no model, or every row lies outside the range of the fitted rows.
        NotFittedError
            If the explainer was pickled, or saved by an earlier version, or explains another game than the conditional one.
        """
        return check_model(self._check_fitted(), X, hold_model(self, model), outputs)

    def audit(
        self, X: Any = None, y: Any = None, *, model: Any = None, thresholds: Thresholds | None = None
    ) -> TrustReport:
        """Report of how much of the model the explanations account for, measured on held-out rows; also for a loaded explainer.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns), optional
            Rows the explainer was not fitted on. Default: the best-founded audit so far, which reports, services and the file
            show too; without one, an audit of the fit's own rows, each held out of the fit that predicts it. A report on at
            least 50 new rows, of the explainer's own model, takes the place of one on the fit's rows.
        y : array of shape (n_rows,) or (n_rows, n_outputs), optional
            Labels of X, or of the fit's rows.
        model : estimator or callable, optional
            Default: the explainer's own, which a loaded one does not have.
        thresholds : Thresholds, optional
            Limits of the figures for each verdict.

        Returns
        -------
        TrustReport
            With ``verdict``, ``table`` and ``summary()``; ``print`` shows it.

        Raises
        ------
        ValueError
            If X is given and there is no model.
        NotFittedError
            If the rows of the fit are needed and not in memory, or the game is not the conditional one.

        Notes
        -----
        ``verdict`` is about the explanations, ``quality`` about the model, if there are labels. The explanation of a model
        that is itself additive (an estimator of this package, an edited one, an EBM) sums to its prediction exactly
        (``is_exact``); the audit then compares its Shapley values with references.
        """
        from ..questions.audit import audit_explainer

        is_own = model is None or model is self.model
        return audit_explainer(self._check_fitted(), X, y, hold_model(self, model), thresholds, self._fit_rows, is_own)

    def purify(self, kind: str, X: Any, *, sample_weight: Any = None) -> Explainer:
        """An explainer with the same predictions and another decomposition into terms, hence other Shapley values.

        Parameters
        ----------
        kind : {"conditional", "stone-hooker", "product", "marginal"}
            "conditional": the fit itself, the parts of ``E[f | x_S]``. "stone-hooker": ``E[phi_T psi(x_R)] = 0`` for every R
            strictly inside T and every function psi at T's resolution, under the joint distribution of the rows. "product":
            the same, with the columns taken as independent. "marginal": the parts of ``E f(x_S, X_{-S})``, where rows of X
            replace absent columns. All four agree for independent columns.
        X : table of shape (n_rows, n_columns)
            Rows whose distribution defines the decomposition, usually those of the fit.
        sample_weight : array of shape (n_rows,), optional

        Returns
        -------
        Explainer
            ``terms_`` are the value sets and all their subsets, ``interaction_values`` their values; ``shap_values`` divides
            each among its features. Predictions are those of this explainer; it can be saved and plotted, and has no
            standard errors.
        """
        from ..questions.purify import purify_game

        fitted = self._check_fitted()
        purified = Explainer(**self.get_params())
        purified._fitted = purify_game(fitted, fitted.read(X), kind, align_rows(sample_weight, get_index(X), "sample_weight"))
        return purified

    def explain_to(self, path: str | os.PathLike[str], X: Any, *, keep: Any = ()) -> None:
        """Write Shapley values of rows that need not fit in memory to one Parquet file.

        Rows are read, explained and written part by part, with at most 1 GiB of memory. Finished parts are in the folder
        ``path + ".parts"``: the same call after an interruption continues from them. The file is created once all are finished.

        Parameters
        ----------
        path : str or path-like
        X : table or row source
            As in :meth:`fit`.
        keep : "all" or list of columns
            Columns of X to write beside the values, for example one that identifies the rows.

        Notes
        -----
        The columns are those to keep, ``base_value``, ``shap_`` and the name of each feature, and ``prediction``. With several
        outputs there is one of each for every output, with ``" · "`` and its name at the end. The numbers have the same bits
        as :meth:`shap_values` and :meth:`predict`. ``verbose=1`` shows rows per second and the time left.
        """
        from ..questions.explain_to import explain_to

        explain_to(self._check_fitted(), path, X, keep=keep, n_jobs=self.n_jobs, verbose=self.verbose)

    def accumulate(self, X: Any, outputs: Any = None, *, sample_weight: Any = None) -> Moments:
        """Moments: sums over new rows of products of this fit's functions and outputs; also for a loaded explainer.

        Moments of different rows can be added, and those of rows that were added subtracted; :meth:`refit` makes an explainer
        of them.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns), or row source
            As in :meth:`fit`. Columns are matched by name where both tables have names.
        outputs : array of shape (n_rows,) or (n_rows, n_outputs), optional
            The model's predictions, on the scale of ``output_transform_``, or names of columns of X; the model is then not
            called.
        sample_weight : array of shape (n_rows,), optional
            As in :meth:`fit`.

        Returns
        -------
        Moments

        Raises
        ------
        NotFittedError
            If the fit has no plan, because it was not a fit of the conditional game in closed form.
        """
        from ..questions.updating import sum_rows

        return sum_rows(self._check_fitted(), X, hold_model(self), outputs, sample_weight)

    def refit(self, moments: Moments) -> Explainer:
        """An explainer of the rows that were summed into moments, with the bases and terms of this fit; it needs no rows.

        Penalties are chosen anew by the held-out risk of the folds. This explainer does not change.

        Parameters
        ----------
        moments : Moments
            Moments of this explainer, or of a copy of it that was saved and loaded, for example
            ``explainer.moments_ + explainer.accumulate(X)``.

        Returns
        -------
        Explainer
            It has no standard errors and no audit of its own, which both need rows; ``audit(X)`` works on new rows.

        Raises
        ------
        ValueError
            If the moments belong to another fit, or all rows were subtracted.
        """
        from ..questions.updating import refit

        made = Explainer(**self.get_params())
        made._fitted, made.recipe = refit(self._check_fitted(), moments), self.recipe
        return made

    @property
    def moments_(self) -> Moments:
        """Moments of the rows of this fit, in the process that fitted: a saved explainer does not hold them."""
        from ..questions.updating import get_moments

        return get_moments(self._check_fitted())

    def ask(self, question: str, *given: Any, **options: Any) -> Any:
        """The answer to a question about the fitted game, by the name of the question.

        Parameters
        ----------
        question : str
            One of :data:`instashap._registries.QUESTIONS`: "index_values", "rank_terms", or one that was added.
        given, options
            Arguments of the question after the fitted game.
        """
        return QUESTIONS.find(question)(self._check_fitted(), *given, **options)

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the additive model to a file for other programs; the ending of the path selects the format.

        ``.onnx``, ``.sql`` (for DuckDB), ``.py`` and ``.js`` predict and explain rows without this package; functions of
        :mod:`instashap.export` write the same with options. ``.json`` holds columns, local bases, terms and tables as plain
        lists. docs/export.md explains all of them. Raises ``ValueError`` for an unknown ending and for a fit that the format
        cannot express, and ``OSError`` if the folder cannot be written.
        """
        EXPORTS.find(Path(path).suffix)(self._check_fitted(), path)

    def compile(self) -> CompiledExplainer:
        """A function from C-ordered float64 rows to Shapley values, with the least overhead: names are not checked."""
        return CompiledExplainer(self._check_fitted(), self.n_jobs)

    def save(self, path: str | os.PathLike[str], *, errors: bool | None = None) -> None:
        """Write the explainer to one file (``.insta``): tables and names, no code and no black box.

        Data for standard errors are written too if errors were computed before. ``errors=True`` computes them now, which may
        take longer than the fit; ``errors=False`` leaves them out. A loaded explainer has standard errors only if the file
        holds these data. Raises ``OSError`` if the folder cannot be written; an interrupted save leaves the old file or none.
        """
        from ..questions.save import save_fitted

        save_fitted(self._check_fitted(), path, errors=errors, output=self.output)

    def __getstate__(self) -> dict[str, Any]:
        """Raises ``PicklingError`` if the model, or another option, cannot be pickled; cloudpickle and copies need not care."""
        check_pickle({"model": self.model, "value_function": self.value_function, "fitter": self.fitter})
        state = self.__dict__.copy()
        if isinstance(self.value_function, str):  # rows of the fit stay in this process
            state.pop("_fit_rows", None)
        return state

    def _repr_html_(self) -> str:
        """What was fitted and which features matter most, for notebooks."""
        if self._fitted is None:
            return f"<pre>{escape(repr(self))}</pre>"
        model = "" if self.model is None else f" of {type(self.model).__name__}"
        steps = "<code>explainer(X)</code> explains rows, <code>explainer.audit(X)</code> judges the explanations"
        return render_game(self._fitted, f"Explainer{model}", steps)

    def __repr__(self) -> str:
        if self._fitted is None:
            return f"Explainer({type(self.model).__name__}, order={self.order}), not fitted"
        return f"Explainer of {summarise_game(self._fitted)}"
