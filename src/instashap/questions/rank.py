"""Ranking of terms as a table with names."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from .._validation import check_at_least
from ..fits.null_players import make_roster
from ..fitted.fit_kind import FitKind
from ..fitted.game import FittedGame
from ..inference.ranking import rank_terms
from ..masked.fitter import ClosedFormFitter, FitRecord


def tabulate_ranking(fitted: FittedGame, n_terms: int | None = None, presence: bool = False) -> pd.DataFrame:
    """Terms in the order of their gains; see :meth:`instashap.Explainer.rank_terms`.

    Those of a model fitted by likelihood, or edited, are ranked as terms of a fit in closed form to the model's scores.
    """
    if n_terms is not None:
        check_at_least(n_terms, 1, "n_terms", "the first term is ranked anyway")
    if fitted.kind in (FitKind.LIKELIHOOD, FitKind.EDITED):
        fitted = fit_scores(fitted)
    ranking = rank_terms(fitted.get_record("ranking terms needs"), n_terms, presence)
    names = [*fitted.varying_names, "*"]  # -1, a place for any other player, becomes "*"
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


def fit_scores(fitted: FittedGame) -> FittedGame:
    """A fit in closed form of a game's own scores on its rows, with the value sets of the game.

    Raises ``NotFittedError`` where the rows of the fit are gone.
    """
    rows, null = fitted.get_rows(), fitted.model.null_players
    scores = fitted.model.predict(rows.encoded)
    roster = make_roster(fitted.players, [player in null for player in fitted.players])
    order = max(map(len, fitted.model.value_sets), default=1)
    interactions = [values for values in fitted.model.value_sets if len(values) > 1] or 0
    presence_order = min(order, len(roster.varying))
    fitter = ClosedFormFitter(rows.columns, roster.players, order, presence_order, interactions)
    data = rows.encoded, scores, rows.weights
    record = FitRecord(*data, rows.columns, roster.players, rows.size_law, fitter.fit(*data, rows.size_law))
    return replace(fitted, model=roster.spread(record.result.model), record=record, kind=FitKind.EQUATIONS)
