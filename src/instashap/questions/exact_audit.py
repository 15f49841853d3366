"""Audit of a model that is itself additive: its explanation is its own prediction, and only the game's means can be wrong."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._alignment import align_rows, get_index
from .._errors import DataWarning, NotFittedError
from .._row_arrays import check_target
from ..blackbox.adapters import wrap_model
from ..blackbox.adapters.families import order_columns
from ..blackbox.aims import Aim
from ..fits.conditional import Progress
from ..fitted.game import FittedGame
from ..masked.folds import assign_folds
from ..table.encoding import Encoded
from ..table.near_rows import merge_near_rows
from ..trust.held_rows import Held, Part, Rows, hold_out, take_encoded
from ..trust.judging import Subject, audit_held
from ..trust.quality import Quality
from ..trust.report import TrustReport
from ..trust.scores import Classes, score_labels
from .asking import ModelAsker, make_asker
from .class_numbers import find_numbers
from .edit import fit_conditional

# Parts of the fit's rows; the conditional means that judge one are taken over the others.
_N_FOLDS = 5


def audit_exact(
    fitted: FittedGame, X: Any, y: Any, progress: Progress | None = None, *, is_thorough: bool = True
) -> TrustReport:
    """Report on a fit by likelihood, an edited fit or a reproduced additive model; see :meth:`instashap.Explainer.audit`.

    Parameters
    ----------
    fitted : FittedGame
    X : table or None
        None for the rows of the fit: conditional means that judge a row are then taken over rows of other folds.
    y : array or None
        Labels of these rows.
    progress : callable, optional
    is_thorough : bool
        Whether Shapley values are compared with references.

    Raises
    ------
    NotFittedError
        If the rows of the fit are asked for and not in memory.
    ValueError
        For labels that do not fit.
    """
    is_own = X is None or are_own_rows(fitted, X)
    rows, held, asker = _take_own(fitted) if is_own else _take_new(fitted, X)
    labels = align_rows(y, None if X is None else get_index(X), "y")
    classes = _find_classes(fitted, rows.outputs)
    subject = Subject(fitted.feature_names, fitted.output_names, fitted.output_transform, classes)
    given = _read_labels(fitted, labels, classes, len(rows))
    subject = replace(subject, labels=given, is_training=is_own, aim=_find_aim(fitted))
    report = audit_held([held], rows, subject, asker=asker, progress=progress, is_thorough=is_thorough)
    report = replace(report, how=report.how if is_own else "new rows", is_exact=True)
    return replace(report, quality=_score_held_out(fitted)) if is_own and fitted.record is not None else report


def _take_own(fitted: FittedGame) -> tuple[Rows, Held, None]:
    """Rows of the fit, and its model for each of them."""
    if fitted.record is not None:  # of labels by the squared error: each part of the rows by the fit to the others
        record = fitted.record
        held = hold_out(record.result.chosen.candidate.order, record)
        rows = _make_rows(fitted, record.encoded, record.outputs, record.weights)
        rows = replace(rows, outputs=held.predict(rows)[0], players=record.players, feature_names=fitted.varying_names)
        return rows, replace(held, record=None), None  # the record's risks are those of labels
    return _take_folds(fitted)


def _take_folds(fitted: FittedGame) -> tuple[Rows, Held, None]:
    """Rows of a fit by likelihood or of an edited one, in parts; the conditional means for each are those of the others."""
    own = fitted.rows
    if own is None:
        raise NotFittedError(
            "an audit of the rows of the fit needs these rows, and this explainer does not hold them: pass rows that the "
            "model was not trained on, audit(X)"
        )
    outputs = fitted.model.predict(own.encoded)
    rows = _make_rows(fitted, own.encoded, outputs, own.weights)
    order = max(map(len, fitted.model.value_sets), default=1)
    parts: list[Part] = []
    for places, _ in assign_folds(own.encoded, outputs, own.weights, _N_FOLDS):
        if len(places) == len(rows):
            return rows, _hold_whole(fitted, len(rows), False), None
        others = np.setdiff1d(np.arange(len(rows)), places)
        tables = dict(zip(fitted.model.value_sets, fitted.model.shapes, strict=True))
        model = fit_conditional(
            fitted, own, tables, fitted.model.base_value, take_encoded(own.encoded, others), own.weights[others]
        )
        parts.append((places, model))
    return rows, Held(order, fitted.facts["chosen"]["presence_order"], tuple(parts), True), None


def _take_new(fitted: FittedGame, X: Any) -> tuple[Rows, Held, ModelAsker | None]:
    """New rows, the finished model, and how it is asked about rows with other values in some columns."""
    table = fitted.read(X)
    outputs = fitted.predict(table)
    rows = _make_rows(fitted, fitted.encoder.encode(table), outputs, np.ones(table.n_rows))
    box = wrap_model(lambda some: fitted.predict(fitted.read(some)), "auto")
    asker = make_asker(fitted, box, X, fitted.players, outputs)
    return rows, _hold_whole(fitted, len(rows), True), asker


def _hold_whole(fitted: FittedGame, n_rows: int, is_held_out: bool) -> Held:
    order = max(map(len, fitted.model.value_sets), default=1)
    presence = max((len(each) for sets in fitted.model.presence_sets for each in sets), default=1)
    return Held(order, presence, ((np.arange(n_rows), fitted.model),), is_held_out)


def _make_rows(
    fitted: FittedGame, encoded: Encoded, outputs: NDArray[np.float64], weights: NDArray[np.float64]
) -> Rows:
    columns, flags = fitted.encoder.columns, fitted.schema.flags
    return Rows(encoded, outputs, weights, columns, fitted.players, fitted.feature_names, flags)


def are_own_rows(fitted: FittedGame, X: Any) -> bool:
    """Whether a table holds the rows of the fit, in their order; False where these are not in memory."""
    own = fitted.record or fitted.rows
    if own is None:
        return False
    table = fitted.read(X)
    if table.n_rows != len(own.encoded.cells):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        merged, _ = merge_near_rows(table, np.zeros(table.n_rows), np.ones(table.n_rows))
    found = (fitted.encoder.encode(each) for each in (table, merged))
    kept = own.encoded
    return any(np.array_equal(each.cells, kept.cells) and np.array_equal(each.offsets, kept.offsets) for each in found)


def _find_classes(fitted: FittedGame, outputs: NDArray[np.float64]) -> Classes | None:
    """Classes of a classifier by the facts of its fit; None for numbers, and for files that do not name them."""
    names = fitted.facts.get("classes")
    if not names or not ("log-odds" in fitted.output_transform or "log-probabilities" in fitted.output_transform):
        return None
    found = Classes(tuple(names), "log-odds")
    return replace(found, probabilities=found.make_probabilities(outputs))


def _find_aim(fitted: FittedGame) -> Aim | None:
    """What a fit by likelihood aims at; None for means and classes."""
    loss = fitted.facts.get("loss")
    if loss not in ("poisson", "gamma", "quantile"):
        return None
    return Aim(loss, fitted.facts.get("quantile", 0.5), is_log=loss != "quantile")


def _read_labels(fitted: FittedGame, y: Any, classes: Classes | None, n_rows: int) -> Any:
    """Labels as numbers of classes or amounts; None if there are none, or their scale is not that of the scores."""
    if y is None:
        return None
    if classes is not None:
        return find_numbers(y, classes.names, n_rows)
    if "link" in fitted.output_transform:
        return None
    labels = check_target(order_columns(y, fitted.output_names), n_rows).reshape(n_rows, -1)
    if labels.shape[1] != fitted.model.n_outputs:
        raise ValueError(f"y has {labels.shape[1]} columns, the model {fitted.model.n_outputs} outputs; pass one an output")
    return labels


def _score_held_out(fitted: FittedGame) -> Quality | None:
    """R² to the labels of a fit by the squared error, each label held out of the fit that predicts it."""
    record = fitted.get_record("the quality of a fit needs")
    order = record.result.chosen.candidate.order
    held = hold_out(order, record)
    rows = _make_rows(fitted, record.encoded, record.outputs, record.weights)
    predictions, _ = held.predict(rows)
    figures = score_labels(rows, predictions, record.outputs)
    return Quality("R²", figures["R² to labels"], 0.0, len(rows), None, not held.is_held_out) if figures else None
