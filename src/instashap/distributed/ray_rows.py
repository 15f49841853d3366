"""Rows of a Ray Dataset: a task a block by ``map_batches``, whose results are added here in the order of the blocks."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pandas as pd

from .._optional import require
from ..rows.arrow import make_frame
from .cluster_rows import ClusterSource, Frames, Result
from .recognise import expect_engine

_RESULT = "result"


def from_ray(dataset: Any) -> RaySource:
    """Rows of a ``ray.data.Dataset`` for ``Explainer.fit`` and ``accumulate``.

    The black box runs on the workers, unless ``outputs=`` names columns of outputs. The sums of a block are sent to this
    process, one block after the other; a worker that is lost changes nothing, because Ray computes its blocks again.

    Parameters
    ----------
    dataset : ray.data.Dataset
        The same rows in each pass: materialize it first if its computation is not deterministic, or costly.

    Raises
    ------
    TypeError
        For another object.
    OptionalDependencyError
        If Ray is missing: ``pip install 'instashap[ray]'``.
    """
    require("ray.data", "ray", "rows on a Ray cluster")
    expect_engine(dataset, "ray")
    return RaySource(dataset)


class RaySource(ClusterSource):
    """Rows of a Ray Dataset, block by block."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        super().__init__(list(dataset.schema().names))

    def reduce_parts(self, work: Callable[[Frames], Result], columns: Sequence[str]) -> Result:
        """See :class:`ClusterSource`."""
        chosen = self._dataset.select_columns(list(columns))
        results = chosen.map_batches(partial(_emit, work), batch_format="pyarrow", batch_size=None)
        total: Any = None
        with keep_order():
            for batch in results.iter_batches(batch_size=1, batch_format="pyarrow"):
                part = pickle.loads(batch.column(_RESULT)[0].as_py())
                total = part if total is None else total + part
        return total  # type: ignore[no-any-return]

    def read_head(self, columns: Sequence[str], n_rows: int) -> pd.DataFrame:
        """See :class:`ClusterSource`."""
        with keep_order():
            rows = self._dataset.select_columns(list(columns)).limit(n_rows)
            frames = [make_frame(batch) for batch in rows.iter_batches(batch_size=None, batch_format="pyarrow")]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(columns))


@contextmanager
def keep_order() -> Iterator[None]:
    """Let Ray give blocks in their order, which it otherwise gives as they are ready."""
    options = require("ray.data", "ray", "rows on a Ray cluster").DataContext.get_current().execution_options
    before, options.preserve_order = options.preserve_order, True
    try:
        yield
    finally:
        options.preserve_order = before


def _emit(work: Callable[[Frames], Any], batch: Any) -> Any:
    """What a block's rows give, as one row; on a worker."""
    pyarrow = require("pyarrow", "ray", "rows on a Ray cluster")
    data = require("ray.cloudpickle", "ray", "rows on a Ray cluster").dumps(work([make_frame(batch)]))
    return pyarrow.table({_RESULT: pyarrow.array([data], pyarrow.large_binary())})
