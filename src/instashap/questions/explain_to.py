"""Explaining rows that need not fit in memory, into a Parquet file: part by part, and again from where it was interrupted."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._errors import DataWarning, warn_caller
from .._optional import require
from .._progress import show_rows
from .._validation import find_columns
from ..fits.summing import choose_columns
from ..fitted.game import FittedGame, follow_recipe
from ..fitted.packing import pack_tables
from ..rows.arrow import ParquetSource
from ..rows.memory import MemorySource
from ..rows.opening import open_source
from ..rows.source import FrameSource, regroup
from ..store import PartFolder, replace_file
from ..table.columns import Table, read_table
from .answers import get_reach

# Numbers written in a part, 16 MB, and its fewest rows.
_PART_NUMBERS, _FEWEST_ROWS = 2**21, 4096
# Share of the rows that may lie outside the fitted ones without a warning.
_WARN_SHARE = 0.05
# Endings that stand for other formats than Parquet.
_OTHER_FORMATS = frozenset({".csv", ".tsv", ".txt", ".xlsx", ".json", ".jsonl", ".feather", ".arrow", ".orc", ".insta"})
# Of the format of parts: those of another one are thrown away.
_VERSION = 1


@dataclass(frozen=True)
class _Task:
    """What is explained, and what is written of it.

    Attributes
    ----------
    fitted : FittedGame
    source : FrameSource
    columns : list of str
        Read from the source for the values.
    keep : list of str
        Written beside the values.
    """

    fitted: FittedGame
    source: FrameSource
    columns: list[str]
    keep: list[str]
    n_jobs: int | None

    @property
    def part_rows(self) -> int:
        n_numbers = len(self.value_names) + len(self.keep)
        return max(_PART_NUMBERS // n_numbers // _FEWEST_ROWS, 1) * _FEWEST_ROWS

    @property
    def value_names(self) -> list[str]:
        """Names of what is computed, in the order of the file."""
        return name_values(self.fitted)

    def identify(self) -> str:
        """A digest that changes with whatever parts depend on, but for rows that have to be read to be known."""
        facts, arrays = pack_tables(self.fitted)
        recipe = None if self.fitted.recipe is None else self.fitted.recipe.to_json()
        content = [_VERSION, facts, recipe, self.columns, self.keep, self.part_rows, self.source.identify()]
        digest = sha256(json.dumps(content, default=str).encode())
        for name in sorted(arrays):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(arrays[name]).tobytes())
        return digest.hexdigest()


def name_values(fitted: FittedGame) -> list[str]:
    """Names of base values, Shapley values and predictions as columns of a table."""
    outputs, features = fitted.output_names, fitted.feature_names
    ends = [""] if len(outputs) == 1 else [f" · {output}" for output in outputs]
    names = ["base_value", *(f"shap_{feature}" for feature in features), "prediction"]
    return [f"{name}{end}" for name in names for end in ends]


def compute_columns(fitted: FittedGame, table: Table, n_jobs: int | None) -> NDArray[np.float64]:
    """Base values, Shapley values and predictions of rows, shape (n_rows, n_names), in the order of :func:`name_values`."""
    values = fitted.compute_shapley_values(table, n_jobs)
    base = np.broadcast_to(fitted.model.base_value, (table.n_rows, 1, values.shape[2]))
    computed = np.concatenate([base, values, fitted.predict(table, n_jobs)[:, None]], axis=1)
    return computed.reshape(table.n_rows, -1)


def explain_to(
    fitted: FittedGame,
    path: str | os.PathLike[str],
    X: Any,
    *,
    keep: str | Sequence[Any] = (),
    n_jobs: int | None = None,
    verbose: int = 0,
) -> None:
    """Write Shapley values of a source's rows; see :meth:`instashap.Explainer.explain_to`."""
    require("pyarrow.parquet", "tables", "Parquet files")
    target, source = Path(os.path.realpath(path)), open_source(X) or MemorySource(X)
    _check_target(target, source)
    task = _make_task(fitted, source, keep, n_jobs)
    parts = PartFolder.open(target, task.identify())
    _write_parts(task, parts, verbose)
    _join_parts(task, parts, target)
    _warn_outside(task, parts)
    parts.remove()


def _check_target(target: Path, source: FrameSource) -> None:
    """Raise unless a file may be written there, before anything is explained."""
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder; name a file in it, such as {target / 'values.parquet'}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {target.parent}; make it first")
    if target.suffix.lower() in _OTHER_FORMATS:
        advice = f"name it {target.with_suffix('.parquet').name}; pd.read_parquet reads it, and its rows write other files"
        raise ValueError(f"{target.name} would hold a Parquet file, whatever its ending says: {advice}")
    if isinstance(source, ParquetSource) and source.covers(target):
        raise ValueError(f"{target} lies among the files it explains, and would be read as rows: write it to another folder")


def _make_task(fitted: FittedGame, source: FrameSource, keep: str | Sequence[Any], n_jobs: int | None) -> _Task:
    choose_columns(fitted, source)
    is_all = isinstance(keep, str) and keep == "all"
    places = range(len(source.names)) if is_all else find_columns(_listed(keep), source.names, "keep")
    task = _Task(fitted, source, source.features, [source.names[place] for place in places], n_jobs)
    clash = sorted({*task.keep} & {*task.value_names})
    if clash:
        raise ValueError(f"columns {clash} are named like what is written beside them: rename them, or leave them out of keep=")
    alike = sorted({name for name in task.value_names if task.value_names.count(name) > 1})
    if alike:
        raise ValueError(f"two features or outputs would be written as {alike[0]!r}: rename one of them before the fit")
    return task


