"""Sources of rows that are read as Arrow data: Parquet files, data sets, lazy frames of polars, relations of DuckDB, functions.

Each is read as pandas DataFrames, as ``pandas.read_parquet`` would give them, a few row groups at a time.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import pandas as pd

from .._optional import require
from .._validation import LARGEST_INTEGER, check_integer, name_columns
from ..store.parts import PARTS_SUFFIX
from ..table.containers import open_container
from .source import FrameSource

# How pandas names a column of row labels that has no name.
_INDEX = re.compile(r"__index_level_\d+__")
_SUFFIXES = (".parquet", ".pq", ".parq")


class DatasetSource(FrameSource):
    """Rows of a ``pyarrow.dataset.Dataset``."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        super().__init__(_drop_index(dataset.schema.names, dataset.schema.metadata))

    def count(self) -> int:
        """See :class:`FrameSource`: by what the files say of themselves."""
        return int(self._dataset.count_rows())

    def find_types(self, columns: Sequence[str]) -> dict[str, Any]:
        """See :class:`FrameSource`."""
        return {name: self._dataset.schema.field(name).type for name in columns}

    def read(self, columns: Sequence[str], n_rows: int, start: int = 0) -> Iterator[pd.DataFrame]:
        """See :class:`FrameSource`; one file at a time is read ahead."""
        options = {"batch_size": n_rows, "batch_readahead": 1, "fragment_readahead": 1}
        return _skip(map(make_frame, self._dataset.to_batches(columns=list(columns), **options)), start)


