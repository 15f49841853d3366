"""Test whether a model has changed since it was fitted."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._html import escape, make_badge, wrap
from ..blackbox.held_model import HeldModel
from ..fitted.fit_kind import FitKind
from ..fitted.game import FittedGame
from ..inference.residuals import ResidualReference
from ..table.columns import Table
from ..table.encoding import Encoded, TableEncoder
from .answers import get_residuals
from .model_outputs import ask_outputs

# Significance level: probability of an alarm about an unchanged model.
LEVEL = 0.05
# On the fitted rows themselves, a mean difference above this share of the outputs' spread counts as a change of the model.
TOLERANCE = 1e-3


@dataclass(frozen=True, repr=False)
class DriftReport:
    """Whether a model is still the one that was fitted.

    Attributes
    ----------
    p_value : float
        Probability of at least this much evidence if the model is unchanged. 0 or 1 if the rows are those of the fit.
    evidence : {"size", "pattern", "outputs", "equality"}
        The strongest evidence: the differences from the explainer are larger than usual, or depend on the features, or the
        outputs on the rows of the fit were compared one by one; "equality" for a model fitted to labels by likelihood, or
        edited, which the explainer reproduces, so that outputs on any rows must be equal.
    distance : float
        Mean absolute difference between model and explainer ("outputs": between model and fitted outputs), relative to the
        spread (standard deviation) of the fitted outputs.
    usual_distance : float
        Expected distance if the model is unchanged.
    n_rows : int
        Number of rows compared.
    n_outside : int
        Number of rows left out because they lie outside the fitted data, where the explainer extrapolates.
    """

    p_value: float
    evidence: str
    distance: float
    usual_distance: float
    n_rows: int
    n_outside: int

    @property
    def has_moved(self) -> bool:
        """Whether ``p_value`` is below .05."""
        return self.p_value < LEVEL

    def summary(self) -> str:
        """One sentence with the figures."""
        rows = "on this row" if self.n_rows == 1 else f"on these {self.n_rows:,} rows"
        if self.evidence == "equality":
            if not self.has_moved:
                return f"The model has not changed: {rows} its outputs are those of the fitted one."
            return f"The model has changed: {rows} its outputs differ by {_percent(self.distance)} of their spread; fit again."
        if self.evidence == "outputs":
            rows = f"on the first {self.n_rows:,} rows of the fit"
            if not self.has_moved:
                return f"The model has not changed: {rows} its outputs are those that were fitted."
            return f"The model has changed: {rows} its outputs differ by {_percent(self.distance)} of their spread; fit again."
        probability = "p < .001" if self.p_value < 0.001 else f"p = {self.p_value:.3f}".replace("0.", ".")
        figures = f"{_percent(self.distance)} of their spread, where {_percent(self.usual_distance)} is usual"
        outside = f" Rows outside the fitted data, left out: {self.n_outside:,}." if self.n_outside else ""
        if not self.has_moved:
            return f"No sign of a change: {rows} model and explainer differ by {figures} ({probability}).{outside}"
        pattern = ", and the difference depends on the features" if self.evidence == "pattern" else ""
        advice = f"({probability}); fit again.{outside}"
        return f"The model has changed: {rows} it differs from the explainer by {figures}{pattern} {advice}"

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"DriftReport: {self.summary()}"

    def _repr_html_(self) -> str:
        """The sentence with its verdict in colour, for notebooks."""
        badge = make_badge("unsafe" if self.has_moved else "safe", "changed" if self.has_moved else "no sign of a change")
        return wrap(f"<p><b>Drift</b> {badge}</p><p>{escape(self.summary())}</p>")


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 1 else f"{100 * share:.0f} %"


def check_model(fitted: FittedGame, X: Any, held: HeldModel, outputs: Any = None) -> DriftReport:
    """Ask the model about rows, or take its ``outputs``, and compare; see :meth:`instashap.Explainer.check`."""
    table = fitted.read(X)
    return check_drift(fitted, table, ask_outputs(fitted, X, held, outputs, table.n_rows))


def check_drift(fitted: FittedGame, table: Table, outputs: NDArray[np.float64]) -> DriftReport:
    """Compare a model's outputs now with what was fitted.

    Parameters
    ----------
    fitted : FittedGame
    table : Table
    outputs : ndarray of shape (n_rows, n_outputs), float64
        On the scale that was fitted.
    """
    if fitted.kind in (FitKind.LIKELIHOOD, FitKind.EDITED):
        return _compare_exactly(fitted, table, outputs)
    reference = get_residuals(fitted)
    encoded = fitted.encoder.encode(table)
    if reference.recognises(encoded):
        return _compare_outputs(reference, outputs)
    is_inside = find_inside(fitted.encoder, table, encoded, reference.has_other)
    if not is_inside.any():
        raise ValueError(
            "every row lies outside the fitted data (beyond a column's range, unseen levels or missing values): check rows "
            "like those of the fit, or fit again on rows like these"
        )
    inside = encoded.take(is_inside)
    residuals = outputs[is_inside] - fitted.model.predict(inside)
    verdict = reference.judge(inside, residuals, [column.bases[0] for column in fitted.encoder.columns])
    evidence = "size" if verdict.size_p <= verdict.pattern_p else "pattern"
    n_inside = int(is_inside.sum())
    return DriftReport(
        _combine(verdict.size_p, verdict.pattern_p),
        evidence,
        verdict.distance,
        verdict.usual_distance,
        n_inside,
        table.n_rows - n_inside,
    )


def _combine(size_p: float, pattern_p: float) -> float:
    """Probability that two independent p-values have a product this small or smaller (Fisher 1925), in closed form.

    The tests are independent if the model is unchanged: the pattern test conditions on the sizes of the residuals and tests
    their signs.

    Examples
    --------
    >>> round(_combine(0.2, 0.05), 4)  # chi-squared with 4 degrees of freedom, 9.21: .0561
    0.0561
    """
    product = size_p * pattern_p
    return product * (1.0 - log(product)) if product > 0.0 else 0.0


def _compare_exactly(fitted: FittedGame, table: Table, outputs: NDArray[np.float64]) -> DriftReport:
    """Report on a game that is the model itself, fitted to labels: its outputs must be the model's, on any rows."""
    predicted = fitted.predict(table)
    spread = predicted.std(axis=0)
    scale = np.where(spread > 0, spread, np.maximum(np.abs(predicted).max(axis=0), 1.0))
    distance = float(np.sqrt((((outputs - predicted) / scale) ** 2).sum(axis=1)).mean())
    return DriftReport(0.0 if distance > TOLERANCE else 1.0, "equality", distance, 0.0, table.n_rows, 0)