def _listed(keep: str | Sequence[Any]) -> list[Any]:
    return [keep] if isinstance(keep, str) else list(keep)


def _write_parts(task: _Task, parts: PartFolder, verbose: int) -> None:
    """Every part that is not there yet. Parts of files are not read again; other rows are, and compared."""
    is_known = task.source.identify() is not None
    first = len(parts.entries) if is_known else 0
    start = sum(entry["rows"] for entry in parts.entries[:first])
    names = list(dict.fromkeys([*task.columns, *task.keep]))
    types = task.source.find_types(task.keep) if task.keep else {}
    n_rows = task.source.count() if verbose else None
    strange: list[ValueError | None] = []
    with show_rows(verbose, "explain", n_rows, start) as progress:
        if progress is not None:
            progress(start)
        number, frames = first, regroup(task.source.read(names, task.part_rows, start), task.part_rows)
        for number, frame in enumerate(frames, first + 1):
            digest = None if is_known else _digest(frame)
            known = parts.entries[number - 1] if number <= len(parts.entries) else None
            if known is None or digest is None or known["digest"] != digest:
                table, error = _read(task, frame)
                strange.append(error)
                entry = {"rows": len(frame), "digest": digest, "outside": _count_outside(task, table)}
                parts.put(number - 1, _make_part(task, frame, table, types), entry)
            start += len(frame)
            if progress is not None:
                progress(start)
    if not start:
        parts.remove()
        raise ValueError("Found array with 0 sample(s): the source of rows gave none")
    if strange and None not in strange and len(strange) == number:
        parts.remove()
        raise strange[0]  # type: ignore[misc]
    del parts.entries[number:]


def _digest(frame: pd.DataFrame) -> str | None:
    """A hash of rows in their order; None if they hold values that cannot be hashed."""
    try:
        return sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()).hexdigest()
    except TypeError:
        return None


def _read(task: _Task, frame: pd.DataFrame) -> tuple[Table, ValueError | None]:
    """A part as columns of the fitted kinds, and the error if every value of a category is new: others may be known."""
    rows = follow_recipe(task.fitted.recipe, task.source.present(frame[task.columns]))
    table = read_table(rows, task.fitted.schema)
    try:
        task.fitted.encoder.check_levels(table)
    except ValueError as error:
        return table, error
    return table, None


def _count_outside(task: _Task, table: Table) -> list[int]:
    """Rows of which some value lies outside the fitted ones, and such values of each column."""
    reach = get_reach(task.fitted)
    if reach is None:
        return []
    is_outside = reach.measure_distances(table, task.fitted.encoder.encode(table)) > 0
    return [int(is_outside.any(axis=1).sum()), *is_outside.sum(axis=0).tolist()]


def _make_part(task: _Task, frame: pd.DataFrame, table: Table, types: dict[str, Any]) -> bytes:
    """A Parquet file of some rows: what is kept of them, base value, values and prediction."""
    pyarrow, parquet = require("pyarrow", "tables", "Parquet files"), require("pyarrow.parquet", "tables", "Parquet files")
    numbers = np.asfortranarray(compute_columns(task.fitted, table, task.n_jobs))
    arrays = [_to_arrow(pyarrow, frame[name], types.get(name)) for name in task.keep]
    arrays += [pyarrow.array(numbers[:, place]) for place in range(numbers.shape[1])]
    part = pyarrow.table(dict(zip([*task.keep, *task.value_names], arrays, strict=True)))
    buffer = io.BytesIO()
    parquet.write_table(part, buffer, use_dictionary=False, compression="none")  # it is read once, and soon
    return buffer.getvalue()


def _to_arrow(pyarrow: Any, column: Any, kind: Any) -> Any:
    """A column as it came; categories as their values."""
    if kind is not None and pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    if str(column.dtype) == "category":
        column = column.astype(object)
    return pyarrow.Array.from_pandas(column, type=kind)


def _join_parts(task: _Task, parts: PartFolder, target: Path) -> None:
    """One file of all parts, which is there as a whole or not at all."""
    pyarrow, parquet = require("pyarrow", "tables", "Parquet files"), require("pyarrow.parquet", "tables", "Parquet files")
    schema = pyarrow.unify_schemas([parquet.read_schema(part) for part in parts.iterate()], promote_options="permissive")
    facts = {"game": task.fitted.game, "output_transform": task.fitted.output_transform}
    schema = schema.with_metadata({b"instashap": json.dumps(facts).encode()})
    with replace_file(target) as stream:
        with parquet.ParquetWriter(stream, schema, use_dictionary=task.keep or False) as writer:  # values hardly repeat
            for table in _read_parts(parquet, parts):
                writer.write_table(table.cast(schema))
        stream.flush()
        os.fsync(stream.fileno())


def _read_parts(parquet: Any, parts: PartFolder) -> Iterator[Any]:
    for part in parts.iterate():
        with parquet.ParquetFile(part) as file:
            yield file.read()


def _warn_outside(task: _Task, parts: PartFolder) -> None:
    """Say so, once, if many rows hold values outside those of the fit."""
    found = [entry["outside"] for entry in parts.entries if entry["outside"]]
    if not found:
        return
    n_outside, *counts = np.sum(found, axis=0).tolist()
    n_rows = sum(entry["rows"] for entry in parts.entries)
    if n_outside <= _WARN_SHARE * n_rows:
        return
    order = [place for place in np.argsort(-np.array(counts), kind="stable")[:4] if counts[place]]
    worst = [repr(task.fitted.schema.names[place]) for place in order]
    warn_caller(
        f"{n_outside:,} of {n_rows:,} rows hold values outside those of the fit, most often in {', '.join(worst)}: their "
        "explanations are extrapolated; fit on rows like these",
        DataWarning,
    )
