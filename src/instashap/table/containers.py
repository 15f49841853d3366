"""Conversion of the tables of other libraries to a pandas frame or an array, without a copy where possible.

Anything that exports an Arrow stream (polars, pyarrow, DuckDB and others), or only the older interchange protocol, becomes a
pandas frame in which integers keep their digits. The black box does not receive these frames, but the user's own container.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._optional import require

# Engines whose tables are not in memory, by package: name, and methods that load the rows.
_ENGINES = {
    "pyarrow": ("pyarrow", ("to_table",)),
    "polars": ("polars", ("collect",)),
    "pyspark": ("Spark", ("toPandas",)),
    "dask": ("Dask", ("compute",)),
    "dask_expr": ("Dask", ("compute",)),
    "ray": ("Ray", ("to_pandas",)),
    "datasets": ("Hugging Face", ("to_pandas",)),
    "ibis": ("Ibis", ("to_pandas",)),
    "snowflake": ("Snowflake", ("to_pandas", "toPandas")),
    "vaex": ("Vaex", ("to_pandas_df",)),
    "bigframes": ("BigQuery", ("to_pandas",)),
}

# Those whose tables :mod:`instashap.rows` reads block by block.
_READ_IN_BLOCKS = ("pyarrow", "polars")


def open_container(X: Any) -> Any:
    """The rows as a pandas DataFrame if the columns have names, else in a container that numpy can read.

    Masked arrays are returned unchanged, as their mask marks the missing values.

    Raises
    ------
    TypeError
        For lazy and read-once containers, and for the data sets of boosting libraries; the message says what to pass.
    ValueError
        For a container of one column without a table around it.
    """
    if isinstance(X, np.ndarray) or _is_pandas(X):
        return X
    _refuse_inputs(X)
    name = type(X).__name__
    _refuse(X, name)
    if hasattr(X, "iloc") and not hasattr(X, "columns"):
        raise ValueError(f"Expected 2D array, got a {name}: use X.to_frame(), or X.to_frame().T for one row")
    if hasattr(X, "iloc"):  # frames in the manner of pandas
        return X.to_pandas() if hasattr(X, "to_pandas") else X
    if hasattr(X, "__arrow_c_stream__") or hasattr(X, "__arrow_c_array__"):
        return _to_pandas(_read_arrow(X, name))
    if hasattr(X, "__dataframe__"):
        interchange = require("pyarrow.interchange", "tables", "tables of other libraries")
        return _to_pandas(interchange.from_dataframe(X))
    return X.to_pandas() if hasattr(X, "to_pandas") and hasattr(X, "columns") else X


def _refuse_inputs(X: Any) -> None:
    """Raise for several inputs of one model: they become one table of all columns, which a function takes apart."""
    if hasattr(X, "nnz"):  # sparse matrices by keys are dictionaries
        return
    if isinstance(X, dict) and X and all(isinstance(part, (list, tuple)) for part in X.values()):
        raise ValueError("Expected 2D array, got a dict of columns; pass pd.DataFrame(X)")
    if isinstance(X, dict) and X and not any(hasattr(part, "__len__") and not isinstance(part, str) for part in X.values()):
        raise ValueError("Expected 2D array, got a dict that holds one row; pass pd.DataFrame([X])")
    parts = list(X.values()) if isinstance(X, dict) else X
    if not isinstance(parts, (list, tuple)) or not parts or not all(hasattr(part, "shape") for part in parts):
        return
    shapes = [tuple(part.shape) for part in parts]
    if all(len(shape) < 2 for shape in shapes):
        if isinstance(X, dict):
            raise TypeError("X is a dict of columns; pass pd.DataFrame(X)")
        return  # rows, each an array
    what = f"X is a {type(X).__name__} of {len(parts)} arrays of shapes {', '.join(map(str, shapes))}"
    if len({shape[0] for shape in shapes}) > 1:
        raise TypeError(f"{what}, whose numbers of rows differ; each input of a model needs one entry per row")
    is_frame = any(hasattr(part, "iloc") or np.asarray(part).dtype.kind not in "fiub" for part in parts)
    is_frame &= max(map(len, shapes)) < 3
    every = "X.values()" if isinstance(X, dict) else "X"
    if is_frame:  # an array of all would be one of text
        way = f"pd.concat([pd.DataFrame(part).reset_index(drop=True) for part in {every}], axis=1, ignore_index=True)"
    else:
        way = f"np.column_stack([np.reshape(part, (len(part), -1)) for part in {every}])"
    raise TypeError(
        f"{what}, and one table is needed: pass {way}, and a function that takes its columns apart: "
        f"lambda rows: predict({_write_parts(X, parts, shapes, is_frame)})"
    )


def _write_parts(X: Any, parts: Sequence[Any], shapes: list[tuple[int, ...]], is_frame: bool) -> str:
    """Expression that makes the model's inputs from the columns of one table."""
    ends = np.cumsum([int(np.prod(shape[1:])) for shape in shapes]).tolist()
    slices = []
    for part, shape, start, end in zip(parts, shapes, [0, *ends[:-1]], ends, strict=True):
        names = f".set_axis({list(part.columns)}, axis=1)" if hasattr(part, "columns") else ".to_numpy()"
        slices.append(f"rows.iloc[:, {start}:{end}]{names}" if is_frame else f"rows[:, {start}:{end}]{_write_fold(shape)}")
    if isinstance(X, dict):
        return f"{{{', '.join(f'{name!r}: {each}' for name, each in zip(X, slices, strict=True))}}}"
    return f"[{', '.join(slices)}]"


