"""How far shape functions move with the rows: masked main effects beside a plain additive model's (InstaSHAP, Appendix D.1)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..additive.fitter import FitRecord
from ..additive.moments import Moments, accumulate_moments, merge_all
from ..additive.solve import MaskedProblem, Penalty, make_problem, solve_problem
from .figures import N_GROUPS
from .rung import Rows, take_encoded


@dataclass(frozen=True)
class Stability:
    """Spread of main-effect shapes over a delete-a-group jackknife of the rows, in standard deviations of the output.

    Attributes
    ----------
    masked : float
        Of shapes fitted under masks, each counting as soon as its own column is known: root mean square over rows and
        columns of a shape's standard error.
    plain : float
        Of the additive model of the same functions and penalties fitted at the full coalition alone.
    """

    masked: float
    plain: float

    @property
    def ratio(self) -> float:
        """Plain over masked: above 1 where masks steady the shapes."""
        return self.plain / self.masked if self.masked > 0 else 1.0


def measure_stability(record: FitRecord, rows: Rows) -> Stability | None:
    """Stability of the main effects of a fit; None if there is nothing to compare."""
    solved, result = record.result.solved, record.result
    functions = solved.functions.select(solved.functions.sizes == 1)
    d = len(record.size_law) - 1
    if d < 2 or not len(functions) or len(rows) < 2 * N_GROUPS or not np.ptp(record.outputs, axis=0).any():
        return None
    groups = []
    for group in range(N_GROUPS):
        places = np.flatnonzero(rows.groups == group)
        if len(places):
            data = take_encoded(record.encoded, places), record.outputs[places], record.weights[places]
            groups.append(accumulate_moments(functions.evaluate, *data, len(functions)))
    total = merge_all(groups)
    full = np.zeros(d + 1)
    full[d] = 1.0
    penalty = result.chosen.strengths.penalise(functions)
    ranks = result.chosen.candidate.extra_ranks
    spreads = []
    for law in (record.size_law, full):
        problem = make_problem(functions, (), ranks, record.players, law)
        spreads.append(_spread_shapes(problem, penalty, groups, total, functions.owners))
    return Stability(*spreads)


def _spread_shapes(
    problem: MaskedProblem, penalty: Penalty, groups: list[Moments], total: Moments, owners: NDArray[np.int64]
) -> float:
    found = []
    for group in groups:
        train = total - group
        gram, cross, _ = train.around(train)
        found.append(solve_problem(problem, gram, cross, penalty).coefficients)
    deviations = np.array(found) - np.mean(found, axis=0)  # (n_groups, n_functions, n_outputs)
    gram, _, _ = total.around(total)
    variances = total.output_scatter / total.weight
    live = variances > 0
    own = gram * (owners[:, None] == owners)
    moved = np.einsum("guo,uv,gvo->o", deviations, own, deviations, optimize=True)
    variance = (len(groups) - 1) / len(groups) * moved[live] / variances[live]
    return float(np.sqrt(variance.mean() / (owners.max() + 1)))
