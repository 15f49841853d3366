"""A report on a change in sentences, and as text, Markdown and HTML."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._sentences import join
from .change_lines import ChangeLine, add_lines

if TYPE_CHECKING:
    from .change_report import ChangeReport

_WIDTH = 100
# The most features that a sentence names.
_MOST_NAMED = 6
# A sum of lines that are noise one by one is named where it is this unlikely to be noise itself.
_SUM_LEVEL = 0.01
# Figures below this share of half of an interval are shown as zero.
_ROUNDING = 1e-4
_RAISES, _LOWERS, _NOISE = "#D55E00", "#0072B2", "#8A8A8A"
_NOTE = (
    "± is half of a 90 % interval; noise is judged for all lines together (5 %). Lines are credits of the conditional game, "
    "not causes: a feature can stand for others that are correlated with it."
)


class Numbers:
    """Figures of a report with the same decimals: three digits of the largest."""

    def __init__(self, values: Sequence[float]) -> None:
        largest = max((abs(value) for value in values), default=0.0)
        self._is_plain = not largest or 1e-4 <= largest < 1e7
        self._decimals = max(2 - int(np.floor(np.log10(largest))), 0) if largest and self._is_plain else 0

    def show(self, value: float, sign: str = "") -> str:
        """A number; ``sign="+"`` also shows a plus."""
        text = f"{value:{sign},.{self._decimals}f}" if self._is_plain else f"{value:{sign}.3g}"
        return (text if text.strip("+-0.,") else text.lstrip("+-")).replace("-", "−")

    def show_line(self, line: ChangeLine) -> str:
        """A line's value with half of its 90 % interval."""
        return f"{self.show(line.shown, '+')} ± {self.show(line.reach)}"


def choose_numbers(report: ChangeReport) -> Numbers:
    """Decimals by the largest of the lines and the change; by half of the interval where all of them are rounding beside it."""
    values = [line.shown for line in (report.total, *report.lines, *report.spread)]
    reach = report.total.reach
    return Numbers([reach] if max(map(abs, values)) < _ROUNDING * reach else values)


def write_sentences(report: ChangeReport) -> list[str]:
    """The findings, one a sentence."""
    numbers = choose_numbers(report)
    sentences = [_describe_change(report, numbers)]
    if report.kind == "both":
        sentences.append(_describe_totals(report, numbers))
    if report.given:
        names = join(report.given)
        sentences.append(f"{names} came first in order: the other lines are what is left given {names}.")
    if report.kind == "models":
        return [*sentences, *_describe_spread(report, numbers), *_describe_segments(report, numbers)]
    for part in dict.fromkeys(line.part for line in report.lines):
        sentences += _describe_part(report, part, numbers)
    if not report.has_fit_errors:
        sentences.append("Errors are those of the rows alone: those of the fit would take too much memory.")
    return sentences


def _describe_change(report: ChangeReport, numbers: Numbers) -> str:
    first, second = report.labels
    end = report.start + report.change
    moves = report.total.shown, report.total.reach
    digits = Numbers(moves if any(moves) else [report.start])
    start, stop, change = digits.show(report.start), digits.show(end), numbers.show_line(report.total)
    if report.kind == "models":
        where = f"on these {report.n_rows[0]:,} rows"
        sides = f"{first} {start}, {second} {stop}"
        if report.total.is_noise:
            return f"The mean {report.what} of the two models does not differ beyond noise {where} ({sides}; {change})."
        return f"The mean {report.what} of {second} is {change} from that of {first} {where} ({sides})."
    rows = [f"{label}, {n_rows:,} rows" for label, n_rows in zip(report.labels, report.n_rows, strict=True)]
    if report.total.is_noise:
        return f"The mean {report.what} does not change beyond noise: {start} ({rows[0]}) and {stop} ({rows[1]}), {change}."
    verb = "rises" if report.change > 0 else "falls"
    return f"The mean {report.what} {verb} from {start} ({rows[0]}) to {stop} ({rows[1]}): {change}."


def _describe_totals(report: ChangeReport, numbers: Numbers) -> str:
    data, model = report.totals
    parts = [
        f"{numbers.show_line(line)} of it is {what}{' (within noise)' if line.is_noise else ''}"
        for line, what in ((data, "the data, under the first model"), (model, f"the model, on the rows of {report.labels[1]}"))
    ]
    return f"{'; '.join(parts)}."


