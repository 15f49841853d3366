"""Explained texts for people: words in colour in notebooks, and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._html import colour_of, escape, make_choice, wrap
from .._sentences import count, join, write_change, write_like, write_number

if TYPE_CHECKING:
    from .text_explanation import TextExplanation

# Numbers of texts and outputs that a notebook shows.
_TEXTS, _OUTPUTS = 10, 12
# Values below this share of the largest one are rounding errors.
_ROUNDING = 1e-9
# Half width of a 90 % interval in standard errors.
_INTERVAL = 1.645


def render_texts(explanation: TextExplanation) -> str:
    """HTML of the first texts: words on the colour of their values, the stronger the larger; a choice of outputs."""
    title = f"<p><b>Shapley values of words</b>: {escape(explanation.output_transform)}<br>"
    title += f"<small>A value is {escape(explanation.meaning)}.</small></p>"
    if not explanation.has_outputs:
        return wrap(title, _render_output(explanation))
    views = [(name, _render_output(explanation.take_output(name))) for name in explanation.output_names[:_OUTPUTS]]
    choice, style = make_choice(views)
    more = len(explanation.output_names) - _OUTPUTS
    return wrap(title, choice, f"<p><small>{more} more outputs</small></p>" if more > 0 else "", style=style)


def _render_output(one: TextExplanation) -> str:
    shown = range(min(len(one), _TEXTS))
    largest = max((float(np.abs(one.values[number]).max()) for number in shown), default=0.0)
    rows = "".join(_render_text(one, number, largest) for number in shown)
    more = len(one) - _TEXTS
    return rows + (f"<p><small>{more:,} more texts</small></p>" if more > 0 else "")


def _render_text(one: TextExplanation, number: int, largest: float) -> str:
    base, output = (write_like(float(each[number]), largest) for each in (one.base_values, one.predictions))
    words = []
    for word, value, error in zip(one.words[number], one.values[number], one.standard_errors[number], strict=True):
        label = write_like(float(value), largest, "+") + (f" ± {write_like(float(error), largest)}" if error else "")
        style = f"background:{colour_of(float(value), largest)};border-radius:3px;padding:1px 3px"
        words.append(f"<span style='{style}' title='{escape(label)}'>{escape(word)}</span>")
    return f"<p style='line-height:1.9'>{' '.join(words)}<br><small>output {output}, without any word {base}</small></p>"


def write_text(explanation: TextExplanation, n_words: int, n_texts: int) -> str:
    """Sentences on each of the first texts; see :meth:`TextExplanation.to_text`."""
    if explanation.has_outputs:
        named = [(name, explanation.take_output(name)) for name in explanation.output_names]
        return "\n\n".join(f"Output {name!r}.\n{write_text(part, n_words, n_texts)}" for name, part in named)
    what = f"Explained: {explanation.output_transform}. A value is {explanation.meaning}."
    lines = [f"{what} Values describe the model, not causes."]
    lines += [_write_one(explanation, number, n_words) for number in range(min(len(explanation), n_texts))]
    if len(explanation) > n_texts:
        lines.append(f"{count(len(explanation) - n_texts, 'more text')}, not written.")
    return "\n".join(lines)


def _write_one(one: TextExplanation, number: int, n_words: int) -> str:
    words, values, errors = one.words[number], one.values[number], one.standard_errors[number]
    values = np.where(np.abs(values) > _ROUNDING * np.abs(values).max(), values, 0.0)
    order = np.argsort(-np.abs(values), kind="stable")
    ends = write_number(float(one.base_values[number]), 4), write_number(float(one.predictions[number]), 4)
    parts = []
    for place in order[:n_words]:
        error = f" (standard error {write_number(float(errors[place]), 2)})" if errors[place] else ""
        parts.append(f"{words[place]!r} {write_change(float(values[place]))}{error}")
    rest = order[n_words:]
    if len(rest):
        parts.append(f"the other {count(len(rest), 'word')}: {write_number(float(values[rest].sum()))} together")
    first = f"Text {number}: without any word the output is {ends[0]}, with all of them {ends[1]}."
    sentences = [first, f"{'; '.join(parts)}."]
    doubtful = [repr(words[k]) for k in order[:n_words] if errors[k] and abs(values[k]) < _INTERVAL * errors[k]]
    if doubtful:
        sentences.append(f"The sign of {join(doubtful)} is uncertain: the 90 % interval holds zero.")
    return " ".join(sentences)
