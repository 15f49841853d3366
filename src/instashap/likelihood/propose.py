"""Candidate interactions of a fit by likelihood: those the user gave, or those whose products correlate with the residual."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..game.terms import ValueSet, close_downwards
from ..masked.penalties import compute_axis_functions, compute_local_moments
from ..table.bases import LearntColumn
from ..table.encoding import Encoded

# Leading functions of a column, from which its interactions are scored: about a line, a parabola and a step; or its most
# frequent levels.
N_LEADING, N_LEADING_LEVELS = 3, 8
_BLOCK_ROWS = 8192


def propose_interactions(
    size: int,
    value_sets: Sequence[ValueSet],
    asked: Any,
    get_scores: Callable[[], Mapping[ValueSet, float]],
    count_affordable: Callable[[Sequence[ValueSet]], int],
) -> list[ValueSet]:
    """Interactions of a size to add to value sets; a list given by the user is added whole at size 2, with all its subsets.

    Parameters
    ----------
    size : int
        2 or 3. A triple is proposed only if its pairs are among the value sets.
    value_sets : sequence of tuple of int
    asked : "auto", "all", int, or list of value sets
        An integer limits the number of pairs and triples together.
    get_scores : callable
        Returns the score of every pair of columns that vary (:func:`score_products`).
    count_affordable : callable
        Returns how many of the candidates "auto" may add.
    """
    known = set(value_sets)
    if isinstance(asked, list):
        closed = close_downwards(asked) if size == 2 else []
        return [values for values in closed if values not in known]
    scores = get_scores()
    if size == 2:
        candidates: list[ValueSet] = sorted(scores)
    else:
        columns = sorted({column for values in known if len(values) == 2 for column in values})
        candidates = [each for each in combinations(columns, 3) if all(pair in known for pair in combinations(each, 2))]
        scores = {each: min(scores[pair] for pair in combinations(each, 2)) for each in candidates}
    n_before = sum(len(values) > 1 for values in known)
    n_most = {"all": len(candidates), "auto": count_affordable(candidates)}.get(str(asked), -1)
    n_most = max(int(asked) - n_before, 0) if n_most < 0 else n_most
    best = sorted(candidates, key=lambda each: (-scores[each], each))[:n_most]
    return sorted(best)


def score_products(
    columns: Sequence[LearntColumn], encoded: Encoded, residual: NDArray[np.float64], weights: NDArray[np.float64]
) -> dict[ValueSet, float]:
    """Share of the residual's variance that products of two columns' leading functions explain, for every pair that varies.

    ``Σ_outputs Σ_ab (E residual z_a z_b)² / E residual²``; one matrix product per output serves all pairs.

    Parameters
    ----------
    columns : sequence of LearntColumn
    encoded : Encoded
    residual : ndarray of shape (n_rows, n_outputs), float64
    weights : ndarray of shape (n_rows,), float64
    """
    leading = [_compute_leading(column, encoded, number, weights) for number, column in enumerate(columns)]
    owners = np.repeat(np.arange(len(columns)), [part.shape[1] for _, part in leading])
    products = np.zeros((residual.shape[1], len(owners), len(owners)))
    for start in range(0, len(residual), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        parts = [
            columns[number].axes[0].basis.combine(encoded.cells[rows, number], encoded.offsets[rows, number], part)
            for number, part in leading
        ]
        values = np.hstack(parts)
        for output in range(residual.shape[1]):
            products[output] += (values * (weights[rows] * residual[rows, output])[:, None]).T @ values
    variance = np.maximum(weights @ residual**2, 1e-300) * weights.sum()
    explained = (products**2 / variance[:, None, None]).sum(axis=0)
    indicator = np.zeros((len(columns), len(owners)))
    indicator[owners, np.arange(len(owners))] = 1.0
    summed = indicator @ explained @ indicator.T
    live = sorted(set(owners.tolist()))
    return {(a, b): float(summed[a, b]) for a, b in combinations(live, 2)}


def _compute_leading(
    column: LearntColumn, encoded: Encoded, number: int, weights: NDArray[np.float64]
) -> tuple[int, NDArray[np.float64]]:
    """A column's number, and the coefficients in its local basis of its leading functions, centred and of unit variance."""
    axis = column.axes[0]
    moments = compute_local_moments(axis.basis, encoded.cells[:, number], encoded.offsets[:, number], weights)
    limit = N_LEADING if axis.roughness else N_LEADING_LEVELS
    return number, compute_axis_functions(axis, *moments, 2, limit).coefficients
