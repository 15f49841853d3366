"""Presence sets that a search may choose from."""

from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

from ..game.terms import ANY, PresenceSet, players_of
from .screen import find_triangles
from .search_limits import EXTRA_RANKS, MAX_PLAYERS_QUADRUPLES, MAX_PRESENCE_SETS, N_BEST_PRESENCE_SETS, PRESENCE_SHARE

if TYPE_CHECKING:
    from .search import Search


def offer_presence(search: "Search", size: int) -> None:
    """Presence sets of a size: all if there are few, else the best pairs and triples, and sets of any others tied.

    Triples and quadruples of more than a few players are tied as well; quadruples are written out only where asked for.
    """
    n_most = MAX_PRESENCE_SETS
    if size == 2:
        n_spare = search.budget - len(search.main_effects[0].moments.functions)
        n_most = min(max(int(PRESENCE_SHARE * n_spare) // (2 * EXTRA_RANKS[0][0]), 1), MAX_PRESENCE_SETS)
    n_live = len(search.live_players)
    is_many = n_live > MAX_PLAYERS_QUADRUPLES
    is_unasked = size > 3 and is_many and isinstance(search.fitter.presence_order, str)
    is_written = comb(n_live, size) <= n_most and not is_unasked
    offered: list[PresenceSet] = []
    if is_written:
        offered = list(combinations(search.live_players, size))
    elif size == 2:
        offered = _rank_players(search)[: min(n_most, N_BEST_PRESENCE_SETS)]
    elif size == 3:
        offered = find_triangles(_rank_players(search), N_BEST_PRESENCE_SETS)
    if (size > 2 and is_many) or not (is_written or search.has_all_triples):
        named = [each for each in search.presence_sets.get(min(size - 1, 2), ()) if ANY not in each]
        offered += [(*[ANY] * (size - len(each)), *each) for each in named]
    if offered:
        search.presence_sets[size] = offered


def _rank_players(search: "Search") -> list[PresenceSet]:
    """Pairs of players, those whose columns interact or predict each other most first."""
    best: dict[PresenceSet, float] = {}
    for pair, score in search.pair_scores.items():
        presence = players_of(pair, search.fitter.players)
        if len(presence) == 2:
            best[presence] = max(score, best.get(presence, 0.0))
    return sorted(best, key=lambda presence: (-best[presence], presence))
