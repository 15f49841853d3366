"""Frames of engines, recognised by their modules; the wrong ones are refused with what to call."""

from __future__ import annotations

from typing import Any

_FUNCTIONS = {"dask": "from_dask", "pyspark": "from_spark", "ray": "from_ray"}


def find_engine(frame: Any) -> str | None:
    """The package of an engine whose frame this is; None for other objects."""
    module = type(frame).__module__
    if module.startswith(("dask.dataframe", "dask_expr")) and hasattr(frame, "to_delayed"):
        return "dask"
    if module.startswith("pyspark.sql") and hasattr(frame, "mapInArrow"):
        return "pyspark"
    if module.startswith("ray.data") and hasattr(frame, "map_batches"):
        return "ray"
    return None


def expect_engine(frame: Any, engine: str) -> None:
    """Raise ``TypeError``, with what to call instead, unless an object is a frame of an engine."""
    found = find_engine(frame)
    if found == engine:
        return
    called = f"{_FUNCTIONS[engine]}() got a {type(frame).__module__.partition('.')[0]} {type(frame).__name__}"
    raise TypeError(f"{called}: {_advise(frame, found)}")


def _advise(frame: Any, found: str | None) -> str:
    module = type(frame).__module__
    if found is not None:
        return f"call instashap.distributed.{_FUNCTIONS[found]}(frame)"
    if module.startswith("pyspark.pandas"):
        return "call instashap.distributed.from_spark(frame.to_spark())"
    if module.startswith("modin"):
        return "pass the rows as pandas, frame.modin.to_pandas(), or as Parquet files"
    if module.startswith(("snowflake.snowpark", "bigframes")):
        return "pass the rows as pandas, frame.to_pandas(), or write them to Parquet files and pass their path"
    return "a table in memory, Parquet files and lazy frames need no cluster: pass them to fit() as they are"
