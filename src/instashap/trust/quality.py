"""Whether the explained model is any good: its predictions against labels, beside the best guess that knows no feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._registries import FAMILIES
from ..blackbox.aims import Aim
from .figures import Figure, estimate_share
from .held_rows import Rows
from .scores import Classes, score_classes, score_labels

QualityVerdict = Literal["better than a guess", "not clearly better than a guess", "worse than a guess"]


@dataclass(frozen=True)
class Quality:
    """Score of the model against labels, and of the best constant guess.

    Attributes
    ----------
    score : {"R²", "accuracy", "deviance explained", "pinball loss saved"}
        By what the model aims at: means, classes, counts or amounts by their likelihood, quantiles.
    value : Figure
        The model's score with a 90 % interval.
    guess : float
        The same score of the guess: the share of the most frequent class; else 0, the guess being the mean label or, for a
        quantile, that of all labels.
    n_rows : int
        Rows with labels.
    skill : Figure or None
        Of a classifier with probabilities: the share by which they lower the Brier score of the class frequencies. It shows
        that a model knows something where one class is so frequent that no row is put in another.
    is_training : bool
        Whether the model was trained on these labels, so that its score is too good.
    """

    score: str
    value: Figure
    guess: float
    n_rows: int
    skill: Figure | None = None
    is_training: bool = False

    @property
    def verdict(self) -> QualityVerdict:
        """Whether the interval lies on one side of the guess as a whole, for the score or for the probabilities."""
        if self.value.low > self.guess or (self.skill is not None and self.skill.low > 0):
            return "better than a guess"
        if self.value.high < self.guess and (self.skill is None or self.skill.high < 0):
            return "worse than a guess"
        return "not clearly better than a guess"

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Quality:
        """What ``dataclasses.asdict`` gave."""
        skill = content["skill"]
        figures = {"value": Figure(*content["value"]), "skill": None if skill is None else Figure(*skill)}
        return cls(**{**content, **figures})


def measure_quality(
    rows: Rows,
    labels: NDArray[np.float64] | NDArray[np.int64] | None,
    classes: Classes | None,
    is_training: bool = False,
    aim: Aim | None = None,
) -> Quality | None:
    """Quality of the outputs of some rows; None without labels, or if all labels are equal numbers.

    Parameters
    ----------
    rows : Rows
        Outputs are the model's, on the scale that is explained.
    labels : ndarray or None
        As in :class:`instashap.trust.judging.Subject`.
    classes : Classes or None
    is_training : bool
    aim : Aim, optional
        Of a model of amounts that does not predict means.
    """
    if labels is None:
        return None
    if aim is not None and classes is None:
        return _measure_aim(rows, labels[:, 0].astype(np.float64), aim, is_training)
    if classes is None:
        figures = score_labels(rows, rows.outputs, labels.astype(np.float64))
        return Quality("R²", figures["R² to labels"], 0.0, len(rows), None, is_training) if figures else None
    found = labels.astype(np.int64)
    value = score_classes(rows, rows.outputs, found, classes, True)["accuracy"]
    shares = np.bincount(found, weights=rows.weights, minlength=len(classes.names)) / rows.weights.sum()
    return Quality("accuracy", value, float(shares.max()), len(rows), _measure_skill(rows, found, classes, shares), is_training)


def _measure_aim(rows: Rows, labels: NDArray[np.float64], aim: Aim, is_training: bool) -> Quality | None:
    """Share by which the model lowers the loss it was fitted by, beside the best constant."""
    if not np.ptp(labels):
        return None
    family = FAMILIES.find(aim.loss).from_labels(labels, rows.weights, {"quantile": aim.level})
    given = family.respond(rows.outputs) if aim.is_log else rows.outputs[:, 0]
    guess = family.respond(np.broadcast_to(family.start(labels, rows.weights), rows.outputs.shape))
    lost, whole = (family.measure_loss(each, labels) for each in (given, guess))
    score = "pinball loss saved" if aim.loss == "quantile" else "deviance explained"
    return Quality(score, estimate_share(lost, whole, rows.weights), 0.0, len(rows), None, is_training)


def _measure_skill(
    rows: Rows, labels: NDArray[np.int64], classes: Classes, shares: NDArray[np.float64]
) -> Figure | None:
    """Share by which the model's probabilities lower the Brier score of the class frequencies."""
    given = classes.probabilities if classes.probabilities is not None else classes.make_probabilities(rows.outputs)
    if given is None or shares.max() == 1.0:
        return None
    truth = np.eye(len(shares))[labels]
    return estimate_share(((given - truth) ** 2).sum(axis=1), ((shares - truth) ** 2).sum(axis=1), rows.weights)
