"""A summary as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from .._sentences import percent
from ..fitted.meaning import explain_game
from ..fitted.shortening import clean
from .sentences import RELATIONS_NOTE, VERDICTS, describe_verdict, list_ladder, list_segments
from .summary import Summary

# Characters that Markdown interprets as markup; an underscore within a word is not.
_MARKS = re.compile(r"[\\`*\[\]|#~!$]|(?<!\w)_|_(?!\w)|(?<=:)//|(?<=www)\.|@|^[-+](?=\s)|(?<=^\d)[.)](?=\s)")
# Largest number of listed features, and of listed pairs.
_MAX_LISTED = 20


def render_markdown(summary: Summary, title: str = "Model report") -> str:
    """The verdict, the figures of each order, importances, pairs and the worst segments as text."""
    explained = escape_markdown(summary.fitted.output_transform)
    parts = [f"# {escape_markdown(title)}", f"Explained: {explained}.", *_describe_verdict(summary)]
    if summary.relations:
        listed = "\n".join(f"- {escape_markdown(each)}" for each in summary.relations)
        parts += [f"## Columns that others determine\n\n{RELATIONS_NOTE}\n\n{listed}"]
    if summary.importance:
        meaning = explain_game(summary.fitted.game)
        note = f"Mean absolute Shapley value on {summary.n_rows:,} rows; a value is {meaning}."
        parts += [f"## Importance of features\n\n{note}", _list_importance(summary)]
    pairs = [term for term in summary.terms if len(term.columns) > 1][:_MAX_LISTED]
    if pairs:
        rows = ([escape_markdown(term.name), *(f"{size:.4g}" for size in term.importance)] for term in pairs)
        note = "Mean absolute effect beyond those of the single features, the strongest first."
        parts += [f"## Interactions\n\n{note}", _tabulate(["features", *_name_outputs(summary)], rows)]
    if summary.audit is not None and list_segments(summary.audit):
        segments = (
            [
                escape_markdown(" and ".join(each.conditions)),
                *map(percent, (each.share, max(each.carried.value, 0.0), each.lost)),
            ]
            for each in list_segments(summary.audit)
        )
        header = ["where", "share of the rows", "output reproduced there", "share of all that is left unexplained"]
        parts += ["## Where explanations are weakest", _tabulate(header, segments)]
    return "\n\n".join(parts) + "\n"


def _describe_verdict(summary: Summary) -> list[str]:
    note = [escape_markdown(summary.audit_note)] if summary.audit_note else []
    if summary.audit is None:
        return ["**Not judged.**", *note]
    header, *rows = list_ladder(summary.audit)
    sentences = "\n".join(f"- {escape_markdown(sentence)}" for sentence in summary.audit.summary().splitlines())
    verdict = f"**{VERDICTS[summary.audit.verdict]}** {describe_verdict(summary.audit)}"
    return [verdict, sentences, *note, "## Figures by order", _tabulate(header, rows)]


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
    """Text with everything escaped that Markdown or HTML would interpret, including the end of a table cell."""
    marked = _MARKS.sub(r"\\\g<0>", clean(text))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
