"""Knots, levels and local bases of one column, learnt once.

A column is cut into cells. Every basis on it is local: in a cell at most ``width`` functions are non-zero, each a
polynomial in the position t in [0, 1]. A column has three nested bases, for terms of one, two and three columns: cubic
splines (or one function a level) for its main effect, hats on a subset of the knots (or levels) for interactions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import DataWarning, warn_caller
from .clock import advise_on_times, reads_as_times
from .dates import advise_on_dates
from .numerals import advise_on_numbers

# A continuous column of a small table must stay smooth: a level, or an interval, has so many rows on average.
ROWS_PER_LEVEL = 10
ROWS_PER_INTERVAL = 15
# A value with this share of the rows, and so many times the rows of a typical interval's values, is a spike of its own.
SPIKE_SHARE = 0.01
SPIKE_EXCESS = 5.0
# A level with fewer rows than this is pooled into "other": one row shows nothing of a level that its own noise would not hide.
ROWS_PER_CATEGORY = 2
# Share of a column's rows in pooled levels from which a user should know.
POOLED_SHARE = 0.1
# Levels all columns of a table tell apart together: the fit's matrices have so many rows more.
LEVELS_PER_TABLE = 3000
# Values nearer to each other than this share are one in float32.
_FLOAT32 = 1e-6
# A cut moves by no more than this share of its gap to be exact in float32.
_MOST_MOVED = 1e-3
# A code holds so far about its value, as a share of the smallest step: any other number is another code.
_CODE_REACH = 1e-3
# Beyond this ratio of full range to the middle 90 % the roughness is measured on the scale of ranks (Gaussian: about 2.4).
HEAVY_TAIL_RATIO = 6.0
# … and so it is where knots lie closer than this share of the range: third differences would not be numbers any more. Of few
# rows a single wild value widens the middle 90 % itself.
NARROW_GAP = 1e-8


@dataclass(frozen=True)
class Grain:
    """How finely columns are cut, for terms of one, two and three columns.

    The default is for smooth curves in closed form; a fit of labels on many rows can tell steps apart and asks for finer hats.

    Attributes
    ----------
    n_intervals : int
        Most intervals of a number's main effect.
    nesting : tuple of int
        Terms of so many columns keep every so many-th knot.
    degrees : tuple of int
        3 cubic, 1 hats.
    max_levels : int
        Distinct values up to which a number column is a set of levels, each with a coefficient of its own.
    axis_levels : tuple of int
        Levels an axis may tell apart: more are joined by hats (numbers) or pooled (categories).
    """

    n_intervals: int = 30
    nesting: tuple[int, int, int] = (1, 2, 6)
    degrees: tuple[int, int, int] = (3, 1, 1)
    max_levels: int = 32
    axis_levels: tuple[int, int, int] = (LEVELS_PER_TABLE, 24, 8)


SMOOTH = Grain()


def make_fine_grain(total_weight: float) -> Grain:
    """Hats, the finer the more rows; knots of a pair are some of the main effects', those of a triple some of the pairs'.

    Up to 64 intervals for a main effect and 32 along a side of a pair, where a cell then has some hundred rows: the side
    grows with the cube root of the rows, as the best width of a local average over two columns does, or slower.
    """
    n_intervals = int(np.clip(total_weight / ROWS_PER_INTERVAL, 2, 64)) // 2 * 2
    pair = float(np.clip(0.6 * np.cbrt(total_weight), 2, 32))
    triple = float(np.clip(pair / 2, 2, 8))
    step = max(round(n_intervals / pair), 1)
    nesting = (1, step, step * max(round(n_intervals / triple / step), 1))
    return Grain(n_intervals, nesting, (1, 1, 1), 256, (LEVELS_PER_TABLE, max(round(pair), 3) + 1, max(round(triple), 2) + 1))


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
    """

    first: NDArray[np.int32]
    polynomials: NDArray[np.float64]
    n_functions: int

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


@dataclass(frozen=True)
class Axis:
    """One column's side of a shape function while it is being fitted.

    Attributes
    ----------
    basis : LocalBasis
        What is stored and looked up.
    expansion : ndarray of shape (n_functions, n_raw), float64
        Local coefficients of the smooth (or level) parameters; spikes take the value of the curve they stand on.
    roughness : dict of int to ndarray of shape (n_rows_of_penalty, n_raw)
        Factor D of the penalty ``cᵀ Dᵀ D c`` by order of the penalised derivative; empty for unordered categories.
    spikes : tuple of int
        Local functions with a free value of their own beside the curve.
    is_code : bool
        Whether every value is a spike: none of them is left out for the number of functions.
    """

    basis: LocalBasis
    expansion: NDArray[np.float64]
    roughness: dict[int, NDArray[np.float64]]
    spikes: tuple[int, ...]
    is_code: bool = False


