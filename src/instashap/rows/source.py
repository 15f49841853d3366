"""Rows that are read block by block: what a fit asks of a table that may be longer than memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._row_arrays import check_outputs, scale_weights
from .._validation import find_column
from ..table.columns import Schema, Table, check_names, read_table
from .bottom_k import RowSample, concatenate, draw_sample, merge_samples

# Numbers of one block (8 MB), and its fewest and most rows. All are multiples of the blocks in which moments are summed, so
# that the sums do not depend on how a table is cut into files.
_BLOCK_NUMBERS, _FEWEST_ROWS, _MOST_ROWS = 2**20, 4096, 65_536

Sum = TypeVar("Sum")
Progress = Callable[[int], None]
# A frame read by a schema, or by one that is learnt from it.
Read = Callable[[Any, Schema | None], Table]


@dataclass(frozen=True)
class Block:
    """Some rows of a source.

    Attributes
    ----------
    rows : DataFrame of n_rows rows
        The features.
    outputs : ndarray of shape (n_rows, n_outputs), float64, or None
    weights : ndarray of shape (n_rows,), float64, or None
        As the source has them, not scaled.
    """

    rows: pd.DataFrame
    outputs: NDArray[np.float64] | None = None
    weights: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Sample(Block):
    """The rows a fit is planned on.

    Attributes
    ----------
    n_rows : int
        Rows of the whole source.
    is_whole : bool
        Whether the sample is the source, in its order; else see :class:`instashap.rows.bottom_k.RowSample`, whose weights are
        then scaled as below.
    weight_scale : float
        By which weights of the source become those of :func:`instashap._row_arrays.check_weights`.
    """

    n_rows: int = 0
    is_whole: bool = True
    weight_scale: float = 1.0


class RowSource(Protocol):
    """Anything that gives rows in blocks, as often as it is asked."""

    def sample(self, n_rows: int) -> Sample:
        """All rows if they are at most ``n_rows``, else a sample that does not depend on their order."""

    def batches(self) -> Iterator[Block]:
        """All rows, in blocks; each call begins anew."""

    def map_sum(self, kernel: Callable[[Block], Sum]) -> Sum:
        """The sum of what the kernel gives for each block."""


class FrameSource(ABC):
    """A source of DataFrames, with columns of outputs and weights set apart.

    A subclass says which columns there are and how frames of some of them are read.

    Parameters
    ----------
    names : sequence of str
        Columns there are.
    """

    has_names = True  # or columns are known by their place alone, as those of arrays
    is_steady = True  # whether each pass gives the rows in the same order
    is_here = True  # or parts of the rows are read by workers, which know nothing of this process

    def __init__(self, names: Sequence[str]) -> None:
        self.names = check_names(names)
        self.features: list[str] = list(self.names)
        self.output_names: tuple[str, ...] = ()
        self._outputs: Any = None
        self._weights: Any = None
        self._n_read: int | None = None

    @abstractmethod
    def read(self, columns: Sequence[str], n_rows: int, start: int = 0) -> Iterator[pd.DataFrame]:
        """Frames of these columns, of about ``n_rows`` rows each, from row ``start`` on."""

    def count(self) -> int | None:
        """Rows there are; None where only reading them would show."""
        return None

    def find_types(self, columns: Sequence[str]) -> dict[str, Any]:
        """Arrow types of columns, where the source has such."""
        return {}

    def identify(self) -> Any:
        """What changes if the rows do, as JSON; None if only the rows themselves show it."""
        return None

    def set_apart(self, outputs: Any, sample_weight: Any) -> None:
        """Say which columns, by name, are outputs and weights; arrays of them are rows in the order of the source."""
        self._outputs, self._weights = outputs, sample_weight
        if outputs is not None and is_named(outputs):
            given = [outputs] if isinstance(outputs, str) else list(outputs)
            twice = next((each for each in given if given.count(each) > 1), None)
            if twice is not None:
                raise ValueError(f"outputs= names the column {twice!r} twice: name each once; outputs themselves are numbers")
            self._outputs = [self.names[find_column(each, self.names, "outputs")] for each in given]
            self.output_names = tuple(self._outputs) if len(given) > 1 else ()
        if isinstance(sample_weight, str):
            self._weights = self.names[find_column(sample_weight, self.names, "sample_weight")]
        taken = {*self._named_outputs, *self._named_weight}
        self.features = [name for name in self.names if name not in taken]
        if not self.features:
            raise ValueError(f"the rows hold no column beside outputs and weights ({', '.join(sorted(taken))})")
        self._refuse_arrays()

    def choose_features(self, names: Sequence[str]) -> None:
        """Read these columns only; raises ``ValueError``, naming them, if some are not there."""
        missing = [name for name in names if name not in self.features]
        if missing:
            raise ValueError(f"the source of rows lacks columns of the fit: {missing[:8]}; it has {self.features[:8]}")
        self.features = list(map(str, names))

    def order_outputs(self, names: Sequence[str]) -> None:
        """Put named columns of several outputs in the order of a fit's; raises ``ValueError`` if they are others."""
        if self.output_names and sorted(self.output_names) != sorted(names):
            raise ValueError(f"the fit has the outputs {list(names)}, and outputs= names {list(self.output_names)}")
        if self.output_names:
            self.output_names = tuple(names)
            self._outputs = list(names)

    def _refuse_arrays(self) -> None:
        arrays = [("outputs", self._outputs), ("sample_weight", self._weights)]
        for what, given in arrays:
            if given is not None and not is_named(given) and not self.is_steady:
                raise TypeError(
                    f"{what} is an array, and a query may give its rows in another order each time: join it to the query as a "
                    f'column and name that, {what}="column"'
                )

    @property
    def _named_outputs(self) -> list[str]:
        return self._outputs if isinstance(self._outputs, list) else []

    @property
    def _named_weight(self) -> list[str]:
        return [self._weights] if isinstance(self._weights, str) else []

    @property
    def block_rows(self) -> int:
        """Rows of a block: its numbers take about 8 MB."""
        fitting = _BLOCK_NUMBERS // len(self.features) // _FEWEST_ROWS * _FEWEST_ROWS
        return int(np.clip(fitting, _FEWEST_ROWS, _MOST_ROWS))

    def batches(self) -> Iterator[Block]:
        """All rows in blocks of :attr:`block_rows`, in the order of the source, however it cuts them.

        Raises ``ValueError`` if a pass gives another number of rows than the one before.
        """
        start = 0
        wanted = [*self.features, *self._named_outputs, *self._named_weight]
        for frame in regroup(self.read(wanted, self.block_rows), self.block_rows):
            yield self._split(frame, start)
            start += len(frame)
        self._check_count(start)

    def _check_count(self, start: int) -> None:
        """Raise ``ValueError`` unless a pass has given as many rows as the one before, and as the arrays have."""
        if start == 0:
            raise ValueError("Found array with 0 sample(s): the source of rows gave none")
        if self._n_read is not None and self._n_read != start:
            raise ValueError(
                f"the source of rows gave {self._n_read:,} rows, and {start:,} when it was read again; it must give the same "
                "rows each time: a function must make its iterator anew in each call, and files must not change meanwhile"
            )
        self._n_read = start
        for what, given in (("outputs", self._outputs), ("sample_weight", self._weights)):
            if given is not None and not is_named(given) and len(given) != start:
                raise ValueError(f"{what} has {len(given):,} entries, the source has {start:,} rows")

    def _split(self, frame: pd.DataFrame, start: int) -> Block:
        stop = start + len(frame)
        outputs = weights = None
        if self._outputs is not None:
            named = self._named_outputs
            values = frame[named].to_numpy() if named else np.asarray(self._outputs)[start:stop]
            outputs = check_outputs(values, len(frame), f"outputs={named[0]!r}" if named else "outputs", start)
        if self._weights is not None:
            named = self._named_weight
            values = frame[named[0]].to_numpy() if named else np.asarray(self._weights)[start:stop]
            weights = _check_block_weights(values, len(frame))
        return Block(frame[self.features], outputs, weights)

    def sample(self, n_rows: int, read: Read = read_table, progress: Progress | None = None) -> Sample:
        """See :class:`RowSource`: one pass; about twice the sample is in memory.

        Parameters
        ----------
        n_rows : int
        read : callable
            Reads the columns of a frame, by which rows are distinguished.
        progress : callable, optional
            Receives the number of rows read after each block.
        """
        blocks: list[Block] = []
        drawn: _Drawing | None = None
        n_read = n_kept = 0
        for block in self.batches():
            n_read += len(block.rows)
            block = drop_weightless(block)
            n_kept += len(block.rows)
            if drawn is not None:
                drawn.add(block)
            elif len(block.rows):
                blocks.append(block)
            if drawn is None and n_kept > n_rows:
                drawn, blocks = _Drawing(join_blocks(blocks), n_rows, self._make_reader(read)), []
            if progress is not None:
                progress(n_read)
        if not n_kept:
            raise ValueError("sample_weight sums to zero: no row is left to fit; give at least one row a positive weight")
        return join_blocks(blocks) if drawn is None else drawn.finish(n_read)

    def _make_reader(self, read: Read) -> Read:
        return lambda rows, schema: read(self.present(rows), schema)

    def present(self, rows: pd.DataFrame) -> Any:
        """Rows as the black box takes them and a fit reads them."""
        return rows if self.has_names else rows.to_numpy()

    def measure_weight_scale(self) -> float:
        """By which the weights of all rows are multiplied (see :class:`Sample`); one pass where there are weights."""
        tally = WeightTally()
        for block in self.batches() if self._weights is not None else ():
            weights = drop_weightless(block).weights
            if weights is not None and len(weights):
                tally.add(weights)
        return tally.scale

    def sum_parts(self, work: Callable[[FrameSource], Sum]) -> Sum:
        """The sum of what ``work`` gives for each part of the rows; there is one part, but where rows lie on a cluster."""
        return work(self)

    def map_sum(self, kernel: Callable[[Block], Sum]) -> Sum:
        """See :class:`RowSource`; blocks are summed in their order."""
        total: Any = None
        for block in self.batches():
            part = kernel(block)
            total = part if total is None else total + part
        return total  # type: ignore[no-any-return]


