"""Adult census: the additive classifier at orders 1 and 2 beside boosting, boosting of pairs and an EBM."""

from __future__ import annotations

from ..classifiers import list_classifiers, measure_classifiers
from ..data import load_adult
from ..runner import Bench, Figure, judge

# InstaSHAP's table of adult income, accuracy: an ordinary GAM and its own.
PAPER = {"paper GAM": 0.842, "paper InstaSHAP GAM": 0.843}


def run(bench: Bench) -> dict[str, Figure]:
    """Figures on the file's own test rows, and how far order 2 is above boosting that may use the same pairs."""
    split = load_adult(bench, bench.choose(None, 1500))
    figures = measure_classifiers(list_classifiers(bench, (1, 2)), split)
    for what in ("accuracy", "AUC"):
        ours, peer = (figures[f"{name}: {what}"]["figure"] for name in ("order 2", "HistGB pairwise"))
        figures[f"order 2: {what} above HistGB pairwise"] = judge(ours - peer)
    return figures | {f"{name}: accuracy": judge(value) for name, value in PAPER.items()}
