"""Main effects of more functions than there are rows: solved and judged in the space of the rows.

Where every function counts with its own player alone, ``W`` is ``π_2`` plus ``π_1 - π_2`` on each player's own functions. The
matrix of the normal equations is then ``π_2 B Bᵀ + D``, with the centred functions ``B`` on the rows (each row times the root
of its share of the weight) and a small block D for every player. By Woodbury's identity

    ``c = π_1 D⁻¹ B a``,   ``(I + π_2 Bᵀ D⁻¹ B) a = f - φ_∅``,

one system of as many unknowns as rows. Nothing is approximated: the answer is that of the normal equations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from .._threads import map_threads
from ..game.coalitions import compute_containment_masses

if TYPE_CHECKING:
    from .solve import MaskedProblem, Penalty

# Functions from which on the rows' space is used, if there are fewer rows, and the most that one player may have.
MIN_FUNCTIONS = 500
_MAX_BLOCK = 128
# Added to the diagonal of a player's block, relative to it: its functions may be collinear on the rows of a fold.
_JITTER = 1e-11


@dataclass(frozen=True)
class FoldRows:
    """Values of the functions on the rows of each fold, outputs and weights.

    Attributes
    ----------
    values : tuple of ndarray of shape (n_functions, n_rows), float64
    outputs : tuple of ndarray of shape (n_rows, n_outputs), float64
    weights : tuple of ndarray of shape (n_rows,), float64
    """

    values: tuple[NDArray[np.float64], ...]
    outputs: tuple[NDArray[np.float64], ...]
    weights: tuple[NDArray[np.float64], ...]

    def select(self, functions: NDArray[np.int64]) -> FoldRows:
        """Moments of the selected functions."""
        return FoldRows(tuple(each[functions] for each in self.values), self.outputs, self.weights)

    def gather(self, without: int | None = None) -> Centred:
        """All rows but those of a fold, about their own means."""
        kept = [fold for fold in range(len(self.values)) if fold != without]
        values = np.hstack([self.values[fold] for fold in kept])
        outputs = np.concatenate([self.outputs[fold] for fold in kept])
        weights = np.concatenate([self.weights[fold] for fold in kept])
        shares = weights / weights.sum()
        return _centre(values, outputs, shares, values @ shares, shares @ outputs)

    def hold_out(self, fold: int, centre: Centred) -> Centred:
        """A fold's rows about the means of others."""
        shares = self.weights[fold] / self.weights[fold].sum()
        return _centre(self.values[fold], self.outputs[fold], shares, centre.means, centre.output_means)


@dataclass(frozen=True)
class Centred:
    """Functions and outputs less some means, each row times the root of its share.

    Attributes
    ----------
    values : ndarray of shape (n_functions, n_rows), float64
    outputs : ndarray of shape (n_rows, n_outputs), float64
    means, output_means : ndarray
        What was subtracted.
    """

    values: NDArray[np.float64]
    outputs: NDArray[np.float64]
    means: NDArray[np.float64]
    output_means: NDArray[np.float64]


def _centre(
    values: NDArray[np.float64],
    outputs: NDArray[np.float64],
    shares: NDArray[np.float64],
    means: NDArray[np.float64],
    output_means: NDArray[np.float64],
) -> Centred:
    root = np.sqrt(shares)
    return Centred((values - means[:, None]) * root, (outputs - output_means) * root[:, None], means, output_means)


