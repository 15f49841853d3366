"""A fit in three verbs: plan it on a sample of the rows, accumulate sums over all rows, solve for the model.

The plan holds all that was learnt and chosen: columns, value functions, presence sets, and the rule that assigns rows to folds.
Sums over rows at one plan (:class:`instashap.masked.sums.RowSums`) are the only thing that touches all rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .._status import warn_unless_converged
from ..table.encoding import Encoded, TableEncoder
from .candidate import Candidate
from .design import ValueFunctions
from .expand import expand_solution
from .fitter import FitResult
from .fold_moments import FoldMoments
from .folds import FoldRule, learn_fold_rule
from .problem import MaskedProblem
from .search_limits import MAX_TUNED_PRESENCE
from .select import judge_problem, polish
from .strengths import Strengths
from .sums import RowSums

if TYPE_CHECKING:
    from .fitter import FitRecord


@dataclass(frozen=True)
class Plan:
    """What a fit has learnt and chosen on a sample of its rows; rows of any number can then be summed at it.

    Attributes
    ----------
    encoder : TableEncoder
    functions : ValueFunctions
        Those of the chosen candidate.
    problem : MaskedProblem
        Its unknowns; players are those that vary.
    candidate : Candidate
    strengths : Strengths
        Where the choice of strengths begins when the plan is solved.
    folds : FoldRule
    centre : ndarray of shape (n_outputs,), float64
        Outputs are summed about it.
    is_null : tuple of bool
        Whether each column belongs to a player that never varied.
    """

    encoder: TableEncoder
    functions: ValueFunctions
    problem: MaskedProblem
    candidate: Candidate
    strengths: Strengths
    folds: FoldRule
    centre: NDArray[np.float64]
    is_null: tuple[bool, ...] = field(default=())

    @property
    def size(self) -> int:
        """Functions, outputs and the constant: what products are summed of."""
        return 1 + len(self.functions) + len(self.centre)

    @property
    def n_sums(self) -> int:
        """Folds whose rows are summed apart."""
        return 1 if self.folds.is_shared else self.folds.n_folds

    def assign_folds(self, encoded: Encoded, outputs: NDArray[np.float64]) -> NDArray[np.int64]:
        """Fold of each row, below :attr:`n_sums`."""
        return np.zeros(len(outputs), dtype=np.int64) if self.folds.is_shared else self.folds.assign(encoded, outputs)

    @property
    def n_players(self) -> int:
        """Players that vary."""
        return len(self.problem.size_law) - 1


def make_plan(encoder: TableEncoder, record: FitRecord, is_null: tuple[bool, ...]) -> Plan:
    """The plan of a fit in closed form, from what it has seen."""
    result = record.result
    rows = record.encoded, record.outputs, record.weights
    return Plan(
        encoder,
        result.solved.functions,
        result.solved.problem,
        result.chosen.candidate,
        replace(result.chosen.strengths, synthetic=0.0),  # sums are of rows alone
        learn_fold_rule(*rows, result.n_folds),
        result.total.output_means,
        is_null,
    )


def solve_plan(plan: Plan, sums: RowSums) -> FitResult:
    """The model of the rows that were summed: strengths chosen anew by the folds' masked risk, without a pass over rows.

    Raises
    ------
    ValueError
        If the sums hold no rows: all were subtracted, or more than there were.
    """
    weights = sums.products[:, 0]
    if sums.n_rows <= 0 or not sums.total_weight > 0 or weights.min() < -_ROUNDING * sums.total_weight:
        raise ValueError(
            f"the moments describe {sums.n_rows:,} rows of total weight {sums.total_weight:g}, "
            f"the lightest fold {weights.min():g}: subtract only rows that were added before"
        )
    filled = np.flatnonzero(weights > _ROUNDING * sums.total_weight)
    if plan.folds.is_shared:
        n_folds = plan.folds.n_folds
        parts = [sums.describe_fold(0, plan.centre, 1.0 / n_folds)] * n_folds
    else:
        parts = [sums.describe_fold(fold, plan.centre) for fold in filled.tolist()]
    moments = FoldMoments.from_folds(plan.functions, parts)
    free = _list_free(plan) if len(parts) > 1 else ()
    chosen, solved = judge_problem(plan.problem, moments, plan.candidate, plan.strengths, free)
    solution = polish(moments, chosen, solved)
    warn_unless_converged(solution.status)
    model = expand_solution(
        solved.problem, solved.functions, solution, moments.total, plan.encoder.bases, plan.n_players, solved.base
    )
    return FitResult(model, (chosen,), chosen, solved, moments.total, plan.folds.n_folds, not plan.folds.is_shared)


# Share of the weight that is rounding of sums that were added and subtracted.
_ROUNDING = 1e-12


def _list_free(plan: Plan) -> tuple[str, ...]:
    """Strengths that are chosen anew, one after the other."""
    free = ("roughness", "ridge") if plan.candidate.order == 1 else ("roughness", "ridge", "interaction")
    has_presence = plan.candidate.presence_order > 1 and len(plan.problem) <= MAX_TUNED_PRESENCE
    return (*free, "presence") if has_presence else free
