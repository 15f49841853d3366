"""Rows that are not like the fitted ones: the columns in which they differ, and one warning for all of them."""

from collections.abc import Sequence

import numpy as np

from .._errors import DataWarning, warn_caller
from ..fitted.game import FittedGame
from ..table.columns import Table
from ..table.reach import Place
from .answers import get_reach

# Warn if more than this share of the rows is unlike the fitted ones; a smaller share is usual among new rows.
_WARN_SHARE = 0.05
# Warn in any case if a value lies outside its column's range by more than this multiple of the range's length.
_WARN_DISTANCE = 1.0
# Largest number of columns that a warning names.
_N_NAMED = 4


def place_rows(fitted: FittedGame, table: Table) -> Place | None:
    """Position of rows relative to those of the fit; None if the region of the fitted rows is not known."""
    reach = get_reach(fitted)
    return None if reach is None else reach.place(table, fitted.encoder.encode(table))


def name_outside(
    place: Place, names: Sequence[str]
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[tuple[str, ...], ...], ...]]:
    """For each row, the columns outside the fitted data, and those (two, or a sum) in a combination that no fitted row has."""
    outside: list[tuple[str, ...]] = [()] * len(place.distances)
    combined: list[tuple[tuple[str, ...], ...]] = [()] * len(outside)
    for row in np.flatnonzero((place.distances > 0).any(axis=1)):
        outside[row] = tuple(names[column] for column in np.flatnonzero(place.distances[row] > 0).tolist())
    for row in np.flatnonzero(place.is_new):
        combined[row] = tuple(tuple(names[column] for column in each) for each in place.list_combinations(int(row)))
    return tuple(outside), tuple(combined)


def warn_outside(place: Place, names: Sequence[str], has_trust: bool, asks_model: bool) -> None:
    """Warn once if many rows lie outside the fitted data or in new combinations, or if one lies far outside.

    Parameters
    ----------
    place : Place
    names : sequence of str
        Names of the columns.
    has_trust : bool
        Whether the explanation has a trust of each row, which is then low.
    asks_model : bool
        Whether the values of the game are outputs of the model, so that refine(X) can evaluate it on these rows.
    """
    is_outside, is_new = (place.distances > 0).any(axis=1), place.is_new
    n_rows, n_apart = len(place.distances), int((is_outside | is_new).sum())
    if n_apart <= _WARN_SHARE * n_rows and not (place.distances > _WARN_DISTANCE).any():
        return
    counts = place.is_lone.sum(axis=0)
    worst = [repr(names[column]) for column in np.argsort(-counts, kind="stable")[:_N_NAMED].tolist() if counts[column]]
    advice = ", or call refine(X), which asks the model about them" * asks_model
    n_new = int((is_new & ~is_outside).sum())
    warn_caller(
        f"{n_apart:,} of {n_rows:,} rows are not like the fitted rows ({int(is_outside.sum()):,} outside a column's range or "
        f"levels, or in a gap between its values, {n_new:,} in a combination that no fitted row has); most often in "
        f"{', '.join(worst)}. Their values are extrapolated{' and their trust is low' * has_trust}: see .outside and "
        f".new_pairs of the explanation, or fit on rows like these{advice}",
        DataWarning,
    )
