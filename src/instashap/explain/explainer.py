"""The explainer: fit once, then every Shapley value is a table look-up."""

from __future__ import annotations

import os
from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._alignment import align_rows, get_index
from .._errors import NotFittedError
from .._progress import show_progress
from .._validation import check_choice, check_outputs, check_weights, find_column
from ..blackbox.conditional import Conditional
from ..fitted.explanation import Explanation, format_value
from ..fitted.file import load_fitted
from ..fitted.game import FittedGame, follow_recipe
from ..fitted.pickling import check_pickle
from ..game.terms import spell_out
from ..questions.answers import get_errors, get_residuals
from ..questions.check import DriftReport, check_drift
from ..questions.outside import name_outside, place_rows, warn_outside
from ..table.columns import Table, read_table
from ..table.reach import Place
from ..trust.rows import compute_row_trust, find_strangeness

if TYPE_CHECKING:
    import pandas as pd

    from ..blackbox import Answer, BlackBox
    from ..questions.learn_residual import LearntResidual
    from ..questions.refine import Refined
    from ..table.recipe import Recipe
    from ..trust.report import TrustReport
    from ..trust.thresholds import Thresholds


class Explainer:
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
    value_function : "conditional", Conditional, Marginal, Baseline, or callable
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
    full_weight : float
        Mass of the full coalition beside the interior sizes' total of 1. More weight favours the prediction over the
        attribution where the terms cannot serve both.
    batch_rows : int
        The most rows the model is asked about at once; fewer need less memory.
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

    _recipe: Recipe | None = None  # how the command line reads text; saved with the fit

    def __init__(
        self,
        model: Any = None,
        *,
        order: int = 2,
        presence_order: int | str = "auto",
        interactions: Any = "auto",
        output: str = "auto",
        value_function: Any = "conditional",
        fitter: Any = "closed-form",
        groups: Any = None,
        categorical: Any = "auto",
        full_weight: float = 1.0,
        batch_rows: int = 8192,
        n_jobs: int | None = None,
        random_state: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.order = order
        self.presence_order = presence_order
        self.interactions = interactions
        self.output = output
        self.value_function = value_function
        self.fitter = fitter
        self.groups = groups
        self.categorical = categorical
        self.full_weight = full_weight
        self.batch_rows = batch_rows
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The options, by name; ``sklearn.base.clone`` makes an unfitted copy of them."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def set_params(self, **options: Any) -> Explainer:
        """Change options; returns the explainer itself. Raises ``ValueError`` for a name that is none."""
        for name, value in options.items():
            check_choice(name, tuple(self.get_params()), "option")
            setattr(self, name, value)
        return self

    def fit(self, X: Any, *, outputs: Any = None, sample_weight: Any = None) -> Explainer:
        """Match the model on rows.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
            Rows that the model was not trained on, where there are some hundred of them; else its training rows. No labels.
        outputs : array of shape (n_rows,) or (n_rows, n_outputs), optional
            Predictions already made; the model is not called, and may be None. Of pandas objects, here and in what a model
            gives, rows are matched by index: another order is put right, another index is refused.
        sample_weight : array of shape (n_rows,), optional
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
        from ..fits.asked import fit_value_function
        from ..fits.conditional import FitOptions, fit_game

        recipe = self._recipe
        table = read_table(follow_recipe(recipe, X), categorical=self.categorical)
        weights = check_weights(align_rows(sample_weight, get_index(X), "sample_weight"), table.n_rows)
        options = FitOptions(
            self.order, self.presence_order, self.interactions, self.fitter, self._get_groups(table), self.full_weight
        )
        if isinstance(self.value_function, (str, Conditional)):
            if isinstance(self.value_function, str):
                check_choice(self.value_function, ("conditional",), "value_function")
            self._fit_rows = X if isinstance(self.value_function, Conditional) else None
            answer = self._get_outputs(X, outputs, table.n_rows)
            named: Any = {"output_names": answer.output_names, "output_transform": answer.box.description}
            with show_progress(self.verbose) as progress:
                fitted = fit_game(table, answer.values, weights, options, **named, progress=progress)
            self._fitted = fitted if recipe is None else replace(fitted, recipe=recipe)
            return self._keep_scale(answer.box)
        if outputs is not None:
            raise ValueError(
                "outputs= serve the conditional game only: other games need values of rows that are not in X; "
                "pass a model, or a value_function F(X, masks)"
            )
        asked: list[BlackBox] = []

        def make_box() -> BlackBox:
            asked.append(self._wrap_model().prepare(X, table.n_rows))
            return asked[0]

        with show_progress(self.verbose) as progress:
            self._fitted = fit_value_function(
                X, table, self.value_function, make_box, weights, options, seed=self.random_state, progress=progress
            )
        return self._keep_scale(*asked)

    def _keep_scale(self, box: BlackBox | None = None) -> Explainer:
        """Remember what the log-odds of the fitted rows were cut at, for later rows."""
        from ..blackbox.classes import warn_of_cut

        if box is not None and box.scale is not None:
            self._check_fitted().facts["scale"] = box.scale
            warn_of_cut(box)
        return self

    def _get_outputs(self, X: Any, outputs: Any, n_rows: int, box: BlackBox | None = None) -> Answer:
        if outputs is not None:
            return _take_outputs(align_rows(outputs, get_index(X), "outputs"), n_rows)
        with show_progress(self.verbose) as progress:
            return (self._wrap_model() if box is None else box).ask(X, n_rows, progress)

    def _wrap_model(self, model: Any = None) -> BlackBox:
        model = self.model if model is None else model
        if model is None:
            raise ValueError("there is nothing to explain: pass a model, or its predictions for these rows as outputs=...")
        return _wrap(model, self.output, self.batch_rows)

    def _get_groups(self, table: Table) -> Any:
        if isinstance(self.groups, str):
            from ..table.groups import find_one_hot_groups

            check_choice(self.groups, ("auto",), "groups")
            return find_one_hot_groups(table)
        return self.groups

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
            Each row has a ``trust``, how much of its output the values carry, and a ``trust_interval``. The first call after
            ``fit`` learns how large residuals are where: a small fit to the rows held out.

        Raises
        ------
        NotFittedError
            If ``errors`` are asked of an explainer loaded from a file without them.
        TooLargeError
            If the tables behind the errors would take more than 100 MB.
        """
        fitted = self._check_fitted()
        table = fitted.read(X)
        values = fitted.compute_shapley_values(table, self.n_jobs)
        spread = fitted.look_up(get_errors(fitted).credits, table, self.n_jobs) if errors else None
        base = np.tile(fitted.model.base_value, (table.n_rows, 1))
        place = place_rows(fitted, table)
        trust, interval = _compute_trust(fitted, table, values, place)
        explanation = replace(_make_explanation(fitted, table, values, base), trust=trust, trust_interval=interval)
        if place is not None:
            warn_outside(place, fitted.schema.names, trust is not None, not isinstance(self.value_function, str))
            outside, pairs = name_outside(place, fitted.schema.names)
            explanation = replace(explanation, outside=outside, new_pairs=pairs)
        if outputs is not None:
            own = self._read_outputs(X, None if outputs is True else outputs, table.n_rows)
            explanation = explanation.add_outputs(_squeeze(own))
        return explanation if spread is None else replace(explanation, standard_errors=_squeeze(spread))

    def _read_outputs(self, X: Any, outputs: Any, n_rows: int, model: Any = None) -> NDArray[np.float64]:
        """Outputs of a model for some rows, given or asked, matched to the fitted ones; shape (n_rows, n_outputs)."""
        from ..blackbox.adapters.families import order_columns

        fitted = self._check_fitted()
        outputs = order_columns(outputs, fitted.output_names)
        box = self._wrap_model(model).restore(fitted.scale) if outputs is None else None
        found = self._get_outputs(X, outputs, n_rows, box).values
        fitted.check_n_outputs(found)
        return found

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
        fitted = self._check_fitted()
        table = fitted.read(X)
        if n_coalitions == 0:
            return self._explain_with_residual(fitted, table)
        refined = self._refine(X, table, model, value_function, n_coalitions, random_state)
        explanation = _make_explanation(fitted, table, refined.values, np.tile(refined.base_value, (table.n_rows, 1)))
        errors = _squeeze(refined.standard_errors)
        return replace(explanation, standard_errors=errors, game=refined.game, output_transform=refined.output_transform)

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
            Rows to refine and learn from; many rows with few coalitions each teach more than few exact ones.
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

        fitted = self._check_fitted()
        table = fitted.read(X)
        refined = self._refine(X, table, model, value_function, n_coalitions, random_state)
        self._residual = learn_residual(fitted, table, refined, regressor)
        return self

    def _refine(
        self, X: Any, table: Table, model: Any, value_function: Any, n_coalitions: int, random_state: int | None
    ) -> Refined:
        from ..fits.asked import bind_game, check_can_ask, describe_game
        from ..questions.refine import refine_values

        fitted = self._check_fitted()
        chosen = self.value_function if value_function is None else value_function
        black_box = self.model if model is None else model
        if isinstance(chosen, Conditional):
            chosen = chosen.with_rows(getattr(self, "_fit_rows", None))
        check_can_ask(chosen, fitted.game)

        def make_box() -> BlackBox:
            box = _wrap(black_box, self.output, self.batch_rows)
            return box.restore(fitted.scale).prepare(X, table.n_rows)

        game = bind_game(chosen, make_box, X, table.n_rows, fitted.schema, fitted.players)
        seed = self.random_state if random_state is None else random_state
        return refine_values(fitted, table, game, describe_game(chosen), n_coalitions, np.random.default_rng(seed or 0))

    def _explain_with_residual(self, fitted: FittedGame, table: Table) -> Explanation:
        residual: LearntResidual | None = getattr(self, "_residual", None)
        if residual is None:
            raise ValueError("n_coalitions=0 adds a learnt residual, and there is none: call learn_residual first")
        values = fitted.compute_shapley_values(table, self.n_jobs) + residual.predict(fitted, table)
        explanation = _make_explanation(fitted, table, values, np.tile(residual.base_value, (table.n_rows, 1)))
        return replace(explanation, game=residual.game, output_transform=residual.output_transform)

    def shap_values(self, X: Any) -> NDArray[np.float64]:
        """Shapley values, shape (n_rows, n_features) or (n_rows, n_features, n_outputs).

        ``SHAP_i(x) = sum_{R ∋ i} h_R(x) / |R|`` over the presence sets (InstaSHAP, Eq. 13). A row's values and
        ``expected_value`` sum to ``predict``.
        """
        fitted = self._check_fitted()
        return _squeeze(fitted.compute_shapley_values(fitted.read(X), self.n_jobs))

    def interaction_values(self, X: Any, *, errors: bool = False) -> Any:
        """Value of each shape function on each row, shape (n_rows, n_terms) or (n_rows, n_terms, n_outputs).

        Columns are in the order of ``terms_``; a row's values and ``expected_value`` sum to ``predict``. With ``errors``
        a pair: the values, and their standard errors in an array alike.
        """
        fitted = self._check_fitted()
        table = fitted.read(X)
        values = _squeeze(fitted.compute_effects(table, self.n_jobs))
        if not errors:
            return values
        spread = fitted.look_up(get_errors(fitted).effects, table, self.n_jobs)
        return values, _squeeze(spread[:, : len(fitted.model.value_sets)])

    def mobius_values(self, X: Any, players: Any, *, errors: bool = False) -> Any:
        """What knowing all of some features adds to what their subsets tell; shape (n_rows,) or (n_rows, n_outputs).

        Parameters
        ----------
        players : iterable of str or int
            Features by name, label or position. A set without a part in the model gives zeros; the empty set the base value.
        errors : bool
            Return a pair: the values, and their standard errors in an array alike.
        """
        fitted = self._check_fitted()
        chosen = tuple(sorted(find_column(player, fitted.feature_names, "players") for player in players))
        table = fitted.read(X)
        model = fitted.model

        def repeat(base: NDArray[np.float64]) -> NDArray[np.float64]:
            return _squeeze(np.tile(base, (table.n_rows, 1)))

        def look_up(lookup: Any) -> NDArray[np.float64]:
            return _squeeze(fitted.look_up(lookup, table, self.n_jobs)[:, 0])

        values = look_up(model.make_mobius_lookup(chosen)) if chosen else repeat(model.base_value)
        if not errors:
            return values
        deviations = get_errors(fitted)
        return values, look_up(deviations.make_mobius_lookup(chosen)) if chosen else repeat(deviations.base_errors)

    def predict(self, X: Any, *, errors: bool = False) -> Any:
        """Output of the additive model at the full coalition, shape (n_rows,) or (n_rows, n_outputs).

        With ``errors`` a pair: the outputs, and their standard errors in an array alike.
        """
        fitted = self._check_fitted()
        table = fitted.read(X)
        values = _squeeze(fitted.predict(table, self.n_jobs))
        if not errors:
            return values
        return values, _squeeze(fitted.look_up(get_errors(fitted).prediction, table, self.n_jobs)[:, 0])

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
            a term tells. A part under a larger set comes after the term's own.

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
            Of a loaded explainer: the rows of the fit are not in the file.
        TooLargeError
            If the terms have more than 6 500 functions.
        """
        import pandas as pd

        from ..inference.ranking import rank_terms

        fitted = self._check_fitted()
        ranking = rank_terms(fitted.get_record("ranking terms needs"), n_terms, presence)
        names = [*fitted.varying_names, "*"]  # any other is -1
        known = [tuple(names[player] for player in each) for each in ranking.presence]
        return pd.DataFrame(
            {
                "term": [fitted.term_names[term] for term in ranking.order],
                "columns": [fitted.model.value_sets[term] for term in ranking.order],
                **({"known": known} if presence else {}),
                "gain": ranking.gains,
                "variance_share": ranking.variance_shares,
                "masked_risk": ranking.masked_risks,
                "r2": ranking.r2,
            },
            index=pd.RangeIndex(1, len(ranking.order) + 1, name="n_terms"),
        )

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
        fitted = self._check_fitted()
        table = fitted.read(X)
        return check_drift(fitted, table, self._read_outputs(X, outputs, table.n_rows, model))

    def audit(
        self, X: Any = None, y: Any = None, *, model: Any = None, thresholds: Thresholds | None = None
    ) -> TrustReport:
        """How far these explanations may be believed; also of a loaded explainer.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns), optional
            Rows the explainer was not fitted on. Default: the fit's own rows, each held out of the fit that speaks of it; a
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
        from ..questions.audit import audit_fitted, audit_new_rows

        fitted = self._check_fitted()
        model = self.model if model is None else model
        with show_progress(self.verbose, "audit") as progress:
            if X is None:
                return audit_fitted(fitted, y, model, thresholds, progress)
            return audit_new_rows(fitted, X, y, model, self.output, thresholds, progress)

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
        weights = align_rows(sample_weight, get_index(X), "sample_weight")
        purified._fitted = purify_game(fitted, fitted.read(X), kind, weights)
        return purified

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

    @property
    def expected_value(self) -> Any:
        """Base value: a float, or an ndarray of shape (n_outputs,)."""
        base = self._check_fitted().model.base_value
        return float(base[0]) if len(base) == 1 else base.copy()

    @property
    def terms_(self) -> list[tuple[int, ...]]:
        return list(self._check_fitted().model.value_sets)

    @property
    def term_names_(self) -> list[str]:
        return list(self._check_fitted().term_names)

    @property
    def presence_terms_(self) -> list[tuple[int, ...]]:
        model = self._check_fitted().model
        tied = {each for sets in model.presence_sets for each in sets}
        found = {players for each in tied for players in spell_out(each, model.n_players)}
        found = {players for players in found if not set(players) & set(model.null_players)}
        return sorted(found, key=lambda each: (len(each), each))

    @property
    def feature_names_(self) -> tuple[str, ...]:
        return self._check_fitted().feature_names

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        return np.array(self._check_fitted().schema.names, dtype=object)

    @property
    def output_names_(self) -> tuple[str, ...]:
        return self._check_fitted().output_names

    @property
    def output_transform_(self) -> str:
        return self._check_fitted().output_transform

    @property
    def n_features_in_(self) -> int:
        return len(self._check_fitted().schema.names)

    @property
    def fit_facts_(self) -> dict[str, Any]:
        """Figures of the fit: the chosen order, presence order and strengths, cross-validated fidelity, candidates tried."""
        return self._check_fitted().facts

    def __getstate__(self) -> dict[str, Any]:
        """Raises ``PicklingError`` if the model, or another option, cannot be pickled; cloudpickle and copies need not care."""
        check_pickle({"model": self.model, "value_function": self.value_function, "fitter": self.fitter})
        return self.__dict__.copy()

    def _check_fitted(self) -> FittedGame:
        fitted: FittedGame | None = getattr(self, "_fitted", None)
        if fitted is None:
            raise NotFittedError("this Explainer is not fitted yet; call fit(X) first")
        return fitted

    def __repr__(self) -> str:
        fitted = getattr(self, "_fitted", None)
        if fitted is None:
            return f"Explainer({type(self.model).__name__}, order={self.order}), not fitted"
        chosen = fitted.facts["chosen"]
        fidelity = "" if chosen["fidelity"] is None else f", held-out R² to the model {chosen['fidelity']:.3f}"
        if "remainder_share" in fitted.facts:
            fidelity = f", outputs kept as they are (the masked fit says all but {max(fitted.facts['remainder_share']):.2%})"
        total, n_rows = fitted.facts.get("total_weight", 0.0), fitted.facts.get("n_rows", 0)
        weighted = "" if abs(total - n_rows) <= 1e-6 * n_rows else f"; weights worth {total:,.0f} of {n_rows:,} rows"
        return (
            f"Explainer of {len(fitted.feature_names)} features: {len(fitted.model.value_sets)} terms of order "
            f"{chosen['order']}, presence order {chosen['presence_order']}{fidelity}; {fitted.output_transform}"
            f"{'' if fitted.game == 'conditional' else f'; {fitted.game}'}{weighted}"
        )


