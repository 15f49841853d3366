"""Declaration of a saved explainer's content, against which files are checked both when written and when read.

A line of :data:`CONTENT` declares a value of the manifest by name and kind; a line of :data:`ARRAYS` declares an array by name,
number, dtype, shape and rules. A new part of the file is one line here; if files may lack it, its name in the manifest ends in
``?``, or its array has a group. :data:`.archive.SCHEMA` increases if older versions would compute other numbers without it.
"""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from .array_rules import active, below, between_values, every_pair, parts, ranked_functions, rising_starts, solvable
from .audit_schema import AUDIT, check_audit
from .column_facts import check_columns, require
from .index_schema import INDEX, INDEX_LINES, PLAN_INDEX_LINES, check_index, describe_index
from .kinds import anything, flag, integer, list_of, mapping_of, maybe, number, one_or_more, record, scalar, text
from .members import Member, Rule, Scope, filled, finite, not_infinite, not_negative, positive, rising, sorted_

_FACTS = record(
    {
        "n_rows?": integer(0, 2**53),
        "total_weight?": number,
        "chosen": record({"order": integer(0), "presence_order": integer(0), "fidelity": maybe(number)}, is_open=True),
        "tried?": list_of(mapping_of(anything)),
        "has_equations?": flag,
        "scale?": record({"floors": list_of(number), "share_cut": number, "description": text}, is_open=True),
        "remainder_share?": list_of(number, 1),
    },
    is_open=True,
)
_COLUMN = record(
    {
        "name": text,
        "levels": maybe(list_of(scalar)),
        "values": list_of(number),
        "order?": list_of(scalar),
        "has_pooled?": flag,
        "n_functions": list_of(integer(1), 1, 3),
        "n_repeated?": list_of(integer(0), 1, 3),
    }
)
_PLAN = record(
    {
        "value_sets": list_of(list_of(integer(0), 0, 3)),
        "index?": INDEX,
        "axes": list_of(list_of(integer(0), 2, 2)),
        "presence_sets": list_of(list_of(integer(-(10**6)), 1)),
        "candidate": record(
            {
                "order": integer(1, 3),
                "presence_order": integer(1),
                "resolution": mapping_of(integer(0)),
                "extra_ranks": list_of(integer(0), 3, 3),
                "written_order": maybe(integer(1)),
                "indices?": flag,
                "base?": maybe(record({"rank": integer(1), "shrinkage": number, "weight": number})),
            }
        ),
        "strengths": mapping_of(number),
        "n_folds": integer(1, 1000),
        "by_outputs": flag,
        "is_shared": flag,
        "is_null": list_of(flag, 1),
    }
)
_REACH = record({"margin": number, "side": integer(1, 1000), "n_gaps?": integer(0, 1000), "n_fixed_sums?": integer(1, 100)})
_FITTED = record(
    {
        "names": list_of(text, 1),
        "labels?": list_of(maybe(one_or_more(scalar))),
        "is_category": list_of(flag, 1),
        "has_names": flag,
        "is_boolean?": list_of(flag),
        "recipe?": mapping_of(mapping_of(anything)),  # checked when the recipe is made from it
        "columns": list_of(_COLUMN, 1),
        "value_sets": list_of(list_of(integer(0), 1, 3)),
        "presence_sets": list_of(list_of(list_of(integer(-1), 1), 1)),
        "feature_names": list_of(text, 1),
        "players": list_of(integer(0), 1),
        "null_players?": list_of(integer(0)),
        "output_names": list_of(text, 1),
        "output_transform": text,
        "game": text,
        "facts": _FACTS,
        "residuals?": record({"level": number, "digest": text}),
        "reach?": _REACH,
        "audit?": AUDIT,
        "plan?": _PLAN,
        "index?": INDEX,
        "moments?": record({"n_rows": integer(0, 2**53)}),
    }
)
CONTENT = record({"fitted": _FITTED, "output?": text})


_ERROR = "<f4 or <f8"


class _Line(NamedTuple):
    """Declaration of one or more arrays: ``name`` has a place for the number of the column, basis or term (``each``)."""

    name: str
    each: str
    dtype: str
    shape: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    group: str = ""  # a file holds all arrays of a group or none


