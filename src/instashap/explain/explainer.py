"""The explainer: after one fit, every Shapley value is a table look-up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .._html import escape
from ..blackbox.named import is_closed_form
from ..fitted.explanation import Explanation
from ..fitted.game import FittedGame
from ..fitted.pickling import check_pickle
from ..questions.explain_rows import RowRequest, explain_rows
from .attributes import summarise_game
from .game_html import render_game
from .model_questions import ModelQuestions
from .options import hold_model

if TYPE_CHECKING:
    import pandas as pd

    from ..questions.updating import Moments


class Explainer(ModelQuestions):
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

        self._fitted, self._fit_rows = fit_rows(self, X, outputs, sample_weight)
        self._residual = None  # it belongs to the tables of the former fit
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
        from ..questions.purify import purify_rows

        return self._replace(purify_rows(self._check_fitted(), X, kind, sample_weight))

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

        return self._replace(refit(self._check_fitted(), moments))

    def _replace(self, fitted: FittedGame) -> Explainer:
        """An explainer of another game with the same model and options."""
        made = Explainer(**self.get_params())
        made._fitted, made.recipe = fitted, self.recipe
        return made

    @property
    def moments_(self) -> Moments:
        """Moments of the rows of this fit, in the process that fitted: a saved explainer does not hold them."""
        from ..questions.updating import get_moments

        return get_moments(self._check_fitted())

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
