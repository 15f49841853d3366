"""The door to the trust report: fits, models and labels in, a report out."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np

from .._alignment import align_rows, get_index
from .._errors import FitWarning
from .._progress import scale_progress, show_progress
from .._row_arrays import check_target, check_weights
from ..blackbox import Answer, wrap_model
from ..blackbox.adapters.families import order_columns
from ..blackbox.aims import find_aim
from ..blackbox.classes import list_classes
from ..blackbox.held_model import HeldModel
from ..blackbox.model import order_box
from ..fits.conditional import Progress, fit_game
from ..fits.prepare import MAX_ORDER, FitOptions
from ..fitted.game import FittedGame
from ..masked.fitter import ClosedFormFitter, FitRecord
from ..table.columns import read_table
from ..table.groups import choose_groups
from ..table.near_rows import merge_near_rows
from ..trust.held_rows import Rows
from ..trust.judging import Subject, audit_fits, audit_rows
from ..trust.report import TrustReport
from ..trust.scores import Classes
from ..trust.thresholds import Thresholds
from .asking import make_asker
from .class_numbers import find_numbers
from .exact_audit import are_own_rows, audit_exact
from .kept_audit import find_kept, keep_audit
from .model_outputs import check_class_order, match_outputs, order_rows


def audit(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    orders: Iterable[int] = (1, 2),
    output: str = "auto",
    groups: Any = None,
    categorical: Any = "auto",
    thresholds: Thresholds | None = None,
    verbose: int = 0,
) -> TrustReport:
    """How far explanations of a model may be believed, order by order.

    For each order an explainer is fitted, and judged on rows held out of it: how much of the output it reproduces, how far its
    Shapley values are from those of the conditional game (references ask the model about further rows for that; the report
    states how many), which terms it lacks, and where it fails. Deterministic: nothing depends on a seed or on the order of the
    rows.

    Parameters
    ----------
    model : estimator or callable
    X : table of shape (n_rows, n_columns)
        Rows that the model was not trained on, like those to be explained.
    y : array of shape (n_rows,) or (n_rows, n_outputs), optional
        Labels: the report then also says what each order is worth against them.
    orders : iterable of int
        1 to 3, in any order; those above the number of columns are left out.
    output, groups, categorical
        As in :class:`instashap.Explainer`.
    thresholds : Thresholds, optional
        What counts as safe; see :class:`instashap.trust.thresholds.Thresholds`.
    verbose : int
        1 reports progress, stage by stage.

    Returns
    -------
    TrustReport
        ``verdict``, ``table``, ``summary()``; print it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(2000, 3))
    >>> report = audit(lambda X: X[:, 0] + X[:, 1] * X[:, 2], X)
    >>> report.verdicts
    {1: 'unsafe', 2: 'safe'}
    >>> report.rungs[1].missing[0].name
    'x1 × x2'
    """
    table = read_table(X, categorical=categorical)
    n_columns = len(table.schema.names)
    kept = _choose_orders(orders, n_columns)
    answer = wrap_model(model, output).ask(X, table.n_rows)
    named: Any = {"output_names": answer.output_names, "output_transform": answer.box.description}
    records: dict[int, FitRecord] = {}
    fitted: FittedGame | None = None
    with show_progress(verbose, "audit") as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # what a fit did not find worth having, the report says
        for number, order in enumerate(kept):
            options = FitOptions(order, groups=choose_groups(groups, table), plan_rows=None)
            weights = check_weights(None, table.n_rows)
            part = scale_progress(progress, 0.5 * number / len(kept), 0.5 * (number + 1) / len(kept), f"fit of order {order}: ")
            fitted = fit_game(table, answer.values, weights, options, **named, progress=part)
            records[order] = fitted.get_record("an audit needs")
        assert fitted is not None
        labels = align_rows(y, get_index(X), "y")
        subject = _describe(fitted, _find_classes(model, answer), labels, table.n_rows, model)
        asker = make_asker(
            fitted, answer.box.prepare(X, table.n_rows), X, records[kept[-1]].players, answer.values / fitted.output_unit
        )
        return audit_fits(records, subject, thresholds, asker=asker, progress=scale_progress(progress, 0.5, 1.0))


def _choose_orders(orders: Any, n_columns: int) -> list[int]:
    """Orders to fit, rising, no higher than there are columns."""
    asked = sorted(set(orders)) if isinstance(orders, Iterable) else [orders]
    for order in asked:
        if isinstance(order, bool) or not isinstance(order, Integral) or int(order) not in range(1, MAX_ORDER + 1):
            raise ValueError(f"orders={orders!r} must be some of 1 to {MAX_ORDER}, for example (1, 2)")
    if not asked:
        raise ValueError("orders is empty: name at least one, for example (1, 2)")
    return [int(order) for order in asked if order <= n_columns] or [n_columns]


def audit_explainer(
    fitted: FittedGame,
    X: Any,
    y: Any,
    held: HeldModel,
    thresholds: Thresholds | None,
    fit_rows: Any = None,
    is_own_model: bool = True,
) -> TrustReport:
    """Report on the rows of the fit, or on other rows if X is given; see :meth:`instashap.Explainer.audit`.

    ``fit_rows`` are those of the fit as the user gave them; None if they are gone. The report is kept, if it is better founded
    than the one before, unless it is about another model than the explainer's own.
    """
    known = find_kept(fitted)
    if X is None and y is None and known is not None and (known.is_thorough or not fitted.has_rows):
        return _judge_by(known, thresholds)
    with show_progress(held.verbose, "audit") as progress:
        if fitted.is_exact:
            report = audit_exact(fitted, X, y, progress)
        elif X is None:
            report = audit_fitted(fitted, y, held, fit_rows, progress)
        else:
            report = audit_new_rows(fitted, X, y, held.model, held.output, progress)
    if is_own_model and (X is None or fitted.is_exact or not are_own_rows(fitted, X)):  # rows of the fit are no new ones
        keep_audit(fitted, report, None if report.how != "new rows" else fitted.read(X))
    return _judge_by(report, thresholds)


def _judge_by(report: TrustReport, thresholds: Thresholds | None) -> TrustReport:
    return report if thresholds is None else replace(report, thresholds=thresholds)


def audit_fitted(
    fitted: FittedGame, y: Any, held: HeldModel, fit_rows: Any = None, progress: Progress | None = None
) -> TrustReport:
    """Cross-fitted report on an explainer's own rows, beside the main effects of its columns.

    ``fit_rows`` are those of the fit as the user gave them; with them the model is asked about further rows.
    """
    record = fitted.get_record("an audit of the fit's own rows needs")
    model = held.model
    classes = _name_classes(model, fitted.output_transform)
    if classes is not None:
        classes = replace(classes, probabilities=classes.make_probabilities(record.outputs))
    subject = _describe(fitted, classes, find_labels(record, y), len(record.outputs), model)
    records = fit_lower_orders(fitted, scale_progress(progress, 0.0, 0.2, "main effects: "))
    asker = None
    if model is not None and fit_rows is not None:
        asker = make_asker(fitted, held.wrap().restore(fitted.scale), fit_rows, record.players, record.outputs)
    return audit_fits(records, subject, asker=asker, progress=scale_progress(progress, 0.2, 1.0))


def find_labels(record: FitRecord, y: Any) -> Any:
    """Labels of the rows a fit has kept, given those of its table."""
    labels = align_rows(y, record.index, "y")
    if labels is None or record.positions is None:
        return labels
    labels = np.asarray(labels)
    if len(labels) <= record.positions.max():
        raise ValueError(f"y has {len(labels):,} labels, fewer than the rows of the fit")
    return labels[record.positions]


def get_audit(fitted: FittedGame) -> TrustReport:
    """The audit that a fit keeps: in short if none was asked for, or read from the file.

    Raises ``NotFittedError`` if there is none and the rows of the fit are gone.
    """
    known = find_kept(fitted)
    if known is not None:
        return known
    report = audit_exact(fitted, None, None, is_thorough=False) if fitted.is_exact else audit_briefly(fitted)
    return keep_audit(fitted, report)


def audit_briefly(fitted: FittedGame) -> TrustReport:
    """What a file keeps where nobody asked for an audit: no reference model is trained, nothing is fitted again."""
    subject = Subject(_name_players(fitted), fitted.output_names, fitted.output_transform, flags=fitted.schema.flags)
    record = fitted.get_record("an audit of the fit's own rows needs")
    mains = record.result.mains
    if mains is None:
        return audit_fits(fit_lower_orders(fitted), subject, is_thorough=False)
    order = record.result.chosen.candidate.order
    return audit_fits({1: replace(record, result=mains), order: record}, subject, is_thorough=False)


def audit_new_rows(
    fitted: FittedGame,
    X: Any,
    y: Any,
    model: Any,
    output: str,
    progress: Progress | None = None,
) -> TrustReport:
    """Report on an explainer from rows it was not fitted on."""
    if model is None:
        raise ValueError("an audit on new rows compares with the model, and this explainer holds none: pass model=")
    if fitted.game != "conditional":
        fitted.get_record("an audit needs")  # says what there is for other games
    table = fitted.read(X)
    check_class_order(fitted, model)
    answer = wrap_model(model, output).restore(fitted.scale).ask(order_rows(fitted, X), table.n_rows)
    weights = np.ones(table.n_rows)
    values, classes = match_outputs(fitted, answer) / fitted.output_unit, _find_classes(model, answer)
    encoder = fitted.encoder
    table, values = merge_near_rows(table, values, weights)
    models = (
        {fitted.facts["chosen"]["order"]: fitted.model.scale(1.0 / fitted.output_unit)}
        if fitted.record is None
        else {order: record.result.model for order, record in fit_lower_orders(fitted).items()}
    )
    subject = _describe(fitted, classes, align_rows(y, get_index(X), "y"), table.n_rows, model)
    players = fitted.players if fitted.record is None else fitted.record.players
    asker = make_asker(fitted, order_box(answer.box, fitted.output_names), X, players, values)
    flags = fitted.schema.flags
    rows = Rows(encoder.encode(table), values, weights, encoder.columns, players, subject.feature_names, flags)
    return audit_rows(models, rows, subject, None, asker, progress)


def _name_players(fitted: FittedGame) -> tuple[str, ...]:
    """Names of the players of the fit, where it is there: the features that vary; else of all."""
    return fitted.feature_names if fitted.record is None else fitted.varying_names


def fit_lower_orders(fitted: FittedGame, progress: Progress | None = None) -> dict[int, FitRecord]:
    """The fit and, if its shape functions read several columns, main effects fitted to the same rows."""
    record = fitted.get_record("an audit of the fit's own rows needs")
    order = record.result.chosen.candidate.order
    if order == 1:
        return {1: record}
    fitter = ClosedFormFitter(record.columns, record.players, order=1, progress=progress)
    result = fitter.fit(record.encoded, record.outputs, record.weights, record.size_law)
    return {1: replace(record, result=result), order: record}


def _find_classes(model: Any, answer: Answer) -> Classes | None:
    """The classes behind a model's outputs, with their probabilities where it gives any."""
    classes = _name_classes(model, answer.box.description)
    return None if classes is None else replace(classes, probabilities=answer.probabilities)


