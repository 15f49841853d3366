"""Heat map of a pair's shape function: the joint effect of two columns beyond their main effects."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fitted.game import FittedGame
from ..questions.answers import compute_shape_errors
from ..table.bases import ColumnEncoder, LocalBasis
from ..table.columns import Table
from ..table.encoding import Encoded
from .arguments import list_names
from .axis_scales import AxisScale
from .column_rows import choose_axis, find_seen, measure_spans, name_cells, read_column
from .scales import name_scale, write_notes
from .style import (
    INTERVAL,
    INTERVAL_NOTE,
    draw_zero_line,
    make_axes,
    make_diverging_map,
    separate_thousands,
    shorten_own,
    strip_frame,
)

# Number of pixels along a number column; a category has one for each level. A pixel counts as far from all rows if its square
# and those beside it, of so many along a column, hold none.
_N_PIXELS, _N_SQUARES = 120, 16
# Opacity of a dot times the number of rows: with more rows dots are fainter.
_DOT_INK = 400.0
# Multiples of these, modulo 1, fill a square evenly without random numbers (Roberts 2018, the plastic number).
_STEPS = 0.7548776662, 0.5698402910
# Width of the strips for the columns' main effects, and gap to the map, in widths (heights) of the map.
_STRIP, _GAP = 0.17, 0.045


@dataclass(frozen=True)
class _Side:
    """One column's side of a heat map.

    Attributes
    ----------
    name : str
        As shown.
    places : ndarray of shape (n_places,), float64
        Centres of the pixels: values of a number column, 0, 1, … for a category's levels.
    cells, offsets : ndarray of shape (n_places,)
        The places in the encoded column.
    weights : ndarray of shape (n_places, n_functions), float64
        Values of the local basis at the places.
    labels : list of str or None
        Labels of a category's levels.
    functions : ndarray of shape (n_places,), int64, or None
        For a category, the function of each level shown.
    owner : ndarray of shape (n_cells,), int64, or None
        For a category, the function of each cell.
    scale : AxisScale
        Of a number column.
    n_pooled : int
        Levels of a category that share one function.
    is_boolean : bool
        Whether a number column was true or false in the fit.
    """

    name: str
    places: NDArray[np.float64]
    cells: NDArray[np.int32]
    offsets: NDArray[np.float64]
    weights: NDArray[np.float64]
    labels: list[str] | None = None
    functions: NDArray[np.int64] | None = None
    owner: NDArray[np.int64] | None = None
    scale: AxisScale = field(default_factory=AxisScale)
    n_pooled: int = 0
    is_boolean: bool = False


# Values of a number column that each get a band of their own; more are places on an axis.
_MAX_BANDS = 40


def draw_pair(
    fitted: FittedGame,
    feature: Sequence[int],
    outputs: Sequence[int],
    table: Table | None,
    errors: bool,
    x_scale: str,
    ax: Any,
) -> Any:
    """Draw the heat map of a purified pair; see :func:`instashap.plots.plot_shape`."""
    columns = _find_pair(fitted, feature)
    if len(outputs) != 1:
        names = [fitted.output_names[output] for output in outputs]
        raise ValueError(f"a heat map shows one output, got {len(names)} of them: pass output= one of {list_names(names)}")
    (output,) = outputs
    shape = fitted.model.shapes[fitted.model.value_sets.index((min(columns), max(columns)))][:, :, output]
    own = shape if columns[0] < columns[1] else shape.T
    sides = [_make_side(fitted, column, shape, table, x_scale) for column, shape in zip(columns, (own, own.T), strict=True)]
    effects = sides[1].weights @ own.T @ sides[0].weights.T  # (n_places of the second, of the first)
    dots = None if table is None else _place_rows(fitted, columns, sides, table)
    seen = held = effects
    if dots is not None:
        near, inside = _find_near(sides, dots)
        seen, held = np.where(near, effects, np.nan), np.where(inside, effects, np.nan)

    ax = make_axes(ax, 8.2, 5.8)
    limit = float(np.nanmax(np.abs(held), initial=0.0)) or 1.0  # effects beyond those of rows are extrapolated
    mesh = _draw_map(ax, sides, seen, limit)
    if errors:
        is_vague = np.abs(effects) <= INTERVAL * _compute_errors(fitted, columns, sides)[:, :, output]
        _fade(ax, sides, ~is_vague | np.isnan(seen))
    if dots is not None:
        _draw_rows(ax, dots)
    _label_side(ax.xaxis, sides[0], is_horizontal=True)
    _label_side(ax.yaxis, sides[1], is_horizontal=False)
    scale = name_scale(fitted.output_transform, fitted.output_names[output])
    _draw_strips(ax, sides, [_evaluate_main(fitted, columns[k], sides[k], output) for k in (0, 1)])
    extend = "both" if np.nanmax(np.abs(seen), initial=0.0) > limit else "neither"
    bar = ax.figure.colorbar(mesh, label=f"added to {scale.label}", extend=extend, **_place_bar(ax))
    separate_thousands(bar.ax.yaxis)
    names = [shorten_own(fitted.schema.names[column], fitted.schema.names, 20) for column in columns]
    title = f"Effect of {names[0]} and {names[1]} together,\ngiven all others and beyond each of them (along the sides)"
    ax.set_title(title, y=1 + _GAP + _STRIP, pad=8)
    pooled = [f"{side.n_pooled} rarer levels of {side.name} share one band" for side in sides if side.n_pooled > 1]
    rows = "" if dots is None else "a dot is a row; without colour: no row is near"
    write_notes(ax, f"grey veil: {INTERVAL_NOTE} hold zero" * errors, rows, *pooled, scale.note)
    return ax


def _place_bar(ax: Any) -> dict[str, Any]:
    """Arguments that place the colour bar; without a layout engine the axes are shrunk to make room for it and the strips."""
    if ax.figure.get_layout_engine() is not None:
        return {"ax": ax, "fraction": 0.05, "pad": 0.03}
    place = ax.get_position()
    ax.set_position([place.x0, place.y0, 0.68 * place.width, 0.72 * place.height])
    return {"cax": ax.inset_axes([1 + 2 * _GAP + _STRIP, 0.0, 0.05, 1.0])}


def _draw_map(ax: Any, sides: list[_Side], effects: NDArray[np.float64], limit: float) -> Any:
    style = {"vmin": -limit, "vmax": limit, "shading": "nearest", "rasterized": True}
    return ax.pcolormesh(sides[0].places, sides[1].places, effects, cmap=make_diverging_map(), **style)


def _compute_errors(fitted: FittedGame, columns: tuple[int, int], sides: list[_Side]) -> NDArray[np.float64]:
    """Standard errors at every pixel, shape (n_places of the second, of the first, n_outputs)."""
    order = np.argsort(columns)
    first, second = np.meshgrid(np.arange(len(sides[0].places)), np.arange(len(sides[1].places)))
    picks = first.ravel(), second.ravel()
    cells = np.stack([sides[k].cells[picks[k]] for k in order], axis=1)
    offsets = np.stack([sides[k].offsets[picks[k]] for k in order], axis=1)
    errors = compute_shape_errors(fitted, (min(columns), max(columns)), Encoded(cells, offsets))
    return errors.reshape(*first.shape, -1)


def _fade(ax: Any, sides: list[_Side], is_significant: NDArray[np.bool_]) -> None:
    """Draw grey over the pixels whose interval holds zero."""
    veil = np.ma.masked_where(is_significant, np.full(is_significant.shape, 0.5))
    style = {"cmap": "gray", "vmin": 0, "vmax": 1, "alpha": 0.5, "shading": "nearest", "rasterized": True}
    ax.pcolormesh(sides[0].places, sides[1].places, veil, **style)


def _evaluate_main(fitted: FittedGame, column: int, side: _Side, output: int) -> NDArray[np.float64]:
    """The column's main effect at the places of its side; NaN for a band that pools several levels."""
    if (column,) not in fitted.model.value_sets:
        return np.zeros(len(side.places))
    coefficients = fitted.model.shapes[fitted.model.value_sets.index((column,))][:, [output]]
    mains = fitted.model.bases[column][0].combine(side.cells, side.offsets, coefficients)[:, 0]
    if side.owner is None or side.functions is None:
        return mains
    return np.where(np.bincount(side.owner)[side.functions] > 1, np.nan, mains)