class ParquetSource(DatasetSource):
    """Rows of Parquet files: one, those of a folder, or those that a pattern names, in the order of their paths."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path, self._files = os.path.abspath(path), list_files(path)
        super().__init__(_open_files(path, self._files))

    def covers(self, target: Path) -> bool:
        """Whether a file is, or would be, one of those that are read."""
        if os.path.isdir(self._path):
            return target.is_relative_to(os.path.realpath(self._path))
        return str(target) in map(os.path.realpath, self._files) or fnmatch(str(target), os.path.realpath(self._path))

    def identify(self) -> list[list[Any]]:
        """See :class:`FrameSource`: name, size and time of change of each file."""
        found = [(name, os.stat(name)) for name in self._dataset.files]
        return [[os.path.basename(name), each.st_size, each.st_mtime_ns] for name, each in found]

    def read(self, columns: Sequence[str], n_rows: int, start: int = 0) -> Iterator[pd.DataFrame]:
        """See :class:`FrameSource`; files and row groups before ``start`` are not read."""
        if not start:
            return super().read(columns, n_rows)
        dataset = require("pyarrow.dataset", "tables", "Parquet files")
        groups = [group for file in self._dataset.get_fragments() for group in file.split_by_row_group()]
        while groups and (count := groups[0].count_rows()) <= start:
            start -= count
            groups.pop(0)
        rest = dataset.FileSystemDataset(groups, self._dataset.schema, self._dataset.format, self._dataset.filesystem)
        return DatasetSource(rest).read(columns, n_rows, start)


class LazySource(FrameSource):
    """Rows of a polars ``LazyFrame``, which runs once a pass."""

    is_steady = False

    def __init__(self, frame: Any) -> None:
        if not hasattr(frame, "collect_batches"):
            polars = require("polars", "tables", "lazy frames")
            raise TypeError(
                f"polars {polars.__version__} cannot give a LazyFrame in batches: install a version that has "
                "LazyFrame.collect_batches, or write it with X.sink_parquet(path) and pass the path"
            )
        self._frame = frame
        super().__init__(_drop_index(frame.collect_schema().names()))

    def count(self) -> int:
        """See :class:`FrameSource`."""
        polars = require("polars", "tables", "lazy frames")
        return int(self._frame.select(polars.len()).collect().item())

    def find_types(self, columns: Sequence[str]) -> dict[str, Any]:
        """See :class:`FrameSource`."""
        return _map_types(self._frame.select(list(columns)).limit(0).collect().to_arrow().schema)

    def read(self, columns: Sequence[str], n_rows: int, start: int = 0) -> Iterator[pd.DataFrame]:
        """See :class:`FrameSource`."""
        chosen = self._frame.select(list(columns)).slice(start)
        batches = chosen.collect_batches(chunk_size=n_rows, maintain_order=True, lazy=True)
        try:
            for batch in batches:
                yield make_frame(batch.to_arrow())
        finally:
            getattr(batches, "stop", lambda: None)()


class RelationSource(FrameSource):
    """Rows of a DuckDB relation, whose query runs once a pass."""

    is_steady = False

    def __init__(self, relation: Any) -> None:
        self._relation = relation
        super().__init__(_drop_index(relation.columns))

    def count(self) -> int:
        """See :class:`FrameSource`."""
        return int(self._relation.count("*").fetchall()[0][0])

    def find_types(self, columns: Sequence[str]) -> dict[str, Any]:
        """See :class:`FrameSource`."""
        reader = _open_reader(self._project(columns).limit(0), 1)
        try:
            return _map_types(reader.schema)
        finally:
            reader.close()

    def read(self, columns: Sequence[str], n_rows: int, start: int = 0) -> Iterator[pd.DataFrame]:
        """See :class:`FrameSource`."""
        reader = _open_reader(self._project(columns), n_rows)
        try:
            yield from _skip(map(make_frame, reader), start)
        finally:
            reader.close()  # until then its connection takes no other query

    def _project(self, columns: Sequence[str]) -> Any:
        return self._relation.project(", ".join('"{}"'.format(name.replace('"', '""')) for name in columns))


def _open_reader(relation: Any, n_rows: int) -> Any:
    """A reader of record batches; the method had another name before DuckDB 1.4."""
    return (getattr(relation, "to_arrow_reader", None) or relation.fetch_record_batch)(n_rows)


def _map_types(schema: Any) -> dict[str, Any]:
    return dict(zip(schema.names, schema.types, strict=True))


class FunctionSource(FrameSource):
    """Rows of a function without arguments that gives a fresh iterator of tables in each call."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._last: Any = None
        first = next(self._call(), None)
        if first is None:
            raise ValueError("Found array with 0 sample(s): the function gave no table of rows")
        self.has_names = hasattr(first, "columns")
        super().__init__(list(map(str, name_columns(open_frame(first).columns))))

    def _call(self) -> Iterator[Any]:
        given = self._function()
        if given is self._last and hasattr(given, "__next__"):
            raise TypeError(
                "the function gave the same iterator twice, and it is used up: make it anew in each call, as a function with "
                "yield does"
            )
        if hasattr(given, "iloc") or hasattr(given, "shape") or not hasattr(given, "__iter__"):
            raise TypeError(
                f"the function gave a {type(given).__name__}, and an iterator of tables is expected: pass the table itself, or "
                "a function that gives [table]"
            )
        self._last = given
        return iter(given)

    def read(self, columns: Sequence[str], n_rows: int, start: int = 0) -> Iterator[pd.DataFrame]:
        """See :class:`FrameSource`."""
        return _skip((self._choose(open_frame(each), columns) for each in self._call()), start)

    def _choose(self, frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
        frame.columns = list(map(str, name_columns(frame.columns)))
        missing = [name for name in columns if name not in frame.columns]
        if missing:
            raise ValueError(f"a table of the function lacks columns that the first one had: {missing[:8]}")
        return frame[list(columns)]


def list_files(path: str | os.PathLike[str]) -> list[str]:
    """Parquet files of a path, a folder or a pattern, sorted.

    Raises
    ------
    FileNotFoundError
        If there are none.
    ValueError
        If the path is a file of another kind.
    """
    text = os.fspath(path)
    if os.path.isdir(text):
        inside = ((each, each.relative_to(text).parts) for each in Path(text).rglob("*"))
        found = [str(each) for each, parts in inside if each.suffix.lower() in _SUFFIXES and not _is_hidden(parts)]
    elif os.path.exists(text) or not has_magic(text):
        found = [text]
        if not os.path.exists(text):
            raise FileNotFoundError(f"there is no file or folder {text}")
        if Path(text).suffix.lower() not in _SUFFIXES:
            raise ValueError(
                f"{text} is no Parquet file; pass the table it holds (pd.read_csv(path)) or, if memory does not hold it, "
                "polars.scan_csv(path) or duckdb.read_csv(path)"
            )
    else:
        found = [name for name in glob(text, recursive=True) if os.path.isfile(name)]
    found = [name for name in found if not Path(name).parent.name.endswith(PARTS_SUFFIX)]  # explanations half written
    if not found:
        raise FileNotFoundError(f"{text} names no Parquet file ({', '.join(_SUFFIXES)})")
    return sorted(found)


def _is_hidden(parts: Sequence[str]) -> bool:
    """Whether a file, or a folder it is in, is put aside by its name, as Spark and others do."""
    return any(part.startswith((".", "_")) for part in parts)


def _open_files(path: str | os.PathLike[str], files: list[str]) -> Any:
    """The data set of files, whose columns have types that hold those of every file."""
    pyarrow = require("pyarrow", "tables", "Parquet files")
    dataset = require("pyarrow.dataset", "tables", "Parquet files")
    options: dict[str, Any] = {"format": "parquet"}
    if os.path.isdir(path):  # folders named column=value, read as pandas does
        options |= {"partitioning": dataset.HivePartitioning.discover(infer_dictionary=True)}
        options |= {"partition_base_dir": os.fspath(path)}
    try:
        found = dataset.dataset(files, **options)
        schemas = [file.physical_schema for file in found.get_fragments()]
        if all(each.equals(schemas[0]) for each in schemas):
            return found
        schema = pyarrow.unify_schemas(_plain_where_mixed(pyarrow, schemas), promote_options="permissive")
        for field in found.schema:  # of folders
            schema = schema if field.name in schema.names else schema.append(field)
        return dataset.dataset(files, schema=schema.with_metadata(found.schema.metadata), **options)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError) as error:
        raise ValueError(f"the Parquet files of {os.fspath(path)} cannot be read as one table: {error}") from error


