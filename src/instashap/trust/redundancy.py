"""Pairs of features that predict each other: they interact under masks though no value needs both."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..game.terms import PresenceSet, spell_out
from .held_rows import Held, Rows, take_encoded

_N_ROWS = 4096
# Share of the output's variance from which a pair is named, and how many are.
_MIN_SHARE = 0.005
MAX_PAIRS = 5


@dataclass(frozen=True)
class RedundantPair:
    """Two features that predict each other.

    Attributes
    ----------
    features : tuple of str
    share : float
        Variance of what knowing both adds beyond each alone, with every value still read from one column; as a share of
        the output's variance.
    """

    features: tuple[str, str]
    share: float

    @property
    def name(self) -> str:
        return " with ".join(self.features)


def find_redundancy(held: Held, rows: Rows) -> tuple[RedundantPair, ...]:
    """Pairs by the variance of their component in a model whose shape functions read one column each; the largest first."""
    model = held.parts[0][1]
    if any(len(values) > 1 for values in model.value_sets):
        return ()
    encoded = take_encoded(rows.encoded, rows.choose(_N_ROWS))
    sets, lookup = model.components
    parts: dict[PresenceSet, list[int]] = {}
    for number, each in enumerate(sets):
        for pair in spell_out(each, model.n_players) if len(each) == 2 else ():
            parts.setdefault(pair, []).append(number)
    values = lookup.apply(encoded) / rows.spread
    components = {pair: values[:, numbers].sum(axis=1) for pair, numbers in parts.items()}
    if model.linear is not None:
        scores = model.linear.look_up_scores(model.bases, encoded)
        for pair in combinations(np.flatnonzero(model.is_player).tolist(), 2):
            own = scores @ model.linear.compute_mobius(pair) / rows.spread
            components[pair] = components.get(pair, 0.0) + own
    if model.index is not None:
        functions = model.index.evaluate(model.bases, encoded) / rows.spread
        for pair in combinations(np.flatnonzero(model.is_player).tolist(), 2):
            own = np.einsum("nic,i->nc", functions, model.index.weigh_component(pair))
            components[pair] = components.get(pair, 0.0) + own
    names = rows.feature_names
    found = [
        RedundantPair((names[one], names[other]), float(component.var(axis=0).mean()))
        for (one, other), component in components.items()
    ]
    found = [each for each in found if each.share >= _MIN_SHARE]
    return tuple(sorted(found, key=lambda each: -each.share)[:MAX_PAIRS])


