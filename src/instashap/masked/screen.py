"""Which interactions to offer the fit, where all of them would be too many."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..game.terms import PresenceSet, ValueSet, close_downwards
from ..table.encoding import Encoded
from .design import ValueFunctions
from .fold_moments import FoldMoments

# Functions a pair and a triple cost at the coarsest resolution.
_COST = {2: 8, 3: 13}
# Leading axis functions that score a pair: line, parabola and one step.
_N_LEADING = 3
_BLOCK_ROWS = 8192
# Pairs that are worth a score: more than a fit can hold.
_MAX_SCORED = 20_000
# Standard errors by which the covariance of a product with what is left over must differ from 0.
_MIN_ERRORS = 1.5

Rows = tuple[Encoded, NDArray[np.float64], NDArray[np.float64]]


def choose_value_sets(
    n_columns: int, live: Sequence[int], get_scores: Callable[[], Mapping[ValueSet, float]], asked: Any, n_spare: int
) -> list[ValueSet]:
    """Value sets to fit: every main effect, and the pairs (or listed interactions) asked for.

    Parameters
    ----------
    n_columns : int
    live : sequence of int
        Columns that vary: others interact with nothing.
    get_scores : callable
        Gives :func:`score_pairs`, if there are too many pairs to take all.
    asked : "auto", "all", int or list of value sets
        "auto" takes all pairs while they are few, else the best.
    n_spare : int
        Functions that "auto" may add.
    """
    singles: list[ValueSet] = [(column,) for column in range(n_columns)]
    if isinstance(asked, list):
        return close_downwards([*singles, *asked])
    limit = asked if isinstance(asked, int) else max(n_spare // _COST[2], 1)
    if asked == "all" or comb(len(live), 2) <= limit:
        return [*singles, *combinations(live, 2)]
    scores = get_scores()
    return [*singles, *sorted(sorted(scores, key=lambda pair: (-scores[pair], pair))[:limit])]


def choose_triples(
    value_sets: Sequence[ValueSet], get_scores: Callable[[], Mapping[ValueSet, float]], asked: Any, n_spare: int
) -> list[ValueSet]:
    """Triples all of whose pairs are among the value sets, those with the strongest weakest pair first.

    ``asked`` as in :func:`choose_value_sets`; an integer counts the pairs already taken.
    """
    pairs = [values for values in value_sets if len(values) == 2]
    known = set(pairs)
    columns = sorted({column for pair in pairs for column in pair})
    found: list[ValueSet] = [each for each in combinations(columns, 3) if all(pair in known for pair in combinations(each, 2))]
    if asked == "all":
        return found
    limit = asked - len(pairs) if isinstance(asked, int) else n_spare // _COST[3]
    if len(found) > limit:
        scores = get_scores()
        found.sort(key=lambda each: (-min(scores.get(pair, 0.0) for pair in combinations(each, 2)), each))
    return sorted(found[: max(limit, 0)])


def find_triangles(ranked_pairs: Sequence[PresenceSet], limit: int) -> list[PresenceSet]:
    """The first triples whose three pairs have all come up, going down a ranking of pairs.

    Examples
    --------
    >>> find_triangles([(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)], limit=1)
    [(0, 1, 2)]
    """
    neighbours: dict[int, set[int]] = {}
    found: list[PresenceSet] = []
    for one, other in ranked_pairs:
        shared = neighbours.setdefault(one, set()) & neighbours.setdefault(other, set())
        found += [tuple(sorted((one, other, third))) for third in sorted(shared)]
        if len(found) >= limit:
            break
        neighbours[one].add(other)
        neighbours[other].add(one)
    return sorted(found[:limit])


def score_pairs(moments: FoldMoments, main_effects: NDArray[np.float64], rows: Rows) -> dict[ValueSet, float]:
    """What a pair may add: synergy the main effects leave over, and redundancy they share.

    Synergy: squared covariances of the main-effects residual with products of leading axis functions, all pairs in one
    matrix product. Redundancy: the part of each main effect that the other column predicts, which under masks needs the
    pair. Both are shares of the output's variance, summed over outputs. Of more than 20 000 pairs only the best are returned.
    """
    functions = moments.functions
    leading = np.flatnonzero(functions.ranks <= _N_LEADING)
    owner = functions.owners[leading]
    synergy = _sum_blocks(_accumulate_products(functions, leading, main_effects, moments, rows), owner)
    gram, _, _ = moments.total.around(moments.total)
    redundancy = np.zeros_like(synergy)
    variances = np.maximum(moments.total.output_scatter / moments.total.weight, 1e-300)
    for number in range(len(functions.value_sets)):
        own = functions.owners == number
        told = gram[np.ix_(leading, own)] @ main_effects[own]  # (n_leading, n_outputs)
        np.add.at(redundancy[number], owner, (told**2 / variances).sum(axis=1))
    total = synergy + redundancy + redundancy.T
    columns = [values[0] for values in functions.value_sets]
    first, second = np.triu_indices(len(columns), k=1)
    scores = total[first, second]
    best = np.sort(np.argsort(-scores, kind="stable")[:_MAX_SCORED])
    return {(columns[first[place]], columns[second[place]]): float(scores[place]) for place in best}


def _accumulate_products(
    functions: ValueFunctions, leading: NDArray[np.int64], main_effects: NDArray[np.float64], moments: FoldMoments, rows: Rows
) -> NDArray[np.float64]:
    """``sum_outputs (E[Z_a Z_b residual])² / variance``, shape (n_leading, n_leading)."""
    encoded, outputs, weights = rows
    n_outputs = outputs.shape[1]
    products = np.zeros((n_outputs, len(leading), len(leading)))
    for start in range(0, len(outputs), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        values = functions.evaluate(Encoded(encoded.cells[block], encoded.offsets[block]))
        values -= moments.total.means[:, None]
        residual = (outputs[block] - moments.total.output_means) - values.T @ main_effects
        weighted = residual * weights[block, None]
        for output in range(n_outputs):
            products[output] += (values[leading] * weighted[:, output]) @ values[leading].T
    products /= moments.total.weight
    variances = np.maximum(moments.total.output_scatter / moments.total.weight, 1e-300)
    result: NDArray[np.float64] = (products**2 / variances[:, None, None]).sum(axis=0)
    return result


def _sum_blocks(values: NDArray[np.float64], owner: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums over blocks of functions with the same owners."""
    indicator = np.zeros((owner.max(initial=-1) + 1, len(owner)))
    indicator[owner, np.arange(len(owner))] = 1.0
    return indicator @ values @ indicator.T


