"""An additive model of the time until an event: log-odds of the event in each period, given none before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._alignment import align_rows, get_index
from .._row_arrays import check_weights
from .._validation import check_at_least
from ..explain.estimators import AdditiveClassifier
from ..explain.explainer import Explainer
from ..table.containers import open_container
from .horizons import survive_at
from .periods import choose_ends, count_censored, measure_concordance, read_times, split_periods

TIME = "(time)"
# Counts are written out as rows up to this number; the weights of more are relative.
_MOST_REPEATED = 1_000_000


class AdditiveSurvival(BaseEstimator):
    """Generalised additive model of hazards in discrete time, for rows that may be censored.

    Time is cut into periods with about as many events each. The log-odds of the event in a period, given none before, are a
    sum of functions of the period's end and of the features (Tutz and Schmid 2016), fitted as :class:`AdditiveClassifier`
    fits classes. Where pairs with the time are chosen, effects of features change over time; without them odds are
    proportional. Censoring must not depend on the event, given the features.

    Parameters
    ----------
    n_periods : int
        The most periods.
    order, interactions, groups, categorical, bases, n_jobs, random_state, verbose
        As in :class:`instashap.Explainer`.
    presence_order : int or "auto"
        As in :class:`instashap.Explainer`; of the explanation alone, hazards do not depend on it.

    Attributes
    ----------
    period_ends_ : ndarray of shape (n_periods,)
        Periods are ``(end before, end]``; the first begins at 0, the last ends at the last event.
    hazards_ : AdditiveClassifier
        Of rows with the further column ``(time)``, the period's end; class 1 is the event.
    n_features_in_ : int

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"dose": rng.uniform(size=300)})
    >>> times = rng.exponential(np.exp(-X["dose"]))
    >>> model = AdditiveSurvival(n_periods=5, order=1).fit(X, np.minimum(times, 1.0), times < 1.0)
    >>> model.predict_survival(X, [0.1, 0.5]).shape
    (300, 2)
    """

    def __init__(
        self,
        *,
        n_periods: int = 20,
        order: int = 2,
        presence_order: int | str = "auto",
        interactions: Any = "auto",
        groups: Any = None,
        categorical: Any = "auto",
        bases: Any = None,
        n_jobs: int | None = None,
        random_state: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_periods = n_periods
        self.order = order
        self.presence_order = presence_order
        self.interactions = interactions
        self.groups = groups
        self.categorical = categorical
        self.bases = bases
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, times: Any, events: Any, sample_weight: Any = None) -> AdditiveSurvival:
        """Fit the hazards; returns the estimator itself.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        times : array of shape (n_rows,)
            Time of the event or of censoring, above 0.
        events : array of shape (n_rows,), bool or 0 and 1
            Whether the event was seen at that time.
        sample_weight : array of shape (n_rows,), optional
            Whole numbers are counts: a row of weight w is w equal rows, up to a million in all. Other weights are relative.

        Raises
        ------
        ValueError
            For invalid times or events, or a column named ``(time)``.
        """
        rows, index = _read(X), get_index(X)
        known, seen = read_times(align_rows(times, index, "times"), align_rows(events, index, "events"), len(rows))
        weights = check_weights(align_rows(sample_weight, index, "sample_weight"), len(rows))
        n_periods = check_at_least(self.n_periods, 2, "n_periods", "a hazard is estimated in each")
        if (weights == np.floor(weights)).all() and weights.sum() <= _MOST_REPEATED:
            owners = np.repeat(np.arange(len(rows)), weights.astype(np.int64))
            rows, known, seen, weights = rows.iloc[owners], known[owners], seen[owners], np.ones(len(owners))
        has_event = seen & (weights > 0)  # rows without weight have no part in where periods end
        if np.count_nonzero(has_event) < 2:
            raise ValueError("fewer than two rows of positive sample_weight have the event: a hazard needs two")
        self.period_ends_ = choose_ends(known, has_event, n_periods)
        periods = split_periods(known, seen, self.period_ends_)
        censored, shares = count_censored(known, seen, self.period_ends_, weights)
        subjects, numbers, own_events = map(np.concatenate, zip(periods, censored, strict=True))
        table = _add_time(rows.iloc[subjects], self.period_ends_[numbers])
        counts = weights[subjects] * np.append(np.ones(len(periods.subjects)), shares)
        own = {name: value for name, value in self.get_params().items() if name != "n_periods"}
        self.hazards_ = AdditiveClassifier(**own).fit(table, own_events, counts)
        self.n_features_in_ = rows.shape[1]
        self._names = list(rows.columns)
        return self

    def predict_hazards(self, X: Any) -> NDArray[np.float64]:
        """Probability of the event in each period, given none before; shape (n_rows, n_periods)."""
        check_is_fitted(self, "hazards_")
        rows, n_periods = _read(X, self._names), len(self.period_ends_)
        table = _add_time(rows.iloc[np.repeat(np.arange(len(rows)), n_periods)], np.tile(self.period_ends_, len(rows)))
        return np.asarray(self.hazards_.predict_proba(table)[:, 1].reshape(len(rows), n_periods))

    def predict_survival(self, X: Any, times: Any = None) -> NDArray[np.float64]:
        """Probability of no event until some times, shape (n_rows, n_times).

        Within a period the hazard is constant.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        times : array of shape (n_times,), optional
            From 0 to the end of the last period. Default: the ends of the periods.

        Raises
        ------
        ValueError
            For times beyond the last event of the fit: nothing is known of them.
        """
        logs = np.log1p(-np.minimum(self.predict_hazards(X), 1.0 - 1e-12)).cumsum(axis=1)
        asked = self.period_ends_ if times is None else np.asarray(times, dtype=np.float64).ravel()
        if not ((asked >= 0) & (asked <= self.period_ends_[-1])).all():
            raise ValueError(
                f"survival is known from 0 to the last event of the fit, {self.period_ends_[-1]:g}; got times from "
                f"{np.min(asked):g} to {np.max(asked):g}"
            )
        ends = np.concatenate([[0.0], self.period_ends_])
        logs = np.hstack([np.zeros((len(logs), 1)), logs])
        after = np.clip(np.searchsorted(ends, asked, side="left"), 1, len(ends) - 1)
        share = (asked - ends[after - 1]) / (ends[after] - ends[after - 1])
        return np.asarray(np.exp(logs[:, after - 1] * (1.0 - share) + logs[:, after] * share))

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Risk of each row, larger for earlier events: the cumulative hazard at the end of the last period, shape (n_rows,)."""
        return np.asarray(-np.log(self.predict_survival(X)[:, -1]))

    def score(self, X: Any, times: Any, events: Any) -> float:
        """Harrell's C-index of the risk."""
        index = get_index(X)
        known, seen = read_times(align_rows(times, index, "times"), align_rows(events, index, "events"), len(_read(X)))
        return measure_concordance(self.predict(X), known, seen)

    def to_explainer(self, X: Any, times: Any = None) -> Explainer:
        """An explainer of survival at some times, one output each, fitted on rows without labels.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        times : sequence of float, optional
            Default: a quarter, half and three quarters of the way to the last event.
        """
        asked = self.period_ends_[-1] * np.array([0.25, 0.5, 0.75]) if times is None else times
        options = {"order": self.order, "presence_order": self.presence_order, "groups": self.groups, "n_jobs": self.n_jobs}
        explainer = Explainer(survive_at(self, asked), categorical=self.categorical, bases=self.bases, **options)
        return explainer.fit(_read(X, self._names))


def _read(X: Any, names: Sequence[str] = ()) -> pd.DataFrame:
    """The rows as a data frame in the order of the fit's ``names``; columns of an array have these names, else x0, x1, …"""
    if getattr(X, "ndim", 2) != 2:
        raise ValueError(f"X has {X.ndim} dimension(s); pass a table: one row of an array is X[:1], of a data frame X.iloc[:1]")
    opened = open_container(X)
    if not hasattr(opened, "columns"):
        values = pd.DataFrame(opened.toarray() if hasattr(opened, "toarray") else opened)
        known = list(names) if len(names) == values.shape[1] else [f"x{place}" for place in range(values.shape[1])]
        return values.set_axis(known, axis=1)
    # The column of the time has a name of text.
    rows: pd.DataFrame = opened.set_axis([str(name) for name in opened.columns], axis=1)
    if TIME in rows.columns:
        raise ValueError(f"the column {TIME!r} is added by the model for the time: rename yours")
    return rows[list(names)] if sorted(names) == sorted(rows.columns) else rows


def _add_time(rows: pd.DataFrame, ends: NDArray[np.float64]) -> pd.DataFrame:
    return rows.reset_index(drop=True).assign(**{TIME: ends})
