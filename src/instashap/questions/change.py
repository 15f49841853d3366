"""What changed a model's mean output: other rows, another model, or both; feature by feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fits.prepare import FitOptions
from ..fitted.shown_rows import make_explanation
from ..table.groups import choose_groups
from .change_game import EVERYWHERE, REST, ChangeFit, ChangeGame
from .change_lines import ChangeLine, Side, find_floor
from .change_report import ChangeReport
from .change_rows import Asked, CohortRows, ask_models, read_cohorts
from .change_segments import compare_segments, measure_spread, split_segments

EQUAL = "(at equal features)"


def explain_change(
    model: Any,
    X: Any,
    X_b: Any = None,
    *,
    model_b: Any = None,
    y: Any = None,
    y_b: Any = None,
    outputs: Any = None,
    outputs_b: Any = None,
    sample_weight: Any = None,
    sample_weight_b: Any = None,
    loss: Any = "auto",
    target: Any = None,
    segments: Any = None,
    given: Any = (),
    labels: Sequence[str] = ("A", "B"),
    order: int = 2,
    presence_order: int | str = "auto",
    interactions: Any = "auto",
    output: str = "auto",
    groups: Any = None,
    categorical: Any = "auto",
    verbose: int = 0,
) -> ChangeReport:
    """What changed the mean output of a model, or its mean loss, feature by feature, with standard errors.

    - Two cohorts or periods, ``explain_change(model, X, X_b)``: one game ``v(x; S) = E[f | x_S]`` is fitted to both cohorts
      together, each with half of the weight. The change of the mean output is the sum over features of
      ``mean of SHAP_i over B - mean of SHAP_i over A``, and a line for what the game does not reproduce.
    - Two models, ``explain_change(model, X, model_b=other)``: their *difference* is fitted once. What the models share, and
      the additive game does not reproduce, then adds no error; to the difference of two explanations it does.
    - Both: the data moved under the first model, then the model moved on the second cohort's rows.

    With labels it is the mean loss that is explained. The features' lines then are the part of its change that follows from
    other rows; the last line is the change at equal features, which no column explains.

    Parameters
    ----------
    model : estimator, callable or None
        None with ``outputs``.
    X : table of shape (n_rows, n_columns)
        Rows of the first cohort, or the only rows.
    X_b : table of the same columns, optional
        Rows of the second cohort.
    model_b : estimator or callable, optional
        The second model.
    y, y_b : array of shape (n_rows,), optional
        Labels of X and ``X_b``.
    outputs, outputs_b : array of shape (n_rows,) or (n_rows, n_outputs), optional
        Predictions; the model is then not called. ``outputs_b`` are those for ``X_b``, or, without ``X_b``, those of the second
        model for X.
    sample_weight, sample_weight_b : array of shape (n_rows,), optional
        Weights within each cohort. Whole numbers are counts: a row of weight w is w equal rows, also for the standard errors.
        Other weights are relative, in any unit.
    loss : {"auto", "squared", "absolute", "log", "error"} or callable
        With labels. "auto": the log-loss of a classifier, the squared error of other models. "error": 1 where another class is
        more probable than the label. A function ``loss(y, outputs)`` returns a number for each row.
    target : str or int, optional
        Which of several outputs, by name or position.
    segments : column, or array of shape (n_rows,), optional
        With two models on the same rows: report the mean difference in each segment too.
    given : list of features
        Features that come first in order. They share what they explain together among themselves; every other feature is
        credited with what it adds to them. In a comparison of two groups: differences that legitimate features account for
        come first, and the other lines are the gap *given* these features.
    labels : pair of str
        Names of the two cohorts, or of the two models where there is one cohort.
    order, presence_order, interactions, output, groups, categorical, verbose
        As in :class:`instashap.Explainer`.

    Returns
    -------
    ChangeReport
        ``table``, ``sentences``, ``to_text()``, ``to_markdown()``, ``to_html()``; ``print`` shows it.

    Raises
    ------
    ValueError
        If there is nothing to compare, a cohort has fewer than 20 rows, labels of a cohort are lacking, or there are several
        outputs and no ``target``.
    ModelOutputError
        If the two models are on different scales.

    Notes
    -----
    Standard errors are those of a jackknife over 20 groups of rows, which are left out of the means and of the fit alike. The
    p-values are adjusted for all lines of the report (Holm 1979): where nothing changed, at most one report in 20 has a line
    beyond noise. A line is a credit of the conditional game, not a cause; a column that the model does not read can stand for
    others that are correlated with it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, X_b = rng.normal(size=(500, 2)), rng.normal(size=(500, 2)) + [1.0, 0.0]
    >>> report = explain_change(lambda X: 2 * X[:, 0] + X[:, 1], X, X_b, order=1)
    >>> report.moved
    ('x0',)
    """
    options = {"loss": loss, "target": target, "output": output, "verbose": verbose}
    asked = _collect((model, model_b), (X, X_b), (outputs, outputs_b), (y, y_b), options)
    named = _check_labels(labels)
    rows = read_cohorts(asked.tables, (sample_weight, sample_weight_b)[: len(asked.tables)], categorical)
    cells = _check_segments(segments, rows, X)
    found = ask_models(asked, rows)
    grouped = choose_groups(groups, rows.table)
    fit = ChangeFit(rows, FitOptions(order, presence_order, interactions, groups=grouped), verbose, given)
    first, *others = found.values
    difference = others[0] - first if others else None
    kind, n_rows = _name_kind(rows, others), tuple(map(len, rows.kept))
    report = ChangeReport(found.what, found.scale, named, kind, n_rows, given=fit.name_given())
    if rows.n_cohorts == 1:
        assert difference is not None
        return _compare_models(fit, report, first, difference, cells)
    return _compare_cohorts(fit, report, first, difference)


def _name_kind(rows: CohortRows, others: list[Any]) -> str:
    if rows.n_cohorts == 1:
        return "models"
    return "both" if others else "cohorts"


def _collect(
    models: tuple[Any, Any], tables: tuple[Any, Any], outputs: tuple[Any, Any], labels: tuple[Any, Any], options: dict[str, Any]
) -> Asked:
    """Models, cohorts, predictions and labels side by side; refuses what does not fit together."""
    has_rows, has_labels = tables[1] is not None, [each is not None for each in labels]
    has_model = models[1] is not None or (not has_rows and outputs[1] is not None)
    if not has_rows and not has_model:
        raise ValueError("there is nothing to compare: pass the rows of a second cohort as X_b=, or a second model as model_b=")
    if has_rows and has_model and (outputs[0] is not None or outputs[1] is not None):
        raise ValueError("two models and two cohorts have four sets of outputs: pass the models themselves, without outputs=")
    if has_rows and (outputs[0] is None) != (outputs[1] is None):
        raise ValueError("outputs= and outputs_b= are given together: one for each side of the comparison")
    if has_rows and has_labels[0] != has_labels[1]:
        lacking = "y" if has_labels[1] else "y_b"
        raise ValueError(f"labels are given for one cohort only, and {lacking} is lacking: pass both, or neither")
    if not has_rows and has_labels[1]:
        raise ValueError("y_b= are the labels of X_b, which is lacking: pass the labels of X as y")
    n_cohorts = 2 if has_rows else 1
    return Asked(models[: 1 + has_model], tables[:n_cohorts], (*outputs, None, None), labels[:n_cohorts], **options)


def _check_segments(segments: Any, rows: CohortRows, X: Any) -> dict[str, NDArray[np.int64]]:
    if segments is None:
        return {}
    if rows.n_cohorts > 1:
        raise ValueError(
            "segments= belongs to two models on the same rows: to compare a segment of two cohorts, pass its rows alone"
        )
    return split_segments(segments, rows, X)


def _check_labels(labels: Any) -> tuple[str, str]:
    if isinstance(labels, str) or len(labels) != 2 or str(labels[0]) == str(labels[1]):
        raise ValueError(f"labels={labels!r} must be two different names, for example ('March', 'April')")
    return str(labels[0]), str(labels[1])


def _compare_cohorts(
    fit: ChangeFit, report: ChangeReport, first: NDArray[np.float64], difference: NDArray[np.float64] | None
) -> ChangeReport:
    """The report on two cohorts: the data moved under the first model and, with two models, the model moved on the second."""
    rows = fit.rows
    before, after = (rows.find(cohort) for cohort in (0, 1))
    game = fit.fit(first, report.scale)
    sides = [rows.make_side(-1.0, before), rows.make_side(1.0, after)]
    total = game.sum_outputs("data", "data moved", sides)
    rest = EQUAL if report.is_loss else REST
    found = game.sum_lines("data", game.compute_values(), sides)
    if report.is_loss:
        found = _remove_shift(found, game, fit.fit(rows.cohorts.astype(np.float64), "cohort"), sides)
    lines = game.add_rest(total, found, rest)
    fidelities = {"data": game.held_fidelity}
    if difference is not None:
        moved = fit.fit(difference, report.scale)
        alike = moved.sum_outputs("model", EVERYWHERE, [rows.make_side(0.5, before), rows.make_side(0.5, after)])
        at_b = [rows.make_side(1.0, after)]
        shift = moved.sum_outputs("model", "model moved", at_b)
        lines += moved.add_rest(shift, [alike, *moved.sum_lines("model", moved.compute_values(), at_b)], rest)
        fidelities["model"] = moved.held_fidelity
        totals = [total, shift]
    else:
        totals = [total]
    start = float(sides[0][2] @ first[before])
    return report.fill(start, totals, lines, fidelities, game.deviations is not None)


def _remove_shift(
    lines: Sequence[ChangeLine], game: ChangeGame, cohort: ChangeGame, sides: Sequence[Side]
) -> list[ChangeLine]:
    """Lines without what features are credited with because they identify the cohort.

    Rows of equal features may have another mean loss in the second cohort, say by ``delta``. A game of the loss credits that to
    features that differ between the cohorts. ``delta`` is estimated as in the partially linear model (Robinson 1988), from what
    the additive games of the loss and of the cohort leave; ``delta`` times the lines of the cohort's game is then subtracted.
    """
    left, left_cohort = game.compute_residuals(), cohort.compute_residuals()
    everyone = [game.rows.make_side(1.0, np.arange(len(left)))]
    (cross, square), spreads = game.groups.compare(np.column_stack([left * left_cohort, left_cohort**2]), everyone)
    if square <= find_floor(np.ones(1)):  # the features identify the cohort: there are no rows of equal features
        return list(lines)
    delta = cross / square
    spread = (spreads[:, 0] - delta * spreads[:, 1]) / square
    identified = cohort.sum_lines("data", cohort.compute_values(), sides)
    return [
        replace(
            line,
            value=line.value - delta * own.value,
            deviations=line.deviations - delta * own.deviations - own.value * spread,
        )
        for line, own in zip(lines, identified, strict=True)
    ]


def _compare_models(
    fit: ChangeFit,
    report: ChangeReport,
    first: NDArray[np.float64],
    difference: NDArray[np.float64],
    cells: dict[str, NDArray[np.int64]],
) -> ChangeReport:
    """The report on two models and the same rows."""
    rows = fit.rows
    everyone = [rows.make_side(1.0, np.arange(len(difference)))]
    game = fit.fit(difference, report.scale)
    values = game.compute_values()
    total = game.sum_outputs("model", "model moved", everyone)
    start = float(everyone[0][2] @ first)
    fidelities = {"model": game.held_fidelity}
    filled = report.fill(start, [total], [replace(total, name=EVERYWHERE)], fidelities, game.deviations is not None)
    spread = measure_spread(game, values)
    explanation = make_explanation(game.fitted, rows.table, values[:, :, None], game.fitted.model.base_value)
    explanation = explanation.add_outputs(difference)
    return replace(filled, spread=spread, segments=compare_segments(game, values, cells), rows=explanation)
