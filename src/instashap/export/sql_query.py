"""A fitted game as an SQL query: CASE, COALESCE and arithmetic over the columns of a table; large models join tables.

The query has steps, each a common table expression: rows, cells, positions in cells, values of basis functions, parts of terms.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import TooLargeError
from .._validation import check_choice
from ..fitted.game import FittedGame
from ..store.atomic import write_file
from .opened import open_fitted
from .scoring import ScoredColumn, ScoredTerm, Scoring, list_numbers, read_scoring
from .sql_names import name_results
from .sql_text import Dialect, add_up, branch, write_number, write_polynomial

# A query of at most so many characters holds the numbers itself; otherwise they are in tables.
INLINE_CHARACTERS = 400_000
# A query of more characters, tables of more numbers and steps of more columns are refused. PostgreSQL allows 1 664 columns.
MOST_CHARACTERS, MOST_NUMBERS, MOST_COLUMNS = 4_000_000, 5_000_000, 1_500
# SQLite joins at most 64 tables at once.
_JOINED_AT_ONCE = 50
_ROWS_OF_INSERT = 500
_LESS = "fit with a lower order or fewer interactions, or export to ONNX, which has no such limit"
# Characters of a number with its operator, to choose the layout before anything is written.
_CHARACTERS_OF_NUMBER = 28


@dataclass(frozen=True)
class SqlText:
    """A query, and the statements that make what it joins.

    Attributes
    ----------
    setup : tuple of str
        ``CREATE TABLE`` and ``INSERT`` statements, to be run once; empty if the query holds all numbers itself.
    query : str
        One ``SELECT``. Use it as it is, or as ``CREATE VIEW … AS``.
    """

    setup: tuple[str, ...] = field(repr=False)
    query: str = field(repr=False)

    def __str__(self) -> str:
        return "".join(f"{statement};\n" for statement in (*self.setup, self.query))


def to_sql(
    explainer: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    dialect: str = "duckdb",
    rows: str = "rows",
    keep: Sequence[str] = (),
    layout: str = "auto",
    prefix: str = "instashap",
) -> SqlText:
    """A query that predicts and explains the rows of a table.

    It gives ``base_value``, a column ``shap_<feature>`` for each feature, and ``prediction``, on the scale of
    ``output_transform``; with several outputs, names end in `` · <output>``. Missing are NULL and NaN. Text that no fitted row
    had counts as other levels do; text is compared exactly. A row with an infinite number, which Python refuses, gets NULL or
    NaN.

    Parameters
    ----------
    explainer : Explainer
    path : str or path-like, optional
        A file to write all statements to.
    dialect : {"duckdb", "postgres", "sqlite"}
    rows : str
        The table that holds the fitted columns under their names; a schema may be before a point.
    keep : sequence of str
        Columns of that table to give beside the values, for example its key.
    layout : {"auto", "inline", "tables"}
        Whether the query holds all numbers itself ("inline") or joins tables of them. "auto": inline up to 400 000 characters.
    prefix : str
        With which the names of joined tables begin.

    Raises
    ------
    OptionalDependencyError
        If ``sqlglot`` is missing: ``pip install 'instashap[sql]'``.
    ValueError
        For a fit that SQL cannot express, or names that the dialect cannot distinguish.
    TooLargeError
        For a query of more than 4 million characters, 5 million numbers or 1 500 columns in a step.
    """
    fitted = open_fitted(explainer)
    check_choice(layout, ("auto", "inline", "tables"), "layout")
    writer = _Writer(Dialect.find(dialect), read_scoring(fitted, "an SQL query"), rows, tuple(keep), prefix)
    text = writer.write(layout)
    if path is not None:
        write_file(path, str(text))
    return text


def write_sql(fitted: FittedGame, path: str | os.PathLike[str]) -> None:
    """Write a game for DuckDB and a table ``rows``; see :func:`to_sql`."""
    to_sql(fitted, path)


@dataclass(frozen=True)
class _Writer:
    dialect: Dialect
    scoring: Scoring
    rows: str
    keep: tuple[str, ...]
    prefix: str

    def write(self, layout: str) -> SqlText:
        names = name_results(self.dialect, self.scoring, self.keep)
        is_inline = layout == "inline" or (layout == "auto" and self._estimate() <= INLINE_CHARACTERS)
        setup = () if is_inline else tuple(self._write_tables())
        steps = [*self._write_columns(), *(self._write_inline() if is_inline else self._write_joins())]
        query = self._write_steps(steps, names)
        if len(query) > MOST_CHARACTERS:
            advice = "pass layout='tables', which joins the numbers" if is_inline else _LESS
            self._refuse(f"{len(query):,} characters", f"{MOST_CHARACTERS:,}", advice)
        return SqlText(setup, query)

    def _refuse(self, what: str, most: str, advice: str = _LESS) -> None:
        raise TooLargeError(f"the model needs {what} of SQL, and at most {most} are written: {advice}")

    def _estimate(self) -> float:
        return sum(list_numbers(self.scoring, term).size for term in self.scoring.terms) * _CHARACTERS_OF_NUMBER

    # Steps ------------------------------------------------------------------------------------------------------------------

    def _write_steps(self, steps: Sequence[_Step], names: Sequence[str]) -> str:
        """All steps, each of which gives the columns that later ones use, and the last query."""
        kept = [f"k{place}" for place in range(len(self.keep))] + ["z"]
        results = self._write_results()
        needed = [{*kept, *_find_names(results)}]
        for step in reversed(steps[1:]):
            needed.append((needed[-1] - step.columns.keys()) | _find_names([*step.columns.values(), *step.joins]))
        written: list[str] = []
        known: list[str] = []
        for step, used in zip(steps, reversed(needed), strict=True):
            computed = {name: each for name, each in step.columns.items() if name in used}
            passed = [name for name in known if name in used]
            known = [*passed, *computed]
            if len(known) > MOST_COLUMNS:
                self._refuse(f"{len(known):,} columns in one step", f"{MOST_COLUMNS:,}")
            selected = ",\n  ".join([*passed, *(f"{each} AS {name}" for name, each in computed.items())])
            source = f"s{len(written) - 1}" if written else self.dialect.name_table(self.rows)
            joins = "".join(f"\n  {join}" for join in step.joins)
            written.append(f"s{len(written)} AS MATERIALIZED (SELECT\n  {selected}\n  FROM {source}{joins})")
        aliases = [self.dialect.name_column(name) for name in names]
        selected = ",\n  ".join(f"{each} AS {alias}" for each, alias in zip(results, aliases, strict=True))
        return f"WITH {', '.join(written)}\nSELECT\n  {selected}\nFROM s{len(written) - 1}"

    def _write_results(self) -> list[str]:
        scoring, terms = self.scoring, self.scoring.terms
        sums = np.concatenate([term.sums for term in terms]) if terms else np.zeros((0, len(scoring.base)))
        flat = [term.credits.reshape(len(term.credits), -1) for term in terms]
        credits = np.concatenate(flat) if flat else np.zeros((0, len(scoring.value_names)))
        bases = [write_number(each) for each in scoring.base]
        kept = [f"k{place}" for place in range(len(self.keep))]
        values = [add_up(["z", *_weigh_parts(each)]) for each in credits.T]
        if scoring.index is not None:
            n_outputs = len(scoring.base)
            slots = ((player, output) for player in range(len(scoring.feature_names)) for output in range(n_outputs))
            more = [_weigh_parts(scoring.index.shares[:, player], f"h{output}_") for player, output in slots]
            values = [add_up([value, *each]) for value, each in zip(values, more, strict=True)]
        predictions = [add_up([base, "z", *_weigh_parts(each)]) for base, each in zip(bases, sums.T, strict=True)]
        return [*kept, *bases, *values, *predictions]

    def _write_columns(self) -> list[_Step]:
        """Rows, cells, positions, and values of the basis functions of terms of several columns."""
        index = self.scoring.index
        used = sorted({column for term in self.scoring.terms for column in term.columns} | {*(index.columns if index else ())})
        columns = [self.scoring.columns[column] for column in used]
        read = {f"k{place}": self.dialect.name_column(name) for place, name in enumerate(self.keep)}
        numbers = [(place, each) for place, each in zip(used, columns, strict=True) if each.level_kind is not str]
        for place, column in zip(used, columns, strict=True):
            name, is_flag = self.dialect.name_column(column.name), column.is_boolean or column.level_kind is bool
            is_text = column.level_kind is str
            read[f"x{place}"] = self.dialect.cast(name, "text") if is_text else self.dialect.read_number(name, is_flag)
        invalid = [
            self.dialect.find_invalid(self.dialect.name_column(each.name), each.is_boolean or each.level_kind is bool)
            for each in self.scoring.columns
            if each.level_kind is not str
        ]
        read["z"] = add_up(invalid)
        cells = {f"c{place}": self._find_cell(place, each) for place, each in zip(used, columns, strict=True)}
        cells |= {f"u{place}": self._find_position(place, each) for place, each in numbers if each.levels is None}
        cut = {
            f"t{place}": f"CASE WHEN u{place} > 1e0 THEN 1e0 WHEN u{place} > 0e0 THEN u{place} ELSE 0e0 END"
            for place, each in numbers
            if each.levels is None
        }
        several = [term.columns for term in self.scoring.terms if len(term.columns) > 1]
        axes = sorted({(len(columns), column) for columns in several for column in columns})
        weights: dict[str, str] = {}
        for size, place in axes:
            weights |= self._weigh_axis(size, place)
        return [_Step(read), _Step(cells), _Step(cut), _Step(weights), *self._write_index()]

    def _find_cell(self, place: int, column: ScoredColumn) -> str:
        x, missing = f"x{place}", column.n_cells - 1
        if column.levels is None:
            found = branch(x, list(map(write_number, column.edges)), list(map(str, range(missing))))
        else:
            quote = self.dialect.quote if column.level_kind is str else write_number
            cases = " ".join(f"WHEN {quote(level)} THEN {cell}" for cell, level in enumerate(column.levels))
            found = f"CASE {x} {cases} ELSE {missing - 1} END" if cases else str(missing - 1)
        return f"CASE WHEN {x} IS NULL THEN {missing} ELSE {found} END"

    def _find_position(self, place: int, column: ScoredColumn) -> str:
        """Position in the cell before it is cut to [0, 1]; 0 where the value is missing."""
        x = f"x{place}"
        spans = zip(column.lows, column.scales, strict=True)
        leaves = [f"({x} - {write_number(low)}) * {write_number(scale)}" if scale > 0 else "0e0" for low, scale in spans]
        found = branch(x, list(map(write_number, column.edges)), leaves)
        return self.dialect.cast(f"CASE WHEN {x} IS NULL THEN 0e0 ELSE {found} END", "double")

    def _weigh_axis(self, size: int, place: int) -> dict[str, str]:
        """First active function of a column in terms of a size, and the values of all active ones."""
        column = self.scoring.columns[place]
        basis, cells = column.bases[size - 1], list(map(str, range(column.n_cells - 1)))
        t = f"t{place}" if column.levels is None else "0e0"
        axis = _name_axis(size, place)
        found = {f"f{axis}": branch(f"c{place}", cells, list(map(str, basis.first)))}
        for m in range(basis.polynomials.shape[1]):
            leaves = [write_polynomial(each, t) for each in basis.polynomials[:, m]]
            found[f"w{axis}_{m}"] = self.dialect.cast(branch(f"c{place}", cells, leaves), "double")
        return found

    def _write_index(self) -> list[_Step]:
        """Scores of columns, linear predictions, NULL where a column is missing, and the functions of these."""
        if self.scoring.index is None:
            return []
        part = self.scoring.index.part
        scores = {f"g{place}": self._score_column(place, score) for place, score in zip(part.columns, part.scores, strict=True)}
        predicted, found = {}, {}
        for number, weights in enumerate(part.weights):
            used = [(part.columns[at], weights[at]) for at in np.flatnonzero(weights)]
            sum_ = add_up([write_number(part.constants[number]), *(f"{write_number(each)} * g{place}" for place, each in used)])
            predicted[f"q{number}"] = sum_
            for output in range(part.values.shape[2]):
                own = _interpolate(f"q{number}", part.nodes[number], part.values[number, :, output])
                found[f"h{output}_{number}"] = self.dialect.cast(own, "double")
        return [_Step(scores), _Step(predicted), _Step(found)]

    def _score_column(self, place: int, score: NDArray[np.float64]) -> str:
        """The score of a column; NULL where its value is missing."""
        column = self.scoring.columns[place]
        basis, cells = column.bases[0], list(map(str, range(column.n_cells - 2)))
        active = score[basis.first[:, None] + np.arange(basis.polynomials.shape[1])]
        t = f"t{place}" if column.levels is None else "0e0"
        leaves = [write_polynomial(each, t) for each in np.einsum("cmk,cm->ck", basis.polynomials, active)[:-1].tolist()]
        known = f"CASE WHEN c{place} < {column.n_cells - 1} THEN {branch(f'c{place}', cells, leaves)} END"
        return self.dialect.cast(known, "double")

    def _write_inline(self) -> list[_Step]:
        parts: dict[str, str] = {}
        for term in self.scoring.terms:
            numbers = list_numbers(self.scoring, term)
            for part in range(numbers.shape[-1]):
                own = self._branch_term(term, numbers[..., part], ())
                parts[f"p{len(parts)}"] = self.dialect.cast(own, "double")
        return [_Step(parts)]

    def _branch_term(self, term: ScoredTerm, numbers: NDArray[np.float64], known: tuple[int, ...]) -> str:
        """The value of a part: branches over the cell, or over the first active functions of one column after the other."""
        size, axis = len(term.columns), len(known)
        if axis == size:
            return self._combine(term, [write_number(each) for each in numbers[known]], numbers[known])
        subject = f"c{term.columns[0]}" if size == 1 else f"f{_name_axis(size, term.columns[axis])}"
        places = range(numbers.shape[axis])
        leaves = [self._branch_term(term, numbers, (*known, place)) for place in places]
        return branch(subject, list(map(str, places))[:-1], leaves)

    def _combine(self, term: ScoredTerm, names: Sequence[str], values: NDArray[np.float64] | None = None) -> str:
        """A polynomial in the position, or products of functions, with numbers that are given as text."""
        size = len(term.columns)
        if size == 1:
            is_number = self.scoring.columns[term.columns[0]].levels is None
            t = f"t{term.columns[0]}" if is_number else "0e0"
            if values is not None:
                return write_polynomial(values.tolist(), t)
            text = names[-1]
            for name in reversed(names[:-1]):
                text = f"({name} + {t} * {text})"
            return text
        widths = [range(self.scoring.columns[column].bases[size - 1].polynomials.shape[1]) for column in term.columns]
        axes = [_name_axis(size, column) for column in term.columns]
        used = [
            " * ".join([*(f"w{axis}_{m}" for axis, m in zip(axes, corner, strict=True)), name])
            for place, (corner, name) in enumerate(zip(product(*widths), names, strict=True))
            if values is None or values[place] != 0.0
        ]
        return add_up(used)

    # Joined tables ----------------------------------------------------------------------------------------------------------

    def _name_term(self, number: int) -> str:
        return self.dialect.name_table(f"{self.prefix}_term_{number}")

    def _write_tables(self) -> Iterator[str]:
        numbers = [list_numbers(self.scoring, term) for term in self.scoring.terms]
        total = sum(each.size for each in numbers)
        if total > MOST_NUMBERS:
            self._refuse(f"{total:,} numbers in tables", f"{MOST_NUMBERS:,}")
        integer, double = (self.dialect.sqlglot.exp.DataType.build(kind).sql(self.dialect.name) for kind in ("int", "double"))
        for number, (term, table) in enumerate(zip(self.scoring.terms, numbers, strict=True)):
            size = len(term.columns)
            keys = [f"a{axis}" for axis in range(size)]
            flat = table.reshape(*table.shape[:size], -1)
            values = [f"v{number}_{place}" for place in range(flat.shape[-1])]
            if len(values) > MOST_COLUMNS:
                self._refuse(f"{len(values):,} columns in one table", f"{MOST_COLUMNS:,}")
            columns = [f"{key} {integer} NOT NULL" for key in keys] + [f"{value} {double} NOT NULL" for value in values]
            yield f"CREATE TABLE {self._name_term(number)} ({', '.join(columns)}, PRIMARY KEY ({', '.join(keys)}))"
            places = np.ndindex(*table.shape[:size])
            entries = [f"({', '.join([*map(str, at), *map(write_number, flat[at])])})" for at in places]
            for start in range(0, len(entries), _ROWS_OF_INSERT):
                yield f"INSERT INTO {self._name_term(number)} VALUES {', '.join(entries[start : start + _ROWS_OF_INSERT])}"

    def _write_joins(self) -> list[_Step]:
        steps: list[_Step] = []
        first = 0
        for start in range(0, len(self.scoring.terms), _JOINED_AT_ONCE):
            joins, parts = [], {}
            for number in range(start, min(start + _JOINED_AT_ONCE, len(self.scoring.terms))):
                term = self.scoring.terms[number]
                shape = list_numbers(self.scoring, term).shape
                size, n_parts = len(term.columns), shape[-1]
                for part in range(n_parts):
                    names = [f"v{number}_{corner * n_parts + part}" for corner in range(shape[-2])]
                    parts[f"p{first + part}"] = self._combine(term, names)
                first += n_parts
                subjects = [f"c{term.columns[0]}"] if size == 1 else [f"f{_name_axis(size, each)}" for each in term.columns]
                on = " AND ".join(f"j{number}.a{axis} = {subject}" for axis, subject in enumerate(subjects))
                joins.append(f"LEFT JOIN {self._name_term(number)} AS j{number} ON {on}")
            steps.append(_Step(parts, tuple(joins)))
        return steps or [_Step({})]


@dataclass(frozen=True)
class _Step:
    """Columns that a step computes from the step before, and what it joins."""

    columns: dict[str, str]
    joins: tuple[str, ...] = ()


def _interpolate(z: str, nodes: NDArray[np.float64], values: NDArray[np.float64]) -> str:
    """A function that is linear between nodes and constant outside; its last value is that of NULL."""
    lines = []
    for low, high, start, end in zip(nodes[:-1], nodes[1:], values[:-2], values[1:-1], strict=True):
        slope = (end - start) / (high - low) if high > low else 0.0
        line = f"{write_number(start)} + ({z} - {write_number(low)}) * {write_number(slope)}"
        lines.append(line if slope else write_number(start))
    leaves = [write_number(values[0]), *lines, write_number(values[-2])]
    return f"CASE WHEN {z} IS NULL THEN {write_number(values[-1])} ELSE {branch(z, list(map(write_number, nodes)), leaves)} END"


def _name_axis(size: int, place: int) -> str:
    return f"{size}_{place}"


def _find_names(expressions: Sequence[str]) -> set[str]:
    """Names of the columns of steps in some expressions; quoted text and identifiers hold none."""
    plain = (re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", "", each) for each in expressions)
    return {name for each in plain for name in re.findall(r"(?<![\w.])[kxzcutfwpgqh]\d*(?:_\d+)*\b", each)}


def _weigh_parts(weights: NDArray[np.float64], kind: str = "p") -> list[str]:
    return [f"{write_number(weight)} * {kind}{part}" for part, weight in enumerate(weights) if weight != 0.0]
