"""Black boxes: functions from the user's rows to float64 outputs of shape (n_rows, n_outputs)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .._alignment import align_outputs, get_index, order_outputs, read_columns
from .._errors import ModelOutputError
from .._row_arrays import check_outputs

# Rows per call of the model: enough to amortise a call, few enough for the memory of its intermediate arrays and for progress.
BATCH_ROWS = 8192

Progress = Callable[[float, str], None]
Call = Callable[[Any], Any]


class BatchPlace(NamedTuple):
    """Position of a batch in the table: its first row, the one after its last, and the start of error messages."""

    start: int
    stop: int
    source: str


@dataclass(frozen=True)
class Answer:
    """Outputs of a model for rows.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_outputs), float64
    box : BlackBox
        Gives outputs of further rows on the same scale, which its ``description`` states.
    probabilities : ndarray of shape (n_rows, n_classes), float64, or None
        Class probabilities of the model; None for other outputs.
    """

    values: NDArray[np.float64]
    box: "BlackBox"
    probabilities: NDArray[np.float64] | None = None

    @property
    def output_names(self) -> tuple[str, ...]:
        """Empty if the model does not name its outputs, or names others."""
        names = self.box.output_names
        return names if len(names) == self.values.shape[1] else ()


@dataclass(frozen=True)
class BlackBox:
    """A model's outputs on a stated scale.

    Attributes
    ----------
    call : callable
        Function from the user's rows to raw predictions.
    transform : callable
        Function from raw predictions, checked, shape (n_rows, n_raw), to outputs.
    output_names : tuple of str
        Empty if the model does not name its outputs.
    description : str
        Meaning and scale of the outputs.
    source : str
        Start of error messages, for example ``"RandomForestRegressor.predict"``.
    batch_rows : int
        The most rows of one call.
    """

    call: Call
    transform: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    output_names: tuple[str, ...]
    description: str
    source: str
    batch_rows: int = BATCH_ROWS

    def predict(self, X: Any, n_rows: int, progress: Progress | None = None) -> NDArray[np.float64]:
        """Outputs for the user's rows; see :meth:`ask`."""
        return self.ask(X, n_rows, progress).values

    def ask(self, X: Any, n_rows: int, progress: Progress | None = None) -> Answer:
        """Outputs for the user's rows, in their own container and types.

        Parameters
        ----------
        X : table of n_rows rows
            Passed to the model in batches; as a whole if it cannot be sliced by rows.
        n_rows : int
        progress : callable, optional
            Receives the share of the rows done (0 to 1) after every batch.

        Raises
        ------
        ModelOutputError
            If the model raises an error (which is chained), returns non-finite numbers, or changes its number of outputs; the
            message names the rows of the batch.
        """
        box = self

        def read(batch: Any, place: BatchPlace) -> NDArray[np.float64]:
            nonlocal box
            raw = call_batch(box.call, batch, place)
            box = box if box.output_names else replace(box, output_names=read_columns(raw))
            return box.convert(check_batch(order_outputs(raw, box.output_names, place.source), place))

        values = self._collect(X, n_rows, progress, read)
        return Answer(values, box)

    def convert(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs of raw predictions, checked, shape (n_rows, n_raw)."""
        return self.transform(raw)

    def prepare(self, X: Any, n_rows: int) -> "BlackBox":
        """The box with its scale fixed by these rows, so that it does not depend on later rows."""
        return self

    def learn_names(self, X: Any, n_rows: int) -> "BlackBox":
        """The box with the names and order of its outputs as the model returns them for the first row."""
        if self.output_names or not n_rows:
            return self
        batch, start, stop = next(iterate_batches(X, n_rows, 1))
        return self.ask(batch, stop - start).box

    @property
    def scale(self) -> dict[str, Any] | None:
        """Parameters of the scale as JSON; None if the scale has none, or they are not estimated yet."""
        return None

    def restore(self, scale: Mapping[str, Any] | None) -> Self:
        """The box with the scale of an earlier fit; unchanged for None."""
        return self

    def _collect(
        self, X: Any, n_rows: int, progress: Progress | None, read: Callable[[Any, BatchPlace], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Results of ``read`` on all batches, concatenated."""
        parts: list[NDArray[np.float64]] = []
        for batch, start, stop in iterate_batches(X, n_rows, self.batch_rows):
            rows = "" if stop - start == n_rows else f" (rows {start} to {stop - 1} of {n_rows})"
            values = read(batch, BatchPlace(start, stop, f"{self.source}{rows}"))
            if parts and values.shape[1] != parts[0].shape[1]:
                raise ModelOutputError(
                    f"{self.source} gave {parts[0].shape[1]} outputs, then {values.shape[1]}{rows}; they must stay the same"
                )
            parts.append(values)
            if progress is not None:
                progress(stop / n_rows, "asking the model")
        return np.concatenate(parts)


@dataclass(frozen=True)
class ScaledBox(BlackBox):
    """A black box with outputs in a unit: those of ``whole``, divided by it."""

    whole: BlackBox | None = None
    unit: float = 1.0

    def ask(self, X: Any, n_rows: int, progress: Progress | None = None) -> Answer:
        """See :meth:`BlackBox.ask`."""
        assert self.whole is not None
        return Answer(self.whole.predict(X, n_rows, progress) / self.unit, self)


@dataclass(frozen=True)
class OrderedBox(BlackBox):
    """A black box with the outputs of ``whole`` at some places, in their order."""

    whole: BlackBox | None = None
    places: tuple[int, ...] = ()

    def ask(self, X: Any, n_rows: int, progress: Progress | None = None) -> Answer:
        """See :meth:`BlackBox.ask`."""
        assert self.whole is not None
        return Answer(self.whole.predict(X, n_rows, progress)[:, self.places], self)


def scale_box(box: BlackBox, unit: float) -> BlackBox:
    """The box with outputs divided by a unit."""
    if unit == 1.0:
        return box
    return ScaledBox(box.call, box.transform, box.output_names, box.description, box.source, box.batch_rows, box, unit)


def order_box(box: BlackBox, names: tuple[str, ...]) -> BlackBox:
    """The box with its outputs in the order of given names; unchanged where these are not its names."""
    own = box.output_names
    if own == names or sorted(own) != sorted(names):
        return box
    places = tuple(own.index(name) for name in names)
    return OrderedBox(box.call, box.transform, names, box.description, box.source, box.batch_rows, box, places)


def ask_batch(call: Call, batch: Any, place: BatchPlace) -> NDArray[np.float64]:
    """A model's raw predictions for a batch, checked: float64 of shape (n_rows, n_raw)."""
    return check_batch(call_batch(call, batch, place), place)


def call_batch(call: Call, batch: Any, place: BatchPlace) -> Any:
    """What a model returns for a batch, in the order of its rows.

    The model gets a copy: one that scales or adds columns in place would change the user's rows, and what is fitted to them.
    """
    given_rows = batch.copy() if hasattr(batch, "copy") else batch
    try:
        raw = call(given_rows)
    except Exception as error:
        kind = type(batch)
        given = f"given a {kind.__module__.split('.')[0]} {kind.__name__}"
        raise ModelOutputError(f"{place.source} raised {type(error).__name__}: {error} ({given})") from error
    return align_outputs(raw, get_index(batch), place.source)


def check_batch(raw: Any, place: BatchPlace) -> NDArray[np.float64]:
    """Raw predictions for a batch as float64 of shape (n_rows, n_raw), checked."""
    return check_outputs(raw, place.stop - place.start, place.source, place.start)


def iterate_batches(X: Any, n_rows: int, batch_rows: int) -> Iterator[tuple[Any, int, int]]:
    """Batches in the user's container, each with its first row and the one after its last."""
    rows = X.iloc if hasattr(X, "iloc") else X
    if n_rows <= batch_rows or not _has_slices(rows):
        yield X, 0, n_rows
        return
    for start in range(0, n_rows, batch_rows):
        stop = min(start + batch_rows, n_rows)
        yield rows[start:stop], start, stop


def _has_slices(rows: Any) -> bool:
    """Whether a slice selects rows; relations of databases, for example, are indexed by column."""
    try:
        return len(rows[0:1]) == 1
    except Exception:  # libraries raise different errors for an unsupported slice
        return False


def keep_values(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The identity, for outputs that are explained unchanged."""
    return values
