"""Steps of a fit by likelihood on some rows: curvature, a descent, new strengths, and constraints of monotonicity."""

from __future__ import annotations  # functions are defined in every descent: their annotations are not evaluated

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .descent import descend
from .family import Family
from .monotone import Monotone
from .roughness import Roughness
from .stages import FoldState, LabelledRows
from .tables import Products, TableDesign

# Limits of each descent within the rounds that make tables monotone.
_PULLED_STEPS, _PULLED_TOLERANCE = 10, 1e-20
# The most such rounds, and the distance from monotone tables, relative to the largest entry, at which they end.
MAX_MONOTONE_ROUNDS = 100
MONOTONE_TOLERANCE = 1e-4


class Pull(NamedTuple):
    """Term ``½ Σ stiffness (vector - centre)² + Σ tilt · vector`` that is added to a penalised loss."""

    centre: NDArray[np.float64] | float = 0.0
    stiffness: NDArray[np.float64] | float = 0.0
    tilt: NDArray[np.float64] | float = 0.0


_FREE = Pull()


def compute_curvature(
    family: Family, design: TableDesign, vector: NDArray[np.float64], rows: LabelledRows, products: Products = None
) -> tuple[NDArray[np.float64], float]:
    """Curvature of the likelihood, summed at the nodes, and its mean over rows and outputs."""

    def work(block: slice, scores: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        _, _, curvature = family.differentiate(scores, rows.target[block])
        return 0.0, rows.weights[block, None] * curvature

    _, curvature = design.pass_over(vector, rows.encoded, work, products)
    return curvature, float(curvature[design.starts[-1] :].mean() / rows.weights.sum())


def count_steps(design: TableDesign, rows: LabelledRows, work: float, bounds: tuple[int, int]) -> int:
    """Number of steps that need ``work`` products in all, clipped to bounds."""
    return int(np.clip(work / (design.work * rows.weights.sum()), *bounds))


@dataclass(frozen=True)
class PenalisedLoss:
    """Loss of a design's tables on rows, plus the penalty of their prior.

    Attributes
    ----------
    family : Family
    design : TableDesign
    prior : Roughness
    rows : LabelledRows
    """

    family: Family
    design: TableDesign
    prior: Roughness
    rows: LabelledRows

    def differentiate(
        self, vector: NDArray[np.float64], products: Products = None
    ) -> tuple[float, NDArray[np.float64]]:
        """The loss of tables on the rows, without the penalty, and its gradient."""

        def work(block: slice, scores: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            loss, gradient, _ = self.family.differentiate(scores, self.rows.target[block])
            return float(self.rows.weights[block] @ loss), self.rows.weights[block, None] * gradient

        return self.design.pass_over(vector, self.rows.encoded, work, products)

    def descend(self, state: FoldState, max_steps: int, tolerance: float, pull: Pull = _FREE) -> FoldState:
        """The state after a descent from its tables under its strengths."""
        design, prior, rows, strengths = self.design, self.prior, self.rows, state.strengths
        products = design.find_products(rows.encoded)

        def objective(vector: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            loss, gradient = self.differentiate(vector, products)
            rough = prior.multiply(vector, strengths)
            if pull is _FREE:
                return loss + 0.5 * float(vector @ rough), gradient + rough
            away = vector - pull.centre
            pulled = pull.stiffness * away
            tilted = float((pull.tilt * vector).sum())
            return loss + 0.5 * float(vector @ rough + pulled @ away) + tilted, gradient + rough + pulled + pull.tilt

        curvature = design.tie(compute_curvature(self.family, design, state.vector, rows, products)[0])
        precondition = prior.precondition(curvature + pull.stiffness, strengths)
        descent = descend(
            objective,
            state.vector,
            lambda target: design.tie(design.centre(precondition(design.tie(target)))),
            tolerance=tolerance,
            max_steps=max_steps,
            scale=state.scale,
        )
        return replace(state, vector=descent.point, scale=descent.scale, status=descent.status)

    def learn(self, state: FoldState) -> FoldState:
        """The state with new strengths and degrees of freedom, estimated from its tables and old strengths."""
        rows = self.rows
        curvature, information = compute_curvature(self.family, self.design, state.vector, rows)
        noise = self.family.measure_noise(self.design.score(state.vector, rows.encoded), rows.target, rows.weights)
        strengths, freedom = self.prior.learn(state.vector, state.strengths, curvature, noise, information)
        return replace(state, strengths=strengths, freedom=freedom)

    def constrain(self, state: FoldState, directions: tuple[int, ...], pull: Pull = _FREE) -> NDArray[np.float64]:
        """Tables of the highest penalised likelihood among the monotone ones; the tilt of a ``pull`` is added to the loss.

        Alternating direction method of multipliers (Boyd et al. 2011, section 5): descents with a quadratic term that pulls
        towards monotone tables alternate with projections onto monotone tables, in the metric of the likelihood's curvature.
        """
        monotone = Monotone(self.design, directions)
        curvature = self.design.tie(compute_curvature(self.family, self.design, state.vector, self.rows)[0])
        marks = monotone.mark()
        metric = marks * (curvature + 0.1 * curvature[marks > 0].mean())
        weights = np.where(marks > 0, metric, 1.0)
        goal, dual = monotone.project(state.vector, weights), np.zeros(len(self.design))  # dual: scaled multipliers
        for _ in range(MAX_MONOTONE_ROUNDS):
            state = self.descend(state, _PULLED_STEPS, _PULLED_TOLERANCE, Pull(goal - dual, metric, pull.tilt))
            goal = monotone.project(state.vector + dual, weights)
            dual += marks * (state.vector - goal)
            apart = np.abs(marks * (state.vector - goal)).max()
            if apart <= MONOTONE_TOLERANCE * np.abs(marks * goal).max():
                break
        return monotone.tilt(goal)
