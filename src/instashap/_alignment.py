"""Alignment of rows of pandas objects with the rows of a table: by index labels, not by position."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import DataWarning, ModelOutputError, warn_caller


def get_index(X: Any) -> Any:
    """The row index of a pandas table; None for any other container, whose rows have no labels."""
    return X.index if hasattr(X, "iloc") and hasattr(X, "columns") and hasattr(X, "index") else None


def align_rows(given: Any, index: Any, what: str) -> Any:
    """Outputs, labels or weights in the order of a table's rows.

    Rows are matched by index where both have the same labels, each once; another index is refused, also one that merely counts
    from 0: whether its rows are in the table's order cannot be seen. A frame whose columns are the table's rows (times × rows,
    as survival models return) is transposed.

    Parameters
    ----------
    given : array, Series, DataFrame or None
        Anything without an index is returned unchanged, and so is another number of rows, which later checks refuse.
    index : Index or None
        Index of the table, see :func:`get_index`.
    what : str
        Name of ``given``, for messages.

    Raises
    ------
    ValueError
        If the labels differ, or are repeated in another order.

    Warns
    -----
    DataWarning
        If rows were reordered although one of the two indices merely counts from 0.

    Examples
    --------
    >>> import pandas as pd
    >>> align_rows(pd.Series([1.0, 2.0], index=["b", "a"]), pd.Index(["a", "b"]), "outputs").tolist()
    [2.0, 1.0]
    """
    if index is None or not hasattr(given, "iloc"):
        return given
    own = given.index
    if own.equals(index):
        return given
    if _is_turned(given, index):
        return given.T
    places = _match(own, index)
    if places is not None:
        if _counts(own) or _counts(index):
            warn_caller(
                f"{what} and the table have the same index in different orders: rows of {what} were matched by index; if they "
                f"are in the table's order as they stand, pass {what}.to_numpy()",
                DataWarning,
            )
        return given.iloc[places]
    if len(own) != len(index) and not (own.is_unique and index.isin(own).all()):
        return given
    advice = f"pass {what}.loc[X.index]" if len(own) != len(index) else f"give {what} the table's index"
    raise ValueError(
        f"{_describe_difference(own, index, what)}: {advice}, or {what}.to_numpy() if its rows are in the table's order"
    )


def align_outputs(outputs: Any, index: Any, source: str) -> Any:
    """Outputs of a model for rows of a table, in the order of these rows; see :func:`align_rows`.

    If their index merely counts from 0, the model made it anew, and the rows are not reordered.
    """
    if index is None or not hasattr(outputs, "iloc") or outputs.index.equals(index):
        return outputs
    if _is_turned(outputs, index):
        return outputs.T
    if _counts(outputs.index) or len(outputs) != len(index):
        return outputs
    places = _match(outputs.index, index)
    if places is None:
        raise ModelOutputError(
            f"{_describe_difference(outputs.index, index, source)}: return outputs in the order of the rows, "
            "without an index (.to_numpy()) or with the index of the rows"
        )
    return outputs.iloc[places]


def _match(own: Any, index: Any) -> NDArray[np.int64] | None:
    """Position of each label of ``index`` among ``own``; None unless both have the same labels, each once (7 is ``"7"``)."""
    if len(own) != len(index) or not (own.is_unique and index.is_unique):
        return None
    if _is_text(own) != _is_text(index):  # a file in between turned numbers into text
        own, index = own.map(str), index.map(str)
        if not (own.is_unique and index.is_unique):
            return None
    places = np.asarray(own.get_indexer(index), dtype=np.int64)
    return places if (places >= 0).all() else None


def _is_text(index: Any) -> bool:
    return bool(index.inferred_type == "string")


def _is_turned(given: Any, index: Any) -> bool:
    """Whether a frame has the table's rows as its columns."""
    return hasattr(given, "columns") and bool(given.columns.equals(index))


def _counts(index: Any) -> bool:
    """Whether an index merely counts from 0."""
    return type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1


def _describe_difference(own: Any, index: Any, what: str) -> str:
    if len(own) != len(index):
        return f"{what} has {len(own)} rows, those of the table ({len(index)}) and others"
    if not (own.is_unique and index.is_unique):
        return f"{what} and the table have different orders of rows, which cannot be matched by an index that repeats labels"
    strange = own[~own.isin(index)]
    return f"{what} has another index than the table, which lacks {len(strange)} of its labels, such as {strange[0]!r}"


def read_columns(outputs: Any) -> tuple[str, ...]:
    """Names of a table's columns; empty for anything else, also for a Series, which may have the name of an input."""
    return tuple(map(str, getattr(outputs, "column_names", getattr(outputs, "columns", ()))))


def name_outputs(names: tuple[str, ...], n_outputs: int) -> tuple[str, ...]:
    """The model's names of its outputs, or plain ones; raises ``ModelOutputError`` if two have the same."""
    if len(names) == n_outputs:
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ModelOutputError(f"several outputs are named {twice!r}; give each a name of its own")
        return names
    return tuple(f"output {k}" for k in range(n_outputs)) if n_outputs > 1 else ("output",)


def order_outputs(outputs: Any, names: tuple[str, ...], source: str) -> Any:
    """A table of outputs with its columns in the order of given names; a table of other names, and anything else, unchanged.

    Raises ``ModelOutputError`` for a table that has some of these names and others.
    """
    own = read_columns(outputs)
    if own == names or not set(own) & set(names):
        return outputs
    if sorted(own) != sorted(names):
        raise ModelOutputError(f"{source} gave the outputs {list(names)}, then {list(own)}; they must stay the same")
    if len(set(own)) < len(own):
        raise ModelOutputError(f"{source} gave several outputs of one name, {list(own)}; give each a name of its own")
    places = [own.index(name) for name in names]
    return outputs.iloc[:, places] if hasattr(outputs, "iloc") else outputs.select(list(names))


def order_masks(masks: Any, names: Sequence[str], index: Any) -> Any:
    """Masks in the order of features and rows: a frame by its columns and index, a Series of one mask by its index.

    Labels that merely count from 0 are no names, and such columns are taken by position.

    Parameters
    ----------
    masks : array, DataFrame or Series
        Anything without labels is returned unchanged.
    names : sequence of str
        Of the features.
    index : Index or None
        Index of the table, see :func:`get_index`.

    Raises
    ------
    ValueError
        If the labels are not the features.

    Examples
    --------
    >>> import pandas as pd
    >>> order_masks(pd.Series({"b": True, "a": False}), ["a", "b"], None).tolist()
    [False, True]
    """
    is_table = hasattr(masks, "columns")
    if not is_table and not hasattr(masks, "iloc"):
        return masks
    labels = masks.columns if is_table else masks.index
    own = [str(each) for each in labels]
    if not (_counts(labels) and set(own) - set(names)):
        if sorted(own) != sorted(names):
            raise ValueError(f"masks have the labels {own[:8]}, and the features are {list(names)[:8]}: name each feature once")
        masks = order_outputs(masks, tuple(names), "masks") if is_table else masks.iloc[[own.index(name) for name in names]]
    return align_rows(masks, index, "masks") if is_table and len(masks) > 1 else masks


def read_names(outputs: Any) -> tuple[str, ...]:
    """Names of a table's columns, or the name of a Series if it is a text; empty if there are none.

    Examples
    --------
    >>> import pandas as pd
    >>> read_names(pd.Series([1.0, 2.0], name="price")), read_names([1.0, 2.0])
    (('price',), ())
    """
    name = getattr(outputs, "name", None)
    return read_columns(outputs) or ((name,) if isinstance(name, str) and name else ())
