"""Outputs of the model, predictions and known outcomes of some rows, and the rows among them that stand out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import InstashapWarning
from ..blackbox.aims import find_aim
from ..explain.explainer import Explainer
from ..explain.options import hold_model
from ..fitted.game import FittedGame
from ..questions.model_outputs import ask_outputs

# Largest number of rows of which the model is asked, evenly spaced over the table.
MAX_ASKED = 5000
# Largest number of points of a chart; with several outputs fewer, so that the page stays small.
_MAX_POINTS, _ALL_POINTS = 1000, 2000
# Number of rows kept for each way of standing out, and of outputs whose highest and lowest rows are kept.
_N_EXTREME, _N_OUTPUTS = 5, 4
_CLASS_NAME = re.compile(r"(?:log-odds|probability) of class '(.+?)'")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RowOutputs:
    """What is known of some rows.

    Attributes
    ----------
    numbers : ndarray of shape (n_rows,), int64
        Positions in the table.
    predictions : ndarray of shape (n_rows, n_outputs), float64
        Of the additive model, on the scale that is explained.
    outputs : ndarray of shape (n_rows, n_outputs), float64, or None
        Of the explained model; None if the explainer does not hold it.
    outcomes : ndarray of shape (n_rows,) or (n_rows, n_outputs), or None
        Labels.
    responses : ndarray of shape (n_rows, n_outputs), float64
        Outputs (without them predictions) on the scale of outcomes: probabilities of classes, or amounts.
    truths : ndarray of shape (n_rows, n_outputs), float64, or None
        Outcomes on the same scale, 1 and 0 for classes; NaN where unknown. None if they are not comparable.
    is_class : bool
        Whether outputs are those of classes.
    """

    numbers: NDArray[np.int64]
    predictions: Floats
    outputs: Floats | None
    outcomes: NDArray[Any] | None
    responses: Floats
    truths: Floats | None
    is_class: bool

    @property
    def remainders(self) -> Floats | None:
        """What the predictions leave of the outputs, shape (n_rows, n_outputs)."""
        return None if self.outputs is None else self.outputs - self.predictions

    @property
    def misses(self) -> Floats | None:
        """Distance of each response from the known outcome, the largest of all outputs, shape (n_rows,); NaN where unknown."""
        return None if self.truths is None else np.asarray(np.abs(self.truths - self.responses).max(axis=1))

    def count_hits(self) -> list[dict[str, int]]:
        """For each class: rows that are of it (``real``), that are named by it (``named``), and both; empty without classes.

        A row is named by its most probable class, by a single class if that has more than 50 %.
        """
        if not self.is_class or self.truths is None:
            return []
        n_classes = self.responses.shape[1]
        best = np.eye(n_classes, dtype=bool)[self.responses.argmax(axis=1)] if n_classes > 1 else self.responses > 0.5
        real = self.truths == 1.0
        counts = zip(real.sum(axis=0).tolist(), best.sum(axis=0).tolist(), (real & best).sum(axis=0).tolist(), strict=True)
        return [{"real": own, "named": named, "both": both} for own, named, both in counts]

    def pack(self, shown: list[int]) -> dict[str, Any]:
        """The points of the page's charts as lists by output, without values of features; among them the rows ``shown``."""
        n_rows, n_outputs = self.predictions.shape
        spaced = np.linspace(0, n_rows - 1, min(n_rows, _MAX_POINTS, _ALL_POINTS // n_outputs)).astype(np.int64)
        some = np.union1d(spaced, np.flatnonzero(np.isin(self.numbers, shown)))
        labels = self.outcomes[some].ravel().tolist() if self.outcomes is not None and self.is_class else []
        return {
            "numbers": self.numbers[some].tolist(),
            "responses": _shorten(self.responses[some]),
            "truths": [] if self.truths is None else _shorten(self.truths[some]),
            "classes": list(map(str, labels)),
            "hits": self.count_hits(),
            "outputs": [] if self.outputs is None else _shorten(self.outputs[some]),
            "remainders": [] if self.remainders is None else _shorten(self.remainders[some]),
        }

    def find_extreme(self) -> list[int]:
        """Places of rows that stand out: the highest and lowest outputs, the largest remainders and the worst misses."""
        return sorted({int(place) for sizes in self._list_sizes() for place in np.argsort(-sizes, kind="stable")[:_N_EXTREME]})

    def _list_sizes(self) -> Iterator[Floats]:
        for output in self.responses.T[:_N_OUTPUTS]:
            yield from (output, -output)
        if self.remainders is not None:
            yield np.abs(self.remainders).max(axis=1)
        if self.misses is not None:
            yield np.nan_to_num(self.misses, nan=-1.0)


def ask_rows(explainer: Explainer, X: Any, numbers: NDArray[np.int64], labels: Any) -> RowOutputs:
    """Predictions, outputs and labels of the rows of X at some positions; ``labels`` are those of all rows, or None."""
    fitted = explainer._check_fitted()
    rows = take_rows(X, numbers.tolist())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InstashapWarning)  # the rows were read before, with their warnings
        predictions = fitted.predict(fitted.read(rows))
        held = None if explainer.model is None else replace(hold_model(explainer), verbose=0)
        outputs = None if held is None else ask_outputs(fitted, rows, held, None, len(numbers))
    outcomes = None if labels is None else np.asarray(labels)[numbers]
    best = predictions if outputs is None else outputs
    chances, is_log = compute_chances(fitted.output_transform, best), _is_log(explainer, fitted)
    responses = chances if chances is not None else np.exp(best) if is_log else best
    truths = None if outcomes is None else _compare(fitted, outcomes, chances is not None, is_log)
    return RowOutputs(numbers, predictions, outputs, outcomes, responses, truths, chances is not None)


def take_rows(X: Any, numbers: list[int]) -> Any:
    """Some rows of a user's table, in a container of the same kind."""
    if hasattr(X, "iloc"):
        return X.iloc[numbers]
    if hasattr(X, "column_names"):  # Arrow
        return X.take(numbers)
    return (X if hasattr(X, "shape") else np.asarray(X))[numbers]


def compute_chances(transform: str, outputs: Floats) -> Floats | None:
    """Probabilities of outputs on a scale of classes; None for others. page.js computes the same.

    Examples
    --------
    >>> compute_chances("log-odds of class 'yes'", np.array([[0.0]]))
    array([[0.5]])
    """
    if transform.startswith("probability of"):
        return outputs
    if outputs.shape[1] == 1 and transform.startswith("log-odds"):
        return np.asarray(1.0 / (1.0 + np.exp(-outputs)))
    if outputs.shape[1] > 1 and re.match("(centred )?log-probabilit", transform):
        raised = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))
    return None