@dataclass(frozen=True)
class ColumnEncoder:
    """How one column becomes ``(cell, t)``, and its bases.

    Attributes
    ----------
    name : str
    edges, lows, scales : ndarray, float64
        Of a number column: cell k is ``edges[k-1] < x <= edges[k]`` with ``t = (x - lows[k]) scales[k]`` cut to [0, 1].
    levels : tuple or None
        Of a category column: the kept values, one cell each; then come the cells "other" and "missing".
    bases : tuple of LocalBasis
        For terms of one, two and three columns.
    values : tuple of float
        Of a number column that is a set of levels: their values. Else empty.
    order : tuple
        Of an ordered category: all its values in their order, those without a cell of their own among them. Else empty.
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
        """Whether a category's levels have an order: their own, or that of numbers."""
        return bool(self.order) or all(isinstance(level, (int, float)) for level in self.levels or ())

    @property
    def shown_cells(self) -> list[int]:
        """Cells of a category's levels as they are shown: in their order if they have one, else by falling weight."""
        levels = self.levels or ()
        if self.order:
            return [self.codes[key] for key in map(_key, self.order) if key in self.codes]
        return sorted(range(len(levels)), key=levels.__getitem__) if self.has_order else list(range(len(levels)))

    def scale(self, unit: float) -> "ColumnEncoder":
        """The encoder of a number column in other units, ``unit`` times as large; exact for a power of two."""
        edges, lows, values = self.edges * unit, self.lows * unit, tuple(value * unit for value in self.values)
        return replace(self, edges=edges, lows=lows, scales=self.scales / unit, values=values)

    def find_cells(self, codes: NDArray[np.int64], levels: Sequence[Any]) -> NDArray[np.int32]:
        """Cells of category values given as codes into ``levels``; unknown values go to "other".

        A value of another type than the fitted level, such as "101" or 101.0 for 101, is taken for that level if it can be no
        other one, and the values hold no such level itself.
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
        """The one level that reads like a value of another type."""
        for form in _write_forms(level):
            cell = self._forms.get(form)
            own = None if cell is None else (self.levels or ())[cell]
            if own is not None and (not (isinstance(own, str) and isinstance(level, str)) or form[0] in "(["):
                return cell
        return None

    @cached_property
    def _forms(self) -> dict[str, int | None]:
        """Cell of each text that a level may be written as; None where several levels may."""
        forms: dict[str, int | None] = {}
        for cell, level in enumerate(self.levels or ()):
            for form in _write_forms(level):
                forms[form] = cell if form not in forms else None
        return forms


def _key(level: Any) -> Any:
    """Keep True and 1 apart, which Python calls equal; 1 and 1.0 stay the same value."""
    return (bool, level) if isinstance(level, bool) else level


def _write_forms(level: Any) -> list[str]:
    """Texts that a level may be written as in another table: 101 for 101.0, True or 1, an interval of whole numbers."""
    if isinstance(level, bool):
        return [str(level), str(int(level))]
    text = str(level)
    return [_TRAILING_ZEROS.sub("", text) if ".0" in text else text]


# Of a whole number written as a float, at the end of the text or of an end of an interval.
_TRAILING_ZEROS = re.compile(r"(?<=\d)\.0+(?=$|[,\])])")


@dataclass(frozen=True)
class LearntColumn:
    """A column's encoder, and the axes a fit uses."""

    encoder: ColumnEncoder
    axes: tuple[Axis, ...]