def _draw_strips(ax: Any, sides: list[_Side], mains: list[NDArray[np.float64]]) -> None:
    """Draw each column's main effect (bars for a category) above and on the right of the map, on a common scale."""
    reach = np.array([min(0.0, *(np.nanmin(each, initial=0.0) for each in mains)), max(np.nanmax(each) for each in mains)])
    limits = reach + np.array([-0.15, 0.15]) * (np.ptp(reach) or 1.0)
    top = ax.inset_axes([0.0, 1 + _GAP, 1.0, _STRIP], sharex=ax)
    right = ax.inset_axes([1 + _GAP, 0.0, _STRIP, 1.0], sharey=ax)
    colour = ax.xaxis.label.get_color()
    for strip, side, heights, is_top in ((top, sides[0], mains[0], True), (right, sides[1], mains[1], False)):
        if side.labels is not None:
            _ = (strip.bar if is_top else strip.barh)(side.places, heights, 0.6, color=colour, alpha=0.6)
        else:
            strip.plot(*((side.places, heights) if is_top else (heights, side.places)), color=colour, linewidth=1.5)
        draw_zero_line(strip, vertical=not is_top)
        (strip.set_ylim if is_top else strip.set_xlim)(limits)
        strip.tick_params(labelsize="x-small", labelbottom=not is_top, labelleft=is_top, bottom=not is_top, left=is_top)
        separate_thousands(strip.yaxis if is_top else strip.xaxis)
        strip.locator_params(axis="y" if is_top else "x", nbins=2)
        strip_frame(strip, "top", "right", "bottom" if is_top else "left")


