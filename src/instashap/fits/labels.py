"""From a user's table and labels to the fitted game of the scores of a likelihood: the stages in order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import FitWarning, warn_caller
from .._validation import check_magnitude
from ..fitted.fit_kind import FitKind
from ..fitted.game import FittedGame, GameRows
from ..likelihood.family import Family
from ..likelihood.likelihood_fitter import LikelihoodFitter
from ..likelihood.presence import ConditionalFit, fit_presence
from ..likelihood.pure_tables import purify_tables
from ..likelihood.stages import LabelledRows, LikelihoodFit
from ..masked.codes import find_codes
from ..table.bases import LearntColumn
from ..table.columns import Table
from ..table.encoding import TableEncoder, learn_table
from ..table.grain import make_fine_grain
from .conditional import warn_about_order
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
    record = GameRows(encoded, weights, columns, ready.size_law)
    game = FittedGame(ready.encoder, model, *named, facts, rows=record, kind=FitKind.LIKELIHOOD)
    return LabelFit(game, columns, fit)


def _learn_columns(
    table: Table, family: Family, target: NDArray[np.float64], weights: NDArray[np.float64], constrained: list[int]
) -> Learnt:
    """Columns of fine grain; those that are no set of levels yet are codes where the labels say so, unless constrained."""
    grain = make_fine_grain(float(weights.sum()))
    encoder, columns = learn_table(table, weights, grain, constrained)
    curves = [position for position, column in enumerate(encoder.columns) if not column.values and position not in constrained]
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
