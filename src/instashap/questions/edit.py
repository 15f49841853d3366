"""Replacement of shape functions, with the Shapley values of the changed predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fits.null_players import make_roster
from ..fitted.fit_kind import FitKind
from ..fitted.game import Answers, FittedGame, GameRows
from ..game.terms import ValueSet
from ..likelihood.presence import fit_presence
from ..likelihood.pure_tables import centre_tables
from ..model.additive_model import AdditiveModel
from ..model.nested import transform
from ..model.orthogonal import Tables, make_plain_model
from ..model.places import Places, sample_places
from ..model.replicates import ModelReplicates
from ..table.bases import ColumnEncoder
from ..table.column_kinds import is_missing
from ..table.encoding import Encoded
from ..table.written_levels import write_level


def set_shape(fitted: FittedGame, term: ValueSet, shape: Any) -> FittedGame:
    """The game with one shape function replaced; every prediction changes by the new shape minus the old.

    The mean of the change goes to the base value. Where some of its columns are absent, the change is replaced by its
    conditional mean over the rows of the fit.

    Parameters
    ----------
    fitted : FittedGame
    term : tuple of int
        One of ``fitted.model.value_sets``.
    shape : float, mapping or callable
        See :meth:`AdditiveEstimator.set_shape`.

    Raises
    ------
    NotFittedError
        If the rows of the fit are gone.
    """
    rows = fitted.get_rows()
    model = fitted.model
    change = _tabulate(fitted, term, shape) - model.shapes[model.value_sets.index(term)]
    tables = {values: np.zeros_like(table) for values, table in zip(model.value_sets, model.shapes, strict=True)}
    tables[term] = change
    moved = fit_conditional(fitted, rows, tables, np.zeros(model.n_outputs), rows.encoded, rows.weights)
    edited = _add(model, moved)
    replicate = _repeat(fitted, edited, lambda game: set_shape(_centre_term(game, term), term, shape))
    kept = GameRows(rows.encoded, rows.weights, rows.columns, rows.size_law, replicate)
    return _replace(fitted, edited, kept)


def recentre(fitted: FittedGame, encoded: Encoded, weights: NDArray[np.float64]) -> FittedGame:
    """The game of the same predictions with centres and conditional means taken over other rows."""
    rows = fitted.get_rows()
    tables = dict(zip(fitted.model.value_sets, fitted.model.shapes, strict=True))
    model = fit_conditional(fitted, rows, tables, fitted.model.base_value, encoded, weights)
    replicate = _repeat(fitted, model, lambda game: recentre(game, encoded, weights))
    return _replace(fitted, model, GameRows(encoded, weights, rows.columns, rows.size_law, replicate))


def _centre_term(fitted: FittedGame, term: ValueSet) -> FittedGame:
    """The same predictions with one term of mean zero on the game's rows: what replaces it is centred there, too."""
    rows, model = fitted.get_rows(), fitted.model
    shape = model.shapes[model.value_sets.index(term)]
    centred = centre_tables({term: shape}, np.zeros(model.n_outputs), fitted.encoder.bases, rows.encoded, rows.weights)
    tables = {values: np.zeros_like(table) for values, table in zip(model.value_sets, model.shapes, strict=True)}
    tables[term] = centred.tables[term] - shape
    roster = make_roster(fitted.players, [player in model.null_players for player in fitted.players])
    sizes = roster.players, len(roster.varying)
    shift = roster.spread(make_plain_model(fitted.encoder.bases, tables, centred.base_value, *sizes))
    return replace(fitted, model=_add(model, shift))


def _repeat(
    fitted: FittedGame, edited: AdditiveModel, edit: Callable[[FittedGame], FittedGame]
) -> Callable[[], ModelReplicates] | None:
    """Replicates of an edited game: the edit, repeated on those of the game before; None if it has none."""
    before = fitted.rows
    if before is None or before.replicate is None:
        return None
    refit = before.replicate
    plain = replace(before, replicate=None)

    def replicate() -> ModelReplicates:
        known = fitted.answers.errors if isinstance(fitted.answers.errors, ModelReplicates) else refit()
        games = [edit(replace(fitted, model=each, rows=plain)).model for each in known.replicates]
        return ModelReplicates(edited, tuple(games), known.contrast)

    return replicate


def _replace(fitted: FittedGame, model: AdditiveModel, rows: GameRows) -> FittedGame:
    """The game of another model, without the record and the answers of the fit."""
    return replace(fitted, model=model, kind=FitKind.EDITED, record=None, rows=rows, answers=Answers())


def fit_conditional(
    fitted: FittedGame,
    rows: Any,
    tables: Tables,
    base_value: NDArray[np.float64],
    encoded: Encoded,
    weights: NDArray[np.float64],
) -> AdditiveModel:
    """The model that predicts the sum of the tables, and their conditional means over the rows at other coalitions."""
    centred = centre_tables(tables, base_value, fitted.encoder.bases, encoded, weights)
    roster = make_roster(fitted.players, [player in fitted.model.null_players for player in fitted.players])
    return roster.spread(fit_presence(rows.columns, centred, encoded, weights, roster.players, rows.size_law).model)


