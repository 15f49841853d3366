"""The content of a report, independent of its format."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from .._alignment import align_rows, get_index
from .._errors import NotFittedError, TooLargeError
from ..explain.explainer import Explainer
from ..fitted.game import FittedGame
from ..questions.answers import compute_shape_errors
from ..questions.exact_audit import are_own_rows
from ..table.columns import Table
from ..table.encoding import Encoded
from .alone import AloneView, encode_places, find_support, place_cells, view_alone
from .column_views import ColumnValues, ColumnView, place_values, read_values, view_columns
from .drivers import Driver, find_drivers
from .marginal import ask_marginal
from .nearness import learn_nearness
from .row_outputs import MAX_ASKED, RowOutputs, ask_rows, list_outcomes, take_rows

if TYPE_CHECKING:
    from ..trust.report import TrustReport

# Largest number of rows over which importances are averaged, and of rows of the row explorer that are evenly spaced over the
# table; some that stand out are added to these.
MAX_ROWS = 20_000
MAX_SHOWN_ROWS = 100
# Largest number of pairs shown; page.js has the same limit.
MAX_PAIRS = 50
# Half width of a 90 % interval in standard errors; page.js has the same value.
INTERVAL = 1.645


@dataclass(frozen=True)
class TermView:
    """Description of one shape function.

    Attributes
    ----------
    number : int
        Position among ``fitted.model.value_sets``.
    columns : tuple of int
    name : str
    importance : list of float, one per output
        Mean absolute effect on the rows.
    errors : list of list of float or None
        Standard errors of a main effect by place and output; see :attr:`ColumnView.places`.
    alone : AloneView or None
        For a main effect, predictions from its feature alone.
    support : str
        For a pair, how many rows each cell of its heat map has: 0 for none, else a digit that grows with the logarithm of the
        number, 9 for the most; empty without rows.
    doubts : list of str
        For a pair and each output, half the width of the 90 % interval of each cell's effect, in ninths of the largest half
        width, as digits; empty if the fit has no standard errors.
    widest : list of float
        That largest half width, by output.
    """

    number: int
    columns: tuple[int, ...]
    name: str
    importance: list[float]
    errors: list[list[float]] | None = None
    alone: AloneView | None = None
    support: str = ""
    doubts: list[str] = field(default_factory=list)
    widest: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Summary:
    """The content of a report.

    Attributes
    ----------
    fitted : FittedGame
    audit : TrustReport or None
    audit_note : str
        Reason why there is no audit, or what it did not use; may be empty.
    columns : list of ColumnView
    terms : list of TermView
        Main effects, then pairs, then triples, each by decreasing importance.
    importance : list of list of float
        Mean absolute Shapley value by player and output; empty without rows.
    shown_rows : list of list
        Rows of the row explorer.
    shown_numbers : list of int
        Positions of these rows in the table.
    shown_labels : list of str
        Labels of these rows in a DataFrame's index; empty if the index only counts rows.
    n_rows : int
        Number of rows over which importances are averaged.
    shown_outputs : list of list of float
        Outputs of the explained model for each of ``shown_rows``; empty if the explainer holds no model.
    shown_outcomes : list
        The label of each of ``shown_rows``: a number, text, None if it is missing, or a list for several outputs; empty
        without labels.
    nearness : dict or None
        Which combinations of values no row is near (:class:`.nearness.Nearness`), as JSON.
    marginal : list of list of list of float
        For each of ``shown_rows``, player and output the value in the marginal game: what the model does with the column.
        Empty if nobody asked for it.
    opposite : list of list of str
        For each output, features whose marginal value has the opposite sign in many of these rows.
    shown : RowOutputs or None
        Predictions, outputs and outcomes of ``shown_rows``; None without rows.
    row_outputs : RowOutputs or None
        The same of up to 5 000 rows.
    drivers : list of list of Driver
        For each output, where the strongest features have the highest and the lowest mean; empty without rows.
    """

    fitted: FittedGame
    audit: TrustReport | None
    audit_note: str
    columns: list[ColumnView]
    terms: list[TermView]
    importance: list[list[float]]
    shown_rows: list[list[Any]]
    shown_numbers: list[int]
    shown_labels: list[str]
    n_rows: int
    shown_outputs: list[list[float]]
    nearness: dict[str, Any] | None = None
    marginal: list[list[list[float]]] = field(default_factory=list)
    opposite: list[list[str]] = field(default_factory=list)
    shown_outcomes: list[Any] = field(default_factory=list)
    shown: RowOutputs | None = None
    row_outputs: RowOutputs | None = None
    drivers: list[list[Driver]] = field(default_factory=list)

    @property
    def relations(self) -> list[str]:
        """Columns that are sums of others, for example ``"total = a + b"``; empty for fits that were not looked at."""
        return list(self.fitted.facts.get("relations", ()))

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON, without the tables of the model."""
        fitted = self.fitted
        return {
            "instashap": __version__,
            "output_transform": fitted.output_transform,
            "output_names": list(fitted.output_names),
            "game": fitted.game,
            "feature_names": list(fitted.feature_names),
            "base_value": fitted.model.base_value.tolist(),
            "n_rows": self.n_rows,
            "audit": None if self.audit is None else self.audit.to_dict(),
            "audit_sentences": [] if self.audit is None else self.audit.summary().splitlines(),
            "audit_note": self.audit_note,
            "relations": self.relations,
            "importance": self.importance,
            "terms": [{**asdict(term), "shape": _tabulate(self, term)} for term in self.terms],
            "columns": [asdict(column) for column in self.columns],
        }


