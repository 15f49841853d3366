"""Choice of terms as in the paper: scores of Archipelago on a masked value function."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._validation import check_at_least, check_order
from ..blackbox.hybrid import take_rows
from ..blackbox.value_functions import CalledGame, Game
from ..game.terms import close_downwards
from ..table.columns import read_table
from .surrogate import MaskedSurrogate

if TYPE_CHECKING:
    import pandas as pd

Term = tuple[int, ...]


def search_frontier(
    value_function: Any,
    X: Any,
    *,
    order: int = 2,
    n_terms: int | None = None,
    n_rows: int = 2000,
    random_state: int | None = None,
) -> pd.DataFrame:
    """Terms from the most to the least important for a masked value function, as InstaSHAP section 4 chooses them.

    ``score_T = Cov_x(½ (inc_T + rem_T), F(x; all))`` with ``inc_T = sum_{R ⊆ T} (-1)^(|T|-|R|) F(x; R)``, the effect of adding
    T to the empty coalition, and ``rem_T = sum_{R ⊆ T} (-1)^|R| F(x; all ∖ R)``, the effect of removing it from the full one.
    Terms are listed greedily with heredity: the next one has the highest score among those whose parts are all in the list.

    Scores do not depend on the terms listed before; :meth:`instashap.Explainer.rank_terms` ranks by the gain given these.

    Parameters
    ----------
    value_function : MaskedSurrogate, or callable ``F(X, masks)``
        Value function of one or several outputs; scores are summed over outputs.
    X : table of shape (n_rows, n_columns)
    order : int
        Largest number of players of a term.
    n_terms : int, optional
        Largest number of terms listed.
    n_rows : int
        Largest number of rows to average over; if there are more, they are drawn at random.
    random_state : int, optional
        Seed of the random rows.

    Returns
    -------
    DataFrame
        Index: number of terms so far. ``term``: name; ``columns``: positions of the players (columns, unless they are grouped);
        ``score``. ``[each for each in frontier["columns"] if len(each) > 1]`` can be passed to an explainer as
        ``interactions=``; if the table's labels are numbers, which options read as labels, pass names instead.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(500, 3))
    >>> def value(X, masks):
    ...     X = X * masks
    ...     return X[:, 0] + 2 * X[:, 1] * X[:, 2]
    >>> search_frontier(value, X)["columns"].tolist()[:4]
    [(1,), (2,), (1, 2), (0,)]
    """
    import pandas as pd

    check_at_least(n_rows, 2, "n_rows", "scores are covariances over rows")
    if not callable(value_function):
        raise TypeError(f"value_function must be a MaskedSurrogate or a function F(X, masks), got {value_function!r}")
    table = read_table(X)
    if table.n_rows > n_rows:
        rng = np.random.default_rng(random_state or 0)
        X = take_rows(X, np.sort(rng.choice(table.n_rows, n_rows, replace=False)))
    is_surrogate = isinstance(value_function, MaskedSurrogate)
    names = value_function.feature_names_ if is_surrogate else table.schema.names
    n_used = min(table.n_rows, n_rows)
    game: Game = value_function.make_game(X) if is_surrogate else CalledGame(value_function, X, n_used, len(names))
    scores = score_terms(game, n_used, list_terms(len(names), check_order(order, len(names))), len(names))
    ranked = rank_with_heredity(scores)[:n_terms]
    return pd.DataFrame(
        {
            "term": [" × ".join(names[player] for player in term) for term in ranked],
            "columns": ranked,
            "score": [scores[term] for term in ranked],
        },
        index=pd.RangeIndex(1, len(ranked) + 1, name="n_terms"),
    )


def list_terms(n_players: int, order: int) -> list[Term]:
    """All sets of one to ``order`` players, by size."""
    return [term for size in range(1, order + 1) for term in combinations(range(n_players), size)]


def score_terms(game: Game, n_rows: int, terms: list[Term], n_players: int) -> dict[Term, float]:
    """``Cov_x(½ (inc_T + rem_T), F(x; all))`` of each term, summed over outputs.

    This evaluates the game ``2 · n_rows`` times for each term and subset of a term.
    """
    full = game.evaluate_full()
    deviations = (full - full.mean(axis=0)) / n_rows

    def correlate(players: Term, are_present: bool) -> float:
        """Covariance of the full value with the value where only these players are present, or only these are absent."""
        mask = np.full(n_players, not are_present)
        mask[list(players)] = are_present
        values: NDArray[np.float64] = game.evaluate(np.arange(n_rows), np.tile(mask, (n_rows, 1)))
        return float(np.sum(values * deviations))

    subsets: list[Term] = [(), *close_downwards(terms)]
    added = {players: correlate(players, True) for players in subsets}
    removed = {players: correlate(players, False) for players in subsets}
    return {term: _combine(term, added, removed) for term in terms}


def _combine(term: Term, added: dict[Term, float], removed: dict[Term, float]) -> float:
    parts = [part for size in range(len(term) + 1) for part in combinations(term, size)]
    included: float = sum((-1) ** (len(term) - len(part)) * added[part] for part in parts)
    taken: float = sum((-1) ** len(part) * removed[part] for part in parts)
    return (included + taken) / 2


def rank_with_heredity(scores: dict[Term, float]) -> list[Term]:
    """Terms by decreasing score, each after all of its parts."""
    left, ranked = dict(scores), list[Term]()
    while left:
        chosen = set(ranked)
        offered = [term for term in left if all(part in chosen for part in combinations(term, len(term) - 1) if part)]
        ranked.append(max(offered, key=left.__getitem__))
        del left[ranked[-1]]
    return ranked
