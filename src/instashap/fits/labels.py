"""From a user's table and labels to the fitted game of the scores of a likelihood: the stages in order."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import FitWarning, warn_caller
from .._row_arrays import check_magnitude
from ..fitted.fit_kind import FitKind
from ..fitted.game import FittedGame, GameRows
from ..inference.uncertainty import N_GROUPS, assign_groups, compute_contrast
from ..likelihood.family import Family
from ..likelihood.likelihood_fitter import LikelihoodFitter
from ..likelihood.presence import ConditionalFit, fit_presence
from ..likelihood.pure_tables import purify_tables
from ..likelihood.stages import LabelledRows, LikelihoodFit
from ..masked.codes import find_codes
from ..masked.folds import are_counts, count_copies
from ..masked.synthetic import leave_out
from ..model.additive_model import AdditiveModel
from ..model.orthogonal import make_plain_model
from ..model.replicates import ModelReplicates
from ..table.bases import LearntColumn
from ..table.columns import Table
from ..table.encoding import TableEncoder, learn_table
from ..table.grain import make_fine_grain
from .conditional import warn_about_order
from .null_players import Roster
from .prepare import FitOptions, judge_options, prepare_rows

Learnt = tuple[TableEncoder, tuple[LearntColumn, ...]]


@dataclass(frozen=True)
class Labelled:
    """Rows with labels, and how they are to be fitted.

    Attributes
    ----------
    table : Table
    target : ndarray of shape (n_rows,), float64
        On the family's scale: class codes, counts, amounts.
    weights : ndarray of shape (n_rows,), float64
        A row of weight 0 is dropped first.
    family : Family
    options : FitOptions
    output_names : tuple of str
    output_transform : str
    directions : tuple of int
        Of each column: 1 if scores may not fall with it, -1 if they may not rise, 0 if free; empty if all are.
    n_threads : int
    progress : callable or None
    """

    table: Table
    target: NDArray[np.float64]
    weights: NDArray[np.float64]
    family: Family
    options: FitOptions
    output_names: tuple[str, ...]
    output_transform: str
    directions: tuple[int, ...] = ()
    n_threads: int = 1
    progress: Callable[[float, str], None] | None = None


@dataclass(frozen=True)
class LabelFit:
    """A game of fitted scores, and the tables it was made of."""

    game: FittedGame
    columns: tuple[LearntColumn, ...]
    likelihood: LikelihoodFit


def fit_labels(rows: Labelled, former: LabelFit | None = None) -> LabelFit:
    """The game of tables fitted by penalised likelihood: they are purified, and presence terms fitted without changing scores.

    Columns, terms and strengths of a ``former`` fit are kept, and its tables are where the descent starts.
    """
    check_magnitude(rows.target, "the labels")
    judged = judge_options(rows.options, rows.table.schema.names)
    constrained = [column for column, direction in enumerate(rows.directions) if direction]

    def learn(table: Table, target: NDArray[np.float64], weights: NDArray[np.float64]) -> Learnt:
        if former is not None:
            return former.game.encoder, former.columns
        return _learn_columns(table, rows.family, target, weights, constrained)

    ready = prepare_rows(rows.table, rows.target, rows.weights, judged, learn)
    columns, encoded, weights, roster = ready.columns, ready.encoded, ready.weights, ready.roster
    asked = judged.order, judged.interactions, rows.n_threads, rows.directions, rows.progress
    fitter, given = LikelihoodFitter(columns, rows.family, *asked), LabelledRows(encoded, ready.target, weights)
    fit = fitter.fit(given) if former is None else fitter.refit(given, former.likelihood)
    pure = purify_tables(fit.design, fit.vector, encoded, weights)
    conditional = fit_presence(columns, pure, encoded, weights, roster.players, ready.size_law, judged.presence_order)
    model = roster.spread(conditional.model)
    if fit.note:
        warn_caller(fit.note, FitWarning)
    else:
        warn_about_order(model, (each["order"] for each in fit.tried), judged.order, judged.interactions)
    facts = _describe(fit, conditional, rows, len(ready.target), float(weights.sum()))
    named = judged.feature_names, judged.players, rows.output_names, rows.output_transform, "conditional"
    finish = Finisher(columns, roster, ready.size_law, None if conditional.strength is None else conditional.presence_order)
    record = GameRows(
        encoded, weights, columns, ready.size_law, lambda: replicate_fit(fitter, given, fit, finish, model)
    )
    game = FittedGame(ready.encoder, model, *named, facts, rows=record, kind=FitKind.LIKELIHOOD)
    return LabelFit(game, columns, fit)


@dataclass(frozen=True)
class Finisher:
    """The steps from fitted tables to a model: purify, and move parts to presence sets.

    Attributes
    ----------
    columns : tuple of LearntColumn
    roster : Roster
    size_law : ndarray of shape (n_players + 1,), float64
    presence_order : int or None
        As the fit chose it; None if nothing was moved.
    """

    columns: tuple[LearntColumn, ...]
    roster: Roster
    size_law: NDArray[np.float64]
    presence_order: int | None

    def finish(self, fit: LikelihoodFit, rows: LabelledRows) -> AdditiveModel:
        """The model of a fit to these rows."""
        pure = purify_tables(fit.design, fit.vector, rows.encoded, rows.weights)
        if self.presence_order is None:
            bases = tuple(column.encoder.bases for column in self.columns)
            sizes = self.roster.players, len(self.size_law) - 1
            return self.roster.spread(make_plain_model(bases, pure.tables, pure.base_value, *sizes))
        given = self.columns, pure, rows.encoded, rows.weights, self.roster.players, self.size_law, self.presence_order
        return self.roster.spread(fit_presence(*given).model)


def replicate_fit(
    fitter: LikelihoodFitter, rows: LabelledRows, fit: LikelihoodFit, finisher: Finisher, model: AdditiveModel
) -> ModelReplicates:
    """Refits without each of 20 groups of rows, with the terms and strengths of the fit; descents start from its tables.

    A last one, which counts by itself, differs from the fit by the bias of smoothing (:meth:`.LikelihoodFitter.smooth_again`).
    """
    rows, copies = _merge_copies(rows)  # a group then takes some of a row's weight, not of one of its copies
    groups = assign_groups(rows.encoded, rows.target[:, None], rows.weights, N_GROUPS, copies)
    found = []
    for group in groups:
        weights = leave_out(rows.weights, group)
        kept = np.flatnonzero(weights > 0)
        left = LabelledRows(rows.encoded.take(kept), rows.target[kept], weights[kept])
        found.append(finisher.finish(_refit(fitter, left, fit), left))
    shares = np.array([own.sum() for _, own in groups])
    contrast = compute_contrast(shares / shares.sum())
    if not fit.note:
        found.append(finisher.finish(fitter.smooth_again(rows, fit), rows))
        contrast = np.pad(contrast, (0, 1))
        contrast[-1, -1] = 1.0
    return ModelReplicates(model, tuple(found), contrast)


def _merge_copies(rows: LabelledRows) -> tuple[LabelledRows, NDArray[np.float64]]:
    """Different rows, each with the total weight of its copies, and their number; copies have equal weights, if no counts."""
    own = np.zeros((len(rows.weights), 0)) if are_counts(rows.weights) else rows.weights[:, None]
    keys = np.column_stack([*rows.encoded, rows.target, own])
    _, first, owner = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    totals, copies = (
        np.bincount(owner.reshape(-1), weights=each).astype(np.float64) for each in (rows.weights, count_copies(rows.weights))
    )
    return replace(rows.take(first), weights=totals), copies


def _refit(fitter: LikelihoodFitter, rows: LabelledRows, fit: LikelihoodFit) -> LikelihoodFit:
    """A fit of other rows; where the intercepts alone were kept, of these alone."""
    if not fit.note:
        return fitter.refit(rows, fit)
    vector = np.zeros_like(fit.vector)
    vector[fit.design.starts[-1] :] = fitter.family.start(rows.target, rows.weights)
    return replace(fit, vector=vector)


def _learn_columns(
    table: Table, family: Family, target: NDArray[np.float64], weights: NDArray[np.float64], constrained: list[int]
) -> Learnt:
    """Columns of fine grain; those that are no set of levels yet are codes where the labels say so, unless constrained."""
    grain = make_fine_grain(float(weights.sum()))
    encoder, columns = learn_table(table, weights, grain, constrained)
    known = {*constrained, *table.bases}
    curves = [position for position, column in enumerate(encoder.columns) if not column.values and position not in known]
    outputs = np.eye(family.n_outputs)[target.astype(np.int64)] if family.n_outputs > 1 else target[:, None]
    codes = find_codes(table, encoder, columns, outputs, weights, grain.n_intervals + 1, curves)
    return learn_table(table, weights, grain, constrained, codes) if codes else (encoder, columns)


def _describe(
    fit: LikelihoodFit, conditional: ConditionalFit, rows: Labelled, n_rows: int, total_weight: float
) -> dict[str, Any]:
    """Figures of the fit as JSON."""
    return {
        "n_rows": n_rows,
        "total_weight": total_weight,
        "loss": type(rows.family).__name__.lower(),
        **getattr(rows.family, "settings", {}),
        "chosen": {
            "order": max(map(len, fit.design.value_sets)),
            "presence_order": conditional.presence_order,
            "n_unknowns": len(fit.design),
            "degrees_of_freedom": float(fit.freedom.sum()),
            "deviance": float(fit.deviance) if np.isfinite(fit.deviance) else None,
            "presence_penalty": conditional.strength,
            "masked_risk_saved": conditional.risk_saved,
            "fidelity": None,
        },
        "tried": list(fit.tried),
        "status": fit.status.to_dict(),
    }