def summarise(explainer_or_estimator: Any, X: Any = None, y: Any = None, marginal: Any = None) -> Summary:
    """Importances, shapes and the audit of an explainer, and rows for the row explorer.

    Parameters
    ----------
    explainer_or_estimator : Explainer or estimator
    X : table of shape (n_rows, n_columns), optional
        Rows for importances and densities.
    y : array, optional
        Labels of X, for the audit.
    marginal : True, table or Marginal, optional
        Background of marginal values of the rows shown; True for the rows of the fit.
    """
    explainer = find_explainer(explainer_or_estimator)
    fitted = explainer._check_fitted()
    known = align_rows(y, None if X is None else get_index(X), "y")
    known = known.to_numpy() if hasattr(known, "iloc") and X is not None else known
    audit, note = _audit(explainer, X, known)
    table = None if X is None else fitted.read(X)
    some = None if table is None else table.take(_space(table.n_rows, MAX_ROWS))
    columns = view_columns(fitted, some)
    importance: list[list[float]] = []
    effects = _size_tables(fitted)
    if some is not None:
        importance = np.abs(fitted.compute_shapley_values(some)).mean(axis=0).tolist()
        effects = _average_effects(fitted, some)
    terms = [
        _view_term(fitted, number, effects[number].tolist(), columns) for number in range(len(fitted.model.value_sets))
    ]
    terms.sort(key=lambda term: (len(term.columns), -sum(term.importance)))
    values = [] if some is None else place_values(fitted, some)
    terms = terms if some is None else _mark_support(fitted, terms, columns, values)
    near = None if some is None else learn_nearness(columns, values)
    found = Summary(fitted, audit, note, columns, terms, importance, [_middle_row(columns)], [], [], 0, [])
    found = replace(found, nearness=None if near is None else asdict(near), n_rows=0 if some is None else some.n_rows)
    return found if table is None else _add_rows(found, explainer, X, table, known, marginal)