def _name_classes(model: Any, description: str) -> Classes | None:
    """The classes behind outputs that are described so; None if an output is not that of a class."""
    found = getattr(model, "classes_", None)
    if found is None or "pair of classes" in description:
        return None
    names = tuple(str(each) for each in np.asarray(found).ravel().tolist())
    if not hasattr(model, "predict_proba"):
        return Classes(names, "score")
    return Classes(names, "probability" if description.startswith("probability") else "log-odds")


def _describe(fitted: FittedGame, classes: Classes | None, y: Any, n_rows: int, model: Any) -> Subject:
    subject = Subject(
        _name_players(fitted), fitted.output_names, fitted.output_transform, classes, flags=fitted.schema.flags
    )
    if y is None:
        return subject
    if classes is None:
        labels = check_target(order_columns(y, fitted.output_names), n_rows).reshape(n_rows, -1)
        if labels.shape[1] != fitted.model.n_outputs:
            raise ValueError(f"y has {labels.shape[1]} columns, the model {fitted.model.n_outputs} outputs; pass one a output")
        aim = find_aim(model, fitted.output_transform)
        unit = 1.0 if aim is not None and aim.is_log else fitted.output_unit
        return replace(subject, labels=labels / unit, aim=aim)
    return replace(subject, labels=find_numbers(y, list_classes(model.classes_), n_rows))
