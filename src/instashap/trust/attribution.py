"""How far an order's Shapley values are from those of the conditional game, judged by references.

A reference ``r(x; S)`` estimates ``F(x; S) = E[f(X) | x_S]`` in another way than the order's game ``v(x; S)``. Over held-out
rows and coalitions three means are known without ``F``:

- the distance of the two, ``D = E (v - r)²``;
- the difference of their masked risks, ``A - B`` with ``A = E (F - v)²`` and ``B = E (F - r)²``, as ``f - F`` is uncorrelated
  with whatever is read from the known columns;
- the squared distance of their Shapley values on the same rows, from independent walks through the coalitions.

``D = A + B - 2 c sqrt(A B)``, where c is the correlation of the two errors; given c the share ``A / D`` follows. That share of
the distance of the Shapley values counts as the order's own error. Where the reference is far better, the share is about 1
for any c; where it is worse, it depends on c, and the interval is wide: the reference has little power. Where it is worse by
more than D, c is at least ``sqrt(1 - (D / (B - A))²)``.
At the full coalition f itself is known: an error ``e`` there moves each of d values by ``e / d``, and is exact.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .comparison import Comparison, walk_values
from .figures import Figure, estimate, sum_groups
from .held_rows import Held, Rows, iterate_masked, take_encoded
from .joint import has_joint_dependence
from .reference_panel import LEAST_WEIGHT, Panel
from .references import Probes, list_numbers, weigh_sizes

# Correlations of errors that are assumed: least, likely, most. Regressions learn from the same noise as the order itself.
_ASKED, _UNASKED = (0.0, 0.15, 0.5), (0.1, 0.4, 0.7)
# The same where columns depend on each other three at once: order and references then lack the same. It was .81 in a table
# where the signs of two columns in nine fixed that of a third, and no interval up to .85 was wide enough with 2 500 rows.
_JOINT = (0.1, 0.5, 0.95)
# The estimate takes the difference of the risks to be higher by about a standard error than it was seen, the interval's lower
# end by all of the half-width: what rows of heavy tails leave open counts against the order.
_CAUTION = 0.6
# Squared distances below this, in squared spreads, are rounding.
_ROUNDING = 1e-9
# Effective numbers of rows up to which an estimate is its interval's lower end, and from which on nothing is taken off.
_EFFECTIVE_ROWS = 10.0, 40.0
# Kurtosis of a column above which its tails count as heavy (9 is that of the exponential distribution), and the effective
# number of rows that an estimate then needs: with fewer it was up to .5 too high, as rows of the tails were not yet seen.
_HEAVY, _ENOUGH_OF_HEAVY = 8.0, 100.0
# Unknowns that a conditional distribution has for each known column: what the column does to the mean, and to the spread.
_UNKNOWNS = 2.0
# Chance of a new row to be one of those seen from which on a table counts as seen.
_MOSTLY = 0.5


@dataclass(frozen=True)
class Attribution:
    """What is known of the error of an order's Shapley values.

    Attributes
    ----------
    r2 : Figure
        ``1 - E |SHAP - SHAP of the order|² / E |SHAP|²``: an estimate, with an interval for the rows and for what the
        references leave open.
    reference : str
        What the order was compared with.
    biases : tuple of tuple of float
        For each feature and output the root mean square error of a value that other rows would not have changed, on the
        scale of the output.
    n_rows, n_calls : int
        Different rows compared, and rows the model was asked about for all orders together.
    """

    r2: Figure
    reference: str
    biases: tuple[tuple[float, ...], ...]
    n_rows: int
    n_calls: int


def share_error(difference: float, correlation: float) -> float:
    """``A / D`` from ``(A - B) / D`` and the correlation c of the two errors, ``D = A + B - 2 c sqrt(A B)``.

    The larger of the two solutions; differences that no A and B of this correlation have are moved to the nearest that some
    have.

    Examples
    --------
    >>> share_error(1.0, 0.0), share_error(0.0, 0.0), round(share_error(0.0, 0.5), 12)
    (1.0, 0.5, 1.0)
    """
    rest = 1.0 - correlation**2
    x = float(np.clip(difference, -1 / np.sqrt(rest), 1 / np.sqrt(rest)))
    return float((1 + x - correlation**2 * x + correlation * np.sqrt(max(1 - x**2 * rest, 0.0))) / (2 * rest))


def raise_correlation(difference: float, correlation: float) -> float:
    """A correlation that the risks do not refute, at the assumed part of the way from the least such one to 1.

    ``A - B >= -D / sqrt(1 - c²)``: a reference that is worse by more than its distance shows that its errors are those of the
    order and more, so that the distance says little of the order.

    Examples
    --------
    >>> raise_correlation(-0.5, 0.2), raise_correlation(-1.25, 0.0), round(raise_correlation(-1.25, 0.5), 12)
    (0.2, 0.6, 0.8)
    """
    least = float(np.sqrt(1 - 1 / difference**2)) if difference < -1 else 0.0
    return least + (1 - least) * correlation


def measure_attribution(held: Held, rows: Rows, panel: Panel, compared: Comparison) -> Attribution:
    """R² of an order's Shapley values to those of the conditional game, with its interval, and each feature's bias."""
    d = len(rows.feature_names)
    masses = weigh_sizes(d)
    weights, groups = rows.weights[panel.probes.rows], rows.groups[panel.probes.rows]
    saved, moved, full = _measure_fold_variance(held, rows, panel.probes)
    shared = _measure_shared(held, rows, np.average(compared.order_risks, axis=0, weights=weights))
    sums = sum_groups(
        groups,
        weights,
        (2 * compared.products - compared.distances) @ masses,
        compared.distances @ masses,
        compared.moved.sum(axis=1).mean(axis=1),
        compared.lengths.sum(axis=1).mean(axis=1),
        compared.full.mean(axis=1) / d,
        np.ones(len(weights)),
    )
    seen = estimate(lambda each: each[0] / max(each[1], _ROUNDING * each[2]), sums[:, [0, 1, 5]])
    shares = []
    half = seen.high - seen.value
    # On rows that the order has seen and the references have not, lower risks say nothing for the order.
    is_seen = not held.is_held_out or (held.record is not None and rows.repeats > _MOSTLY)
    difference = max(seen.value, 0.0) if is_seen else seen.value
    # An order without error has a difference of -1: only what noise cannot have made proves a higher correlation.
    proof = difference + half
    for correlation, move in zip(_assume_correlations(rows, panel, compared), (-half, _CAUTION * half, half), strict=True):
        shares.append(share_error(difference + move, raise_correlation(proof, correlation)))
    commons = 0.0, shared, shared
    best, likely, worst = (
        estimate(partial(_compute_r2, saved, share, common), sums[:, 2:]) for share, common in zip(shares, commons, strict=True)
    )
    low = min(worst.low, likely.low)
    value = likely.value - _measure_tails(rows) * (likely.value - low)
    r2 = Figure(value, low, min(max(best.high, likely.high), 1.0))
    squares = shares[1] * np.average(compared.moved, axis=0, weights=weights)
    squares += np.average(compared.full, axis=0, weights=weights) / d**2
    squares -= moved + full / d**2
    squares = np.maximum(squares, 0.0) + shared * _share_out(np.average(compared.lengths, axis=0, weights=weights))
    biases = np.sqrt(squares) * rows.spread
    return Attribution(r2, _name(panel, compared), tuple(map(tuple, biases.tolist())), panel.probes.n_different, panel.n_calls)


def _assume_correlations(rows: Rows, panel: Panel, compared: Comparison) -> list[float]:
    """Least, likely and highest correlation of the order's errors with those of the combined references."""
    if has_joint_dependence(rows):
        return list(_JOINT)
    asked = sum(weight for weight, each in zip(compared.weights, panel.references, strict=True) if each.is_asked)
    return [asked * own + (1 - asked) * other for own, other in zip(_ASKED, _UNASKED, strict=True)]


