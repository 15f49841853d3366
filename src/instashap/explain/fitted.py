"""A fitted game: encoder, additive model and names. What explainers and estimators share, and what a file holds."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._errors import FileFormatError, InstashapWarning, NotFittedError, TooLargeError, warn_caller
from .._validation import ColumnName
from ..additive.deviations import Deviations, ErrorLookup
from ..additive.lookup import Lookup
from ..additive.model import AdditiveModel
from ..additive.residuals import ResidualReference
from ..store import expect_explainer, read_archive, write_archive
from ..table.bases import ColumnEncoder, LearntColumn, LocalBasis
from ..table.columns import Schema, Table, read_table
from ..table.containers import open_container
from ..table.encoding import BLOCK_ROWS, Encoded, TableEncoder
from ..table.reach import Reach, learn_reach
from ..table.recipe import Recipe
from .probes import agrees, compute_probes, sum_up

if TYPE_CHECKING:
    from ..additive.fitter import FitRecord
    from ..trust.report import TrustReport


_GONE = (
    "the rows of the fit, which stay in the process that fitted: this explainer was loaded, or copied, without them; "
    "call fit(X) again"
)
_NO_ERRORS = "there are no standard errors in here (save(path, errors=True) right after the fit keeps them), and new ones need"


# In files of earlier versions: the same cut for every model.
_FORMER_CUT = "from probabilities clipped to [0.001, 0.999]"


@dataclass(frozen=True)
class GameRows:
    """Rows a game was settled on.

    Attributes
    ----------
    encoded : Encoded
    weights : ndarray of shape (n_rows,), float64
    columns : tuple of LearntColumn
    size_law : ndarray of shape (n_varying_players + 1,), float64
    """

    encoded: Encoded = field(repr=False)
    weights: NDArray[np.float64] = field(repr=False)
    columns: tuple[LearntColumn, ...] = field(repr=False)
    size_law: NDArray[np.float64]


@dataclass(frozen=True)
class FittedGame:
    """Everything an explanation needs, and nothing of the black box.

    Attributes
    ----------
    encoder : TableEncoder
    model : AdditiveModel
    feature_names : tuple of str
        Names of the players.
    players : tuple of int
        Player of each column.
    output_names : tuple of str
    output_transform : str
        What the explained output is, and on which scale.
    game : str
        What "absent" means, for example ``"conditional"``.
    facts : dict
        Figures of the fit, as JSON: order, presence order, cross-validated fidelity, candidates tried.
    record : FitRecord or None
        Rows and solution of the fit, for what is computed on demand; None after loading.
    rows : GameRows or None
        Rows alone, after a fit by likelihood or an edit; None after loading.
    errors : Deviations or None
        From which standard errors are looked up; None until they are asked for, see :meth:`get_errors`.
    residuals : ResidualReference or None
        How far the model usually lies from this one; see :meth:`get_residuals`.
    reach : Reach or None
        Where the fitted rows lie; see :meth:`get_reach`.
    audit : TrustReport, dict or None
        How far to believe explanations, as JSON after loading; see :meth:`get_audit`.
    recipe : Recipe or None
        How text of the rows is read before the encoder sees it: dates, numbers with units.
    """

    encoder: TableEncoder
    model: AdditiveModel
    feature_names: tuple[str, ...]
    players: tuple[int, ...]
    output_names: tuple[str, ...]
    output_transform: str
    game: str
    facts: dict[str, Any] = field(repr=False)
    record: FitRecord | None = field(repr=False, default=None, compare=False)
    rows: GameRows | None = field(repr=False, default=None, compare=False)
    errors: Deviations | None = field(repr=False, default=None, compare=False)
    residuals: ResidualReference | None = field(repr=False, default=None, compare=False)
    reach: Reach | None = field(repr=False, default=None, compare=False)
    audit: TrustReport | dict[str, Any] | None = field(repr=False, default=None, compare=False)
    recipe: Recipe | None = field(repr=False, default=None)

    def __getstate__(self) -> dict[str, Any]:
        """Rows of the fit stay in this process: neither files nor pickles carry them."""
        return {**self.__dict__, "record": None, "rows": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def varying_names(self) -> tuple[str, ...]:
        """Names of the features that varied among the rows of the fit: its players."""
        null = self.model.null_players
        return tuple(name for player, name in enumerate(self.feature_names) if player not in null) or self.feature_names[:1]

    @property
    def schema(self) -> Schema:
        return self.encoder.schema

    @property
    def scale(self) -> dict[str, Any] | None:
        """How log-odds of the fitted rows came about, for :meth:`BlackBox.restore`; None of outputs that are none."""
        if _FORMER_CUT in self.output_transform:
            return {"floors": [0.001], "share_cut": 0.0, "description": self.output_transform}
        return self.facts.get("scale")

    def read(self, X: Any) -> Table:
        """A user's table as columns of the fitted kinds; raises ``ValueError`` for a category all of whose values are new."""
        table = read_table(follow_recipe(self.recipe, X), self.schema)
        self.encoder.check_levels(table)
        return table

    def get_errors(self) -> Deviations:
        """What standard errors are looked up from: computed on first use, or read from the file.

        Raises
        ------
        NotFittedError
            If there are none and the rows of the fit are gone: in a loaded or unpickled game.
        """
        if self.errors is None:
            from ..additive.uncertainty import compute_deviations

            # The fit's players are those that vary; standard errors are read by all features.
            found = replace(compute_deviations(self.get_record(_NO_ERRORS)), model=self.model)
            object.__setattr__(self, "errors", found)
        assert self.errors is not None
        return self.errors

    def get_residuals(self) -> ResidualReference:
        """How far the model usually lies from this one: computed on first use, or read from the file; raises as above."""
        if self.residuals is None:
            from ..additive.holdout import describe_residuals

            object.__setattr__(self, "residuals", describe_residuals(self.get_record("check() needs")))
        assert self.residuals is not None
        return self.residuals

    def get_reach(self) -> Reach | None:
        """Where the fitted rows lie: computed on first use, or read from the file; None where neither is there."""
        if self.reach is None and (self.rows or self.record):
            object.__setattr__(self, "reach", learn_reach(self.encoder, self.get_rows().encoded))
        return self.reach

    def get_audit(self) -> TrustReport:
        """The cross-fitted audit of the fit: in short if none was asked for, or read from the file; raises as above."""
        report = self.audit
        if report is None:
            from .auditing import audit_briefly

            report = audit_briefly(self)
        elif isinstance(report, dict):
            from ..trust.report import TrustReport

            report = TrustReport.from_dict(report)
        object.__setattr__(self, "audit", report)
        return report

    def get_record(self, purpose: str) -> FitRecord:
        """Rows and solution of the fit; raises ``NotFittedError`` with the ``purpose`` where they are gone."""
        if self.record is None and not self.facts.get("has_equations", True):
            raise NotFittedError(
                "standard errors, the ranking of terms and check() come from the normal equations of the masked squared error: "
                "they are not there for a fit by likelihood, or after an edit"
            )
        if self.record is None and "remainder_share" in self.facts:
            raise NotFittedError(
                "standard errors, check() and the ranking of terms are about a fit to a model's outputs; this explainer keeps "
                "an additive model's own outputs as they are"
            )
        if self.record is None and self.game != "conditional":
            raise NotFittedError(
                f"standard errors, the ranking of terms and check() are there for the conditional game, not for {self.game}; "
                "refine(X) gives values of that game with standard errors of their own"
            )
        if self.record is None:
            raise NotFittedError(f"{purpose} {_GONE}")
        return self.record

    def get_rows(self) -> FitRecord | GameRows:
        """Encoded rows of the fit, their weights and columns; raises ``NotFittedError`` where they are gone."""
        if self.rows is None and self.record is None:
            raise NotFittedError(f"a change of shapes needs {_GONE}")
        return self.rows or self.record  # type: ignore[return-value]

    def look_up(self, lookup: Lookup | ErrorLookup, table: Table, n_jobs: int | None = None) -> NDArray[np.float64]:
        """Sums of table entries for every row, shape (n_rows, n_slots, n_outputs).

        Rows are worked in fixed blocks, each by one thread, so the bits do not depend on ``n_jobs``.
        """
        totals = np.zeros((table.n_rows, lookup.n_slots, lookup.n_outputs))
        if table.n_rows <= BLOCK_ROWS:
            return lookup.apply(self.encoder.encode(table), totals)

        def work(start: int) -> None:
            stop = min(start + BLOCK_ROWS, table.n_rows)
            lookup.apply(self.encoder.encode(table, start, stop), totals[start:stop])

        starts = range(0, table.n_rows, BLOCK_ROWS)
        n_threads = count_threads(n_jobs)
        if n_threads == 1:
            for start in starts:
                work(start)
            return totals
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(work, starts))
        return totals

    def compute_shapley_values(self, table: Table, n_jobs: int | None = None) -> NDArray[np.float64]:
        """Shapley values, shape (n_rows, n_players, n_outputs)."""
        return self.look_up(self.model.credits, table, n_jobs)

    def compute_effects(self, table: Table, n_jobs: int | None = None) -> NDArray[np.float64]:
        """Value of each shape function, shape (n_rows, n_terms, n_outputs)."""
        return self.look_up(self.model.effects, table, n_jobs)[:, : len(self.model.value_sets)]

    def predict(self, table: Table, n_jobs: int | None = None) -> NDArray[np.float64]:
        """Output at the full coalition, shape (n_rows, n_outputs)."""
        return self.model.base_value + self.look_up(self.model.prediction, table, n_jobs)[:, 0]

    def compute_shape_errors(self, values: tuple[int, ...], encoded: Encoded) -> NDArray[np.float64]:
        """Standard errors of a shape function at places of its columns, shape (n_places, n_outputs).

        Parameters
        ----------
        values : tuple of int
            The term, one of ``model.value_sets``.
        encoded : Encoded
            Cells and offsets of the term's columns, in their order: shapes (n_places, len(values)).
        """
        shape = len(encoded.cells), len(self.players)
        full = Encoded(np.zeros(shape, dtype=np.int32), np.zeros(shape))
        full.cells[:, values], full.offsets[:, values] = encoded
        return self.get_errors().make_shape_lookup(values).apply(full)[:, 0]

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the value sets, columns joined by ``" × "``."""
        return tuple(" × ".join(self.schema.names[column] for column in values) for values in self.model.value_sets)

    def save(self, path: str | os.PathLike[str], *, errors: bool | None = None, **content: Any) -> None:
        """Write to one file; ``content`` is added to the manifest (JSON).

        What standard errors need is written where it exists; ``errors=True`` computes it, ``errors=False`` leaves it out.
        """
        fitted, arrays = self.pack_tables()
        probes = compute_probes(self.model)
        if errors or (errors is None and self.errors is not None):
            arrays |= self._pack_errors()
        if self.residuals is not None or self.record is not None:
            fitted["residuals"], residuals = self.get_residuals().pack()
            arrays |= residuals
        if (reach := self.get_reach()) is not None:
            fitted["reach"], region = reach.pack()
            arrays |= region
        if self.audit is not None or self.record is not None:
            fitted["audit"] = self.get_audit().to_dict()
        if self.recipe is not None:
            fitted["recipe"] = self.recipe.to_json()
        if np.isfinite(probes).all():
            arrays |= {"probes": probes, "probes_of_trust": sum_up(arrays)}
        write_archive(path, {"fitted": fitted, **content}, arrays, expect_explainer)

    def pack_tables(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What scores a row, as a file holds it: facts (JSON) and arrays by name."""
        columns, arrays = _pack_columns(self.encoder)
        for number, table in enumerate(self.model.tables):
            arrays[f"table_{number:05d}"] = table
            arrays[f"mixing_{number:05d}"] = self.model.mixings[number]
        arrays["base_value"] = self.model.base_value
        fitted = {
            "names": self.schema.names,
            "labels": [_pack_label(name) for name in self.schema.names],
            "is_category": self.schema.is_category,
            "has_names": self.schema.has_names,
            "is_boolean": self.schema.is_boolean,
            "columns": columns,
            "value_sets": self.model.value_sets,
            "presence_sets": self.model.presence_sets,
            "feature_names": self.feature_names,
            "players": self.players,
            "null_players": self.model.null_players,
            "output_names": self.output_names,
            "output_transform": self.output_transform,
            "game": self.game,
            "facts": self.facts,
        }
        return fitted, arrays

    def _pack_errors(self) -> dict[str, NDArray[Any]]:
        """Arrays of the standard errors; none where they cannot be had (said, unless the rows of the fit are gone)."""
        if self.errors is None and self.record is None:
            return {}
        try:
            errors = self.get_errors()
        except (TooLargeError, ValueError) as error:
            warn_caller(f"saved without standard errors: {error}", InstashapWarning)
            return {}
        arrays: dict[str, NDArray[Any]] = {"error_base": errors.base}
        for name in _ERROR_PARTS:
            arrays |= {f"error_{name}_{number:05d}": array for number, array in enumerate(getattr(errors, name))}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            warn_caller("saved without standard errors: some are beyond the range of numbers", InstashapWarning)
            return {}
        return arrays


