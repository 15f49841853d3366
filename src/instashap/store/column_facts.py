"""What a saved explainer says of its columns: names, kinds, levels and players must agree."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any


def require(holds: bool, problem: str) -> None:
    """Raise ``ValueError`` with the problem unless something holds."""
    if not holds:
        raise ValueError(problem)


def check_columns(fitted: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` unless names, kinds and players of the columns agree."""
    names, columns, players, features = (fitted[each] for each in ("names", "columns", "players", "feature_names"))
    require(len(set(names)) == len(names), "column names are repeated")
    require(len(set(features)) == len(features), "feature names are repeated")
    require(len(fitted["is_category"]) == len(columns) == len(names), "columns, their names and their kinds differ in number")
    for name, is_category, column in zip(names, fitted["is_category"], columns, strict=True):
        levels, values = column["levels"], column["values"]
        require(column["name"] == name, f"column {name!r} has a second name, {column['name']!r}")
        require((levels is not None) == is_category, f"column {name!r} must have levels if and only if it is a category")
        keys = [(isinstance(level, bool), level) for level in levels or ()]
        require(len(set(keys)) == len(keys), f"levels of column {name!r} are repeated")
        require(not (levels and values), f"the category column {name!r} has values of a number column")
        require(is_category or not column.get("order"), f"the number column {name!r} has an order of levels")
        require(all(a < b for a, b in pairwise(values)), f"values of column {name!r} are not strictly increasing")
        counts = column["n_functions"]
        repeated = column.get("n_repeated", [0] * len(counts))
        is_less = len(repeated) == len(counts) and all(each < n for each, n in zip(repeated, counts, strict=True))
        require(is_less, f"column {name!r} repeats more functions than it has")
    require(len(fitted.get("is_boolean") or names) == len(names), "is_boolean must have one entry for each column")
    require(len(fitted.get("labels", names)) == len(names), "labels must have one entry for each column")
    require(len(players) == len(columns), "players must have one entry for each column")
    null = fitted.get("null_players", ())
    require(all(a < b for a, b in pairwise((-1, *null, len(features)))), "null_players must be increasing numbers of players")
    # Players are numbered by their first column, and a feature with a column's name has that column.
    require(list(dict.fromkeys(players)) == list(range(len(features))), "players and feature names do not agree")
    owners = dict(zip(names, players, strict=True))
    require(
        all(owners.get(name, place) == place for place, name in enumerate(features)),
        "a feature has the name of a column that belongs to another feature",
    )
