"""Residuals of rows held out of a fit: the reference to which :mod:`instashap.inference.residuals` compares new residuals."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..masked.fitter import ClosedFormFitter, FitRecord
from ..masked.folds import Fold, assign_folds
from ..masked.moments import BLOCK_ROWS
from ..masked.strengths import Strengths
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

# Least number of held-out rows, in whole folds, where there are as many; more would not add power to a test of some hundred
# rows.
N_HELD_OUT = 4096
# Where the search for the smoothness of their log sizes begins: single residuals say little, so curves are nearly straight.
_SIZE_STRENGTHS = Strengths(roughness=1.0, ridge=0.1)
# Number of smooth functions per column along which a pattern in residuals is sought.
N_DIRECTIONS = 3


def describe_residuals(record: FitRecord) -> ResidualReference:
    """Residual reference of a fit, from the rows that were held out while it chose among models."""
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
        model_variance=_estimate_model_variance(record, curves, [(part, np.clip(each, -cut, cut)) for part, each in parts]),
        cut=cut,
        has_other=_find_special_cells(record),
        digest=digest_rows(record.encoded, n_remembered),
        outputs=record.outputs[:n_remembered].copy(),
    )


def compute_spread(record: FitRecord) -> NDArray[np.float64]:
    """Standard deviation of each output; for a constant output its absolute value, or 1 if that is 0."""
    total = record.result.total
    spread = np.sqrt(total.output_scatter / total.weight)
    size = np.abs(total.output_means)
    return np.where(spread > ROUNDING * size, spread, np.where(size > 0, size, 1.0))


def hold_out(record: FitRecord) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Yield the rows of a fold and their residuals from the coefficients fitted without it, until there are enough rows.

    For a table of few distinct rows, each repeated many times, no row can be held out: new rows equal fitted ones, so the
    residuals of the fitted rows are used.
    """
    n_rows = len(record.outputs)
    folds = assign_folds(record.encoded, record.outputs, record.weights, record.result.n_folds)
    coefficients = record.result.solved.fold_coefficients
    if len(folds) < 2 or not coefficients or sum(len(rows) for rows, _ in folds) > n_rows:
        yield np.arange(n_rows), record.outputs - record.result.model.predict(record.encoded)
        return
    n_held_out = 0
    for fold, own in zip(folds, coefficients, strict=False):  # folds with coefficients come first
        yield fold[0], _predict_without(record, fold, own)
        n_held_out += len(fold[0])
        if n_held_out >= N_HELD_OUT:
            return


def _predict_without(record: FitRecord, fold: Fold, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Residuals of a fold's rows from the model fitted to the other folds and centred on their rows."""
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
    """Correction that turns log sizes of held-out residuals into those of new rows under the fit on all rows.

    With a variance v of the fit itself, the mean squared residual is ``s + v K / (K - 1)`` on held-out rows, ``s + v`` on new
    rows and ``s - v`` on the fitted rows (Efron 2004 on optimism). New rows therefore lie below the held-out ones by
    1 / (2K - 1) of the difference between held-out and fitted rows. Means of logs are used instead of means of squares, which
    a few outliers would dominate.
    """
    own = record.outputs[rows] - record.result.model.predict(record.encoded.take(rows))
    ratio = np.exp(2 * float(np.mean(compute_log_sizes(scale_residuals(own, spread)) - log_sizes)))
    return float(0.5 * np.log1p(-max(1 - ratio, 0.0) / (2 * record.result.n_folds - 1)))


def _learn_sizes(record: FitRecord, rows: NDArray[np.int64], log_sizes: NDArray[np.float64]) -> FitRecord:
    """Fit main effects to the log sizes of residuals."""
    fitter = ClosedFormFitter(record.columns, record.players, order=1, presence_order=1, start=_SIZE_STRENGTHS)
    data = record.encoded.take(rows), log_sizes[:, None], record.weights[rows]
    return FitRecord(*data, record.columns, record.players, record.size_law, fitter.fit(*data, record.size_law))


def _collect_curves(record: FitRecord, model: AdditiveModel) -> tuple[NDArray[np.float64], ...]:
    """Each column's effect on the log size of a residual, followed by the column's smoothest functions."""
    effects = {values[0]: shape for values, shape in zip(model.value_sets, model.shapes, strict=True)}
    curves = []
    for column, learnt in enumerate(record.columns):
        nothing = np.zeros((learnt.encoder.bases[0].n_functions, 1))
        axis = record.result.solved.functions.axes.get((1, column))
        smooth = nothing[:, :0] if axis is None else axis.coefficients[:, :N_DIRECTIONS]
        curves.append(np.hstack([effects.get(column, nothing), smooth]))
    return tuple(curves)


def _estimate_model_variance(
    record: FitRecord,
    curves: tuple[NDArray[np.float64], ...],
    parts: list[tuple[NDArray[np.int64], NDArray[np.float64]]],
) -> NDArray[np.float64]:
    """Variance of the additive model's own error along one direction, mean over the folds; shape (n_outputs,)."""
    bases = [column.encoder.bases[0] for column in record.columns]
    found = [
        _measure_model_variance(evaluate_curves(curves, record.encoded.take(rows), bases)[1], residuals)
        for rows, residuals in parts
    ]
    # Lower bound: coefficients learnt from n rows have a variance of at least e² / n.
    n_effective = record.weights.sum() ** 2 / (record.weights**2).sum()
    least = np.mean(np.concatenate([residuals for _, residuals in parts]) ** 2, axis=0) / n_effective
    return np.asarray(np.maximum(np.mean(found, axis=0), least))


def _measure_model_variance(directions: NDArray[np.float64], residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unbiased estimate of the model's variance from one fold: mean of ``e_i e_j ψ_i·ψ_j`` over pairs of different rows."""
    n = len(residuals)
    if n < 2:
        return np.zeros(residuals.shape[1])
    along = ((directions.T @ residuals) ** 2).sum(axis=0)
    own = (directions**2).sum(axis=1) @ residuals**2
    return np.asarray((along - own) / (n * (n - 1)) / directions.shape[1])


def _draw_by_weight(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sample of the same length, each value as often as its weight requires (systematic sampling, without random draws)."""
    if (weights == weights[0]).all():
        return values
    places = (np.arange(len(values)) + 0.5) / len(values) * weights.sum()
    return np.asarray(values[np.minimum(np.searchsorted(np.cumsum(weights), places), len(values) - 1)])


def _find_special_cells(record: FitRecord) -> NDArray[np.bool_]:
    """Whether the fitted rows of each column had pooled levels, and missing values; shape (n_columns, 2)."""
    missing = np.array([column.encoder.missing_cell for column in record.columns])
    cells = record.encoded.cells
    return np.stack([(cells == missing - 1).any(axis=0), (cells == missing).any(axis=0)], axis=1)

