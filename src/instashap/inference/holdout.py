"""Residuals of rows held out of a fit: the reference by which :mod:`instashap.inference.residuals` judges others."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..masked.fitter import ClosedFormFitter, FitRecord
from ..masked.moments import BLOCK_ROWS, Fold, assign_folds
from ..model.additive_model import AdditiveModel
from .residuals import (
    N_REMEMBERED,
    ROUNDING,
    ResidualReference,
    compute_cut,
    compute_log_sizes,
    digest_rows,
    evaluate_curves,
    scale_residuals,
)

# Held-out rows, in whole folds, from which more would not sharpen a test of some hundred rows.
N_HELD_OUT = 4096
# Smoothest functions of a column along which a pattern is sought.
N_DIRECTIONS = 3


def describe_residuals(record: FitRecord) -> ResidualReference:
    """Reference of a fit, from rows it held out while it chose among models."""
    spread = compute_spread(record)
    parts = [(rows, scale_residuals(residuals, spread)) for rows, residuals in hold_out(record)]
    rows = np.concatenate([each for each, _ in parts])
    scaled = np.concatenate([each for _, each in parts])
    cut = compute_cut(scaled)
    log_sizes = compute_log_sizes(scaled)
    local = _learn_sizes(record, rows, log_sizes + _correct_for_fewer_rows(record, rows, log_sizes, spread))
    curves = _collect_curves(record, local.result.model)
    relative = [(part, np.exp(residuals[:, 0])) for part, residuals in hold_out(local)]
    n_remembered = min(N_REMEMBERED, len(record.outputs))
    return ResidualReference(
        curves=curves,
        level=float(local.result.model.base_value[0]),
        sizes=np.sort(np.concatenate([_draw_by_weight(sizes, local.weights[part]) for part, sizes in relative])),
        spread=spread,
        wander=_estimate_wander(record, curves, [(part, np.clip(each, -cut, cut)) for part, each in parts]),
        cut=cut,
        has_other=_find_special_cells(record),
        digest=digest_rows(record.encoded, n_remembered),
        outputs=record.outputs[:n_remembered].copy(),
    )


def compute_spread(record: FitRecord) -> NDArray[np.float64]:
    """Standard deviation of each output; of a constant one, its size or 1."""
    total = record.result.total
    spread = np.sqrt(total.output_scatter / total.weight)
    size = np.abs(total.output_means)
    return np.where(spread > ROUNDING * size, spread, np.where(size > 0, size, 1.0))


def hold_out(record: FitRecord) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Rows of a fold and their residuals from the fit's own coefficients without it, fold after fold until there are enough.

    A table of few distinct rows, each many times, has nothing to hold out: its own residuals are those of new rows.
    """
    n_rows = len(record.outputs)
    folds = assign_folds(record.encoded, record.outputs, record.weights, record.result.n_folds)
    coefficients = record.result.solved.fold_coefficients
    if len(folds) < 2 or not coefficients or sum(len(rows) for rows, _ in folds) > n_rows:
        yield np.arange(n_rows), record.outputs - record.result.model.predict(record.encoded)
        return
    n_held_out = 0
    for fold, own in zip(folds, coefficients, strict=False):  # the folds that judged come first
        yield fold[0], _predict_without(record, fold, own)
        n_held_out += len(fold[0])
        if n_held_out >= N_HELD_OUT:
            return