def _plain_where_mixed(pyarrow: Any, schemas: list[Any]) -> list[Any]:
    """Schemas in which a column is a dictionary in all files or in none."""
    kinds: dict[str, set[bool]] = {}
    for schema in schemas:
        for field in schema:
            if not pyarrow.types.is_null(field.type):
                kinds.setdefault(field.name, set()).add(pyarrow.types.is_dictionary(field.type))
    mixed = {name for name, found in kinds.items() if len(found) > 1}

    def make_plain(field: Any) -> Any:
        is_meant = field.name in mixed and pyarrow.types.is_dictionary(field.type)
        return field.with_type(field.type.value_type) if is_meant else field

    return [pyarrow.schema([make_plain(field) for field in schema]) for schema in schemas]


def _drop_index(names: Sequence[str], metadata: Any = None) -> list[str]:
    """Names without the columns that hold row labels of pandas."""
    stored = json.loads((metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    return [name for name in names if name not in stored and not _INDEX.fullmatch(name)]


def make_frame(table: Any) -> pd.DataFrame:
    """An Arrow table or record batch as ``pandas.read_parquet`` would give it, rows numbered from 0.

    Raises ``ValueError``, naming the column, for integers from 2**53 on beside missing values, which pandas would round.
    """
    for name, column in zip(table.schema.names, table.columns, strict=True):
        if column.null_count and str(column.type) in ("int64", "uint64"):
            for value in _find_ends(column):
                check_integer(value, name)
    frame: pd.DataFrame = table.to_pandas()
    return frame.reset_index(drop=True)


def _find_ends(column: Any) -> list[int]:
    compute = require("pyarrow.compute", "tables", "Arrow tables")
    ends = compute.min_max(column).as_py()
    return [end for end in ends.values() if end is not None and abs(end) >= LARGEST_INTEGER]


def open_frame(table: Any) -> pd.DataFrame:
    """One table of a function's as a DataFrame; columns of an array are named ``x0`` …"""
    if isinstance(table, pd.DataFrame):
        return table.copy(deep=False)
    if hasattr(table, "__arrow_c_stream__") or hasattr(table, "__arrow_c_array__"):
        pyarrow = require("pyarrow", "tables", "Arrow tables")
        is_batch = hasattr(table, "num_rows") and not hasattr(table, "to_reader")
        return make_frame(pyarrow.Table.from_batches([table]) if is_batch else pyarrow.table(table))
    opened = open_container(table)
    if isinstance(opened, pd.DataFrame):
        return opened
    return pd.DataFrame(opened).rename(columns="x{}".format)


def _skip(frames: Iterator[pd.DataFrame], start: int) -> Iterator[pd.DataFrame]:
    """Frames without their first ``start`` rows."""
    for frame in frames:
        if start < len(frame):
            yield frame.iloc[start:]
        start = max(start - len(frame), 0)
