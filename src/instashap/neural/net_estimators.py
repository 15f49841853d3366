"""Additive nets trained on labels, as scikit-learn estimators with Shapley values."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..explain.estimators import AdditiveClassifier, AdditiveRegressor
from ..fits.prepare import FitOptions, judge_options, learn_plain_columns, prepare_rows
from ..fitted.fit_kind import FitKind
from ..fitted.game import FittedGame, GameRows
from ..likelihood.family import Family
from ..table.columns import Table
from .class_nets import fit_class_nets
from .net_fitter import PLAN, NeuralFitter
from .nets import NetShape
from .readout import describe_nets
from .training import TrainingPlan


def _make_plan(plan: TrainingPlan | None, random_state: int | None) -> TrainingPlan:
    """The given or the default plan, with ``random_state`` as its seed if it is not None."""
    chosen = PLAN if plan is None else plan
    return chosen if random_state is None else replace(chosen, seed=random_state)


class NeuralAdditiveRegressor(AdditiveRegressor):
    """A GAM of small nets, trained on labels under the exact masked squared loss, that computes its own Shapley values.

    Nets learn the value functions, the closed form computes their coefficients, and the fitted model consists of tables
    (InstaSHAP, Eq. 20; the mask expectation is exact, where the paper samples).

    Parameters
    ----------
    order, presence_order, interactions, groups, categorical, full_weight, n_jobs, verbose
        As in :class:`instashap.AdditiveRegressor`.
    shape : NetShape, optional
        Sizes of the nets.
    plan : TrainingPlan, optional
        Length, rates and device of the training.
    random_state : int, optional
        Seed that replaces the plan's.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from instashap.neural import NeuralAdditiveRegressor, TrainingPlan
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X = X[:, [2, 8]]
    >>> model = NeuralAdditiveRegressor(order=1, plan=TrainingPlan(n_epochs=20, learning_rate=1e-2, device="cpu")).fit(X, y)
    >>> model.shap_values(X).shape
    (442, 2)
    """

    loss = "squared_error"
    quantile = 0.5
    monotone_constraints = None
    warm_start = False

    def __init__(
        self,
        *,
        order: int = 2,
        presence_order: int | str = "auto",
        interactions: Any = "auto",
        groups: Any = None,
        categorical: Any = "auto",
        full_weight: float = 10.0,
        shape: NetShape | None = None,
        plan: TrainingPlan | None = None,
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
        self.shape = shape
        self.plan = plan
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _get_fitter(self) -> Any:
        return partial(NeuralFitter, shape=self.shape or NetShape(), plan=_make_plan(self.plan, self.random_state))


class NeuralAdditiveClassifier(AdditiveClassifier):
    """A GAM of small nets of class log-odds, trained by cross-entropy at sampled masks, that computes its own Shapley values.

    The game is ``g(x; S) = log-odds of E[y | x_S]``, not the conditional mean of the log-odds, which
    :class:`instashap.AdditiveClassifier` explains. Its base value is the log-odds of the classes' shares.

    Parameters
    ----------
    order, presence_order, interactions, groups, categorical, class_weight, n_jobs, verbose
        As in :class:`instashap.AdditiveClassifier`.
    full_weight : float
        Mass of the full coalition, relative to a total of 1 of all others; a larger mass favours the prediction.
    shape, plan, random_state
        As in :class:`NeuralAdditiveRegressor`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from instashap.neural import NeuralAdditiveClassifier, TrainingPlan
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NeuralAdditiveClassifier(order=1, plan=TrainingPlan(n_epochs=20, learning_rate=1e-2, device="cpu")).fit(X, y)
    >>> model.predict_proba(X).shape
    (150, 3)
    """

    monotone_constraints = None
    warm_start = False

    def __init__(
        self,
        *,
        order: int = 2,
        presence_order: int | str = "auto",
        interactions: Any = "auto",
        groups: Any = None,
        categorical: Any = "auto",
        class_weight: Any = None,
        full_weight: float = 10.0,
        shape: NetShape | None = None,
        plan: TrainingPlan | None = None,
        n_jobs: int | None = None,
        random_state: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.order = order
        self.presence_order = presence_order
        self.interactions = interactions
        self.groups = groups
        self.categorical = categorical
        self.class_weight = class_weight
        self.full_weight = full_weight
        self.shape = shape
        self.plan = plan
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _fit_labels(
        self,
        table: Table,
        target: NDArray[np.float64],
        weights: NDArray[np.float64],
        family: Family,
        output_names: tuple[str, ...],
        output_transform: str,
    ) -> None:
        orders = self.order, self.presence_order
        judged = judge_options(
            FitOptions(*orders, self.interactions, groups=self.groups, full_weight=self.full_weight), table.schema.names
        )
        rows = prepare_rows(table, target, weights, judged, learn_plain_columns)
        target, weights = rows.target, rows.weights
        shares = target[:, None] if family.n_outputs == 1 else np.eye(family.n_outputs)[target.astype(np.int64)]
        with self._show_progress() as progress:
            fitter = NeuralFitter(
                rows.columns,
                rows.roster.players,
                judged.order,
                judged.presence_order,
                judged.interactions,
                shape=self.shape or NetShape(),
                plan=_make_plan(self.plan, self.random_state),
                progress=progress,
            )
            model = fit_class_nets(fitter, rows.encoded, shares, weights, rows.size_law, _compute_base(shares, weights))
        self._fitted = FittedGame(
            rows.encoder,
            rows.roster.spread(model),
            judged.feature_names,
            judged.players,
            output_names,
            output_transform,
            f"conditional, {'log-odds' if family.n_outputs == 1 else 'log-probabilities'} of E[y | x_S]",
            describe_nets(model, len(target), float(weights.sum()), "cross-entropy"),
            kind=FitKind.LIKELIHOOD,
            rows=GameRows(rows.encoded, weights, rows.columns, rows.size_law),
        )
        self._family = family


def _compute_base(shares: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores of the empty coalition: log-odds of the second class's share, or centred logarithms of all shares."""
    mean = weights @ shares / weights.sum()
    if len(mean) == 1:
        return np.asarray(np.log(mean) - np.log1p(-mean))
    return np.asarray(np.log(mean) - np.log(mean).mean())
