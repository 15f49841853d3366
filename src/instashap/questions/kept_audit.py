"""The audit that a fitted game keeps: one verdict for Python, files, reports and services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..fitted.game import FittedGame
from ..table.columns import Table
from ..trust.report import TrustReport
from .outside import place_rows

# New rows are better evidence than rows held out of the fit's own, because the finished fit itself is judged by them; of fewer
# new rows than this the intervals are too wide for that.
_ENOUGH_NEW_ROWS = 50
# A report on new rows more of which are unlike those of the fit describes other rows than the explainer is meant for.
_MAX_UNLIKE = 0.5


def find_kept(fitted: FittedGame) -> TrustReport | None:
    """The report that is kept, in memory or from the file; None if there is none."""
    known = fitted.answers.audit
    if isinstance(known, Mapping):
        fitted.answers.audit = known = TrustReport.from_dict(known)
    return known if isinstance(known, TrustReport) else None


def keep_audit(fitted: FittedGame, report: TrustReport, table: Table | None = None) -> TrustReport:
    """Keep the better founded of a report and the one known before, and return it.

    A report that compared Shapley values with references comes before one that did not, then rows held out of the fit before
    fitted ones, then new rows (at least 50) before held-out parts of the fit's rows, then more rows. What labels show of the
    model's quality is kept with either.

    Parameters
    ----------
    fitted : FittedGame
    report : TrustReport
        With the usual thresholds.
    table : Table, optional
        New rows that it judges: if more than half of them are unlike the fitted rows, only what their labels show is kept.
    """
    known = find_kept(fitted)
    is_unlike = table is not None and _is_unlike(fitted, table)
    if is_unlike and known is None:
        return report
    if known is not None and (is_unlike or _rank(known) > _rank(report)):
        report, known = known, report
    if report.quality is None and known is not None and known.quality is not None:
        report = replace(report, quality=known.quality)
    fitted.answers.audit = report
    return report


def _rank(report: TrustReport) -> tuple[bool, bool, bool, int]:
    is_new = report.how == "new rows" and report.n_rows >= _ENOUGH_NEW_ROWS
    return report.is_thorough, report.how != "fitted rows", is_new, report.n_rows


def _is_unlike(fitted: FittedGame, table: Table) -> bool:
    place = place_rows(fitted, table)
    return place is not None and bool(np.mean(place.is_lone.any(axis=1)) > _MAX_UNLIKE)
