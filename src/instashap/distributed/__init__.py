"""Rows that lie on a cluster, of Dask, Ray or Spark: they are planned, summed and explained where they are.

:func:`from_dask`, :func:`from_ray` and :func:`from_spark` make of a frame what ``Explainer.fit`` and ``accumulate`` take as
rows; :func:`explain` maps a frame, lazily, to one of Shapley values.

Importing this folder imports no engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dask_rows import from_dask
    from .explaining import explain
    from .ray_rows import from_ray
    from .spark_rows import from_spark

_HOMES = {"explain": "explaining", "from_dask": "dask_rows", "from_ray": "ray_rows", "from_spark": "spark_rows"}

__all__ = ["explain", "from_dask", "from_ray", "from_spark"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
