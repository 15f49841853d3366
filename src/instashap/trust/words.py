"""An audit in sentences that a decision maker can read."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from .._sentences import join, percent
from .figures import Figure
from .masked import MaskedFidelity
from .missing import MissingTerm
from .thresholds import take_worst

if TYPE_CHECKING:
    from .report import Rung, TrustReport

_WITH = {1: "single features", 2: "pairs", 3: "triples"}
_ADVICE = {"safe": "safe to use", "caution": "use with care", "unsafe": "do not use them alone"}
# What estimates the outputs for partly known rows, by the name of the reference.
_REFERENCES = {
    "gaussian": "a Gaussian distribution",
    "copula": "a Gaussian copula",
    "mixture": "a mixture of Gaussians",
    "student": "a t copula",
    "neighbours": "the nearest rows",
    "boosting": "boosted trees",
    "polynomial regression": "a polynomial",
    "linear regression": "a linear regression",
    "nearest rows": "an average of the nearest rows",
}
# Shares of what a coalition size leaves below which a gap is not worth a sentence.
_SMALL_GAP = 0.02
_TAILS = (
    "Too much is left open, most often by heavy tails of which too few rows were seen, or by columns that depend on each other "
    "three at once or in waves: no error of the Shapley values themselves can be estimated from these rows."
)


def summarise(report: TrustReport) -> str:
    """Sentences, one a line: verdict, quality of the model, attributions, what is missing, where, labels, stability."""
    *lower, top = [rung for rung in report.rungs if rung.order]
    lines = [_describe_verdict(report, lower, top), describe_quality(report), *_describe_attribution(report, top)]
    for rung in (*lower, top):
        lines += _describe_missing(rung)
    lines += _describe_classes(report, top)
    lines += _describe_masked(report, lower, top)
    lines += _describe_segments(report, top)
    lines += _describe_labels(report, top)
    lines += _describe_stability(report)
    return "\n".join(line for line in lines if line)


def interval(figure: Figure) -> str:
    """A share with its 90 % interval; of one below zero only that it is.

    Examples
    --------
    >>> interval(Figure(0.6, 0.5, 0.7)), interval(Figure(0.1, -3.5, 0.4)), interval(Figure(-3.5, -9.0, -0.2))
    ('60 % (50 to 70 %)', '10 % (below 0 to 40 %)', 'below 0 %')
    >>> interval(Figure(0.961, 0.958, 0.963))
    '96 %'
    """
    if figure.value < 0:  # worse than the mean: how much worse has no scale that ends
        return f"below 0 % (at most {percent(figure.high)})" if figure.high > 0 else "below 0 %"
    low, high = percent(figure.low).removesuffix(" %") if figure.low >= 0 else "below 0", percent(figure.high)
    if figure.low > 0.9995:
        return "100 %" if figure.value > 1 - 1e-9 else "over 99.9 %"
    value = percent(figure.value)
    return value if value == high == f"{low} %" else f"{value} ({low} to {high})"


def write_r2(figure: Figure) -> str:
    """An R² with its 90 % interval as decimals; of one below zero only that it is, and 1.00 only for what is no lower.

    Examples
    --------
    >>> write_r2(Figure(0.912, 0.88, 0.94)), write_r2(Figure(0.2, -1.5, 0.5))
    ('0.91 (0.88 to 0.94)', '0.20 (below 0 to 0.50)')
    >>> write_r2(Figure(0.996, 0.93, 1.0)), write_r2(Figure(0.9999, 0.98, 1.0)), write_r2(Figure(-0.3, -2.0, -0.1))
    ('0.996 (0.93 to 1.00)', 'over 0.999 (0.98 to 1.00)', 'below 0')
    """
    value, low, high = map(_write_decimals, figure)
    return value if value == low == high else f"{value} ({low} to {high})"


def _write_decimals(r2: float) -> str:
    if r2 < 0:
        return "below 0"
    if 0.9995 <= r2 < 1:
        return "over 0.999"
    return f"{r2:.3f}" if 0.99 <= r2 < 1 else f"{r2:.2f}"


def name_rows(report: TrustReport) -> str:
    """The rows that were judged, for example ``"89 new rows"``."""
    how = {"new rows": "new rows", "cross-fitted": "rows held out of the fit", "fitted rows": "rows of the fit"}
    return f"{report.n_rows:,} {how.get(report.how, 'rows')}"


def describe_quality(report: TrustReport) -> str:
    """Whether the model is any good, in a sentence with the guess beside it; empty without labels."""
    found = report.quality
    if found is None:
        return ""
    rows = f"{found.n_rows:,} known outcomes{' it was trained on, which is too good for new ones' if found.is_training else ''}"
    if found.score == "accuracy":
        sentence = (
            f"The model is right for {interval(found.value)} of {rows}; always naming the most frequent class would be "
            f"right for {percent(found.guess)}"
        )
        if found.value.low <= found.guess and found.skill is not None and found.skill.low > 0:
            sentence += ", but its probabilities are better than the frequencies of the classes"
    elif found.score == "deviance explained":
        sentence = (
            f"The model explains {interval(found.value)} of the deviance of {rows}; always naming their mean "
            "would explain none"
        )
    elif found.score == "pinball loss saved":
        sentence = (
            f"The model's quantile saves {interval(found.value)} of the pinball loss that the best single number has on {rows}"
        )
    else:
        sentence = (
            f"The model explains {interval(found.value)} of the differences between {rows}; always naming their mean "
            "would explain none"
        )
    return f"{sentence}: {found.verdict}."


def _describe_verdict(report: TrustReport, lower: list[Rung], top: Rung) -> str:
    if report.rungs[0].carried.value == 1.0:
        return "The model gives every row the same output: there is nothing to explain."
    if report.is_exact:
        return (
            "This model is its own explanation: the average and the values of a row sum to its prediction exactly. "
            f"The values themselves: {_advise(report, top, report.verdict)}."
        )
    sentences: list[str] = []
    for rung in (*lower, top):
        verdict = report.verdicts[rung.order]
        subject = f"Explanations by {_WITH[rung.order]} reproduce" if not sentences else f"With {_WITH[rung.order]}:"
        unit = " of the variance of this model's output" if not sentences else ""
        sentences.append(f"{subject} {interval(rung.carried)}{unit}; {_advise(report, rung, verdict)}.")
    return " ".join(sentences)


def _describe_attribution(report: TrustReport, top: Rung) -> list[str]:
    """What is known of the error of the values themselves."""
    if report.rungs[0].carried.value == 1.0:
        return []
    found = top.attribution
    if found is None:
        if top.masked is not None:
            return [_TAILS] if top.masked.power is not None else []
        return ["Nothing here measures the error of the Shapley values themselves: they were compared with no reference."]
    if not found.biases:
        return []
    asked = f", for which the model was asked about {found.n_calls:,} rows" if found.n_calls else ", without asking the model"
    used = join([_REFERENCES.get(name, name) for name in found.reference.split(", ")])
    return [
        f"The order-{top.order} Shapley values have an estimated R² of {write_r2(found.r2)} to those of the conditional "
        f"game; they were compared with estimates by {used} on {found.n_rows:,} rows{asked}."
    ]


def _advise(report: TrustReport, rung: Rung, verdict: str) -> str:
    doubts = describe_doubts(report, rung)
    return f"{_ADVICE[verdict]}: {doubts}" if doubts else _ADVICE[verdict]


def describe_doubts(report: TrustReport, rung: Rung) -> str:
    """Why an order is not safe, where it is not that it reproduces too little of the output; may be empty."""
    parts = report.judge(rung)
    verdict = take_worst(list(parts.values()))
    weak = [what for what, own in parts.items() if own == verdict]
    if verdict == "safe" or "prediction" in weak:
        return ""
    agreement = rung.classes.get("class agreement")
    differ = "" if agreement is None else f" for {percent(1.0 - agreement.value)} of the rows"
    reasons = {
        "attribution": "how they divide a prediction among the features (the Shapley values) "
        + ("is probably wrong" if verdict == "unsafe" else "may be off"),
        "evidence": "how they divide a prediction among the features (the Shapley values) was compared with nothing"
        if rung.masked is None
        else "too few rows show how far off the division among the features (the Shapley values) is",
        "classes": f"they point to another class than the model{differ}",
        "segments": "some parts of the rows are explained badly",
        "held-out rows": "no rows could be held out of the fit, so nothing shows how it does on new rows",
    }
    return join([reasons[what] for what in weak])


def _describe_missing(rung: Rung) -> list[str]:
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


def _describe_classes(report: TrustReport, top: Rung) -> list[str]:
    if "class agreement" not in top.classes or report.is_exact:
        return []
    same = top.classes["class agreement"]
    line = f"The explanations put {interval(same)} of the rows in the class the model puts them in."
    weak = [each for each in top.outputs if each.agreement is not None]
    if len(weak) > 1:
        worst = min(weak, key=lambda each: each.agreement or 0.0)
        line += f" The weakest class is {worst.name!r}: {percent(worst.agreement or 0.0)} of its rows stay in it."
    return [line]


def _describe_masked(report: TrustReport, lower: list[Rung], top: Rung) -> list[str]:
    lines = []
    known = [(rung, rung.masked) for rung in (*lower, top) if rung.masked is not None]
    if known:
        shares = join([f"{_WITH[rung.order]} explain {interval(masked.carried)}" for rung, masked in known])
        explained = "these can explain" if known[-1][1].power is None else "the estimates they are compared with explain"
        lines.append(f"Values also rest on predictions from some of the features alone; {shares} of what {explained}.")
        lines += _describe_power(*known[-1])
    for rung, masked in known:
        enough = min(masked.carried.low - 0.01, report.thresholds.safe_attribution)
        if masked.plain is not None and max(masked.plain, 0.0) < enough:
            lines.append(
                f"Values read off the order-{rung.order} shape functions alone, as in a plain additive model, would explain "
                f"{percent(masked.plain) if masked.plain > 0 else 'none'} of it: features here predict each other (redundancy)."
            )
    if report.redundancy:
        names = join([pair.name for pair in report.redundancy[:3]])
        lines.append(f"Features that predict each other: {names}.")
    if top.masked is not None and top.masked.sizes:
        worst = max(top.masked.sizes, key=lambda each: each.gap.value)
        if worst.gap.value > _SMALL_GAP:
            lines.append(
                f"The largest gap is at {worst.size} known features: {_points(worst.gap.value)} of variance. Of it "
                f"{_number(worst.estimation)} come from the rows that were drawn (estimation), none from the optimiser, and "
                f"{_number(worst.representation)} from a fit that is too simple (representation): because of its order, or "
                "because these rows allow no more."
            )
    return lines


def _describe_power(rung: Rung, masked: MaskedFidelity) -> list[str]:
    """What a comparison that found nothing could have found."""
    if masked.power is None or masked.carried.value < 1.0:
        return []
    return [
        f"No reference predicts from some of the features better than order {rung.order}: there is no evidence of a gap. One "
        f"that explains {_at_least(masked.power)} more would have been seen; an error that all of them share would not."
    ]


def _at_least(share: float) -> str:
    """A share in percent, rounded up."""
    return percent(ceil(1000 * share) / 1000 if share < 0.1 else ceil(100 * share) / 100)


def _describe_segments(report: TrustReport, top: Rung) -> list[str]:
    return [
        f"Worst where {join(segment.conditions)}: in these {percent(segment.share)} of the rows "
        f"{percent(max(segment.carried.value, 0.0))} of the output is reproduced, and {percent(segment.lost)} of everything "
        "left unexplained lies there."
        for segment in top.segments
        if segment.carried.value < report.thresholds.safe_carried
    ]


def _describe_labels(report: TrustReport, top: Rung) -> list[str]:
    if not report.black_box:
        return []
    name, own = next(iter(report.black_box.items()))
    what = name.removesuffix(" to labels")
    if report.is_exact:
        return []
    top_score = interval(top.labels[name])
    return [f"Against the labels the model's {what} is {interval(own)}, that of order {top.order} {top_score}."]


def _describe_stability(report: TrustReport) -> list[str]:
    stability = report.stability
    if stability is None or not stability.masked > 0:
        return []
    compared = (
        f"{stability.ratio:.1f} times steadier than a plain additive model's"
        if stability.ratio >= 1.05
        else "about as steady as a plain additive model's"
    )
    return [
        f"Had other rows been drawn for the fit, a shape function would move by {percent(stability.masked)} of the output's "
        f"spread: it is {compared}."
    ]