def _add_rows(found: Summary, explainer: Explainer, X: Any, table: Table, known: Any, marginal: Any) -> Summary:
    """The summary with the rows of the row explorer, their outputs and labels, and the drivers of all rows."""
    fitted = found.fitted
    asked = ask_rows(explainer, X, _space(table.n_rows, MAX_ASKED), known)
    some = table.take(asked.numbers)
    drivers = find_drivers(fitted.players, found.columns, place_values(fitted, some), asked, np.array(found.importance))
    spaced = asked.numbers[_space(len(asked.numbers), MAX_SHOWN_ROWS)].tolist()
    numbers = [*spaced, *(number for number in asked.numbers[asked.find_extreme()].tolist() if number not in set(spaced))]
    shown = ask_rows(explainer, X, np.array(numbers), known)
    found = replace(
        found,
        shown_rows=_list_rows(table.take(shown.numbers)),
        shown_numbers=numbers,
        shown_labels=_name_rows(table, numbers),
        shown_outputs=[] if shown.outputs is None else shown.outputs.tolist(),
        shown_outcomes=[] if shown.outcomes is None else list_outcomes(shown.outcomes),
        shown=shown,
        row_outputs=asked,
        drivers=drivers,
    )
    if marginal is None or marginal is False:
        return found
    beside, opposite = ask_marginal(explainer, take_rows(X, numbers), marginal)
    return replace(found, marginal=beside, opposite=opposite)


def find_explainer(explainer_or_estimator: Any) -> Explainer:
    """The explainer itself, or that of an estimator."""
    if isinstance(explainer_or_estimator, Explainer):
        return explainer_or_estimator
    if hasattr(explainer_or_estimator, "to_explainer"):
        found: Explainer = explainer_or_estimator.to_explainer()
        return found
    raise TypeError(
        "a report needs an Explainer, AdditiveRegressor or AdditiveClassifier, got "
        f"{type(explainer_or_estimator).__name__}; for another model pass Explainer(model).fit(X)"
    )


def _audit(explainer: Explainer, X: Any, y: Any) -> tuple[TrustReport | None, str]:
    """The audit that the explainer keeps, after one with the given labels where that is possible, and a note about it."""
    note = ""
    try:
        if y is not None and X is not None:
            fitted = explainer._check_fitted()
            if not fitted.is_exact and are_own_rows(fitted, X):
                explainer.audit(y=y)
            elif fitted.is_exact or explainer.model is not None:
                explainer.audit(X, y)
            else:
                note = "The labels were not used: this explainer does not hold its model."
        return explainer.audit(), note
    except NotFittedError as error:
        return None, f"There is no verdict: {error}."


def _name_rows(table: Table, numbers: list[int]) -> list[str]:
    """Labels of some rows by the table's index; none if the labels are the rows' numbers, or not distinct."""
    labels = [] if table.index is None else [_name_row(table.index[number]) for number in numbers]
    is_useful = all(labels) and len(set(labels)) == len(labels) and labels != [str(number) for number in numbers]
    return labels if is_useful else []


def _name_row(label: Any) -> str:
    """A label of an index as text: several levels are joined, and a date has no time of midnight."""
    if isinstance(label, tuple):
        return " · ".join(map(_name_row, label))
    return str(label).removesuffix(" 00:00:00")


def _space(n_rows: int, n_kept: int) -> NDArray[np.int64]:
    return np.linspace(0, n_rows - 1, min(n_rows, n_kept)).astype(np.int64)


def _average_effects(fitted: FittedGame, table: Table) -> NDArray[np.float64]:
    """Mean absolute effects, shape (n_terms, n_outputs)."""
    totals = np.zeros((len(fitted.model.value_sets), fitted.model.n_outputs))
    for start in range(0, table.n_rows, 1000):
        block = table.take(np.arange(start, min(start + 1000, table.n_rows)))
        totals += np.abs(fitted.compute_effects(block)).sum(axis=0)
    return totals / table.n_rows


def _size_tables(fitted: FittedGame) -> NDArray[np.float64]:
    """Mean absolute table entries, used as sizes of effects if there are no rows; shape (n_terms, n_outputs)."""
    sizes = [np.abs(shape).reshape(-1, shape.shape[-1]).mean(axis=0) for shape in fitted.model.shapes]
    return np.array(sizes).reshape(len(sizes), fitted.model.n_outputs)


def _view_term(fitted: FittedGame, number: int, importance: list[float], columns: list[ColumnView]) -> TermView:
    values, name = fitted.model.value_sets[number], fitted.term_names[number]
    if len(values) > 1:
        return TermView(number, values, name, importance)
    (column,) = values
    errors = _find_errors(fitted, column, columns[column])
    return TermView(number, values, name, importance, errors, view_alone(fitted, column, columns[column], errors is not None))


