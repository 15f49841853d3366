"""What a notebook shows of explanations: the first rows, in colour, for one output at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._html import escape, make_bar, make_choice, make_table, tint, wrap
from .._sentences import write_like
from .explanation_text import shorten_value
from .shortening import shorten

if TYPE_CHECKING:
    from .explanation import Explanation

# Numbers of rows, features and outputs that are shown.
_ROWS, _FEATURES, _OUTPUTS = 5, 10, 12


def render_explanation(explanation: Explanation) -> str:
    """HTML of an explanation: a table of its first rows, features by decreasing mean absolute value; a choice of outputs."""
    names = explanation.output_names
    name = f"{names[0]}: " if len(names) == 1 and names[0] != "output" else ""
    what = escape(name + explanation.output_transform)
    title = f"<p><b>Shapley values</b> ({escape(explanation.game)} game): {what}<br>"
    title += f"<small>A value is {escape(explanation.meaning)}.</small></p>"
    classes = explanation.describe_classes()
    title += f"<p><small>{escape(classes)}</small></p>" if classes else ""
    if not explanation.has_outputs:
        return wrap(title, _render_output(explanation))
    views = [(name, _render_output(explanation[..., place])) for place, name in enumerate(names[:_OUTPUTS])]
    choice, style = make_choice(views)
    rest = f"<p><small>{len(names) - _OUTPUTS} more outputs</small></p>" if len(names) > _OUTPUTS else ""
    return wrap(title, choice, rest, style=style)


def _render_output(one: Explanation) -> str:
    order = np.argsort(-np.abs(one.values).mean(axis=0), kind="stable")[:_FEATURES] if len(one) else np.arange(0)
    largest = float(np.abs(one.values[:_ROWS]).max(initial=0.0))
    totals = ["model output", "remainder"] if one.remainder is not None else []
    share = ["reproduced"] if one.output_share is not None else []
    header = ["row", *totals, "prediction", "base", *share, *(escape(one.feature_names[j]) for j in order)]
    rows = [_render_row(one, row, order, largest) for row in range(min(len(one), _ROWS))]
    hidden = [
        f"{len(one) - _ROWS:,} more rows" if len(one) > _ROWS else "",
        f"{len(one.feature_names) - _FEATURES} more features" if len(one.feature_names) > _FEATURES else "",
        escape(one.describe_rows_outside()),
    ]
    note = ", ".join(part for part in hidden if part)
    return make_table(header, rows) + (f"<p><small>{note}</small></p>" if note else "")


def _render_row(one: Explanation, row: int, order: NDArray[np.int64], largest: float) -> list[str]:
    name: Any = row if one.index is None else one.index[row]
    place = one.describe_place(row)
    cells = [escape(shorten(name, 40)) + (f"<br><small>{escape(place)}</small>" if place else "")]
    if one.remainder is not None and one.model_outputs is not None:
        cells += [write_like(one.model_outputs[row], largest), write_like(one.remainder[row], largest, "+")]
    cells += [write_like(one.predictions[row], largest), write_like(one.base_values[row], largest)]
    if one.output_share is not None:
        cells.append(make_bar(float(one.output_share[row]), f"{100 * one.output_share[row]:.0f} %"))
    for j in order:
        data = escape(shorten_value(one, row, int(j), 24))
        value = float(one.values[row, j])
        cells.append(tint(value, largest, f"{write_like(value, largest, '+')}<br><small>{data}</small>"))
    return cells