def learn_categories(
    name: str,
    codes: NDArray[np.int64],
    levels: Sequence[Any],
    weights: NDArray[np.float64],
    grain: Grain = SMOOTH,
    is_ordered: bool = False,
) -> LearntColumn:
    """Learn a category column: levels by falling weight, rare ones pooled into "other"; ordered levels keep their order.

    A level is kept if its rows weigh at least 2 and it is among the heaviest, 3 000 in all columns together; an axis of a pair
    (a triple) tells the 24 (8) heaviest apart. Levels of equal weight are ordered by their text.
    """
    totals = np.bincount(codes[codes >= 0], weights=weights[codes >= 0], minlength=len(levels))
    common = (i for i in range(len(levels)) if totals[i] >= ROWS_PER_CATEGORY)
    ranked = sorted(common, key=lambda i: (-totals[i], str(levels[i])))
    kept = tuple(levels[i] for i in ranked[: grain.axis_levels[0]])
    pooled = 1.0 - float(totals[ranked[: grain.axis_levels[0]]].sum()) / max(float(totals.sum()), 1e-300)
    if len(levels) > grain.axis_levels[1]:
        _warn_pooled(name, len(levels), len(kept), pooled, _advise(name, levels))
    axes = tuple(_make_category_axis(len(kept), limit) for limit in grain.axis_levels)
    empty = np.empty(0)
    order = tuple(levels) if is_ordered else ()
    bases, has_pooled = tuple(axis.basis for axis in axes), len(kept) < int(np.count_nonzero(totals))
    return LearntColumn(ColumnEncoder(name, empty, empty, empty, kept, bases, (), order, has_pooled), axes)


def _warn_pooled(name: str, n_levels: int, n_kept: int, pooled: float, advice: str) -> None:
    """Say so where levels hold many rows and count as one."""
    if pooled > POOLED_SHARE:
        warn_caller(
            f"column {name!r} has {n_levels:,} levels, {n_levels - n_kept:,} of them too rare (fewer than {ROWS_PER_CATEGORY} "
            f"rows) or too many to tell apart; they hold {pooled:.0%} of the rows and count as one: {advice}",
            DataWarning,
        )


def _advise(name: str, levels: Sequence[Any]) -> str:
    if reads_as_times(levels):
        return advise_on_times(name, levels)
    advice = advise_on_dates(name, levels) or advise_on_numbers(name, levels)
    if advice:
        return advice
    return "drop the column if it is an identifier, or group its levels"


def _make_category_axis(n_levels: int, limit: int) -> Axis:
    """One function for each of the ``limit`` heaviest levels, one for all others, one for missing."""
    n_kept = min(n_levels, limit)
    owner = np.minimum(np.arange(n_levels + 2), n_kept)
    owner[-1] = n_kept + 1
    return _make_level_axis(owner)


def _make_level_axis(owner: NDArray[np.int64]) -> Axis:
    """One function a level, of which each cell has one; the last two are all others and missing."""
    n_functions = int(owner[-1]) + 1
    basis = LocalBasis(owner.astype(np.int32), np.ones((len(owner), 1, 1)), n_functions)
    return Axis(basis, np.eye(n_functions)[:, :-1], {}, (n_functions - 1,))


def learn_numbers(
    name: str,
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    grain: Grain = SMOOTH,
    *,
    may_spike: bool = True,
    is_code: bool = False,
) -> LearntColumn:
    """Learn a number column: levels if it has few values, else splines with spikes beside them where those may be.

    A code (store, week) has an effect of its own for each of its values beside the curve; its side of a pair stays a curve.
    """
    present = ~np.isnan(values)
    distinct, inverse = np.unique(values[present], return_inverse=True)
    totals = np.asarray(np.bincount(inverse, weights=weights[present], minlength=len(distinct)), dtype=np.float64)
    if is_code:
        return _learn_codes(name, distinct, totals, grain)
    if len(distinct) <= min(grain.max_levels, max(2.0, totals.sum() / ROWS_PER_LEVEL)):
        return _learn_levels(name, distinct, grain)
    is_spike = _find_spikes(totals) if may_spike else np.zeros(len(distinct), dtype=bool)
    return _learn_spline(name, distinct, totals, grain, is_spike)


def _learn_levels(name: str, distinct: NDArray[np.float64], grain: Grain) -> LearntColumn:
    levels = distinct if len(distinct) else np.zeros(1)  # all missing: one level nobody is in keeps the shapes alike
    n_levels = len(levels)
    cells = _Cells.from_levels(levels)
    positions = np.arange(n_levels, dtype=np.float64)
    axes = []
    step = 1
    for limit in grain.axis_levels:
        if n_levels > limit:  # a multiple of the step before: knots are nested
            step *= int(np.ceil((n_levels - 1) / (limit - 1) / step))
        knots = np.unique(np.append(positions[::step], positions[-1:]))
        axes.append(_make_number_axis(cells, positions, positions, knots, 1, np.zeros(n_levels, dtype=bool), positions))
    return _finish(name, cells, axes, tuple(distinct.tolist()))