def _mark_support(
    fitted: FittedGame, terms: list[TermView], columns: list[ColumnView], rows: list[ColumnValues]
) -> list[TermView]:
    """Terms, the strongest pairs of every output with the rows and the intervals of the cells of their heat maps."""
    pairs = [term for term in terms if len(term.columns) == 2]
    n_outputs = len(pairs[0].importance) if pairs else 0
    shown = {
        term.number
        for output in range(n_outputs)
        for term in sorted(pairs, key=lambda term: -term.importance[output])[:MAX_PAIRS]
    }
    return [_mark_pair(fitted, term, columns, rows) if term.number in shown else term for term in terms]


def _mark_pair(fitted: FittedGame, term: TermView, columns: list[ColumnView], rows: list[ColumnValues]) -> TermView:
    marked = replace(term, support=find_support(columns, rows, term.columns))
    if fitted.answers.errors is None and fitted.record is None:
        return marked
    try:
        errors = compute_shape_errors(fitted, term.columns, place_cells(fitted, columns, term.columns))
    except (TooLargeError, ValueError):
        return marked
    half = INTERVAL * errors
    widest = half.max(axis=0)
    digits = np.ceil(9 * half / np.where(widest > 0, widest, 1.0)).astype(np.int64)
    return replace(marked, doubts=["".join(map(str, each)) for each in digits.T.tolist()], widest=widest.tolist())


def _find_errors(fitted: FittedGame, column: int, view: ColumnView) -> list[list[float]] | None:
    """Standard errors of a main effect at the places where its shape is drawn; None if the fit has none."""
    if fitted.answers.errors is None and fitted.record is None:
        return None
    try:
        errors = compute_shape_errors(fitted, (column,), _stack(_encode_drawn(fitted, column, view)))
    except (TooLargeError, ValueError):
        return None
    return errors.tolist()  # type: ignore[no-any-return]


def _encode_drawn(fitted: FittedGame, column: int, view: ColumnView) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Cells and offsets at which a main effect is drawn: all cells of a category, or the places of a number column."""
    if not view.is_category:
        return encode_places(fitted, column, view.places)
    n_cells = fitted.encoder.columns[column].n_cells
    return np.arange(n_cells, dtype=np.int32), np.zeros(n_cells)


def _stack(placed: tuple[NDArray[np.int32], NDArray[np.float64]]) -> Encoded:
    """Cells and offsets of one column as encoded rows."""
    return Encoded(placed[0][:, None], placed[1][:, None])


def _tabulate(summary: Summary, term: TermView) -> list[list[float]] | None:
    """Values of a main effect by place (or cell of a category) and output."""
    if len(term.columns) > 1:
        return None
    (column,) = term.columns
    fitted, view = summary.fitted, summary.columns[column]
    encoded = _stack(_encode_drawn(fitted, column, view))
    basis = fitted.model.bases[column][0]
    shape = basis.combine(encoded.cells[:, 0], encoded.offsets[:, 0], fitted.model.shapes[term.number])
    return shape.tolist()  # type: ignore[no-any-return]


def _list_rows(table: Table) -> list[list[Any]]:
    return [list(row) for row in zip(*read_values(table), strict=True)]


def _middle_row(columns: list[ColumnView]) -> list[Any]:
    """First row of the row explorer if there are no rows: the middle place of each column, or its first level."""
    return [
        (column.levels[0] if column.levels else None)
        if column.is_category
        else float(f"{column.places[len(column.places) // 2]:.4g}")
        for column in columns
    ]


def keep_terms(fitted: FittedGame, numbers: list[int]) -> FittedGame:
    """The game restricted to some of its terms; a linear part is written out as tables."""
    model = fitted.model.write_out_linear()

    def pick(parts: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(parts[number] for number in numbers)

    kept = replace(
        model,
        value_sets=pick(model.value_sets),
        presence_sets=pick(model.presence_sets),
        tables=pick(model.tables),
        mixings=pick(model.mixings),
    )
    return replace(fitted, model=kept)
