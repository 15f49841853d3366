"""Rows, cells and main effect of a column, as the plots of shape functions need them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..table.bases import ColumnEncoder
from ..table.columns import Table
from .axis_scales import AxisScale, choose_scale
from .style import INTERVAL_NOTE, shorten_all

# Cells without rows have a small effect from the centring of pairs; below this share of the largest effect they are not drawn.
NOTABLE = 0.01


@dataclass(frozen=True)
class OwnEffect:
    """A column's main effect at some places of each cell.

    Attributes
    ----------
    encoder : ColumnEncoder
    names : tuple of str
        Names of the outputs.
    effects : ndarray of shape (n_cells, n_points, n_outputs), float64
        On the scale of the output.
    offsets : ndarray of shape (n_cells, n_points), float64
        The places: positions in the cell, 0 to 1.
    errors : ndarray like ``effects``, or None
        Standard errors.
    is_boolean : bool
        Whether the column is of numbers, but was true or false in the fit.
    """

    encoder: ColumnEncoder
    names: tuple[str, ...]
    effects: NDArray[np.float64]
    offsets: NDArray[np.float64]
    errors: NDArray[np.float64] | None = None
    is_boolean: bool = False


def name_effect(name: str, has_errors: bool) -> str:
    """Title of a plot of a main effect, in the words of reports."""
    title = f"Effect of {name} given all other features"
    return f"{title},\nwith {INTERVAL_NOTE}" if has_errors else title


def read_column(table: Table, column: int, encoder: ColumnEncoder) -> NDArray[Any]:
    """Value (NaN for missing) of a number column on each row, or cell of a category; shape (n_rows,)."""
    kinds = table.schema.is_category
    position = sum(kind == kinds[column] for kind in kinds[:column])
    if not encoder.is_category:
        return np.asarray(table.numbers[:, position], dtype=np.float64)
    return encoder.find_cells(*table.categories[position])


def name_cells(encoder: ColumnEncoder, length: int) -> list[str]:
    """Labels of a category's cells: its levels, then "(other)" and "(missing)"."""
    return [*shorten_all(encoder.levels or (), length), "(other)", "(missing)"]


def find_seen(sizes: NDArray[np.float64], counts: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Cells of a category to draw: its levels, and "other" and "missing" if they have a notable effect, or rows.

    Parameters
    ----------
    sizes : ndarray of shape (n_cells,), float64
        Size of each cell's effect.
    counts : ndarray of shape (n_cells,), int64, or None
        Rows in each cell, if known.
    """
    is_seen = sizes > NOTABLE * sizes.max()
    is_seen[:-2] = True
    if counts is not None:
        is_seen |= counts > 0
    return np.flatnonzero(is_seen)


def measure_spans(encoder: ColumnEncoder) -> NDArray[np.float64]:
    """Widths of a number column's cells, 0 for single values; shape (n_cells - 1,)."""
    return np.divide(1.0, encoder.scales, out=np.zeros_like(encoder.scales), where=encoder.scales > 0)


def choose_axis(encoder: ColumnEncoder, values: NDArray[Any] | None, asked: str) -> AxisScale:
    """Scale of a column's axis for some rows, or for the ends of its cells, which are denser where the fitted rows are.

    Raises ``ValueError`` for an unknown scale, and for "log" if the column was fitted on values of 0 or less.
    """
    ends = np.concatenate([encoder.lows, encoder.lows + measure_spans(encoder)]) if not encoder.is_category else np.zeros(0)
    known = ends if values is None or encoder.is_category else np.concatenate([values, [ends.min(), ends.max()]])
    return choose_scale(np.zeros(0) if encoder.is_category else known, asked)