def _is_log(explainer: Explainer, fitted: FittedGame) -> bool:
    """Whether outputs are logarithms of what labels measure."""
    aim = find_aim(explainer.model, fitted.output_transform)
    return fitted.output_transform.startswith("log of the mean") or (aim is not None and aim.is_log)


def _compare(fitted: FittedGame, outcomes: NDArray[Any], is_class: bool, is_log: bool) -> Floats | None:
    """Outcomes on the scale of responses; None if they are not comparable."""
    n_outputs = len(fitted.output_names)
    if is_class:
        return _mark_classes(fitted, outcomes)
    is_foreign = re.match("raw|log-odds|score", fitted.output_transform) or "link" in fitted.output_transform
    if is_foreign and not is_log:
        return None
    numbers = outcomes.reshape(len(outcomes), -1)
    return numbers.astype(np.float64) if numbers.shape[1] == n_outputs and numbers.dtype.kind in "fiub" else None


def _mark_classes(fitted: FittedGame, outcomes: NDArray[Any]) -> Floats | None:
    """1 where a row is of an output's class, else 0; None if no label is the name of a class."""
    named = _CLASS_NAME.match(fitted.output_transform)
    names = [named[1]] if named and len(fitted.output_names) == 1 else list(fitted.output_names)
    labels = np.array([str(each) for each in outcomes.ravel().tolist()])
    found = np.stack([labels == name for name in names], axis=1) if len(labels) == len(outcomes) else np.zeros((0, 1))
    return found.astype(np.float64) if found.any() else None


def list_outcomes(labels: NDArray[Any]) -> list[Any]:
    """Labels as JSON types; lists of them for several outputs."""
    if labels.ndim > 1 and labels.shape[1] > 1:
        return [list_outcomes(each) for each in labels]
    return [_write_outcome(each) for each in labels.ravel().tolist()]


def _write_outcome(label: Any) -> float | str | None:
    if label is None or label != label:
        return None
    return float(label) if isinstance(label, (int, float)) and not isinstance(label, bool) else str(label)


def _shorten(values: Floats) -> list[list[float | None]]:
    """Numbers by output to five digits; None for NaN."""
    return [[float(f"{each:.5g}") if each == each else None for each in own] for own in values.T.tolist()]