def _write_fold(shape: tuple[int, ...]) -> str:
    """Expression that reshapes flat columns to the axes of an input."""
    return f".reshape(-1, {', '.join(map(str, shape[1:]))})" if len(shape) > 2 else ""


def _is_pandas(X: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(X, pandas.DataFrame)


def _refuse(X: Any, name: str) -> None:
    """Raise ``TypeError`` for containers that would be read wrongly, or not at all."""
    if isinstance(X, (str, os.PathLike)):
        raise TypeError(
            f"X is a path, {os.fspath(X)!r}, and a table is needed: pass pd.read_parquet(path); fit, accumulate and explain_to "
            "take paths of Parquet files as they are"
        )
    if hasattr(X, "nnz") and hasattr(X, "todense") and not hasattr(X, "tocsr"):
        raise TypeError(f"the columns of a {name} cannot be read one by one; pass a matrix of scipy.sparse")
    engine, methods = _ENGINES.get(type(X).__module__.partition(".")[0], ("", ("toPandas", "collect", "compute")))
    for method in methods:
        if hasattr(X, method):
            whose = f" of {engine}" if engine else ""
            taken = "; fit, accumulate and explain_to take it as it is" if engine in _READ_IN_BLOCKS else ""
            way = f"pass X.{method}(), which loads its rows into memory"
            raise TypeError(f"a {name}{whose} is not computed yet; {way}{taken}")
    if hasattr(X, "read_next_batch"):
        raise TypeError(f"a {name} can be read once only, and the model needs the rows too; pass X.read_all()")
    if hasattr(X, "__next__") or name in ("DataLoader", "TensorDataset"):
        raise TypeError(f"a {name} gives its rows one after another; pass all of them as one table, such as np.vstack(list(X))")
    if name in ("Pool", "DMatrix", "QuantileDMatrix", "Dataset"):
        raise TypeError(f"the rows of a {name} cannot be read; pass the table from which it was made; the model takes that too")


def _read_arrow(X: Any, name: str) -> Any:
    pyarrow = require("pyarrow", "tables", "tables of other libraries")
    if isinstance(X, pyarrow.Table):  # conversion through the stream would take a millisecond
        return X
    try:
        return pyarrow.table(X)
    except (TypeError, ValueError) as error:
        what = "cast its columns to types that Arrow has" if hasattr(X, "columns") else "pass a table of columns with names"
        raise ValueError(f"Expected 2D array, got a {name}: {what} ({error})") from error


def _to_pandas(table: Any) -> Any:
    """A pandas frame of an Arrow table, with the index if pandas once stored one in it.

    Integers and booleans with missing values stay Arrow columns: numpy would round them or make them objects.
    """
    import pandas as pd

    gaps = {column.type for column in table.columns if column.null_count}
    exact = {kind: pd.ArrowDtype(kind) for kind in gaps if str(kind).startswith(("int", "uint", "bool"))}
    return table.to_pandas(types_mapper=exact.get) if exact else table.to_pandas()
