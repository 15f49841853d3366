"""Losses of a model's outputs against labels, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._alignment import align_rows, get_index
from .._row_arrays import check_outputs, check_target
from .._validation import check_choice
from ..blackbox.adapters.families import order_columns
from ..blackbox.classes import ClassBox, compute_probabilities, list_classes
from ..blackbox.model import Answer
from .class_numbers import find_numbers

_LOSSES = ("auto", "squared", "absolute", "log", "error")
# Least probability whose logarithm is taken, as in scikit-learn.
_LEAST = 1e-15
_WHAT = {"squared": "squared error", "absolute": "absolute error", "log": "log-loss", "error": "error rate"}


def choose_loss(loss: Any, answer: Answer) -> Any:
    """The loss by name, or the user's function; "auto" is the log-loss of a classifier and the squared error of others."""
    if callable(loss):
        return loss
    chosen = check_choice(loss, _LOSSES, "loss")
    if chosen == "auto":
        return "log" if answer.probabilities is not None else "squared"
    if chosen in ("log", "error") and answer.probabilities is None:
        raise ValueError(
            f"loss={chosen!r} needs the class probabilities of a classifier, and the model gives {answer.box.description}: "
            "pass a classifier, or a function loss(y, outputs) that returns a number for each row"
        )
    if chosen not in ("log", "error") and answer.probabilities is not None:
        raise ValueError(f"loss={chosen!r} belongs to models of numbers, and this is a classifier: use 'log' or 'error'")
    return chosen


def name_loss(loss: Any) -> str:
    """What the mean of a loss is called."""
    return _WHAT[loss] if isinstance(loss, str) else f"mean of {getattr(loss, '__name__', 'the loss')}"


def compute_losses(loss: Any, y: Any, answer: Answer, model: Any, X: Any) -> NDArray[np.float64]:
    """Loss of each row, shape (n_rows, 1).

    Parameters
    ----------
    loss : str or callable
        As :func:`choose_loss` gives it.
    y : array of shape (n_rows,)
    answer : Answer
        Outputs of the model for X, and its class probabilities.
    model : estimator or callable
        Its ``classes_`` are those of the labels.
    X : table of n_rows rows
        Labels of pandas objects are matched to its rows by index.
    """
    n_rows = len(answer.values)
    labels = align_rows(y, get_index(X), "y")
    if callable(loss):
        return check_outputs(loss(np.asarray(labels), _drop_axis(answer.values)), n_rows, "the loss")[:, :1]
    if loss in ("log", "error"):
        return _compute_class_losses(loss, labels, answer, model)[:, None]
    target = check_target(order_columns(labels, answer.output_names), n_rows).reshape(n_rows, -1)
    if target.shape != answer.values.shape:
        raise ValueError(f"y has {target.shape[1]} columns, the model {answer.values.shape[1]} outputs; pass one for each")
    errors = answer.values - target
    return np.asarray((errors**2 if loss == "squared" else np.abs(errors)).mean(axis=1, keepdims=True))


def _drop_axis(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    return outputs[:, 0] if outputs.shape[1] == 1 else outputs


def _compute_class_losses(loss: str, labels: Any, answer: Answer, model: Any) -> NDArray[np.float64]:
    """Log-loss, or 1 where another class is more probable than the label."""
    probabilities = answer.probabilities
    assert probabilities is not None
    if isinstance(answer.box, ClassBox):  # the log-odds are clipped where a probability is 0
        probabilities = compute_probabilities(answer.values)
    classes = list_classes(getattr(model, "classes_", range(probabilities.shape[1])))
    codes = find_numbers(labels, classes, len(probabilities))
    if loss == "error":
        return np.asarray(probabilities.argmax(axis=1) != codes, dtype=np.float64)
    return np.asarray(-np.log(np.maximum(probabilities[np.arange(len(codes)), codes], _LEAST)))
