"""Conditional game of a model that is already additive; its predictions are reproduced exactly.

The masked fit of the model's outputs approximates their conditional means when features are absent. The *remainder*, the part
that the fit's functions do not explain, is the difference of two models of the same terms, so it is known table by table. It is
made hierarchically orthogonal (:mod:`instashap.model.orthogonal`): each part then has conditional mean zero given fewer of its
columns, and counts once all of them are present. At the full coalition the parts sum to the fixed model's own terms, centred.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..game.terms import PresenceSet, ValueSet, close_downwards, players_of
from ..masked.fitter import ClosedFormFitter, FitResult
from ..model.additive_model import AdditiveModel
from ..model.nested import LocalRows, NestedBases
from ..model.orthogonal import Move, Tables, make_orthogonal
from ..table.bases import LearntColumn
from ..table.encoding import Encoded


class KeptFit(NamedTuple):
    """The conditional game of a fixed model.

    Attributes
    ----------
    model : AdditiveModel
        The game; equals the fixed model at the full coalition.
    result : FitResult
        The masked fit of its outputs.
    remainder_shares : ndarray of shape (n_outputs,), float64
        Variance of the remainder on the rows, as a share of the outputs' variance.
    """

    model: AdditiveModel
    result: FitResult
    remainder_shares: NDArray[np.float64]


def fit_keeping(
    fixed: AdditiveModel,
    columns: tuple[LearntColumn, ...],
    players: tuple[int, ...],
    encoded: Encoded,
    weights: NDArray[np.float64],
    size_law: NDArray[np.float64],
) -> KeptFit:
    """Fit the conditional game of a model's outputs, and add the remainder.

    Parameters
    ----------
    fixed : AdditiveModel
        A model on the bases of ``columns``, which must be nested: every bin of an interaction is a union of bins of the
        smaller terms.
    columns : tuple of LearntColumn
    players : tuple of int
        Player of each column.
    encoded : Encoded
    weights : ndarray of shape (n_rows,), float64
        Row weights, above zero.
    size_law : ndarray of shape (n_players + 1,), float64
    """
    outputs = fixed.predict(encoded)
    # Pairs beside the fixed model's own: under correlation its conditional means need them (SHAP R² .990 → .998 on a grid of
    # four columns of 8 levels, three pairs of six in the model).
    order = min(max(2, *map(len, fixed.value_sets)), len(columns))
    fitter = ClosedFormFitter(columns, players, order=order)
    result = fitter.fit(encoded, outputs, weights, size_law)
    bases = NestedBases(fixed.bases, fixed.value_sets)
    tables, base = _subtract(fixed, result.model, bases)
    own = tables.copy()
    moves, _ = make_orthogonal(tables, base, LocalRows(bases.columns, encoded, weights), bases)
    model = _add_remainder(result.model, own, moves, players)
    missed = outputs - result.model.predict(encoded)
    spreads = [np.cov(values.T, aweights=weights, ddof=0).reshape(fixed.n_outputs, -1) for values in (missed, outputs)]
    missed_variances, variances = (np.diag(spread) for spread in spreads)
    shares = np.divide(missed_variances, variances, out=np.zeros(fixed.n_outputs), where=variances > 0)
    return KeptFit(model, result, shares)


def _subtract(fixed: AdditiveModel, fitted: AdditiveModel, bases: NestedBases) -> tuple[Tables, NDArray[np.float64]]:
    """Shape functions of one model minus those of another, on all their value sets and the subsets of these."""
    shapes = dict(zip(fixed.value_sets, fixed.shapes, strict=True))
    tables = {}
    for values in close_downwards((*fixed.value_sets, *fitted.value_sets)):
        zeros = np.zeros((*bases.shape(len(values), values), fixed.n_outputs))
        tables[values] = shapes.get(values, zeros)
    for values, shape in zip(fitted.value_sets, fitted.shapes, strict=True):
        tables[values] = tables[values] - shape
    return tables, fixed.base_value - fitted.base_value


def _add_remainder(
    model: AdditiveModel, own: Tables, moves: Sequence[Move], players: Sequence[int]
) -> AdditiveModel:
    """The model with each term's remainder added; a remainder counts once the term's own players are present.

    A function moved from T to R counts while the players of R are present but not all of T: with all of T present it is part
    of T's own table.
    """
    parts: dict[ValueSet, list[_Part]] = {values: [] for values in own}
    for values, table, mixing, presence in zip(model.value_sets, model.tables, model.mixings, model.presence_sets, strict=True):
        parts[values].append(_Part(table, {each: mixing[:, place] for place, each in enumerate(presence)}))
    one = np.eye(model.n_outputs)
    for values, table in own.items():
        constants = sum((move.table for move in moves if move.source == values and not move.target), np.zeros(model.n_outputs))
        parts[values].append(_Part(table - constants, {players_of(values, players): one}))
    for source, target, table in moves:
        near, far = players_of(target, players), players_of(source, players)
        if target and near != far:
            parts[target].append(_Part(table, {near: one, far: -one}))
    value_sets = tuple(sorted(parts, key=lambda values: (len(values), values)))
    joined = [_join(parts[values], players_of(values, players)) for values in value_sets]
    presence_sets, tables, mixings = zip(*joined, strict=True)
    # Constants sum to zero, because the base value is the mean output of both models.
    content = value_sets, presence_sets, tables, mixings, model.base_value, model.n_players
    return AdditiveModel(model.bases, *content, linear=model.linear, index=model.index)


class _Part(NamedTuple):
    """Functions of a value set, and for each presence set their weights, shape (n_functions, n_outputs)."""

    table: NDArray[np.float64]
    weights: dict[PresenceSet, NDArray[np.float64]]


def _join(
    parts: Sequence[_Part], own: PresenceSet
) -> tuple[tuple[PresenceSet, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Presence sets, table and mixing array of several parts of one value set; its own presence set comes first."""
    presence_sets = tuple(dict.fromkeys([own, *(each for part in parts for each in part.weights)]))
    mixings = []
    for part in parts:
        missing = np.zeros_like(next(iter(part.weights.values())))
        mixings.append(np.stack([part.weights.get(each, missing) for each in presence_sets], axis=1))
    return presence_sets, np.concatenate([part.table for part in parts], axis=-1), np.concatenate(mixings)
