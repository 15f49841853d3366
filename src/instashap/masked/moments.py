"""Sufficient statistics of the fit: they add over rows, and subtract.

Sums are kept as total weight, means, and *centred* second moments, and merged by the pairwise update of Chan, Golub and
LeVeque (1983): raw sums would lose the digits of outputs far from zero.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy, dgemm, dger, dsyrk

from ..table.encoding import Encoded

# Rows of one dense block of function values: long enough for BLAS, 50 MB at 3 000 functions.
BLOCK_ROWS = 2048


@dataclass(frozen=True)
class CentredMoments:
    """Weighted moments of ``[B, f]``, value functions and outputs.

    Attributes
    ----------
    weight : float
        Total weight of the rows.
    means : ndarray of shape (n_functions,), float64
    scatter : ndarray of shape (n_functions, n_functions), float64
        ``sum w (B - mean)(B - mean)ᵀ``.
    output_means : ndarray of shape (n_outputs,), float64
    cross : ndarray of shape (n_functions, n_outputs), float64
        ``sum w (B - mean)(f - mean)``.
    output_scatter : ndarray of shape (n_outputs,), float64
        ``sum w (f - mean)²``.
    """

    weight: float
    means: NDArray[np.float64]
    scatter: NDArray[np.float64]
    output_means: NDArray[np.float64]
    cross: NDArray[np.float64]
    output_scatter: NDArray[np.float64]

    def __add__(self, other: "CentredMoments") -> "CentredMoments":
        """Moments of both parts' rows together."""
        return self._merge(other, 1.0)

    def __sub__(self, other: "CentredMoments") -> "CentredMoments":
        """Moments of these rows without the other's, which must be among them."""
        return self._merge(other, -1.0)

    def _merge(self, other: "CentredMoments", sign: float) -> "CentredMoments":
        weight = self.weight + sign * other.weight
        if not weight > 0:
            raise ValueError(f"moments of total weight {weight} describe no rows")
        step = other.means - self.means
        output_step = other.output_means - self.output_means
        factor = sign * self.weight * other.weight / weight
        share = sign * other.weight / weight
        combine = np.add if sign > 0 else np.subtract
        scatter = combine(self.scatter, other.scatter)
        add_outer(scatter, factor, step)
        return CentredMoments(
            weight,
            self.means + share * step,
            scatter,
            self.output_means + share * output_step,
            self.cross + sign * other.cross + factor * np.outer(step, output_step),
            self.output_scatter + sign * other.output_scatter + factor * output_step**2,
        )

    def around(self, centre: "CentredMoments") -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Mean second moments about another's means: ``G``, ``r`` and ``E (f - φ_∅)²``.

        Held-out rows must be judged at the training rows' centring (method: exact masked risk from moments).
        """
        return self.about(centre.means, centre.output_means)

    def about(
        self, means: NDArray[np.float64], output_means: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The same about given means."""
        gram = self.scatter / self.weight
        add_outer(gram, 1.0, self.means - means)
        return gram, *self.cross_about(means, output_means)

    def cross_about(
        self, means: NDArray[np.float64], output_means: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``r`` and ``E (f - φ_∅)²`` alone."""
        output_step = self.output_means - output_means
        cross = self.cross / self.weight + np.outer(self.means - means, output_step)
        return cross, self.output_scatter / self.weight + output_step**2

    def find_means_without(self, other: "CentredMoments") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Means of the functions and of the outputs without another's rows, which must be among these."""
        weight = self.weight - other.weight
        means = (self.weight * self.means - other.weight * other.means) / weight
        return means, (self.weight * self.output_means - other.weight * other.output_means) / weight

    def select(self, functions: NDArray[np.int64]) -> "CentredMoments":
        """Moments of some of the functions."""
        return CentredMoments(
            self.weight,
            self.means[functions],
            self.scatter[np.ix_(functions, functions)],
            self.output_means,
            self.cross[functions],
            self.output_scatter,
        )


class RowMoments(CentredMoments):
    """Moments of rows whose values are in memory: their scatter is computed when it is first asked for, which it may never be.

    Parameters
    ----------
    values : sequence of ndarray of shape (n_functions, n_rows), float64
        Of some disjoint parts of the rows.
    outputs, weights : sequence of ndarray
        Of the same parts.
    """

    rows: tuple[Sequence[NDArray[np.float64]], Sequence[NDArray[np.float64]], Sequence[NDArray[np.float64]]]

    def __init__(
        self,
        values: Sequence[NDArray[np.float64]],
        outputs: Sequence[NDArray[np.float64]],
        weights: Sequence[NDArray[np.float64]],
    ) -> None:
        every, shares = np.concatenate(outputs), np.concatenate(weights)
        weight = float(shares.sum())
        output_means = every[0] + shares @ (every - every[0]) / weight  # exact where all are the same
        away = [(own - output_means) * share[:, None] for own, share in zip(outputs, weights, strict=True)]
        facts = {
            "weight": weight,
            "means": np.sum([own @ share for own, share in zip(values, weights, strict=True)], axis=0) / weight,
            "output_means": output_means,
            "cross": np.sum([own @ part for own, part in zip(values, away, strict=True)], axis=0),
            "output_scatter": shares @ (every - output_means) ** 2,
            "rows": (tuple(values), tuple(outputs), tuple(weights)),
        }
        for name, value in facts.items():
            object.__setattr__(self, name, value)

    @cached_property
    def scatter(self) -> NDArray[np.float64]:
        """See :class:`CentredMoments`."""
        scatter = np.zeros((len(self.means), len(self.means)), order="F")
        for values, _, weights in zip(*self.rows, strict=True):
            if len(values):
                centred = (values - self.means[:, None]) * np.sqrt(weights)
                dsyrk(1.0, centred.T, beta=1.0, c=scatter, trans=1, lower=0, overwrite_c=1)
        mirror_upper(scatter)
        return scatter.T

    def select(self, functions: NDArray[np.int64]) -> "RowMoments":
        """Moments of some of the functions."""
        values, outputs, weights = self.rows
        return RowMoments([each[functions] for each in values], outputs, weights)


def accumulate_moments(
    evaluate: Callable[[Encoded], NDArray[np.float64]],
    encoded: Encoded,
    outputs: NDArray[np.float64],
    weights: NDArray[np.float64],
    n_functions: int,
    known: CentredMoments | None = None,
) -> CentredMoments:
    """Moments of rows, block by block; the design is never in memory as a whole.

    Parameters
    ----------
    evaluate : callable
        Encoded rows to function values of shape (n_functions, n_rows).
    encoded : Encoded
    outputs : ndarray of shape (n_rows, n_outputs), float64
    weights : ndarray of shape (n_rows,), float64
        Above zero.
    n_functions : int
    known : CentredMoments, optional
        Of the first functions on these rows: products are computed of the others only.
    """
    return accumulate_weighted(evaluate, encoded, outputs, [weights], n_functions, known)[0]


def accumulate_weighted(
    evaluate: Callable[[Encoded], NDArray[np.float64]],
    encoded: Encoded,
    outputs: NDArray[np.float64],
    weightings: Sequence[NDArray[np.float64]],
    n_functions: int,
    known: CentredMoments | None = None,
) -> list[CentredMoments]:
    """The same of rows under several weights; their function values are computed once."""
    if not len(outputs):
        raise ValueError("no rows to describe")
    n_known = 0 if known is None else len(known.means)
    totals: list[CentredMoments | None] = [None] * len(weightings)
    scatters = [np.zeros((n_functions, n_functions), order="F") for _ in weightings]
    for start in range(0, len(outputs), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        values = evaluate(Encoded(encoded.cells[rows], encoded.offsets[rows]))
        for number, (weights, scatter, total) in enumerate(zip(weightings, scatters, totals, strict=True)):
            own = values if number == len(weightings) - 1 else values.copy()
            part = _describe_block(own, outputs[rows], weights[rows], scatter, n_known)
            totals[number] = part if total is None else _merge_light(total, part, scatter)
    found = []
    for total, scatter in zip(totals, scatters, strict=True):
        assert total is not None
        mirror_upper(scatter)
        if known is not None:
            scatter[:n_known, :n_known] = known.scatter
        found.append(replace(total, scatter=scatter.T))
    return found


def add_outer(matrix: NDArray[np.float64], factor: float, vector: NDArray[np.float64]) -> None:
    """``matrix += factor · vector vectorᵀ`` in place; the matrix is symmetric, so either memory order will do."""
    if not vector.any():
        return
    columns = matrix if matrix.flags.f_contiguous else matrix.T
    dger(factor, vector, vector, a=columns, overwrite_a=1)


def add_scaled(matrix: NDArray[np.float64], factor: float, other: NDArray[np.float64]) -> None:
    """``matrix += factor · other`` in place; both are symmetric and lie in one piece, so either memory order will do."""
    if matrix.size:
        daxpy(other.ravel(order="K"), matrix.ravel(order="K"), a=factor)


def mirror_upper(matrix: NDArray[np.float64], tile: int = 256) -> None:
    """Copy the upper triangle to the lower one in place, tile by tile."""
    n = len(matrix)
    for start in range(0, n, tile):
        rows = slice(start, start + tile)
        block = np.triu(matrix[rows, rows])
        matrix[rows, rows] = block + np.triu(block, 1).T
        matrix[start + tile :, rows] = matrix[rows, start + tile :].T


def _describe_block(
    values: NDArray[np.float64],
    outputs: NDArray[np.float64],
    weights: NDArray[np.float64],
    scatter: NDArray[np.float64],
    n_known: int,
) -> CentredMoments:
    """A block's moments; its scatter is added to ``scatter`` (upper triangle, in place) instead of returned.

    That of the first functions is left out if it is known.
    """
    weight = float(weights.sum())
    means = values @ weights / weight
    output_means = outputs[0] + weights @ (outputs - outputs[0]) / weight  # exact where all are the same
    values -= means[:, None]
    centred = (outputs - output_means) * weights[:, None]
    cross = values @ centred
    output_scatter = np.einsum("ij,ij->j", centred, outputs - output_means)
    if not (weights == 1.0).all():
        values *= np.sqrt(weights)
    if 0 < n_known < len(values):
        new = scatter[:, n_known:]
        dgemm(1.0, values.T, values[n_known:].T, beta=1.0, c=new, trans_a=1, overwrite_c=1)
    elif len(values) > n_known:
        dsyrk(1.0, values.T, beta=1.0, c=scatter, trans=1, lower=0, overwrite_c=1)
    return CentredMoments(weight, means, np.empty((0, 0)), output_means, cross, output_scatter)


def _merge_light(total: CentredMoments, part: CentredMoments, scatter: NDArray[np.float64]) -> CentredMoments:
    """Chan's update with the scatter kept apart, in place."""
    weight = total.weight + part.weight
    step = part.means - total.means
    output_step = part.output_means - total.output_means
    factor = total.weight * part.weight / weight
    add_outer(scatter, factor, step)
    share = part.weight / weight
    return CentredMoments(
        weight,
        total.means + share * step,
        np.empty((0, 0)),
        total.output_means + share * output_step,
        total.cross + part.cross + factor * np.outer(step, output_step),
        total.output_scatter + part.output_scatter + factor * output_step**2,
    )


def merge_all(parts: Iterable[CentredMoments]) -> CentredMoments:
    """Sum of moments, in order."""
    first, *others = parts
    for part in others:
        first = first + part
    return first
