"""Self-test of a saved explainer: its values on constructed rows are stored beside its tables and recomputed on loading.

Digests detect accidental changes of a file, but anybody who alters a file can recompute them. Comparing values also detects an
index that is in range but wrong, and a machine that computes differently.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.additive_model import AdditiveModel
from ..table.encoding import Encoded

# Largest number of rows; below it there are as many as the largest number of cells of a column, so that every cell occurs.
_MOST_ROWS = 512
# Relative tolerance, as processors round differently.
_TOLERANCE = 1e-8
_GOLDEN = (5**0.5 - 1) / 2


def compute_probes(model: AdditiveModel) -> NDArray[np.float64]:
    """Shapley values of constructed rows, weighted and summed over players and outputs: shape (n_rows,).

    Row r lies in cell r (modulo the number of cells) of each column, at offsets that fill the cells evenly.
    """
    n_cells = np.array([len(bases[0].first) for bases in model.bases])
    rows, columns = np.arange(min(int(n_cells.max()), _MOST_ROWS))[:, None], np.arange(len(n_cells))
    cells = ((rows + columns * (rows // n_cells)) % n_cells).astype(np.int32)
    offsets = np.ascontiguousarray((rows + 1) * _GOLDEN * (columns + 1) % 1.0)
    values = model.credits.apply(Encoded(cells, offsets)).reshape(len(cells), -1)
    return np.asarray(values @ np.cos(1.0 + np.arange(values.shape[1])))


def sum_up(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Weighted sum of each array that the trust of rows is computed from: region of the fitted rows, residual sizes."""
    parts = ("reach_bins", "reach_coefficients", "reach_constants", "reach_pairs", "residual_sizes")
    chosen = [arrays[name].ravel() for name in sorted(arrays) if name.startswith(parts)]
    return np.array([each @ np.cos(1.0 + np.arange(len(each))) for each in chosen], dtype=np.float64)


def agrees(found: NDArray[np.float64], probes: NDArray[np.float64]) -> bool:
    """Whether recomputed values equal the stored ones up to rounding."""
    if not len(found):
        return not len(probes)
    return found.shape == probes.shape and bool(np.abs(found - probes).max() <= _TOLERANCE * np.abs(probes).max())
