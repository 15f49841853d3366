"""Checks of user input; all other code relies on them."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import DataWarning, ModelOutputError, warn_caller
from ._output_unit import LARGEST_OUTPUT, SMALLEST_OUTPUT

# All smaller integers are exact in float64; from here on, neighbouring integers become the same number.
LARGEST_INTEGER = 2**53
# A row with less than this share of the largest weight changes no reliable digit of any sum.
LEAST_WEIGHT = 1e-12


def check_order(order: Any, n_features: int, name: str = "order", largest: int | None = None) -> int:
    """Return ``order`` as an int of at least 1, capped by the number of features there are; above ``largest`` it is refused."""
    if isinstance(order, bool) or not isinstance(order, Integral):
        raise TypeError(f"{name} must be an integer, got {order!r}")
    if int(order) < 1 or (largest is not None and int(order) > largest):
        raise ValueError(f"{name}={order} is out of range: use 1 {'or more' if largest is None else f'to {largest}'}")
    return min(int(order), n_features)


def check_at_least(value: Any, least: int, name: str, reason: str) -> int:
    """Return ``value`` as an int of at least ``least``; ``reason`` ends the message."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if int(value) < least:
        raise ValueError(f"{name}={value} is too few: use at least {least}, as {reason}")
    return int(value)


def check_positive(value: Any, name: str) -> float:
    """Return ``value`` as a finite float above zero."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    if not (np.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be finite and above 0, got {value!r}")
    if not 1e-12 <= number <= 1e12:
        raise ValueError(f"{name} must lie between 1e-12 and 1e12, got {value!r}")
    return number


def check_choice(value: Any, choices: Sequence[str], name: str) -> str:
    """Return ``value`` if it is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name}={value!r} is not known; use one of {', '.join(map(repr, choices))}")
    return str(value)


def check_integer(value: Any, name: str) -> None:
    """Raise ``ValueError`` for an integer from 2**53 on, which would lose digits as float64."""
    if isinstance(value, Integral) and not -LARGEST_INTEGER < int(value) < LARGEST_INTEGER:
        raise ValueError(
            f"column {name!r} holds integers as large as {int(value)}; from 2**53 on float64 makes different integers equal: "
            f"cast the column to float if it is a quantity, name it in categorical=[{name!r}] or drop it if it is an identifier"
        )


def check_integers(values: NDArray[Any], names: Sequence[str], is_integer: Sequence[bool]) -> None:
    """The same for columns of numbers, shape (n_rows, n_columns); they may already be float64, NaN is missing."""
    if not any(is_integer) or not holds_large(values):
        return
    for column, name in enumerate(names):
        if is_integer[column] and holds_large(values[:, column]):
            check_integer(int(max(np.fmax.reduce(values[:, column]), np.fmin.reduce(values[:, column]), key=abs)), name)


def holds_large(values: NDArray[Any]) -> bool:
    """Whether the absolute value of any number is 2**53 or more; NaN is ignored."""
    if values.dtype.itemsize < 8 or not values.size:
        return False
    low, high = (float(reduce(values, axis=None)) for reduce in (np.fmin.reduce, np.fmax.reduce))
    return high >= LARGEST_INTEGER or low <= -LARGEST_INTEGER


def fill_masked(values: Any) -> Any:
    """A masked array as float64 with NaN at masked entries; anything else unchanged."""
    if not isinstance(values, np.ma.MaskedArray):
        return values
    return np.where(np.ma.getmaskarray(values), np.nan, np.asarray(values.data, dtype=np.float64))


# Weights worth fewer rows than this, and a quarter of the rows that have any, are warned of.
_FEW_WORTH = 30
# Weights are counts only below this; in float64 all numbers from 2**52 on are whole.
_LARGEST_COUNT = 2.0**40


def check_weights(sample_weight: Any, n_rows: int) -> NDArray[np.float64]:
    """Row weights as float64 of shape (n_rows,); ``None`` means one each.

    Whole numbers below 2**40 are counts and are not changed: a row of weight w is w equal rows. Other weights are relative, in
    any unit: they are scaled to sum to the effective number of rows ``(sum w)² / sum w²`` (Kish 1965).
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weights = read_numeric(sample_weight, "sample_weight")
    if weights.ndim == 0:
        weights = np.full(n_rows, float(weights))
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got shape {weights.shape}")
    if weights.shape != (n_rows,):
        raise ValueError(f"sample_weight has {len(weights)} entries, the table has {n_rows} rows")
    if not np.isfinite(weights).all():
        raise ValueError("sample_weight holds NaN or infinite values")
    if (weights < 0).any():
        raise ValueError(f"sample_weight holds {int((weights < 0).sum())} negative values; weights must be 0 or more")
    if not weights.any():
        raise ValueError("sample_weight sums to zero: no row is left to fit; give at least one row a positive weight")
    weights = _drop_lost(weights)
    _warn_of_few(weights)
    return scale_weights(weights)


def scale_weights(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts unchanged; other weights scaled to sum to their effective number of rows."""
    are_counts = (weights == np.floor(weights)).all() and weights.max() < _LARGEST_COUNT
    return weights if are_counts else normalise_weights(weights)