def _find_pair(fitted: FittedGame, columns: Sequence[int]) -> tuple[int, int]:
    names = fitted.schema.names
    if len(set(columns)) != 2 or len(columns) != 2:
        raise ValueError(f"feature={tuple(names[column] for column in columns)} must be one column, or two different ones")
    if (min(columns), max(columns)) not in fitted.model.value_sets:
        pairs = [values for values in fitted.model.value_sets if len(values) == 2]
        shown = ", ".join(str(tuple(names[column] for column in pair)) for pair in pairs[:8])
        raise ValueError(
            f"the model has no term for {names[columns[0]]!r} and {names[columns[1]]!r}; "
            + (f"its {len(pairs)} pairs are {shown}{', …' * (len(pairs) > 8)}" if pairs else "it has main effects only")
        )
    return columns[0], columns[1]


def _make_side(fitted: FittedGame, column: int, shape: NDArray[np.float64], table: Table | None, x_scale: str) -> _Side:
    """Pixels of a column; ``shape`` has the column's functions along its first axis."""
    encoder = fitted.encoder.columns[column]
    basis = fitted.model.bases[column][1]
    values = None if table is None else read_column(table, column, encoder)
    name = shorten_own(encoder.name, fitted.schema.names, 28)
    if encoder.is_category:
        return _make_category_side(encoder, basis, shape, values, name)
    has_bands = 0 < len(encoder.values) <= _MAX_BANDS
    scale = AxisScale() if has_bands else choose_axis(encoder, values, x_scale)
    places = np.array(encoder.values)
    if not has_bands:
        places = scale.space(encoder.lows.min(), (encoder.lows + measure_spans(encoder)).max(), _N_PIXELS)
    cells = np.searchsorted(encoder.edges, places).astype(np.int32)  # edges[k-1] < x <= edges[k]
    offsets = np.clip((places - encoder.lows[cells]) * encoder.scales[cells], 0.0, 1.0)
    weights = basis.combine(cells, offsets, np.eye(basis.n_functions))
    is_boolean = encoder.name in fitted.schema.flags
    return _Side(name, places, cells, offsets, weights, scale=scale, is_boolean=is_boolean)


def _make_category_side(
    encoder: ColumnEncoder, basis: LocalBasis, shape: NDArray[np.float64], values: NDArray[Any] | None, name: str
) -> _Side:
    """Side with one pixel for each level that has its own function in pairs; the others are in "other"."""
    n_levels = basis.n_functions - 2
    n_pooled = len(encoder.levels or ()) - n_levels
    names = name_cells(encoder, 20)
    names[-2] = f"{n_pooled} others" if n_pooled > 1 else names[-2]
    owner = np.minimum(np.arange(encoder.n_cells), n_levels)
    owner[-1] = n_levels + 1
    counts = None if values is None else np.bincount(owner[values], minlength=basis.n_functions)
    # Centring leaves a level without rows a constant effect, so a level is shown if its effect varies.
    is_seen = set(find_seen(np.ptp(shape, axis=1), counts).tolist())
    shown = [cell for cell in encoder.shown_cells if cell < n_levels]
    seen = np.array([each for each in [*shown, n_levels, n_levels + 1] if each in is_seen], dtype=np.int64)
    labels = [[*names[:n_levels], *names[-2:]][function] for function in seen]
    stand_in = np.array([*range(n_levels), encoder.missing_cell - 1, encoder.missing_cell], dtype=np.int32)[seen]
    weights = np.eye(basis.n_functions)[seen]
    bands = np.arange(float(len(seen)))
    return _Side(name, bands, stand_in, np.zeros(len(seen)), weights, labels, seen, owner, n_pooled=n_pooled)


