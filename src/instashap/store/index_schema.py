"""Declaration of index parts in a saved explainer: that of the model, and that of its plan."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .column_facts import require
from .kinds import integer, list_of, record
from .members import Rule, Scope, filled, finite

_PLAYERS = list_of(list_of(integer(0), 1), 1)
INDEX = record({"columns": list_of(integer(0), 1), "present": _PLAYERS, "absent": _PLAYERS})


def check_index(
    index: Mapping[str, Any], players: Sequence[int], n_players: int, null: Sequence[int] = ()
) -> None:
    """Raise ``ValueError`` unless columns and players are there, in order, and no player is both present and absent.

    Parameters
    ----------
    index : dict
    players : sequence of int
        Player of each column.
    n_players : int
    null : sequence of int
        Players that have no part.
    """
    columns = index["columns"]
    require(all(a < b for a, b in pairwise((-1, *columns, len(players)))), f"{columns} are no columns of indices")
    require(len(index["present"]) == len(index["absent"]), "players present and absent are not those of the same indices")
    for present, absent in zip(index["present"], index["absent"], strict=True):
        is_right = all(a < b for each in (present, absent) for a, b in pairwise((-1, *each, n_players)))
        is_right = is_right and not set(present) & set(absent) and not {*present, *absent} & set(null)
        require(is_right, f"{present} and {absent} are no players of an index")


def describe_index(index: Mapping[str, Any], players: Sequence[int], whose: str = "") -> dict[str, Any]:
    """Sizes of the arrays of an index part, and which weights may differ from zero."""
    prefix = f"n_{whose}_" if whose else "n_"
    owners = [players[column] for column in index["columns"]]
    allowed = np.array([[owner in present for owner in owners] for present in index["present"]], dtype=bool)
    sizes = {f"{prefix}indices": len(index["present"]), f"{prefix}index_columns": len(owners)}
    return {**sizes, f"{prefix}index_values": f"{prefix}index_nodes + 1", f"weighed{whose}": allowed}


def weighs_present(whose: str) -> Rule:
    """Rule of the weights: columns of players that may be absent have none."""

    def check(weights: NDArray[Any], scope: Scope) -> str | None:
        return None if not weights[~scope[f"weighed{whose}"]].any() else "weighs columns of players that may be absent"

    return check


def never_falling(nodes: NDArray[Any], scope: Scope) -> str | None:
    """Require nodes in order."""
    return None if (np.diff(nodes, axis=1) >= 0).all() else "must not fall"


def _declare(whose: str, last: str) -> list[tuple[str, str, tuple[str, ...], tuple[Rule, ...]]]:
    """Arrays of an index part: name, what there is one of each of, shape and rules."""
    sizes = f"n_{whose}_" if whose else "n_"
    count, nodes = f"{sizes}indices", f"{sizes}index_nodes"
    return [
        ("index_score_{:05d}", "column", ("n_main",), (finite,)),
        ("index_weights", "file", (count, f"{sizes}index_columns"), (finite, weighs_present(whose))),
        ("index_constants", "file", (count,), (finite,)),
        ("index_nodes", "file", (count, nodes), (filled, finite, never_falling)),
        ("index_values", "file", (count, f"{sizes}index_values", last), (filled, finite)),
    ]


INDEX_LINES = _declare("", "n_outputs")
PLAN_INDEX_LINES = _declare("plan", "n_curves_of_index")
