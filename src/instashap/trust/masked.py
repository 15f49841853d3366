"""How well an order's games predict the output from some of the features, by coalition size, and why not better.

``E (f - v(x; S))²`` over held-out rows and random coalitions of one size is the masked risk. By how much the best combination
of references (:mod:`.references`) lowers it, on rows that did not choose the combination, is the *gap*. Part of a gap is the
luck of the rows that were drawn (*estimation*, the jackknife variance of ``v`` over the fit's folds); the rest is what the
order cannot express (*representation*). The fit itself is solved exactly, so nothing is left to an optimiser.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.additive_model import AdditiveModel
from .comparison import Comparison
from .figures import Figure, estimate, sum_groups
from .held_rows import Held, Rows, iterate_masked, take_encoded
from .reference_panel import Panel
from .references import weigh_sizes

# Rows asked about coalitions, divided among the outputs but never fewer than the second; and coalitions a row.
N_ROWS = 20_000
_MIN_ROWS = 2048
_N_MASKS = 48
# Share of the way to the references that is always tried.
_LEAST_SHARE = 0.2
# Sizes are all up to so many; of more, the small ones and then ever fewer.
N_SIZES = 12
# Rows on which the models of all folds are compared.
_N_COMPARED = 1024
# Share of repeated rows from which on they count.
_NOTABLE_REPEATS = 0.01


@dataclass(frozen=True)
class SizeRisk:
    """Masked risks at one coalition size, as shares of the output's variance.

    Attributes
    ----------
    size : int
        Known features.
    risk : Figure
        ``E (f - v)²``: what not even the best prediction from so many features explains, and the gap.
    gap : Figure
        By how much the references lower it.
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
    """How well the masked games of one order predict.

    Attributes
    ----------
    carried : Figure
        Share of the variance explained by some of the features, before all are known, that the order's games reproduce, as
        far as references prove; mean over coalitions by the Shapley kernel.
    plain : float or None
        The same if every part counts as soon as its own columns are known (the presence order is the value order);
        None where the fit did not try.
    sizes : tuple of SizeRisk
    power : float or None
        The least gap, as a share, that the comparison would have shown; None where the games were compared with the value
        function itself.
    """

    carried: Figure
    plain: float | None
    sizes: tuple[SizeRisk, ...]
    power: float | None = None


def measure_masked(held: Held, rows: Rows, panel: Panel | None, compared: Comparison | None) -> MaskedFidelity | None:
    """Masked fidelity of one order's games; None where there is nothing between no and all features, or nothing to compare."""
    d, n_outputs = len(rows.feature_names), rows.outputs.shape[1]
    if panel is None or compared is None or not held.is_held_out:
        return None
    sizes = choose_sizes(d)
    chosen = rows.choose(max(N_ROWS // n_outputs, _MIN_ROWS))
    part, masks = rows.take(chosen), draw_masks(len(chosen), sizes, d)  # (n_chosen, n_draws, n_sizes, d)
    values, base = evaluate_held_out(held, rows, chosen, masks.reshape(len(chosen), -1, d))
    values = values.reshape(*masks.shape[:3], n_outputs) / rows.spread
    residual = part.outputs[:, None, None] / rows.spread - values
    whole = (((part.outputs - base) / rows.spread) ** 2).mean(axis=1)
    risk = (residual**2).mean(axis=(1, 3))  # (n_chosen, n_sizes)
    if rows.repeats > _NOTABLE_REPEATS and held.record is not None:
        risk += rows.repeats * (_measure_seen(held.record.result.model, part, masks, rows.spread) - risk)
    luck = _measure_estimation(held, rows, chosen, masks[:, 0])
    risks = [_estimate_ratio(part, each, whole, lowest=0.0) for each in risk.T]
    few, proven = rows.take(panel.probes.rows), prove_gap(compared, panel.probes.halves)
    variance = _measure_deviations(held, rows, panel.probes.rows)
    gaps = [_estimate_ratio(few, each, variance) for each in proven[:, sizes - 1].T]
    sums = sum_groups(
        few.groups, few.weights, compared.order_risks @ weigh_sizes(d), proven @ weigh_sizes(d), variance
    )
    carried, power = estimate(_compute_carried, sums), _compute_power(sums)
    low = min(carried.low, carried.value - power) if carried.value >= 1.0 else carried.low
    plain = _find_plain(held, sums.sum(axis=0), d)
    parts = tuple(map(_split_gap, sizes, risks, gaps, luck))
    return MaskedFidelity(Figure(carried.value, low, min(carried.high, 1.0)), plain, parts, power)


def choose_sizes(d: int) -> NDArray[np.int64]:
    """Sizes of coalitions that are reported: all of 1 … d - 1 where they are few, else 1, 2, 3, 5, 9 and so on.

    Examples
    --------
    >>> choose_sizes(5), choose_sizes(101)
    (array([1, 2, 3, 4]), array([  1,   2,   3,   5,   9,  15,  25,  40,  60,  80, 100]))
    """
    if d - 1 <= N_SIZES:
        return np.arange(1, d)
    shares = np.array([0.09, 0.15, 0.25, 0.4, 0.6, 0.8, 1.0])
    return np.unique(np.concatenate([[1, 2, 3, 5], np.rint(shares * (d - 1)).astype(np.int64)]))


def prove_gap(compared: Comparison, half: NDArray[np.bool_]) -> NDArray[np.float64]:
    """By how much references lower the squared residual of each row at each size, shape (n_probes, n_players - 1).

    ``v`` moves towards the reference by the share that lowers the risk of a size most on the other half of the rows, and by a
    little at least: a reference that is not used could show nothing.
    """
    proven = np.empty_like(compared.products)
    for learnt, measured in ((half, ~half), (~half, half)):
        product, distance = (each[learnt].mean(axis=0) for each in (compared.products, compared.distances))
        share = np.divide(product, distance, out=np.zeros_like(product), where=distance > 0)
        share = np.clip(share, _LEAST_SHARE, 1.0)
        proven[measured] = 2 * share * compared.products[measured] - share**2 * compared.distances[measured]
    return proven


def _compute_power(sums: NDArray[np.float64]) -> float:
    """The least gap, as a share, whose interval would not have reached zero; from sums of risks, gaps and variances."""
    gap = estimate(lambda each: each[1] / max(each[2], 1e-300), sums)
    risk, _, whole = sums.sum(axis=0)
    half = gap.high - gap.value
    return float(half / max(1.0 - risk / max(whole, 1e-300) + half, 1e-9))


def _measure_deviations(held: Held, rows: Rows, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Squared distances of outputs from the base value, mean over the outputs; shape (n_chosen,)."""
    _, base = held.predict(rows)
    return np.asarray((((rows.outputs - base)[chosen] / rows.spread) ** 2).mean(axis=1))


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


def _compute_carried(sums: NDArray[np.float64]) -> float:
    """``1 - gap / (Var f - risk of the reference)``; a gap below zero is chance."""
    risk, gap, whole = sums
    gap = max(gap, 0.0)
    return float(1.0 - gap / max(whole - risk + gap, 1e-9 * whole, 1e-300))


def _find_plain(held: Held, sums: NDArray[np.float64], d: int) -> float | None:
    """Carried share of the best candidate whose parts count with their own columns: from its cross-validated risks."""
    risk, gap, whole = sums
    if held.record is None:
        return None
    law, result = held.record.size_law, held.record.result
    orders = [judged for judged in result.judgements if judged.candidate.order <= held.order]
    plain = [
        judged for judged in orders if judged.candidate.presence_order <= held.order and judged.candidate.base is None
    ]
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


