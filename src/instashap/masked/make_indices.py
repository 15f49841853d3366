"""Linear predictions of the columns in which a model bends, and the functions of them that a search may add.

A target is a column with a bent main effect h that other columns predict. For every set R of its best predictors the score of
the target is predicted by those of R, and ``E[h(x_k) | x_R]`` is computed as the mean of h over prediction plus residual, with
the residuals of the rows: a Gaussian smoothing where these are Gaussian. What is left to fit is one coefficient of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..model.index_part import IndexPart
from ..table.encoding import Encoded
from .design import ValueFunctions
from .penalties import AxisFunctions

# Targets of a model, predictors of a target and functions of an index at most: 2⁶ sets of predictors.
_MAX_TARGETS, _MAX_PREDICTORS, _MAX_CURVES = 4, 6, 2
# A target's bent part times what others predict of the column must be this share of the outputs' variance.
_MIN_SHARE = 5e-3
# Share of a target's variance that a predictor must add to those chosen before, and that a set of predictors must explain.
_MIN_GAIN, _MIN_EXPLAINED = 5e-3, 0.02
# Relative to the diagonal; keeps correlations of exact sums invertible.
_JITTER = 1e-9
# Residual standard deviation, relative to the target's, below which the prediction is the column itself.
_EXACT = 1e-4
# Places at which a smoothed function is kept, residuals it is a mean over, and places in a cell where a main effect is read.
_N_NODES, _N_RESIDUALS, _N_PLACES = 129, 200, 9


@dataclass(frozen=True)
class _Score:
    """The straight line of a column, and its main effect.

    Attributes
    ----------
    column, player : int
    table : ndarray of shape (n_nodes,), float64
        The line in the column's basis of main effects; of unit variance.
    line : int
        Position of the line among the value functions.
    members : ndarray of int64
        Positions of all functions of the column's main effect.
    axis : AxisFunctions
    """

    column: int
    player: int
    table: NDArray[np.float64]
    line: int
    members: NDArray[np.int64]
    axis: AxisFunctions


def make_indices(
    functions: ValueFunctions,
    merged: NDArray[np.float64],
    gram: NDArray[np.float64],
    variances: NDArray[np.float64],
    players: Sequence[int],
    encoded: Encoded,
    weights: NDArray[np.float64],
) -> IndexPart | None:
    """Indices of the targets among a model's columns; None if there are none.

    Parameters
    ----------
    functions : ValueFunctions
    merged : ndarray of shape (n_functions, n_outputs), float64
        Coefficients at the full coalition.
    gram : ndarray of shape (n_functions, n_functions), float64
        Centred second moments.
    variances : ndarray of shape (n_outputs,), float64
        Of the outputs.
    players : sequence of int
        Player of each column; a player of several columns has no index.
    encoded : Encoded
    weights : ndarray of shape (n_rows,), float64
    """
    scores = _find_scores(functions, players)
    if len(scores) < 2:
        return None
    lines = np.array([each.line for each in scores])
    covariance = gram[np.ix_(lines, lines)]
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale)
    targets = _choose_targets(scores, merged, gram, variances, correlation)
    if not targets:
        return None
    cells, offsets = encoded
    lines_of_rows = [
        each.axis.basis.combine(cells[:, each.column], offsets[:, each.column], each.table[:, None]) for each in scores
    ]
    rows = np.hstack(lines_of_rows)
    known = np.all([cells[:, each.column] < len(each.axis.basis.first) - 1 for each in scores], axis=0)
    rows, shares = rows[known], weights[known]
    if not len(rows):
        return None
    parts = [part for each in targets for part in _make_target(each, scores, merged, correlation, rows, shares)]
    return _join(parts, scores) if parts else None


def _find_scores(functions: ValueFunctions, players: Sequence[int]) -> list[_Score]:
    """Columns with a straight line, each the only one of its player, in order."""
    found = []
    singles = [values[0] for values in functions.value_sets if len(values) == 1]
    owners = [players[column] for column in singles if len(functions.axes[1, column]) > 1]  # a constant column has none
    for owner, values in enumerate(functions.value_sets):
        if len(values) != 1 or owners.count(players[values[0]]) > 1:
            continue
        members = np.flatnonzero(functions.owners == owner)
        axis = functions.axes[1, values[0]]
        chosen = functions.choices[owner][:, 0]
        line = int(members[0])
        is_line = functions.ranks[line] == 1 and len(axis) > 1 and axis.roughness.any()
        if is_line:
            table = axis.coefficients[:, chosen[0]]
            found.append(_Score(values[0], players[values[0]], table, line, members, axis.pick(chosen)))
    return found


def _choose_targets(
    scores: list[_Score],
    merged: NDArray[np.float64],
    gram: NDArray[np.float64],
    variances: NDArray[np.float64],
    correlation: NDArray[np.float64],
) -> list[int]:
    """Columns by how bent their main effect is, times how well others predict them; the most promising first."""
    inverse = np.linalg.inv(correlation + _JITTER * np.eye(len(scores)))
    predicted = np.clip(1.0 - 1.0 / np.diag(inverse), 0.0, 1.0)
    promises = np.zeros(len(scores))
    safe = np.where(variances > 0, variances, np.inf)
    for place, score in enumerate(scores):
        own = gram[np.ix_(score.members, score.members)]
        effects = merged[score.members]
        straight = (own[0] @ effects) / own[0, 0]  # slope on the line
        bent = np.einsum("mc,mn,nc->c", effects, own, effects) - own[0, 0] * straight**2
        promises[place] = predicted[place] * float((np.maximum(bent, 0.0) / safe).max())
    order = np.argsort(-np.round(promises, 12), kind="stable")[:_MAX_TARGETS]
    return [int(place) for place in order if promises[place] >= _MIN_SHARE]


@dataclass(frozen=True)
class _Part:
    """One index: predictors and the rest of the players that matter, by place among the scores."""

    predictors: tuple[int, ...]
    others: tuple[int, ...]
    slopes: NDArray[np.float64]
    constant: float
    nodes: NDArray[np.float64]
    values: NDArray[np.float64]  # (n_nodes, n_curves)


def _make_target(
    target: int,
    scores: list[_Score],
    merged: NDArray[np.float64],
    correlation: NDArray[np.float64],
    rows: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> list[_Part]:
    predictors = _choose_predictors(target, correlation)
    places, curves = _read_main_effect(scores[target], merged)
    means = shares @ rows / shares.sum()
    spread = np.sqrt(shares @ (rows - means) ** 2 / shares.sum())
    parts = []
    for size in range(1, len(predictors) + 1):
        for chosen in combinations(predictors, size):
            own = list(chosen)
            matrix = correlation[np.ix_(own, own)] + _JITTER * np.eye(size)
            slopes = np.linalg.solve(matrix, correlation[own, target])
            if slopes @ correlation[own, target] < _MIN_EXPLAINED:
                continue
            slopes = slopes * spread[target] / spread[own]
            constant = float(means[target] - slopes @ means[own])
            predicted = rows[:, own] @ slopes + constant
            nodes, values = _smooth(places, curves, predicted, rows[:, target] - predicted, shares)
            others = (target, *(each for each in predictors if each not in chosen))
            parts.append(_Part(chosen, others, slopes, constant, nodes, values))
    return parts


def _choose_predictors(target: int, correlation: NDArray[np.float64]) -> list[int]:
    """Columns that predict a target best together, one after the other, rising."""
    left = correlation + _JITTER * np.eye(len(correlation))
    chosen: list[int] = []
    while len(chosen) < _MAX_PREDICTORS:
        sizes = np.diag(left).copy()
        sizes[[target, *chosen]] = np.inf
        sizes[sizes < 10 * _JITTER] = np.inf
        gains = left[target] ** 2 / sizes
        best = int(np.argmax(np.round(gains, 12)))
        if gains[best] < _MIN_GAIN * min(1.0, left[target, target] * 10):
            break
        chosen.append(best)
        left = left - np.outer(left[best], left[best]) / left[best, best]
    return sorted(chosen)


def _read_main_effect(score: _Score, merged: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A column's line and main effects at places along it, rising in the line; a jump is two equal places."""
    axis = score.axis
    effects = merged[score.members]
    if effects.shape[1] > _MAX_CURVES:
        vectors, sizes, _ = np.linalg.svd(effects, full_matrices=False)
        effects = (vectors * sizes)[:, :_MAX_CURVES]
    n_cells = len(axis.basis.first) - 1
    cells = np.repeat(np.arange(n_cells, dtype=np.int32), _N_PLACES)
    offsets = np.tile(np.linspace(0.0, 1.0, _N_PLACES), n_cells)
    both = axis.basis.combine(cells, offsets, np.column_stack([score.table, axis.coefficients @ effects]))
    line = both[:, 0]
    rises = line[-1] >= line[0]
    both = both if rises else both[::-1]
    return np.maximum.accumulate(both[:, 0]), both[:, 1:]


