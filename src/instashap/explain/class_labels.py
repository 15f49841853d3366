"""Class labels as integer codes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from ..table.column_kinds import is_missing


def check_labels(y: Any, weights: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The sorted classes among rows of positive weight, and each row's position among them (0 where the weight is 0)."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    labels = column_or_1d(y, warn=True)
    if len(labels) != len(weights):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {len(weights)} rows, y has {len(labels)}"
        )
    missing = sum(map(is_missing, labels.tolist()))
    if missing:
        raise ValueError(f"Input y contains {missing} NaN or missing labels; drop those rows")
    if labels.dtype.kind in "mM":
        raise ValueError(
            f"y holds dates or durations ({labels.dtype}), which are no classes: pass a class of each row, such as y.dt.month"
        )
    if labels.dtype == object and all(isinstance(label, (bool, np.bool_)) for label in labels):
        labels = labels.astype(bool)  # as a column of pandas is that had missing values
    if labels.dtype == object and 0 < sum(isinstance(label, str) for label in labels) < len(labels):
        other = next(label for label in labels if not isinstance(label, str))
        text = next(label for label in labels if isinstance(label, str))
        raise ValueError(f"y holds text and other labels, such as {text!r} and {other!r}: make all of them text, y.astype(str)")
    check_classification_targets(labels)
    if labels.dtype.kind == "f":
        labels = labels + 0.0  # which of -0.0 and 0.0 names their class would hang on the processor's way to sort
    kept = weights > 0
    classes, found = np.unique(labels[kept], return_inverse=True)
    if len(classes) < 2:
        only = classes.tolist()[0]
        raise ValueError(f"y has one class only, {only!r}, in rows of positive weight; give rows of at least two classes")
    codes = np.zeros(len(labels), dtype=np.int64)
    codes[kept] = found
    return classes, codes


def weigh_classes(
    class_weight: Any, classes: NDArray[Any], codes: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Row weights times those of their classes, shape (n_rows,).

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        A class that a dict does not name has 1. "balanced": all classes have the same total weight, and a row of weight w
        counts as w rows; scikit-learn counts rows whatever their weight.
    classes : ndarray of shape (n_classes,)
    codes : ndarray of shape (n_rows,), int64
    weights : ndarray of shape (n_rows,), float64

    Raises
    ------
    ValueError
        For another class_weight, names that are no classes, and weights that are not finite and above 0.

    Examples
    --------
    >>> weigh_classes("balanced", np.array(["no", "yes"]), np.array([0, 0, 1]), np.array([1.0, 2.0, 1.0])).round(3)
    array([0.667, 1.333, 2.   ])
    """
    if class_weight is None:
        return weights
    if isinstance(class_weight, str) and class_weight == "balanced":
        totals = np.bincount(codes, weights=weights, minlength=len(classes))
        return np.asarray(weights * (totals.sum() / (len(classes) * totals))[codes])
    if not isinstance(class_weight, Mapping):
        raise ValueError(f"class_weight must be a dict from classes to weights, 'balanced' or None; got {class_weight!r}")
    known = classes.tolist()
    unknown = [name for name in class_weight if name not in known]
    if unknown:
        raise ValueError(f"class_weight names {unknown[:5]}, none of the classes {known[:8]}; write them as y has them")
    own = np.array([class_weight.get(each, 1.0) for each in known], dtype=np.float64)
    if not (np.isfinite(own) & (own > 0)).all():
        raise ValueError(
            f"class_weight must be finite and above 0, got {dict(zip(known, own.tolist(), strict=True))}; to leave a class "
            "out, drop its rows"
        )
    return np.asarray(weights * own[codes])
