"""A report as text for a terminal, and as HTML for a notebook."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from .._html import escape, make_badge, make_table, wrap
from .._sentences import percent
from .figures import Figure
from .words import interval, name_rows, write_r2

if TYPE_CHECKING:
    from .report import TrustReport

_WIDTH, _LEAST_WIDTH = 100, 40
# Width where the text goes to a file or a pipe.
_NO_TERMINAL = 100_000
_HOW = {
    "cross-fitted": "each held out of the fit that is judged by it",
    "new rows": "none of them fitted",
    "fitted rows": "the fitted ones: too few different rows to hold any out",
}


def render_text(report: TrustReport) -> str:
    """Verdict, sentences and a table, in lines as wide as the terminal, at most 100 characters and at least 40.

    A table that is wider than the terminal becomes an item for each order; a file takes a table of any width.
    """
    columns = max(shutil.get_terminal_size((_NO_TERMINAL, 24)).columns, _LEAST_WIDTH)
    width = min(columns, _WIDTH)
    verdicts = ", ".join(f"order {order} {verdict}" for order, verdict in report.verdicts.items())
    head = textwrap.wrap(f"Trust: {verdicts}, on {name_rows(report)}", width)
    lines = [*head, *textwrap.wrap(f"({_describe(report)})", width), ""]
    for sentence in report.summary().splitlines():
        lines += _wrap_item(sentence, width)
    return "\n".join([*lines, "", *_lay_out(_collect_cells(report), columns)])


def _wrap_item(sentence: str, width: int) -> list[str]:
    tied = sentence.replace(" %", "\u00a0%")  # keeps a number and its sign on one line
    wrapped = textwrap.wrap(tied, width, initial_indent="- ", subsequent_indent="  ")
    return [line.replace("\u00a0", " ") for line in wrapped]


def _lay_out(cells: list[list[str]], width: int) -> list[str]:
    """The cells as a table, or, if it is wider than the terminal, as a sentence for each row."""
    header, *rows = cells
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    table = ["  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in cells]
    if max(map(len, table)) <= width:
        return table
    lines: list[str] = []
    for label, *row in rows:
        figures = "; ".join(f"{name} {cell}" for name, cell in zip(header[1:], row, strict=True) if cell)
        lines += _wrap_item(f"{label}: {figures}", min(width, _WIDTH))
    return lines


def render_sentences(report: TrustReport) -> str:
    """What was judged, on which rows, and the findings: whole sentences, one a line, without a table."""
    meaning = {"safe": "safe to use", "caution": "to be used with care", "unsafe": "not to be relied on alone"}
    orders = {0: "the average", 1: "single features", 2: "pairs", 3: "triples"}
    judged = [f"explanations by {orders[order]} are {meaning[verdict]}" for order, verdict in report.verdicts.items()]
    head = f"Trust report on explanations of: {_describe(report)}."
    return "\n".join([head, f"Verdict: {'; '.join(judged)}." if judged else "", report.summary()]).replace("\n\n", "\n")


def render_html(report: TrustReport) -> str:
    """The same as a fragment of HTML."""
    header, *rows = _collect_cells(report)
    badges = " ".join(make_badge(verdict, f"order {order}: {verdict}") for order, verdict in report.verdicts.items())
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in report.summary().splitlines())
    table = make_table([escape(cell) for cell in header], [[escape(cell) for cell in row] for row in rows])
    about = f"<small>{escape(_describe(report))}</small>"
    return wrap(f"<p><b>Trust</b> on {name_rows(report)} {badges}</p>", f"<ul>{sentences}</ul>", table, f"<p>{about}</p>")


def name_report(report: TrustReport) -> str:
    """The report on one line: its verdicts, rows and scale."""
    verdicts = ", ".join(f"order {order} {verdict}" for order, verdict in report.verdicts.items())
    return f"TrustReport: {verdicts}; {name_rows(report)}; {report.output_transform}"


def _describe(report: TrustReport) -> str:
    return f"{report.output_transform}; {report.n_rows:,} rows, {_HOW[report.how]}; intervals hold 90 %"


def _collect_cells(report: TrustReport) -> list[list[str]]:
    """The figures of each order as text, a header first; columns that nobody fills are left out."""
    columns = ["reproduced", "attribution R²", "partly known", "plain"]
    names = list(dict.fromkeys(name for rung in report.rungs for name in (*rung.classes, *rung.labels)))
    cells = {"model": {name: _show(name, figure) for name, figure in report.black_box.items()}} if report.black_box else {}
    for rung in report.rungs:
        figures = {name: _show(name, figure) for name, figure in {**rung.classes, **rung.labels}.items()}
        own = {"reproduced": interval(rung.carried) if rung.order else percent(rung.carried.value), **figures}
        if rung.attribution is not None:
            own["attribution R²"] = write_r2(rung.attribution.r2)
        if rung.masked is not None:
            own["partly known"] = interval(rung.masked.carried)
            if rung.masked.plain is not None:
                own["plain"] = percent(max(rung.masked.plain, 0.0))
        if rung.order:
            own["verdict"] = report.verdicts[rung.order]
        cells[f"order {rung.order}"] = own
    used = [name for name in (*columns, *names, "verdict") if any(name in own for own in cells.values())]
    return [["", *used], *([label, *(own.get(name, "") for name in used)] for label, own in cells.items())]


def _show(name: str, figure: Figure) -> str:
    if name.startswith(("log-loss", "Brier")):
        return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})".replace("-0.000", "0.000")
    return interval(figure)
