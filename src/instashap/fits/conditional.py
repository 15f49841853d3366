"""From a user's table and outputs to a fitted game: the stages in order."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import FitWarning, warn_caller
from .._validation import check_choice, check_groups, check_interactions, check_magnitude, check_order, check_positive
from ..asked.differences import ComponentFit
from ..fitted.game import FittedGame
from ..game.coalitions import compute_shapley_size_law
from ..masked.codes import find_codes
from ..masked.fitter import FitRecord, FitResult
from ..masked.moments import count_copies, take_census
from ..masked.search import AXIS_LIMITS
from ..model.additive_model import AdditiveModel
from ..table.columns import Table
from ..table.encoding import learn_table
from .null_players import find_constant, make_roster
from .registry import find_fitter

# Columns have local bases for terms of one, two and three.
MAX_ORDER = 3

Progress = Callable[[float, str], None]
# What is told about a fit is in either.
FitSummary = FitResult | ComponentFit


@dataclass(frozen=True)
class FitOptions:
    """Choices of a fit, as the user gave them; see :class:`instashap.Explainer`."""

    order: Any = 2
    presence_order: Any = "auto"
    interactions: Any = "auto"
    fitter: Any = "closed-form"
    groups: Any = None
    full_weight: float = 1.0


def fit_game(
    table: Table,
    outputs: NDArray[np.float64],
    weights: NDArray[np.float64],
    options: FitOptions,
    *,
    output_names: tuple[str, ...],
    output_transform: str,
    progress: Progress | None = None,
) -> FittedGame:
    """Learn the columns, fit the masked additive model, and keep what explaining needs.

    Parameters
    ----------
    table : Table
    outputs : ndarray of shape (n_rows, n_outputs), float64
    weights : ndarray of shape (n_rows,), float64
        Rows of weight 0 are dropped first.
    options : FitOptions
    """
    plan = judge_options(options, table.schema.names)
    make_fitter = find_fitter(options.fitter)
    kept = np.flatnonzero(weights > 0)
    index = None if table.index is None else table.index[kept]
    if len(kept) < table.n_rows:
        table, outputs, weights = table.take(kept), outputs[kept], weights[kept]
    check_magnitude(outputs, "outputs")
    weights = thin_copies(table, outputs, weights)
    if progress is not None:
        progress(0.0, "columns")
    encoder, columns = learn_table(table, weights)
    codes = find_codes(table, encoder, columns, outputs, weights, AXIS_LIMITS[0]) if options.fitter == "closed-form" else ()
    if codes:
        encoder, columns = learn_table(table, weights, codes=codes)
    encoded = encoder.encode(table)
    roster = make_roster(plan.players, find_constant(encoded))
    fitter = make_fitter(
        columns,
        roster.players,
        order=plan.order,
        presence_order=plan.presence_order,
        interactions=plan.interactions,
        progress=progress,
    )
    size_law = compute_shapley_size_law(len(roster.varying), plan.full_weight)
    result = fitter.fit(encoded, outputs, weights, size_law)
    tell_about_fit(result, plan.order, plan.interactions)
    _tell_about_presence(result, plan.presence_order)
    names = name_outputs(output_names, outputs.shape[1])
    facts = describe_fit(result, table.n_rows, float(weights.sum()), plan.full_weight)
    record = FitRecord(encoded, outputs, weights, columns, roster.players, size_law, result, index)
    game = "conditional"
    return FittedGame(
        encoder, roster.spread(result.model), plan.feature_names, plan.players, names, output_transform, game, facts, record
    )


def thin_copies(table: Table, outputs: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights that sum to the number of different rows where every row was copied with its outputs; else as they are.

    Knots, unknowns and penalties then go by the different rows: copies, and large counts of rows of continuous columns, hold no
    information of their own (:class:`instashap.masked.moments.RowCensus`). Different outputs of equal rows are measurements.
    """
    values = np.column_stack([np.asarray(table.numbers, dtype=np.float64), *(codes for codes, _ in table.categories)])
    owner = _number_rows(values)
    if np.bincount(owner, weights=count_copies(weights)).min() < 2:
        return weights
    if _number_rows(np.column_stack([values, outputs])).max() > owner.max():
        return weights
    census = take_census(learn_table(table, weights)[0].encode(table), weights)
    return weights * (census.n_distinct / weights.sum()) if census.is_copied else weights


