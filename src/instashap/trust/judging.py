"""An audit, stage by stage: hold rows out, measure every order, compare with references, look for what is missing and where."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..blackbox.aims import Aim
from ..masked.fitter import FitRecord
from ..model.additive_model import AdditiveModel
from .attribution import Attribution, has_unseen_tails, measure_attribution
from .comparison import Comparison, compare
from .figures import Figure
from .held_rows import Held, Rows, hold_out, keep_held
from .joint import has_bent_dependence, has_joint_dependence
from .masked import measure_masked
from .missing import N_ROWS, N_ROWS_BRIEF, find_missing
from .quality import measure_quality
from .redundancy import find_redundancy
from .reference_panel import Panel, find_references
from .references import Asker
from .report import Rung, TrustReport
from .scores import Classes, compare_classes, measure_carried, measure_outputs, score_classes, score_labels
from .segments import find_segments
from .stability import measure_stability
from .thresholds import Thresholds

Progress = Callable[[float, str], None]

# By how much an R² may be lower where the fit's synthetic rows and its references come from estimates of one distribution: so
# many rows over those it was estimated from, and at most.
_COMMON_ROWS, _COMMON_ERROR = 20.0, 0.15
# An R² that may be below the first and above the second is not known at all.
_POOR, _GOOD = 0.5, 0.9


@dataclass(frozen=True)
class Subject:
    """What is audited, beside its fits.

    Attributes
    ----------
    feature_names : tuple of str
        Names of the players.
    output_names : tuple of str
    output_transform : str
    classes : Classes or None
        The classes, for a classifier.
    labels : ndarray or None
        Class numbers of shape (n_rows,), int64, of a classifier; else float64 of shape (n_rows, n_outputs).
    is_training : bool
        Whether the model was trained on these labels.
    aim : Aim or None
        What a model of amounts aims at, if not at means: R² to labels then says nothing, and is left out.
    flags : frozenset of str
        Names of boolean columns.
    """

    feature_names: tuple[str, ...]
    output_names: tuple[str, ...]
    output_transform: str
    classes: Classes | None = None
    labels: NDArray[np.int64] | NDArray[np.float64] | None = None
    is_training: bool = False
    aim: Aim | None = None
    flags: frozenset[str] = frozenset()


def audit_fits(
    records: Mapping[int, FitRecord],
    subject: Subject,
    thresholds: Thresholds | None = None,
    *,
    asker: Asker | None = None,
    is_thorough: bool = True,
    progress: Progress | None = None,
) -> TrustReport:
    """Report on fits to the same rows and outputs; rows are held out by the fits' own folds.

    Parameters
    ----------
    records : mapping of int to FitRecord
        By order, rising.
    subject : Subject
    thresholds : Thresholds, optional
    asker : Asker, optional
        Asks the model about further rows; without one references are regressions on the outputs.
    is_thorough : bool
        Look at all rows, compare the masked games with references, and measure the stability of shapes. Else as many folds
        are looked at as hold some thousand rows.
    progress : callable, optional
        Called with the share done (0 to 1) and what comes next.
    """
    enough = np.inf if is_thorough else N_ROWS_BRIEF
    held = [hold_out(order, record, enough) for order, record in records.items()]
    first = next(iter(records.values()))
    rows = Rows(
        first.encoded,
        first.outputs,
        first.weights,
        tuple(column.encoder for column in first.columns),
        first.players,
        subject.feature_names,
        subject.flags,
    )
    held, rows = keep_held(held, rows)
    how = "cross-fitted" if all(each.is_held_out for each in held) else "fitted rows"
    panel = None
    if is_thorough:
        _report_progress(progress, 0.0, "references")
        panel = find_references(rows, asker)
    report = _report(held, rows, subject, panel, is_thorough, progress)
    report = replace(report, how=how, thresholds=thresholds or Thresholds())
    if is_thorough:
        _report_progress(progress, 0.9, "stability of shapes")
        report = replace(report, stability=measure_stability(first, rows))
    _report_progress(progress, 1.0, "done")
    return report


def audit_rows(
    models: Mapping[int, AdditiveModel],
    rows: Rows,
    subject: Subject,
    thresholds: Thresholds | None = None,
    asker: Asker | None = None,
    progress: Progress | None = None,
) -> TrustReport:
    """Report on finished models, from rows that none of them was fitted on.

    Parameters
    ----------
    models : mapping of int to AdditiveModel
        By order, rising.
    rows : Rows
        New rows, and the black box's outputs there.
    subject : Subject
    thresholds : Thresholds, optional
    asker : Asker, optional
    progress : callable, optional
        Called with the share done (0 to 1) and what comes next.
    """
    everything = np.arange(len(rows))
    held = []
    for order, model in models.items():
        presence_order = max((len(each) for sets in model.presence_sets for each in sets), default=1)
        held.append(Held(order, presence_order, ((everything, model),), True))
    return replace(audit_held(held, rows, subject, thresholds, asker, progress), how="new rows")


def audit_held(
    held: Sequence[Held],
    rows: Rows,
    subject: Subject,
    thresholds: Thresholds | None = None,
    asker: Asker | None = None,
    progress: Progress | None = None,
    is_thorough: bool = True,
) -> TrustReport:
    """Report on models with the rows that each is judged on; every row must be in a part of every order.

    Parameters
    ----------
    held : sequence of Held
        By order, rising.
    rows : Rows
    subject : Subject
    thresholds : Thresholds, optional
    asker : Asker, optional
    progress : callable, optional
        Called with the share done (0 to 1) and what comes next.
    is_thorough : bool
        Whether the masked games are compared with references.
    """
    _report_progress(progress, 0.0, "references")
    panel = find_references(rows, asker) if is_thorough else None
    report = _report(held, rows, subject, panel, is_thorough, progress)
    how = "cross-fitted" if all(each.is_held_out for each in held) else "fitted rows"
    report = replace(report, how=how, thresholds=thresholds or Thresholds())
    _report_progress(progress, 1.0, "done")
    return report


def _report_progress(progress: Progress | None, share: float, what: str) -> None:
    if progress is not None:
        progress(share, what)


def _report(
    held: Sequence[Held],
    rows: Rows,
    subject: Subject,
    panel: Panel | None,
    is_thorough: bool,
    progress: Progress | None,
) -> TrustReport:
    """Every figure of every order; how rows were held out, and the thresholds, are the caller's."""
    _, base = held[-1].predict(rows)
    rungs = [_start(rows, base, subject)]
    for number, each in enumerate(held):
        start, step = 0.3 + 0.6 * number / len(held), 0.6 / len(held)
        _report_progress(progress, start, f"order {each.order}: residuals, missing terms and segments")
        seen = partial(_report_progress, progress, start + 0.3 * step, f"order {each.order}: masked games")
        rungs.append(_measure_order(each, rows, subject, panel, is_thorough, seen))
    black_box = {} if subject.labels is None else _score(rows, rows.outputs, subject, True)
    redundancy = find_redundancy(held[0], rows)
    quality = measure_quality(rows, subject.labels, subject.classes, subject.is_training, subject.aim)
    report = TrustReport(tuple(rungs), len(rows), "", subject.output_transform, black_box, redundancy, None, Thresholds())
    return replace(report, quality=quality)