def normalise_weights(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights scaled to sum to their effective number of rows, ``(sum w)² / sum w²``.

    Examples
    --------
    >>> normalise_weights(np.array([0.25, 0.25, 0.5])).sum().round(3)
    np.float64(2.667)
    """
    shares = weights / weights.max()
    return np.asarray(shares * (shares.sum() / (shares**2).sum()))


def _drop_lost(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights with 0 in place of those that are negligible beside the largest; warns of their number."""
    largest = weights.max()
    lost = (weights > 0) & (weights < LEAST_WEIGHT * largest)
    if not lost.any():
        return weights
    warn_caller(
        f"{int(lost.sum())} rows have less than a {LEAST_WEIGHT:g}th of the largest sample_weight, {largest:.4g} in row "
        f"{int(weights.argmax())}: they cannot change the fit and are dropped; check that weight",
        DataWarning,
    )
    return np.where(lost, 0.0, weights)


def _warn_of_few(weights: NDArray[np.float64]) -> None:
    """Warn if a few rows have nearly all of the weight."""
    n_rows, n_worth = int(np.count_nonzero(weights)), float(normalise_weights(weights).sum())
    if n_worth < _FEW_WORTH and 4 * n_worth < n_rows:
        warn_caller(
            f"sample_weight is worth {n_worth:.3g} rows of equal weight, of {n_rows:,}: nearly all of it is in a few rows "
            f"(the largest is {weights.max():.4g} in row {int(weights.argmax())}, the median {np.median(weights):.4g}), "
            "and the fit describes those; check these weights",
            DataWarning,
        )


def check_magnitude(outputs: NDArray[np.float64], what: str) -> None:
    """Raise ``ModelOutputError`` for numbers, shape (n_rows, …), whose squares or squared differences float64 cannot hold."""
    if not outputs.size:
        return
    sizes = np.abs(outputs).reshape(len(outputs), -1).max(axis=1)
    row = int(sizes.argmax())
    if sizes[row] > LARGEST_OUTPUT:
        raise ModelOutputError(
            f"{what} reach {sizes[row]:.4g} in size in row {row}; squares cannot be summed above {LARGEST_OUTPUT:g}: "
            "repair that row, or divide all by a power of ten (values are then in that unit)"
        )
    spreads = np.ptp(outputs, axis=0)
    if ((spreads > 0) & (spreads < SMALLEST_OUTPUT)).any():
        raise ModelOutputError(
            f"{what} differ by {spreads[spreads > 0].min():.4g} at most, below {SMALLEST_OUTPUT:g}, which cannot be squared: "
            "multiply them by a power of ten (values are then in that unit), or explain their logarithm"
        )


def read_numeric(given: Any, what: str, hint_on_text: str = "") -> NDArray[np.float64]:
    """Numbers as a float64 array, NaN for masked ones; raises ``ValueError`` for complex numbers, dates, durations and text."""
    values = np.asarray(fill_masked(given))
    if values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {what} is complex; pass real numbers")
    if values.dtype.kind in "mM":
        raise ValueError(
            f"{what} must be numeric, got dates or durations ({values.dtype}); pass numbers, such as the days since the first: "
            f"({what} - {what}.min()) / pd.Timedelta(days=1)"
        )
    try:
        with np.errstate(over="ignore"):
            return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        hint = hint_on_text if values.dtype.kind in "OU" and values.ndim else ""
        raise ValueError(f"{what} must be numeric, got dtype {values.dtype} ({error}){hint}") from error


def check_target(y: Any, n_rows: int, what: str = "y") -> NDArray[np.float64]:
    """Return a regression target as float64 of shape (n_rows,) or (n_rows, n_outputs); messages call it ``what``."""
    if y is None:
        raise ValueError(f"requires {what} to be passed, but the target {what} is None")
    values = read_numeric(y, what, "; class labels are for AdditiveClassifier" * (what == "y"))
    if values.ndim not in (1, 2):
        raise ValueError(f"{what} should be a 1d array, got an array of shape {values.shape} instead")
    if len(values) != n_rows:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {n_rows} rows, {what} has {len(values)}"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"Input {what} contains {int((~np.isfinite(values)).sum())} NaN or infinity values; drop those rows")
    return values


def check_outputs(outputs: Any, n_rows: int, source: str, first_row: int = 0) -> NDArray[np.float64]:
    """Return model outputs as float64 of shape (n_rows, n_outputs), finite.

    Parameters
    ----------
    outputs : array
    n_rows : int
    source : str
        Starts the message, for example ``"the model's predict"``.
    first_row : int
        Where in the table these rows begin.
    """
    values = _read_outputs(outputs, source)
    if values.ndim == 0 or len(values) != n_rows:
        raise ModelOutputError(
            f"{source} gave shape {values.shape} for {n_rows} rows; expected ({n_rows},) or ({n_rows}, n_outputs)"
        )
    if values.ndim > 2:
        raise ModelOutputError(
            f"{source} gave shape {values.shape}; expected one row of outputs for each row, ({n_rows}, n_outputs)"
        )
    if not values.size:
        raise ModelOutputError(f"{source} gave shape {values.shape}: no outputs; expected ({n_rows},) or ({n_rows}, n_outputs)")
    values = values.reshape(n_rows, -1)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if bad.size:
        raise ModelOutputError(
            f"{source} is not finite on {bad.size} rows, the first is row {first_row + bad[0]} ({values[bad[0]].tolist()}); "
            "repair the model or drop those rows"
        )
    return values


def _read_outputs(outputs: Any, source: str) -> NDArray[np.float64]:
    """Outputs as float64; dates, complex numbers, and text even if it looks like numbers, raise ``ModelOutputError``."""
    try:
        values = np.asarray(fill_masked(outputs))
        holds_text = values.dtype == object and any(isinstance(value, str) for value in values.flat)
        if values.dtype.kind not in "fiubO" or holds_text:
            raise TypeError(f"dtype {values.dtype}")
        with np.errstate(over="ignore"):  # numbers beyond float64 are refused as infinite
            return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:  # a tensor that still tracks gradients raises a RuntimeError
        raise ModelOutputError(
            f"{source} must return numbers, got {type(outputs).__name__} ({error}); wrap the model in a function that does; "
            "for class labels pass the classifier itself, or a function that returns the probability of one class"
        ) from error


def check_masks(masks: Any, n_rows: int, n_features: int) -> NDArray[np.bool_]:
    """Masks as bool of shape (n_rows, n_features); a single mask applies to every row."""
    values = np.asarray(masks)
    if values.dtype != bool:
        raise TypeError(f"masks must be boolean (True = present), got dtype {values.dtype}")
    if values.shape[-1:] != (n_features,) or values.ndim > 2 or (values.ndim == 2 and values.shape[0] not in (1, n_rows)):
        raise ValueError(f"masks have shape {values.shape}; expected ({n_features},) or ({n_rows}, {n_features})")
    return np.broadcast_to(values, (n_rows, n_features))


class ColumnName(str):
    """Name of a column whose label in the user's table is not text: the text of the label, and the ``label`` itself.

    Such labels are numbers, for example, or tuples such as ("rate", 2020) in a table with several header levels.

    Examples
    --------
    >>> ColumnName(3), ColumnName(3).label
    ('3', 3)
    """

    label: Any

    def __new__(cls, label: Any) -> "ColumnName":
        """The text of a label, with the label as an attribute."""
        name = super().__new__(cls, label)
        name.label = label
        return name

    def __getnewargs__(self) -> tuple[Any]:
        return (self.label,)


def name_columns(labels: Iterable[Any]) -> list[str]:
    """Names of a table's columns: labels that are text, and a :class:`ColumnName` for any other label."""
    return [str(label) if isinstance(label, str) else ColumnName(label) for label in labels]


def find_column(column: Any, names: Sequence[str], what: str) -> int:
    """Position of a column given by name, by the table's own label, or by position.

    A label takes precedence over a position. If any label is a number, numbers are labels and never positions; a position is
    refused if it is also the text of another column's name.

    Parameters
    ----------
    column : str, int or another label
    names : sequence of str
        Names of columns whose label is not text are a :class:`ColumnName`.
    """
    found = names.index(column) if isinstance(column, str) and column in names else _find_label(column, names)
    if found is not None:
        return found
    if isinstance(column, bool) or not isinstance(column, Integral):
        unknown = f"{what} names the unknown column {column!r}"
        raise ValueError(f"{unknown}; {_suggest(column, names)}the columns are {shorten_names(names)}")
    return _find_position(int(column), names, what)


def _find_position(number: int, names: Sequence[str], what: str) -> int:
    """Position of a column given by a number that is not the label of any column."""
    labels = [getattr(name, "label", name) for name in names]
    if any(isinstance(label, Real) for label in labels):
        raise ValueError(f"{what} names column {number}, and no column has this label; the labels are {shorten_names(labels)}")
    namesake = names.index(str(number)) if str(number) in names else number
    if not 0 <= namesake < len(names):
        raise ValueError(f"{what} names column {number}, the table has columns 0 to {len(names) - 1}")
    if namesake != number and 0 <= number < len(names):
        raise ValueError(
            f"{what} names column {number}, which is the name of one column and the position of another: "
            f"write {str(number)!r} for the first, or {names[number]!r} for the second"
        )
    return namesake


def find_columns(columns: Any, names: Sequence[str], what: str) -> list[int]:
    """Positions of one column, or of several in a tuple or list; a tuple that is a label itself is one column."""
    is_one = not isinstance(columns, (tuple, list)) or is_label(columns, names)
    return [find_column(each, names, what) for each in ([columns] if is_one else columns)]


def is_label(column: Any, names: Sequence[str]) -> bool:
    """Whether a column has this label, which is not text."""
    return _find_label(column, names) is not None


def _find_label(column: Any, names: Sequence[str]) -> int | None:
    """Position of the label that equals ``column``; a boolean equals no number."""
    if isinstance(column, str) or not isinstance(column, Hashable):
        return None
    is_flag, lacks_label = isinstance(column, (bool, np.bool_)), _is_nothing(column)
    for position, name in enumerate(names):
        label = getattr(name, "label", name)
        if (lacks_label and _is_nothing(label)) or (isinstance(label, (bool, np.bool_)) == is_flag and label == column):
            return position
    return None


def _is_nothing(label: Any) -> bool:
    """Whether a label is None or NaN, into which pandas turns None."""
    return label is None or (isinstance(label, float) and label != label)


def _suggest(column: Any, names: Sequence[str]) -> str:
    """A suggestion of the most similar name; empty if none is similar."""
    named = {str(name): name for name in names}
    close = get_close_matches(str(column), named, n=1)
    return f"did you mean {named[close[0]]!r}? " if close else ""


def check_interactions(interactions: Any, names: Sequence[str], order: int) -> Any:
    """Return ``"auto"``, ``"all"``, an int, or sorted tuples of column positions."""
    if isinstance(interactions, str):
        return check_choice(interactions, ("auto", "all"), "interactions")
    if not isinstance(interactions, bool) and isinstance(interactions, Integral):
        if int(interactions) < 0:
            raise ValueError(f"interactions={interactions} is negative; 0 means main effects only")
        return int(interactions)
    if not isinstance(interactions, Iterable):
        raise TypeError(f"interactions must be 'auto', 'all', an integer or a list of column tuples, got {interactions!r}")
    terms = []
    for term in interactions:
        if isinstance(term, str) or not isinstance(term, Iterable):
            raise TypeError(f"each interaction is a tuple of columns, got {term!r}")
        columns = tuple(sorted(find_column(column, names, "interactions") for column in term))
        if len(set(columns)) != len(columns) or not 2 <= len(columns) <= order:
            most = f"2 to {order}" if order > 1 else "2 or more"
            raise ValueError(f"interaction {term!r} must hold {most} different columns (order={order})")
        terms.append(columns)
    return sorted(set(terms), key=lambda term: (len(term), term))


def check_groups(groups: Mapping[str, Sequence[Any]] | None, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return player names and the player of each column; players are ordered by their first column."""
    owner: dict[int, str] = {}
    if groups and not isinstance(groups, Mapping):
        raise TypeError(f"groups must be a dict of a name and its columns, such as {{'size': ['a', 'b']}}, got {groups!r}")
    for label, members in (groups or {}).items():
        if isinstance(members, str) or not isinstance(members, Iterable):
            raise TypeError(f"group {label!r} must list its columns, got {members!r}")
        members = list(members)
        if not members:
            raise ValueError(f"group {label!r} names no column; leave it out")
        for column in members:
            position = find_column(column, names, f"group {label!r}")
            if position in owner:
                raise ValueError(f"groups overlap: column {names[position]!r} is in {owner[position]!r} and {label!r}")
            owner[position] = str(label)
    players: list[str] = []
    assigned = []
    for position, name in enumerate(names):
        label = owner.get(position, name)
        if position not in owner and label in owner.values():
            raise ValueError(f"group {label!r} has the name of a column outside it; rename the group")
        if label not in players:
            players.append(label)
        assigned.append(players.index(label))
    return tuple(players), tuple(assigned)


def shorten_names(names: Sequence[str], limit: int = 8) -> str:
    """The first few names, followed by their number if there are more."""
    shown = ", ".join(repr(name) for name in list(names)[:limit])
    return shown if len(names) <= limit else f"{shown}, … ({len(names)} in all)"