@dataclass(frozen=True)
class MainEffects:
    """A problem in which every function counts with its own player alone.

    Attributes
    ----------
    single, pair, total : float
        Mass of the coalitions that hold one given player, two, and any.
    blocks : tuple of ndarray of shape (n_players_alike, n_functions_of_each), int64
        Unknowns of each player, players of as many functions together.
    """

    single: float
    pair: float
    total: float
    blocks: tuple[NDArray[np.int64], ...]

    @classmethod
    def from_problem(cls, problem: MaskedProblem) -> MainEffects | None:
        """The masses and blocks; None if some function counts under another presence set or a player has too many."""
        if len(problem) != problem.n_functions or any(len(each) > 1 for each in problem.presence_sets):
            return None
        if not np.array_equal(problem.functions, np.arange(len(problem))):
            return None
        counts = np.bincount(problem.presence)
        if counts.max(initial=0) > _MAX_BLOCK:
            return None
        order = np.argsort(problem.presence, kind="stable")
        members = np.split(order, np.cumsum(counts)[:-1])
        sizes = sorted(set(counts[counts > 0].tolist()))
        blocks = tuple(np.stack([each for each in members if len(each) == size]) for size in sizes)
        masses = np.append(compute_containment_masses(problem.size_law), 0.0)
        return cls(float(masses[1]), float(masses[2]), float(masses[0]), blocks)

    def solve(self, rows: Centred, penalty: Penalty) -> NDArray[np.float64]:
        """Coefficients of shape (n_functions, n_outputs)."""
        scaled = np.empty_like(rows.values)  # D⁻¹ B
        for block in self.blocks:
            own = rows.values[block]  # (n_players, size, n_rows)
            matrices = (self.single - self.pair) * (own @ own.transpose(0, 2, 1))
            diagonal = np.arange(block.shape[1])
            matrices[:, diagonal, diagonal] += self.single * penalty.functions[block]
            matrices[:, diagonal, diagonal] *= 1.0 + _JITTER
            matrices[:, diagonal, diagonal] += 1e-300
            scaled[block] = np.linalg.solve(matrices, own)
        kernel = self.pair * (rows.values.T @ scaled)
        kernel[np.diag_indices(len(kernel))] += 1.0
        factor = cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False)
        return np.asarray(self.single * (scaled @ cho_solve(factor, rows.outputs, check_finite=False)))

    def measure_gradient(self, rows: Centred, penalty: Penalty, coefficients: NDArray[np.float64]) -> float:
        """Largest residual of the normal equations relative to the right-hand side."""
        target = self.single * (rows.values @ rows.outputs)
        product = self.pair * (rows.values @ (rows.values.T @ coefficients))
        product += self.single * penalty.functions[:, None] * coefficients
        for block in self.blocks:
            own = rows.values[block]
            effects = own.transpose(0, 2, 1) @ coefficients[block]
            product[block] += (self.single - self.pair) * (own @ effects)
        return float(np.abs(target - product).max(initial=0.0) / max(np.abs(target).max(initial=0.0), 1e-300))

    def measure_risk(self, rows: Centred, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Masked risk, and risk at the full coalition, on rows about the training means; shape (2, n_outputs)."""
        variance = (rows.outputs**2).sum(axis=0)
        fitted = rows.values.T @ coefficients
        linear = (rows.outputs * fitted).sum(axis=0)
        square = (fitted**2).sum(axis=0)
        own = np.zeros_like(linear)
        for block in self.blocks:
            own += ((rows.values[block].transpose(0, 2, 1) @ coefficients[block]) ** 2).sum(axis=(0, 1))
        masked = self.total * variance - 2 * self.single * linear + self.pair * square + (self.single - self.pair) * own
        return np.stack([masked, variance - 2 * linear + square])


def cross_validate(
    effects: MainEffects, rows: FoldRows, n_folds: int, penalty: Penalty
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Coefficients of all rows, those without each of the first folds, and their two risks, each of shape (2, n_outputs)."""

    def work(fold: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if fold == n_folds:
            return effects.solve(rows.gather(), penalty), np.empty(0)
        others = rows.gather(without=fold)
        found = effects.solve(others, penalty)
        return found, effects.measure_risk(rows.hold_out(fold, others), found)

    solutions, risks = zip(*map_threads(work, range(n_folds + 1)), strict=True)
    return solutions[-1], list(solutions[:-1]), list(risks[:-1])
