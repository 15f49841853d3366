"""The file of a fitted game: its tables, the answers computed so far, and probes that reveal alterations."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._errors import FileFormatError, InstashapWarning, warn_caller
from .._validation import ColumnName
from ..inference.residuals import ResidualReference
from ..model.additive_model import AdditiveModel
from ..model.deviations import Deviations
from ..model.linear_part import LinearDeviations
from ..store import expect_explainer, read_archive, write_archive
from ..table.bases import ColumnEncoder, LocalBasis
from ..table.columns import Schema
from ..table.encoding import TableEncoder
from ..table.reach import Reach
from ..table.recipe import Recipe
from .fit_kind import read_kind
from .game import Answers, FittedGame
from .index_file import unpack_index
from .linear_file import unpack_linear
from .probes import agrees, compute_probes, sum_up

if TYPE_CHECKING:
    from ..masked.sums import RowSums


def write_fitted(
    fitted: FittedGame,
    path: str | os.PathLike[str],
    audit: dict[str, Any] | None,
    *,
    with_errors: bool,
    sums: RowSums | None = None,
    **content: Any,
) -> None:
    """Write a game, and the answers computed so far, to one file.

    Parameters
    ----------
    fitted : FittedGame
    path : str or path-like
    audit : dict or None
        The trust report as JSON.
    with_errors : bool
        Write the tables of standard errors, if they have been computed.
    sums : RowSums, optional
        Sums over rows at the game's plan.
    content
        Entries added to the manifest (JSON).
    """
    described, arrays = fitted.tables()
    probes, answers = compute_probes(fitted.model), fitted.answers
    if with_errors and isinstance(answers.errors, Deviations):
        arrays |= _pack_errors(answers.errors)
    if answers.residuals is not None:
        described["residuals"], residuals = answers.residuals.pack()
        arrays |= residuals
    if answers.reach is not None:
        described["reach"], region = answers.reach.pack()
        arrays |= region
    if answers.plan is not None or answers.stored is not None:
        of_plan, plan = _pack_plan(answers, sums)
        described |= of_plan
        arrays |= plan
    if audit is not None:
        described["audit"] = audit
    if fitted.recipe is not None:
        described["recipe"] = fitted.recipe.to_json()
    if np.isfinite(probes).all():
        arrays |= {"probes": probes, "probes_of_trust": sum_up(arrays)}
    write_archive(path, {"fitted": described, **content}, arrays, expect_explainer)


def _pack_errors(errors: Deviations) -> dict[str, NDArray[Any]]:
    """Arrays of the standard errors; none, with a warning, if some values are not finite."""
    arrays: dict[str, NDArray[Any]] = {"error_base": errors.base}
    for name in _ERROR_PARTS:
        arrays |= {f"error_{name}_{number:05d}": array for number, array in enumerate(getattr(errors, name))}
    if errors.linear is not None:
        arrays |= {"error_linear_credits": errors.linear.credits, "error_linear_constants": errors.linear.constants}
    if errors.index is not None:
        arrays["error_index_values"] = errors.index.values
    if not all(np.isfinite(array).all() for array in arrays.values()):
        warn_caller("saved without standard errors: some are infinite or NaN", InstashapWarning)
        return {}
    return arrays


# Fields of Deviations with an array for each value set.
_ERROR_PARTS = ("curves", "mixings", "constants")


def _unpack_errors(model: AdditiveModel, arrays: dict[str, NDArray[Any]], unit: float) -> Deviations | None:
    if "error_base" not in arrays:
        return None
    numbers = range(len(model.value_sets))
    parts = {name: tuple(arrays[f"error_{name}_{number:05d}"] for number in numbers) for name in _ERROR_PARTS}
    linear = None
    if "error_linear_credits" in arrays:
        linear = LinearDeviations(arrays["error_linear_credits"], arrays["error_linear_constants"])
    index = None if model.index is None else replace(model.index, values=arrays["error_index_values"])
    base, in_unit = arrays["error_base"], model.scale(1.0 / unit)
    return Deviations(in_unit, **parts, base=base, linear=linear, unit=unit, index=index)


def load_fitted(path: str | os.PathLike[str]) -> tuple[FittedGame, dict[str, Any]]:
    """Read what :func:`write_fitted` wrote; also returns the rest of the manifest."""
    content, arrays = read_archive(path, expect_explainer)
    fitted = content.pop("fitted")
    probes, of_trust = arrays.pop("probes", None), arrays.pop("probes_of_trust", np.empty(0))  # older files lack them
    labels = fitted.get("labels", [None] * len(fitted["names"]))  # files of earlier versions have none
    named = dict(zip(fitted["names"], map(_unpack_label, fitted["names"], labels), strict=True))
    booleans = tuple(fitted.get("is_boolean", ()))
    schema = Schema(tuple(named.values()), tuple(fitted["is_category"]), fitted["has_names"], booleans)
    columns = tuple(_unpack_column(position, each, arrays) for position, each in enumerate(fitted["columns"]))
    encoder = TableEncoder(schema, columns)
    value_sets = tuple(tuple(values) for values in fitted["value_sets"])
    model = AdditiveModel(
        encoder.bases,
        value_sets,
        tuple(tuple(tuple(each) for each in sets) for sets in fitted["presence_sets"]),
        tuple(arrays[f"table_{number:05d}"] for number in range(len(value_sets))),
        tuple(arrays[f"mixing_{number:05d}"] for number in range(len(value_sets))),
        arrays["base_value"],
        len(fitted["feature_names"]),
        tuple(fitted.get("null_players", ())),
        unpack_linear(fitted["players"], arrays),
        unpack_index(fitted["index"], arrays) if "index" in fitted else None,
    )
    if probes is not None and not (agrees(compute_probes(model), probes) and agrees(sum_up(arrays), of_trust)):
        raise FileFormatError(f"{path} was altered: its Shapley values of test rows differ from those when it was saved")
    players = tuple(named.get(name, name) for name in fitted["feature_names"])
    names = players, tuple(fitted["players"]), tuple(fitted["output_names"])
    described = fitted["output_transform"], fitted["game"], fitted["facts"]
    errors = _unpack_errors(model, arrays, float(fitted["facts"].get("output_unit", 1.0)))
    residuals = ResidualReference.unpack(fitted["residuals"], arrays) if "residuals" in fitted else None
    try:
        recipe = Recipe.from_json(fitted["recipe"]) if "recipe" in fitted else None
    except ValueError as error:
        raise FileFormatError(f"{path} is not a saved explainer: {error}") from error
    reach = Reach.unpack(fitted["reach"], arrays) if "reach" in fitted else None
    answers = Answers(errors, residuals, reach, fitted.get("audit"), stored=_find_plan(fitted, arrays))
    kind = read_kind(fitted["facts"], fitted["game"])
    return FittedGame(encoder, model, *names, *described, recipe=recipe, kind=kind, answers=answers), content


def _pack_plan(answers: Answers, sums: RowSums | None) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The plan, and sums over rows at it if there are any; as it was read where nobody has asked for it."""
    if answers.plan is None:
        assert answers.stored is not None
        described, arrays = answers.stored
        kept = {name: array for name, array in arrays.items() if not name.startswith("moments_")}
        return {"plan": described["plan"]}, kept
    from .plan_file import pack_plan, pack_sums

    described, arrays = pack_plan(answers.plan)
    if sums is None:
        return {"plan": described}, arrays
    of_rows, products = pack_sums(sums)
    return {"plan": described, "moments": of_rows}, {**arrays, **products}


