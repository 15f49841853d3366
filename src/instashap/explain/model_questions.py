"""Questions that set a fitted game beside its model: the outputs of new rows, of coalitions, and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ..questions.check import DriftReport, check_model
from .look_ups import LookUps
from .options import choose_seed, hold_model

if TYPE_CHECKING:
    import pandas as pd

    from ..fitted.explanation import Explanation
    from ..questions.learn_residual import LearntResidual
    from ..questions.reasons import ReasonReport
    from ..questions.refine_rows import RefinedGame
    from ..questions.updating import Moments
    from ..trust.report import TrustReport
    from ..trust.thresholds import Thresholds


class ModelQuestions(LookUps):
    """Questions that ask the model: the explainer's own or, for one that was loaded and has none, the one that is passed."""

    _residual: LearntResidual | None = None  # what learn_residual has learnt
    _fit_rows: Any = None  # rows from which audits, and value functions without rows of their own, estimate distributions

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
        from ..questions.learn_residual import explain_refined

        game = self._choose_game(model, value_function, n_coalitions, random_state)
        return explain_refined(self._check_fitted(), X, game, self._residual, self.n_jobs)

    def learn_residual(
        self,
        X: Any,
        regressor: Any,
        *,
        model: Any = None,
        value_function: Any = None,
        n_coalitions: int = 64,
        random_state: int | None = None,
    ) -> Self:
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
        seed = choose_seed(self, random_state)
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
            For rows that are not of numpy, pandas, polars or pyarrow: they are mixed in their own container.
        """
        from ..questions.reasons import ReasonOptions, find_reasons

        options = ReasonOptions(n, better, texts, groups, target, stable, error, choose_seed(self, random_state))
        return find_reasons(self._check_fitted(), X, reference, hold_model(self, model), options, self._fit_rows)

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
        >>> from instashap import Explainer
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