def _describe_part(report: ChangeReport, part: str, numbers: Numbers) -> list[str]:
    """Features of one part beyond noise, the others together, and what is left."""
    lines = [line for line in report.lines if line.part == part]
    features = sorted((line for line in lines if line.is_feature), key=lambda line: -abs(line.value))
    beyond = [line for line in features if not line.is_noise]
    quiet = [line for line in features if line.is_noise]
    whole = next((line for line in report.totals if line.part == part), report.total)
    origin = f" from the {part}" if report.kind == "both" else ""
    change = f"the {numbers.show(whole.value, '+')}{origin}" if not whole.is_noise else f"the change{origin}"
    sentences = []
    if beyond:
        named = [f"{line.name} {numbers.show_line(line)}" for line in beyond[:_MOST_NAMED]]
        more = f" and {len(beyond) - _MOST_NAMED} more features" if len(beyond) > _MOST_NAMED else ""
        if len(beyond) == 1:
            sentences.append(f"Of {change}, {beyond[0].name} explains {numbers.show_line(beyond[0])}.")
        else:
            sentences.append(f"Of {change}, features explain: {join(named)}{more}.")
    sentences += _describe_quiet(quiet, bool(beyond), change, whole, numbers)
    for line in lines:
        if not line.is_feature and not line.is_noise:
            sentences.append(_describe_rest(report, line, numbers))
    return sentences


def _describe_quiet(
    quiet: Sequence[ChangeLine], has_others: bool, change: str, whole: ChangeLine, numbers: Numbers
) -> list[str]:
    """Features within noise, one by one and together."""
    if not quiet:
        return []
    together = add_lines(quiet, "", "")
    n, total = len(quiet), numbers.show_line(together)
    if together.own_p_value < _SUM_LEVEL and not whole.is_noise and n > 1:
        who = f"The other {n} features" if has_others else f"The {n} features"
        return [f"{who} explain {total} together, and none of them alone is beyond noise."]
    if not has_others:
        return [f"No feature explains any of {change} beyond noise."]
    who = f"the other {n} features add" if n > 1 else f"{quiet[0].name} adds"
    return [f"The rest is within noise: {who} {total}{' together' if n > 1 else ''}."]


def _describe_rest(report: ChangeReport, line: ChangeLine, numbers: Numbers) -> str:
    if line.name == "(every row alike)":
        return f"The second model's {report.what} is {numbers.show_line(line)} from the first's for every row alike."
    if report.is_loss:
        return (
            f"{numbers.show_line(line)} is a change at equal features: rows like those before now have another "
            f"{report.what}, which no column explains."
        )
    known = report.fidelities.get(line.part)
    held = "" if known is None else f" (its held-out R² is {known:.3f})"
    return f"{numbers.show_line(line)} is not reproduced by the additive game{held}: a higher order may share it out."


def _describe_spread(report: ChangeReport, numbers: Numbers) -> list[str]:
    lines = sorted(report.spread, key=lambda line: -line.value)
    beyond = [line for line in lines if not line.is_noise]
    known = report.fidelities.get("model")
    held = "" if known is None else f" (held-out R² of the game to the difference {known:.3f})"
    if not beyond:
        return [f"The difference depends on no feature beyond noise{held}."]
    named = [f"{line.name} {numbers.show(line.value)} ± {numbers.show(line.reach)}" for line in beyond[:_MOST_NAMED]]
    more = f", and {len(beyond) - _MOST_NAMED} more" if len(beyond) > _MOST_NAMED else ""
    n_quiet = len(lines) - len(beyond)
    others = "one is" if n_quiet == 1 else f"{n_quiet} are"
    quiet = f" The other {others} within noise." if n_quiet else ""
    return [f"Between rows it depends on (mean size of the value): {', '.join(named)}{more}{held}.{quiet}"]