class WeightTally:
    """Sums of weights, which say how all of them are scaled; those of different rows add."""

    def __init__(self) -> None:
        self._total = self._squares = 0.0
        self._are_counts = True

    def __add__(self, other: WeightTally) -> WeightTally:
        """The sums of both."""
        both = WeightTally()
        both._total, both._squares = self._total + other._total, self._squares + other._squares
        both._are_counts = self._are_counts and other._are_counts
        return both

    def add(self, weights: NDArray[np.float64]) -> None:
        """Take in the weights of some rows, all above zero."""
        self._total += float(weights.sum())
        self._squares += float((weights**2).sum())
        self._are_counts &= bool((scale_weights(weights) == weights).all())

    @property
    def scale(self) -> float:
        """1 for counts; else what makes weights sum to the effective number of rows, ``(sum w)² / sum w²``."""
        return 1.0 if self._are_counts else self._total / self._squares


class _Drawing:
    """A sample that is drawn block by block: rows that may still enter wait until they are as many as the sample."""

    def __init__(self, first: Block, size: int, read: Read) -> None:
        self._size, self._read = size, read
        self._schema: Schema | None = None
        self._tally = WeightTally()
        self._sample = self._draw(first, None)
        self._waiting: list[RowSample] = []

    def _draw(self, block: Block, bound: Any) -> RowSample:
        table = self._read(block.rows, self._schema)
        self._schema = table.schema
        weights = np.ones(len(block.rows)) if block.weights is None else block.weights
        self._tally.add(weights)
        return draw_sample(block.rows, table, block.outputs, weights, self._size, bound)

    def add(self, block: Block) -> None:
        """Draw from one more block."""
        if not len(block.rows):
            return
        self._waiting.append(self._draw(block, self._sample.bound))
        if sum(len(each.hashes) for each in self._waiting) > self._size:
            self._merge()

    def _merge(self) -> None:
        self._sample, self._waiting = merge_samples([self._sample, *self._waiting]), []

    def finish(self, n_rows: int) -> Sample:
        """The sample of all blocks, of a source of so many rows."""
        self._merge()
        drawn, scale = self._sample, self._tally.scale
        rows = drawn.frame.reset_index(drop=True)
        return Sample(rows, drawn.outputs, drawn.weights * scale, n_rows=n_rows, is_whole=False, weight_scale=scale)