ARRAYS = (
    _Line("column_{:05d}_edges", "column", "<f8", ("n_edges",), (finite, rising, between_values)),
    _Line("column_{:05d}_lows", "column", "<f8", ("n_spans",), (finite,)),
    _Line("column_{:05d}_scales", "column", "<f8", ("n_spans",), (finite, not_negative)),
    _Line("column_{:05d}_polynomials_{}", "basis", "<f8", ("n_cells", "width", "n_powers"), (filled, finite)),
    _Line("column_{:05d}_first_{}", "basis", "<i4", ("n_cells",), (active,)),
    _Line("table_{:05d}", "term", "<f8", ("*n_nodes", "n_parts"), (filled, finite)),
    _Line("mixing_{:05d}", "term", "<f8", ("n_parts", "n_sets", "n_outputs"), (finite,)),
    _Line("base_value", "file", "<f8", ("n_outputs",), (finite,)),
    _Line("probes", "file", "<f8", ("n_probes",), (filled, finite), "probes"),
    _Line("probes_of_trust", "file", "<f8", ("n_sums",), (finite,), "probes"),
    _Line("error_base", "file", _ERROR, ("n_outputs", "n_groups"), (filled, finite), "errors"),
    _Line("error_curves_{:05d}", "term", _ERROR, ("*n_nodes", "n_replicas"), (finite,), "errors"),
    _Line("error_mixings_{:05d}", "term", _ERROR, ("n_parts - n_outputs", "n_sets - 1", "n_replicas"), (finite,), "errors"),
    _Line("error_constants_{:05d}", "term", _ERROR, ("n_sets - 1", "n_replicas"), (finite,), "errors"),
    _Line("linear_table_{:05d}", "column", "<f8", ("n_main", "n_own_scores"), (finite,), "linear"),
    _Line("linear_covariance", "file", "<f8", ("n_scores", "n_scores"), (filled, finite, solvable), "linear"),
    _Line("linear_cross", "file", "<f8", ("n_scores", "n_outputs"), (finite,), "linear"),
    _Line("linear_credits", "file", "<f8", ("n_features", "n_scores", "n_outputs"), (finite,), "linear"),
    _Line("error_linear_credits", "file", _ERROR, ("n_varying", "n_scores", "n_replicas"), (finite,), "linear errors"),
    _Line("error_linear_constants", "file", _ERROR, ("n_varying", "n_scores", "n_replicas"), (finite,), "linear errors"),
    *(
        _Line(f"{whose}{name}", each, "<f8", shape, rules, group)
        for whose, group, lines in (("", "index", INDEX_LINES), ("plan_", "plan index", PLAN_INDEX_LINES))
        for name, each, shape, rules in lines
    ),
    _Line("error_index_values", "file", _ERROR, ("n_indices", "n_index_values", "n_replicas"), (finite,), "index errors"),
    _Line("residual_sizes", "file", "<f8", ("n_held_out",), (filled, finite, not_negative, sorted_), "residuals"),
    _Line("residual_spread", "file", "<f8", ("n_outputs",), (finite, positive), "residuals"),
    _Line("residual_wander", "file", "<f8", ("n_outputs",), (finite, not_negative), "residuals"),
    _Line("residual_cut", "file", "<f8", ("n_outputs",), (finite, positive), "residuals"),
    _Line("residual_has_other", "file", "|b1", ("n_columns", "2"), (), "residuals"),
    _Line("residual_outputs", "file", "<f8", ("n_remembered", "n_outputs"), (finite,), "residuals"),
    _Line("reach_lows", "file", "<f8", ("n_columns",), (not_infinite,), "reach"),
    _Line("reach_highs", "file", "<f8", ("n_columns",), (not_infinite,), "reach"),
    _Line("reach_lengths", "file", "<f8", ("n_columns",), (finite, positive), "gaps"),
    _Line("reach_gaps", "file", "<f8", ("n_columns", "n_gaps", "2"), (finite,), "gaps"),
    _Line("reach_coefficients", "file", "<f8", ("n_fixed_sums", "n_columns"), (finite,), "fixed_sums"),
    _Line("reach_constants", "file", "<f8", ("n_fixed_sums",), (finite,), "fixed_sums"),
    _Line("reach_pairs", "file", "|b1", ("n_reach_pairs", "n_reach_parts"), (every_pair,), "reach"),
    _Line("reach_bins_{:05d}", "column", "<i4", ("n_cells",), (parts,), "reach"),
    _Line("plan_owners", "file", "<i4", ("n_plan_functions",), (below("n_plan_sets"), sorted_), "plan"),
    _Line("plan_choices", "file", "<i4", ("n_plan_functions", "3"), (), "plan"),
    _Line("plan_functions", "file", "<i4", ("n_unknowns",), (below("n_plan_functions"),), "plan"),
    _Line("plan_presence", "file", "<i4", ("n_unknowns",), (below("n_plan_presence"),), "plan"),
    _Line("plan_is_extra", "file", "|b1", ("n_unknowns",), (), "plan"),
    _Line("plan_size_law", "file", "<f8", ("n_players + 1",), (finite, not_negative), "plan"),
    _Line("plan_centre", "file", "<f8", ("n_outputs",), (finite,), "plan"),
    _Line("plan_cut_{:05d}", "column", "<f8", ("2", "n_steps"), (finite, rising_starts), "plan"),
    _Line("plan_output_cut_{:05d}", "output", "<f8", ("2", "n_steps"), (finite, rising_starts), "output cuts"),
    _Line("plan_axis_{:05d}", "axis", "<f8", ("n_nodes + 3", "n_axis_functions"), (finite, ranked_functions), "plan"),
    _Line("moments_products", "file", "<f8", ("n_summed_folds", "n_entries"), (finite,), "moments"),
    _Line("residual_curves_{:05d}", "column", "<f8", ("n_main", "n_curves"), (filled, finite), "residuals"),
)  # fmt: skip


