"""How well an order tells the masked games, by coalition size, and why not better.

``E (f - v(x; S))²`` over held-out rows and random coalitions of one size is the masked risk. The reference predicts what
``v`` leaves: a cubic polynomial of the known columns, where columns are few, and a boosted ensemble that reads the known
columns (absent: missing values) and the terms an order was found to lack. What it explains on rows it has not seen is the
*gap*. Part of a gap is the luck of the rows that were drawn (*estimation*, the jackknife variance of ``v`` over the fit's
folds); the rest is what the order cannot say (*representation*).
The fit itself is solved exactly, so nothing is left to an optimiser.
"""

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from ..model.additive_model import AdditiveModel
from .figures import Figure, estimate, sum_groups
from .missing import Missing
from .rung import Held, Rows, iterate_masked, mark_missing, take_encoded

# Rows asked about coalitions, and of them those that teach and test the reference, both divided among the outputs but never
# fewer than the third; sizes, spread evenly; and coalitions a row.
# Fewer rows teach less: of a gap of .103 boosting finds .073 on 8 192 rows and .088 on 20 000, with the polynomial .102.
N_ROWS = 20_000
_N_TAUGHT = 20_000
_MIN_ROWS = 2048
N_SIZES = 12
_N_MASKS = 48
# Rows on which the models of all folds are compared.
_N_COMPARED = 1024
# Share of repeated rows from which on they count.
_NOTABLE_REPEATS = 0.01
# Rows of a leaf of the reference: the noise of f given x_S is large.
_MIN_LEAF = 40
# Degrees of the reference's polynomial, the first of at most so many monomials; and its ridge, in rows.
_DEGREES, _MAX_MONOMIALS, _RIDGE = (3, 2), 500, 100.0


@dataclass(frozen=True)
class SizeRisk:
    """Masked risks at one coalition size, as shares of the output's variance.

    Attributes
    ----------
    size : int
        Known features.
    risk : Figure
        ``E (f - v)²``: what not even the best guess from so many features tells, and the gap.
    gap : Figure
        Of it, what the reference can explain.
    estimation : float
        Share of the variance that other rows for the fit would have changed.
    representation : float
        What is left of the gap; not below zero.
    """

    size: int
    risk: Figure
    gap: Figure
    estimation: float
    representation: float


@dataclass(frozen=True)
class MaskedFidelity:
    """What the masked games of one order tell.

    Attributes
    ----------
    carried : Figure
        Of what the features tell before all are known, the share the order's games tell; mean over coalitions by the Shapley
        kernel.
    plain : float or None
        The same if every part counts as soon as its own columns are known (the presence order is the value order);
        None where the fit did not try.
    sizes : tuple of SizeRisk
    """

    carried: Figure
    plain: float | None
    sizes: tuple[SizeRisk, ...]


