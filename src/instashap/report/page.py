"""A summary as one HTML page that predicts and explains rows itself: tables, scorer, charts and text in a single file."""

from __future__ import annotations

import html
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from .. import __version__
from .._sentences import percent
from ..export.scorer_tables import pack_payload, write_javascript_json
from ..export.script_files import read_resource
from ..fitted.meaning import explain_game
from ..fitted.shortening import shorten_all
from ..trust.words import describe_quality
from .sentences import RELATIONS_NOTE, VERDICTS, explain_no_intervals, explain_verdict, list_ladder, list_segments
from .summary import Summary, keep_terms

# Largest size of the tables in a page (a third more as text), so that all is within 3 MB and can be sent by mail; the weakest
# interactions are left out beyond it.
MAX_TABLE_BYTES = 1_520_000
# Lengths in characters for which page.js needs shortened names.
_LENGTHS = (14, 18, 20, 24, 30, 40)
_LIBRARIES = ("vendor/d3.min.js", "vendor/plot.umd.min.js")


def render_page(summary: Summary, title: str = "Model report") -> str:
    """HTML that holds all data and scripts; it loads nothing from elsewhere."""
    payload = write_javascript_json(_make_payload(summary, title))
    parts = {
        "title": html.escape(title),
        "style": _read("page.css"),
        "verdict": _bind_percent(_render_verdict(summary)),
        "segments": _bind_percent(_render_segments(summary)),
        "about": _render_about(summary),
        "data": payload.replace("<", "\\u003c"),  # so that text of the data cannot end its element
        "scripts": "".join(f"<script>\n{script}\n</script>\n" for script in _list_scripts()),
    }
    page = _read("page.html")
    for name, part in parts.items():
        head, tail = page.split(f"<!--{name}-->")
        page = head + part + tail
    return page


def _bind_percent(text: str) -> str:
    """Text with non-breaking spaces before percent signs."""
    return text.replace(" %", "\u00a0%")


def _list_scripts() -> list[str]:
    return [*map(_read, _LIBRARIES), read_resource("scorer.js"), _read("misses.js"), _read("page.js")]


def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _make_payload(summary: Summary, title: str) -> dict[str, Any]:
    numbers, lost = _fit_tables(summary)
    places = {number: place for place, number in enumerate(numbers)}
    fitted, arrays = pack_payload(keep_terms(summary.fitted, numbers))
    return {
        "title": title,
        "fitted": fitted,
        "arrays": arrays,
        "terms": [{**asdict(term), "number": places[term.number]} for term in summary.terms if term.number in places],
        "nLeftOut": len(summary.terms) - len(numbers),
        "lost": lost,
        "columns": [asdict(column) for column in summary.columns],
        "importance": summary.importance,
        "rows": summary.shown_rows,
        "rowNumbers": summary.shown_numbers,
        "rowLabels": summary.shown_labels,
        "short": _shorten_names(summary),
        "nRows": summary.n_rows,
        "rowOutputs": summary.shown_outputs,
        "rowOutcomes": summary.shown_outcomes,
        **_pack_results(summary),
        "noIntervals": "" if any(term.errors for term in summary.terms) else explain_no_intervals(summary.fitted),
        "meaning": explain_game(summary.fitted.game),
        "isExact": summary.fitted.is_exact,
        "redundant": [list(pair.features) for pair in summary.audit.redundancy] if summary.audit is not None else [],
        "nearness": summary.nearness,
        "marginal": summary.marginal,
        "opposite": summary.opposite,
    }


def _pack_results(summary: Summary) -> dict[str, Any]:
    """What is known of the rows: points of the charts, drivers, and by what the row explorer's rows can be ordered."""
    shown, asked = summary.shown, summary.row_outputs
    truths = None if shown is None else shown.truths
    return {
        "rowPredictions": [] if shown is None else shown.predictions.tolist(),
        "rowResponses": [] if shown is None else shown.responses.tolist(),
        "rowTruths": [] if truths is None else [[None if each != each else each for each in own] for own in truths.tolist()],
        "results": None if asked is None else {**asked.pack(summary.shown_numbers), "nRows": len(asked.numbers)},
        "drivers": [[asdict(driver) for driver in each] for each in summary.drivers],
    }


def _shorten_names(summary: Summary) -> dict[int, dict[str, str]]:
    """Short forms of long names and levels, by length; different levels of a column have different short forms."""
    texts = [[column.name for column in summary.columns], list(summary.fitted.feature_names), summary.shown_labels]
    texts += [list(map(str, column.levels)) for column in summary.columns]
    found: dict[int, dict[str, str]] = {length: {} for length in _LENGTHS}
    for length, known in found.items():
        for group in texts:
            known |= {text: short for text, short in zip(group, shorten_all(group, length), strict=True) if len(text) > length}
    return found


def _fit_tables(summary: Summary) -> tuple[list[int], float | None]:
    """Terms whose tables the page can hold, without the weakest interactions, and the share of all effects left out."""
    tables = summary.fitted.model.tables
    n_bytes = sum(table.nbytes for table in tables)
    kept = set(range(len(tables)))
    weakest = sorted((term for term in summary.terms if len(term.columns) > 1), key=lambda term: sum(term.importance))
    for term in weakest:
        if n_bytes <= MAX_TABLE_BYTES:
            break
        kept.remove(term.number)
        n_bytes -= tables[term.number].nbytes
    if len(kept) == len(tables):
        return sorted(kept), None
    total = sum(sum(term.importance) for term in summary.terms)
    lost = sum(sum(term.importance) for term in summary.terms if term.number not in kept)
    return sorted(kept), lost / total if total else 0.0


