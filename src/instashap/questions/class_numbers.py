"""Class labels as numbers that fit the outputs of a fitted game."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fitted.game import FittedGame


def find_classes(fitted: FittedGame, model: Any) -> Sequence[Any] | None:
    """Classes of the model, else of a fit to labels; None where neither says."""
    known = getattr(model, "classes_", None)
    own = fitted.facts.get("classes") if known is None else np.asarray(known).ravel().tolist()
    return None if own is None else list(own)


def number_labels(
    y: Any, classes: Sequence[Any] | None, output_names: tuple[str, ...], kept: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Positions of labels among the classes of a model's outputs; with one output, 1 for its class and 0 for the other.

    Parameters
    ----------
    y : array of shape (n_rows,)
    classes : sequence or None
        Of the model; None if they are not known: the names of the outputs are used then. The numbers 0 and 1 fit a single
        output, unless one class alone is named so.
    output_names : tuple of str
    kept : ndarray of int64
        Rows that count.

    Raises
    ------
    ValueError
        For labels that are none of the classes.
    """
    labels = np.asarray(y).ravel()
    if len(labels) <= kept.max(initial=-1) or (np.asarray(y).ndim > 1 and np.asarray(y).shape[1] > 1):
        raise ValueError(f"y has shape {np.asarray(y).shape}; pass one label for each row of X")
    labels = labels[kept]
    n_classes = max(len(output_names), 2)
    if classes is not None and len(classes) == n_classes:
        known = [each if isinstance(each, str) else str(each) for each in np.asarray(classes).ravel().tolist()]
    elif len(output_names) > 1:
        known = list(output_names)
    else:
        return _number_two(labels, output_names[0])
    places = {name: place for place, name in enumerate(known)}
    unknown = sorted({str(each) for each in labels.tolist() if str(each) not in places})
    names_numbers = places.keys() & {"0", "1"}
    if unknown and len(output_names) == 1 and set(labels.tolist()) <= {0, 1} and len(names_numbers) != 1:
        return labels.astype(np.int64)
    if unknown:
        raise ValueError(f"y holds labels that are none of the classes {known}: {', '.join(unknown[:5])}")
    return np.array([places[str(each)] for each in labels.tolist()], dtype=np.int64)


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
