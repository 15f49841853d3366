"""Importance of features over all rows, as a table: mean magnitudes, explained variance, explained loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from .._alignment import align_rows, get_index
from .._errors import InstashapError, NotFittedError
from .._row_arrays import check_target, check_weights
from .._validation import check_choice
from ..blackbox.adapters.families import order_columns
from ..blackbox.held_model import HeldModel
from ..fits.conditional import get_sums
from ..fitted.fit_kind import FitKind
from ..fitted.game import FittedGame
from ..inference.effects import Importance, RowGames, measure_fit, spread_importance
from ..inference.log_loss import measure_log_loss
from ..inference.uncertainty import N_GROUPS, assign_groups
from ..masked.design import ValueFunctions
from ..masked.folds import Fold
from ..masked.plan import solve_plan
from ..model.deviations import Deviations
from ..model.replicates import ModelReplicates
from ..table.encoding import Encoded
from .answers import get_errors
from .average_rows import average_rows
from .change_lines import COVERAGE
from .class_numbers import find_classes, number_labels
from .model_outputs import ask_outputs
from .updating import find_plan

KINDS = ("mean_abs", "variance", "loss")
LEFT = "(not explained)"
_BOTH = "standard errors count the rows and the fit"
_OUTPUTS = "standard errors count the rows, and the distance of the fit from the outputs"
_ROWS = "standard errors count the rows; the fit is taken as it is"
_NONE = "standard errors are not known"


@dataclass(frozen=True)
class ImportanceRequest:
    """What is asked: see :meth:`instashap.Explainer.importance`.

    Attributes
    ----------
    kind : str
    X, y, sample_weight : table and arrays, or None
    pairs, errors : bool
    """

    kind: str
    X: Any
    y: Any
    sample_weight: Any
    pairs: bool
    errors: bool


@dataclass(frozen=True)
class _Rows:
    """Encoded rows of positive weight, and outputs or labels of theirs."""

    encoded: Encoded
    weights: NDArray[np.float64]
    targets: NDArray[np.float64] | None = None


def tabulate_importance(fitted: FittedGame, held: HeldModel, asked: ImportanceRequest) -> pd.DataFrame:
    """The answer to a request as a table."""
    kind = check_choice(asked.kind, KINDS, "kind")
    if kind == "loss" and (asked.X is None or asked.y is None):
        raise ValueError("kind='loss' measures the model on labelled rows: pass X and y, of rows that it was not trained on")
    if kind != "loss" and asked.y is not None:
        raise ValueError(f"kind={kind!r} uses no labels; pass kind='loss' to use y")
    if kind == "mean_abs":
        return _tabulate_magnitudes(fitted, asked)
    if kind == "variance":
        return _tabulate_variance(fitted, held, asked)
    return _tabulate_loss(fitted, held, asked)


def _tabulate_variance(fitted: FittedGame, held: HeldModel, asked: ImportanceRequest) -> pd.DataFrame:
    found, note = _measure_moments(fitted, asked) if asked.X is None else (None, _ROWS)
    if found is None:
        rows = _read_fit(fitted) if asked.X is None else _read_outputs(fitted, held, asked)
        found = RowGames(fitted.model, *_unpack(rows), False).measure(pairs=asked.pairs, errors=asked.errors)
        note = _ROWS if rows.targets is None else _OUTPUTS
        if asked.errors and asked.X is None and isinstance(deviations := _find_errors(fitted), ModelReplicates):
            found, note = _add_fit(found, deviations, rows, asked.pairs), _BOTH
    return _arrange(fitted, found, asked, f"variance of the output ({fitted.output_transform})", note)


def _find_errors(fitted: FittedGame) -> Deviations | ModelReplicates | None:
    """The fit's deviations or refits; None without equations, or where the rows are gone: the table then says so."""
    try:
        return get_errors(fitted)
    except InstashapError:
        return None


def _add_fit(found: list[Importance], refits: ModelReplicates, rows: _Rows, pairs: bool) -> list[Importance]:
    """Importance with the errors of a fit by likelihood beside those of the rows: how far it moves in the refits."""
    games = [RowGames(model, rows.encoded, rows.weights, None, False) for model in refits.replicates]
    measured = [game.measure(pairs=pairs, errors=False) for game in games]
    added = []
    for output, own in enumerate(found):
        moved = refits.contrast @ (np.stack([each[output].values for each in measured]) - own.values)
        errors, freedom = np.hypot(own.errors, np.linalg.norm(moved, axis=0)), np.minimum(own.freedom, N_GROUPS - 1.0)
        added.append(replace(own, errors=errors, freedom=freedom))
    return added


