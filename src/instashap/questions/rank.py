"""Ranking of terms as a table with names."""

from __future__ import annotations

import pandas as pd

from ..fitted.game import FittedGame
from ..inference.ranking import rank_terms


def tabulate_ranking(fitted: FittedGame, n_terms: int | None = None, presence: bool = False) -> pd.DataFrame:
    """Terms in the order of their gains; see :meth:`instashap.Explainer.rank_terms`."""
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