def _measure_shared(held: Held, rows: Rows, risks: NDArray[np.float64]) -> float:
    """Squared error that every estimate from these rows has, and that no comparison of two shows; in squared spreads.

    A regression with k unknowns from n rows has a mean squared error of ``k / n`` times the variance that it leaves. Unknowns
    are two for each known column, in each component of a mixture that the fit's synthetic rows are drawn from; where new rows
    are among those seen, as in tables of a few discrete columns, one for each combination of the known columns' values.

    It is 0 on new rows: there references learn from other rows than the fit did.

    Parameters
    ----------
    held : Held
    rows : Rows
    risks : ndarray of shape (n_players - 1,), float64
        Masked risks by coalition size.
    """
    if held.record is None:
        return 0.0
    sizes, result = np.arange(1, len(risks) + 1), held.record.result
    n_components = 1 if result.synthetic is None else len(result.synthetic.sampler.weights)
    levels = np.mean([np.log(len(np.unique(column))) for column in list_numbers(rows).T])
    cells = np.exp(np.minimum(sizes * levels, np.log(rows.n_different)))
    n_unknowns = (1 - rows.repeats) * _UNKNOWNS * n_components * sizes + rows.repeats * cells
    return float((risks * np.minimum(n_unknowns / rows.n_independent, 1.0)) @ weigh_sizes(len(risks) + 1))


