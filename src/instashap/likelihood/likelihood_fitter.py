"""Value tables fitted to labels by penalised likelihood; held-out deviance chooses the level of the penalties and the order.

The unknowns are the value tables themselves. A pass over the encoded rows gives the loss and its gradient; a descent
preconditioned by every term's own banded block needs some tens of passes, however many tables there are. The strengths of a
term are the precisions of its prior. Empirical Bayes (:meth:`Roughness.learn`) estimates two for each term, but shrinks too
much where rows are few; all strengths are therefore multiplied by the common factor that minimises the held-out loss.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._status import merge_worst, warn_unless_converged
from ..game.terms import ValueSet, close_downwards
from ..masked.folds import assign_folds, find_varying
from ..masked.solve import ADVICE
from ..table.bases import LearntColumn
from .family import Family
from .propose import propose_interactions, score_products
from .roughness import Roughness, TermStrengths
from .stages import Fold, FoldState, LabelledRows, LikelihoodFit, Stage, rearrange
from .steps import PenalisedLoss, Pull, compute_curvature, count_steps
from .tables import TableDesign

N_FOLDS = 5
# Held-out rows per output that suffice to compare candidates: small tables use all folds, larger ones a few.
HELD_OUT_ROWS = 5000
# Strengths are properties of the functions, not of the rows: of a large table, so many rows suffice to choose them. The last
# fit uses all rows.
TUNING_ROWS = 60_000
# The most rounds in which strengths are estimated anew.
MAX_ROUNDS = 4
# Least and greatest number of steps: of a first descent, of one that starts near its end, and of the last one on all rows. The
# work decides between the two. After 10 steps, held-out losses of 450 rows still change by half a nat when a column changes
# its unit; after 60 steps by a hundredth.
FIRST_STEPS, NEXT_STEPS, LAST_STEPS = (20, 60), (10, 60), (60, 500)
NEXT_WORK, LAST_WORK = 6e7, 1.5e9
TOLERANCE, LAST_TOLERANCE = 1e-12, 1e-20
# Warn above this relative residual of the last descent; Shapley values then have relative errors of about a thousandth.
POOR_RESIDUAL = 1e-3
FACTOR = 8.0
MAX_FACTORS = 8
# Least decrease of the summed held-out loss, in nats, for which a change is kept; one nat is within chance. The first figure
# is for a new level and for one round of learning, the second for all rounds together and for a higher order.
MIN_GAIN, MIN_STAGE_GAIN = 0.3, 3.0
# A higher order must also gain so many standard errors of the differences per row, as the same rows chose both strengths.
ORDER_ERRORS = 2.0
# Limits on the interactions that "auto" adds: rows for each one, entries of all tables, and products per pass.
ROWS_PER_INTERACTION = 4
MAX_ENTRIES = 1_500_000
MAX_WORK = 6e8
# An interaction that uses fewer degrees of freedom an output is left out.
MIN_FREEDOM = 0.5


@dataclass
class LikelihoodFitter:
    """Fitter of additive value tables by the highest penalised likelihood.

    Parameters
    ----------
    columns : tuple of LearntColumn
    family : Family
    order : int
        The most columns a table may read, 1 to 3.
    interactions : "auto", "all", int, or list of column tuples
        "auto" keeps them only if they lower the held-out deviance; any other value is fitted as given.
    n_threads : int
        The result has the same bits for any number of threads.
    directions : tuple of int
        One per column: 1 if scores may not fall with it, -1 if they may not rise, 0 if free; empty if all are free.
    progress : callable or None
        Called with the share of the work that is done (0 to 1) and the name of the stage.
    """

    columns: tuple[LearntColumn, ...]
    family: Family
    order: int = 2
    interactions: Any = "auto"
    n_threads: int = 1
    directions: tuple[int, ...] = ()
    progress: Callable[[float, str], None] | None = None
    _tried: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def fit(self, rows: LabelledRows) -> LikelihoodFit:
        """The fit of all rows, with the order, terms and strengths that held-out rows chose."""
        self._tried = []
        folds = self._split(rows)
        constant = self._judge(self._start(folds), folds)
        stage = self._tune(constant, folds)
        self._report(0.2, "main effects")
        for size in range(2, self.order + 1):
            richer = self._add_interactions(stage, size, folds[0][0])
            if richer is None:
                break
            richer = self._tune(richer, folds)
            self._report(0.2 + 0.3 * (size - 1), f"terms of {size} columns")
            if self.interactions == "auto" and not richer.beats(stage, MIN_STAGE_GAIN, ORDER_ERRORS):
                break
            stage = richer
        fit = self._finish(self._prune(stage, folds), rows)
        if stage.weight and constant.beats(stage, 0.0):
            fit = self._keep_intercepts(fit, rows, constant.deviance)
        self._report(0.9, "likelihood")
        return fit

    def _split(self, rows: LabelledRows) -> list[Fold]:
        """Training and held-out rows of as many folds as :data:`HELD_OUT_ROWS` needs."""
        total = float(rows.weights.sum())
        n_folds = max(N_FOLDS, int(np.ceil(N_FOLDS * total / TUNING_ROWS)))
        folds = [part for part, _ in assign_folds(rows.encoded, rows.target[:, None], rows.weights, n_folds)]
        if len(folds) < 2 or len(folds[0]) == len(rows.target):
            return [(rows, None)]
        n_used = int(np.clip(np.ceil(HELD_OUT_ROWS / self.family.n_outputs * len(folds) / total), 1, N_FOLDS))
        trains = [np.sort(np.concatenate(folds[:used] + folds[used + 1 : N_FOLDS + 1])) for used in range(n_used)]
        return [(rows.take(train), rows.take(held_out)) for train, held_out in zip(trains, folds, strict=False)]

    def _start(self, folds: Sequence[Fold]) -> Stage:
        """Tables of zeros for the columns that vary, and constant scores."""
        rows, held_out = folds[0]
        varying = find_varying(rows.encoded)
        if held_out is not None:
            varying |= find_varying(held_out.encoded)
        used = np.flatnonzero(varying) if varying.any() else np.arange(len(self.columns))
        value_sets = tuple((column,) for column in used.tolist())
        design = TableDesign(self.columns, value_sets, self.family.n_outputs, self.n_threads)
        states = []
        for rows, _ in folds:
            vector = np.zeros(len(design))
            vector[design.starts[-1] :] = self.family.start(rows.target, rows.weights)
            information = compute_curvature(self.family, design, vector, rows)[1]
            n_terms = len(design.value_sets)
            states.append(FoldState(vector, TermStrengths.start([1] * n_terms, information), np.zeros(n_terms), 1.0))
        return Stage(design, tuple(states))

    def _tune(self, stage: Stage, folds: Sequence[Fold]) -> Stage:
        """The stage with strengths of least held-out loss: a common factor, each term's own strengths, and a factor again.

        One round of learning does not converge. Rounds are repeated while each lowers the held-out loss; their result is kept
        if all together lower it by :data:`MIN_STAGE_GAIN`.
        """
        prior = Roughness(stage.design)
        best = self._scale_strengths(self._advance(stage, prior, folds, FIRST_STEPS, "first"), prior, folds)
        start = best
        for _ in range(MAX_ROUNDS):
            pairs = zip(best.states, folds, strict=True)
            states = tuple(self._make_loss(stage.design, prior, rows).learn(state) for state, (rows, _) in pairs)
            trial = self._advance(replace(best, states=states), prior, folds, NEXT_STEPS, "learnt")
            if not trial.beats(best, MIN_GAIN):
                break
            best = trial
        return self._scale_strengths(best, prior, folds) if best.beats(start, MIN_STAGE_GAIN) else start

    def _scale_strengths(self, stage: Stage, prior: Roughness, folds: Sequence[Fold]) -> Stage:
        """The stage with all roughnesses, then all ridges, raised or else lowered while the held-out loss falls."""
        best = stage
        for name in ("roughness", "ridge"):
            before = best
            for factor in (FACTOR, 1.0 / FACTOR):
                for _ in range(MAX_FACTORS if stage.weight else 0):
                    states = tuple(replace(state, strengths=state.strengths.scale(name, factor)) for state in best.states)
                    trial = self._advance(replace(best, states=states), prior, folds, NEXT_STEPS, f"{name} × {factor:g}")
                    if not trial.beats(best, MIN_GAIN):
                        break
                    best = trial
                if best is not before:
                    break
        return best

    def _judge(self, stage: Stage, folds: Sequence[Fold]) -> Stage:
        """The stage with its mean loss on the held-out rows."""
        noise, weight = 0.0, 0.0
        losses: list[NDArray[np.float64]] = [np.empty(0)]
        row_weights: list[NDArray[np.float64]] = [np.empty(0)]
        for state, (_, held_out) in zip(stage.states, folds, strict=True):
            if held_out is not None:
                scores, own = stage.design.score(state.vector, held_out.encoded), float(held_out.weights.sum())
                losses.append(self.family.differentiate(scores, held_out.target)[0])
                row_weights.append(held_out.weights)
                noise += own * self.family.measure_noise(scores, held_out.target, held_out.weights)
                weight += own
        parts = np.concatenate(losses), np.concatenate(row_weights)
        judged = (float(parts[1] @ parts[0]) / weight, noise / weight, weight) if weight else (np.inf, 1.0, 0.0)
        return Stage(stage.design, stage.states, *judged, *parts)

    def _keep_intercepts(self, fit: LikelihoodFit, rows: LabelledRows, deviance: float) -> LikelihoodFit:
        """The intercepts alone, for a fit whose tables predict held-out rows worse than these do."""
        vector = np.zeros(len(fit.design))
        vector[fit.design.starts[-1] :] = self.family.start(rows.target, rows.weights)
        note = (
            f"the held-out loss of the fit is {fit.deviance:.4g} per row, above the {deviance:.4g} of the base value alone, "
            "which is kept instead: every effect is 0; more rows or fewer columns may help"
        )
        return replace(fit, vector=vector, freedom=np.zeros_like(fit.freedom), deviance=deviance, note=note)

    def _advance(
        self, stage: Stage, prior: Roughness, folds: Sequence[Fold], steps: tuple[int, int], what: str
    ) -> Stage:
        """The stage after a descent on every fold's training rows under the states' strengths, with its held-out loss."""
        states = tuple(
            self._make_loss(stage.design, prior, rows).descend(
                state, count_steps(stage.design, rows, NEXT_WORK, steps), TOLERANCE
            )
            for state, (rows, _) in zip(stage.states, folds, strict=True)
        )
        judged = self._judge(replace(stage, states=states), folds)
        order = max(map(len, stage.design.value_sets))
        self._tried.append(
            {
                "order": order,
                "strengths": what,
                "n_terms": len(stage.design.value_sets),
                "deviance": judged.deviance if judged.weight else None,
                "residual": merge_worst(state.status for state in states).residual,
            }
        )
        return judged

    def _add_interactions(self, stage: Stage, size: int, rows: LabelledRows) -> Stage | None:
        """The stage with further interactions of a size, whose tables are zero; None if there are none to add."""
        known = stage.design.value_sets

        def get_scores() -> dict[ValueSet, float]:
            scores = stage.design.score(stage.states[0].vector, rows.encoded)
            _, gradient, _ = self.family.differentiate(scores, rows.target)
            return score_products(self.columns, rows.encoded, gradient, rows.weights)

        found = propose_interactions(
            size, known, self.interactions, get_scores, lambda candidates: self._count_affordable(candidates, rows)
        )
        if not found:
            return None
        value_sets = tuple(sorted([*known, *found], key=lambda values: (len(values), values)))
        design = TableDesign(self.columns, value_sets, self.family.n_outputs, self.n_threads)
        states = []
        for state in stage.states:
            _, information = compute_curvature(self.family, stage.design, state.vector, rows)
            states.append(rearrange(stage.design, state, design, information))
        return Stage(design, tuple(states))

    def _count_affordable(self, candidates: Sequence[ValueSet], rows: LabelledRows) -> int:
        """How many of the candidates "auto" may add."""
        if not candidates:
            return 0
        design = TableDesign(self.columns, tuple(candidates), self.family.n_outputs)
        share = min(MAX_ENTRIES / len(design), MAX_WORK / (design.work * rows.weights.sum()))
        return max(int(min(share * len(candidates), rows.weights.sum() / ROWS_PER_INTERACTION)), 1)

    def _prune(self, stage: Stage, folds: Sequence[Fold]) -> Stage:
        """The stage without interactions that use fewer than :data:`MIN_FREEDOM` degrees of freedom, if "auto" chose them."""
        if self.interactions != "auto" or not stage.weight:
            return stage
        prior, known = Roughness(stage.design), stage.design.value_sets
        pairs = zip(stage.states, folds, strict=True)
        learnt = [self._make_loss(stage.design, prior, rows).learn(state) for state, (rows, _) in pairs]
        freedom = np.mean([state.freedom for state in learnt], axis=0) / self.family.n_outputs
        kept = close_downwards(values for values, used in zip(known, freedom, strict=True) if used >= MIN_FREEDOM)
        value_sets = tuple(values for values in known if len(values) == 1 or values in set(kept))
        design = TableDesign(self.columns, value_sets, self.family.n_outputs, self.n_threads)
        return replace(
            stage, design=design, states=tuple(rearrange(stage.design, state, design, 1.0) for state in stage.states)
        )

    def _finish(self, stage: Stage, rows: LabelledRows) -> LikelihoodFit:
        """The fit of all rows with the folds' mean strengths; the descent starts from their mean tables."""
        design = stage.design
        strengths = TermStrengths.average([state.strengths for state in stage.states], self.family.strength_unit)
        vector = np.mean([state.vector for state in stage.states], axis=0)
        state = FoldState(vector, strengths, stage.states[0].freedom, float(np.mean([each.scale for each in stage.states])))
        return self._conclude(design, state, rows, stage.deviance)

    def refit(self, rows: LabelledRows, former: LikelihoodFit) -> LikelihoodFit:
        """The fit of other rows with the terms and strengths of a former fit; the descent starts from its tables."""
        self._tried = list(former.tried)
        design = replace(former.design, n_threads=self.n_threads)
        state = FoldState(former.vector, former.strengths, former.freedom, 1.0)
        return self._conclude(design, state, rows, former.deviance)

    def smooth_again(self, rows: LabelledRows, former: LikelihoodFit) -> LikelihoodFit:
        """The fit of labels that are what a former fit expects: it differs from that fit by the bias of the penalty.

        To first order the penalty S moves tables β by ``-(H + S)⁻¹ S β``, H the curvature of the likelihood. The tables of the
        fit stand for β. Its gradient at them is subtracted from the loss, which for binary labels and counts is the same as to
        replace the labels by the fitted probabilities and means. Monotone tables are made monotone again.
        """
        design = replace(former.design, n_threads=self.n_threads)
        loss = self._make_loss(design, Roughness(design), rows)
        state = FoldState(former.vector, former.strengths, former.freedom, 1.0)
        pull = Pull(tilt=-loss.differentiate(former.vector)[1])
        state = loss.descend(state, count_steps(design, rows, LAST_WORK, LAST_STEPS), LAST_TOLERANCE, pull)
        vector = loss.constrain(state, self.directions, pull) if any(self.directions) else state.vector
        return replace(former, vector=design.centre(vector))

    def _conclude(self, design: TableDesign, state: FoldState, rows: LabelledRows, deviance: float) -> LikelihoodFit:
        """The fit of all rows with a state's strengths; warns if the descent did not converge."""
        loss = self._make_loss(design, Roughness(design), rows)
        state = loss.descend(state, count_steps(design, rows, LAST_WORK, LAST_STEPS), LAST_TOLERANCE)
        status = state.status.accept(POOR_RESIDUAL).name("the equations of the highest penalised likelihood", ADVICE)
        warn_unless_converged(status)
        freedom = loss.learn(state).freedom
        vector = loss.constrain(state, self.directions) if any(self.directions) else state.vector
        tables, tried = design.centre(vector), tuple(self._tried)
        return LikelihoodFit(design, tables, state.strengths, freedom, deviance, tried, status=status)

    def _make_loss(self, design: TableDesign, prior: Roughness, rows: LabelledRows) -> PenalisedLoss:
        return PenalisedLoss(self.family, design, prior, rows)

    def _report(self, share: float, what: str) -> None:
        if self.progress is not None:
            self.progress(share, what)
