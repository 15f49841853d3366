"""No fit is handed out that predicts held-out rows worse than a simpler one: the simpler one is, and a warning says so."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.additive_model import AdditiveModel
from ..table.encoding import Encoded
from .candidate import Candidate
from .choose import MIN_GAIN
from .search import Search
from .strengths import Strengths

# A share of the variance that a simpler model must save to replace a richer one: less is chance. Below the base value alone
# (R² below 0) nothing is forgiven.
_CHANCE = 0.01


class Rival(NamedTuple):
    """A model of a fit, judged on held-out rows.

    Attributes
    ----------
    name : str
        What the model has, for messages; the word "the" comes before it.
    risk : float
        What the models were chosen by.
    missed : float
        Squared error at the full coalition as a share of the variance, mean over the outputs: one minus R².
    """

    name: str
    risk: float
    missed: float


def choose_rival(rivals: Sequence[Rival]) -> tuple[int, str]:
    """Position of the richest model that no simpler one beats, and a sentence for the user; empty if that is the richest.

    Parameters
    ----------
    rivals : sequence of Rival
        From the richest to the simplest.

    Examples
    --------
    >>> choose_rival([Rival("pairs", 0.3, 0.2), Rival("main effects", 0.4, 0.3), Rival("base value", 1.0, 1.0)])
    (0, '')
    """
    kept = 0
    for place, simpler in enumerate(rivals):
        best = rivals[kept]
        is_worse = simpler.missed < best.missed - _CHANCE and simpler.risk <= best.risk * (1 + MIN_GAIN)
        if is_worse or (best.missed > 1 and simpler.missed < best.missed):
            kept = place
    richest, chosen = rivals[0], rivals[kept]
    if kept:
        return kept, (
            f"the held-out R² of the {richest.name} is {1 - richest.missed:.3g}, below the {1 - chosen.missed:.3g} of the "
            f"{chosen.name} alone: the explainer has no more than that; more rows, fewer columns or order=1 may help"
        )
    if richest.missed > 1 + _CHANCE:
        return kept, (
            f"the held-out R² of the {richest.name} is {1 - richest.missed:.3g}: its values do not describe these "
            "outputs, and no simpler model is better; more rows or fewer columns may help"
        )
    return kept, ""


def fall_back(search: Search) -> str:
    """Replace the best candidate of a search by its main effects, or by the base value alone, where those predict better.

    Returns a sentence for the user, empty if the best candidate stays.
    """
    n_outputs = search.outputs.shape[1]
    judge, best, _ = search.best
    if not 0 < best.full_risk < float("inf"):  # nothing is left to explain, or nothing could be held out
        return ""
    nothing = judge.judge(Candidate(1, 1, {1: 0}, (0, 0, 0)), Strengths(), ())
    models = [search.best, search.main_effects, (judge, *nothing)]
    names = [f"chosen terms of order {best.candidate.order}", "main effects", "base value"]
    if models[0] is models[1]:
        models, names = models[1:], names[1:]
    rivals = [
        Rival(name, judged.risk, judged.full_risk / n_outputs) for name, (_, judged, _) in zip(names, models, strict=True)
    ]
    place, note = choose_rival(rivals)
    search.best = models[place]
    if search.best[1] not in search.judgements:
        search.judgements.append(search.best[1])
    return note


def drop_if_worse(
    model: AdditiveModel, encoded: Encoded, outputs: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[AdditiveModel, str]:
    """A model that was not judged while it was fitted, or its base value alone if that predicts the outputs better.

    Parameters
    ----------
    model : AdditiveModel
    encoded : Encoded
    outputs : ndarray of shape (n_rows, n_outputs), float64
        What the model should give at the full coalition.
    weights : ndarray of shape (n_rows,), float64

    Returns
    -------
    AdditiveModel, and a sentence for the user, empty if the model stays.
    """
    nothing = replace(model, value_sets=(), presence_sets=(), tables=(), mixings=())
    models = (model, nothing)
    missed = [measure_missed(outputs, each.predict(encoded), weights) / outputs.shape[1] for each in models]
    names = ("fit", "base value")
    place, note = choose_rival([Rival(name, each, each) for name, each in zip(names, missed, strict=True)])
    return models[place], note


def measure_missed(outputs: NDArray[np.float64], predicted: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Mean squared error, summed over outputs, each relative to its variance."""
    missed = np.average((outputs - predicted) ** 2, axis=0, weights=weights)
    spread = np.average((outputs - np.average(outputs, axis=0, weights=weights)) ** 2, axis=0, weights=weights)
    return float(np.divide(missed, spread, out=np.zeros_like(missed), where=spread > 0).sum())