def _number_rows(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The same number for equal rows, from 0 on; NaN equals NaN."""
    plain = np.ascontiguousarray(np.where(np.isnan(values), np.nan, values) + 0.0)
    keys = plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1])))
    return np.unique(keys, return_inverse=True)[1].reshape(-1)


@dataclass(frozen=True)
class FitPlan:
    """Options of a fit, judged against the table's columns."""

    feature_names: tuple[str, ...]
    players: tuple[int, ...]
    order: int
    presence_order: int | str
    interactions: Any
    full_weight: float


def judge_options(options: FitOptions, names: tuple[str, ...]) -> FitPlan:
    """Options as clean values, orders capped by the columns and features there are.

    Raises ``ValueError`` or ``TypeError`` naming the option, what came and what to do.
    """
    feature_names, players = check_groups(options.groups, names)
    order = check_order(options.order, len(names), largest=MAX_ORDER)
    presence_order = _check_presence_order(options.presence_order, order, len(feature_names))
    interactions = check_interactions(options.interactions, names, order)
    full_weight = check_positive(options.full_weight, "full_weight")
    return FitPlan(feature_names, players, order, presence_order, interactions, full_weight)


def name_outputs(names: tuple[str, ...], n_outputs: int) -> tuple[str, ...]:
    """The model's names of its outputs, or plain ones."""
    if len(names) == n_outputs:
        return names
    return tuple(f"output {k}" for k in range(n_outputs)) if n_outputs > 1 else ("output",)


def _check_presence_order(presence_order: Any, order: int, n_players: int) -> Any:
    if isinstance(presence_order, str):
        return check_choice(presence_order, ("auto",), "presence_order")
    checked = check_order(presence_order, n_players, "presence_order")
    if checked < min(order, n_players):
        raise ValueError(
            f"presence_order={checked} is below order={order}: a term counts only with all its own features present"
        )
    return checked


def tell_about_fit(result: FitSummary, order: int, interactions: Any) -> None:
    """Say so if the fit is not what was asked for: a simpler model predicts better, or a lower order was chosen."""
    if result.note:
        warn_caller(result.note, FitWarning)
        return
    tell_about_order(result.model, (judged.candidate.order for judged in result.judgements), order, interactions)


def tell_about_order(model: AdditiveModel, orders_tried: Iterable[int], order: int, interactions: Any) -> None:
    """Say so if the fit chose, or had to choose, a lower order than asked for."""
    sizes = [len(values) for values in model.value_sets]
    used = max(sizes, default=1)
    if interactions != "auto" or used >= min(order, sizes.count(1)):
        return
    was_tried = max(orders_tried) > used
    reason = "did not lower the held-out risk on these rows" if was_tried else "were not tried: these rows are too few for them"
    what = "main effects only" if used == 1 else f"terms of order {used} at most"
    warn_caller(f"richer interactions {reason}; the model has {what}, not order={order}", FitWarning)


def _tell_about_presence(result: FitResult, presence_order: int | str) -> None:
    """Say so if the presence order asked for has more unknowns than the fit can take."""
    used = result.chosen.candidate.presence_order
    if isinstance(presence_order, int) and used < presence_order:
        warn_caller(
            f"presence_order={presence_order} has too many unknowns for these rows and features; the model has {used}",
            FitWarning,
        )


def describe_fit(result: FitSummary, n_rows: int, total_weight: float, full_weight: float) -> dict[str, Any]:
    """Figures of the fit as JSON."""
    n_outputs = result.model.n_outputs
    tried = [
        {
            "order": judged.candidate.order,
            "presence_order": judged.candidate.presence_order,
            "written_order": judged.candidate.written_order,
            "resolution": judged.candidate.resolution.get(2, 0),
            "strengths": asdict(judged.strengths),
            "n_unknowns": judged.n_unknowns,
            "masked_risk": _finite(judged.risk / n_outputs),
            "fidelity": _finite(1.0 - judged.full_risk / n_outputs),
            "residual": judged.status.residual,
        }
        for judged in result.judgements
    ]
    return {
        "n_rows": n_rows,
        "total_weight": total_weight,
        "full_weight": full_weight,
        "chosen": tried[result.judgements.index(result.chosen)],
        "tried": tried,
        "gradient": result.gradient,
        "status": result.status.to_dict(),
    }


def _finite(value: float) -> float | None:
    """JSON has no infinity: None where nothing could be held out."""
    return float(value) if np.isfinite(value) else None
