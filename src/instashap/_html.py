"""Small pieces of HTML for notebooks: self-contained, without scripts, in the colours of the page around them."""

from __future__ import annotations

import html
import zlib
from collections.abc import Sequence
from typing import Any

# Text inherits the page's colour, lines and tints are translucent: readable on white and on black. The box scrolls in itself.
_STYLE = (
    ".instashap{font:13px/1.45 system-ui,sans-serif;color:inherit;max-width:100%;max-height:32em;overflow:auto;padding:2px}"
    ".instashap p,.instashap ul{margin:.35em 0}.instashap ul{padding-left:1.4em}.instashap small{opacity:.75}"
    ".instashap table{border-collapse:collapse;margin:.4em 0;font-size:12px;font-variant-numeric:tabular-nums;color:inherit}"
    ".instashap th,.instashap td{padding:3px 9px;text-align:right;vertical-align:top;white-space:nowrap;border:0;"
    "border-bottom:1px solid rgba(128,128,128,.35);color:inherit}"
    ".instashap th:first-child,.instashap td:first-child{text-align:left}"
    ".instashap label{margin-right:.9em;cursor:pointer}"
)
# With a class of its own, so that the tables of a documentation site keep their width to themselves.
TABLE = "<table class='instashap-table'>"
# Colours of a value that raises and one that lowers the output, as in the plots, and the strongest tint.
_RAISES, _LOWERS, _STRONGEST = "213,94,0", "0,114,178", 0.6
# White text on these has a contrast of at least 4.5.
_VERDICTS = {"safe": "#1a7f37", "caution": "#9a6700", "unsafe": "#cf222e"}


def escape(text: Any) -> str:
    """Text of the data, harmless in HTML."""
    return html.escape(str(text))


def wrap(*parts: str, style: str = "") -> str:
    """The parts in one box with its own style."""
    return f"<div class='instashap'><style>{_STYLE}{style}</style>{''.join(parts)}</div>"


def make_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML; a cell that begins with ``<td`` has its own tag."""
    head = "".join(f"<th>{cell}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(c if c.startswith('<td') else f'<td>{c}</td>' for c in row)}</tr>" for row in rows)
    return f"{TABLE}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def tint(value: float, largest: float, content: str) -> str:
    """A cell in the colour of a value."""
    return f"<td style='background:{colour_of(value, largest)}'>{content}</td>"


def colour_of(value: float, largest: float) -> str:
    """Colour of a value's sign, the stronger the larger its share of ``largest``; text is readable on all of them."""
    strength = _STRONGEST * min(abs(value) / largest, 1.0) if largest > 0 else 0.0
    return f"rgba({_RAISES if value > 0 else _LOWERS},{strength:.2f})"


def make_bar(share: float, content: str) -> str:
    """A cell with a bar behind its content, from the left to ``share`` of its width."""
    width = 100 * min(max(share, 0.0), 1.0)
    fill = f"linear-gradient(90deg,rgba(0,114,178,.35) {width:.0f}%,transparent {width:.0f}%)"
    return f"<td style='background:{fill}'>{content}</td>"


def make_badge(verdict: str, text: str) -> str:
    """A verdict in its colour."""
    return f"<span style='background:{_VERDICTS[verdict]};color:#fff;border-radius:4px;padding:1px 8px'>{escape(text)}</span>"


def make_choice(views: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Views of which one is seen, chosen by name without a script; returns the HTML and the style it needs.

    Parameters
    ----------
    views : sequence of (str, str)
        Name and HTML of each. Where styles are removed, as on some web pages, all are seen, one below the other.
    """
    if len(views) == 1:
        return views[0][1], ""
    key = f"i{zlib.crc32(''.join(content for _, content in views).encode()):08x}"  # the same in every run
    buttons, pages, style = [], [], f".{key}{{display:none}}"
    for place, (name, content) in enumerate(views):
        own = f"{key}-{place}"
        checked = " checked" * (place == 0)
        buttons.append(f"<input type='radio' name='{key}' id='{own}'{checked}><label for='{own}'>{escape(name)}</label>")
        pages.append(f"<div class='{key} {key}-{place}'>{content}</div>")
        style += f"#{key}-{place}:checked~.{key}-{place}{{display:block}}"
    return "".join([*buttons, *pages]), style
