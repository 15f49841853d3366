"""Places along a column that determine every function of its basis: where to ask a function for its table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from ..table.bases import ColumnEncoder


@dataclass(frozen=True)
class Places:
    """Encoded places of one column, and its local functions there.

    Attributes
    ----------
    cells : ndarray of shape (n_places,), int32
    offsets : ndarray of shape (n_places,), float64
    matrix : ndarray of shape (n_places, n_functions), float64
        Of full column rank: values at the places determine a combination of the functions.
    """

    cells: NDArray[np.int32]
    offsets: NDArray[np.float64]
    matrix: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.cells)

    def thin(self) -> "Places":
        """As few places as there are functions, the best told apart."""
        _, _, order = qr(self.matrix.T, mode="economic", pivoting=True)
        kept = np.sort(order[: self.matrix.shape[1]])
        return Places(self.cells[kept], self.offsets[kept], self.matrix[kept])


def sample_places(column: ColumnEncoder, size: int) -> Places:
    """Both ends of every cell and what the degree asks for between them, for terms of a size; "other" and missing come last."""
    basis = column.bases[size - 1]
    if column.levels is not None:
        cells, offsets = np.arange(column.n_cells, dtype=np.int32), np.zeros(column.n_cells)
    else:
        inner = np.linspace(0.0, 1.0, max(basis.polynomials.shape[2], 2))
        pieces = [inner if scale > 0 else np.zeros(1) for scale in column.scales] + [np.zeros(1)]
        cells = np.repeat(np.arange(column.n_cells, dtype=np.int32), [len(piece) for piece in pieces])
        offsets = np.concatenate(pieces)
    return Places(cells, offsets, basis.combine(cells, offsets, np.eye(basis.n_functions)))
