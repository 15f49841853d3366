"""What two columns do together: the heat map of a pair's shape function."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._optional import require
from .._validation import find_column
from ..explain.fitted import FittedGame
from ..table.bases import ColumnEncoder, LocalBasis
from ..table.columns import Table
from .columns import find_seen, measure_spans, name_cells, read_column
from .style import LOWERS, RAISES, describe_scale, make_axes, shorten

# Pixels of a number column's side; a category has one for each level.
_N_PIXELS = 120
# Dots for rows: more are drawn fainter.
_DOT_INK = 400.0


@dataclass(frozen=True)
class _Side:
    """One column's side of a heat map.

    Attributes
    ----------
    name : str
    places : ndarray of shape (n_places,), float64
        Where the pixels' centres lie: values of a number column, 0, 1, … for a category's levels.
    weights : ndarray of shape (n_places, n_functions), float64
        Local basis at the places.
    labels : list of str or None
        Of a category: the levels.
    functions : ndarray of shape (n_places,), int64, or None
        Of a category: the levels' functions.
    owner : ndarray of shape (n_cells,), int64, or None
        Of a category: the function of each cell.
    """

    name: str
    places: NDArray[np.float64]
    weights: NDArray[np.float64]
    labels: list[str] | None = None
    functions: NDArray[np.int64] | None = None
    owner: NDArray[np.int64] | None = None


def draw_pair(fitted: FittedGame, feature: Sequence[Any], outputs: Sequence[int], table: Table | None, ax: Any) -> Any:
    """Heat map of the purified pair; see :func:`instashap.plots.plot_shape`."""
    columns = _find_pair(fitted, feature)
    if len(outputs) != 1:
        raise ValueError(
            f"a heat map shows one output, got {len(outputs)} of them: pass output= one of "
            f"{', '.join(repr(fitted.output_names[output]) for output in outputs)}"
        )
    shape = fitted.model.shapes[fitted.model.value_sets.index((min(columns), max(columns)))][:, :, outputs[0]]
    own = shape if columns[0] < columns[1] else shape.T
    sides = [_make_side(fitted, columns[0], own, table), _make_side(fitted, columns[1], own.T, table)]
    effects = sides[1].weights @ own.T @ sides[0].weights.T  # (n_places of the second, of the first)

    ax = make_axes(ax, 6.6, 5.0)
    limit = float(np.abs(effects).max()) or 1.0
    colours = require("matplotlib.colors", extra="plots", purpose="plots")
    diverging = colours.LinearSegmentedColormap.from_list("lowers_raises", [LOWERS, "#F7F7F7", RAISES])
    mesh = ax.pcolormesh(
        sides[0].places, sides[1].places, effects, cmap=diverging, vmin=-limit, vmax=limit, shading="nearest", rasterized=True
    )
    scale = describe_scale(fitted.output_transform, fitted.output_names[outputs[0]], 42)
    ax.figure.colorbar(mesh, ax=ax, label=f"added to the output\n{scale}")
    if table is not None:
        _draw_rows(ax, fitted, columns, sides, table)
    _label_side(ax.xaxis, sides[0], is_horizontal=True)
    _label_side(ax.yaxis, sides[1], is_horizontal=False)
    names = [shorten(side.name, 24) for side in sides]
    ax.set_title(f"Effect of {names[0]} and {names[1]} together,\nbeyond the effect of each alone")
    return ax


def _find_pair(fitted: FittedGame, feature: Sequence[Any]) -> tuple[int, int]:
    names = fitted.schema.names
    columns = [find_column(each, names, "feature") for each in feature]
    if len(set(columns)) != 2 or len(columns) != 2:
        raise ValueError(f"feature={feature!r} must be one column, or two different ones")
    if (min(columns), max(columns)) not in fitted.model.value_sets:
        pairs = [values for values in fitted.model.value_sets if len(values) == 2]
        shown = ", ".join(str(tuple(names[column] for column in pair)) for pair in pairs[:8])
        raise ValueError(
            f"the model has no term for {names[columns[0]]!r} and {names[columns[1]]!r}; "
            + (f"its {len(pairs)} pairs are {shown}{', …' * (len(pairs) > 8)}" if pairs else "it has main effects only")
        )
    return columns[0], columns[1]


def _make_side(fitted: FittedGame, column: int, shape: NDArray[np.float64], table: Table | None) -> _Side:
    """Pixels of a column; ``shape`` has the column's functions along its first axis."""
    encoder = fitted.encoder.columns[column]
    basis = fitted.model.bases[column][1]
    if encoder.is_category:
        return _make_category_side(encoder, basis, shape, None if table is None else read_column(table, column, encoder))
    places = np.array(encoder.values)
    if not len(places):
        places = np.linspace(encoder.lows.min(), (encoder.lows + measure_spans(encoder)).max(), _N_PIXELS)
    cells = np.searchsorted(encoder.edges, places).astype(np.int32)  # edges[k-1] < x <= edges[k]
    offsets = np.clip((places - encoder.lows[cells]) * encoder.scales[cells], 0.0, 1.0)
    return _Side(encoder.name, places, basis.combine(cells, offsets, np.eye(basis.n_functions)))


def _make_category_side(
    encoder: ColumnEncoder, basis: LocalBasis, shape: NDArray[np.float64], values: NDArray[np.int32] | None
) -> _Side:
    """One pixel for each level a pair tells apart (a function each); the others are in "other"."""
    n_levels = basis.n_functions - 2
    names = name_cells(encoder, 20)
    owner = np.minimum(np.arange(encoder.n_cells), n_levels)
    owner[-1] = n_levels + 1
    counts = None if values is None else np.bincount(owner[values], minlength=basis.n_functions)
    # A level without rows has the same constant everywhere, left by the centring: it is its variation that counts.
    seen = find_seen(np.ptp(shape, axis=1), counts)
    labels = [[*names[:n_levels], *names[-2:]][function] for function in seen]
    return _Side(encoder.name, np.arange(float(len(seen))), np.eye(basis.n_functions)[seen], labels, seen, owner)


def _draw_rows(ax: Any, fitted: FittedGame, columns: tuple[int, int], sides: list[_Side], table: Table) -> None:
    """A dot for each row; rows of a category are spread evenly across the level's band."""
    places = []
    for column, side in zip(columns, sides, strict=True):
        values = read_column(table, column, fitted.encoder.columns[column])
        if side.functions is None or side.owner is None:
            places.append(values)
            continue
        places.append(np.full(table.n_rows, np.nan))
        for place, function in enumerate(side.functions):
            inside = np.flatnonzero(side.owner[values] == function)
            # Equidistributed without a random draw: multiples of the golden ratio.
            places[-1][inside] = place + 0.7 * ((np.arange(len(inside)) * 0.618034) % 1.0 - 0.5)
    strength = float(np.clip(_DOT_INK / table.n_rows, 0.03, 0.6))
    limits = ax.get_xlim(), ax.get_ylim()
    ax.plot(*places, "o", color="black", markersize=2, alpha=strength, markeredgewidth=0, rasterized=True)
    ax.set(xlim=limits[0], ylim=limits[1])


def _label_side(axis: Any, side: _Side, *, is_horizontal: bool) -> None:
    axis.set_label_text(shorten(side.name))
    if side.labels is not None:
        is_long = is_horizontal and len(side.labels) * max(map(len, side.labels)) > 50
        turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
        axis.set_ticks(side.places, side.labels, **turned)
    elif len(side.places) <= 8:
        axis.set_ticks(side.places, [f"{place:g}" for place in side.places])