def expect_explainer(content: Any, names: Sequence[str]) -> list[Member]:
    """The arrays that a manifest's content calls for, given the names of the file's arrays.

    Raises
    ------
    ValueError
        If the content is not as declared; the message names the place.
    """
    if isinstance(content, dict) and content.get("kind") == "image explainer":
        raise ValueError("it holds an image explainer; see instashap.neural.ImageExplainer.load")
    CONTENT(content, "content")
    fitted = content["fitted"]
    check_columns(fitted)
    _check_terms(fitted)
    if "index" in fitted:
        check_index(fitted["index"], fitted["players"], len(fitted["feature_names"]), fitted.get("null_players", ()))
    if "audit" in fitted:
        check_audit(fitted["audit"])
    require("plan" in fitted or "moments" not in fitted, "it holds moments without the plan they were summed at")
    if "plan" in fitted:
        _check_plan(fitted, fitted["plan"])
    has = {each: each in fitted for each in ("residuals", "reach", "plan", "moments", "index")}
    has |= {"errors": "error_base" in names, "probes": "probes" in names, "linear": "linear_cross" in names}
    has |= {each: f"n_{each}" in fitted.get("reach", {}) for each in ("gaps", "fixed_sums")}
    has |= {"plan index": "index" in fitted.get("plan", {}), "output cuts": fitted.get("plan", {}).get("by_outputs", False)}
    has |= {f"{each} errors": has[each] and has["errors"] for each in ("linear", "index")}
    groups = {"", *(group for group, is_there in has.items() if is_there)}
    scopes = _measure(fitted)
    return [
        Member(line.name.format(*numbers), line.dtype, line.shape, line.rules, scope)
        for each in ("file", "column", "basis", "term", "axis", "output")
        for numbers, scope in scopes[each]
        for line in ARRAYS
        if line.each == each and line.group in groups
    ]


def _measure(fitted: Mapping[str, Any]) -> dict[str, list[tuple[tuple[int, ...], Scope]]]:
    """Numbers and sizes of the file, the columns, the bases and the terms; all of them inherit the sizes of the file."""
    file: Scope = {"n_columns": len(fitted["columns"]), "n_outputs": len(fitted["output_names"])}
    file["n_replicas"] = "n_outputs * n_groups"
    file["n_features"] = len(fitted["feature_names"])
    file["n_varying"] = file["n_features"] - len(fitted.get("null_players", ()))
    reach = fitted.get("reach", {"side": 0})
    file.update(side=reach["side"], n_reach_parts=(reach["side"] + 1) ** 2)
    file.update({each: reach.get(each, 0) for each in ("n_gaps", "n_fixed_sums")})
    columns: list[tuple[tuple[int, ...], Scope]] = []
    bases: list[tuple[tuple[int, ...], Scope]] = []
    for number_, column in enumerate(fitted["columns"]):
        own = ChainMap(_measure_column(column), file)
        columns.append(((number_,), own))
        bases += [((number_, size), own.new_child({"n_functions": n})) for size, n in enumerate(column["n_functions"])]
    terms: list[tuple[tuple[int, ...], Scope]] = []
    for number_, (values, sets) in enumerate(zip(fitted["value_sets"], fitted["presence_sets"], strict=True)):
        nodes = [fitted["columns"][column]["n_functions"][len(values) - 1] for column in values]
        terms.append(((number_,), ChainMap({"n_nodes": nodes, "n_sets": len(sets)}, file)))
    axes: list[tuple[tuple[int, ...], Scope]] = []
    if "index" in fitted:
        file.update(describe_index(fitted["index"], fitted["players"]))
    if "plan" in fitted:
        plan = fitted["plan"]
        if "index" in plan:
            file.update(describe_index(plan["index"], _number_varying(fitted), "plan"))
        file.update(n_plan_sets=len(plan["value_sets"]), n_plan_presence=len(plan["presence_sets"]))
        file.update(n_players=_count_players(fitted))
        for number_, (size, column) in enumerate(plan["axes"]):
            nodes = fitted["columns"][column]["n_functions"][size - 1]
            axes.append(((number_,), ChainMap({"n_nodes": nodes}, file)))
    outputs: list[tuple[tuple[int, ...], Scope]] = [((number_,), file) for number_ in range(len(fitted["output_names"]))]
    return {"file": [((), file)], "column": columns, "basis": bases, "term": terms, "axis": axes, "output": outputs}


