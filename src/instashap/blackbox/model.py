"""Any predictor as a function from the user's rows to float64 outputs of shape (n_rows, n_outputs)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._alignment import align_outputs, get_index
from .._errors import ModelOutputError
from .._validation import check_outputs

# Rows of one call to the model: enough to amortise a call, few enough to hold its intermediate arrays and to show progress.
BATCH_ROWS = 8192
# Probabilities are cut to [CLIP, 1 - CLIP] before taking logarithms: ensembles of trees reach log-odds of ±30 on rows they
# have seen, and a least-squares fit would spend itself on the size of that certainty. 0.001 is log-odds of ±6.9.
CLIP = 1e-3
# Probabilities in single precision add up to one within this.
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class BlackBox:
    """A model's outputs on a stated scale.

    Attributes
    ----------
    call : callable
        User's rows to raw predictions.
    transform : callable
        Raw predictions, checked, shape (n_rows, n_raw), to outputs.
    output_names : tuple of str
        Empty if the model does not name its outputs.
    description : str
        What the outputs are, on which scale, and any clipping.
    source : str
        Starts error messages, for example ``"RandomForestRegressor.predict"``.
    batch_rows : int
        The most rows of one call.
    """

    call: Callable[[Any], Any]
    transform: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    output_names: tuple[str, ...]
    description: str
    source: str
    batch_rows: int = BATCH_ROWS

    def predict(self, X: Any, n_rows: int, progress: Callable[[float, str], None] | None = None) -> NDArray[np.float64]:
        """Outputs for the user's rows, in their own container and types; shape (n_rows, n_outputs).

        Parameters
        ----------
        X : table of n_rows rows
            Handed to the model in batches; at once if it cannot be cut into rows.
        n_rows : int
        progress : callable, optional
            Told the share of the rows done (0 to 1) after every batch.

        Raises
        ------
        ModelOutputError
            If the model raises (its error is chained), gives non-finite numbers, or changes its number of outputs; the
            message names the rows of the batch.
        """
        parts: list[NDArray[np.float64]] = []
        for batch, start, stop in _iterate_batches(X, n_rows, self.batch_rows):
            rows = "" if stop - start == n_rows else f" (rows {start} to {stop - 1} of {n_rows})"
            values = self._predict_batch(batch, start, stop, f"{self.source}{rows}")
            if parts and values.shape[1] != parts[0].shape[1]:
                raise ModelOutputError(
                    f"{self.source} gave {parts[0].shape[1]} outputs, then {values.shape[1]}{rows}; they must stay the same"
                )
            parts.append(values)
            if progress is not None:
                progress(stop / n_rows, "asking the model")
        return np.concatenate(parts)

    def _predict_batch(self, batch: Any, start: int, stop: int, source: str) -> NDArray[np.float64]:
        try:
            raw = self.call(batch)
        except Exception as error:
            kind = type(batch)
            given = f"given a {kind.__module__.split('.')[0]} {kind.__name__}"
            raise ModelOutputError(f"{source} raised {type(error).__name__}: {error} ({given})") from error
        return self.transform(check_outputs(align_outputs(raw, get_index(batch), source), stop - start, source, start))


def _iterate_batches(X: Any, n_rows: int, batch_rows: int) -> Iterator[tuple[Any, int, int]]:
    """Batches in the user's container, each with its first row and the one after its last."""
    rows = X.iloc if hasattr(X, "iloc") else X
    if n_rows <= batch_rows or not _has_slices(rows):
        yield X, 0, n_rows
        return
    for start in range(0, n_rows, batch_rows):
        stop = min(start + batch_rows, n_rows)
        yield rows[start:stop], start, stop


def _has_slices(rows: Any) -> bool:
    """Whether a slice is some of the rows; relations of databases, for one, are indexed by column."""
    try:
        return len(rows[0:1]) == 1
    except Exception:  # each library has an error of its own for what it does not do
        return False


def keep_values(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The transform of outputs that are explained as they come."""
    return values


def describe_classes(
    call: Callable[[Any], Any], names: tuple[str, ...], output: str, source: str, *, to_probabilities: Any = keep_values
) -> BlackBox:
    """A classifier's outputs: log-odds, or probabilities for ``output="probability"``.

    Parameters
    ----------
    call : callable
        User's rows to probabilities, shape (n_rows, n_classes) or, of the second of two classes, (n_rows,).
    names : tuple of str
        One of two classes, the second; else every class.
    output : {"auto", "raw", "probability"}
    source : str
    to_probabilities : callable
        Applied to what ``call`` gives, as float64 of shape (n_rows, n_raw).
    """

    def check(raw: NDArray[np.float64]) -> NDArray[np.float64]:
        return check_probabilities(to_probabilities(raw), source)

    if output == "probability":
        what = f"probability of class {names[0]!r}" if len(names) == 1 else "probability of each class"
        return BlackBox(call, lambda raw: _drop_first_of_two(check(raw)), names, what, source)
    what = f"log-odds of class {names[0]!r}" if len(names) == 1 else "log-probability of each class minus the mean over classes"
    description = f"{what}, from probabilities clipped to [{CLIP:g}, {1 - CLIP:g}]"
    return BlackBox(call, lambda raw: compute_log_odds(check(raw)), names, description, source)


def name_classes(classes: Any) -> tuple[str, ...]:
    """One output for two classes, the second one's."""
    names = tuple(str(each) for each in np.asarray(classes).ravel().tolist())
    return names[1:] if len(names) == 2 else names


def check_probabilities(values: NDArray[np.float64], source: str) -> NDArray[np.float64]:
    """Return class probabilities of shape (n_rows, n_classes), or raise ``ModelOutputError``."""
    if values.min() < -_SUM_TOLERANCE or values.max() > 1 + _SUM_TOLERANCE:
        raise ModelOutputError(
            f"{source} gave values from {values.min():.4g} to {values.max():.4g}, which are no probabilities; pass a function "
            "that gives what is to be explained"
        )
    sums = values.sum(axis=1)
    worst = float(sums[np.argmax(np.abs(sums - 1))])
    if values.shape[1] > 1 and abs(worst - 1) > _SUM_TOLERANCE:
        raise ModelOutputError(
            f"{source} gave probabilities of a row that add up to {worst:.4g}, not 1; if they belong to several labels, "
            "explain one label at a time by a function of the rows"
        )
    return values


def _drop_first_of_two(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return probabilities[:, 1:] if probabilities.shape[1] == 2 else probabilities


def compute_log_odds(probabilities: NDArray[np.float64], clip: float = CLIP) -> NDArray[np.float64]:
    """Log-odds of the second of two classes, or centred log-probabilities of three and more.

    Parameters
    ----------
    probabilities : ndarray of shape (n_rows, n_classes), float64
    clip : float
        Probabilities are cut to [clip, 1 - clip] first.

    Returns
    -------
    ndarray of shape (n_rows, 1) for two classes, else (n_rows, n_classes), float64

    Examples
    --------
    >>> compute_log_odds(np.array([[0.5, 0.5], [0.0, 1.0]])).round(3)
    array([[0.   ],
           [6.907]])
    """
    cut = np.clip(probabilities, clip, 1 - clip)
    if cut.shape[1] == 1:
        return np.asarray(np.log(cut) - np.log1p(-cut))
    logs = np.log(cut)
    if cut.shape[1] == 2:
        return np.asarray(logs[:, 1:] - logs[:, :1])
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))