class CompiledExplainer:
    """Shapley values of C-ordered float64 rows, columns in fitted order; made by :meth:`Explainer.compile`.

    Only infinite values are checked for. Raises ``TypeError`` on making if a column is not a number column.
    """

    def __init__(self, fitted: FittedGame, n_jobs: int | None = None) -> None:
        if any(fitted.schema.is_category):
            raise TypeError("a compiled explainer takes number columns only; this one has text or categorical columns")
        self._fitted = fitted
        self._n_jobs = n_jobs
        self._credits = fitted.model.credits

    def __call__(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of shape (n_rows, n_features) or (n_rows, n_features, n_outputs)."""
        table = Table(self._fitted.schema, X, ())
        return _squeeze(self._fitted.look_up(self._credits, table, self._n_jobs))


def load(path: str | os.PathLike[str]) -> Explainer:
    """Read an explainer written by :meth:`Explainer.save`; it explains to the same bits.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileFormatError
        If it is truncated, altered, or from a newer version.
    """
    explainer = Explainer()
    explainer._fitted, content = load_fitted(path)
    explainer.output = content.get("output", "auto")
    chosen = explainer._fitted.facts["chosen"]
    explainer.order, explainer.presence_order = chosen["order"], chosen["presence_order"]
    return explainer


def warm_up() -> None:
    """Compile the kernels of fits and explanations now (seconds on a fresh machine, then cached), not when first used."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    Explainer(interactions="all").fit(X, outputs=X[:, 0] * X[:, 1] + X[:, 0]).shap_values(X)


def _take_outputs(outputs: Any, n_rows: int) -> Answer:
    """Predictions already made, under the names of their columns."""
    from ..blackbox.model import Answer, BlackBox, keep_values

    names = tuple(map(str, getattr(outputs, "column_names", getattr(outputs, "columns", ()))))
    box = BlackBox(lambda X: outputs, keep_values, names, "outputs as given", "outputs")
    return Answer(check_outputs(outputs, n_rows, "outputs"), box)


def _wrap(model: Any, output: str, batch_rows: int) -> BlackBox:
    from ..blackbox import wrap_model

    if model is None:
        raise ValueError("the value function asks a model, and this explainer holds none: pass model=")
    return wrap_model(model, output, batch_rows)


def _make_explanation(
    fitted: FittedGame, table: Table, values: NDArray[np.float64], base_values: NDArray[np.float64]
) -> Explanation:
    return Explanation(
        values=_squeeze(values),
        base_values=_squeeze(base_values),
        data=_collect_data(table, fitted.feature_names, fitted.players),
        feature_names=fitted.feature_names,
        output_names=fitted.output_names,
        output_transform=fitted.output_transform,
        game=fitted.game,
        index=table.index,
        level_orders={column.name: column.order for column in fitted.encoder.columns if column.order},
    )


def _compute_trust(
    fitted: FittedGame, table: Table, values: NDArray[np.float64], place: Place | None
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Share of each row's output carried, and its interval, where the fit's held-out residuals are known."""
    if fitted.answers.residuals is None and fitted.record is None:
        return None, None
    bases = [column.bases[0] for column in fitted.encoder.columns]
    strangeness = None if place is None else find_strangeness(place, fitted.players)
    return compute_row_trust(get_residuals(fitted), fitted.encoder.encode(table), bases, values, strangeness)


def _squeeze(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Drop the axis of a single output."""
    return values[..., 0] if values.shape[-1] == 1 else values


def _collect_data(table: Table, feature_names: tuple[str, ...], players: tuple[int, ...]) -> NDArray[Any]:
    """The rows as shown beside the values, one entry a player; a group's columns are joined by commas."""
    is_plain = not table.categories and len(feature_names) == len(players)
    if is_plain:
        return np.asarray(table.numbers, dtype=np.float64)
    columns = list(_iterate_columns(table))
    data = np.empty((table.n_rows, len(feature_names)), dtype=object)
    for player in range(len(feature_names)):
        own = [columns[column] for column, owner in enumerate(players) if owner == player]
        data[:, player] = own[0] if len(own) == 1 else [", ".join(map(format_value, each)) for each in zip(*own, strict=True)]
    return data


def _iterate_columns(table: Table) -> Any:
    numbers, categories = iter(range(table.numbers.shape[1])), iter(table.categories)
    for is_category in table.schema.is_category:
        if is_category:
            codes, levels = next(categories)
            yield np.array([*levels, None], dtype=object)[codes]
        else:
            yield np.asarray(table.numbers[:, next(numbers)], dtype=np.float64).astype(object)