# Fields of Deviations with an array for each value set.
_ERROR_PARTS = ("curves", "mixings", "constants")


def _unpack_errors(model: AdditiveModel, arrays: dict[str, NDArray[Any]]) -> Deviations | None:
    if "error_base" not in arrays:
        return None
    numbers = range(len(model.value_sets))
    parts = {name: tuple(arrays[f"error_{name}_{number:05d}"] for number in numbers) for name in _ERROR_PARTS}
    return Deviations(model, base=arrays["error_base"], **parts)


def follow_recipe(recipe: Recipe | None, X: Any) -> Any:
    """The rows as the recipe of the fit reads their text; as they are where there is none, or columns have no names."""
    if recipe is None:
        return X
    opened = open_container(X)
    return recipe.apply(opened) if hasattr(opened, "columns") else X


def load_fitted(path: str | os.PathLike[str]) -> tuple[FittedGame, dict[str, Any]]:
    """Read what :meth:`FittedGame.save` wrote; also returns the rest of the manifest."""
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
    )
    if probes is not None and not (agrees(compute_probes(model), probes) and agrees(sum_up(arrays), of_trust)):
        raise FileFormatError(f"{path} was altered: it does not give the values it gave when it was saved")
    players = tuple(named.get(name, name) for name in fitted["feature_names"])
    names = players, tuple(fitted["players"]), tuple(fitted["output_names"])
    described = fitted["output_transform"], fitted["game"], fitted["facts"]
    errors = _unpack_errors(model, arrays)
    residuals = ResidualReference.unpack(fitted["residuals"], arrays) if "residuals" in fitted else None
    try:
        recipe = Recipe.from_json(fitted["recipe"]) if "recipe" in fitted else None
    except ValueError as error:
        raise FileFormatError(f"{path} is not a saved explainer: {error}") from error
    reach = Reach.unpack(fitted["reach"], arrays) if "reach" in fitted else None
    later = {"errors": errors, "residuals": residuals, "reach": reach, "audit": fitted.get("audit"), "recipe": recipe}
    return FittedGame(encoder, model, *names, *described, **later), content