def _find_plan(
    fitted: dict[str, Any], arrays: dict[str, NDArray[Any]]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    """A file's plan and sums as they are; explaining does without them, and without what they need."""
    if "plan" not in fitted:
        return None
    described: dict[str, Any] = {name: fitted[name] for name in ("plan", "moments") if name in fitted}
    return described, {name: array for name, array in arrays.items() if name.startswith(("plan_", "moments_"))}


def _unpack_label(name: str, label: Any) -> str:
    if label is None:
        return name
    restored = ColumnName(tuple(label) if isinstance(label, list) else label)
    return restored if restored == name else name


def _unpack_column(position: int, described: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> ColumnEncoder:
    prefix = f"column_{position:05d}"
    counts = described["n_functions"]
    repeated = described.get("n_repeated", [0] * len(counts))
    bases = tuple(
        LocalBasis(arrays[f"{prefix}_first_{size}"], arrays[f"{prefix}_polynomials_{size}"], *own)
        for size, own in enumerate(zip(counts, repeated, strict=True))
    )
    levels = None if described["levels"] is None else tuple(described["levels"])
    edges, lows, scales = (arrays[f"{prefix}_{part}"] for part in ("edges", "lows", "scales"))
    order, has_pooled = tuple(described.get("order", ())), described.get("has_pooled", True)  # older files lack them
    return ColumnEncoder(described["name"], edges, lows, scales, levels, bases, tuple(described["values"]), order, has_pooled)
