"""A summary as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from ..fitted.shortening import clean
from ..trust.words import percent
from .summary import Summary
from .words import VERDICTS, describe_verdict, list_ladder, list_segments

# What Markdown reads as markup; an underscore within a word is none.
_MARKS = re.compile(r"[\\`*\[\]|#~!$]|(?<!\w)_|_(?!\w)|(?<=:)//|(?<=www)\.|@|^[-+](?=\s)|(?<=^\d)[.)](?=\s)")
# Features and pairs that are listed.
_MAX_LISTED = 20


def render_markdown(summary: Summary, title: str = "Model report") -> str:
    """Verdict, ladder, importances, pairs and worst parts of the rows as text."""
    explained = escape_markdown(summary.fitted.output_transform)
    parts = [f"# {escape_markdown(title)}", f"Explained: {explained}.", *_say_verdict(summary)]
    if summary.importance:
        parts += [f"## What matters\n\nMean absolute Shapley value on {summary.n_rows:,} rows.", _list_importance(summary)]
    pairs = [term for term in summary.terms if len(term.columns) > 1][:_MAX_LISTED]
    if pairs:
        rows = ([escape_markdown(term.name), *(f"{size:.4g}" for size in term.importance)] for term in pairs)
        told = "Mean absolute effect beyond those of the single features, the strongest first."
        parts += [f"## Interactions\n\n{told}", _tabulate(["features", *_name_outputs(summary)], rows)]
    if summary.audit is not None and list_segments(summary.audit):
        segments = (
            [
                escape_markdown(" and ".join(each.conditions)),
                *map(percent, (each.share, max(each.carried.value, 0.0), each.lost)),
            ]
            for each in list_segments(summary.audit)
        )
        header = ["where", "share of the rows", "carried there", "share of all that is left unexplained"]
        parts += ["## Where explanations are weakest", _tabulate(header, segments)]
    return "\n\n".join(parts) + "\n"


def _say_verdict(summary: Summary) -> list[str]:
    note = [escape_markdown(summary.audit_note)] if summary.audit_note else []
    if summary.audit is None:
        return ["**Not judged.**", *note]
    header, *rows = list_ladder(summary.audit)
    sentences = "\n".join(f"- {escape_markdown(sentence)}" for sentence in summary.audit.summary().splitlines())
    verdict = f"**{VERDICTS[summary.audit.verdict]}** {describe_verdict(summary.audit)}"
    return [verdict, sentences, *note, "## The ladder", _tabulate(header, rows)]


def _name_outputs(summary: Summary) -> list[str]:
    names = summary.fitted.output_names
    return [escape_markdown(name) for name in names] if len(names) > 1 else ["effect"]


def _list_importance(summary: Summary) -> str:
    sizes = np.array(summary.importance)
    ranked = np.argsort(-sizes.sum(axis=1), kind="stable")[:_MAX_LISTED]
    names = summary.fitted.feature_names
    return _tabulate(
        ["feature", *_name_outputs(summary)],
        ([escape_markdown(names[player]), *(f"{size:.4g}" for size in sizes[player])] for player in ranked),
    )


def _tabulate(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape_markdown(text: str) -> str:
    """Text that is shown as it is: no markup of Markdown, no HTML, and no end of the cell it stands in."""
    marked = _MARKS.sub(r"\\\g<0>", clean(text))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
