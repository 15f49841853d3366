"""How far a model usually lies from its additive model, and whether another set of residuals is further or follows the columns.

Residuals are ``e = f(x) - g(x)`` at the full coalition. A fit's own are too small; the reference is made of rows held out of
it (:mod:`instashap.inference.holdout`). Everything is in closed form: no number is drawn.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import erfc, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..table.bases import LocalBasis
from ..table.encoding import Encoded

# Differences below this share of the spread are rounding (float32 models, other batch sizes) and count as none.
ROUNDING = 1e-6
# Rows of the fit whose outputs are remembered one by one.
N_REMEMBERED = 500
# Rows the pattern test takes of a longer table: its matrix has this many squared entries.
MAX_PATTERN_ROWS = 2000
# Residuals are cut at so many mean absolute ones (four standard deviations of a Gaussian) before a pattern is sought.
_CUT = 5.0
# Below, a gamma law is a Gaussian to four digits, and its own digits go.
_NO_SKEWNESS = 1e-4


class Verdict(NamedTuple):
    """What a test of residuals says.

    Attributes
    ----------
    size_p : float
        That residuals so much larger than the held-out ones are chance.
    pattern_p : float
        That residuals following the columns so closely are chance.
    distance, usual_distance : float
        Mean absolute residual relative to the outputs' spread: of these rows, and as held-out rows where these lie have it.
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
        Of each column, in its main effect's local basis: its effect on the log size of a residual, then its smoothest
        functions of mean zero and variance one.
    level : float
        Log size of a residual where every such effect is zero.
    sizes : ndarray of shape (n_held_out,), float64
        Sizes of held-out residuals relative to where they lie, sorted.
    spread : ndarray of shape (n_outputs,), float64
        Standard deviation of the outputs; sizes are in these units.
    wander : ndarray of shape (n_outputs,), float64
        Variance of the additive model's own error along one direction, in squared spreads.
    cut : ndarray of shape (n_outputs,), float64
        Where residuals are cut, in spreads.
    has_other : ndarray of shape (n_columns, 2), bool
        Whether the fit had pooled levels, and missing values, in a column.
    digest : str
        SHA-256 of the first rows of the fit, encoded.
    outputs : ndarray of shape (n_remembered, n_outputs), float64
        Their outputs.
    """

    curves: tuple[NDArray[np.float64], ...] = field(repr=False)
    level: float
    sizes: NDArray[np.float64] = field(repr=False)
    spread: NDArray[np.float64]
    wander: NDArray[np.float64]
    cut: NDArray[np.float64]
    has_other: NDArray[np.bool_] = field(repr=False)
    digest: str = field(repr=False)
    outputs: NDArray[np.float64] = field(repr=False)

    def recognises(self, encoded: Encoded) -> bool:
        """Whether rows begin with the remembered ones of the fit."""
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
            Of each column, for its main effect.
        """
        scaled = scale_residuals(residuals, self.spread)
        logs, directions = evaluate_curves(self.curves, encoded, bases)
        local = np.exp(self.level + logs)
        relative = np.exp(compute_log_sizes(scaled)) / local
        kept = np.linspace(0, len(scaled) - 1, min(len(scaled), MAX_PATTERN_ROWS)).astype(np.int64)
        pattern = compute_pattern_p(directions[kept], np.clip(scaled, -self.cut, self.cut)[kept], self.wander)
        distance = float(np.sqrt((scaled**2).sum(axis=1)).mean())
        usual = max(float(local.mean() * self.sizes.mean()) - ROUNDING, 0.0)
        return Verdict(compare_sizes(relative, self.sizes), pattern, distance, usual)

    def pack(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """JSON facts and arrays of a file."""
        names = ("sizes", "spread", "wander", "cut", "has_other", "outputs")
        arrays = {f"residual_{name}": getattr(self, name) for name in names}
        arrays |= {f"residual_curves_{column:05d}": curves for column, curves in enumerate(self.curves)}
        return {"level": self.level, "digest": self.digest}, arrays

    @classmethod
    def unpack(cls, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> "ResidualReference":
        """From what :meth:`pack` gave."""
        names = ("sizes", "spread", "wander", "cut", "has_other", "outputs")
        parts = {name: arrays[f"residual_{name}"] for name in names}
        curves = tuple(arrays[f"residual_curves_{column:05d}"] for column in range(len(parts["has_other"])))
        return cls(curves=curves, level=facts["level"], digest=facts["digest"], **parts)


def scale_residuals(residuals: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Residuals in units of the outputs' spread; rounding becomes zero, so that it ties with itself."""
    scaled: NDArray[np.float64] = residuals / spread
    scaled[np.abs(scaled) < ROUNDING] = 0.0
    return scaled


def compute_log_sizes(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log size of each row's residuals, all outputs together, no smaller than rounding; shape (n_rows,)."""
    return np.asarray(np.log(np.sqrt((scaled**2).sum(axis=1)) + ROUNDING))


def evaluate_curves(
    curves: Sequence[NDArray[np.float64]], encoded: Encoded, bases: Sequence[LocalBasis]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum of the columns' first curves on rows, and all others with a constant: shapes (n_rows,), (n_rows, n_directions)."""
    values = [
        basis.combine(encoded.cells[:, column], encoded.offsets[:, column], each)
        for column, (basis, each) in enumerate(zip(bases, curves, strict=True))
    ]
    logs: NDArray[np.float64] = np.sum([each[:, 0] for each in values], axis=0)
    return logs, np.hstack([np.ones((len(logs), 1)), *(each[:, 1:] for each in values)])


def digest_rows(encoded: Encoded, n_rows: int) -> str:
    """SHA-256 of the first rows as the model sees them."""
    digest = hashlib.sha256(np.ascontiguousarray(encoded.cells[:n_rows]).tobytes())
    digest.update(np.ascontiguousarray(encoded.offsets[:n_rows] + 0.0).tobytes())
    return digest.hexdigest()


def compute_cut(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where residuals are cut, one an output: heavy tails would drown a pattern."""
    return np.asarray(np.maximum(_CUT * np.abs(scaled).mean(axis=0), 1e3 * ROUNDING))


def compare_sizes(sizes: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Chance that sizes are as large against a reference: Savage's rank test, one-sided, ties share their scores.

    Scores are expected order statistics of the exponential law, the best for sizes of one shape on a larger scale (Savage
    1956): a model trained again differs most where residuals are large anyway, which ranks alone (Mann and Whitney) weigh
    too little. Given all sizes together, the sum of the first sample's scores has a known mean, variance and skewness; a
    gamma law of the same three stands for its own, near enough also for few rows.

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
    """``1/N + 1/(N-1) + …`` to as many terms as a value's rank among N; tied values get the mean of theirs."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    scores = np.cumsum(1 / np.arange(len(values), 0, -1))
    ends = np.cumsum(counts)
    return np.asarray((np.add.reduceat(scores, ends - counts) / counts)[where])


def compute_pattern_p(
    directions: NDArray[np.float64], residuals: NDArray[np.float64], wander: NDArray[np.float64]
) -> float:
    """Chance that residuals lie so much along the directions, the smallest over the outputs times their number.

    The statistic is ``eᵀ Γ e`` with ``Γ = Ψ Ψᵀ``, the rows' products in the directions Ψ. Where the model has not moved, e is
    of either sign at random (variance ``e_i²``) plus the additive model's own error, a random combination of the same
    directions (covariance ``wander Γ``): large where rows crowd into a corner few rows of the fit were in. The law of the
    quadratic form is matched in mean and variance by a scaled chi-squared (Satterthwaite 1946).

    Parameters
    ----------
    directions : ndarray of shape (n_rows, n_directions), float64
    residuals : ndarray of shape (n_rows, n_outputs), float64
    wander : ndarray of shape (n_outputs,), float64
    """
    from scipy.special import gammaincc  # a loaded explainer explains without scipy

    products = directions @ directions.T
    smallest = 1.0
    for residual, own in zip(residuals.T, wander, strict=True):
        law = products * residual**2 + own * (products @ products)  # Γ V, V = diag(e²) + wander Γ
        mean, variance = float(np.trace(law)), 2 * float((law * law.T).sum())
        if mean > 0:
            observed = float(residual @ products @ residual)
            smallest = min(smallest, float(gammaincc(mean**2 / variance, observed * mean / variance)))
    return float(min(1.0, smallest * residuals.shape[1]))
