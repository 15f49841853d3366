"""References of a trust report: other estimates of the conditional game, at some of the rows, and which of them to combine."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from .held_rows import Rows
from .references import (
    REGRESSED,
    Asker,
    Probes,
    evaluate_regressed,
    evaluate_sampled,
    list_sampled,
    make_probes,
    weigh_sizes,
)

# Rows at which games are compared: at most, and of many features; and those at which distributions are compared before the
# best are asked about all.
_MAX_PROBES, _PROBES_OF_MANY, _MAX_FIRST = 2000, 250, 150
# How many times the rows that are compared others must be, to teach references alone; else they are split, few into more parts.
_MANY_TIMES, _FEW_ROWS, _LEAST_ROWS = 2.4, 1000, 40
# Calls of the model for the first comparison of each distribution, and for all that are kept.
_FIRST_CALLS, _CALLS = 16_000, 160_000
_FIRST_DRAWS, _DRAWS, _MAX_DRAWS = 4, 8, 16
# Different walks, and coalitions in them: each costs a factorisation.
_MAX_WALKS, _MAX_STEPS = 48, 800
# Weight from which on a distribution is kept, and references that are combined.
LEAST_WEIGHT, _MOST_COMBINED = 0.15, 3


@dataclass(frozen=True)
class Reference:
    """An estimate of the conditional game.

    Attributes
    ----------
    name : str
    values : ndarray of shape (2, n_probes, 2, n_players - 1, n_outputs), float64
        Halves with independent noise, rows, walks, steps.
    is_asked : bool
        Whether it asks the model.
    """

    name: str
    values: NDArray[np.float64]
    is_asked: bool


@dataclass(frozen=True)
class Panel:
    """References evaluated at the same rows and coalitions.

    Attributes
    ----------
    probes : Probes
    references : tuple of Reference
    n_calls : int
        Rows the model was asked about.
    """

    probes: Probes
    references: tuple[Reference, ...]
    n_calls: int


def find_references(rows: Rows, asker: Asker | None) -> Panel | None:
    """References at some of the rows; None where rows or features are too few, or nothing varies.

    Distributions that the best combination does without, on the first rows, are not asked about the others.
    """
    d = len(rows.feature_names)
    n_rows = min(rows.n_independent, len(rows))
    if d < 2 or n_rows < _LEAST_ROWS or not np.ptp(rows.outputs, axis=0).any():
        return None
    n_steps = 2 * (d - 1)
    n_probes = max(_CALLS // (_DRAWS * n_steps), min(_PROBES_OF_MANY, _CALLS // (2 * n_steps)), _LEAST_ROWS)
    n_probes = min(n_probes, _MAX_PROBES, len(rows))
    n_walks = int(np.clip(_MAX_STEPS // n_steps, 4, _MAX_WALKS))
    n_splits = 1 if n_rows >= _MANY_TIMES * n_probes else 2 if n_rows >= _FEW_ROWS else 4
    probes = make_probes(rows, n_probes, n_walks, n_splits)
    found = [Reference(kind, evaluate_regressed(kind, rows, probes), False) for kind in REGRESSED]
    if asker is None:
        return Panel(probes, tuple(found), 0)
    few = probes.take(int(np.clip(_FIRST_CALLS // (_FIRST_DRAWS * n_steps), _LEAST_ROWS, _MAX_FIRST)))
    kinds = list_sampled(rows)
    tried = [Reference(kind, evaluate_sampled(kind, asker, rows, few, _FIRST_DRAWS), True) for kind in kinds]
    both = [Reference(each.name, each.values[:, : len(few)], False) for each in found] + tried
    weights = combine_references(rows, few, both, np.ones(len(few), dtype=bool))[len(found) :]
    kept = [kind for kind, weight in zip(kinds, weights, strict=True) if weight >= LEAST_WEIGHT]
    n_draws = int(np.clip(_CALLS // max(n_steps * len(probes) * len(kept), 1) // 2 * 2, 2, _MAX_DRAWS))
    found += [Reference(kind, evaluate_sampled(kind, asker, rows, probes, n_draws), True) for kind in kept]
    n_calls = n_steps * (len(few) * _FIRST_DRAWS * len(kinds) + len(probes) * n_draws * len(kept))
    return Panel(probes, tuple(found), n_calls)


def combine_references(
    rows: Rows, probes: Probes, references: Sequence[Reference], is_learnt: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Weights of at most three references, none negative, that sum to one and have the least masked risk on some probes."""
    outputs = rows.outputs[probes.rows][is_learnt][:, None, None] / rows.spread
    first, second = (np.stack([outputs - each.values[half][is_learnt] / rows.spread for each in references]) for half in (0, 1))
    masses = weigh_sizes(len(rows.feature_names))
    risks = np.einsum("knwsc,lnwsc,s,n->kl", first, second, masses, rows.weights[probes.rows][is_learnt], optimize=True)
    risks = (risks + risks.T) / 2
    best, least = np.zeros(len(references)), np.inf
    for size in range(1, min(_MOST_COMBINED, len(references)) + 1):
        for members in map(list, combinations(range(len(references)), size)):
            own = risks[np.ix_(members, members)] + 1e-9 * np.trace(risks) * np.eye(size)
            shares = np.linalg.lstsq(own, np.ones(size), rcond=None)[0]
            if not shares.sum() > 0 or (shares < 0).any():
                continue
            shares /= shares.sum()
            risk = float(shares @ own @ shares)
            if risk < least * (1 - 1e-3):
                best, least = np.zeros(len(references)), risk
                best[members] = shares
    return best