def _learn_codes(
    name: str, distinct: NDArray[np.float64], totals: NDArray[np.float64], grain: Grain
) -> LearntColumn:
    """A free value for each number that has rows enough, beside a curve that all others lie on.

    Hats have no curve beside free values: there every number is a level, and the others belong to the nearest.
    """
    ranked = np.lexsort((distinct, -totals))
    kept = np.sort(ranked[: min(grain.axis_levels[0], int((totals >= ROWS_PER_CATEGORY).sum()))])
    is_level = np.isin(np.arange(len(distinct)), kept)
    if grain.degrees[0] == 1:
        levels = replace(grain, axis_levels=(len(kept), *grain.axis_levels[1:]))
        return _learn_levels(name, distinct[is_level], levels)
    reach = max(_CODE_REACH * float(np.diff(distinct).min()), _FLOAT32 * float(np.abs(distinct).max()))
    column = _learn_spline(name, distinct, totals, grain, is_level, reach)
    return replace(column, encoder=replace(column.encoder, values=tuple(distinct[is_level].tolist())))


def _learn_spline(
    name: str,
    distinct: NDArray[np.float64],
    totals: NDArray[np.float64],
    grain: Grain,
    is_spike: NDArray[np.bool_],
    reach: float = np.inf,
) -> LearntColumn:
    """Curves on knots at quantiles, and beside them spikes; those of a code, which have a reach, for the main effect only."""
    is_code = np.isfinite(reach)
    is_apart = ~is_spike if not is_code and (~is_spike).sum() >= 4 else np.ones(len(distinct), dtype=bool)
    smooth, mass = distinct[is_apart], totals[is_apart]
    n_intervals = int(np.clip(totals.sum() / ROWS_PER_INTERVAL, 2, grain.n_intervals)) // 2 * 2
    inner = _weighted_quantiles(smooth, mass, np.linspace(0, 1, n_intervals + 1)[1:-1])
    inner = np.unique([_halfway(smooth, value) for value in inner])
    knots = np.concatenate([[smooth[0]], inner[(inner > smooth[0]) & (inner < smooth[-1])], [smooth[-1]]])
    middle = np.diff(_weighted_quantiles(distinct, totals, np.array([0.05, 0.95])))[0]
    span = distinct[-1] - distinct[0]
    is_heavy = span > HEAVY_TAIL_RATIO * max(middle, 0.0) or np.diff(knots).min() < NARROW_GAP * span
    scale = np.linspace(0.0, 1.0, len(knots)) if is_heavy else knots
    cells = _Cells.from_knots(knots, distinct, is_spike, reach)
    is_free = is_spike[cells.spike_of]
    data_scale = np.interp(distinct, knots, scale)
    spread = np.sqrt(12 * np.cov(data_scale, aweights=totals, ddof=0))
    axes = []
    for step, degree in zip(grain.nesting, grain.degrees, strict=True):
        kept = np.unique(np.append(scale[::step], scale[-1]))
        axes.append(_make_number_axis(cells, knots, scale, kept, degree, is_free, data_scale, float(spread)))
        if is_code:
            axes[-1] = replace(axes[-1], is_code=len(axes) == 1)
            is_free = np.zeros_like(is_free)
    return _finish(name, cells, axes, ())


