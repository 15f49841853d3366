"""Rows of a Spark DataFrame: partitions are summed by ``mapInArrow``, and their sums added tile by tile in groups.

Only the DataFrame API is used, which Spark Connect has too. What a partition gives is a function of its rows: a task that is
repeated gives the same rows again, and each partition is counted once.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from .._optional import require
from ..masked.sums import RowSums
from ..rows.arrow import make_frame
from .cluster_rows import ClusterSource, Frames, Result
from .recognise import expect_engine

# Numbers of a tile, 8 MB: a cell of 200 MB ran the Java process out of memory. Parts whose tiles are added first: 128 MB.
_TILE_NUMBERS, _FIRST_GROUP = 2**20, 16
_SCHEMA = "part int, first int, tile int, data binary"
_NUMBERS = {"tinyint", "smallint", "int", "bigint", "float", "double", "boolean", "string"}


def from_spark(frame: Any) -> SparkSource:
    """Rows of a Spark DataFrame (4.0 or later, classic or Connect) for ``Explainer.fit`` and ``accumulate``.

    The black box runs on the workers, where this package and the model's must be installed, unless ``outputs=`` names columns
    of outputs. Null and NaN are missing; decimals are read as doubles. A task that is lost or repeated changes nothing.

    Parameters
    ----------
    frame : pyspark.sql.DataFrame
        The same rows in each pass: write or cache it first if its plan is not deterministic, or costly.

    Raises
    ------
    TypeError
        For another object, and for columns that are neither numbers, booleans nor text: they are named.
    OptionalDependencyError
        If PySpark is missing: ``pip install 'instashap[spark]'``.
    """
    require("pyspark.sql", "spark", "rows on a Spark cluster")
    expect_engine(frame, "pyspark")
    return SparkSource(frame)


def select_columns(frame: Any, names: Sequence[str]) -> Any:
    """Some columns, decimals as doubles; raises ``TypeError`` for those that cannot be read, with advice by kind."""
    functions = require("pyspark.sql.functions", "spark", "rows on a Spark cluster")
    kinds = dict(frame.dtypes)
    chosen = []
    for name in names:
        column = functions.col("`{}`".format(name.replace("`", "``")))
        kind = kinds[name]
        if kind.startswith("decimal"):
            column = column.cast("double").alias(name)
        elif kind not in _NUMBERS:
            raise TypeError(f"column {name!r} is of Spark's type {kind}: {_advise(kind)}, or leave it out")
        chosen.append(column)
    return frame.select(*chosen)


def map_batches(frame: Any, work: Callable[[Iterator[Any]], Iterator[Any]], schema: Any) -> Any:
    """``mapInArrow`` of a frame whose columns may have any names; they are numbered, as it cannot find those with points."""
    names = list(frame.columns)
    numbered = frame.toDF(*(f"c{place}" for place in range(len(names))))
    return numbered.mapInArrow(partial(_rename, names, work), schema)


def _rename(names: list[str], work: Callable[[Iterator[Any]], Iterator[Any]], batches: Iterator[Any]) -> Iterator[Any]:
    yield from work(batch.rename_columns(names) for batch in batches)


def _advise(kind: str) -> str:
    if kind.startswith(("timestamp", "date")):
        return "make numbers of it (year, month, dayofweek, hour or unix_timestamp)"
    if kind.startswith(("array", "map", "struct", "vector", "udt")):
        return "make one column of each entry (vectors: pyspark.ml.functions.vector_to_array)"
    return "cast it to double or string"


class SparkSource(ClusterSource):
    """Rows of a Spark DataFrame, partition by partition."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        super().__init__(list(frame.columns))

    def reduce_parts(self, work: Callable[[Frames], Result], columns: Sequence[str]) -> Result:
        """See :class:`ClusterSource`."""
        emitted = map_batches(select_columns(self._frame, columns), partial(_emit, work), _SCHEMA)
        grouped = emitted.groupBy("first", "tile").applyInArrow(_add_tiles, _SCHEMA)
        tiles = grouped.groupBy("tile").applyInArrow(_add_tiles, _SCHEMA).toArrow().sort_by("tile")
        return _join_tiles([(each["tile"], each["data"]) for each in tiles.to_pylist()])  # type: ignore[no-any-return]

    def read_head(self, columns: Sequence[str], n_rows: int) -> pd.DataFrame:
        """See :class:`ClusterSource`."""
        return make_frame(select_columns(self._frame, columns).limit(n_rows).toArrow())


def _emit(work: Callable[[Frames], Any], batches: Iterator[Any]) -> Iterator[Any]:
    """Tiles of what a partition's rows give; on a worker."""
    pyarrow = require("pyarrow", "spark", "rows on a Spark cluster")
    context = require("pyspark", "spark", "rows on a Spark cluster").TaskContext.get()
    part = context.partitionId()
    result = work(map(make_frame, batches))
    for tile, data in _split_tiles(result):
        columns = {"part": [part], "first": [part // _FIRST_GROUP], "tile": [tile], "data": [data]}
        yield pyarrow.RecordBatch.from_pydict(columns, schema=_make_schema(pyarrow))


def _make_schema(pyarrow: Any) -> Any:
    whole = pyarrow.int32()
    return pyarrow.schema([("part", whole), ("first", whole), ("tile", whole), ("data", pyarrow.binary())])


def _split_tiles(result: Any) -> Iterator[tuple[int, bytes]]:
    """Sums of products as their shape with the number of rows (tile 0) and tiles of numbers; others as one object (tile -1)."""
    if not isinstance(result, RowSums):
        yield -1, _dump(result)
        return
    yield 0, np.array([result.n_rows, *result.products.shape], dtype=np.int64).tobytes()
    flat = result.products.ravel()
    for number, start in enumerate(range(0, len(flat), _TILE_NUMBERS), start=1):
        yield number, flat[start : start + _TILE_NUMBERS].tobytes()


def _dump(result: Any) -> bytes:
    """An object with functions that were made inside others, which only cloudpickle can write."""
    return require("pyspark.cloudpickle", "spark", "rows on a Spark cluster").dumps(result)  # type: ignore[no-any-return]


def _add_tiles(table: Any) -> Any:
    """The sum of equal tiles of several parts, in the order of the parts; on a worker."""
    pyarrow = require("pyarrow", "spark", "rows on a Spark cluster")
    rows = table.sort_by("part").to_pylist()
    tile = rows[0]["tile"]
    if tile < 0:
        total = pickle.loads(rows[0]["data"])
        for row in rows[1:]:
            total = total + pickle.loads(row["data"])
        data = _dump(total)
    elif tile == 0:
        heads = np.array([np.frombuffer(row["data"], dtype=np.int64) for row in rows])
        data = np.array([heads[:, 0].sum(), *heads[0, 1:]], dtype=np.int64).tobytes()
    else:
        numbers = np.frombuffer(rows[0]["data"]).copy()
        for row in rows[1:]:
            numbers += np.frombuffer(row["data"])
        data = numbers.tobytes()
    columns = {"part": [rows[0]["part"]], "first": [rows[0]["first"]], "tile": [tile], "data": [data]}
    return pyarrow.Table.from_pydict(columns, schema=_make_schema(pyarrow))


def _join_tiles(tiles: list[tuple[int, bytes]]) -> Any:
    number, first = tiles[0]
    if number < 0:
        return pickle.loads(first)
    n_rows, *shape = np.frombuffer(first, dtype=np.int64)
    products = np.concatenate([np.frombuffer(data) for _, data in tiles[1:]]).reshape(shape)
    return RowSums(products, int(n_rows))