def _number_varying(fitted: Mapping[str, Any]) -> list[int]:
    """Player of each column among those that vary, -1 for others."""
    varying = [player for player in range(len(fitted["feature_names"])) if player not in fitted.get("null_players", ())]
    return [varying.index(player) if player in varying else -1 for player in fitted["players"]]


def _count_players(fitted: Mapping[str, Any]) -> int:
    """Players of a plan: the features that vary, or one where none does."""
    return max(len(fitted["feature_names"]) - len(fitted.get("null_players", ())), 1)


def _measure_column(column: Mapping[str, Any]) -> Scope:
    """Sizes of a column; the last cell is for missing values.

    Before it, a number column has the cells that its edges separate, a category one per level and one for other levels.
    """
    own = {"n_main": column["n_functions"][0]}
    if column["levels"] is None:
        return {**own, "values": column["values"], "n_spans": "n_edges + 1", "n_cells": "n_edges + 2"}
    return {**own, "values": [], "n_edges": 0, "n_spans": 0, "n_cells": len(column["levels"]) + 2}


def _check_terms(fitted: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` unless value sets and presence sets are in range, in order and distinct."""
    value_sets, presence_sets, columns, players = (
        fitted[each] for each in ("value_sets", "presence_sets", "columns", "players")
    )
    require(len(set(map(tuple, value_sets))) == len(value_sets), "value sets are repeated")
    require(len(presence_sets) == len(value_sets), "presence_sets must have one list for each value set")
    for values, sets in zip(value_sets, presence_sets, strict=True):
        require(
            all(a < b for a, b in pairwise(values)) and values[-1] < len(columns),
            f"{values} is not a value set: an increasing list of columns",
        )
        n_bases = min(len(columns[column]["n_functions"]) for column in values)
        require(len(values) <= n_bases, f"{values} has more columns than its columns have bases")
        own = sorted({players[column] for column in values})
        require(list(sets[0]) == own, f"the first presence set of {values} must be {own}")
        require(len(set(map(tuple, sets))) == len(sets), f"presence sets of {values} are repeated")
        for presence in sets:
            _check_presence(presence, own, len(fitted["feature_names"]), fitted.get("null_players", ()))


def _check_presence(presence: Sequence[int], own: Sequence[int], n_players: int, null: Sequence[int]) -> None:
    """Raise ``ValueError`` unless a presence set is valid.

    Places for any other player (-1) come first, then players in increasing order that include those of the value set and no
    null player.
    """
    named = presence[presence.count(-1) :]
    is_right = all(a < b for a, b in pairwise((-1, *named, n_players))) and len(presence) <= n_players - len(null)
    is_right = is_right and set(own) <= set(named) and not set(named) & set(null)
    require(is_right, f"{list(presence)} is not a presence set for a value set of players {list(own)}")


def _check_plan(fitted: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
    """Value sets, axes and presence sets of a plan are in range."""
    columns, n_players = fitted["columns"], _count_players(fitted)
    require(len(plan["is_null"]) == len(columns), "the plan does not say of every column whether it varied")
    for size, column in plan["axes"]:
        is_there = column < len(columns) and 1 <= size <= len(columns[column]["n_functions"])
        require(is_there, f"the plan has an axis {[size, column]} that no column has")
    require(len(set(map(tuple, plan["axes"]))) == len(plan["axes"]), "axes of the plan are repeated")
    has_indices = [not values for values in plan["value_sets"]]
    is_last = not any(has_indices[:-1]) and any(has_indices[-1:]) == ("index" in plan)  # a base value alone has no value sets
    require(is_last, "functions of indices are not the last")
    if "index" in plan:
        check_index(plan["index"], _number_varying(fitted), n_players)
    for values in plan["value_sets"]:
        require(all(a < b for a, b in pairwise((*values, len(columns)))), f"{values} is no value set of a plan")
    for presence in plan["presence_sets"]:
        away = [-2 - player for player in reversed(presence) if player < -1]
        named = [player for player in presence if player >= 0]
        is_right = all(a < b for each in (away, named) for a, b in pairwise((-1, *each, n_players)))
        is_right = is_right and len(presence) <= n_players and list(presence) == sorted(presence)
        is_right = is_right and (not away or (-1 not in presence and "index" in plan and not set(away) & set(named)))
        require(is_right, f"{presence} is no presence set of a plan")
    require(set(plan["candidate"]["resolution"]) <= {"1", "2", "3"}, "the plan's resolution is not that of some sizes")
