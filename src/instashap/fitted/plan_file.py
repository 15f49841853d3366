"""The plan of a fit, and sums over rows at it, as a file holds them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..masked.candidate import Candidate
from ..masked.design import ValueFunctions, gather_functions
from ..masked.folds import FoldRule, RankCuts
from ..masked.linear_base import BaseSetting
from ..masked.penalties import AxisFunctions
from ..masked.plan import Plan
from ..masked.problem import MaskedProblem
from ..masked.strengths import Strengths
from ..masked.sums import RowSums, count_entries
from ..table.encoding import TableEncoder
from .index_file import pack_index, unpack_index

Arrays = dict[str, NDArray[Any]]


def pack_plan(plan: Plan) -> tuple[dict[str, Any], Arrays]:
    """A plan without its encoder: facts (JSON) and arrays by name."""
    functions, problem, candidate = plan.functions, plan.problem, plan.candidate
    axes = sorted(functions.axes)
    arrays: Arrays = {
        "plan_owners": functions.owners.astype(np.int32),
        "plan_choices": _pad(functions.choices),
        "plan_functions": problem.functions.astype(np.int32),
        "plan_presence": problem.presence.astype(np.int32),
        "plan_is_extra": problem.is_extra,
        "plan_size_law": problem.size_law,
        "plan_centre": plan.centre,
    }
    for number, key in enumerate(axes):
        used = functions.axes[key].pick(np.arange(functions.n_used[key]))
        # One array an axis, and one a column: each array of a file takes some hundred bytes beside its values.
        arrays[f"plan_axis_{number:05d}"] = np.vstack([used.coefficients, used.roughness, used.ridge, used.ranks])
    for name, cuts in (("plan_cut", plan.folds.cuts), ("plan_output_cut", plan.folds.output_cuts)):
        for number, cut in enumerate(cuts):
            arrays[f"{name}_{number:05d}"] = np.stack([cut.starts, cut.ranks.astype(np.float64)])
    described = {
        "value_sets": functions.value_sets,
        "axes": axes,
        "presence_sets": problem.presence_sets,
        "candidate": {**asdict(candidate), "resolution": {str(size): rank for size, rank in candidate.resolution.items()}},
        "strengths": {name: strength for name, strength in asdict(plan.strengths).items() if name != "synthetic"},
        "n_folds": plan.folds.n_folds,
        "by_outputs": bool(plan.folds.output_cuts),
        "is_shared": plan.folds.is_shared,
        "is_null": plan.is_null,
    }
    if functions.indices is not None:
        described["index"], of_index = pack_index(functions.indices, plan.encoder, "plan_")
        arrays |= of_index
    return described, arrays


def _pad(choices: tuple[NDArray[np.int64], ...]) -> NDArray[np.int32]:
    """Choices of all value sets below each other, -1 where a set has fewer columns than three; shape (n_functions, 3)."""
    padded = np.full((sum(map(len, choices)), 3), -1, dtype=np.int32)
    stop = 0
    for chosen in choices:
        start, stop = stop, stop + len(chosen)
        padded[start:stop, : chosen.shape[1]] = chosen
    return padded


def unpack_plan(described: dict[str, Any], arrays: Arrays, encoder: TableEncoder) -> Plan:
    """The plan that was packed.

    Raises
    ------
    ValueError
        If its parts do not belong together.
    """
    axes = {}
    for number, (size, column) in enumerate(described["axes"]):
        *coefficients, roughness, ridge, ranks = arrays[f"plan_axis_{number:05d}"]
        own = np.array(coefficients), roughness, ridge, ranks.astype(np.int64)
        axes[size, column] = AxisFunctions(encoder.columns[column].bases[size - 1], *own)
    functions = _unpack_functions(described, axes, arrays)
    problem = MaskedProblem(
        arrays["plan_functions"].astype(np.int64),
        arrays["plan_presence"].astype(np.int64),
        arrays["plan_is_extra"],
        tuple(tuple(each) for each in described["presence_sets"]),
        len(functions),
        arrays["plan_size_law"],
    )
    chosen = described["candidate"]
    resolution = {int(size): rank for size, rank in chosen["resolution"].items()}
    base = BaseSetting(**chosen["base"]) if chosen.get("base") else None  # files of schema 2 lack it
    candidate = Candidate(
        **{**chosen, "resolution": resolution, "extra_ranks": tuple(chosen["extra_ranks"]), "base": base}
    )
    cuts = _unpack_cuts(arrays, "plan_cut", len(encoder.columns))
    output_cuts = _unpack_cuts(arrays, "plan_output_cut", described["by_outputs"] * len(arrays["plan_centre"]))
    folds = FoldRule(cuts, described["n_folds"], output_cuts, described["is_shared"])
    names = {each.name for each in fields(Strengths)}
    strengths = Strengths(**{name: value for name, value in described["strengths"].items() if name in names})
    return Plan(encoder, functions, problem, candidate, strengths, folds, arrays["plan_centre"], tuple(described["is_null"]))


def _unpack_cuts(arrays: Arrays, name: str, n_cuts: int) -> tuple[RankCuts, ...]:
    steps = (arrays[f"{name}_{number:05d}"] for number in range(n_cuts))
    return tuple(RankCuts(starts, ranks.astype(np.uint64)) for starts, ranks in steps)


def _unpack_functions(
    described: dict[str, Any], axes: dict[tuple[int, int], AxisFunctions], arrays: Arrays
) -> ValueFunctions:
    indices = unpack_index(described["index"], arrays, "plan_") if "index" in described else None
    value_sets = [values for values in described["value_sets"] if values]
    owners, padded = arrays["plan_owners"].astype(np.int64), arrays["plan_choices"].astype(np.int64)
    choices = []
    for owner, columns in enumerate(value_sets):
        chosen = padded[owners == owner, : len(columns)]
        limits = [len(axes[len(columns), column]) if (len(columns), column) in axes else 0 for column in columns]
        if not len(chosen) or (chosen < 0).any() or (chosen >= limits).any():
            raise ValueError(f"the plan's functions of columns {columns} are not among those of its axes")
        choices.append(chosen)
    functions = gather_functions([tuple(each) for each in value_sets], axes, choices)
    if indices is None:
        return functions
    own = padded[owners == len(value_sets), 0]
    added = functions.add_indices(indices)
    numbers = np.arange(len(added) - len(functions))
    if not len(own) or (np.diff(own) <= 0).any() or not np.isin(own, numbers).all():
        raise ValueError("the plan's functions of indices are not those of its index part")
    return added.select(np.concatenate([np.ones(len(functions), dtype=bool), np.isin(numbers, own)]))


def identify_plan(plan: Plan) -> str:
    """Digest of all that sums over rows depend on: they add only where it is the same."""
    described, arrays = pack_plan(plan)
    digest = hashlib.sha256(json.dumps(described).encode())
    encoder = plan.encoder
    digest.update(json.dumps([[c.name, c.levels, c.values] for c in encoder.columns]).encode())
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    for column in encoder.columns:
        for part in (column.edges, column.lows, column.scales):
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def pack_sums(sums: RowSums) -> tuple[dict[str, Any], Arrays]:
    """Sums over rows: facts (JSON) and arrays by name."""
    return {"n_rows": sums.n_rows}, {"moments_products": sums.products}


def unpack_sums(described: dict[str, Any], arrays: Arrays, plan: Plan) -> RowSums:
    """The sums that were packed; raises ``ValueError`` if they are not of the plan."""
    products = arrays["moments_products"]
    expected = plan.n_sums, count_entries(plan.size)
    if products.shape != expected:
        raise ValueError(f"the sums have shape {products.shape}, those of the plan {expected}")
    return RowSums(products, described["n_rows"])
