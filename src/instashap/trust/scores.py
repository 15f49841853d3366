"""How much of a black box's output each order reproduces, and how well it predicts labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .figures import Figure, estimate_mean, estimate_proportion, estimate_share
from .held_rows import Rows

# Probabilities are kept this far from 0 and 1 before logarithms.
_CLIP = 1e-7
# Outputs nearer to their mean, of its size, differ from it by rounding alone.
_SAME = 1e-12


@dataclass(frozen=True)
class Classes:
    """What makes outputs of a classifier comparable with its probabilities and labels.

    Attributes
    ----------
    names : tuple of str
        Names of all classes.
    scale : {"log-odds", "probability", "score"}
        What the outputs are. Scores have no probabilities.
    probabilities : ndarray of shape (n_rows, n_classes), float64, or None
        Those of the black box, as it gives them: the fit may have clipped them.
    """

    names: tuple[str, ...]
    scale: str
    probabilities: NDArray[np.float64] | None = None

    def find_class(self, outputs: NDArray[np.float64]) -> NDArray[np.int64]:
        """Class of each row by its outputs."""
        if outputs.shape[1] == 1:
            return np.asarray(outputs[:, 0] > (0.5 if self.scale == "probability" else 0.0)).astype(np.int64)
        return np.asarray(outputs.argmax(axis=1))

    def make_probabilities(self, outputs: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Probabilities of all classes, shape (n_rows, n_classes); None of scores."""
        if self.scale == "score":
            return None
        if self.scale == "probability":
            cut = np.clip(outputs, _CLIP, 1 - _CLIP)
            both = np.hstack([1 - cut, cut]) if outputs.shape[1] == 1 else cut
            return np.asarray(both / both.sum(axis=1, keepdims=True))
        logits = np.hstack([np.zeros_like(outputs), outputs]) if outputs.shape[1] == 1 else outputs
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(np.clip(powers / powers.sum(axis=1, keepdims=True), _CLIP, 1.0))


@dataclass(frozen=True)
class OutputShare:
    """What is reproduced of one output, or in the rows of one class.

    Attributes
    ----------
    name : str
    carried : Figure
        R² to the black box on this output.
    agreement : float or None
        For classifiers, the share of the rows the black box puts in this class that stay there.
    """

    name: str
    carried: Figure
    agreement: float | None = None


def measure_carried(rows: Rows, fitted: NDArray[np.float64], base: NDArray[np.float64]) -> Figure:
    """R² to the black box against its mean; several outputs count alike."""
    lost = (((rows.outputs - fitted) / rows.spread) ** 2).mean(axis=1)
    whole = (((rows.outputs - base) / rows.spread) ** 2).mean(axis=1)
    if (np.abs(rows.outputs - base) <= _SAME * np.abs(base)).all():
        return Figure(1.0, 1.0, 1.0)
    return estimate_share(lost, whole, rows.weights)


def compare_classes(rows: Rows, fitted: NDArray[np.float64], classes: Classes) -> dict[str, Figure]:
    """Agreement of classes, and how far the probabilities are from the black box's own."""
    own = _find_own_classes(rows, classes)
    agreement = estimate_proportion(rows.groups, rows.weights, own == classes.find_class(fitted))
    figures = {"class agreement": agreement}
    estimated, given = classes.make_probabilities(fitted), classes.probabilities
    if estimated is None or given is None:
        return figures
    kept = np.clip(given, _CLIP, 1.0)
    divergence = (kept * (np.log(kept) - np.log(estimated))).sum(axis=1)
    figures["log-loss gap"] = estimate_mean(rows.groups, rows.weights, divergence)
    figures["Brier gap"] = estimate_mean(rows.groups, rows.weights, ((given - estimated) ** 2).sum(axis=1))
    return figures


def _find_own_classes(rows: Rows, classes: Classes) -> NDArray[np.int64]:
    return classes.find_class(rows.outputs) if classes.probabilities is None else classes.probabilities.argmax(axis=1)


def score_labels(rows: Rows, fitted: NDArray[np.float64], labels: NDArray[np.float64]) -> dict[str, Figure]:
    """R² of some outputs to numeric labels of shape (n_rows, n_outputs)."""
    mean = np.average(labels, axis=0, weights=rows.weights)
    spread = np.sqrt(np.average((labels - mean) ** 2, axis=0, weights=rows.weights))
    live = spread > 0
    lost = (((labels - fitted)[:, live] / spread[live]) ** 2).sum(axis=1)
    whole = (((labels - mean)[:, live] / spread[live]) ** 2).sum(axis=1)
    return {"R² to labels": estimate_share(lost, whole, rows.weights)} if live.any() else {}


def score_classes(
    rows: Rows, fitted: NDArray[np.float64], labels: NDArray[np.int64], classes: Classes, is_black_box: bool
) -> dict[str, Figure]:
    """Accuracy, log-loss and Brier score against labels given as class numbers."""
    found = _find_own_classes(rows, classes) if is_black_box else classes.find_class(fitted)
    figures = {"accuracy": estimate_proportion(rows.groups, rows.weights, found == labels)}
    given = classes.probabilities if is_black_box else classes.make_probabilities(fitted)
    if given is not None:
        own = np.clip(given[np.arange(len(labels)), labels], _CLIP, 1.0)
        figures["log-loss"] = estimate_mean(rows.groups, rows.weights, -np.log(own))
        distance = ((given - np.eye(given.shape[1])[labels]) ** 2).sum(axis=1)
        figures["Brier score"] = estimate_mean(rows.groups, rows.weights, distance)
    return figures


def measure_outputs(
    rows: Rows, fitted: NDArray[np.float64], base: NDArray[np.float64], names: tuple[str, ...], classes: Classes | None
) -> tuple[OutputShare, ...]:
    """Each output's share, and each class's agreement; none for a single output that is no class."""
    n_outputs = rows.outputs.shape[1]
    if n_outputs == 1 and classes is None:
        return ()
    found = []
    own = None if classes is None else _find_own_classes(rows, classes)
    for number, name in enumerate(names if classes is None else classes.names):
        output = min(number, n_outputs - 1)
        lost, whole = (rows.outputs - fitted)[:, output] ** 2, (rows.outputs - base)[:, output] ** 2
        if not whole.any():
            continue
        carried = estimate_share(lost, whole, rows.weights)
        agreement = None
        if classes is not None and own is not None and (own == number).any():
            inside = own == number
            same = classes.find_class(fitted)[inside] == number
            agreement = float(np.average(same, weights=rows.weights[inside]))
        found.append(OutputShare(name, carried, agreement))
    return tuple(found)
