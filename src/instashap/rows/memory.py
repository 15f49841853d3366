"""Tables in memory as sources of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from .._validation import name_columns
from ..table.containers import open_container
from .source import FrameSource


class MemorySource(FrameSource):
    """Rows of a table in memory: a DataFrame, an array, or whatever :func:`instashap.table.read_table` takes.

    Columns of an array are named ``x0`` …; frames are views of the table where that is possible.
    """

    def __init__(self, X: Any) -> None:
        opened = open_container(X)
        self.has_names = isinstance(opened, pd.DataFrame)
        self._frame = opened if isinstance(opened, pd.DataFrame) else pd.DataFrame(opened).rename(columns="x{}".format)
        super().__init__(name_columns(self._frame.columns))

    def count(self) -> int:
        """See :class:`FrameSource`."""
        return len(self._frame)

    def read(self, columns: Sequence[str], n_rows: int, start: int = 0) -> Iterator[pd.DataFrame]:
        """See :class:`FrameSource`."""
        places = [self.names.index(name) for name in columns]
        for first in range(start, len(self._frame), n_rows):
            frame = self._frame.iloc[first : first + n_rows, places]
            yield frame.set_axis(list(columns), axis=1)

    def present(self, rows: pd.DataFrame) -> Any:
        """See :class:`FrameSource`: an array, or a frame under the table's own labels."""
        if not self.has_names:
            return rows.to_numpy()
        labels = [getattr(self.names[self.names.index(name)], "label", name) for name in rows.columns]
        return rows.set_axis(pd.Index(labels, tupleize_cols=False), axis=1)