def _predict_without(record: FitRecord, fold: Fold, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Residuals of a fold's rows, the model centred on the others as it was when its coefficients were solved for."""
    rows, weights = fold
    solved, total = record.result.solved, record.result.total
    merged = solved.problem.merge(coefficients)  # (n_functions, n_outputs)
    values = np.empty((len(rows), merged.shape[1]))
    means = np.zeros(len(merged))
    for start in range(0, len(rows), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        functions = solved.functions.evaluate(record.encoded.take(rows[block]))
        values[block] = functions.T @ merged
        means += functions @ weights[block]
    outputs = record.outputs[rows]
    others = total.weight - weights.sum()
    centre = (total.weight * total.means - means) / others
    base = (total.weight * total.output_means - weights @ outputs) / others
    return np.asarray(outputs - base - values + centre @ merged)


def _correct_for_fewer_rows(
    record: FitRecord, rows: NDArray[np.int64], log_sizes: NDArray[np.float64], spread: NDArray[np.float64]
) -> float:
    """What to add to log sizes of residuals from fits without a fold, to have those of new rows from the fit on all.

    With a variance v of the fit itself, squares are ``s + v K / (K - 1)`` held out, ``s + v`` on new rows and ``s - v`` on the
    fit's own (in the mean; Efron 2004 on optimism), so new rows are nearer by 1 / (2K - 1) of what lies between the others.
    Means of logs stand for those of squares: a few wild rows would decide the latter.
    """
    own = record.outputs[rows] - record.result.model.predict(record.encoded.take(rows))
    ratio = np.exp(2 * float(np.mean(compute_log_sizes(scale_residuals(own, spread)) - log_sizes)))
    return float(0.5 * np.log1p(-max(1 - ratio, 0.0) / (2 * record.result.n_folds - 1)))


def _learn_sizes(record: FitRecord, rows: NDArray[np.int64], log_sizes: NDArray[np.float64]) -> FitRecord:
    """A fit of main effects to the log sizes of residuals."""
    fitter = ClosedFormFitter(record.columns, record.players, order=1, presence_order=1)
    data = record.encoded.take(rows), log_sizes[:, None], record.weights[rows]
    return FitRecord(*data, record.columns, record.players, record.size_law, fitter.fit(*data, record.size_law))


def _collect_curves(record: FitRecord, model: AdditiveModel) -> tuple[NDArray[np.float64], ...]:
    """Each column's effect on the log size of a residual, beside the column's smoothest functions."""
    effects = {values[0]: shape for values, shape in zip(model.value_sets, model.shapes, strict=True)}
    curves = []
    for column, learnt in enumerate(record.columns):
        nothing = np.zeros((learnt.encoder.bases[0].n_functions, 1))
        axis = record.result.solved.functions.axes.get((1, column))
        smooth = nothing[:, :0] if axis is None else axis.coefficients[:, :N_DIRECTIONS]
        curves.append(np.hstack([effects.get(column, nothing), smooth]))
    return tuple(curves)


def _estimate_wander(
    record: FitRecord,
    curves: tuple[NDArray[np.float64], ...],
    parts: list[tuple[NDArray[np.int64], NDArray[np.float64]]],
) -> NDArray[np.float64]:
    """Variance of the model's own error along a direction, mean over the folds."""
    bases = [column.encoder.bases[0] for column in record.columns]
    found = [
        _measure_wander(evaluate_curves(curves, record.encoded.take(rows), bases)[1], residuals) for rows, residuals in parts
    ]
    # Also where none was seen: coefficients learnt from n rows err by a variance of e² / n.
    n_effective = record.weights.sum() ** 2 / (record.weights**2).sum()
    least = np.mean(np.concatenate([residuals for _, residuals in parts]) ** 2, axis=0) / n_effective
    return np.asarray(np.maximum(np.mean(found, axis=0), least))


def _measure_wander(directions: NDArray[np.float64], residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Its unbiased estimate from one fold: mean of ``e_i e_j ψ_i·ψ_j`` over pairs of different rows."""
    n = len(residuals)
    if n < 2:
        return np.zeros(residuals.shape[1])
    along = ((directions.T @ residuals) ** 2).sum(axis=0)
    own = (directions**2).sum(axis=1) @ residuals**2
    return np.asarray((along - own) / (n * (n - 1)) / directions.shape[1])


def _draw_by_weight(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """As many values, each as often as its weight says (systematic sampling: nothing is drawn at random)."""
    if (weights == weights[0]).all():
        return values
    places = (np.arange(len(values)) + 0.5) / len(values) * weights.sum()
    return np.asarray(values[np.minimum(np.searchsorted(np.cumsum(weights), places), len(values) - 1)])


def _find_special_cells(record: FitRecord) -> NDArray[np.bool_]:
    """Whether each column had pooled levels, and missing values."""
    missing = np.array([column.encoder.missing_cell for column in record.columns])
    cells = record.encoded.cells
    return np.stack([(cells == missing - 1).any(axis=0), (cells == missing).any(axis=0)], axis=1)