def _tabulate_loss(fitted: FittedGame, held: HeldModel, asked: ImportanceRequest) -> pd.DataFrame:
    table_rows, kept, n_rows = _read_table(fitted, asked)
    what = fitted.output_transform
    labels = align_rows(asked.y, get_index(asked.X), "y")
    if what.startswith(("log-odds", "log-probability of each class", "centred log-probabilities")):
        if asked.pairs:
            raise ValueError("pairs are known for the variance and the squared error, not for the log-loss: pass pairs=False")
        codes = number_labels(labels, find_classes(fitted, held.model), fitted.output_names, n_rows)[kept]
        found = [measure_log_loss(fitted.model, table_rows.encoded, table_rows.weights, codes)]
        return _arrange(fitted, found, asked, "log-loss of the labels", _ROWS)
    if what.startswith("probability"):
        codes = number_labels(labels, find_classes(fitted, held.model), fitted.output_names, n_rows)[kept]
        n_outputs = fitted.model.n_outputs
        targets = codes[:, None].astype(np.float64) if n_outputs == 1 else np.eye(n_outputs)[codes]
    elif "log of" in what or what.startswith("raw "):
        raise ValueError(
            f"the explained output ({what}) is not on the scale of the labels, so their difference means nothing: explain the "
            "prediction itself, for example Explainer(lambda X: model.predict(X))"
        )
    else:
        targets = check_target(order_columns(labels, fitted.output_names), n_rows).reshape(n_rows, -1)[kept]
        if targets.shape[1] != fitted.model.n_outputs:
            raise ValueError(f"y has {targets.shape[1]} columns, the model {fitted.model.n_outputs} outputs: pass one for each")
    games = RowGames(fitted.model, table_rows.encoded, table_rows.weights, targets, True)
    return _arrange(fitted, games.measure(pairs=asked.pairs, errors=asked.errors), asked, "squared error of the labels", _ROWS)


def _measure_moments(fitted: FittedGame, asked: ImportanceRequest) -> tuple[list[Importance] | None, str]:
    """Importance from the moments of the fit, without a pass over its rows; None where these are not of this game."""
    if fitted.kind is not FitKind.EQUATIONS or fitted.model.index is not None:
        return None, _NONE
    record = fitted.record
    is_plain = record is not None and type(record.result.solved.functions) is ValueFunctions
    if is_plain and fitted.answers.sums is None:
        assert record is not None
        result, note = record.result, _BOTH
    else:
        # A long table, or sums of several: the model is the solution of the sums, the record that of a sample.
        plan = find_plan(fitted)
        try:
            sums = None if plan is None or fitted.answers.sums is None else get_sums(fitted)
        except NotFittedError:
            sums = None
        if plan is None or sums is None:
            return None, _NONE
        is_sample = record is not None and "sample_rows" in fitted.facts
        result = solve_plan(plan, sums) if is_sample or record is None else record.result
        note = f"{_BOTH}, those of a sample of {len(record.weights):,} rows" if is_sample and record else _BOTH
    errors = record if asked.errors and is_plain else None
    found = measure_fit(result, errors, pairs=asked.pairs)
    varying = np.flatnonzero(fitted.model.is_player)
    varying = varying if len(varying) else np.zeros(1, dtype=np.int64)
    spread = [spread_importance(each, varying, fitted.model.n_players, asked.pairs) for each in found]
    return spread, note if errors is not None else _NONE


def _tabulate_magnitudes(fitted: FittedGame, asked: ImportanceRequest) -> pd.DataFrame:
    if asked.pairs:
        raise ValueError("kind='mean_abs' is of single features; pass kind='variance' for pairs")
    rows = _read_fit(fitted) if asked.X is None else _read_table(fitted, asked)[0]
    deviations = _find_errors(fitted) if asked.errors else None
    groups: Sequence[Fold] = ()
    if asked.X is None and isinstance(deviations, Deviations) and rows.targets is not None:
        groups = assign_groups(rows.encoded, rows.targets, rows.weights, N_GROUPS)
    values, errors = average_rows(fitted.model, deviations, rows.encoded, rows.weights, groups)
    nothing, note = np.full(len(values), np.nan), _NONE if deviations is None else _BOTH
    found = [
        Importance(values[:, output], errors[:, output], nothing, nothing, float("nan"), float(values[:, output].sum()), 0.0)
        for output in range(values.shape[1])
    ]
    return _arrange(fitted, found, asked, f"mean |Shapley value| ({fitted.output_transform})", note)


