"""How far shape functions move with the rows: masked main effects beside a plain additive model's (InstaSHAP, Appendix D.1)."""

from dataclasses import dataclass

import numpy as np

from ..masked.fitter import ClosedFormFitter, FitRecord, FitResult
from ..masked.moments import accumulate_moments, merge_all
from ..masked.solve import solve_problem
from .figures import N_GROUPS
from .held_rows import Rows, take_encoded


@dataclass(frozen=True)
class Stability:
    """Spread of main-effect shapes over a delete-a-group jackknife of the rows, in standard deviations of the output.

    Attributes
    ----------
    masked : float
        That of shapes fitted under masks, each counting as soon as its own column is known: root mean square over rows and
        columns of a shape's standard error.
    plain : float
        That of an additive model of the same columns fitted at the full coalition alone.
    """

    masked: float
    plain: float

    @property
    def ratio(self) -> float:
        """Plain over masked: above 1 where masks steady the shapes."""
        return self.plain / self.masked if self.masked > 0 else 1.0


def measure_stability(record: FitRecord, rows: Rows) -> Stability | None:
    """Stability of the main effects of a fit's columns; None if there is nothing to compare.

    Both models choose their own smoothness, by their own held-out risk; it is then kept while groups of rows are left out.
    """
    d = len(record.size_law) - 1
    if d < 2 or len(rows) < 2 * N_GROUPS or not np.ptp(record.outputs, axis=0).any():
        return None
    full = np.zeros(d + 1)
    full[d] = 1.0
    fitter = ClosedFormFitter(record.columns, record.players, order=1, presence_order=1)
    data = record.encoded, record.outputs, record.weights
    return Stability(*(_spread_shapes(fitter.fit(*data, law), record, rows) for law in (record.size_law, full)))


def _spread_shapes(result: FitResult, record: FitRecord, rows: Rows) -> float:
    functions, problem = result.solved.functions, result.solved.problem
    penalty = result.chosen.strengths.penalise(functions)
    groups = []
    for places in (np.flatnonzero(rows.groups == group) for group in range(N_GROUPS)):
        if len(places):
            data = take_encoded(record.encoded, places), record.outputs[places], record.weights[places]
            groups.append(accumulate_moments(functions.evaluate, *data, len(functions)))
    total = merge_all(groups)
    found = []
    for group in groups:
        train = total - group
        gram, cross, _ = train.around(train)
        found.append(problem.merge(solve_problem(problem, gram, cross, penalty).coefficients))
    deviations = np.array(found) - np.mean(found, axis=0)  # (n_groups, n_functions, n_outputs)
    gram, _, _ = total.around(total)
    variances = total.output_scatter / total.weight
    live = variances > 0
    own = gram * (functions.owners[:, None] == functions.owners)
    moved = np.einsum("guo,uv,gvo->o", deviations, own, deviations, optimize=True)
    variance = (len(groups) - 1) / len(groups) * moved[live] / variances[live]
    return float(np.sqrt(variance.mean() / max(len(functions.value_sets), 1)))