def _find_spikes(totals: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Values that hold 1 % of the rows and stand out from their neighbours' density.

    A column whose every value is common (temperatures in whole degrees) is discretised, not spiked: the typical common
    value is the median over rows of what the row's own value holds.
    """
    share = totals / totals.sum()
    ranked = np.argsort(share, kind="stable")
    other = np.cumsum(share[ranked])
    typical = share[ranked][np.searchsorted(other, 0.5 * (1 - share.max()))]
    return np.asarray((share >= SPIKE_SHARE) & (share >= SPIKE_EXCESS * typical))


def _weighted_quantiles(
    distinct: NDArray[np.float64], totals: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quantiles by the inverted distribution function: always observed values."""
    cumulated = np.cumsum(totals)
    # A hair below the level: sums of equal weights must not skip a value by rounding.
    found = np.searchsorted(cumulated, levels * cumulated[-1] * (1 - 1e-12))
    return np.asarray(distinct[np.minimum(found, len(distinct) - 1)])


def _halfway(distinct: NDArray[np.float64], value: float) -> float:
    """A cut just above ``value``: halfway to the next observed value, exact in float32 where that still separates them."""
    position = int(np.searchsorted(distinct, value))
    if position + 1 >= len(distinct):
        return float(value)
    return cut_between(float(distinct[position]), float(distinct[position + 1]))


def cut_between(below: float, above: float) -> float:
    """A number c with ``below <= c < above``, halfway, and exact in float32 where that moves it by less than 1e-3 of the gap.

    In other units the cut then lies at the same share of the gap, also of a narrow column far from zero.

    Examples
    --------
    >>> cut_between(1.0, 2.0)
    1.5
    """
    middle = below + (above - below) / 2
    if not middle < above:  # neighbouring floats have nothing between them
        return below
    with np.errstate(over="ignore", under="ignore"):
        rounded = float(np.float32(middle))
    return rounded if abs(rounded - middle) <= _MOST_MOVED * (above - below) else middle


@dataclass(frozen=True)
class _Cells:
    """Cells of a number column: intervals and single values, in order; missing comes after them."""

    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    is_point: NDArray[np.bool_]
    spike_of: NDArray[np.int64]  # of each point, its position among the distinct values
    edges: NDArray[np.float64]

    @classmethod
    def from_levels(cls, distinct: NDArray[np.float64]) -> "_Cells":
        edges = np.array([cut_between(a, b) for a, b in pairwise(distinct)])
        return cls(distinct, distinct, np.ones(len(distinct), dtype=bool), np.arange(len(distinct)), edges)

    @classmethod
    def from_knots(
        cls, knots: NDArray[np.float64], distinct: NDArray[np.float64], is_spike: NDArray[np.bool_], reach: float = np.inf
    ) -> "_Cells":
        """Cells between knots, and one a spike: halfway to the next values, and no further than its reach."""
        spikes = np.flatnonzero(is_spike)
        halfway = np.array([-np.inf, *(cut_between(a, b) for a, b in pairwise(distinct)), np.inf])
        below = np.maximum(halfway[spikes], distinct[spikes] - reach)
        above = np.minimum(halfway[spikes + 1], distinct[spikes] + reach)
        inside = np.zeros(len(knots), dtype=bool)
        begins = np.searchsorted(below, knots) - 1  # the last spike that begins before a knot
        inside = (begins >= 0) & (knots < above[np.maximum(begins, 0)]) if len(spikes) else inside
        free = knots[1:-1][~inside[1:-1]]
        edges = np.unique(np.concatenate([free, below[np.isfinite(below)], above[np.isfinite(above)]]))
        bounds = np.concatenate([[-np.inf], edges, [np.inf]])
        owner = np.searchsorted(edges, distinct[spikes])
        is_point = np.zeros(len(edges) + 1, dtype=bool)
        is_point[owner] = True
        # A spike may stand apart from the curve's range: t = 0 is where the curve begins, not the cut before it.
        lows = np.clip(bounds[:-1], knots[0], knots[-1])
        highs = np.clip(bounds[1:], knots[0], knots[-1])
        lows[owner] = highs[owner] = distinct[spikes]
        return cls(lows, highs, is_point, spikes, edges)


def _make_number_axis(
    cells: _Cells,
    knots: NDArray[np.float64],
    scale: NDArray[np.float64],
    kept: NDArray[np.float64],
    degree: int,
    is_free: NDArray[np.bool_],
    data_scale: NDArray[np.float64],
    spread: float | None = None,
) -> Axis:
    """A spline of a degree on the kept knots, with a free value for the points where ``is_free`` and one for missing.

    ``knots`` are mapped to ``scale`` (the coordinate in which the curve is a spline), linearly in between; levels live on
    the scale of their ranks.
    """
    n_points = int(cells.is_point.sum())
    n_own = int(is_free.sum()) + 1
    if len(kept) < 2:
        kept = np.array([kept[0], kept[0] + 1.0]) if len(kept) else np.array([0.0, 1.0])
    sequence = np.concatenate([[kept[0]] * degree, kept, [kept[-1]] * degree])
    n_raw = len(kept) + degree - 1
    point_scale = data_scale[cells.spike_of] if n_points else np.empty(0)
    nodes = np.linspace(0.0, 1.0, degree + 1)
    inverse = np.linalg.inv(np.vander(nodes, increasing=True))
    dense = np.zeros((len(cells.lows) + 1, n_raw, degree + 1))
    owner = np.full(len(dense), -1)
    expansion = np.vstack([np.zeros((n_own, n_raw)), np.eye(n_raw)])
    point_curves = _evaluate(sequence, degree, n_raw, point_scale)
    places = cells.lows[:, None] + nodes * (cells.highs - cells.lows)[:, None]
    curves = _evaluate(sequence, degree, n_raw, np.interp(places, knots, scale).ravel()).reshape(*places.shape, n_raw)
    own = point = 0
    for cell in range(len(cells.lows)):
        if cells.is_point[cell]:
            curve = point_curves[point]
            if is_free[point]:
                owner[cell] = own
                expansion[own] = curve
                own += 1
            else:
                dense[cell, :, 0] = curve
            point += 1
            continue
        dense[cell] = (inverse @ curves[cell]).T
    owner[-1] = n_own - 1
    # Levels are steps as often as curves: their differences stop at the second order.
    highest = 2 if spread is None else 3
    unit = float(len(kept)) if spread is None else spread
    roughness = {order: _compute_roughness(kept, degree, min(order, highest), unit) for order in (2, 3)}
    return Axis(pack_basis(dense, owner, n_own), expansion, roughness, tuple(range(n_own)))


def _evaluate(sequence: NDArray[np.float64], degree: int, n_raw: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dense values of the B-splines, shape (n_points, n_raw)."""
    from scipy.interpolate import BSpline  # only a fit needs scipy; a loaded explainer does not

    if not len(x):
        return np.empty((0, n_raw))
    clipped = np.clip(x, sequence[0], sequence[-1])
    return np.asarray(BSpline.design_matrix(clipped, sequence, degree).toarray()[:, :n_raw])


def _compute_roughness(kept: NDArray[np.float64], degree: int, order: int, spread: float) -> NDArray[np.float64]:
    """Rows D of a squared-derivative penalty ``cᵀ Dᵀ D c``, in units of ``spread`` so that it does not depend on scale.

    The factor is kept, not the product: smooth curves cancel in D, and in the product they would lose twice the digits. A
    linear spline has no higher derivative: divided differences of its values stand in for it. Columns with too few knots
    for the order are penalised in the highest difference they have.
    """
    if degree == 1:
        return _difference_roughness(kept, min(order, max(len(kept) - 1, 1)), spread)
    from scipy.interpolate import BSpline

    sequence = np.concatenate([[kept[0]] * degree, kept, [kept[-1]] * degree])
    nodes, node_weights = np.polynomial.legendre.leggauss(degree + 1 - order + 1)
    half = np.diff(kept) / 2
    places = ((kept[:-1] + kept[1:]) / 2)[:, None] + half[:, None] * nodes
    curves = BSpline(sequence, np.eye(len(kept) + degree - 1), degree).derivative(order)
    weights = np.sqrt(half[:, None] * node_weights).ravel()
    return np.asarray(curves(places.ravel()) * weights[:, None] * spread ** (order - 0.5))


def _difference_roughness(kept: NDArray[np.float64], order: int, spread: float) -> NDArray[np.float64]:
    differences = np.eye(len(kept))
    places = kept
    gaps = np.diff(kept)
    for _ in range(order):
        gaps = np.diff(places)
        differences = np.diff(differences, axis=0) / gaps[:, None]
        places = (places[1:] + places[:-1]) / 2
    return np.asarray(differences * np.sqrt(gaps)[:, None] * spread ** (order - 0.5))


def pack_basis(
    dense: NDArray[np.float64], owner: NDArray[np.int64] | None = None, n_own: int = 0
) -> LocalBasis:
    """Store only the functions active in each cell.

    Parameters
    ----------
    dense : ndarray of shape (n_cells, n_shared, degree + 1), float64
    owner : ndarray of shape (n_cells,), int64, optional
        Of each cell, which of ``n_own`` functions before the shared ones is 1 there in place of all others; -1 if none.
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


def _finish(name: str, cells: _Cells, axes: list[Axis], values: tuple[float, ...]) -> LearntColumn:
    spans = cells.highs - cells.lows
    scales = np.divide(1.0, spans, out=np.zeros_like(spans), where=spans > 0)
    encoder = ColumnEncoder(name, cells.edges, cells.lows, scales, None, tuple(axis.basis for axis in axes), values)
    return LearntColumn(encoder, tuple(axes))
