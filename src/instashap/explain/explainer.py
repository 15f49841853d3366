"""The explainer: fit once, then every Shapley value is a table look-up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .._alignment import align_rows, get_index
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
from .options import ExplainerOptions, hold_model

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..questions.learn_residual import LearntResidual
    from ..questions.refine_rows import RefinedGame
    from ..questions.updating import Moments
    from ..trust.report import TrustReport
    from ..trust.thresholds import Thresholds


class Explainer(ExplainerOptions, FittedAttributes):
    """Instant Shapley values of a black box, for the conditional game.

    ``fit`` matches the model once by a masked additive model ``g(x; S)`` (InstaSHAP, Eq. 20, in closed form); afterwards
    Shapley values, interactions and shape functions are look-ups.

    Parameters
    ----------
    model : estimator, callable or None
        Anything with ``predict_proba``, ``decision_function`` or ``predict``, a native booster of XGBoost or LightGBM, a
        torch module, a Keras model, or a function of the rows. It is asked once about the rows of ``fit``, in their own
        container and types. None if ``fit`` is given ``outputs``.
    order : int
        The most columns a shape function reads, 1 to 3; 2 means pairs. A table of fewer columns has terms of all of them.
    presence_order : int or "auto"
        The most features whose joint presence may matter. "auto" tries up to 4 (above 50 features 3; above 10 most sets are
        tied: any others count alike) and keeps what lowers the held-out risk; equal to ``order`` it is the paper's model.
    interactions : "auto", "all", int, or list of column tuples
        Which terms of two and more columns to offer: the screened best, all, so many, or these. 0: main effects only.
    output : {"auto", "raw", "probability"}
        Scale of a classifier's explanation: log-odds ("auto", "raw") or probability.
    value_function : "conditional", Conditional, Marginal, Baseline, another name, or callable
        What an absent feature means: its distribution given the present ones (:class:`instashap.Conditional` names one that
        :meth:`refine` can draw from); background rows
        (:class:`instashap.Marginal`); one row (:class:`instashap.Baseline`); or your own ``F(X, masks)``, given rows in
        their own container and masks of shape (n_rows, n_features), True = present. The last three call the model on rows
        that are not in X.
    fitter : "closed-form", "neural", or callable
        How value functions come about: splines and levels, chosen and weighed in closed form; or nets (extra ``neural``). What
        makes a fitter, for example ``partial(instashap.neural.NeuralFitter, plan=...)``, sets a fitter's own options.
    groups : dict of str to list of columns, or "auto"
        Here and below columns are given by name, by the table's own label, or by position; where labels are numbers, a number
        is a label. These columns act as one feature (one player), for example the parts of a one-hot block. "auto" finds such
        blocks.
    categorical : "auto" or list of columns
        Columns to treat as categories besides text and categorical dtypes.
    bases : dict of column to str or basis, optional
        What the closed form makes of number columns: "spline", "levels", "codes", or "periodic" for hours and months
        (:class:`instashap.Periodic` if their period is not the range of whole numbers). Default: the data choose.
    full_weight : float
        Mass of the full coalition beside the interior sizes' total of 1. More weight favours the prediction over the
        attribution where the terms cannot serve both.
    synthetic_rows : "auto" or int
        The most rows that are not in X to ask the model about, for the conditional game in closed form. They are drawn from a
        distribution that is estimated from X, and each column has values that it has in X. They count as much as lowers the
        risk on rows held out of the fit, or not at all. "auto": 18 432, fewer of a model that takes longer than 10 s for them,
        none where X has more than 50 000 rows. 0: the model is asked about the rows of X alone.
    batch_rows : int
        The most rows the model is asked about at once; fewer need less memory.
    plan_rows : int
        Of a longer table, columns, terms and strengths are learnt from a sample of so many rows, and the others enter by sums
        over them in one pass. The sample are the rows of the smallest hashes, whatever the order of the rows.
    n_jobs : int, optional
        Threads for explaining; default every core. The answer has the same bits for any number.
    random_state : int, optional
        Seeds fitters that draw; the closed form draws nothing.
    verbose : int
        1 shows progress and the time left, of asking the model and of the fit: a bar in a terminal, elsewhere a line a stage.

    Attributes
    ----------
    terms_ : list of tuple of int
        Value sets: the columns each shape function reads.
    presence_terms_ : list of tuple of int
        Presence sets: the players whose joint presence has a part of its own.
    feature_names_ : tuple of str
        Players.
    feature_names_in_ : ndarray of str
        Columns.
    output_names_ : tuple of str
    n_features_in_ : int
    output_transform_ : str
        What is explained, on which scale, and any clipping.
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
    _fit_rows: Any = None  # what a value function without rows of its own, and audits, estimate distributions from

    def fit(self, X: Any, *, outputs: Any = None, sample_weight: Any = None) -> Explainer:
        """Match the model on rows.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns), or row source
            Rows that the model was not trained on, where there are some hundred of them; else its training rows. No labels.
            A row source need not fit in memory: the path of a Parquet file, of a folder, or a pattern; a
            ``pyarrow.dataset.Dataset``, a polars ``LazyFrame``, a DuckDB relation, or a function without arguments that
            returns a fresh iterator of DataFrames or record batches. The model gets its rows as pandas DataFrames.
        outputs : array of shape (n_rows,) or (n_rows, n_outputs), or names of columns of X, optional
            Predictions already made; the model is not called, and may be None. Of pandas objects, here and in what a model
            gives, rows are matched by index: another order is put right, another index is refused.
        sample_weight : array of shape (n_rows,), or name of a column of X, optional
            Whole numbers are counts: a row of weight w is w equal rows. Other weights say how much each row matters; their unit
            means nothing, and they sum to the effective number of rows ``(sum w)² / sum w²``. Rows of weight 0 are dropped.

        Returns
        -------
        Explainer
            Itself.

        Raises
        ------
        ValueError
            For bad values in the table, weights or options; the message names the column and what to do.
        ModelOutputError
            If the model fails or gives unusable outputs.
        """
        from .fit_rows import fit_rows
        from .fitting import keep_rows

        self._fitted, rows = fit_rows(self, X, outputs, sample_weight)
        rows = keep_rows(rows, sample_weight) if rows is X else rows
        self._fit_rows = rows if isinstance(self.value_function, (str, Conditional)) else None
        return self

    def __call__(self, X: Any, *, errors: bool = False, outputs: Any = None) -> Explanation:
        """Explain rows.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
            Columns are matched by name where both tables have names.
        errors : bool
            Give standard errors of the values too (``Explanation.standard_errors``): how far the values would move had other
            rows been drawn for the fit, at the chosen terms and smoothness. A jackknife over 20 groups of rows; the first
            call after ``fit`` solves for it, about as long as the fit took.
        outputs : array of shape (n_rows,) or (n_rows, n_outputs), or True, optional
            The model's own outputs of these rows, on the scale of ``output_transform_``; True asks the model that the explainer
            holds. The explanation then has ``model_outputs`` and the ``remainder`` that its values leave.

        Returns
        -------
        Explanation
            Rows outside the fitted ones are named (``outside``, ``new_pairs``), with one warning if they are many or far.
            Each row has an ``output_share``, the share of its output that the values reproduce, and an
            ``output_share_interval``. The first call after ``fit`` learns how large residuals are where: a small fit to the
            rows held out. With ``errors``, and after :meth:`audit`, it has ``total_errors`` too, which count the bias of the
            model class as the audit estimated it.

        Raises
        ------
        NotFittedError
            If ``errors`` are asked of an explainer loaded from a file without them.
        TooLargeError
            If the tables behind the errors would take more than 100 MB.
        """
        request = RowRequest(errors, outputs, hold_model(self), not is_closed_form(self.value_function), self.n_jobs)
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
        """Shapley values of the stated game itself, row by row, with standard errors; the tables are the control variate.

        Unbiased for the value function, whatever the tables hold. Errors fall as ``1 / sqrt(n_coalitions)``, and are rounding
        once ``n_coalitions`` reaches ``2**n_features``; a row's values and base value sum to the game's full value exactly.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        model : estimator or callable, optional
            The black box; default that of the explainer. A loaded explainer has none.
        value_function : Conditional, Marginal, Baseline, or callable ``F(X, masks)``, optional
            Default that of the explainer. The conditional game needs a distribution to draw absent columns from:
            ``Conditional("copula", rows)``, or a function of your own.
        n_coalitions : int
            Coalitions asked about for each row, at least ``2 + 2 * (n_features // 2)``. A marginal game calls the model on
            so many hybrid rows for every background row, each with coalitions of its own. 0 calls nothing and adds what
            :meth:`learn_residual` has learnt.
        random_state : int, optional
            Seed of the coalitions; default the explainer's, else 0.

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
        """Refine rows once and learn what the tables missed; ``refine(X, n_coalitions=0)`` then needs no model.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
            Rows to refine and learn from; many rows with few coalitions each are worth more than few exact ones.
        regressor : scikit-learn regressor
            A copy is fitted on the columns as numbers (categories as codes, missing values as NaN). It is kept in memory:
            :meth:`save` leaves it out.
        model, value_function, n_coalitions, random_state
            As in :meth:`refine`.

        Returns
        -------
        Explainer
            Itself.
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

    def shap_values(self, X: Any) -> NDArray[np.float64]:
        """Shapley values, shape (n_rows, n_features) or (n_rows, n_features, n_outputs).

        ``SHAP_i(x) = sum_{R ∋ i} h_R(x) / |R|`` over the presence sets (InstaSHAP, Eq. 13). A row's values and
        ``expected_value`` sum to ``predict``.
        """
        return compute_shap_values(self._check_fitted(), X, self.n_jobs)

    def index_values(self, X: Any, index: Any) -> NDArray[np.float64]:
        """Credits of the features by an index that may be another than Shapley's; of the shape of :meth:`shap_values`.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        index : str or object
            "banzhaf": the mean contribution of a feature over all coalitions of the others, each counting alike; where three
            features and more act together, a row's values do not sum to its output. "shapley": as :meth:`shap_values`. Or
            a rule of your own with a method ``split``, which shares out each component of the game
            (:class:`instashap.game.credits.Index`).
        """
        return compute_index_values(self._check_fitted(), X, index, self.n_jobs)

    def interaction_values(self, X: Any, *, errors: bool = False) -> Any:
        """Value of each shape function on each row, shape (n_rows, n_terms) or (n_rows, n_terms, n_outputs).

        Columns are in the order of ``terms_``; a row's values and ``expected_value`` sum to ``predict``. With ``errors``
        a pair: the values, and their standard errors in an array alike.
        """
        return compute_interaction_values(self._check_fitted(), X, errors, self.n_jobs)

    def mobius_values(self, X: Any, players: Any, *, errors: bool = False) -> Any:
        """What knowing all of some features adds to what their subsets explain; shape (n_rows,) or (n_rows, n_outputs).

        Parameters
        ----------
        players : iterable of str or int
            Features by name, label or position. A set without a part in the model gives zeros; the empty set the base value.
        errors : bool
            Return a pair: the values, and their standard errors in an array alike.
        """
        return compute_mobius_values(self._check_fitted(), X, players, errors, self.n_jobs)

    def predict(self, X: Any, *, masks: Any = None, errors: bool = False) -> Any:
        """Output of the additive model, shape (n_rows,) or (n_rows, n_outputs).

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        masks : bool array of shape (n_features,) or (n_rows, n_features), optional
            Which features are known (True), for all rows or row by row: the output is then the fit's estimate of
            ``E[f(X) | x_known]``, and depends on no other value of the row. Default: all are known.
        errors : bool
            Return a pair: the outputs, and their standard errors in an array alike; for all features known.
        """
        if masks is not None:
            return predict_masked(self._check_fitted(), X, masks, errors)
        return predict_outputs(self._check_fitted(), X, errors, self.n_jobs)

    def rank_terms(self, n_terms: int | None = None, *, presence: bool = False) -> pd.DataFrame:
        """Terms from the most to the least useful, each given those before it, and what the first so many of them explain.

        Greedy: the next term is the one whose addition lowers the masked risk most, exactly, at the chosen smoothness; a pair
        comes after its two columns. Computed from moments when called, right after ``fit``.

        Parameters
        ----------
        n_terms : int, optional
            Stop after about so many.
        presence : bool
            Rank the parts of terms one by one, a part for each set of features that must be known: which others change what
            a term explains. A part under a larger set comes after the term's own.

        Returns
        -------
        DataFrame
            Index: number of terms so far. ``term``: name; ``columns``: positions; with ``presence``, ``known``: names of the
            features of the presence set, ``"*"`` for any other. ``gain``: drop of the fit's criterion, as
            a share of the masked risk of the base value alone. ``variance_share``: rise of R² on the fitted rows; with
            independent columns the Sobol index. ``masked_risk`` and ``r2``: cross-validated, of the model of this and all
            earlier terms, the first as a share of that of the base value alone (NaN if nothing can be held out).
            Means over outputs.

        Raises
        ------
        NotFittedError
            If the explainer was loaded: the rows of the fit are not in the file.
        TooLargeError
            If the terms have more than 6 500 functions.
        """
        from ..questions.rank import tabulate_ranking

        return tabulate_ranking(self._check_fitted(), n_terms, presence)

    def check(self, X: Any, model: Any = None, *, outputs: Any = None) -> DriftReport:
        """Whether the model has moved away from what was fitted; also for a loaded explainer.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
            Recent rows; some hundred. If they begin with the first 500 rows of the fit (all, if it had fewer), outputs are
            compared one by one with the fitted ones. Otherwise the differences between model and explainer are tested: are
            they larger than on rows held out of the fit, or do they follow the features?
        model : estimator or callable, optional
            Default: the explainer's own, which a loaded one does not have.
        outputs : array of shape (n_rows,) or (n_rows, n_outputs), optional
            The model's predictions for X, already made, on the scale of ``output_transform_``; columns with names are matched
            to the fitted outputs.

        Returns
        -------
        DriftReport
            ``has_moved``, ``p_value``, ``summary()``.

        Raises
        ------
        ValueError
            If there is no model, or every row lies outside what was fitted.
        NotFittedError
            If the explainer was pickled, or saved by an earlier version, or explains another game than the conditional one.
        """
        return check_model(self._check_fitted(), X, hold_model(self, model), outputs)

    def audit(
        self, X: Any = None, y: Any = None, *, model: Any = None, thresholds: Thresholds | None = None
    ) -> TrustReport:
        """How far these explanations may be believed; also of a loaded explainer.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns), optional
            Rows the explainer was not fitted on. Default: the fit's own rows, each held out of the fit that predicts it; a
            loaded explainer gives what was found when it was saved.
        y : array of shape (n_rows,) or (n_rows, n_outputs), optional
            Labels of X, or of the fit's rows.
        model : estimator or callable, optional
            Default: the explainer's own, which a loaded one does not have.
        thresholds : Thresholds, optional
            What counts as safe.

        Returns
        -------
        TrustReport
            ``verdict``, ``table``, ``summary()``; print it.

        Raises
        ------
        ValueError
            If X is given and there is no model.
        NotFittedError
            If the rows of the fit are needed and gone, or of another game than the conditional one.
        """
        from ..questions.audit import audit_explainer

        return audit_explainer(self._check_fitted(), X, y, hold_model(self, model), thresholds, self._fit_rows)

    def purify(self, kind: str, X: Any, *, sample_weight: Any = None) -> Explainer:
        """The same predictions by other terms: an explainer of another decomposition, its Shapley values among them.

        Parameters
        ----------
        kind : {"conditional", "stone-hooker", "product", "marginal"}
            "conditional": the fit itself, the parts of ``E[f | x_S]``. "stone-hooker": ``E[phi_T psi(x_R)] = 0`` for every R
            strictly inside T and every function psi at T's resolution, under the joint distribution of the rows. "product":
            the same with the columns taken as independent. "marginal": the parts of ``E f(x_S, X_{-S})``, rows of X standing
            in. They agree for independent columns.
        X : table of shape (n_rows, n_columns)
            Rows whose distribution is meant, most simply those of the fit.
        sample_weight : array of shape (n_rows,), optional

        Returns
        -------
        Explainer
            ``terms_`` are the value sets and all their subsets, ``interaction_values`` their values; ``shap_values`` shares
            each among its features. It predicts what this one predicts, saves and plots; it has no standard errors.
        """
        from ..questions.purify import purify_game

        fitted = self._check_fitted()
        purified = Explainer(**self.get_params())
        purified._fitted = purify_game(fitted, fitted.read(X), kind, align_rows(sample_weight, get_index(X), "sample_weight"))
        return purified

    def explain_to(self, path: str | os.PathLike[str], X: Any, *, keep: Any = ()) -> None:
        """Write Shapley values of rows that need not fit in memory to one Parquet file.

        Rows are read, explained and written part by part, with at most 1 GiB of memory. Finished parts lie in the folder
        ``path + ".parts"``: the same call after an interruption continues from them. The file appears when it is whole.

        Parameters
        ----------
        path : str or path-like
        X : table or row source
            As in :meth:`fit`.
        keep : "all" or list of columns
            Columns of X to write beside the values, for example one that names the rows.

        Notes
        -----
        Columns: those to keep, ``base_value``, ``shap_`` and the name of each feature, and ``prediction``; where there are
        several outputs, one of each for every output, ``" · "`` and its name at the end. The numbers have the bits of
        :meth:`shap_values` and :meth:`predict`. ``verbose=1`` shows rows per second and the time left.
        """
        from ..questions.explain_to import explain_to

        explain_to(self._check_fitted(), path, X, keep=keep, n_jobs=self.n_jobs, verbose=self.verbose)

    def accumulate(self, X: Any, outputs: Any = None, *, sample_weight: Any = None) -> Moments:
        """Sums over new rows, at the columns and terms of this fit; also of a loaded explainer.

        Moments of different rows add, and rows that were added can be subtracted; :meth:`refit` makes an explainer of them.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns), or row source
            As in :meth:`fit`. Columns are matched by name where both tables have names.
        outputs : array of shape (n_rows,) or (n_rows, n_outputs), optional
            Predictions already made, on the scale of ``output_transform_``, or names of columns; the model is not called.
        sample_weight : array of shape (n_rows,), optional
            As in :meth:`fit`.

        Returns
        -------
        Moments

        Raises
        ------
        NotFittedError
            If the fit has no plan: it was not one of the conditional game in closed form.
        """
        from ..questions.updating import sum_rows

        return sum_rows(self._check_fitted(), X, hold_model(self), outputs, sample_weight)

    def refit(self, moments: Moments) -> Explainer:
        """An explainer of the rows behind some moments, at the columns and terms of this fit; no rows are needed.

        Strengths are chosen anew by the held-out risk of the folds. This explainer stays as it is.

        Parameters
        ----------
        moments : Moments
            Of this explainer, or of a copy of it that was saved and loaded: ``explainer.moments_ + explainer.accumulate(X)``.

        Returns
        -------
        Explainer
            It has no standard errors and no audit of its own: both need rows; ``audit(X)`` works on new ones.

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
        """Moments of the rows of this fit; in the process that fitted: a saved explainer holds the plan, but no sums."""
        from ..questions.updating import get_moments

        return get_moments(self._check_fitted())

    def ask(self, question: str, *given: Any, **options: Any) -> Any:
        """The answer to a question about the fitted game, by the name of the question.

        Parameters
        ----------
        question : str
            One of :data:`instashap._registries.QUESTIONS`: "index_values", "rank_terms", or one that was added.
        given, options
            What the question takes after the fitted game.
        """
        return QUESTIONS.find(question)(self._check_fitted(), *given, **options)

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write what scores a row for other programs; the ending of the path says in which form.

        ``.json``: columns, local bases, terms and tables as plain lists, which docs/export.md explains. Raises ``ValueError``
        for an ending that no export has, and ``OSError`` if the folder cannot be written.
        """
        EXPORTS.find(Path(path).suffix)(self._check_fitted(), path)

    def compile(self) -> CompiledExplainer:
        """The fastest way to explain: C-ordered float64 rows in, values out, no checks of names."""
        return CompiledExplainer(self._check_fitted(), self.n_jobs)

    def save(self, path: str | os.PathLike[str], *, errors: bool | None = None) -> None:
        """Write the explainer to one file (``.insta``): tables and names, no code and no black box.

        What standard errors need is written too if they were asked for before. ``errors=True`` computes it now, which may take
        longer than the fit; ``errors=False`` leaves it out. A loaded explainer has standard errors only if its file has. Raises
        ``OSError`` if the folder cannot be written; an interrupted save leaves the old file or none.
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

    def __repr__(self) -> str:
        if self._fitted is None:
            return f"Explainer({type(self.model).__name__}, order={self.order}), not fitted"
        return f"Explainer of {summarise_game(self._fitted)}"
