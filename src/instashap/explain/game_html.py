"""What a notebook shows of a fitted game: what was fitted, how well, and which features matter."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._errors import NotFittedError
from .._html import TABLE, escape, make_bar, make_table, wrap
from ..fitted.game import FittedGame
from ..fitted.shortening import shorten_all
from ..questions.average import average_magnitudes
from .attributes import name_fidelity

# Largest number of features listed.
_FEATURES = 10


def render_game(fitted: FittedGame, title: str, next_steps: str) -> str:
    """HTML of a fitted game.

    Parameters
    ----------
    fitted : FittedGame
    title : str
        Plain text: what holds the game.
    next_steps : str
        HTML that says what to call next.
    """
    chosen = fitted.facts["chosen"]
    fidelity = chosen["fidelity"]
    n_pairs = sum(len(term) > 1 for term in fitted.model.value_sets)
    names = fitted.output_names
    is_named = len(names) == 1 and names[0] != "output" and repr(names[0]) not in fitted.output_transform
    what = f"{names[0]} ({fitted.output_transform})" if is_named else fitted.output_transform
    facts = [
        ("explained", escape(what)),
        ("outputs", escape(", ".join(names[:12])) + ", …" * (len(names) > 12) if len(names) > 1 else ""),
        ("game", escape(fitted.game)),
        ("rows of the fit", f"{fitted.facts['n_rows']:,}" if "n_rows" in fitted.facts else ""),
        ("terms", f"{len(fitted.model.value_sets) - n_pairs} of one column, {n_pairs} of more; order {chosen['order']}"),
        ("presence order", str(chosen["presence_order"])),
        (name_fidelity(chosen), "" if fidelity is None else f"{fidelity:.3f}"),
    ]
    rows = [f"<td>{name}</td>" for name, _ in facts]
    table = "".join(
        f"<tr>{label}<td style='text-align:left;white-space:normal'>{text}</td></tr>"
        for label, (_, text) in zip(rows, facts, strict=True)
        if text
    )
    heading = f"<p><b>{escape(title)}</b></p>"
    return wrap(heading, f"{TABLE}{table}</table>", _list_features(fitted), f"<p><small>{next_steps}</small></p>")


def _list_features(fitted: FittedGame) -> str:
    """The features of largest mean absolute value; empty for a loaded game, which holds no rows."""
    try:
        columns = average_magnitudes(fitted)
    except NotFittedError:
        return ""
    sizes = np.zeros(len(fitted.feature_names))
    sizes[list(fitted.players)] = columns  # every column of a group has the group's value
    order = np.argsort(-sizes, kind="stable")[:_FEATURES]
    names = shorten_all([fitted.feature_names[player] for player in order], 40)
    largest = float(sizes.max(initial=0.0)) or 1.0
    rows: list[Any] = [
        [escape(name), make_bar(float(sizes[player]) / largest, f"{sizes[player]:.4g}")]
        for name, player in zip(names, order, strict=True)
    ]
    left_out = len(fitted.feature_names) - len(order)
    note = f"<p><small>{left_out} more features</small></p>" if left_out else ""
    return make_table(["feature", "mean |Shapley value|"], rows) + note
