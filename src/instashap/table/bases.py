"""Local bases of a column.

A column is cut into cells. Every basis on it is local: in a cell at most ``width`` functions are non-zero, each a
polynomial in the position t in [0, 1]. A column has three nested bases, for terms of one, two and three columns: cubic
splines (or one function per level) for its main effect, hat functions (piecewise linear) on a subset of the knots (or levels)
for interactions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .basis_kernel import combine_functions, sum_functions


@dataclass(frozen=True)
class LocalBasis:
    """A basis whose few non-zero functions in a cell are polynomials in t.

    Attributes
    ----------
    first : ndarray of shape (n_cells,), int32
        First active function of each cell; functions ``first … first + width - 1`` are active.
    polynomials : ndarray of shape (n_cells, width, degree + 1), float64
        Coefficients by rising power of t.
    n_functions : int
    n_repeated : int
        Number of the last functions that have the coefficients of as many from ``first[0]`` on: a curve that ends as it begins.
    """

    first: NDArray[np.int32]
    polynomials: NDArray[np.float64]
    n_functions: int
    n_repeated: int = 0

    @property
    def free(self) -> NDArray[np.float64]:
        """Coefficients that curves may have, as columns: shape (n_functions, n_functions - n_repeated)."""
        free, start = np.eye(self.n_functions, self.n_functions - self.n_repeated), int(self.first[0])
        repeats = np.arange(self.n_repeated)
        free[len(free) - self.n_repeated + repeats, start + repeats % (free.shape[1] - start)] = 1.0
        return free

    @property
    def width(self) -> int:
        return int(self.polynomials.shape[1])

    def weigh(self, cells: NDArray[np.int32], offsets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of the active functions; shape (n_rows, width)."""
        coefficients = self.polynomials[cells]  # (n_rows, width, degree + 1)
        values = coefficients[:, :, -1].copy()
        for power in range(coefficients.shape[2] - 2, -1, -1):
            values = values * offsets[:, None] + coefficients[:, :, power]
        return values

    def combine(
        self, cells: NDArray[np.int32], offsets: NDArray[np.float64], coefficients: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Functions ``sum_m b_m(x) coefficients[m]`` on rows; shape (n_rows, n_combinations)."""
        weights = self.weigh(cells, offsets)
        start = self.first[cells]
        values = weights[:, :1] * coefficients[start]
        for shift in range(1, self.width):
            values += weights[:, shift, None] * coefficients[start + shift]
        return values

    def tabulate(
        self, cells: NDArray[np.int32], offsets: NDArray[np.float64], coefficients: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The same functions, each a row of the result: shape (n_combinations, n_rows), C order."""
        values = np.empty((coefficients.shape[1], len(cells)))
        combine_functions(*_make_plain(cells, offsets, self.first, self.polynomials, coefficients), values)
        return values

    def sum_products(
        self, cells: NDArray[np.int32], offsets: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weighted sums of the functions over rows, and of the products of any two of them."""
        sums, products = np.zeros(self.n_functions), np.zeros((self.n_functions, self.n_functions))
        sum_functions(*_make_plain(cells, offsets, weights, self.first, self.polynomials), sums, products)
        return sums, products


def _make_plain(*arrays: NDArray[Any]) -> list[NDArray[Any]]:
    """Arrays as kernels take them: C-contiguous, aligned and writable."""
    return [each if each.flags.carray else np.require(each, requirements=("C", "A", "W")) for each in arrays]


@dataclass(frozen=True)
class Axis:
    """One column's part in the basis of a shape function during a fit.

    Attributes
    ----------
    basis : LocalBasis
        Basis in which tables are stored and evaluated.
    expansion : ndarray of shape (n_functions, n_raw), float64
        Local coefficients of the smooth (or level) parameters; a spike has the value of the curve at its place.
    roughness : dict of int to ndarray of shape (n_rows_of_penalty, n_raw)
        Factor D of the penalty ``cᵀ Dᵀ D c`` by order of the penalised derivative; empty for unordered categories. Straight
        lines are never penalised, however long the tails are.
    spikes : tuple of int
        Local functions with a free value of their own beside the curve.
    is_code : bool
        Whether every value is a spike; all are then kept, however many functions there are.
    rank_roughness : dict of int to ndarray
        For a column with heavy tails: the penalty on derivatives by the rank of a value. Else empty.
    steps : ndarray of shape (n_functions, n_jumps), float64, or None
        Step functions beside the curve (:mod:`instashap.table.jumps`).
    """

    basis: LocalBasis
    expansion: NDArray[np.float64]
    roughness: dict[int, NDArray[np.float64]]
    spikes: tuple[int, ...]
    is_code: bool = False
    rank_roughness: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    steps: NDArray[np.float64] | None = None

    def use_ranks(self) -> "Axis":
        """The axis with the penalty on derivatives by the rank of a value instead of those by the value."""
        return replace(self, roughness=self.rank_roughness) if self.rank_roughness else self


@dataclass(frozen=True)
class ColumnEncoder:
    """How one column becomes ``(cell, t)``, and its bases.

    Attributes
    ----------
    name : str
    edges, lows, scales : ndarray, float64
        For a number column: cell k is ``edges[k-1] < x <= edges[k]`` with ``t = (x - lows[k]) scales[k]`` clipped to [0, 1].
    levels : tuple or None
        For a category column: the kept values, one cell each, followed by the cells "other" and "missing".
    bases : tuple of LocalBasis
        For terms of one, two and three columns.
    values : tuple of float
        For a number column that is a set of levels: their values. Else empty.
    order : tuple
        For an ordered category: all its values in their order, including those without a cell of their own. Else empty.
    has_pooled : bool
        Whether rows of the fit may be in the cell "other" of a category.
    """

    name: str
    edges: NDArray[np.float64]
    lows: NDArray[np.float64]
    scales: NDArray[np.float64]
    levels: tuple[Any, ...] | None
    bases: tuple[LocalBasis, ...]
    values: tuple[float, ...] = ()
    order: tuple[Any, ...] = ()
    has_pooled: bool = True
    codes: dict[Any, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", {_key(level): code for code, level in enumerate(self.levels or ())})

    @property
    def is_category(self) -> bool:
        return self.levels is not None

    @property
    def missing_cell(self) -> int:
        """The last cell; for a category the one before it is "other"."""
        return len(self.levels) + 1 if self.levels is not None else len(self.edges) + 1

    @property
    def n_cells(self) -> int:
        return self.missing_cell + 1

    @property
    def has_order(self) -> bool:
        """Whether a category's levels are ordered: by the user's order, or as numbers."""
        return bool(self.order) or all(isinstance(level, (int, float)) for level in self.levels or ())

    @property
    def shown_cells(self) -> list[int]:
        """Cells of a category's levels in the order in which they are shown: their own if there is one, else by weight."""
        levels = self.levels or ()
        if self.order:
            return [self.codes[key] for key in map(_key, self.order) if key in self.codes]
        return sorted(range(len(levels)), key=levels.__getitem__) if self.has_order else list(range(len(levels)))

    def scale(self, unit: float) -> "ColumnEncoder":
        """The encoder of a number column in other units, ``unit`` times as large; exact for a power of two."""
        edges, lows, values = self.edges * unit, self.lows * unit, tuple(value * unit for value in self.values)
        return replace(self, edges=edges, lows=lows, scales=self.scales / unit, values=values)

    def decode(self, cells: NDArray[np.int32], offsets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Numbers at cells, of which none is that of missing values, and positions in them."""
        spans = np.divide(1.0, self.scales, out=np.zeros_like(self.scales), where=self.scales > 0)
        return np.asarray(self.lows[cells] + offsets * spans[cells])

    def find_cells(self, codes: NDArray[np.int64], levels: Sequence[Any]) -> NDArray[np.int32]:
        """Cells of category values given as codes into ``levels``; unknown values go to "other".

        A value of another type than the fitted level, such as "101" or 101.0 for 101, is read as that level if no other level
        fits, and the values do not contain that level itself.
        """
        other = self.missing_cell - 1
        cells = [self.codes.get(_key(level), other) for level in levels]
        taken = set(cells)
        for place, level in enumerate(levels):
            if cells[place] == other:
                found = self._match_loosely(level)
                cells[place] = other if found is None or found in taken else found
        return np.array([*cells, self.missing_cell], dtype=np.int32)[codes]  # code -1 is missing, the last entry

    def _match_loosely(self, level: Any) -> int | None:
        """The cell of the only level with the same text as a value of another type; None if there is none."""
        for form in _write_forms(level):
            cell = self._forms.get(form)
            own = None if cell is None else (self.levels or ())[cell]
            if own is not None and (not (isinstance(own, str) and isinstance(level, str)) or form[0] in "(["):
                return cell
        return None

    @cached_property
    def _forms(self) -> dict[str, int | None]:
        """Cell of each text that may represent a level; None for a text that may represent several."""
        forms: dict[str, int | None] = {}
        for cell, level in enumerate(self.levels or ()):
            for form in _write_forms(level):
                forms[form] = cell if form not in forms else None
        return forms


def _key(level: Any) -> Any:
    """Dictionary key that distinguishes True from 1, which Python regards as equal; 1 and 1.0 have the same key."""
    return (bool, level) if isinstance(level, bool) else level


def _write_forms(level: Any) -> list[str]:
    """Texts that may represent a level in another table: 101 for 101.0, True or 1, an interval of whole numbers."""
    if isinstance(level, bool):
        return [str(level), str(int(level))]
    text = str(level)
    return [_TRAILING_ZEROS.sub("", text) if ".0" in text else text]


# Trailing zeros of a whole number written as a float, at the end of the text or of a bound of an interval.
_TRAILING_ZEROS = re.compile(r"(?<=\d)\.0+(?=$|[,\])])")


@dataclass(frozen=True)
class LearntColumn:
    """A column's encoder, and the axes that a fit uses."""

    encoder: ColumnEncoder
    axes: tuple[Axis, ...]


def pack_basis(
    dense: NDArray[np.float64], owner: NDArray[np.int64] | None = None, n_own: int = 0
) -> LocalBasis:
    """Local basis that stores only the functions active in each cell.

    Parameters
    ----------
    dense : ndarray of shape (n_cells, n_shared, degree + 1), float64
    owner : ndarray of shape (n_cells,), int64, optional
        For each cell, which of ``n_own`` functions before the shared ones is 1 there instead of all others; -1 if none.
    """
    is_owned = np.zeros(len(dense), dtype=bool) if owner is None else owner >= 0
    active = np.abs(dense).max(axis=2) > 1e-14
    begin = np.argmax(active, axis=1)
    end = np.where(is_owned, begin + 1, active.shape[1] - np.argmax(active[:, ::-1], axis=1))
    width = int((end - begin).max())
    begin = np.minimum(begin, dense.shape[1] - width)
    used = np.abs(dense).max(axis=(0, 1)) > 1e-14
    n_powers = int(np.flatnonzero(used).max(initial=0)) + 1
    picked = np.take_along_axis(dense, (begin[:, None] + np.arange(width))[:, :, None], axis=1)[:, :, :n_powers]
    first = begin + n_own
    if owner is not None:
        first[is_owned] = np.minimum(owner[is_owned], n_own + dense.shape[1] - width)
        picked[is_owned] = 0.0
        picked[is_owned, owner[is_owned] - first[is_owned], 0] = 1.0
    return LocalBasis(first.astype(np.int32), np.ascontiguousarray(picked), n_own + dense.shape[1])
