"""Class labels as integer codes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d


def check_labels(y: Any, weights: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The sorted classes among rows of positive weight, and each row's position among them (0 where the weight is 0)."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    labels = column_or_1d(y, warn=True)
    if len(labels) != len(weights):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {len(weights)} rows, y has {len(labels)}"
        )
    missing = int(np.sum([label is None or label != label for label in labels.tolist()]))
    if missing:
        raise ValueError(f"Input y contains {missing} NaN or missing labels; drop those rows")
    if labels.dtype.kind in "mM":
        raise ValueError(
            f"y holds dates or durations ({labels.dtype}), which are no classes: pass a class of each row, such as y.dt.month"
        )
    if labels.dtype == object and all(isinstance(label, (bool, np.bool_)) for label in labels):
        labels = labels.astype(bool)  # as a column of pandas is that had missing values
    check_classification_targets(labels)
    kept = weights > 0
    classes, found = np.unique(labels[kept], return_inverse=True)
    if len(classes) < 2:
        only = classes.tolist()[0]
        raise ValueError(f"y has one class only, {only!r}, in rows of positive weight; give rows of at least two classes")
    codes = np.zeros(len(labels), dtype=np.int64)
    codes[kept] = found
    return classes, codes
