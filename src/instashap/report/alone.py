"""Data of the page's charts: predictions from single features, and cells of heat maps that have rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..fitted.game import FittedGame
from ..questions.answers import get_errors
from ..table.encoding import Encoded
from .column_views import ColumnValues, ColumnView

# Number of cells along a numeric side of a heat map, and largest number of levels drawn; page.js has the same values.
SIDE, MAX_LEVELS = 24, 16


@dataclass(frozen=True)
class AloneView:
    """Value of the coalition of one feature minus the base value; in the conditional game ``E[f | x_i] - E[f]``.

    Attributes
    ----------
    values : list of list of float
        Values by place of a number column, or by cell of a category ("other" and "missing" last), and by output.
    points : list of list of float
        For a number column, values at points beside the curve, by point and output.
    missing : list of float
        For a number column, value where it is missing, by output.
    errors : list of list of float or None
        Standard errors of ``values``.
    """

    values: list[list[float]]
    points: list[list[float]]
    missing: list[float]
    errors: list[list[float]] | None


def view_alone(fitted: FittedGame, column: int, view: ColumnView, has_errors: bool) -> AloneView | None:
    """Values of the coalition of a column's player alone; None if the player has further columns.

    Parameters
    ----------
    fitted : FittedGame
    column : int
    view : ColumnView
    has_errors : bool
        Whether the fit can give standard errors.
    """
    player = fitted.players[column]
    if fitted.players.count(player) > 1:
        return None
    encoder = fitted.encoder.columns[column]
    look_up = fitted.model.make_mobius_lookup((player,))
    if view.is_category:
        at = _place(fitted, column, np.arange(encoder.n_cells), np.zeros(encoder.n_cells))
        has_errors = has_errors and fitted.model.linear is None
        spread = get_errors(fitted).make_mobius_lookup((player,)).apply(at)[:, 0].tolist() if has_errors else None
        return AloneView(look_up.apply(at)[:, 0].tolist(), [], [], spread)
    places = _place(fitted, column, *encode_places(fitted, column, view.places))
    points = _place(fitted, column, *encode_places(fitted, column, view.points))
    missing = _place(fitted, column, np.array([encoder.missing_cell]), np.zeros(1))
    has_errors = has_errors and fitted.model.linear is None  # those of a linear part's components are not known
    errors = get_errors(fitted).make_mobius_lookup((player,)).apply(places)[:, 0].tolist() if has_errors else None
    found = (look_up.apply(each)[:, 0].tolist() for each in (places, points, missing))
    values, apart, (unknown,) = found
    return AloneView(values, apart, unknown, errors)


def encode_places(fitted: FittedGame, column: int, places: list[float]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Cells and offsets of values of one number column, each of shape (n_places,)."""
    encoder = fitted.encoder.columns[column]
    x = np.array(places, dtype=np.float64)
    cells = np.searchsorted(encoder.edges, x, "left")
    return cells.astype(np.int32), np.clip((x - encoder.lows[cells]) * encoder.scales[cells], 0.0, 1.0)


def _place(fitted: FittedGame, column: int, cells: NDArray[np.integer], offsets: NDArray[np.float64]) -> Encoded:
    """Encoded rows with the given cells and offsets in one column and zeros in the others."""
    shape = len(cells), len(fitted.players)
    encoded = Encoded(np.zeros(shape, dtype=np.int32), np.zeros(shape))
    encoded.cells[:, column], encoded.offsets[:, column] = cells, offsets
    return encoded


def find_support(views: list[ColumnView], rows: list[ColumnValues], pair: tuple[int, ...]) -> str:
    """Digits for the cells of a pair's heat map, the second column's within the first's: 0 without rows, 9 for the most."""
    (across, n_across), (up, n_up) = (_find_sides(views[column], rows[column]) for column in pair)
    is_drawn = (across >= 0) & (up >= 0)
    counts = np.bincount(across[is_drawn] * n_up + up[is_drawn], minlength=n_across * n_up)
    shares = np.log1p(counts) / max(float(np.log1p(counts.max(initial=0))), 1e-300)
    return "".join(map(str, np.ceil(9 * shares).astype(np.int64).tolist()))


def place_cells(fitted: FittedGame, views: list[ColumnView], pair: tuple[int, ...]) -> Encoded:
    """Middles of the cells of a pair's heat map as encoded rows of its two columns, in the order of :func:`find_support`."""
    sides = [_place_side(fitted, column, views[column]) for column in pair]
    grids = [np.meshgrid(*each, indexing="ij") for each in zip(*sides, strict=True)]
    cells, offsets = (np.stack([side.ravel() for side in grid], axis=1) for grid in grids)
    return Encoded(cells.astype(np.int32), offsets)


def _place_side(fitted: FittedGame, column: int, view: ColumnView) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    if view.is_category:
        drawn = np.array([cell for cell in view.order if cell < MAX_LEVELS], dtype=np.int32)
        return drawn, np.zeros(len(drawn))
    if view.is_discrete and len(view.places) <= SIDE:
        return encode_places(fitted, column, view.places)
    step = (view.places[-1] - view.places[0]) / SIDE or 1.0
    return encode_places(fitted, column, [view.places[0] + (at + 0.5) * step for at in range(SIDE)])


def _find_sides(view: ColumnView, values: ColumnValues) -> tuple[NDArray[np.int64], int]:
    """Cell of each row along a heat map's side, -1 if it is not drawn, and the number of cells; in the order of page.js."""
    if view.is_category:
        drawn = [cell for cell in view.order if cell < MAX_LEVELS]
        place_of = np.full(max(len(view.levels) + 2, 1), -1)
        place_of[drawn] = np.arange(len(drawn))
        return place_of[values.astype(np.int64)], len(drawn)
    places = np.array(view.places)
    if view.is_discrete and len(places) <= SIDE:
        found = np.minimum(np.searchsorted(places, values), len(places) - 1)
        return np.where(places[found] == values, found, -1), len(places)
    step = (places[-1] - places[0]) / SIDE or 1.0
    with np.errstate(invalid="ignore"):
        found = np.floor((values - places[0]) / step)
    found = np.where(values == places[-1], SIDE - 1, found)
    return np.where((found >= 0) & (found < SIDE), found, -1).astype(np.int64), SIDE