def choose_products(
    offered: ValueFunctions,
    known: Mapping[ValueSet, NDArray[np.int64]],
    encoded: Encoded,
    residual: NDArray[np.float64],
    n_most: int,
) -> dict[ValueSet, NDArray[np.int64]]:
    """What a model has of its pairs, and beside it the products on offer that go best with what it leaves over.

    The gain of a product B is the square of its covariance with the residual over its variance, ``(E[B r])² / Var B``, summed
    over outputs; where the covariance may be chance there is none.

    Parameters
    ----------
    offered : ValueFunctions
        Of pairs alone.
    known : mapping of ValueSet to ndarray of shape (n_functions_of_set, 2), int64
        What the model has of each pair.
    encoded : Encoded
    residual : ndarray of shape (n_rows, n_outputs), float64
        What the model leaves over at the full coalition, in units in which outputs count alike.
    n_most : int
        The most products to add, to all pairs together.

    Returns
    -------
    dict of ValueSet to ndarray of shape (n_functions_of_set, 2), int64
        Of pairs to which something is added.
    """
    gains = _measure_products(offered, encoded, residual - residual.mean(axis=0))
    for owner, (values, chosen) in enumerate(zip(offered.value_sets, offered.choices, strict=True)):
        is_known = (chosen[:, None, :] == known[values]).all(axis=2).any(axis=1)
        gains[np.flatnonzero(offered.owners == owner)[is_known]] = 0.0
    best = np.argsort(-gains, kind="stable")[:n_most]
    is_chosen = np.zeros(len(offered), dtype=bool)
    is_chosen[best[gains[best] > 0]] = True
    added = offered.select(is_chosen)
    return {values: np.concatenate([known[values], own]) for values, own in zip(added.value_sets, added.choices, strict=True)}


def _measure_products(offered: ValueFunctions, encoded: Encoded, residual: NDArray[np.float64]) -> NDArray[np.float64]:
    n_rows = len(residual)
    axes = offered.tabulate(encoded)
    chance = _MIN_ERRORS**2 * (residual**2).mean(axis=0) / n_rows
    gains = []
    for values, chosen in zip(offered.value_sets, offered.choices, strict=True):
        left, right = (axes[2, column] for column in values)
        variance = left**2 @ right.T**2 / n_rows - (left @ right.T / n_rows) ** 2
        total = np.zeros_like(variance)
        for own, least in zip(residual.T, chance, strict=True):
            gain = ((left * own) @ right.T / n_rows) ** 2 / np.maximum(variance, 1e-12)
            total += np.where(gain > least, gain, 0.0)
        gains.append(total[tuple(chosen.T)])
    return np.concatenate(gains)
