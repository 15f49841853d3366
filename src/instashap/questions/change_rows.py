"""Rows of one or two cohorts as one table, and what the models give for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._alignment import align_rows, get_index
from .._errors import ModelOutputError
from .._row_arrays import check_weights, normalise_weights, scale_weights
from ..blackbox.adapters.families import order_like
from ..blackbox.held_model import HeldModel
from ..blackbox.model import Answer
from ..masked.folds import are_counts
from ..table.columns import Table, read_table
from .change_lines import Side
from .change_loss import choose_loss, compute_losses, name_loss

# Rows that whole-number weights stand for are dealt to the groups of the jackknife one by one up to this number.
_MOST_COPIES = 5_000_000
# Fewer rows of a cohort do not make groups for the jackknife.
_LEAST_ROWS = 20
# Starts of descriptions of outputs, which name their scale.
_SCALES = ("log-odds", "log-probability", "probability")


@dataclass(frozen=True)
class CohortRows:
    """Rows of positive weight, cohort after cohort.

    Attributes
    ----------
    table : Table
    cohorts : ndarray of shape (n_rows,), int64
        0 for the first cohort, 1 for the second.
    weights : ndarray of shape (n_rows,), float64
        The same sum in each cohort.
    copies : ndarray of shape (n_rows,), int64
        How many equal rows each stands for: its weight, if those of its cohort are whole numbers, else 1.
    kept : tuple of ndarray
        Positions of the rows of each cohort in the user's table.
    """

    table: Table
    cohorts: NDArray[np.int64]
    weights: NDArray[np.float64]
    copies: NDArray[np.int64]
    kept: tuple[NDArray[np.int64], ...]

    @property
    def n_cohorts(self) -> int:
        return len(self.kept)

    def make_side(self, sign: float, rows: NDArray[np.int64]) -> Side:
        """Rows with their weights as shares of the sum."""
        own = self.weights[rows]
        return sign, rows, own / own.sum()

    def find(self, cohort: int) -> NDArray[np.int64]:
        """Positions of a cohort's rows."""
        return np.flatnonzero(self.cohorts == cohort)


def read_cohorts(tables: Sequence[Any], weights: Sequence[Any], categorical: Any) -> CohortRows:
    """Rows of the cohorts as one table, each cohort with half of the weight.

    Raises
    ------
    ValueError
        If a cohort has fewer than 20 rows, or lacks columns of the first.
    """
    first = read_table(tables[0], categorical=categorical)
    read = [first, *(read_table(each, first.schema) for each in tables[1:])]
    kept, shares = [], []
    for number, (table, X, given) in enumerate(zip(read, tables, weights, strict=True)):
        own = check_weights(align_rows(given, get_index(X), "sample_weight"), table.n_rows)
        kept.append(np.flatnonzero(own > 0))
        if len(kept[-1]) < _LEAST_ROWS:
            what = ("first", "second")[number] + " cohort" if len(tables) > 1 else "table"
            raise ValueError(
                f"the {what} has {len(kept[-1])} rows; means and their standard errors need at least {_LEAST_ROWS}: "
                "pass more rows, or explain the rows one by one with an Explainer"
            )
        shares.append(own[kept[-1]])
    if len(tables) > 1:
        half = sum(map(len, shares)) / 2
        whole = np.concatenate([own * (half / own.sum()) for own in shares])
        weights_of_rows = whole if np.all(whole == whole.round()) else normalise_weights(whole)
    else:
        weights_of_rows = scale_weights(shares[0])
    cohorts = np.repeat(np.arange(len(kept)), [len(each) for each in kept]).astype(np.int64)
    joined = join_tables([table.take(rows) for table, rows in zip(read, kept, strict=True)])
    return CohortRows(joined, cohorts, weights_of_rows, _count_copies(shares), tuple(kept))


def _count_copies(weights: Sequence[NDArray[np.float64]]) -> NDArray[np.int64]:
    """Equal rows that each row stands for, cohort after cohort."""
    copies = np.concatenate([own if are_counts(own) else np.ones(len(own)) for own in weights])
    return copies.astype(np.int64) if copies.sum() <= _MOST_COPIES else np.ones(len(copies), dtype=np.int64)


def join_tables(tables: Sequence[Table]) -> Table:
    """The rows of tables of one schema as one table."""
    if len(tables) == 1:
        return tables[0]
    numbers = np.concatenate([np.asarray(table.numbers, dtype=np.float64) for table in tables])
    categories, ordered = [], []
    for column in range(len(tables[0].categories)):
        parts = [table.categories[column] for table in tables]
        levels = list(dict.fromkeys(level for _, own in parts for level in own))
        places = {level: place for place, level in enumerate(levels)}
        codes = [np.array([*(places[level] for level in own), -1], dtype=np.int64)[part] for part, own in parts]
        categories.append((np.concatenate(codes), levels))
        own_order = bool(tables[0].is_ordered) and tables[0].is_ordered[column]
        ordered.append(own_order and len(levels) == len(parts[0][1]))
    return replace(
        tables[0], numbers=numbers, categories=tuple(categories), index=None, is_ordered=tuple(ordered) if any(ordered) else ()
    )


