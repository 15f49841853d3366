"""Rows in parts, each of which a worker reads: samples and sums are made of each part and put together in their order.

Every result is a function of a part's rows alone. A part that is lost with its worker is read again, and counts once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ..masked.sums import RowSums
from ..rows.bottom_k import RowSample, draw_sample
from ..rows.source import Block, FrameSource, Progress, Read, Sample, WeightTally, drop_weightless, join_blocks
from ..table.columns import Schema, read_table

Frames = Iterable[pd.DataFrame]
Result = TypeVar("Result")
# Rows from which the kinds of the columns are learnt.
_HEAD_ROWS = 4096


class PartSource(FrameSource):
    """Rows of one part, read once; its columns of outputs and weights are those of the whole source."""

    def __init__(self, whole: ChosenColumns, frames: Frames) -> None:
        super().__init__(whole.names)
        self.features, self.output_names = list(whole.features), whole.output_names
        self._outputs, self._weights, self._frames = whole.outputs, whole.weights, frames

    def read(self, columns: Sequence[str], n_rows: int, start: int = 0) -> Iterator[pd.DataFrame]:
        """See :class:`FrameSource`."""
        for frame in self._frames:
            yield frame[list(columns)]

    def _check_count(self, start: int) -> None:
        """A part may be empty."""


@dataclass(frozen=True)
class ChosenColumns:
    """Which columns a source has, and which are read; attributes as of :class:`FrameSource`."""

    names: tuple[str, ...]
    features: tuple[str, ...]
    outputs: Any
    weights: Any
    output_names: tuple[str, ...]


@dataclass
class PartDraw:
    """What is drawn of some parts: all rows while they are few, else a sample; draws of neighbouring parts add.

    Attributes
    ----------
    size : int
        Most rows of a sample.
    blocks : list of Block
        All rows, in order; empty where they are too many.
    sample : RowSample or None
    tally : WeightTally
    n_read, n_kept : int
        Rows, and rows of positive weight.
    """

    size: int
    schema: Schema
    read: Read
    blocks: list[Block]
    sample: RowSample | None
    tally: WeightTally
    n_read: int = 0
    n_kept: int = 0

    def add(self, whole: Block) -> None:
        """Take in some rows."""
        block = drop_weightless(whole)
        self.n_read, self.n_kept = self.n_read + len(whole.rows), self.n_kept + len(block.rows)
        if not len(block.rows):
            return
        weights = np.ones(len(block.rows)) if block.weights is None else block.weights
        self.tally.add(weights)
        if self.n_kept <= self.size:
            self.blocks.append(block)
        else:
            self._cut()
            drawn = self._draw(block)
            self.sample = drawn if self.sample is None else self.sample + drawn

    def _draw(self, block: Block) -> RowSample:
        weights = np.ones(len(block.rows)) if block.weights is None else block.weights
        return draw_sample(block.rows, self.read(block.rows, self.schema), block.outputs, weights, self.size)

    def _cut(self) -> None:
        """Keep a sample of the rows that were kept as they are."""
        if self.sample is None:
            self.sample = self._draw(join_blocks(self.blocks)) if self.blocks else None
        self.blocks = []

    def __add__(self, other: PartDraw) -> PartDraw:
        """The draw of both parts' rows, those of the other after this one's."""
        both = replace(self, blocks=[*self.blocks, *other.blocks], tally=self.tally + other.tally)
        both.n_read, both.n_kept = self.n_read + other.n_read, self.n_kept + other.n_kept
        if both.n_kept <= self.size:
            return both
        for each in (self, other):
            each._cut()
        drawn = [each.sample for each in (self, other) if each.sample is not None]
        both.blocks, both.sample = [], drawn[0] if len(drawn) == 1 else drawn[0] + drawn[1]
        return both

    def finish(self) -> Sample:
        """The rows a fit is planned on."""
        if not self.n_read:
            raise ValueError("Found array with 0 sample(s): the source of rows gave none")
        if not self.n_kept:
            raise ValueError("sample_weight sums to zero: no row is left to fit; give at least one row a positive weight")
        if self.sample is None:
            return join_blocks(self.blocks)
        scale = self.tally.scale
        rows = self.sample.frame.reset_index(drop=True)
        weights = self.sample.weights * scale
        return Sample(rows, self.sample.outputs, weights, n_rows=self.n_read, is_whole=False, weight_scale=scale)


class ClusterSource(FrameSource):
    """A source whose rows lie on workers. A subclass says how results of parts are made there and added up."""

    is_steady = False

    @abstractmethod
    def reduce_parts(self, work: Callable[[Frames], Result], columns: Sequence[str]) -> Result:
        """The sum, in the order of the parts, of what ``work`` gives for the frames of each."""

    @abstractmethod
    def read_head(self, columns: Sequence[str], n_rows: int) -> pd.DataFrame:
        """The first rows."""

    def read(self, columns: Sequence[str], n_rows: int, start: int = 0) -> Iterator[pd.DataFrame]:
        """Refused: rows stay where they are."""
        raise TypeError(
            "the rows of a cluster are not read one after the other here; instashap.distributed.explain(explainer, frame) "
            "explains them where they are"
        )

    @property
    def _chosen(self) -> ChosenColumns:
        return ChosenColumns(tuple(self.names), tuple(self.features), self._outputs, self._weights, self.output_names)

    @property
    def _columns(self) -> list[str]:
        return [*self.features, *self._named_outputs, *self._named_weight]

    def sample(self, n_rows: int, read: Read = read_table, progress: Progress | None = None) -> Sample:
        """See :class:`FrameSource`: one pass on the workers; parts are merged two by two."""
        head = self.read_head(self.features, _HEAD_ROWS)
        if not len(head):
            raise ValueError("Found array with 0 sample(s): the first part of the rows is empty; repartition them")
        make = partial(_draw_part, self._chosen, n_rows, read, read(head, None).schema)
        drawn = self.reduce_parts(make, self._columns)
        self._n_read = drawn.n_kept
        return drawn.finish()

    def measure_weight_scale(self) -> float:
        """See :class:`FrameSource`."""
        if self._weights is None:
            return 1.0
        return self.reduce_parts(partial(_tally_part, self._chosen), self._columns).scale

    def sum_parts(self, work: Callable[[FrameSource], Any]) -> Any:
        """See :class:`FrameSource`; raises ``ValueError`` if the rows are others in number than when the sample was drawn."""
        sums = self.reduce_parts(partial(_work_on_part, self._chosen, work), self._columns)
        if isinstance(sums, RowSums):
            if not sums.n_rows:
                raise ValueError("Found array with 0 sample(s): the source of rows gave none of positive weight")
            if self._n_read is not None and self._n_read != sums.n_rows:
                raise ValueError(
                    f"the cluster gave {self._n_read:,} rows, and {sums.n_rows:,} when they were read again: write or persist "
                    "them first, so that each pass gives the same rows"
                )
        return sums


def _draw_part(chosen: ChosenColumns, size: int, read: Read, schema: Schema, frames: Frames) -> PartDraw:
    drawn = PartDraw(size, schema, read, [], None, WeightTally())
    for block in PartSource(chosen, frames).batches():
        drawn.add(block)
    return drawn


def _tally_part(chosen: ChosenColumns, frames: Frames) -> WeightTally:
    tally = WeightTally()
    for block in PartSource(chosen, frames).batches():
        weights = drop_weightless(block).weights
        if weights is not None and len(weights):
            tally.add(weights)
    return tally


def _work_on_part(chosen: ChosenColumns, work: Callable[[FrameSource], Result], frames: Frames) -> Result:
    return work(PartSource(chosen, frames))
