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
    from .problem import MaskedProblem, Penalty

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
        return _centre(self.values[fold].copy(), self.outputs[fold], shares, centre.means, centre.output_means)


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
    """Rows about some means; ``values`` are overwritten."""
    root = np.sqrt(shares)
    values -= means[:, None]
    values *= root
    return Centred(values, (outputs - output_means) * root[:, None], means, output_means)


@dataclass(frozen=True)
class MainEffects:
    """A problem in which every function counts with its own player alone.

    Attributes
    ----------
    single, pair, total : float
        Mass of the coalitions that hold one given player, two, and any.
    order : ndarray of shape (n_functions,), int64
        The functions player after player, players of as many functions together.
    shapes : tuple of (int, int)
        How many players in this order have how many functions each.
    """

    single: float
    pair: float
    total: float
    order: NDArray[np.int64]
    shapes: tuple[tuple[int, int], ...]

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
        order = np.lexsort((problem.presence, counts[problem.presence]))
        sizes, n_alike = np.unique(counts[counts > 0], return_counts=True)
        shapes = tuple(zip(n_alike.tolist(), sizes.tolist(), strict=True))
        masses = np.append(compute_containment_masses(problem.size_law), 0.0)
        return cls(float(masses[1]), float(masses[2]), float(masses[0]), order, shapes)

    def split(self, values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Views on values of the functions in ``order``, each of shape (n_players_alike, n_functions_of_each, ...)."""
        views, start = [], 0
        for n_players, size in self.shapes:
            stop = start + n_players * size
            views.append(values[start:stop].reshape(n_players, size, *values.shape[1:]))
            start = stop
        return views


class RowSystem:
    """Normal equations of main effects on some rows, solved under one penalty after another.

    Parameters
    ----------
    effects : MainEffects
    rows : Centred
    """

    def __init__(self, effects: MainEffects, rows: Centred) -> None:
        self.effects, self.rows = effects, rows
        self._values = rows.values[effects.order]
        self._grams = [(own @ own.transpose(0, 2, 1)) for own in effects.split(self._values)]

    def solve(self, penalty: Penalty) -> NDArray[np.float64]:
        """Coefficients of shape (n_functions, n_outputs)."""
        effects = self.effects
        scaled = np.empty_like(self._values)  # L⁻¹ B, with D = L Lᵀ
        parts = [effects.split(each) for each in (penalty.functions[effects.order], self._values, scaled)]
        roots = []
        for gram, own_penalty, own, target in zip(self._grams, *parts, strict=True):
            matrices = (effects.single - effects.pair) * gram
            diagonal = np.arange(gram.shape[1])
            matrices[:, diagonal, diagonal] += effects.single * own_penalty
            matrices[:, diagonal, diagonal] *= 1.0 + _JITTER
            matrices[:, diagonal, diagonal] += 1e-300
            roots.append(np.linalg.inv(np.linalg.cholesky(matrices)))
            np.matmul(roots[-1], own, out=target)
        kernel = effects.pair * (scaled.T @ scaled)
        kernel[np.diag_indices(len(kernel))] += 1.0
        factor = cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False)
        projected: NDArray[np.float64] = effects.single * (scaled @ cho_solve(factor, self.rows.outputs, check_finite=False))
        for root, part in zip(roots, effects.split(projected), strict=True):
            part[:] = root.transpose(0, 2, 1) @ part
        coefficients: NDArray[np.float64] = np.empty_like(projected)
        coefficients[effects.order] = projected
        return coefficients

    def measure_gradient(self, penalty: Penalty, coefficients: NDArray[np.float64]) -> float:
        """Largest residual of the normal equations relative to the right-hand side."""
        effects, values, own = self.effects, self._values, coefficients[self.effects.order]
        target = effects.single * (values @ self.rows.outputs)
        product = effects.pair * (values @ (values.T @ own))
        product += effects.single * penalty.functions[effects.order][:, None] * own
        for gram, part, found in zip(self._grams, effects.split(own), effects.split(product), strict=True):
            found += (effects.single - effects.pair) * (gram @ part)
        return float(np.abs(target - product).max(initial=0.0) / max(np.abs(target).max(initial=0.0), 1e-300))

    def measure_risk(self, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Masked risk, and risk at the full coalition, of other rows' coefficients on these; shape (2, n_outputs)."""
        effects, outputs, own = self.effects, self.rows.outputs, coefficients[self.effects.order]
        variance = (outputs**2).sum(axis=0)
        fitted = self._values.T @ own
        linear = (outputs * fitted).sum(axis=0)
        square = (fitted**2).sum(axis=0)
        alone = np.zeros_like(linear)
        for gram, part in zip(self._grams, effects.split(own), strict=True):
            alone += np.einsum("pic,pic->c", part, gram @ part)
        masked = effects.total * variance - 2 * effects.single * linear + effects.pair * square
        masked += (effects.single - effects.pair) * alone
        return np.stack([masked, variance - 2 * linear + square])


class RowSystems:
    """Main effects of all rows, and of those outside each of the first folds with the fold about their means."""

    def __init__(self, effects: MainEffects, rows: FoldRows, n_folds: int) -> None:
        def work(fold: int) -> tuple[RowSystem, RowSystem | None]:
            if fold == n_folds:
                return RowSystem(effects, rows.gather()), None
            others = RowSystem(effects, rows.gather(without=fold))
            return others, RowSystem(effects, rows.hold_out(fold, others.rows))

        self._systems = map_threads(work, range(n_folds + 1))

    def cross_validate(
        self, penalty: Penalty
    ) -> tuple[NDArray[np.float64], list[NDArray[np.float64]], list[NDArray[np.float64]], float]:
        """Coefficients of all rows, those without each fold, their two risks, and the largest residual of the former.

        Each risk is of shape (2, n_outputs); the residual is that of the normal equations, relative to their right-hand side.
        """

        def work(systems: tuple[RowSystem, RowSystem | None]) -> tuple[NDArray[np.float64], NDArray[np.float64] | float]:
            system, held_out = systems
            found = system.solve(penalty)
            return found, system.measure_gradient(penalty, found) if held_out is None else held_out.measure_risk(found)

        *folds, (whole, residual) = map_threads(work, self._systems)
        return whole, [found for found, _ in folds], [np.asarray(risk) for _, risk in folds], float(residual)