def _read_fit(fitted: FittedGame) -> _Rows:
    """Rows of the fit, with the outputs where they are kept."""
    try:
        rows: Any = fitted.get_rows()
    except NotFittedError as error:
        raise NotFittedError(
            "this explainer holds neither rows nor moments of its fit (it was loaded, or explains another game than the "
            "conditional one): pass the rows that importance is to be measured on, importance(kind, X)"
        ) from error
    targets = rows.outputs if fitted.kind is FitKind.EQUATIONS and hasattr(rows, "outputs") else None
    return _Rows(rows.encoded, rows.weights, targets)


def _read_table(fitted: FittedGame, asked: ImportanceRequest) -> tuple[_Rows, NDArray[np.int64], int]:
    """A user's rows of positive weight, where they are in the table, and its number of rows."""
    table = fitted.read(asked.X)
    weights = check_weights(align_rows(asked.sample_weight, get_index(asked.X), "sample_weight"), table.n_rows)
    kept = np.flatnonzero(weights > 0)
    encoded = fitted.encoder.encode(table if len(kept) == table.n_rows else table.take(kept))
    return _Rows(encoded, weights[kept]), kept, table.n_rows


def _read_outputs(fitted: FittedGame, held: HeldModel, asked: ImportanceRequest) -> _Rows:
    """A user's rows with the outputs of the explained model, where there is one."""
    rows, kept, n_rows = _read_table(fitted, asked)
    if held.model is None:
        return rows
    return _Rows(rows.encoded, rows.weights, ask_outputs(fitted, asked.X, held, None, n_rows)[kept])


def _unpack(rows: _Rows) -> tuple[Encoded, NDArray[np.float64], NDArray[np.float64] | None]:
    return rows.encoded, rows.weights, rows.targets


def _arrange(fitted: FittedGame, found: list[Importance], asked: ImportanceRequest, what: str, note: str) -> pd.DataFrame:
    """Tables of the outputs, one below the other: the largest values first, what is not explained last."""
    frames = [_arrange_output(fitted.feature_names, each, asked.pairs, asked.kind) for each in found]
    frame = frames[0]
    if len(frames) > 1:
        frame = pd.concat(dict(zip(fitted.output_names, frames, strict=True)), names=["output"])
    frame.attrs = {"kind": asked.kind, "of": what, "errors": note, "pairs": asked.pairs}
    return frame


def _arrange_output(names: tuple[str, ...], found: Importance, pairs: bool, kind: str) -> pd.DataFrame:
    whole = found.explained if np.isnan(found.total) else found.total
    labels = list(names)
    if pairs:
        labels = [f"{names[i]} × {names[j]}" for i, j in zip(*np.triu_indices(len(names), 1), strict=True)]
    low, high = find_interval(found.values, found.errors, found.freedom, is_size=kind != "loss" and not pairs)
    columns: dict[str, Any] = {"value": found.values, "standard_error": found.errors, "low": low, "high": high}
    columns["share"] = found.values / whole if whole > 0 else np.zeros(len(found.values))
    if not pairs and kind != "mean_abs":
        columns |= {"alone": found.alone, "last": found.last}
    frame = pd.DataFrame(columns, index=pd.Index(labels, name="pair" if pairs else "feature"))
    frame = frame.iloc[np.argsort(-np.abs(found.values) if pairs else -found.values, kind="stable")]
    if pairs or np.isnan(found.total):
        return frame
    left = found.total - found.explained
    low, high = find_interval(np.array([left]), np.array([found.left_error]), N_GROUPS - 1.0, is_size=False)
    frame.loc[LEFT, ["value", "standard_error", "low", "high"]] = left, found.left_error, low[0], high[0]
    frame.loc[LEFT, "share"] = left / whole if whole > 0 else 0.0
    return frame


def find_interval(
    values: NDArray[np.float64], errors: NDArray[np.float64], freedom: NDArray[np.float64] | float, *, is_size: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of 90 % intervals, by Student's t for the errors' degrees of freedom.

    The error of a size (a variance or a mean magnitude) is in proportion to it, so that estimates that are too low have too
    small standard errors. Upper ends of sizes are therefore those on the scale of logarithms, ``value exp(reach / value)``; a
    value below its reach, which may be 0, gets that of a value equal to it. Lower ends stay: on logarithms, no interval would
    hold 0.
    """
    reach = stdtrit(freedom, (1.0 + COVERAGE) / 2.0) * errors
    share = np.divide(reach, values, out=np.ones_like(reach), where=values > reach)
    rise = np.where(share > 0, np.expm1(share) / np.maximum(share, 1e-300), 1.0) if is_size else 1.0
    return values - reach, values + reach * rise
