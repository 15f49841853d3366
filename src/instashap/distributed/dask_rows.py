"""Rows of a Dask DataFrame: a task a partition, and a tree of sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from .._optional import require
from .cluster_rows import ClusterSource, Frames, Result
from .recognise import expect_engine


def from_dask(frame: Any) -> DaskSource:
    """Rows of a ``dask.dataframe.DataFrame`` for ``Explainer.fit`` and ``accumulate``.

    Partitions are read by the scheduler that Dask uses: that of the current ``distributed.Client``, or threads. The black box
    runs there too, unless ``outputs=`` names columns of outputs. A worker that is lost changes nothing: its partitions are
    computed again.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
        The same rows in each pass: persist it first if its computation is not deterministic, or costly.

    Raises
    ------
    TypeError
        For another object.
    OptionalDependencyError
        If Dask is missing: ``pip install 'instashap[dask]'``.
    """
    require("dask.dataframe", "dask", "rows on a Dask cluster")
    expect_engine(frame, "dask")
    return DaskSource(frame)


class DaskSource(ClusterSource):
    """Rows of a Dask DataFrame, part by part."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        super().__init__(list(map(str, frame.columns)))

    def reduce_parts(self, work: Callable[[Frames], Result], columns: Sequence[str]) -> Result:
        """See :class:`ClusterSource`."""
        dask = require("dask", "dask", "rows on a Dask cluster")
        shared = dask.delayed(work, traverse=False)
        results = [dask.delayed(_run)(shared, part) for part in self._frame[list(columns)].to_delayed()]
        while len(results) > 1:
            pairs = [results[place : place + 2] for place in range(0, len(results), 2)]
            results = [dask.delayed(_add)(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
        (total,) = dask.compute(results[0])
        return total  # type: ignore[no-any-return]

    def read_head(self, columns: Sequence[str], n_rows: int) -> pd.DataFrame:
        """See :class:`ClusterSource`."""
        return self._frame[list(columns)].head(n_rows, npartitions=-1)  # type: ignore[no-any-return]


def _run(work: Callable[[Frames], Result], part: pd.DataFrame) -> Result:
    return work([part])


def _add(one: Any, other: Any) -> Any:
    return one + other
