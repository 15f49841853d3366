"""Trained nets converted to a model of tables with their own coefficients, for losses without a closed form."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..game.terms import ValueSet, extend_presence, players_of
from ..model.additive_model import AdditiveModel
from ..table.bases import LearntColumn
from .learning import NetOnRows


def read_tables(
    columns: Sequence[LearntColumn],
    players: Sequence[int],
    made: NetOnRows,
    value_sets: Sequence[ValueSet],
    base_value: NDArray[np.float64],
) -> AdditiveModel:
    """Additive model whose tables are the nets' functions and whose mixing arrays are the nets' coefficients.

    Parameters
    ----------
    columns : sequence of LearntColumn
    players : sequence of int
        Player of each column.
    made : NetOnRows
        Trained nets, after ``finish()``.
    value_sets : sequence of tuple of int
    base_value : ndarray of shape (n_outputs,), float64
    """
    presence_sets, tables, mixings = [], [], []
    numbers = {presence: number for number, presence in enumerate(made.presence_sets)}
    n_outputs = len(base_value)
    for values in value_sets:
        raw = made.tabulate(columns, values)
        own, *shared = np.split(raw.uses, 1 + len(numbers), axis=1)
        base = players_of(values, players)
        used = np.flatnonzero(raw.uses[:, n_outputs:].any(axis=1))
        larger = extend_presence(base, numbers if len(used) else ())[1:]
        mixing = np.zeros((n_outputs + len(used), 1 + len(larger), n_outputs))
        mixing[np.arange(n_outputs), 0, np.arange(n_outputs)] = 1.0
        for place, presence in enumerate(larger, start=1):
            mixing[n_outputs:, place] = shared[numbers[presence]][used]
        presence_sets.append((base, *larger))
        tables.append(np.concatenate([raw.table @ own, raw.table[..., used]], axis=-1))
        mixings.append(mixing)
    bases = tuple(column.encoder.bases for column in columns)
    n_players = max(players) + 1
    return AdditiveModel(bases, tuple(value_sets), tuple(presence_sets), tuple(tables), tuple(mixings), base_value, n_players)


def describe_nets(model: AdditiveModel, n_rows: int, total_weight: float, loss: str) -> dict[str, Any]:
    """Figures of a fit by nets as JSON."""
    chosen = {
        "order": max(map(len, model.value_sets)),
        "presence_order": max(len(each) for sets in model.presence_sets for each in sets),
        "n_unknowns": sum(table.size for table in model.tables),
        "fidelity": None,
    }
    return {"n_rows": n_rows, "total_weight": total_weight, "loss": loss, "chosen": chosen}
