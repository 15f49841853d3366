"""Tree cover: the additive classifier of seven classes at orders 1 and 2, beside boosting of the same labels."""

from __future__ import annotations

from ..classifiers import list_classifiers, measure_classifiers
from ..data import N_COVER, load_cover
from ..runner import Bench, Figure, judge

# InstaSHAP's table of tree cover, accuracy; its sample of rows is another one.
PAPER = {"paper order 1": 0.724, "paper order 2": 0.822, "paper MLP": 0.804}


def run(bench: Bench) -> dict[str, Figure]:
    """Figures on 40 538 held-out rows, and the paper's accuracies for reference."""
    split = load_cover(bench, bench.choose(N_COVER, 3000))
    figures = measure_classifiers(list_classifiers(bench, bench.choose((1, 2), (1,)), ebm=False), split)
    return figures | {f"{name}: accuracy": judge(value) for name, value in PAPER.items()}
