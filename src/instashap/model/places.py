"""Sample points along a column that determine every function of its basis; a table is computed from values there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from ..table.bases import ColumnEncoder


@dataclass(frozen=True)
class Places:
    """Encoded places of one column, and the values of its local functions there.

    Attributes
    ----------
    cells : ndarray of shape (n_places,), int32
    offsets : ndarray of shape (n_places,), float64
    matrix : ndarray of shape (n_places, n_functions), float64
        Has full column rank: values at the places determine a combination of the functions.
    """

    cells: NDArray[np.int32]
    offsets: NDArray[np.float64]
    matrix: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.cells)

    def thin(self) -> "Places":
        """A subset with as many places as functions, chosen by QR with pivoting to keep the matrix well conditioned."""
        _, _, order = qr(self.matrix.T, mode="economic", pivoting=True)
        kept = np.sort(order[: self.matrix.shape[1]])
        return Places(self.cells[kept], self.offsets[kept], self.matrix[kept])


def sample_places(column: ColumnEncoder, size: int) -> Places:
    """Places in every cell for terms of ``size`` columns: both ends, and as many between them as the degree requires.

    For a category there is one place per cell; the cells of other levels and of missing values come last.
    """
    basis = column.bases[size - 1]
    if column.levels is not None:
        cells, offsets = np.arange(column.n_cells, dtype=np.int32), np.zeros(column.n_cells)
    else:
        inner = np.linspace(0.0, 1.0, max(basis.polynomials.shape[2], 2))
        pieces = [inner if scale > 0 else np.zeros(1) for scale in column.scales] + [np.zeros(1)]
        cells = np.repeat(np.arange(column.n_cells, dtype=np.int32), [len(piece) for piece in pieces])
        offsets = np.concatenate(pieces)
    return Places(cells, offsets, basis.combine(cells, offsets, np.eye(basis.n_functions)))