def _share_out(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of the features in an error, by output: half by their squared values, half the same for all; they sum to one."""
    lengths = np.maximum(lengths, 0.0)
    total = lengths.sum(axis=0)
    equal = np.full_like(lengths, 1.0 / len(lengths))
    return np.asarray(0.5 * np.divide(lengths, total, out=equal.copy(), where=total > 0) + 0.5 * equal)


def _measure_tails(rows: Rows) -> float:
    """How far an estimate should move to its interval's lower end, 0 to 1: where few rows hold most of the output's variance.

    Squares then sum as if there were ``(sum s)² / sum s²`` rows, and those that other samples would hold are worse than these.
    """
    few, enough = _EFFECTIVE_ROWS
    return float(np.clip((enough - _count_effective(rows)) / (enough - few), 0.0, 1.0))


def _count_effective(rows: Rows) -> float:
    squares = (((rows.outputs - np.average(rows.outputs, axis=0, weights=rows.weights)) / rows.spread) ** 2).mean(axis=1)
    return float((rows.weights @ squares) ** 2 / max(float((rows.weights * squares) @ (rows.weights * squares)), 1e-300))


def has_unseen_tails(rows: Rows) -> bool:
    """Whether columns and outputs have tails so heavy that rows like these say nothing about those of the tails."""
    if _count_effective(rows) >= _ENOUGH_OF_HEAVY:
        return False
    is_number = np.array([not column.is_category for column in rows.columns])
    values = list_numbers(rows)[:, is_number]
    centred = values - np.average(values, axis=0, weights=rows.weights)
    second, fourth = (np.average(centred**power, axis=0, weights=rows.weights) for power in (2, 4))
    return bool((fourth > _HEAVY * second**2).any())


def _compute_r2(saved: float, share: float, common: float, sums: NDArray[np.float64]) -> float:
    """From sums of squared distances, squared lengths, squared errors at the full coalition, and weights."""
    distance, length, full, weight = sums
    error = share * max(distance, 0.0) + full
    error += common * weight - min(saved * weight, error / 2)
    return float(1.0 - error / max(length, 1e-12 * weight))


def _name(panel: Panel, compared: Comparison) -> str:
    """The references by their weights, the largest first."""
    order = np.argsort(-compared.weights, kind="stable")
    return ", ".join(panel.references[k].name for k in order if compared.weights[k] >= LEAST_WEIGHT)


def _measure_fold_variance(held: Held, rows: Rows, probes: Probes) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """What the finished model saves of the error of the folds' models; and the variance of the latter, by player and output.

    The models without one fold of K have the variance ``sum_k (v_k - mean)²``, the finished one ``(K - 1) / K`` of it: the
    jackknife. Shapes (), (n_players, n_outputs) for the interior and (n_outputs,) for the full coalition; in squared spreads.
    """
    n, _, n_steps, d = probes.masks.shape
    n_outputs, k = rows.outputs.shape[1], len(held.parts)
    if k < 2:
        return 0.0, np.zeros((d, n_outputs)), np.zeros(n_outputs)
    encoded, masks = take_encoded(rows.encoded, probes.rows), probes.masks.reshape(n, -1, d)
    found, full = np.empty((k, 2, n, d, n_outputs)), np.empty((k, n, n_outputs))
    zeros = np.zeros((n, n_outputs))
    for number, (_, model) in enumerate(held.parts):
        values = np.concatenate([each for _, each in iterate_masked(model, encoded, masks)]) - model.base_value
        values = (values / rows.spread).reshape(n, 2, n_steps, n_outputs)
        found[number] = [walk_values(values[:, w], zeros, zeros, probes.masks[:, w]) for w in (0, 1)]
        full[number] = model.predict(encoded) / rows.spread
    found -= found.mean(axis=0)
    weights = rows.weights[probes.rows]
    # The finished model judges rows that the table repeats: folds have no say in their error.
    is_held = (~rows.is_repeated[probes.rows] | (held.record is None))[:, None]
    variance = np.average((found[:, 0] * found[:, 1]).sum(axis=0) * is_held[:, :, None], axis=0, weights=weights)
    at_full = np.average(k * full.var(axis=0) * is_held, axis=0, weights=weights)
    saved = float((variance.sum(axis=0) / k + at_full / d / k).mean())
    return max(saved, 0.0), np.maximum(variance, 0.0), at_full
