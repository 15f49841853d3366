"""From what a user passes as rows to a source of them."""

from __future__ import annotations

import os
from numbers import Real
from typing import Any

import numpy as np

from .._validation import find_column, is_label, name_columns
from .arrow import DatasetSource, FunctionSource, LazySource, ParquetSource, RelationSource
from .memory import MemorySource
from .source import FrameSource, is_named


def open_source(X: Any, outputs: Any = None, sample_weight: Any = None) -> FrameSource | None:
    """A source of rows, its columns of outputs and weights set apart; None for a table in memory that needs neither.

    Parameters
    ----------
    X : table or source of rows
        Path, folder or pattern of Parquet files, ``pyarrow.dataset.Dataset``, polars ``LazyFrame``, DuckDB relation, or a
        function without arguments that gives a fresh iterator of DataFrames or record batches.
    outputs, sample_weight : array, name or label of a column, or None
        ``outputs`` may also be a list of names.

    Raises
    ------
    TypeError
        For rows that can be read once only.
    ValueError
        For a ``sample_weight`` that is a number and a column's label.
    """
    source = _find_source(X)
    outputs, sample_weight = _name_labels(X, outputs, "outputs"), _name_labels(X, sample_weight, "sample_weight")
    if source is None:
        if not is_named(outputs) and not isinstance(sample_weight, str):
            return None
        source = MemorySource(X)
    source.set_apart(outputs, sample_weight)
    return source


def _name_labels(X: Any, given: Any, what: str) -> Any:
    """Names of the columns of a pandas table that ``given`` has as labels that are not text; anything else unchanged."""
    if given is None or not (hasattr(X, "iloc") and hasattr(X, "columns")):
        return given
    names = name_columns(X.columns)
    if is_label(given, names):
        if what == "sample_weight" and isinstance(given, Real):
            raise ValueError(
                f"sample_weight={given} may be one weight for all rows or the column {given}: pass sample_weight=X[{given!r}] "
                f"and X.drop(columns={given!r}), or numpy.full(len(X), {given})"
            )
        return names[find_column(given, names, what)]
    is_list = isinstance(given, (list, tuple)) and 0 < len(given) != len(X)
    if is_list and all(isinstance(each, str) or is_label(each, names) for each in given):
        return [names[find_column(each, names, what)] for each in given]
    return given


def _find_source(X: Any) -> FrameSource | None:
    if isinstance(X, FrameSource):
        return X
    if isinstance(X, (str, os.PathLike)):
        return ParquetSource(X)
    refuse_engines(X)  # first: a frame of Spark Connect claims to have every attribute, as a column of that name
    refuse_read_once(X)
    package, kind = type(X).__module__.partition(".")[0].lstrip("_"), type(X).__name__
    if package == "pyarrow" and hasattr(X, "to_batches") and hasattr(X, "get_fragments"):
        return DatasetSource(X)
    if package == "polars" and kind == "LazyFrame":
        return LazySource(X)
    if package == "duckdb" and kind == "DuckDBPyRelation":
        return RelationSource(X)
    if callable(X) and not isinstance(X, np.ndarray) and not hasattr(X, "columns"):
        return FunctionSource(X)
    return None


# Objects whose rows lie elsewhere, by the beginning of their module and what they can do, and what to call instead.
_ENGINES = (
    ("pyspark.pandas", "to_spark", "instashap.distributed.from_spark(X.to_spark())"),
    ("pyspark.sql", "mapInArrow", "instashap.distributed.from_spark(X)"),
    ("dask", "to_delayed", "instashap.distributed.from_dask(X)"),
    ("ray.data", "iter_batches", "instashap.distributed.from_ray(X)"),
    ("modin", "modin", "pandas: X.modin.to_pandas(), or Parquet files"),
    ("snowflake.snowpark", "to_pandas", "pandas: X.to_pandas(), or Parquet files"),
    ("bigframes", "to_pandas", "pandas: X.to_pandas(), or Parquet files"),
)


def refuse_engines(X: Any) -> None:
    """Raise ``TypeError`` for a frame of an engine, whose rows are not in this process, with what to pass instead."""
    module = type(X).__module__
    for beginning, ability, instead in _ENGINES:
        if module.startswith(beginning) and hasattr(X, ability):
            kind = f"{module.partition('.')[0]} {type(X).__name__}"
            raise TypeError(f"the rows of a {kind} are not in this process; pass {instead}")


def refuse_read_once(X: Any) -> None:
    """Raise ``TypeError`` for generators, readers and scanners: a fit reads its rows twice, and the model needs them too."""
    kind = type(X).__name__
    if hasattr(X, "read_next_batch"):
        whole = "X.read_all()"
    elif hasattr(X, "__next__"):
        whole = "pd.concat(X), of DataFrames, or np.vstack(list(X)), of arrays"
    elif kind == "Scanner" and hasattr(X, "to_reader"):
        whole = "X.to_table()"
    else:
        return
    raise TypeError(
        f"a {kind} can be read once only, and a fit reads its rows twice: pass a function that makes it anew, such as "
        f"lambda: make_batches(), or, if memory holds them, the rows as one table: {whole}"
    )
