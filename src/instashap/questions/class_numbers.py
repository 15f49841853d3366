"""Class labels as numbers that fit the outputs of a fitted game."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..blackbox.classes import list_classes
from ..fitted.game import FittedGame
from ..table.column_kinds import is_missing

# Messages show so many classes.
_MANY = 8


def find_classes(fitted: FittedGame, model: Any) -> Sequence[Any] | None:
    """Classes of the model, else of a fit to labels; None where neither says."""
    known = getattr(model, "classes_", None)
    own = fitted.facts.get("classes") if known is None else list_classes(known)
    return None if own is None else list(own)


def number_labels(
    y: Any, classes: Sequence[Any] | None, output_names: tuple[str, ...], n_rows: int
) -> NDArray[np.int64]:
    """Positions of labels among the classes of a model's outputs; with one output, 1 for its class and 0 for the other.

    Parameters
    ----------
    y : array of shape (n_rows,)
    classes : sequence or None
        Of the model; None if they are not known: the names of the outputs are used then. The numbers 0 and 1 fit a single
        output, unless one class alone is named so.
    output_names : tuple of str
    n_rows : int

    Raises
    ------
    ValueError
        For labels that are none of the classes.
    """
    labels = np.asarray(y).ravel()
    if len(labels) != n_rows or (np.asarray(y).ndim > 1 and np.asarray(y).shape[1] > 1):
        raise ValueError(f"y has shape {np.asarray(y).shape}; pass one label for each of the {n_rows} rows of X")
    n_classes = max(len(output_names), 2)
    if classes is not None and len(classes) == n_classes:
        known = list(classes)
    elif len(output_names) > 1:
        known = list(output_names)
    else:
        return _number_two(labels, output_names[0])
    numbers = _match(labels.tolist(), known)
    names_numbers = {str(each) for each in known} & {"0", "1"}
    if (numbers < 0).any() and len(output_names) == 1 and set(labels.tolist()) <= {0, 1} and len(names_numbers) != 1:
        return labels.astype(np.int64)
    _refuse_unknown(labels.tolist(), numbers, known)
    return numbers


def find_numbers(y: Any, classes: Sequence[Any], n_rows: int) -> NDArray[np.int64]:
    """Position of each label among classes: the class that equals it, else the one of the same text.

    A whole number has the text of its integer: 1.0, 1 and "1" are one class where no two classes have this text.

    Parameters
    ----------
    y : array of shape (n_rows,)
    classes : sequence
    n_rows : int

    Raises
    ------
    ValueError
        For another number of labels, missing labels, and labels that are none of the classes.

    Examples
    --------
    >>> find_numbers([1.0, 0.0], ["0", "1"], 2), find_numbers(["1", 1], [1, "1"], 2)
    (array([1, 0]), array([1, 0]))
    """
    labels = np.asarray(y, dtype=object)
    if labels.ndim > 1 and labels.shape[1:] != (1,):
        raise ValueError(f"y has shape {labels.shape}; pass one label for each row of X")
    given = labels.ravel().tolist()
    if len(given) != n_rows:
        raise ValueError(f"y has {len(given)} labels, X has {n_rows} rows")
    numbers = _match(given, classes)
    _refuse_unknown(given, numbers, classes)
    return numbers


def _match(labels: Sequence[Any], classes: Sequence[Any]) -> NDArray[np.int64]:
    """Position of each label among classes by equality, else by text; -1 for none."""
    places = {each: place for place, each in enumerate(classes)}
    texts = [_write(each) for each in classes]
    written = {text: place for place, text in enumerate(texts) if texts.count(text) == 1}
    found = [places.get(each, -1 if is_missing(each) else written.get(_write(each), -1)) for each in labels]
    return np.array(found, dtype=np.int64)


def _write(label: Any) -> str:
    """Text of a label; a whole number, but no flag, has that of its integer."""
    is_whole = isinstance(label, (float, np.floating)) and float(label).is_integer()
    return str(int(label)) if is_whole else str(label)


def _refuse_unknown(labels: Sequence[Any], numbers: NDArray[np.int64], classes: Sequence[Any]) -> None:
    """Raise ``ValueError`` if a label has no number, and say what may be meant."""
    strange = [label for label, number in zip(labels, numbers.tolist(), strict=True) if number < 0]
    if not strange:
        return
    n_missing = sum(is_missing(label) for label in strange)
    if n_missing == len(strange):
        raise ValueError(f"y holds {n_missing} missing labels; drop those rows")
    unknown = sorted({str(each) for each in strange})
    are_positions = {str(each) for each in labels} <= {str(place) for place in range(len(classes))}
    named = f"np.array({list(map(str, classes))})[np.asarray(y, dtype=int)]"
    hint = f"; if they are positions of classes, pass {named}" * (are_positions and len(classes) <= _MANY)
    known = ", ".join(repr(each) for each in list(classes)[:_MANY]) + ", …" * (len(classes) > _MANY)
    raise ValueError(f"y holds labels that are none of the model's classes ({known}): {', '.join(unknown[:5])}{hint}")


def _number_two(labels: NDArray[Any], name: str) -> NDArray[np.int64]:
    """Labels of two classes by the name of the output's class, or 0 and 1."""
    if labels.dtype.kind in "biuf" and set(np.unique(labels).tolist()) <= {0, 1}:
        return labels.astype(np.int64)
    is_own = np.array([str(each) == name for each in labels.tolist()])
    others = sorted({str(each) for each in labels[~is_own].tolist()})
    if not is_own.any() or len(others) > 1:
        found = sorted({str(each) for each in labels.tolist()})
        raise ValueError(
            f"the output is of class {name!r}, and y holds {', '.join(map(repr, found[:5]))}: pass labels of two classes, one "
            "of them named so, or 0 and 1 with 1 for this class"
        )
    return is_own.astype(np.int64)
