"""Text of an audit for decision makers: the verdict, the figures of each order, the worst segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._sentences import percent
from ..fitted.fit_kind import FitKind
from ..trust.words import describe_doubts, interval, name_rows, write_r2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..fitted.game import FittedGame
    from ..trust.figures import Figure
    from ..trust.report import Rung, TrustReport
    from ..trust.segments import Segment

VERDICTS = {"safe": "Safe to use.", "caution": "Use with care.", "unsafe": "Do not rely on these explanations alone."}
RELATIONS_NOTE = (
    "On the rows of the fit these columns are sums of others, but for rounding. The others determine such a column, "
    "so Shapley values of the conditional game share its effect among all of them:"
)
_STEPS = {0: "the average only", 1: "single features", 2: "pairs of features", 3: "triples of features"}
# Losses, not proportions; figures whose names begin with these are left out of the table.
_LOSSES = ("log-loss", "Brier")


def describe_verdict(report: TrustReport) -> str:
    """The rows on which the verdict is based, in a sentence."""
    return f"Judged on {name_rows(report)}."


# Rows that were judged, in words that need no knowledge of fits.
_ROWS = {
    "new rows": "new rows",
    "cross-fitted": "rows, each explained without having been used before",
    "fitted rows": "rows, the same that the explanations were made from",
}


def explain_verdict(report: TrustReport) -> str:
    """The reason of the verdict in one sentence that names the rows."""
    top, rows = report.rungs[-1], f"{report.n_rows:,} {_ROWS.get(report.how, 'rows')}"
    doubts = describe_doubts(report, top)
    but = f", but {doubts}" if doubts else ""
    if report.rungs[0].carried.value == 1.0:
        return "The model gives every row the same output: there is nothing to explain."
    if report.is_exact:
        return f"The model is its own explanation: the parts of a prediction sum to it exactly{but} (on {rows})."
    if report.judge(top)["prediction"] != "safe":
        also = f", and {doubts}" if doubts else ""
        but = f", less than the {percent(report.thresholds.safe_carried)} that “safe” asks for{also}"
    return f"They account for {interval(top.carried)} of the differences between the model's predictions (on {rows}){but}."


def explain_no_intervals(fitted: FittedGame) -> str:
    """Why the shapes of a game have no intervals, and what to do; a sentence for the page."""
    if fitted.record is not None:
        return "No intervals: their tables would be too large."
    if fitted.rows is not None and fitted.rows.replicate is not None:
        return "No intervals: for a fit to labels, explain a row with errors=True before the report is written."
    if fitted.kind in (FitKind.LIKELIHOOD, FitKind.EDITED):
        return (
            "No intervals: those of a fit to labels, or after an edit, stay in the process that fitted; write the report "
            "there, after a row is explained with errors=True."
        )
    if fitted.kind is FitKind.REPRODUCED:
        return "No intervals: these are the curves of an additive model as it is."
    if fitted.kind.explain_missing(fitted.game):
        return "No intervals: they are known for the conditional game only."
    return "No intervals: the file holds none; save(path, errors=True) after the fit stores what they need."


def list_ladder(report: TrustReport) -> list[list[str]]:
    """Figures of each order as text, after a header; columns without any figure are left out."""
    rungs = [_describe_rung(report, rung) for rung in report.rungs]
    if report.black_box:
        rungs.append({"": "the model itself", **_compare(report.black_box)})
    fullest = max(rungs, key=len)
    names = list(fullest)
    return [["Explained by", *names[1:]], *([rung.get(name, "–") for name in names] for rung in rungs)]


def _describe_rung(report: TrustReport, rung: Rung) -> dict[str, str]:
    cells = {"": _STEPS[rung.order]}
    cells["Output reproduced"] = interval(rung.carried) if rung.order else percent(rung.carried.value)
    if rung.attribution is not None:
        cells["R² of the Shapley values"] = write_r2(rung.attribution.r2)
    if rung.masked is not None:
        cells["From some of the features"] = interval(rung.masked.carried)
    if "class agreement" in rung.classes:
        cells["Same class as the model"] = interval(rung.classes["class agreement"])
    cells |= _compare(rung.labels)
    if rung.order:
        cells["Verdict"] = VERDICTS[report.verdicts[rung.order]].rstrip(".")
    return cells


def _compare(figures: Mapping[str, Figure]) -> dict[str, str]:
    """Figures against labels that are proportions, by column name."""
    shares = {name.removesuffix(" to labels"): each for name, each in figures.items() if not name.startswith(_LOSSES)}
    return {f"{name} (labels)": interval(each) for name, each in shares.items()}


def list_segments(report: TrustReport) -> list[Segment]:
    """Segments of the rows that the highest order explains badly, the worst first."""
    return sorted(report.rungs[-1].segments, key=lambda segment: segment.carried.value)