def _add(model: AdditiveModel, other: AdditiveModel) -> AdditiveModel:
    """The sum of two games with the same value sets."""
    tables, mixings, presence_sets = [], [], []
    for term, values in enumerate(model.value_sets):
        place = other.value_sets.index(values)
        sets = [*model.presence_sets[term], *other.presence_sets[place]]
        sets = sorted(set(sets), key=lambda each: (len(each), each))
        parts = []
        for part, number in ((model, term), (other, place)):
            spread = np.zeros((len(part.mixings[number]), len(sets), model.n_outputs))
            spread[:, [sets.index(each) for each in part.presence_sets[number]]] = part.mixings[number]
            parts.append(spread)
        tables.append(np.concatenate([model.tables[term], other.tables[place]], axis=-1))
        mixings.append(np.concatenate(parts))
        presence_sets.append(tuple(sets))
    return replace(
        model,
        presence_sets=tuple(presence_sets),
        tables=tuple(tables),
        mixings=tuple(mixings),
        base_value=model.base_value + other.base_value,
    )


def _tabulate(fitted: FittedGame, term: ValueSet, shape: Any) -> NDArray[np.float64]:
    """A shape in the term's local bases, shape (n_nodes_1, …, n_outputs); where it is NaN, the present shape is kept."""
    present = fitted.model.shapes[fitted.model.value_sets.index(term)]
    if isinstance(shape, Real):
        if not np.isfinite(float(shape)):
            raise ValueError(f"a shape must be finite, got {shape!r}; 0 removes the term")
        return np.full_like(present, float(shape))
    columns = [fitted.encoder.columns[column] for column in term]
    sides = [sample_places(column, len(term)) for column in columns]
    grid = np.meshgrid(*(np.arange(len(side)) for side in sides), indexing="ij")
    values = [_find_values(column, side) for column, side in zip(columns, sides, strict=True)]
    given = [each[places.ravel()] for each, places in zip(values, grid, strict=True)]
    now = reduce(lambda table, axis: transform(table, axis, sides[axis].matrix), range(len(sides)), present)
    asked = _ask(shape, given, fitted.term_names[fitted.model.value_sets.index(term)], present.shape[-1])
    asked = np.where(np.isnan(asked), now.reshape(asked.shape), asked).reshape(now.shape)
    inverses = [np.asarray(np.linalg.pinv(side.matrix)) for side in sides]
    return reduce(lambda table, axis: transform(table, axis, inverses[axis]), range(len(sides)), asked)


def _ask(shape: Any, given: list[NDArray[Any]], name: str, n_outputs: int) -> NDArray[np.float64]:
    """Values of a mapping or function at places of the columns, shape (n_places, n_outputs)."""
    if isinstance(shape, Mapping):
        if len(given) > 1:
            raise ValueError(f"a mapping from levels to values sets the shape of one column; {name} reads {len(given)}")
        answers: Any = _look_up(shape, given[0], name)
    elif callable(shape):
        answers = shape(*given)
    else:
        raise TypeError(f"a shape is a number, a mapping from levels to values or a function of the columns, got {shape!r}")
    values = np.asarray(answers, dtype=np.float64)
    if values.shape not in ((len(given[0]),), (len(given[0]), n_outputs)):
        raise ValueError(
            f"the function for {name} gave shape {values.shape} for {len(given[0])} places; expected ({len(given[0])},)"
            + (f" or ({len(given[0])}, {n_outputs})" if n_outputs > 1 else "")
        )
    if np.isinf(values).any():
        raise ValueError(f"the shape for {name} is infinite at {int(np.isinf(values).sum())} places; it must be finite, or NaN")
    return np.broadcast_to(values.reshape(len(values), -1), (len(values), n_outputs))


def _look_up(shape: Mapping[Any, Any], places: NDArray[Any], name: str) -> list[Any]:
    """Values that a mapping gives to the places of a column, NaN where it has none; each of its keys must be a place."""
    is_category = places.dtype == object
    known = [_write_place(place, is_category) for place in places.tolist()]
    written = {}
    for level, value in shape.items():
        key = _write_place(level, is_category)
        if key not in known:
            some = ", ".join(repr(each) if is_category else f"{each:.6g}" for each in places.tolist()[:8])
            raise ValueError(f"the mapping names {level!r}, which is no value of {name} with a coefficient of its own: {some}")
        written[key] = value
    return [written.get(place, np.nan) for place in known]


def _write_place(level: Any, is_category: bool) -> Any:
    """A level or number as a place of its column has it; None if it is missing. Among categories True is no 1."""
    if is_missing(level):
        return None
    return (bool, level) if is_category and isinstance(level, (bool, np.bool_)) else write_level(level)


def _find_values(column: ColumnEncoder, places: Places) -> NDArray[Any]:
    """A column's own values at encoded places."""
    if column.levels is not None:
        return np.array([*column.levels, _OTHER, None], dtype=object)
    spans = np.divide(1.0, column.scales, out=np.zeros_like(column.scales), where=column.scales > 0)
    lows, spans = np.append(column.lows, np.nan), np.append(spans, 0.0)
    return np.asarray(lows[places.cells] + places.offsets * spans[places.cells])


# Passed to a shape for all levels without their own coefficient; missing is None, or NaN in a number column.
_OTHER = "(other)"


def find_term(columns: list[int], value_sets: tuple[ValueSet, ...], names: tuple[str, ...]) -> ValueSet:
    """The value set of some columns; raises ``ValueError`` if the model has no such term."""
    values = tuple(sorted(columns))
    if values not in value_sets:
        asked = " × ".join(names[column] for column in values)
        raise ValueError(f"the model has no term {asked!r}; its terms are in term_names_")
    return values
