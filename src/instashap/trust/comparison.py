"""An order's game beside the best combination of references, at the same rows and coalitions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .held_rows import Held, Rows, iterate_masked, take_encoded
from .reference_panel import Panel, combine_references
from .references import Probes


@dataclass(frozen=True)
class Comparison:
    """An order's game beside the best combination of references, row by row; all in spreads of the outputs, mean over these.

    Attributes
    ----------
    order_risks, reference_risks : ndarray of shape (n_probes, n_players - 1), float64
        Squared residuals by coalition size, mean over the walks.
    products : ndarray of shape (n_probes, n_players - 1), float64
        ``(f - v) (r - v)``, likewise: twice its mean less that of the distances is the difference of the risks.
    distances : ndarray of shape (n_probes, n_players - 1), float64
        ``(v - r)²`` likewise, without the noise of the draws.
    moved : ndarray of shape (n_probes, n_players, n_outputs), float64
        Squared distance of each Shapley value, without noise in the mean; the full coalition aside.
    lengths : ndarray of shape (n_probes, n_players, n_outputs), float64
        Square of each of the reference's Shapley values.
    full : ndarray of shape (n_probes, n_outputs), float64
        Squared errors at the full coalition.
    weights : ndarray of shape (n_references,), float64
        Weights of the references, mean over the two halves of the rows.
    """

    order_risks: NDArray[np.float64]
    reference_risks: NDArray[np.float64]
    products: NDArray[np.float64]
    distances: NDArray[np.float64]
    moved: NDArray[np.float64]
    lengths: NDArray[np.float64]
    full: NDArray[np.float64]
    weights: NDArray[np.float64]


def compare(held: Held, rows: Rows, panel: Panel) -> Comparison:
    """The combination is chosen on one half of the rows, and measured on the other, in turn."""
    probes = panel.probes
    values, full, base = evaluate_held(held, rows, probes)
    outputs, spread = rows.outputs[probes.rows] / rows.spread, rows.spread
    values, full, base = values / spread, full / spread, base / spread
    n_outputs = outputs.shape[1]
    half = probes.halves
    parts: dict[str, list[NDArray[np.float64]]] = {}
    weights = []
    for learnt, measured in ((half, ~half), (~half, half)):
        shares = combine_references(rows, probes, panel.references, learnt)
        weights.append(shares)
        used = np.flatnonzero(shares)
        best = sum(shares[k] * panel.references[k].values[:, measured] / spread for k in used)
        own, wanted = values[measured], outputs[measured][:, None, None]
        own_error, errors = wanted - own, wanted - best  # (n, 2, d - 1, C), (2, n, 2, d - 1, C)
        gaps = best - own
        masks = probes.masks[measured]
        zeros = np.zeros((len(own), n_outputs))
        moved = [walk_values(-gaps[w][:, w], zeros, zeros, masks[:, w]) for w in (0, 1)]
        found = [walk_values(best[w][:, w], outputs[measured], base[measured], masks[:, w]) for w in (0, 1)]
        for name, part in {
            "order_risks": (own_error**2).mean(axis=(1, 3)),
            "reference_risks": (errors[0] * errors[1]).mean(axis=(1, 3)),
            "products": (own_error * gaps.mean(axis=0)).mean(axis=(1, 3)),
            "distances": (gaps[0] * gaps[1]).mean(axis=(1, 3)),
            "moved": moved[0] * moved[1],
            "lengths": found[0] * found[1],
            "full": (outputs - full)[measured] ** 2,
        }.items():
            parts.setdefault(name, []).append(part)
    order = np.argsort(np.concatenate([np.flatnonzero(~half), np.flatnonzero(half)]))
    return Comparison(**{name: np.concatenate(part)[order] for name, part in parts.items()}, weights=np.mean(weights, axis=0))


def evaluate_held(
    held: Held, rows: Rows, probes: Probes
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """An order's outputs at the probes' coalitions, at the full and at the empty one, each row by a model without it.

    A row that the table repeats is one that a model of all rows has seen, and so will be a new row as often: there the
    finished model counts. Shapes (n_probes, 2, n_players - 1, n_outputs), and (n_probes, n_outputs) twice.
    """
    n, _, n_steps, d = probes.masks.shape
    masks = probes.masks.reshape(n, -1, d)
    values = np.empty((n, 2 * n_steps, rows.outputs.shape[1]))
    full, base = np.empty((n, values.shape[2])), np.empty((n, values.shape[2]))
    owner = np.empty(len(rows), dtype=np.int64)
    models = [model for _, model in held.parts]
    for number, (places, _) in enumerate(held.parts):
        owner[places] = number
    if held.record is not None:
        owner[rows.is_repeated] = len(models)
        models.append(held.record.result.model)
    for number, model in enumerate(models):
        own = np.flatnonzero(owner[probes.rows] == number)
        if not len(own):
            continue
        encoded = take_encoded(rows.encoded, probes.rows[own])
        for block, found in iterate_masked(model, encoded, masks[own]):
            values[own[block]] = found
        full[own], base[own] = model.predict(encoded), model.base_value
    return values.reshape(n, 2, n_steps, -1), full, base


def walk_values(
    inner: NDArray[np.float64], full: NDArray[np.float64], empty: NDArray[np.float64], masks: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Marginal contributions along one walk a row, by player: shape (n_rows, n_players, n_outputs).

    Parameters
    ----------
    inner : ndarray of shape (n_rows, n_players - 1, n_outputs), float64
        Values of the coalitions of sizes 1 … n_players - 1.
    full, empty : ndarray of shape (n_rows, n_outputs), float64
    masks : ndarray of shape (n_rows, n_players - 1, n_players), bool

    Examples
    --------
    >>> inner, full, empty = np.array([[[1.0], [5.0]]]), np.array([[6.0]]), np.array([[0.0]])
    >>> walk_values(inner, full, empty, np.array([[[False, True, False], [True, True, False]]]))[0, :, 0]
    array([4., 1., 1.])
    """
    steps = np.diff(np.concatenate([empty[:, None], inner, full[:, None]], axis=1), axis=1)
    first = (~masks).sum(axis=1)  # at which step each player comes
    return np.take_along_axis(steps, first[:, :, None], axis=1)