def _smooth(
    places: NDArray[np.float64],
    curves: NDArray[np.float64],
    predicted: NDArray[np.float64],
    residuals: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes along a prediction, and the mean of curves over prediction plus residual there."""
    spread = np.sqrt(shares @ residuals**2 / shares.sum())
    if spread < _EXACT:
        return places, curves
    order = np.argsort(residuals, kind="stable")
    cumulated = np.cumsum(shares[order]) - 0.5 * shares[order]
    steps = (np.arange(_N_RESIDUALS) + 0.5) / _N_RESIDUALS * shares.sum()
    drawn = np.interp(steps, cumulated, residuals[order])
    nodes = np.linspace(predicted.min(), predicted.max(), _N_NODES)
    at = np.clip(nodes[:, None] + drawn, places[0], places[-1])
    found = [np.interp(at, places, curve).mean(axis=1) for curve in curves.T]
    return nodes, np.stack(found, axis=1)


def _join(parts: list[_Part], scores: list[_Score]) -> IndexPart:
    """Indices of all targets side by side; nodes are filled up to the same number."""
    used = sorted({place for part in parts for place in part.predictors})
    n_nodes = max(len(part.nodes) for part in parts)
    weights = np.zeros((len(parts), len(used)))
    nodes = np.empty((len(parts), n_nodes))
    values = np.zeros((len(parts), n_nodes + 1, parts[0].values.shape[1]))
    for number, part in enumerate(parts):
        weights[number, [used.index(place) for place in part.predictors]] = part.slopes
        more = n_nodes - len(part.nodes)
        nodes[number] = np.pad(part.nodes, (0, more), mode="edge")
        values[number, :-1] = np.pad(part.values, ((0, more), (0, 0)), mode="edge")
    players = [score.player for score in scores]
    return IndexPart(
        tuple(scores[place].column for place in used),
        tuple(scores[place].table for place in used),
        tuple(tuple(sorted(players[place] for place in part.predictors)) for part in parts),
        tuple(tuple(sorted(players[place] for place in part.others)) for part in parts),
        weights,
        np.array([part.constant for part in parts]),
        nodes,
        values,
    )