def _compare_outputs(reference: ResidualReference, outputs: NDArray[np.float64]) -> DriftReport:
    """Report from comparing outputs on the stored first rows of the fit one by one, without a statistical test."""
    n = len(reference.outputs)
    difference = (outputs[:n] - reference.outputs) / reference.spread
    distance = float(np.sqrt((difference**2).sum(axis=1)).mean())
    return DriftReport(0.0 if distance > TOLERANCE else 1.0, "outputs", distance, 0.0, n, 0)


def find_inside(
    encoder: TableEncoder, table: Table, encoded: Encoded, has_other: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Whether each row lies inside the fitted data in every column; shape (n_rows,).

    A number lies between the fitted extremes, a level is a fitted one, and a missing value is inside if fitted rows have some.
    """
    inside = np.ones(table.n_rows, dtype=bool)
    number = 0
    for position, column in enumerate(encoder.columns):
        cells = encoded.cells[:, position]
        has_pooled, has_missing = has_other[position]
        inside &= has_missing | (cells != column.missing_cell)
        if column.is_category:
            inside &= has_pooled | (cells != column.missing_cell - 1)
            continue
        values = np.asarray(table.numbers[:, number], dtype=np.float64)
        low = min(column.values) if column.values else column.lows[0]
        step = 1 / column.scales[-1] if len(column.scales) and column.scales[-1] > 0 else 0.0
        high = max(column.values) if column.values else column.lows[-1] + step
        slack = 1e-6 * max(abs(low), abs(high))  # float32 rows of a float64 fit
        inside &= np.isnan(values) | ((values >= low - slack) & (values <= high + slack))
        number += 1
    return inside
