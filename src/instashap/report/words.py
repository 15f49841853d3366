"""An audit as a decision maker reads it: the verdict, the ladder, the worst parts of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..trust.words import interval, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..trust.figures import Figure
    from ..trust.report import Rung, TrustReport
    from ..trust.segments import Segment

VERDICTS = {"safe": "Safe to use.", "caution": "Use with care.", "unsafe": "Do not rely on these explanations alone."}
_STEPS = {0: "nothing: the average alone", 1: "single features", 2: "pairs of features", 3: "triples of features"}
# Figures of labels that are no shares.
_LOSSES = ("log-loss", "Brier")
_HOW = {
    "cross-fitted": "each row was held out of the fit that speaks of it",
    "new rows": "the fit had seen none of them",
    "fitted rows": "the fit had seen them all: there are too few different rows to hold any out",
}


def describe_verdict(report: TrustReport) -> str:
    """What the verdict rests on, in a sentence."""
    return f"Judged on {report.n_rows:,} rows; {_HOW[report.how]}."


def list_ladder(report: TrustReport) -> list[list[str]]:
    """Rungs as text, a header first; columns that nobody fills are left out."""
    rungs = [_describe_rung(report, rung) for rung in report.rungs]
    if report.black_box:
        rungs.append({"": "the model itself", **_compare(report.black_box)})
    fullest = max(rungs, key=len)
    names = list(fullest)
    return [["Explained by", *names[1:]], *([rung.get(name, "–") for name in names] for rung in rungs)]


def _describe_rung(report: TrustReport, rung: Rung) -> dict[str, str]:
    cells = {"": _STEPS[rung.order]}
    cells["Carried of the model"] = interval(rung.carried) if rung.order else percent(rung.carried.value)
    if rung.masked is not None:
        cells["Carried where features are unknown"] = interval(rung.masked.carried)
    if "class agreement" in rung.classes:
        cells["Same class as the model"] = interval(rung.classes["class agreement"])
    cells |= _compare(rung.labels)
    if rung.order:
        cells["Verdict"] = VERDICTS[report.verdicts[rung.order]].rstrip(".")
    return cells


def _compare(figures: Mapping[str, Figure]) -> dict[str, str]:
    """What there is against labels, of the shares."""
    shares = {name.removesuffix(" to labels"): each for name, each in figures.items() if not name.startswith(_LOSSES)}
    return {f"{name} (labels)": interval(each) for name, each in shares.items()}


def list_segments(report: TrustReport) -> list[Segment]:
    """Parts of the rows that the highest order explains badly, the worst first."""
    return sorted(report.rungs[-1].segments, key=lambda segment: segment.carried.value)