def _start(rows: Rows, base: NDArray[np.float64], subject: Subject) -> Rung:
    """The base value alone."""
    share = 0.0 if np.ptp(rows.outputs, axis=0).any() else 1.0
    labels = {} if subject.labels is None else _score(rows, base, subject, False)
    return Rung(0, 0, Figure(share, share, share), labels=labels)


def _measure_order(
    held: Held, rows: Rows, subject: Subject, panel: Panel | None, is_thorough: bool, before_masked: Callable[[], None]
) -> Rung:
    """Every figure of one order; calls back before the longest part."""
    fitted, base = held.predict(rows)
    residual, deviation = (rows.outputs - fitted) / rows.spread, (rows.outputs - base) / rows.spread
    segments, _ = find_segments(rows, residual, deviation)
    missing = find_missing(rows, residual, N_ROWS if is_thorough else N_ROWS_BRIEF)
    reproduced = measure_carried(rows, fitted, base)
    if is_thorough:
        before_masked()
    compared = None if panel is None else compare(held, rows, panel)
    return Rung(
        order=held.order,
        presence_order=held.presence_order,
        carried=reproduced,
        classes={} if subject.classes is None else compare_classes(rows, fitted, subject.classes),
        labels={} if subject.labels is None else _score(rows, fitted, subject, False),
        masked=measure_masked(held, rows, panel, compared),
        attribution=judge_attribution(held, rows, panel, compared, reproduced),
        missing=missing.terms,
        segments=segments,
        outputs=measure_outputs(rows, fitted, base, subject.output_names, subject.classes),
        gradient=None if held.record is None else held.record.result.gradient,
    )


def judge_attribution(
    held: Held, rows: Rows, panel: Panel | None, compared: Comparison | None, reproduced: Figure
) -> Attribution | None:
    """From the references; a single feature's value is all that the prediction adds to the base value."""
    if panel is not None and compared is not None:
        if has_unseen_tails(rows) or _is_refuted(held, rows):
            return None
        found = _doubt(measure_attribution(held, rows, panel, compared), held, rows)
        return None if found is None or _is_open(found.r2) else found
    if len(rows.feature_names) > 1 and np.ptp(rows.outputs, axis=0).any():
        return None
    return Attribution(reproduced, "the outputs themselves", (), len(rows), 0)


def _is_open(r2: Figure) -> bool:
    """Whether an interval holds both values that are of no use and good ones: its middle would be no estimate."""
    return r2.low < _POOR and r2.high > _GOOD


def _doubt(found: Attribution, held: Held, rows: Rows) -> Attribution | None:
    """The interval with room for an error of the distribution that the fit and its references have in common.

    A fit with synthetic rows has them from a distribution of the same kind as its references have. None where few rows hold
    most of the variance, so that the estimate stands at the lower end already: then nothing is known.
    """
    if held.record is None or held.record.result.synthetic is None:
        return found
    value, low, high = found.r2
    if value <= low:
        return None
    common = min(_COMMON_ROWS / rows.n_independent, _COMMON_ERROR)
    return replace(found, r2=Figure(value, min(low, value - common), high))


def _is_refuted(held: Held, rows: Rows) -> bool:
    """Whether the rows show dependence that the distribution of the fit's synthetic rows lacks: bent, or of three columns."""
    synthetic = None if held.record is None else held.record.result.synthetic
    if synthetic is None or len(synthetic.sampler.weights) > 1:
        return False
    return has_joint_dependence(rows) or has_bent_dependence(rows)


def _score(rows: Rows, fitted: NDArray[np.float64], subject: Subject, is_black_box: bool) -> dict[str, Figure]:
    assert subject.labels is not None
    if subject.aim is not None:
        return {}
    if subject.classes is None:
        return score_labels(rows, fitted, subject.labels.astype(np.float64))
    return score_classes(rows, fitted, subject.labels.astype(np.int64), subject.classes, is_black_box)
