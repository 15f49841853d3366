"""A fitted game as a workbook of Excel: a scorecard with live formulas, the shapes and pairs as tables, and what they use."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from io import BytesIO
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import TooLargeError
from .._optional import require
from .._validation import check_at_least
from ..fitted.game import FittedGame
from ..fitted.meaning import explain_game
from ..store.atomic import write_file
from .excel_sheets import Formula, NumberTables, Sheet, name_column
from .excel_views import choose_format, show_pairs, show_shapes
from .opened import open_fitted
from .scoring import ScoredColumn, ScoredIndex, ScoredTerm, Scoring, list_numbers, read_scoring

# Limits of the file format: columns of a sheet, characters of a formula and of a text.
MOST_COLUMNS, MOST_FORMULA, MOST_TEXT = 16_384, 8_192, 32_767
# A workbook of more filled cells takes a minute to open.
MOST_CELLS = 2_000_000
# Characters that XML cannot hold.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
# The first line of rows in the sheets Scorecard and Steps.
_FIRST_LINE = 4
_HELP = (
    "Fill in the yellow cells; an empty cell is a missing value. Copy the last line of Scorecard and of Steps for more rows."
)


def to_excel(explainer: Any, path: str | os.PathLike[str], *, n_lines: int = 20) -> None:
    """Write a workbook that predicts and explains rows by live formulas: ``.xlsx``, without macros.

    The sheet ``Scorecard`` has a line for each row: cells to fill in, ``base_value``, ``shap_<feature>`` and ``prediction``.
    ``Shapes`` and ``Pairs`` show what each column and each pair adds to the prediction; ``Steps``, ``Tables`` and ``Weights``
    hold what the formulas use. Workbooks compare numbers by 15 digits, so that a value that equals the edge of a cell to 15
    digits may be read on its other side.

    Parameters
    ----------
    explainer : Explainer
    path : str or path-like
    n_lines : int
        Lines of the scorecard.

    Raises
    ------
    OptionalDependencyError
        If ``openpyxl`` is missing: ``pip install 'instashap[excel]'``.
    ValueError
        For what a cell cannot hold, by the name of its column: empty text as a level, control characters, text of more than
        32 767 characters, and levels that are equal to 15 digits. Also for a fit that converts text by a recipe.
    TooLargeError
        For more than 2 million cells, 16 384 columns in a sheet, or a formula of more than 8 192 characters.
    """
    fitted = open_fitted(explainer)
    check_at_least(n_lines, 1, "n_lines", "a scorecard has at least one line")
    openpyxl = require("openpyxl", "excel", "workbooks")
    scoring = read_scoring(fitted, "a workbook")
    for column in scoring.columns:
        _check_column(column)
    sheets = _Writer(scoring, n_lines).write()
    write_file(path, _save(openpyxl, sheets))


def write_excel(fitted: FittedGame, path: str | os.PathLike[str]) -> None:
    """Write a game with twenty lines; see :func:`to_excel`."""
    to_excel(fitted, path)


def _refuse(what: str, most: str) -> None:
    raise TooLargeError(
        f"the model needs {what} of a workbook, and at most {most} are written: fit with a lower order or fewer interactions, "
        "or export to ONNX, which has no such limit"
    )


def _check_column(column: ScoredColumn) -> None:
    """Raise ``ValueError`` for a name or a level that a cell cannot hold."""
    texts = [column.name, *(level for level in column.levels or () if isinstance(level, str))]
    for text in texts:
        what = "name" if text is column.name else f"level {text[:40]!r}"
        if not text or _CONTROL.search(text) or len(text) > MOST_TEXT:
            raise ValueError(
                f"column {column.name[:100]!r} has the {what}, which a cell of a workbook cannot hold (empty, with a control "
                f"character, or of more than {MOST_TEXT:,} characters): change it before the fit, and fit again"
            )
    if column.level_kind is float:
        shown = [f"{level:.14e}" for level in column.levels or ()]
        twice = next((text for place, text in enumerate(shown) if text in shown[:place]), None)
        if twice is not None:
            raise ValueError(
                f"column {column.name!r} has two levels that are {float(twice)!r} to 15 digits, by which a workbook compares "
                "numbers: round them before the fit, and fit again"
            )


class _Writer:
    """Formulas of one game; those of a line have ``{n}`` for its number."""

    def __init__(self, scoring: Scoring, n_lines: int) -> None:
        self.scoring, self.n_lines = scoring, n_lines
        self.tables = NumberTables()
        self.steps: list[tuple[str, str]] = []  # name and formula

    def write(self) -> list[Sheet]:
        index = self.scoring.index
        used = sorted({column for term in self.scoring.terms for column in term.columns} | {*(index.columns if index else ())})
        cells = {place: self._add_cell(place) for place in used}
        axes = sorted(
            {(len(term.columns), place) for term in self.scoring.terms if len(term.columns) > 1 for place in term.columns}
        )
        functions = {axis: self._add_axis(*axis, *cells[axis[1]]) for axis in axes}
        predicted = self._add_predictions(index, cells) if index else []
        n_before = len(self.steps)
        for number, term in enumerate(self.scoring.terms):
            self._add_parts(number, term, cells, functions)
        for own in predicted:
            self._add_step(*own)
        weights, results = self._weigh(n_before)
        held = sum(map(len, [*self.tables.columns, *weights.lines]))
        n_cells = held + self.n_lines * (len(self.steps) + len(results) + len(self.scoring.columns))
        if n_cells > MOST_CELLS:
            _refuse(f"{n_cells:,} cells", f"{MOST_CELLS:,}")
        steps = Sheet("Steps", [[_HELP], [], [name for name, _ in self.steps]])
        steps.lines += [self._fill([each for _, each in self.steps], n) for n in self._line_numbers]
        sheets = [self._write_card(results), show_shapes(self.scoring), show_pairs(self.scoring), steps]
        sheets += [Sheet("Tables", self.tables.list_lines()), weights]
        for sheet in sheets:
            widest = max(map(len, sheet.lines), default=0)
            if widest > MOST_COLUMNS:
                _refuse(f"{widest:,} columns in the sheet {sheet.title}", f"{MOST_COLUMNS:,}")
        return sheets

    @property
    def _line_numbers(self) -> range:
        return range(_FIRST_LINE, _FIRST_LINE + self.n_lines)

    def _fill(self, formulas: Sequence[str], n: int) -> list[Any]:
        return [Formula("=" + each.replace("{n}", str(n))) for each in formulas]

    def _add_step(self, name: str, formula: str) -> str:
        """Where the result of a formula is, in the sheet of steps."""
        if len(formula) > MOST_FORMULA - 100:
            _refuse(f"a formula of {len(formula):,} characters", f"{MOST_FORMULA:,}")
        self.steps.append((name, formula))
        return f"${name_column(len(self.steps) - 1)}{{n}}"

    def _add_cell(self, place: int) -> tuple[str, str]:
        """The cell of a value, counted from 1, and its position in it."""
        column, x = self.scoring.columns[place], f"Scorecard!${name_column(place)}{{n}}"
        name, missing = column.name, column.n_cells
        if column.levels is not None:
            found, x_number = self._find_level(column, x), ""
        else:
            x_number = f"({x}*1)" if column.is_boolean else x
            edges = self.tables.add(f"{name}: edges", column.edges.tolist()) if len(column.edges) else ""
            found = f"1+SUMPRODUCT(({edges}<{x_number})*1)" if edges else "1"
        kind = column.level_kind
        is_valid = "" if kind is str else f"ISNUMBER({x})" if kind is float or not _is_flag(column) else f"ISNUMBER({x}*1)"
        checked = f"IF({is_valid},{found},NA())" if is_valid else found
        cell = self._add_step(f"{name}: cell", f"IF(ISBLANK({x}),{missing},{checked})")
        if column.levels is not None:
            return cell, "0"
        lows = self.tables.add(f"{name}: lows", column.lows.tolist())
        scales = self.tables.add(f"{name}: scales", column.scales.tolist())
        inside = f"MAX(0,MIN(1,({x_number}-INDEX({lows},{cell}))*INDEX({scales},{cell})))"
        return cell, self._add_step(f"{name}: position", f"IF(ISBLANK({x}),0,{inside})")

    def _find_level(self, column: ScoredColumn, x: str) -> str:
        """The cell of a level; that of other levels, the last but one, less a step for a level that is found."""
        levels, other = column.levels or (), column.n_cells - 1
        if not levels:
            return str(other)
        kept = [level if isinstance(level, str) else float(level) for level in levels]
        held = self.tables.add(f"{column.name}: levels", kept)
        back = self.tables.add(f"{column.name}: back", [other - 1 - place for place in range(len(levels))])
        is_equal = f"EXACT({held},{x})" if column.level_kind is str else f"({held}={x}*1)"
        return f"{other}-SUMPRODUCT({is_equal}*{back})"

    def _add_axis(self, size: int, place: int, cell: str, position: str) -> tuple[str, list[str]]:
        """The first active function of a column in terms of a size, and the values of all active ones."""
        column = self.scoring.columns[place]
        basis, name = column.bases[size - 1], f"{column.name}: {size}"
        first = self._add_step(f"{name} first", f"INDEX({self.tables.add(f'{name} first', basis.first.tolist())},{cell})")
        values = []
        for m in range(basis.polynomials.shape[1]):
            powers = [
                self.tables.add(f"{name} function {m} power {k}", each.tolist())
                for k, each in enumerate(basis.polynomials[:, m].T)
            ]
            values.append(self._add_step(f"{name} function {m}", _write_polynomial(powers, cell, position)))
        return first, values

    def _add_parts(
        self,
        number: int,
        term: ScoredTerm,
        cells: dict[int, tuple[str, str]],
        functions: dict[tuple[int, int], tuple[str, list[str]]],
    ) -> None:
        size, name = len(term.columns), f"term {number}"
        for part in range(term.table.shape[-1]):
            own = f"{name} part {part}"
            if size == 1:
                numbers = list_numbers(self.scoring, term)[..., part]
                powers = [self.tables.add(f"{own} power {k}", each.tolist()) for k, each in enumerate(numbers.T)]
                self._add_step(own, _write_polynomial(powers, *cells[term.columns[0]]))
                continue
            table = term.table[..., part]
            held, strides = self.tables.add(own, table.ravel().tolist()), np.cumprod([1, *table.shape[:0:-1]])[::-1]
            axes = [functions[size, place] for place in term.columns]
            start = "+".join(f"{first}*{stride}" for (first, _), stride in zip(axes, strides, strict=True))
            corners = product(*(range(len(values)) for _, values in axes))
            self._add_step(
                own,
                "+".join(
                    "*".join(
                        [
                            *(values[m] for (_, values), m in zip(axes, corner, strict=True)),
                            f"INDEX({held},{start}+{int(np.dot(corner, strides)) + 1})",
                        ]
                    )
                    for corner in corners
                ),
            )

    def _add_predictions(self, index: ScoredIndex, cells: dict[int, tuple[str, str]]) -> list[tuple[str, str]]:
        """Steps of linear predictions of columns; names and formulas of the functions of these, by index and output."""
        part, scores, found = index.part, {}, []
        for place, score in zip(part.columns, part.scores, strict=True):
            column = self.scoring.columns[place]
            active = score[column.bases[0].first[:, None] + np.arange(column.bases[0].polynomials.shape[1])]
            numbers = np.einsum("cmk,cm->kc", column.bases[0].polynomials, active)
            powers = [self.tables.add(f"{column.name}: score power {k}", each.tolist()) for k, each in enumerate(numbers)]
            scores[place] = self._add_step(f"{column.name}: score", _write_polynomial(powers, *cells[place]))
        for number, (weights, nodes, values) in enumerate(zip(part.weights, part.nodes, part.values, strict=True)):
            name, used = f"linear prediction {number}", np.flatnonzero(weights).tolist()
            # Numbers lie in cells: those in a formula have 15 digits.
            held = self.tables.add(name, [float(part.constants[number]), *weights[used].tolist()])
            products = (f"INDEX({held},{at})*{scores[part.columns[place]]}" for at, place in enumerate(used, 2))
            z = self._add_step(name, "+".join([f"INDEX({held},1)", *products]))
            cuts = self.tables.add(f"{name} cuts", nodes[1:-1].tolist())
            below = self._add_step(f"{name}: interval", f"1+SUMPRODUCT(({cuts}<{z})*1)")
            spans = np.diff(nodes)
            inverse = np.divide(1.0, spans, out=np.zeros_like(spans), where=spans > 0)
            low = self.tables.add(f"{name} lows", nodes.tolist())
            scale = self.tables.add(f"{name} scales", inverse.tolist())
            inside = f"({z}-INDEX({low},{below}))*INDEX({scale},{below})"
            share = self._add_step(f"{name}: position", f"MAX(0,MIN(1,{inside}))")
            columns = [part.columns[place] for place in used]
            lacks = "+".join(f"({cells[column][0]}={self.scoring.columns[column].n_cells})" for column in columns)
            for output, own in enumerate(values.T):
                held = self.tables.add(f"{name} values {output}", own.tolist())
                start, end = f"INDEX({held},{below})", f"INDEX({held},{below}+1)"
                formula = f"IF({lacks}>0,INDEX({held},{len(own)}),{start}+{share}*({end}-{start}))"
                found.append((f"{name}: value {output}", formula))
        return found

    def _weigh(self, n_before: int) -> tuple[Sheet, list[str]]:
        """The sheet with the weight of each part in each result, and the formulas of the results."""
        scoring, n_parts = self.scoring, len(self.steps) - n_before
        credits = [term.credits.reshape(len(term.credits), -1) for term in scoring.terms]
        sums = [term.sums for term in scoring.terms]
        if scoring.index is not None:
            n_outputs = len(scoring.base)
            credits.append(np.kron(scoring.index.shares, np.eye(n_outputs)).astype(np.float64, copy=False))
            sums.append(np.zeros((len(credits[-1]), n_outputs)))
        rows = [np.concatenate(credits).T, np.concatenate(sums).T] if n_parts else []
        bases = [0.0] * len(scoring.value_names) + scoring.base.tolist()
        sheet = Sheet("Weights", [["result", "constant", *(name for name, _ in self.steps[n_before:])]])
        results = []
        weights: NDArray[np.float64] = np.concatenate(rows) if rows else np.zeros((len(bases), 0))
        parts = f"Steps!${name_column(n_before)}{{n}}:${name_column(len(self.steps) - 1)}{{n}}"
        for line, (name, base, row) in enumerate(
            zip([*scoring.value_names, *scoring.prediction_names], bases, weights, strict=True), 2
        ):
            sheet.lines.append([name, base, *row.tolist()])
            total = f"+SUMPRODUCT({parts},Weights!$C${line}:${name_column(n_parts + 1)}${line})" if n_parts else ""
            results.append(f"Weights!$B${line}{total}")
        return sheet, results

    def _write_card(self, results: list[str]) -> Sheet:
        scoring, n_values = self.scoring, len(self.scoring.value_names)
        bases = [f"Weights!$B${n_values + 2 + place}" for place in range(len(scoring.base))]
        heads = [column.name for column in scoring.columns]
        what = f"Explained: {', '.join(scoring.output_names)} ({scoring.output_transform}). "
        what += f"A value is {explain_game(scoring.game)}."
        names = [*heads, *scoring.base_names, *scoring.value_names, *scoring.prediction_names]
        texts = frozenset(place for place, column in enumerate(scoring.columns) if column.level_kind is str)
        card = Sheet("Scorecard", [[what], [_HELP], names], len(heads), texts, n_frozen=_FIRST_LINE - 1, heads=2)
        for n in self._line_numbers:
            card.lines.append([*([None] * len(heads)), *self._fill([*bases, *results], n)])
        return card


def _is_flag(column: ScoredColumn) -> bool:
    return column.is_boolean or column.level_kind is bool


def _write_polynomial(powers: Sequence[str], cell: str, position: str) -> str:
    """A polynomial in the position, whose coefficients by rising power are in ranges with an entry for each cell."""
    text = f"INDEX({powers[-1]},{cell})" if position != "0" else f"INDEX({powers[0]},{cell})"
    for held in reversed(powers[:-1]) if position != "0" else ():
        text = f"INDEX({held},{cell})+{position}*({text})"
    return text


def _save(openpyxl: Any, sheets: Sequence[Sheet]) -> bytes:
    """The bytes of a workbook, which is computed when it is opened."""
    book = openpyxl.Workbook(write_only=True)
    book.calculation.fullCalcOnLoad = True
    styles = require("openpyxl.styles", "excel", "workbooks")
    cells = require("openpyxl.cell", "excel", "workbooks")
    bold, yellow = styles.Font(bold=True), styles.PatternFill("solid", fgColor="FFF8DC")
    colours = {"start_color": "6BAED6", "mid_color": "FFFFFF", "end_color": "FD8D3C"}
    rules = require("openpyxl.formatting.rule", "excel", "workbooks")
    shades = rules.ColorScaleRule(start_type="min", mid_type="num", mid_value=0, end_type="max", **colours)
    decimals = choose_format(next(sheet for sheet in sheets if sheet.title == "Shapes"))
    for sheet in sheets:
        made = book.create_sheet(sheet.title)
        is_card = sheet.title == "Scorecard"
        if sheet.n_frozen:
            made.freeze_panes = f"{name_column(sheet.n_inputs)}{sheet.n_frozen + 1}"
        for place, name in enumerate([] if sheet.heads is None else sheet.lines[sheet.heads]):
            made.column_dimensions[name_column(place)].width = min(max(len(name) + 2, 12), 40)
        for cells_range in sheet.grids:
            made.conditional_formatting.add(cells_range, shades)
        for number, line in enumerate(sheet.lines, start=1):
            written = []
            for place, value in enumerate(line):
                cell = cells.WriteOnlyCell(made, value)
                if isinstance(value, str) and not isinstance(value, Formula):
                    cell.data_type = "s"  # text is never a formula, whatever it begins with
                    if is_card or number == 1:
                        cell.font = bold
                if is_card and number >= _FIRST_LINE and place < sheet.n_inputs:
                    cell.fill = yellow
                    cell.number_format = "@" if place in sheet.text_inputs else "General"
                elif isinstance(value, Formula if is_card else float) and place >= max(sheet.n_names, sheet.n_inputs):
                    cell.number_format = decimals if sheet.grids or is_card else "General"
                written.append(cell)
            made.append(written)
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()
