"""From a user's table and outputs to a fitted game: the stages in order."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._alignment import name_outputs
from .._errors import FileFormatError, FitWarning, NotFittedError, warn_caller
from .._output_unit import find_output_unit
from .._progress import scale_progress
from .._validation import check_at_least
from ..asked.differences import ComponentFit
from ..asked.sampled import EXACT
from ..fitted.game import FittedGame
from ..fitted.plan_file import unpack_plan, unpack_sums
from ..masked.design import ValueFunctions
from ..masked.fitter import FitRecord, FitResult
from ..masked.plan import Plan, make_plan, solve_plan
from ..masked.sums import Accumulator, RowSums, accumulate
from ..model.additive_model import AdditiveModel
from ..table.columns import Table
from ..table.relations import find_relations
from ..table.row_hash import choose_smallest, hash_table_rows
from .null_players import make_roster
from .prepare import FitOptions, judge_options, learn_jumping_columns, learn_plain_columns, prepare_rows
from .registry import find_fitter
from .synthetic_fit import Asking, describe_synthetic, make_source

Progress = Callable[[float, str], None]
# Either has what a fit is described by.
FitSummary = FitResult | ComponentFit


def fit_game(
    table: Table,
    outputs: NDArray[np.float64],
    weights: NDArray[np.float64],
    options: FitOptions,
    *,
    output_names: tuple[str, ...],
    output_transform: str,
    is_computed: bool = False,
    progress: Progress | None = None,
    asking: Asking | None = None,
) -> FittedGame:
    """Learn the columns, fit the masked additive model, and keep what explaining needs.

    A table of more than ``options.plan_rows`` rows is fitted in closed form in three steps: :func:`plan_game` on a sample of
    its rows, :func:`accumulate` over all of them, :func:`solve_game`.

    Parameters
    ----------
    table : Table
    outputs : ndarray of shape (n_rows, n_outputs), float64
    weights : ndarray of shape (n_rows,), float64
        Rows of weight 0 are dropped first.
    options : FitOptions
    is_computed : bool
        Whether the outputs are a function of the table's rows, which then make the sample by themselves.
    asking : Asking, optional
        How the model is asked about rows that are not in the table.
    """
    named: Any = {"output_names": output_names, "output_transform": output_transform}
    kept = np.flatnonzero(weights > 0)
    n_planned = len(kept) if options.plan_rows is None else check_plan_rows(options.plan_rows)
    if len(kept) <= n_planned or options.fitter != "closed-form":
        return plan_game(table, outputs, weights, options, **named, progress=progress, asking=asking)
    find_output_unit(outputs[kept], "outputs")  # refuses the table's outputs, not the sample's
    hashes = hash_table_rows(table, None if is_computed else outputs)
    places, totals = choose_smallest(hashes[kept], weights[kept], n_planned)
    positions = kept[places]
    on_sample, on_all = scale_progress(progress, 0.0, 0.5), scale_progress(progress, 0.5, 0.95)
    game = plan_game(table.take(positions), outputs[positions], totals, options, **named, progress=on_sample)
    assert game.record is not None
    game = replace(game, record=replace(game.record, index=table.index, positions=positions))
    game = solve_game(game, accumulate(get_plan(game), table, outputs / game.output_unit, weights, on_all))
    if progress is not None:
        progress(1.0, "done")
    return game


def check_plan_rows(plan_rows: Any) -> int:
    """Rows of a plan, as an int of at least 100."""
    return check_at_least(plan_rows, 100, "plan_rows", "columns and terms are learnt from them")


def plan_game(
    table: Table,
    outputs: NDArray[np.float64],
    weights: NDArray[np.float64],
    options: FitOptions,
    *,
    output_names: tuple[str, ...],
    output_transform: str,
    progress: Progress | None = None,
    asking: Asking | None = None,
) -> FittedGame:
    """A fit of these rows, of which :func:`get_plan` gives the plan; parameters as in :func:`fit_game`."""
    judged = judge_options(options, table.schema.names)
    output_names = name_outputs(output_names, outputs.shape[1])
    make_fitter = find_fitter(options.fitter)
    kept = weights > 0
    index = None if table.index is None else table.index[np.flatnonzero(kept)]
    unit = find_output_unit(outputs[kept], "outputs")
    outputs = outputs if unit == 1.0 else outputs / unit
    if progress is not None:
        progress(0.0, "columns")
    learn = learn_jumping_columns if options.fitter == "closed-form" else learn_plain_columns
    rows = prepare_rows(table, outputs, weights, judged, learn)
    more: dict[str, Any] = {}
    if asking is not None and options.fitter == "closed-form":
        more["synthetic"] = make_source(
            rows.table, rows.encoded, rows.target, rows.weights, asking.among(np.flatnonzero(kept), unit)
        )
    fitter = make_fitter(
        rows.columns,
        rows.roster.players,
        order=judged.order,
        presence_order=judged.presence_order,
        interactions=judged.interactions,
        progress=progress,
        **more,
    )
    data = rows.encoded, rows.target, rows.weights
    result = fitter.fit(*data, rows.size_law)
    warn_about_fit(result, judged.order, judged.interactions)
    _warn_about_presence(result, judged.presence_order)
    facts = describe_fit(result, len(rows.target), float(rows.weights.sum()), judged.full_weight)
    facts["synthetic"] = describe_synthetic(result, more.get("synthetic"))
    facts["tail_limit"] = result.tail_limit
    facts["relations"] = [str(each) for each in find_relations(rows.table, rows.weights)]
    return FittedGame(
        rows.encoder,
        rows.roster.spread(result.model),
        judged.feature_names,
        judged.players,
        output_names,
        output_transform,
        "conditional",
        facts,
        FitRecord(*data, rows.columns, rows.roster.players, rows.size_law, result, index, n_copies=rows.n_copies),
    ).restore_unit(unit)


def get_plan(game: FittedGame) -> Plan:
    """The plan of a fit in closed form: made when first asked for, or read from the file.

    Raises
    ------
    NotFittedError
        If there is none: the fit was of another kind, or is from a file without one.
    """
    if game.answers.plan is None and game.answers.stored is not None:
        _unpack(game)
    if game.answers.plan is None:
        record = None if game.record is None else game.get_record("a plan needs")
        if record is None or type(record.result.solved.functions) is not ValueFunctions:
            raise NotFittedError(
                "rows can be summed at the plan of a fit of the conditional game in closed form, and this explainer has none: "
                "it is of another kind, or was edited, or saved by an earlier version; fit(X) makes one"
            )
        null = game.model.null_players
        game.answers.plan = make_plan(game.encoder, record, tuple(player in null for player in game.players))
    return game.answers.plan


def _unpack(game: FittedGame) -> None:
    """Make plan and sums of what was read from a file."""
    assert game.answers.stored is not None
    described, arrays = game.answers.stored
    try:
        plan = unpack_plan(described["plan"], arrays, game.encoder)
        game.answers.sums = unpack_sums(described["moments"], arrays, plan) if "moments" in described else None
    except ValueError as error:
        raise FileFormatError(f"the plan in this file does not fit together: {error}; fit again") from error
    game.answers.plan, game.answers.stored = plan, None


def get_sums(game: FittedGame) -> RowSums:
    """Sums over the rows of a fit at its plan: made when first asked for, or what the game was solved from.

    Raises
    ------
    NotFittedError
        If there is no plan, or the rows of the fit are gone.
    """
    plan = get_plan(game)
    if game.answers.sums is None:
        record = game.get_record("sums over the rows of the fit need")
        accumulator = Accumulator(plan)
        weights = record.weights * record.n_copies
        accumulator.add_encoded(record.encoded.take, record.outputs, weights)
        game.answers.sums = accumulator.finish()
    return game.answers.sums


def solve_game(game: FittedGame, sums: RowSums) -> FittedGame:
    """The game of all rows that were summed at a game's plan; see :func:`instashap.masked.plan.solve_plan`.

    What a fit has seen row by row, for standard errors and audits, stays that of the game's own rows.
    """
    plan = get_plan(game)
    result = solve_plan(plan, sums)
    roster = make_roster(game.players, plan.is_null)
    own = describe_fit(result, sums.n_rows, sums.total_weight, game.facts.get("full_weight", 1.0))
    facts = {**game.facts, **own, "tried": [*game.facts.get("tried", []), own["chosen"]]}
    facts["tail_limit"] = None  # moments are of rows that count alike
    facts["sample_rows"] = game.facts.get("sample_rows", game.facts.get("n_rows"))
    answers = replace(game.answers, plan=plan, sums=sums)
    model = roster.spread(result.model).scale(game.output_unit)
    return replace(game, model=model, facts=facts, answers=answers)


def warn_about_fit(result: FitSummary, order: int, interactions: Any) -> None:
    """Warn if the fit is not what was asked for: a simpler model predicts better, or a lower order was chosen."""
    if result.note:
        warn_caller(result.note, FitWarning)
        return
    if result.chosen.risk <= EXACT:
        return  # there is nothing left for interactions
    warn_about_order(result.model, (judged.candidate.order for judged in result.judgements), order, interactions)


def warn_about_order(model: AdditiveModel, orders_tried: Iterable[int], order: int, interactions: Any) -> None:
    """Warn if the fit chose, or had to choose, a lower order than asked for."""
    sizes = [len(values) for values in model.value_sets]
    used = max(sizes, default=1)
    if interactions != "auto" or used >= min(order, sizes.count(1)):
        return
    was_tried = max(orders_tried) > used
    reason = "did not lower the held-out risk on these rows" if was_tried else "were not tried: these rows are too few for them"
    what = "main effects only" if used == 1 else f"terms of order {used} at most"
    warn_caller(f"richer interactions {reason}; the model has {what}, not order={order}", FitWarning)


def _warn_about_presence(result: FitResult, presence_order: int | str) -> None:
    """Warn if the presence order asked for has more unknowns than the fit can take."""
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
            "linear_base": None if judged.candidate.base is None else asdict(judged.candidate.base),
            "indices": judged.candidate.indices,
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
        "chosen": {**tried[result.judgements.index(result.chosen)], "is_held_out": result.is_held_out},
        "tried": tried,
        "gradient": result.gradient,
        "status": result.status.to_dict(),
    }


def _finite(value: float) -> float | None:
    """JSON has no infinity: None where nothing could be held out."""
    return float(value) if np.isfinite(value) else None