def regroup(frames: Iterable[pd.DataFrame], n_rows: int) -> Iterator[pd.DataFrame]:
    """The same rows in frames of exactly ``n_rows`` rows, but for the last."""
    waiting: list[pd.DataFrame] = []
    count = 0
    for frame in frames:
        if not len(frame):
            continue
        waiting.append(frame)
        count += len(frame)
        if count < n_rows:
            continue
        joined = concatenate(waiting)
        stop = count - count % n_rows
        for start in range(0, stop, n_rows):
            yield joined.iloc[start : start + n_rows].reset_index(drop=True)
        waiting, count = [joined.iloc[stop:]], count - stop
        waiting = waiting if count else []
    if waiting:
        yield concatenate(waiting)


def is_named(given: Any) -> bool:
    """Whether columns are named, not given as arrays."""
    return isinstance(given, str) or (
        isinstance(given, (list, tuple)) and bool(given) and all(isinstance(each, str) for each in given)
    )


def _check_block_weights(values: Any, n_rows: int) -> NDArray[np.float64]:
    weights = np.asarray(values, dtype=np.float64)
    if weights.shape != (n_rows,):
        raise ValueError(f"sample_weight has another number of entries than the source has rows ({len(weights)}, {n_rows})")
    if not np.isfinite(weights).all():
        raise ValueError("sample_weight holds NaN or infinite values")
    if (weights < 0).any():
        raise ValueError(f"sample_weight holds {int((weights < 0).sum())} negative values; weights must be 0 or more")
    return weights


def drop_weightless(block: Block) -> Block:
    """The rows of positive weight, which are those that a fit is about."""
    if block.weights is None or (block.weights > 0).all():
        return block
    kept = np.flatnonzero(block.weights > 0)
    return Block(block.rows.iloc[kept], None if block.outputs is None else block.outputs[kept], block.weights[kept])


def join_blocks(blocks: list[Block]) -> Sample:
    def join(parts: list[Any]) -> Any:
        return None if parts[0] is None else np.concatenate(parts)

    rows = concatenate([block.rows for block in blocks])
    outputs, weights = join([block.outputs for block in blocks]), join([block.weights for block in blocks])
    return Sample(rows, outputs, weights, n_rows=len(rows))