def _place_rows(fitted: FittedGame, columns: tuple[int, int], sides: list[_Side], table: Table) -> list[NDArray[np.float64]]:
    """Coordinates of a dot for each row; rows of a level, of text or of numbers, are spread evenly across its band."""
    places = []
    for column, side, step in zip(columns, sides, _STEPS, strict=True):
        values = read_column(table, column, fitted.encoder.columns[column])
        shifts = 0.7 * ((np.arange(table.n_rows) * step) % 1.0 - 0.5)
        if side.functions is None or side.owner is None:
            levels = () if _is_continuous(side) else side.places
            places.append(values + shifts * float(np.diff(levels).min()) if len(levels) > 1 else values)
            continue
        bands = np.full(len(side.owner), np.nan)
        bands[side.functions] = np.arange(len(side.functions))
        places.append(bands[side.owner[values]] + shifts)
    return places


def _draw_rows(ax: Any, dots: list[NDArray[np.float64]]) -> None:
    strength = float(np.clip(_DOT_INK / len(dots[0]), 0.03, 0.6))
    limits = ax.get_xlim(), ax.get_ylim()
    ax.plot(*dots, "o", color="black", markersize=2, alpha=strength, markeredgewidth=0, rasterized=True)
    ax.set(xlim=limits[0], ylim=limits[1])


def _find_near(sides: list[_Side], dots: list[NDArray[np.float64]]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether a row is in a pixel's square or one beside it, and in the square itself; each (n_places of second, of first).

    Squares are sixteenths of a number column's axis; levels are beside no other level.
    """
    numbered = [_number_squares(side, each) for side, each in zip(sides, dots, strict=True)]
    is_known = ~np.isnan(dots[0]) & ~np.isnan(dots[1])
    (pixels, rows), (other_pixels, other_rows) = numbered
    has_rows = np.zeros((other_pixels.max() + 1, pixels.max() + 1), dtype=bool)
    has_rows[other_rows[is_known], rows[is_known]] = True
    own, picked = has_rows, np.ix_(other_pixels, pixels)
    for axis, side in ((1, sides[0]), (0, sides[1])):
        if _is_continuous(side):
            has_rows = has_rows | _shift(has_rows, axis)
    return np.asarray(has_rows[picked]), np.asarray(own[picked])


def _is_continuous(side: _Side) -> bool:
    return side.labels is None and len(side.places) == _N_PIXELS


def _number_squares(side: _Side, dots: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The square of each pixel and of each dot along one side; 0 for a missing value."""
    if not _is_continuous(side):
        nearest = np.abs(np.nan_to_num(dots)[:, None] - side.places).argmin(axis=1)
        return np.arange(len(side.places)), nearest
    low, high = side.scale.forward(side.places[[0, -1]])

    def number(values: NDArray[np.float64]) -> NDArray[np.int64]:
        shares = (side.scale.forward(values) - low) / ((high - low) or 1.0)
        return np.asarray(np.clip(shares * _N_SQUARES, 0, _N_SQUARES - 1), dtype=np.int64)

    return number(side.places), number(np.where(np.isnan(dots), side.places[0], np.clip(dots, *side.places[[0, -1]])))


def _shift(mask: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Whether a neighbour along an axis is set."""
    padded = np.pad(mask, [(1, 1) if each == axis else (0, 0) for each in range(mask.ndim)])
    return np.asarray(
        np.take(padded, range(2, padded.shape[axis]), axis) | np.take(padded, range(padded.shape[axis] - 2), axis)
    )


def _label_side(axis: Any, side: _Side, *, is_horizontal: bool) -> None:
    axis.set_label_text(side.name)
    side.scale.apply(axis)
    if side.labels is not None:
        is_long = is_horizontal and len(side.labels) * max(map(len, side.labels)) > 50
        turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
        axis.set_ticks(side.places, side.labels, **turned)
    elif len(side.places) <= 8:
        axis.set_ticks(side.places, [str(bool(place)) if side.is_boolean else f"{place:g}" for place in side.places])
