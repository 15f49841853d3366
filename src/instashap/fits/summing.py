"""One pass over the rows of a source: their sums at a plan."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._row_arrays import check_magnitude
from ..fitted.game import FittedGame
from ..masked.plan import Plan
from ..masked.sums import Accumulator, RowSums
from ..rows.source import FrameSource, drop_weightless
from ..table.columns import Schema, Table

Read = Callable[[Any, Schema | None], Table]
Ask = Callable[[Any, int], NDArray[np.float64]]


def choose_columns(fitted: FittedGame, source: FrameSource) -> None:
    """Read no more columns of a source than a fit is about, as they are called before its recipe reads them."""
    if not (fitted.schema.has_names and source.has_names):
        return
    names = list(map(str, fitted.schema.names))
    source.choose_features(names if fitted.recipe is None else fitted.recipe.find_raw_names(names))


def sum_source(
    plan: Plan,
    source: FrameSource,
    read: Read,
    ask: Ask,
    weight_scale: float = 1.0,
    output_unit: float = 1.0,
    advance: Callable[[int], None] | None = None,
) -> RowSums:
    """Sums of all rows at a plan; the black box is asked block by block, and only about rows that count.

    Parameters
    ----------
    plan : Plan
    source : FrameSource
    read : callable
        Reads rows by a schema.
    ask : callable
        Gives the outputs, shape (n_rows, n_outputs), of rows where the source has none.
    weight_scale : float
        By which the weights of the source are multiplied.
    output_unit : float
        By which outputs are divided.
    advance : callable, optional
        Receives the number of rows read after each block.
    """
    options = read, ask, weight_scale, output_unit, advance if source.is_here else None
    return source.sum_parts(partial(_sum_part, plan, options))


_Options = tuple[Read, Ask, float, float, Callable[[int], None] | None]


def _sum_part(plan: Plan, options: _Options, source: FrameSource) -> RowSums:
    read, ask, weight_scale, output_unit, advance = options
    accumulator, n_read = Accumulator(plan), 0
    for whole in source.batches():
        n_read += len(whole.rows)
        block = drop_weightless(whole)
        if len(block.rows):
            rows = source.present(block.rows)
            outputs = ask(rows, len(block.rows)) if block.outputs is None else block.outputs
            if outputs.shape[1] != len(plan.centre):
                raise ValueError(f"the rows have {outputs.shape[1]} outputs, and the fit was of {len(plan.centre)}")
            outputs = outputs / output_unit
            check_magnitude(outputs, "outputs")
            weights = np.ones(len(block.rows)) if block.weights is None else block.weights * weight_scale
            accumulator.add(read(rows, plan.encoder.schema), outputs, weights)
        if advance is not None:
            advance(n_read)
    return accumulator.finish()
