"""A saved explainer's test of itself: what it gives for some made-up rows, kept beside its tables.

Digests say that a file is as it was written, but who alters a file can make them right again. Numbers that an explainer gave
when it was saved, and no longer gives, also find an index that is in range and wrong, and a machine that computes otherwise.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.additive_model import AdditiveModel
from ..table.encoding import Encoded

# Rows at most; else so many that every cell of every column is met.
_MOST_ROWS = 512
# Other processors round otherwise.
_TOLERANCE = 1e-8
_GOLDEN = (5**0.5 - 1) / 2


def compute_probes(model: AdditiveModel) -> NDArray[np.float64]:
    """Shapley values of made-up rows, weighted and summed over players and outputs: shape (n_rows,).

    Row r lies in cell r of each column, counted round and round, at places that fill the cells evenly.
    """
    n_cells = np.array([len(bases[0].first) for bases in model.bases])
    rows, columns = np.arange(min(int(n_cells.max()), _MOST_ROWS))[:, None], np.arange(len(n_cells))
    cells = ((rows + columns * (rows // n_cells)) % n_cells).astype(np.int32)
    offsets = np.ascontiguousarray((rows + 1) * _GOLDEN * (columns + 1) % 1.0)
    values = model.credits.apply(Encoded(cells, offsets)).reshape(len(cells), -1)
    return np.asarray(values @ np.cos(1.0 + np.arange(values.shape[1])))


def sum_up(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """A weighted sum of each array that trust is read from, by name: where the fitted rows lie, and residual sizes."""
    parts = ("reach_bins", "reach_pairs", "residual_sizes")
    chosen = [arrays[name].ravel() for name in sorted(arrays) if name.startswith(parts)]
    return np.array([each @ np.cos(1.0 + np.arange(len(each))) for each in chosen], dtype=np.float64)


def agrees(found: NDArray[np.float64], probes: NDArray[np.float64]) -> bool:
    """Whether what is found is what there was when the file was saved, but for rounding."""
    if not len(found):
        return not len(probes)
    return found.shape == probes.shape and bool(np.abs(found - probes).max() <= _TOLERANCE * np.abs(probes).max())