def _pack_label(name: str) -> Any:
    """A column's label as JSON where it is a number, or a tuple of text and numbers; else None, and the name is all."""
    label = getattr(name, "label", None)
    parts = [part.item() if isinstance(part, np.generic) else part for part in (label if isinstance(label, tuple) else [label])]
    if not all(isinstance(part, (str, int, float)) and part == part for part in parts):
        return None
    return parts if isinstance(label, tuple) else parts[0]


def _unpack_label(name: str, label: Any) -> str:
    if label is None:
        return name
    restored = ColumnName(tuple(label) if isinstance(label, list) else label)
    return restored if restored == name else name


def _pack_columns(encoder: TableEncoder) -> tuple[list[dict[str, Any]], dict[str, NDArray[Any]]]:
    described: list[dict[str, Any]] = []
    arrays: dict[str, NDArray[Any]] = {}
    for position, column in enumerate(encoder.columns):
        described.append(
            {
                "name": column.name,
                "levels": column.levels,
                "values": column.values,
                "order": column.order,
                "has_pooled": column.has_pooled,
                "n_functions": [basis.n_functions for basis in column.bases],
            }
        )
        arrays |= {f"column_{position:05d}_{part}": getattr(column, part) for part in ("edges", "lows", "scales")}
        for size, basis in enumerate(column.bases):
            arrays[f"column_{position:05d}_first_{size}"] = basis.first
            arrays[f"column_{position:05d}_polynomials_{size}"] = basis.polynomials
    return described, arrays


def _unpack_column(position: int, described: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> ColumnEncoder:
    prefix = f"column_{position:05d}"
    bases = tuple(
        LocalBasis(arrays[f"{prefix}_first_{size}"], arrays[f"{prefix}_polynomials_{size}"], n_functions)
        for size, n_functions in enumerate(described["n_functions"])
    )
    levels = None if described["levels"] is None else tuple(described["levels"])
    edges, lows, scales = (arrays[f"{prefix}_{part}"] for part in ("edges", "lows", "scales"))
    order, has_pooled = tuple(described.get("order", ())), described.get("has_pooled", True)  # older files lack them
    return ColumnEncoder(described["name"], edges, lows, scales, levels, bases, tuple(described["values"]), order, has_pooled)


def count_threads(n_jobs: int | None) -> int:
    """Threads to use: None and -1 mean every core this process may run on."""
    if n_jobs is None or n_jobs < 0:
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return available if n_jobs is None else max(available + 1 + n_jobs, 1)
    return max(n_jobs, 1)