def _render_verdict(summary: Summary) -> str:
    """The first screen: quality of the model, verdict on the explanations, three drivers; everything else is folded."""
    note = f"<p class='note'>{html.escape(summary.audit_note)}</p>" if summary.audit_note else ""
    if summary.relations:
        note += f"<p class='note'>{RELATIONS_NOTE} {html.escape('; '.join(summary.relations))}.</p>"
    drivers = (
        "<div class='fact wide'><h3>What drives the predictions?</h3><ul id='drivers'></ul>"
        "<p class='note' id='drivers-note' hidden></p></div>"
    )
    if summary.audit is None:
        word = "<p class='verdict unknown'><strong class='word'>Not judged</strong></p>"
        return f"<div class='facts'>{_make_fact('Can the explanations be trusted?', word + note, 'wide')}{drivers}</div>"
    verdict, reason = summary.audit.verdict, html.escape(explain_verdict(summary.audit))
    header, *rows = list_ladder(summary.audit)
    head = "".join(f"<th scope='col'>{html.escape(cell)}</th>" for cell in header)
    body = "".join(_render_rung(row) for row in rows)
    sentences = "".join(f"<li>{html.escape(each)}</li>" for each in summary.audit.summary().splitlines())
    word = f"<strong class='word'>{VERDICTS[verdict]}</strong> <span class='reason'>{reason}</span>"
    judged = _make_fact("Can the explanations be trusted?", f"<p class='verdict {verdict}'>{word}</p>")
    return (
        f"<div class='facts'>{_render_quality(summary)}{judged}{drivers}</div>{note}"
        f"<details><summary>How this was judged</summary>"
        f"<ul class='sentences'>{sentences}</ul>"
        f"<h3>Figures by order</h3><p class='note'>Explanations by single features, and by pairs or triples if these were "
        f"audited, with 90 % intervals.</p><div class='scroll' tabindex='0' role='region' aria-label='Figures by order'>"
        f"<table class='ladder'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
    )


def _make_fact(question: str, content: str, kind: str = "") -> str:
    return f"<div class='fact {kind}'><h3>{question}</h3>{content}</div>"


def _render_quality(summary: Summary) -> str:
    """Whether the model is any good, or that it is not known without labels."""
    found = None if summary.audit is None else summary.audit.quality
    question = "Is the model any good?"
    if found is None or summary.audit is None:
        word = "<strong class='word'>Not measured</strong> No known outcomes were given to compare the model with."
        return _make_fact(question, f"<p class='quality unknown'>{word}</p>")
    kind = {"better than a guess": "better", "worse than a guess": "worse"}.get(found.verdict, "unclear")
    verdict = f"{found.verdict[0].upper()}{found.verdict[1:]}."
    sentence = describe_quality(summary.audit).removesuffix(f": {found.verdict}.")
    told = html.escape(" ".join([f"{sentence}.", *_describe_hits(summary)]))
    return _make_fact(question, f"<p class='quality {kind}'><strong class='word'>{verdict}</strong> {told}</p>")


def _describe_hits(summary: Summary) -> list[str]:
    """How many rows of the single class of a model it finds, and how many of those it names are of it; else nothing."""
    asked, (name, *others) = summary.row_outputs, summary.fitted.output_names
    hits = [] if asked is None or asked.outputs is None or others or name == "output" else asked.count_hits()
    return [
        f"It finds {percent(each['both'] / each['real'])} of the rows that are “{name}”, and of those that it calls so "
        f"{percent(each['both'] / each['named'])} are."
        for each in hits
        if each["real"] and each["named"]
    ]


def _render_rung(row: list[str]) -> str:
    first, *cells = (html.escape(cell) for cell in row)
    return f"<tr><th scope='row'>{first}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _render_segments(summary: Summary) -> str:
    segments = [] if summary.audit is None else list_segments(summary.audit)
    if summary.audit is None:
        return "<p>The weakest segments are known only after an audit.</p>"
    if not segments:
        return "<p>No segment of the rows is explained clearly worse than the others.</p>"
    body = "".join(
        f"<tr><th scope='row'>{html.escape(' and '.join(each.conditions))}</th><td>{percent(each.share)}</td>"
        f"<td>{percent(max(each.carried.value, 0.0))}</td><td>{percent(each.lost)}</td></tr>"
        for each in segments
    )
    return (
        "<p>In these rows the explanations reproduce least of the output. Look at single cases there with care.</p>"
        "<div class='scroll' tabindex='0' role='region' aria-label='Worst segments, a table'><table id='segments-table'><thead>"
        "<tr><th scope='col'>Where</th><th scope='col'>Share of the rows</th>"
        "<th scope='col'>Output reproduced there</th><th scope='col'>Share of all that is left unexplained</th></tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _render_about(summary: Summary) -> str:
    fitted = summary.fitted
    chosen = fitted.facts["chosen"]
    rows = f" fitted to {fitted.facts['n_rows']:,} rows," if "n_rows" in fitted.facts else ""
    shown = (
        f"It holds {len(summary.shown_rows)} rows of the data, for the row explorer. " if summary.shown_numbers else ""
    )
    return html.escape(
        f"Made with instashap {__version__}: an additive model of order {chosen['order']},{rows} {len(summary.terms)} shape "
        f"functions, {fitted.game} game. A feature's value is {explain_game(fitted.game)}. What is explained: "
        f"{fitted.output_transform}. "
        f"{shown}This page works without a connection; nothing entered here leaves it."
    )