def _describe_segments(report: ChangeReport, numbers: Numbers) -> list[str]:
    found = sorted((each for each in report.segments if not each.total.is_noise), key=lambda each: -abs(each.total.value))
    sentences = []
    for each in found[:_MOST_NAMED]:
        beyond = sorted((line for line in each.lines if line.is_feature and not line.is_noise), key=lambda x: -abs(x.value))
        by = f"; what sets it apart most is {beyond[0].name} ({numbers.show_line(beyond[0])})" if beyond else ""
        where, value = f"Where {each.name} ({each.n_rows:,} rows)", numbers.show_line(each.total)
        sentences.append(f"{where} the mean difference is {value}{by}.")
    if report.segments and not found:
        sentences.append("In no segment does the mean difference exceed noise.")
    return sentences


def collect_cells(report: ChangeReport) -> list[list[str]]:
    """The table as text, a header first: lines by size, the change last."""
    numbers = choose_numbers(report)
    shows_parts = report.kind == "both"
    lines = list(report.spread) if report.kind == "models" else list(report.lines)
    shown = sorted(lines, key=lambda line: (line.part, not line.is_feature, -abs(line.value)))
    value = "mean size" if report.kind == "models" else "contribution"
    rows = [
        [
            *([line.part] if shows_parts else []),
            line.name,
            numbers.show(line.shown, "" if report.kind == "models" else "+"),
            f"± {numbers.show(line.reach)}",
            "within noise" if line.is_noise else "",
        ]
        for line in shown
    ]
    total = report.total
    last = [*([""] if shows_parts else []), "change", numbers.show(total.shown, "+"), f"± {numbers.show(total.reach)}"]
    noise = "within noise" if total.is_noise else ""
    name = "mean difference" if report.kind == "models" else "change"
    last[-3] = name
    return [[*(["part"] if shows_parts else []), "feature", value, "90 %", ""], *rows, [*last, noise]]


def render_text(report: ChangeReport) -> str:
    """Sentences and a table; lines of at most 100 characters, tables aside."""
    lines = [f"Change of the mean {report.what} ({report.scale})", ""]
    for sentence in write_sentences(report):
        lines += textwrap.wrap(sentence, _WIDTH, initial_indent="- ", subsequent_indent="  ")
    cells = collect_cells(report)
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines.append("")
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([*lines, "", *textwrap.wrap(_NOTE, _WIDTH)])


def render_markdown(report: ChangeReport) -> str:
    """A section of Markdown."""

    def write(cells: Sequence[Any]) -> str:
        return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"

    header, *rows = collect_cells(report)
    sentences = [f"- {sentence}" for sentence in write_sentences(report)]
    table = [write(header), write(["---"] * len(header)), *map(write, rows)]
    return "\n".join([f"## What changed the mean {report.what}", "", *sentences, "", *table, "", f"*{_NOTE}*"])


def render_html(report: ChangeReport) -> str:
    """A section of HTML; each line of the table has a bar."""
    header, *rows = collect_cells(report)
    lines = list(report.spread) if report.kind == "models" else list(report.lines)
    shown = sorted(lines, key=lambda line: (line.part, not line.is_feature, -abs(line.value)))
    largest = max((abs(line.value) for line in [*shown, report.total]), default=0.0) or 1.0
    sentences = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in write_sentences(report))
    head = "".join(f"<th style='text-align:left;padding:2px 12px 2px 0'>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr>{''.join(f'<td style={chr(39)}padding:2px 12px 2px 0{chr(39)}>{html.escape(cell)}</td>' for cell in row)}"
        f"<td>{_draw_bar(line, largest)}</td></tr>"
        for row, line in zip(rows, [*shown, report.total], strict=True)
    )
    title = f"What changed the mean {html.escape(report.what)}"
    return (
        f"<section><h2>{title}</h2><p><small>{html.escape(report.scale)}</small></p><ul>{sentences}</ul>"
        f"<table style='border-collapse:collapse'><thead><tr>{head}<th></th></tr></thead><tbody>{body}</tbody></table>"
        f"<p><small>{html.escape(_NOTE)}</small></p></section>"
    )


def _draw_bar(line: ChangeLine, largest: float) -> str:
    """A bar from the middle: to the right if the line raises the mean."""
    colour = _NOISE if line.is_noise else _RAISES if line.value > 0 else _LOWERS
    width = 100 * abs(line.value) / largest
    left = 100 if line.value >= 0 else 100 - width
    bar = f"position:absolute;left:{left:.1f}px;width:{max(width, 0.5):.1f}px;height:12px;background:{colour}"
    return f"<div style='position:relative;width:200px;height:12px'><div style='{bar}'></div></div>"
