"""Pairs of features that predict each other: they interact under masks though no value needs both."""

from dataclasses import dataclass

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
    chosen = rows.choose(_N_ROWS)
    sets, lookup = model.components
    parts: dict[PresenceSet, list[int]] = {}
    for number, each in enumerate(sets):
        for pair in spell_out(each, model.n_players) if len(each) == 2 else ():
            parts.setdefault(pair, []).append(number)
    if not parts:
        return ()
    values = lookup.apply(take_encoded(rows.encoded, chosen)) / rows.spread
    names = rows.feature_names
    found = [
        RedundantPair((names[pair[0]], names[pair[1]]), float(values[:, numbers].sum(axis=1).var(axis=0).mean()))
        for pair, numbers in parts.items()
    ]
    found = [each for each in found if each.share >= _MIN_SHARE]
    return tuple(sorted(found, key=lambda each: -each.share)[:MAX_PAIRS])