def measure_masked(held: Held, rows: Rows, missing: Missing) -> MaskedFidelity | None:
    """Masked fidelity of one order's games; None where there is nothing between no and all features, or nothing varies."""
    d, n_outputs = len(rows.feature_names), rows.outputs.shape[1]
    if d < 2 or len(rows) < 2 * _MIN_LEAF or not np.ptp(rows.outputs, axis=0).any() or not held.is_held_out:
        return None
    sizes = np.unique(np.rint(np.linspace(1, d - 1, min(N_SIZES, d - 1))).astype(np.int64))
    chosen = rows.choose(max(N_ROWS // n_outputs, _MIN_ROWS))
    part, masks = rows.take(chosen), draw_masks(len(chosen), sizes, d)  # (n_chosen, n_draws, n_sizes, d)
    values, base = evaluate_held_out(held, rows, chosen, masks.reshape(len(chosen), -1, d))
    values = values.reshape(*masks.shape[:3], n_outputs) / rows.spread
    residual = (part.outputs[:, None, None] / rows.spread - values) / np.sqrt(n_outputs)
    whole = (((part.outputs - base) / rows.spread) ** 2).mean(axis=1)
    risk = (residual**2).sum(axis=3).mean(axis=1)  # (n_chosen, n_sizes)
    if rows.repeats > _NOTABLE_REPEATS and held.record is not None:
        risk += rows.repeats * (_measure_seen(held.record.result.model, part, masks, rows.spread) - risk)
    taught = slice(max(_N_TAUGHT // n_outputs, _MIN_ROWS))
    few, once = rows.take(chosen[taught]), residual[taught, 0]
    explained = explain_residual(few, masks[taught, 0], once, values[taught, 0], missing)
    gap = (once**2 - (once - explained) ** 2).sum(axis=2)  # (n_taught, n_sizes)
    luck = _measure_estimation(held, rows, chosen, masks[:, 0])
    risks = [_estimate_ratio(part, each, whole, lowest=0.0) for each in risk.T]
    gaps = [_estimate_ratio(few, each, whole[taught]) for each in gap.T]
    kernel = _weigh_sizes(sizes, d)
    sums = sum_groups(few.groups, few.weights, (once**2).sum(axis=2) @ kernel, gap @ kernel, whole[taught])
    carried, plain = estimate(_compute_carried, sums, highest=1.0), _find_plain(held, sums.sum(axis=0), d)
    return MaskedFidelity(carried, plain, tuple(map(_split_gap, sizes, risks, gaps, luck)))


def _measure_seen(
    model: AdditiveModel, part: Rows, masks: NDArray[np.bool_], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Squared residuals of the finished model, mean over draws and outputs, shape (n_rows, n_sizes): of rows it has seen.

    Folds keep equal rows together. Where a table repeats its rows, a new one is likely to be among those of the fit.
    """
    flat = masks.reshape(len(part), -1, masks.shape[3])
    risk = np.empty((len(part), masks.shape[2]))
    for block, found in iterate_masked(model, part.encoded, flat):
        residual = (part.outputs[block][:, None] - found) / spread
        risk[block] = (residual**2).mean(axis=2).reshape(-1, *masks.shape[1:3]).mean(axis=1)
    return risk


def _split_gap(size: int, risk: Figure, gap: Figure, luck: float) -> SizeRisk:
    """The gap's parts: no more luck than gap, and nothing below zero."""
    whole = max(gap.value, 0.0)
    estimation = min(float(luck), whole)
    return SizeRisk(int(size), risk, gap, estimation, whole - estimation)


def _estimate_ratio(
    rows: Rows, values: NDArray[np.float64], whole: NDArray[np.float64], lowest: float = -np.inf
) -> Figure:
    """Mean of values of shape (n_rows,) over that of others."""
    sums = sum_groups(rows.groups, rows.weights, values, whole)
    return estimate(lambda each: each[0] / max(each[1], 1e-300), sums, lowest=lowest)


def draw_masks(n_rows: int, sizes: NDArray[np.int64], n_players: int) -> NDArray[np.bool_]:
    """Random coalitions of each size for every row, shape (n_rows, n_draws, n_sizes, n_players); the same at every call.

    Those of one size and row are arcs of a circle on which the players sit at random: uniform, and different from each other.
    """
    rng = np.random.default_rng(0)
    n_draws = min(max(_N_MASKS // len(sizes), 1), n_players)
    seats = rng.random((n_rows, 1, len(sizes), n_players)).argsort(axis=3).argsort(axis=3)
    starts = (np.arange(n_draws) * n_players // n_draws)[:, None, None]
    return np.asarray((seats - starts) % n_players < sizes[:, None])


def evaluate_held_out(
    held: Held, rows: Rows, chosen: NDArray[np.int64], masks: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Outputs of some rows under masks, each by the model that has not seen it, and its base values.

    Shapes (n_chosen, n_masks, n_outputs) and (n_chosen, n_outputs).
    """
    values = np.empty((*masks.shape[:2], rows.outputs.shape[1]))
    base = np.empty((len(chosen), rows.outputs.shape[1]))
    owner = np.empty(len(rows), dtype=np.int64)
    for number, (places, _) in enumerate(held.parts):
        owner[places] = number
    for number, (_, model) in enumerate(held.parts):
        own = np.flatnonzero(owner[chosen] == number)
        for block, found in iterate_masked(model, take_encoded(rows.encoded, chosen[own]), masks[own]):
            values[own[block]] = found
        base[own] = model.base_value
    return values, base


def explain_residual(
    rows: Rows, masks: NDArray[np.bool_], residual: NDArray[np.float64], values: NDArray[np.float64], missing: Missing
) -> NDArray[np.float64]:
    """What a polynomial, and then boosting, explain of residuals; both learnt on the other half of the rows.

    Boosting reads the known columns, ``v`` and missing terms. Trees do not find a product of three symmetric columns by
    themselves: step functions of the terms known to be missing are columns of their own, where all their features are known.
    """
    n_rows, n_masks = masks.shape[:2]
    known = masks[:, :, list(rows.players)]
    columns = np.where(known, _mark_missing(rows)[:, None], np.nan).reshape(n_rows * n_masks, -1)
    monomials = _list_monomials(rows, known)
    halves, weights = np.repeat(rows.halves, n_masks), np.repeat(rows.weights / rows.weights.mean(), n_masks)
    explained = np.zeros((n_rows * n_masks, residual.shape[2]))
    for output in range(residual.shape[2]):
        steps = [
            np.where(known[:, :, list(term)].all(axis=2), step[:n_rows, None, output], np.nan).reshape(-1, 1)
            for term, step in zip(missing.columns, missing.steps, strict=True)
        ]
        own = np.hstack([columns, values[:, :, output].reshape(-1, 1), *steps])
        target = residual[:, :, output].ravel()
        for train in (halves, ~halves):
            if train.any() and not train.all():
                explained[~train, output] = _predict_others(own, monomials, target, weights, train)
    return explained.reshape(residual.shape)


def _predict_others(
    own: NDArray[np.float64],
    monomials: NDArray[np.float64],
    target: NDArray[np.float64],
    weights: NDArray[np.float64],
    train: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Predictions on the rows outside ``train``: a ridge on monomials, and boosting of what it leaves."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    polynomial = make_pipeline(StandardScaler(), Ridge(_RIDGE))
    polynomial.fit(monomials[train], target[train], ridge__sample_weight=weights[train])
    left = target[train] - polynomial.predict(monomials[train])
    boosted = HistGradientBoostingRegressor(
        max_iter=150, min_samples_leaf=_MIN_LEAF, early_stopping=True, n_iter_no_change=5, random_state=0
    )
    has_values = ~np.isnan(own[train]).all(axis=0)
    is_weighted = bool((weights != weights[0]).any())  # equal weights say nothing, and bins by weight take half of the time
    boosted.fit(own[train][:, has_values], left, sample_weight=weights[train] if is_weighted else None)
    return np.asarray(polynomial.predict(monomials[~train]) + boosted.predict(own[~train][:, has_values]))


def _list_monomials(rows: Rows, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Monomials of the known columns' normal scores (absent: 0) and of what is known; shape (n_rows * n_masks, n_monomials).

    What a known column says of others depends on which others are known too: the cubic ones hold products of two columns
    for each third one. Where columns are many, only the constant is left.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata
    from sklearn.preprocessing import PolynomialFeatures

    scores = ndtri((rankdata(_mark_missing(rows), axis=0) - 0.5) / len(rows))
    inputs = np.concatenate([np.where(known, scores[:, None], 0.0), known], axis=2).reshape(-1, 2 * known.shape[2])
    degree = next((each for each in _DEGREES if comb(inputs.shape[1] + each, each) <= _MAX_MONOMIALS), 0)
    return np.asarray(PolynomialFeatures(degree).fit_transform(inputs))


def _mark_missing(rows: Rows) -> NDArray[np.float64]:
    """Columns as numbers, where a missing value is one below all others: NaN means absent."""
    values = rows.values.copy()
    for column in values.T:
        is_missing = np.isnan(column)
        if is_missing.any():
            column[is_missing] = mark_missing(np.nanmin(column)) if not is_missing.all() else 0.0
    return values


def _compute_carried(sums: NDArray[np.float64]) -> float:
    """``1 - gap / (Var f - risk of the reference)``; a gap below zero is chance."""
    risk, gap, whole = sums
    gap = max(gap, 0.0)
    return float(1.0 - gap / max(whole - risk + gap, 1e-9 * whole, 1e-300))


def _weigh_sizes(sizes: NDArray[np.int64], d: int) -> NDArray[np.float64]:
    """Mass of each size on the grid under the Shapley kernel; a size between goes to its neighbours."""
    kernel = np.array([1.0 / (size * (d - size)) for size in range(1, d)])
    spread = np.stack([np.interp(np.arange(1, d), sizes, row) for row in np.eye(len(sizes))])
    weights = spread @ kernel
    return np.asarray(weights / weights.sum())


def _find_plain(held: Held, sums: NDArray[np.float64], d: int) -> float | None:
    """Carried share of the best candidate whose parts count with their own columns: from its cross-validated risks."""
    risk, gap, whole = sums
    if held.record is None:
        return None
    law, result = held.record.size_law, held.record.result
    orders = [judged for judged in result.judgements if judged.candidate.order <= held.order]
    plain = [judged for judged in orders if judged.candidate.presence_order <= held.order]
    if not plain or not np.isfinite(plain[0].risk):
        return None
    variance = result.total.output_scatter > 0
    judged = min(plain, key=lambda each: each.risk)
    interior = (judged.risk - law[d] * judged.full_risk) / max(int(variance.sum()), 1) / law[1:d].sum()
    best = min((risk - max(gap, 0.0)) / max(whole, 1e-300), interior)
    return float(1.0 - (interior - best) / max(1.0 - best, 1e-300))


def _measure_estimation(
    held: Held, rows: Rows, chosen: NDArray[np.int64], masks: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Jackknife variance of ``v`` over the folds by size, in squared spreads: ``(K - 1) / K sum_k (v_k - mean)²``."""
    few = chosen[:_N_COMPARED]
    encoded = take_encoded(rows.encoded, few)
    values = np.zeros((len(held.parts), len(few), masks.shape[1], rows.outputs.shape[1]))
    for number, (_, model) in enumerate(held.parts):
        for block, found in iterate_masked(model, encoded, masks[: len(few)]):
            values[number, block] = found / rows.spread
    n_parts = len(held.parts)
    spread = (n_parts - 1) * values.var(axis=0).mean(axis=2)  # (n_few, n_sizes)
    return np.asarray(np.average(spread, axis=0, weights=rows.weights[few]))


