"""Usual residuals of a model from its additive model, and tests whether new residuals are larger or depend on the columns.

Residuals are ``e = f(x) - g(x)`` at the full coalition. Those of fitted rows are too small, so the reference consists of rows
held out of the fit (:mod:`instashap.inference.holdout`). Everything is in closed form: no random numbers are used.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import erfc, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..table.bases import LocalBasis
from ..table.encoding import Encoded

# Differences below this share of the spread are rounding (float32 models, other batch sizes) and count as zero.
ROUNDING = 1e-6
# Number of fitted rows whose outputs are stored one by one.
N_REMEMBERED = 500
# Largest number of rows in the pattern test, whose matrix has the square of this number of entries.
MAX_PATTERN_ROWS = 2000
# Residuals are clipped at this multiple of the mean absolute residual (four standard deviations of a Gaussian) before a
# pattern is sought.
_CUT = 5.0
# Below this skewness the gamma law equals a Gaussian to four digits, and its numerical evaluation loses precision.
_NO_SKEWNESS = 1e-4

# Fields of the reference that are stored as arrays, and their names in a file (fixed by the file format).
_STORED = {
    "sizes": "residual_sizes",
    "spread": "residual_spread",
    "model_variance": "residual_wander",
    "cut": "residual_cut",
    "has_other": "residual_has_other",
    "outputs": "residual_outputs",
}


class Verdict(NamedTuple):
    """Results of the two tests of residuals.

    Attributes
    ----------
    size_p : float
        p-value of the test that the residuals are no larger than the held-out ones.
    pattern_p : float
        p-value of the test that the residuals do not depend on the columns.
    distance, usual_distance : float
        Mean absolute residual relative to the outputs' spread: of these rows, and expected from held-out rows at the same
        places.
    """

    size_p: float
    pattern_p: float
    distance: float
    usual_distance: float


@dataclass(frozen=True)
class ResidualReference:
    """Residuals of rows held out of a fit, without the rows.

    Attributes
    ----------
    curves : tuple of ndarray of shape (n_functions, 1 + n_directions), float64
        For each column, in its main effect's local basis: its effect on the log size of a residual, then its smoothest
        functions of mean zero and variance one.
    level : float
        Log size of a residual where every such effect is zero.
    sizes : ndarray of shape (n_held_out,), float64
        Sizes of held-out residuals divided by the size expected at their place, sorted.
    spread : ndarray of shape (n_outputs,), float64
        Standard deviation of the outputs; sizes are in these units.
    model_variance : ndarray of shape (n_outputs,), float64
        Variance of the additive model's own error along one direction, in squared spreads.
    cut : ndarray of shape (n_outputs,), float64
        Size at which residuals are clipped, in spreads.
    has_other : ndarray of shape (n_columns, 2), bool
        Whether the fitted rows had pooled levels, and missing values, in a column.
    digest : str
        SHA-256 of the first rows of the fit, encoded.
    outputs : ndarray of shape (n_remembered, n_outputs), float64
        Outputs of these first rows.
    """

    curves: tuple[NDArray[np.float64], ...] = field(repr=False)
    level: float
    sizes: NDArray[np.float64] = field(repr=False)
    spread: NDArray[np.float64]
    model_variance: NDArray[np.float64]
    cut: NDArray[np.float64]
    has_other: NDArray[np.bool_] = field(repr=False)
    digest: str = field(repr=False)
    outputs: NDArray[np.float64] = field(repr=False)

    def recognises(self, encoded: Encoded) -> bool:
        """Whether the table begins with the stored first rows of the fit."""
        n = len(self.outputs)
        return len(encoded.cells) >= n and digest_rows(encoded, n) == self.digest

    def judge(self, encoded: Encoded, residuals: NDArray[np.float64], bases: Sequence[LocalBasis]) -> Verdict:
        """Test residuals of rows drawn independently of the fit.

        Parameters
        ----------
        encoded : Encoded
        residuals : ndarray of shape (n_rows, n_outputs), float64
            In the outputs' units.
        bases : sequence of LocalBasis
            Basis of each column's main effect.
        """
        scaled = scale_residuals(residuals, self.spread)
        logs, directions = evaluate_curves(self.curves, encoded, bases)
        local = np.exp(self.level + logs)
        relative = np.exp(compute_log_sizes(scaled)) / local
        kept = np.linspace(0, len(scaled) - 1, min(len(scaled), MAX_PATTERN_ROWS)).astype(np.int64)
        pattern = compute_pattern_p(directions[kept], np.clip(scaled, -self.cut, self.cut)[kept], self.model_variance)
        distance = float(np.sqrt((scaled**2).sum(axis=1)).mean())
        usual = max(float(local.mean() * self.sizes.mean()) - ROUNDING, 0.0)
        return Verdict(compare_sizes(relative, self.sizes), pattern, distance, usual)

    def scale(self, unit: float) -> "ResidualReference":
        """The reference of outputs multiplied by a number."""
        return self if unit == 1.0 else replace(self, spread=self.spread * unit, outputs=self.outputs * unit)

    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The reference as facts (JSON) and arrays by name, for a file."""
        arrays = {stored: getattr(self, name) for name, stored in _STORED.items()}
        arrays |= {f"residual_curves_{column:05d}": curves for column, curves in enumerate(self.curves)}
        return {"level": self.level, "digest": self.digest}, arrays

    @classmethod
    def unpack(cls, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> "ResidualReference":
        """The reference whose facts and arrays :meth:`pack` returned."""
        parts = {name: arrays[stored] for name, stored in _STORED.items()}
        curves = tuple(arrays[f"residual_curves_{column:05d}"] for column in range(len(parts["has_other"])))
        return cls(curves=curves, level=facts["level"], digest=facts["digest"], **parts)


def scale_residuals(residuals: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Residuals in units of the outputs' spread; values within rounding become zero, so that they have equal ranks."""
    scaled: NDArray[np.float64] = residuals / spread
    scaled[np.abs(scaled) < ROUNDING] = 0.0
    return scaled


def compute_log_sizes(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of the Euclidean norm of each row's residuals over outputs, plus ``ROUNDING``; shape (n_rows,)."""
    return np.asarray(np.log(np.sqrt((scaled**2).sum(axis=1)) + ROUNDING))


def evaluate_curves(
    curves: Sequence[NDArray[np.float64]], encoded: Encoded, bases: Sequence[LocalBasis]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum of the columns' first curves on rows; a constant and all other curves: shapes (n_rows,), (n_rows, n_directions)."""
    values = [
        basis.combine(encoded.cells[:, column], encoded.offsets[:, column], each)
        for column, (basis, each) in enumerate(zip(bases, curves, strict=True))
    ]
    logs: NDArray[np.float64] = np.sum([each[:, 0] for each in values], axis=0)
    return logs, np.hstack([np.ones((len(logs), 1)), *(each[:, 1:] for each in values)])


def digest_rows(encoded: Encoded, n_rows: int) -> str:
    """SHA-256 of the first encoded rows."""
    digest = hashlib.sha256(np.ascontiguousarray(encoded.cells[:n_rows]).tobytes())
    digest.update(np.ascontiguousarray(encoded.offsets[:n_rows] + 0.0).tobytes())
    return digest.hexdigest()


def compute_cut(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Size at which residuals are clipped, per output, because heavy tails would hide a pattern."""
    return np.asarray(np.maximum(_CUT * np.abs(scaled).mean(axis=0), 1e3 * ROUNDING))


def compare_sizes(sizes: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """One-sided p-value that sizes are larger than a reference: Savage's rank test, mean scores for tied values.

    Scores are expected order statistics of the exponential law, which are optimal against a change of scale (Savage 1956): a
    retrained model differs most where residuals are large anyway, to which the ranks of Mann and Whitney give too little
    weight. Under the null hypothesis, given all sizes, the sum of the first sample's scores has a known mean, variance and
    skewness; its law is approximated by the gamma law with the same three moments, also for few rows.

    Examples
    --------
    >>> round(compare_sizes(np.array([2.0, 3.0]), np.array([1.0])), 3)  # scores 5/6 + 11/6, 1/3: .667 over the mean, 1.07 sd
    0.139
    """
    from scipy.special import gammainc, gammaincc  # a loaded explainer explains without scipy

    n, total = len(sizes), len(sizes) + len(reference)
    scores = _compute_savage_scores(np.concatenate([sizes, reference]))
    share = n / total
    second, third = (float(((scores - 1.0) ** power).sum()) for power in (2, 3))  # Savage's scores have mean 1
    variance = share * (1 - share) * second * total / max(total - 1, 1)
    if variance < ROUNDING:  # all alike
        return 1.0
    excess = float((scores[:n] - 1.0).sum()) / sqrt(variance)
    drawn = share * (1 - share) * (1 - 2 * share) * total**2 / max((total - 1) * (total - 2), 1)
    skewness = drawn * third / variance**1.5
    if abs(skewness) < _NO_SKEWNESS:
        return 0.5 * erfc(excess / sqrt(2))
    shape = 4 / skewness**2
    place = max(shape + np.sign(skewness) * excess * sqrt(shape), 0.0)
    return float(gammaincc(shape, place) if skewness > 0 else gammainc(shape, place))


def _compute_savage_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score ``1/N + 1/(N-1) + …`` with as many terms as a value's rank among N; tied values get their mean score."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    scores = np.cumsum(1 / np.arange(len(values), 0, -1))
    ends = np.cumsum(counts)
    return np.asarray((np.add.reduceat(scores, ends - counts) / counts)[where])


def compute_pattern_p(
    directions: NDArray[np.float64], residuals: NDArray[np.float64], model_variance: NDArray[np.float64]
) -> float:
    """p-value of the test that residuals do not depend on the directions: the smallest over outputs, times their number.

    The statistic is ``eᵀ Γ e`` with ``Γ = Ψ Ψᵀ``, the rows' products in the directions Ψ. Under the null hypothesis that the
    model is unchanged, e has random signs (variance ``e_i²``) plus the additive model's own error, a random combination of the
    same directions (covariance ``model_variance Γ``), which is large where many rows lie in a region with few fitted rows. The
    law of the quadratic form is approximated by a scaled chi-squared of equal mean and variance (Satterthwaite 1946).

    Parameters
    ----------
    directions : ndarray of shape (n_rows, n_directions), float64
    residuals : ndarray of shape (n_rows, n_outputs), float64
    model_variance : ndarray of shape (n_outputs,), float64
    """
    from scipy.special import gammaincc  # a loaded explainer explains without scipy

    products = directions @ directions.T
    smallest = 1.0
    for residual, own in zip(residuals.T, model_variance, strict=True):
        law = products * residual**2 + own * (products @ products)  # Γ V, V = diag(e²) + model_variance Γ
        mean, variance = float(np.trace(law)), 2 * float((law * law.T).sum())
        if mean > 0:
            observed = float(residual @ products @ residual)
            smallest = min(smallest, float(gammaincc(mean**2 / variance, observed * mean / variance)))
    return float(min(1.0, smallest * residuals.shape[1]))
