"""Any predictor as a function from the user's rows to float64 outputs of shape (n_rows, n_outputs)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import ModelOutputError
from .._validation import check_choice, check_outputs

# Rows of one call to the model: enough to amortise a call, small enough to hold its intermediate arrays.
BATCH_ROWS = 65_536
# Probabilities are cut to [CLIP, 1 - CLIP] before taking logarithms: ensembles of trees reach log-odds of ±30 on rows they
# have seen, and a least-squares fit would spend itself on the size of that certainty. 0.001 is log-odds of ±6.9.
CLIP = 1e-3


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
    """

    call: Callable[[Any], Any]
    transform: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    output_names: tuple[str, ...]
    description: str
    source: str

    def predict(self, X: Any, n_rows: int) -> NDArray[np.float64]:
        """Outputs for the user's rows, in their own container and types; shape (n_rows, n_outputs).

        Raises
        ------
        ModelOutputError
            If the model raises (its error is chained), gives non-finite numbers, or changes its number of outputs.
        """
        parts: list[NDArray[np.float64]] = []
        for batch, size in _iterate_batches(X, n_rows):
            try:
                raw = self.call(batch)
            except Exception as error:
                raise ModelOutputError(f"{self.source} raised {type(error).__name__}: {error}") from error
            values = self.transform(check_outputs(raw, size, self.source))
            if parts and values.shape[1] != parts[0].shape[1]:
                raise ModelOutputError(
                    f"{self.source} gave {parts[0].shape[1]} outputs, then {values.shape[1]}; they must stay the same"
                )
            parts.append(values)
        return np.concatenate(parts)


def _iterate_batches(X: Any, n_rows: int) -> Iterator[tuple[Any, int]]:
    if n_rows <= BATCH_ROWS:
        yield X, n_rows
        return
    rows = X.iloc if hasattr(X, "iloc") else X
    for start in range(0, n_rows, BATCH_ROWS):
        yield rows[start : start + BATCH_ROWS], min(BATCH_ROWS, n_rows - start)


def wrap_model(model: Any, output: str = "auto") -> BlackBox:
    """Find out how a model predicts.

    Parameters
    ----------
    model : estimator or callable
        A classifier is explained on log-odds (``output="raw"``; binary: of ``classes_[1]``; more classes: log-probabilities
        minus their mean over the classes) or on probabilities (``output="probability"``). Without ``predict_proba`` its
        ``decision_function`` is used. Anything else with ``predict`` is explained on that, and a callable on what it gives.
    output : {"auto", "raw", "probability"}

    Raises
    ------
    TypeError
        If the model has no way to predict, or not the one asked for.
    """
    check_choice(output, ("auto", "raw", "probability"), "output")
    name = type(model).__name__
    if isinstance(model, type):
        raise TypeError(f"model is the class {model.__name__}; pass a fitted instance")
    if hasattr(model, "predict_proba") and output in ("auto", "raw", "probability"):
        return _wrap_probabilities(model, name, output)
    if output == "probability":
        raise TypeError(f"output='probability' needs predict_proba, which {name} does not have; use output='auto'")
    if hasattr(model, "decision_function") and hasattr(model, "classes_"):
        names = _name_classes(model.classes_)
        what = "decision function of the classifier"
        return BlackBox(model.decision_function, _keep, names, what, f"{name}.decision_function")
    if hasattr(model, "predict"):
        if hasattr(model, "classes_"):
            raise TypeError(f"{name} is a classifier with neither predict_proba nor decision_function; pass a function instead")
        return BlackBox(model.predict, _keep, (), "output of predict", f"{name}.predict")
    if callable(model):
        label = getattr(model, "__name__", name)
        return BlackBox(model, _keep, (), f"output of {label}", label)
    raise TypeError(f"model must have predict or predict_proba, or be callable; got {name}")


def _wrap_probabilities(model: Any, name: str, output: str) -> BlackBox:
    classes = getattr(model, "classes_", None)
    names = _name_classes(classes) if classes is not None else ()
    source = f"{name}.predict_proba"
    if output == "probability":
        what = f"probability of class {names[0]!r}" if len(names) == 1 else "probability of each class"
        return BlackBox(model.predict_proba, _drop_first_of_two, names, what, source)
    what = f"log-odds of class {names[0]!r}" if len(names) == 1 else "log-probability of each class minus the mean over classes"
    description = f"{what}, from probabilities clipped to [{CLIP:g}, {1 - CLIP:g}]"
    return BlackBox(model.predict_proba, compute_log_odds, names, description, source)


def _name_classes(classes: Any) -> tuple[str, ...]:
    """One output for two classes, the second one's."""
    names = tuple(str(each) for each in np.asarray(classes).ravel().tolist())
    return names[1:] if len(names) == 2 else names


def _keep(values: NDArray[np.float64]) -> NDArray[np.float64]:
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
