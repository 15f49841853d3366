"""The same figures as :mod:`.verdict` for games that no rule of the audit was tuned on, and for fits of outputs alone."""

from __future__ import annotations

from ..known_games import KnownGame
from ..new_games import list_new_games
from ..runner import Bench, Figure, Skipped
from . import verdict

# Games that are fitted to 20 000 rows too; those under weak fits, and those whose outputs are given instead of a model.
_MANY = ("total_of_four", "ratio_steps", "three_copies", "lognormal_roots", "t3_linear", "mixture_trees", "seven_items")
_WEAK = {
    "presence=1": ("total_of_four", "deep_trees", "noisy_or", "lagged_series"),
    "presence=2": ("two_factors", "mixture_trees", "seven_items"),
    "outputs": ("mean_roots", "deep_trees", "t5_products", "lagged_series", "lognormal_roots", "noisy_or"),
}


def list_cases(games: dict[str, KnownGame], is_quick: bool) -> list[tuple[str, int, str]]:
    """Name, rows and fit of every case."""
    if is_quick:
        return [("noisy_or", 300, "default")]
    cases = [(name, n_rows, "default") for n_rows in (300, 2000) for name in games]
    cases += [(name, 2000, fit) for fit, names in _WEAK.items() for name in names]
    return cases + [(name, 20_000, "default") for name in _MANY]


def run(bench: Bench) -> dict[str, Figure]:
    """One fit and audit a case."""
    games = list_new_games()
    if not games:
        raise Skipped("the simulators of the truth files, families.py, are not there")
    return verdict.run_cases(bench, games, list_cases(games, bench.quick))