@dataclass(frozen=True)
class ModelOutputs:
    """What is explained of one model or two.

    Attributes
    ----------
    values : tuple of ndarray of shape (n_rows,), float64
        One for each model: outputs, or losses.
    what : str
        What their mean is called.
    scale : str
        Meaning and scale.
    """

    values: tuple[NDArray[np.float64], ...]
    what: str
    scale: str


@dataclass(frozen=True)
class Asked:
    """Models and rows as the user gave them.

    Attributes
    ----------
    models : sequence
        One or two.
    tables : sequence
        One or two cohorts.
    outputs : sequence
        Predictions for each pair of a model and a cohort, model by model; None where the model is called.
    labels : sequence
        Labels of each cohort; None for the outputs themselves.
    loss : str or callable
    target : str, int or None
        Which of several outputs.
    output : str
        Scale of a classifier's outputs.
    verbose : int
    """

    models: Sequence[Any]
    tables: Sequence[Any]
    outputs: Sequence[Any]
    labels: Sequence[Any]
    loss: Any
    target: Any
    output: str
    verbose: int


def ask_models(asked: Asked, rows: CohortRows) -> ModelOutputs:
    """Outputs or losses of each model for the rows of all cohorts, on one scale."""
    answers = [_ask_model(asked, number, model) for number, model in enumerate(asked.models)]
    _check_scales([own[0] for own in answers])
    has_labels = asked.labels[0] is not None
    loss = choose_loss(asked.loss, answers[0][0]) if has_labels else None
    values = []
    for model, own in zip(asked.models, answers, strict=True):
        parts = [
            compute_losses(loss, y, answer, model, X) if has_labels else answer.values
            for answer, y, X in zip(own, asked.labels, asked.tables, strict=True)
        ]
        values.append(np.concatenate([part[kept] for part, kept in zip(parts, rows.kept, strict=True)]))
    first = answers[0][0]
    if has_labels:
        return ModelOutputs(tuple(each[:, 0] for each in values), name_loss(loss), name_loss(loss))
    place = choose_output(asked.target, first.output_names, values[0].shape[1])
    places = [_match_output(first, own[0], place) for own in answers]
    found = tuple(each[:, own] for each, own in zip(values, places, strict=True))
    return ModelOutputs(found, "output", _describe(first, place))


def _ask_model(asked: Asked, number: int, model: Any) -> list[Answer]:
    """Answers of one model for each cohort, on the scale that the first cohort fixes."""
    held = HeldModel(model, asked.output, verbose=asked.verbose)
    found: list[Answer] = []
    for place, X in enumerate(asked.tables):
        given = asked.outputs[number * len(asked.tables) + place]
        scale = found[0].box.scale if found else None
        found.append(held.ask(order_like(X, asked.tables[0]) if place else X, count_rows(X), given, scale))
    if len({answer.values.shape[1] for answer in found}) > 1:
        raise ModelOutputError("the outputs of the two cohorts differ in number; they must be of one model")
    return found


def count_rows(X: Any) -> int:
    """Rows of a table in any container."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def _check_scales(answers: Sequence[Answer]) -> None:
    """Raise unless the models give as many outputs on scales that can be subtracted."""
    sizes = [answer.values.shape[1] for answer in answers]
    if len(set(sizes)) > 1:
        raise ModelOutputError(f"the two models give {sizes[0]} and {sizes[1]} outputs; only equal outputs can be compared")
    scales = [next((each for each in _SCALES if answer.box.description.startswith(each)), "") for answer in answers]
    if len(set(scales)) > 1:
        described = " and ".join(repr(answer.box.description) for answer in answers)
        raise ModelOutputError(
            f"the two models are on different scales, {described}: pass functions that return the same quantity, or "
            "output='probability' for two classifiers"
        )


def choose_output(target: Any, names: Sequence[str], n_outputs: int, what: str = "a change is that") -> int:
    """Position of the output to explain; raises ``ValueError`` that lists them if there are several and none is chosen."""
    known = list(names) or [f"output {k}" for k in range(n_outputs)]
    if target is None and n_outputs == 1:
        return 0
    if target is not None and str(target) in known:
        return known.index(str(target))
    if isinstance(target, int) and not isinstance(target, bool) and 0 <= target < n_outputs:
        return target
    came = "there is no choice" if target is None else f"target={target!r} is none of them"
    raise ValueError(f"{what} of one output, the model gives {', '.join(map(repr, known))}, and {came}: pass target=")


def _match_output(first: Answer, other: Answer, place: int) -> int:
    """Position among another model's outputs of the one at a position of the first's: that of the same name."""
    names, others = first.output_names, other.output_names
    are_classes = first.probabilities is not None and other.probabilities is not None
    if not names or not others or (len(names) == 1 and not are_classes):
        return place
    if set(names) != set(others):
        shown = " and ".join(", ".join(map(repr, each)) for each in (names, others))
        raise ModelOutputError(
            f"the outputs of the two models are not the same quantities, {shown}: train both on the same labels, or pass "
            "functions that return the same quantity"
        )
    return others.index(names[place])


def _describe(answer: Answer, place: int) -> str:
    names = answer.output_names
    text = answer.box.description
    return text if len(names) < 2 else f"{names[place]}: {text}"
