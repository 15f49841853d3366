"""An audit in sentences that a decision maker can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .figures import Figure
from .missing import MissingTerm

if TYPE_CHECKING:
    from .report import Rung, TrustReport

_WITH = {1: "single features", 2: "pairs", 3: "triples"}
_ADVICE = {"safe": "safe to use", "caution": "use with care", "unsafe": "do not use them alone"}
# Shares of what a coalition size leaves below which a gap is not worth a sentence.
_SMALL_GAP = 0.02


def summarise(report: TrustReport) -> str:
    """Sentences, one a line: verdict, ladder, what is missing, masked games, where, stability."""
    *lower, top = [rung for rung in report.rungs if rung.order]
    lines = [_say_verdict(report, lower, top)]
    for rung in (*lower, top):
        lines += _say_missing(rung)
    lines += _say_classes(top)
    lines += _say_masked(report, lower, top)
    lines += _say_segments(report, top)
    lines += _say_labels(report, top)
    lines += _say_stability(report)
    return "\n".join(line for line in lines if line)


def percent(share: float) -> str:
    """A share in percent: more digits near its ends, where they matter."""
    n_digits = 2 if 0.999 <= share < 1 else 1 if share > 0.97 or abs(share) < 0.1 else 0
    text = f"{100 * share:.{n_digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %".replace("-0 %", "0 %")


def interval(figure: Figure) -> str:
    """A share with its 90 % interval."""
    low, high = percent(figure.low).removesuffix(" %"), percent(figure.high)
    if figure.low > 0.9995:
        return "100 %" if figure.value > 1 - 1e-9 else "over 99.9 %"
    return f"{percent(figure.value)} ({low} to {high})"


def join(parts: Sequence[str], last: str = "and") -> str:
    """Names as a list in a sentence."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def _say_verdict(report: TrustReport, lower: list[Rung], top: Rung) -> str:
    if report.rungs[0].carried.value == 1.0:
        return "The model gives every row the same output: there is nothing to explain."
    said: list[str] = []
    for rung in (*lower, top):
        verdict = report.verdicts[rung.order]
        subject = f"Order-{rung.order} Shapley values carry" if not said else f"With {_WITH[rung.order]}:"
        unit = " of this model" if not said else ""
        said.append(f"{subject} {interval(rung.carried)}{unit}; {_advise(report, rung, verdict)}.")
    return " ".join(said)


def _advise(report: TrustReport, rung: Rung, verdict: str) -> str:
    parts = report.judge(rung)
    weak = [what for what, own in parts.items() if own == verdict]
    if verdict == "safe" or "prediction" in weak:
        return _ADVICE[verdict]
    reasons = {
        "attribution": "the values of partly known rows, which attributions are made of, are not told well enough",
        "classes": "too many rows land in another class",
        "segments": "some parts of the rows are explained badly",
        "held-out rows": "no rows were held out of the fit, so nothing shows how it does on new rows",
    }
    return f"{_ADVICE[verdict]}: {join([reasons[what] for what in weak])}"


def _say_missing(rung: Rung) -> list[str]:
    if not rung.missing:
        return []
    shown = rung.missing[:3]
    sizes = {len(term.columns) for term in shown}
    kind = {2: "pair", 3: "triple"}[sizes.pop()] if len(sizes) == 1 else "term"
    names = join([term.name for term in shown])
    gain = sum(term.gain for term in shown)
    if len(shown) == 1:
        return [f"Order {rung.order} lacks the {kind} {names}, which would add at least {_points(gain)}."]
    return [f"Order {rung.order} lacks the {kind}s {names}, which together would add at least {_points(gain)}{_split(shown)}."]


def _split(terms: Sequence[MissingTerm]) -> str:
    return f" ({', '.join(_number(term.gain) for term in terms)})"


def _number(gain: float) -> str:
    return f"{100 * gain:.1f}" if gain < 0.02 else f"{100 * gain:.0f}"


def _points(gain: float) -> str:
    number = _number(gain)
    return f"{number} point{'' if number == '1' else 's'}"


def _say_classes(top: Rung) -> list[str]:
    if "class agreement" not in top.classes:
        return []
    same = top.classes["class agreement"]
    line = f"The explained model puts {interval(same)} of the rows in the class the model puts them in."
    weak = [each for each in top.outputs if each.agreement is not None]
    if len(weak) > 1:
        worst = min(weak, key=lambda each: each.agreement or 0.0)
        line += f" The weakest class is {worst.name!r}: {percent(worst.agreement or 0.0)} of its rows stay in it."
    return [line]


def _say_masked(report: TrustReport, lower: list[Rung], top: Rung) -> list[str]:
    lines = []
    known = [(rung, rung.masked) for rung in (*lower, top) if rung.masked is not None]
    if known:
        shares = join([f"order {rung.order} carries {interval(masked.carried)}" for rung, masked in known])
        lines.append(f"Of what some features tell while others are unknown, which attributions are made of, {shares}.")
    for rung, masked in known:
        if masked.plain is not None and masked.plain < min(masked.carried.low - 0.01, report.thresholds.safe_attribution):
            lines.append(
                f"Attributions read off the order-{rung.order} shape functions alone, as of a plain additive model, would "
                f"carry {percent(masked.plain)} of it: features here foretell each other (redundancy)."
            )
    if report.redundancy:
        names = join([pair.name for pair in report.redundancy[:3]])
        lines.append(f"Features that tell some of the same: {names}.")
    if top.masked is not None and top.masked.sizes:
        worst = max(top.masked.sizes, key=lambda each: each.gap.value)
        if worst.gap.value > _SMALL_GAP:
            lines.append(
                f"The largest gap is at {worst.size} known features: {_points(worst.gap.value)} of variance, "
                f"{_number(worst.representation)} because of the order (representation), {_number(worst.estimation)} because "
                "of the rows (estimation), none because of the optimiser."
            )
    return lines


def _say_segments(report: TrustReport, top: Rung) -> list[str]:
    return [
        f"Worst where {join(segment.conditions)}: in these {percent(segment.share)} of the rows "
        f"{percent(max(segment.carried.value, 0.0))} is carried, and {percent(segment.lost)} of everything left unexplained "
        "lies there."
        for segment in top.segments
        if segment.carried.value < report.thresholds.safe_carried
    ]


def _say_labels(report: TrustReport, top: Rung) -> list[str]:
    if not report.black_box:
        return []
    name, own = next(iter(report.black_box.items()))
    what = name.removesuffix(" to labels")
    top_score = interval(top.labels[name])
    return [f"Against the labels the model's {what} is {interval(own)}, that of order {top.order} {top_score}."]


def _say_stability(report: TrustReport) -> list[str]:
    stability = report.stability
    if stability is None or not stability.masked > 0:
        return []
    compared = (
        f"{stability.ratio:.1f} times steadier than a plain additive model's"
        if stability.ratio >= 1.05
        else "about as steady as a plain additive model's"
    )
    return [f"Other rows would move a shape by {percent(stability.masked)} of the output's spread: {compared}."]
