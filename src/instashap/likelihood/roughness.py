"""Gaussian prior of a fit by likelihood: tables are smooth and small, and each term has its own strengths (precisions)."""

from __future__ import annotations  # functions are defined in every descent: their annotations are not evaluated

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..table.bases import Axis
from .table_kernels import add_roughness, factorise_blocks, solve_blocks
from .tables import TableDesign

# Initial strengths, in the mean information of one row: the prior then has the weight of so many rows.
FIRST_ROUGHNESS, FIRST_RIDGE = 50.0, 5.0
# Factor on the initial strengths of a term for every column beyond the first.
FIRST_INTERACTION = 3.0
# Factors of the blocks with more entries than this are kept in single precision: they take half the memory, and the descent a
# few more steps.
_MAX_DOUBLE = 8_000_000
# Logarithms of the strengths of the last fit are multiples of this: one step moves values by some thousandth of their standard
# deviation.
_LOG_GRID = 0.01
# Least and greatest strengths, in the mean information of one row.
_BOUNDS = 1e-5, 1e7
# Degrees of freedom are computed from the information about the nodes, averaged within so many groups of similar nodes.
_GROUPS = 24
# Eigenvalue of differences between a node and its copy at the end of a period, which are always zero.
_TIED = 1e12


@dataclass(frozen=True)
class TermStrengths:
    """Prior precision of every term's table.

    Attributes
    ----------
    roughness : ndarray of shape (n_terms,), float64
        On squared second differences of neighbouring nodes along every ordered axis.
    ridge : ndarray of shape (n_terms,), float64
        On squared entries.
    """

    roughness: NDArray[np.float64]
    ridge: NDArray[np.float64]

    def scale(self, name: str, factor: float) -> TermStrengths:
        """These strengths with every ``name`` ("roughness" or "ridge") multiplied by a factor."""
        return replace(self, **{name: getattr(self, name) * factor})

    def join(self, other: TermStrengths) -> TermStrengths:
        """Strengths of these terms, followed by the other's."""
        return TermStrengths(np.append(self.roughness, other.roughness), np.append(self.ridge, other.ridge))

    def pick(self, terms: NDArray[np.int64]) -> TermStrengths:
        """Strengths of some terms, by position."""
        return TermStrengths(self.roughness[terms], self.ridge[terms])

    @classmethod
    def start(cls, sizes: Sequence[int], information: float) -> TermStrengths:
        """Initial strengths of terms with ``sizes`` columns each; ``information`` is the mean curvature of a row."""
        own = information * FIRST_INTERACTION ** (np.asarray(sizes, dtype=np.float64) - 1.0)
        return cls(FIRST_ROUGHNESS * own, FIRST_RIDGE * own)

    @classmethod
    def average(cls, several: Sequence[TermStrengths], unit: float = 1.0) -> TermStrengths:
        """Geometric means, rounded to about a hundredth, which removes floating-point noise.

        They are rounded in a unit, so that the result does not depend on that of the targets.
        """
        means = [np.mean([np.log(getattr(each, name) / unit) for each in several], axis=0) for name in ("roughness", "ridge")]
        return cls(*(unit * np.exp(_LOG_GRID * np.round(mean / _LOG_GRID)) for mean in means))


@dataclass(frozen=True)
class Roughness:
    """Quadratic prior on the tables of a design: ``Σ_terms roughness Σ_axes |D c|² + ridge |c|²``.

    D takes second divided differences of neighbouring nodes along an axis, so that straight lines are free; levels without
    order, spikes and missing values have no neighbours. An axis's differences are scaled to the size of those of evenly
    spaced nodes (Eilers & Marx 1996): one strength means about the same everywhere.

    Attributes
    ----------
    design : TableDesign
    spectra : tuple of ndarray of shape (n_nodes,), float64
        Eigenvalues of ``Σ_axes DᵀD``, one array per term.
    """

    design: TableDesign
    spectra: tuple[NDArray[np.float64], ...] = field(init=False, repr=False)
    _shapes: NDArray[np.int64] = field(init=False, repr=False)
    _differences: tuple[NDArray[Any], ...] = field(init=False, repr=False)  # shapes, lows, bends, bend_starts, starts
    _bands: NDArray[np.int64] = field(init=False, repr=False)
    _band_starts: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        design = self.design
        keys = sorted({(len(values), column) for values in design.value_sets for column in values})
        axes = {(size, column): design.columns[column].axes[size - 1] for size, column in keys}
        bends = {key: _find_bends(axis) for key, axis in axes.items()}
        firsts = dict(zip(keys, np.cumsum([0, *(len(bends[key]) for key in keys)]), strict=False))
        spectra = {key: _compute_spectrum(bends[key], axes[key]) for key in keys}
        shapes, lows, bend_starts = (np.ones((len(design.value_sets), 3), dtype=np.int64) for _ in range(3))
        totals = []
        for term, values in enumerate(design.value_sets):
            total = np.zeros(1)
            for place, column in enumerate(values):
                key = len(values), column
                n, low = axes[key].basis.n_functions, len(axes[key].spikes)
                shapes[term, place], lows[term, place], bend_starts[term, place] = n, low, firsts[key]
                if not len(bends[key]):
                    lows[term, place] = n
                total = (total[:, None] + spectra[key]).ravel()
            totals.append(total)
        strides = np.stack([shapes[:, 1] * shapes[:, 2], shapes[:, 2], np.ones_like(shapes[:, 0])], axis=1)
        bands = (2 * strides * (shapes - lows > 2)).max(axis=1, initial=0)
        sizes = shapes.prod(axis=1) * (bands + 1) * design.n_outputs
        every = np.vstack([np.empty((0, 3)), *(bends[key] for key in keys)])
        object.__setattr__(self, "spectra", tuple(totals))
        object.__setattr__(self, "_shapes", shapes)
        object.__setattr__(self, "_differences", (shapes, lows, every, bend_starts, design.starts[:-1].copy()))
        object.__setattr__(self, "_bands", bands)
        object.__setattr__(self, "_band_starts", np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))

    def multiply(self, vector: NDArray[np.float64], strengths: TermStrengths) -> NDArray[np.float64]:
        """The prior's precision matrix times a vector; intercepts have no prior."""
        result = np.zeros(len(vector))
        n_outputs = self.design.n_outputs
        add_roughness(vector, *self._differences, strengths.roughness, strengths.ridge, n_outputs, result)
        return result

    def precondition(
        self, curvature: NDArray[np.float64], strengths: TermStrengths
    ) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        """Function that applies the inverse of each term's block ``diag(curvature) + prior``, and of the intercepts' curvature.

        There is one block per term and output. ``curvature`` is that of the likelihood, summed at the nodes: as a diagonal
        matrix it bounds the likelihood's block from above.
        """
        design, n_outputs = self.design, self.design.n_outputs
        starts, own = design.starts[:-1].copy(), design.starts[-1]
        layout = self._bands, self._band_starts[:-1].copy()
        size = int(self._band_starts[-1])
        factors = np.zeros(size, dtype=np.float64 if size <= _MAX_DOUBLE else np.float32)
        groups = self._share_terms()
        given = *self._differences, *layout, strengths.roughness, strengths.ridge, curvature, n_outputs
        _map_threads(lambda group: factorise_blocks(*given, *group, factors), groups, design.n_threads)

        def apply(target: NDArray[np.float64]) -> NDArray[np.float64]:
            result = np.empty_like(target)
            result[own:] = target[own:] / np.maximum(curvature[own:], 1e-300)
            known = self._shapes, starts, *layout, factors, n_outputs
            _map_threads(lambda group: solve_blocks(*known, *group, target, result), groups, design.n_threads)
            return result

        return apply

    def _share_terms(self) -> list[tuple[int, int]]:
        """Ranges of terms of about equal work, a few per thread."""
        ends = self._band_starts[1:]
        parts = 4 * self.design.n_threads if self.design.n_threads > 1 and len(self.design) > 100_000 else 1
        cuts = np.searchsorted(ends, ends[-1] * np.arange(1, parts) / parts) + 1 if len(ends) else np.empty(0)
        edges = np.unique(np.concatenate([[0], cuts, [len(self._shapes)]])).astype(np.int64).tolist()
        return list(pairwise(edges))

    def learn(
        self,
        vector: NDArray[np.float64],
        strengths: TermStrengths,
        curvature: NDArray[np.float64],
        noise: float,
        information: float,
    ) -> tuple[TermStrengths, NDArray[np.float64]]:
        """Strengths after one step of empirical Bayes, and the degrees of freedom that each term uses.

        This is the generalised Fellner–Schall update (Wood & Fasiolo 2017, Eq. 4), ``λ' = λ φ (tr S⁻Q - tr (H + S)⁻¹Q) /
        cᵀQc``. The information H of a term is approximated: it is summed at the nodes, and taken to be spread evenly over the
        eigenvectors of the prior.

        Parameters
        ----------
        vector : ndarray of shape (size,), float64
            Tables fitted under ``strengths``.
        curvature : ndarray of shape (size,), float64
            Curvature of the likelihood, summed at the nodes.
        noise : float
            Dispersion φ.
        information : float
            Mean curvature of a row, the unit of the strengths' bounds.
        """
        n_outputs, starts = self.design.n_outputs, self.design.starts
        ones = np.ones(len(self.spectra))
        bends = vector * self.multiply(vector, TermStrengths(ones, 0.0 * ones))
        roughness, ridge = strengths.roughness.copy(), strengths.ridge.copy()
        freedom = np.zeros(len(ridge))
        for term, spectrum in enumerate(self.spectra):
            own = slice(starts[term], starts[term + 1])
            prior = roughness[term] * spectrum + ridge[term]
            lost = _compute_posterior(curvature[own], prior)
            gained = n_outputs / prior - lost
            freedom[term] = gained @ prior
            bend = max(float(bends[own].sum()), 0.0)
            if bend > 0.0:
                roughness[term] *= _speed_up(noise * (spectrum @ gained) / bend)
            size = float(vector[own] @ vector[own])
            ridge[term] *= _speed_up(noise * gained.sum() / size if size > 0.0 else np.inf)
        low, high = information * _BOUNDS[0], information * _BOUNDS[1]
        return TermStrengths(np.clip(roughness, low, high), np.clip(ridge, low, high)), freedom


def _speed_up(factor: float) -> float:
    """Squared factor of a fixed-point step, bounded: plain steps converge slowly where a function is nearly linear or zero."""
    return float(np.clip(factor, 0.03, 30.0))


def _compute_posterior(curvature: NDArray[np.float64], prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Posterior variances along the eigenvectors of the prior, summed over outputs, shape (n_nodes,)."""
    groups = np.array_split(np.sort(curvature), min(_GROUPS, len(curvature)))
    information = np.array([group.mean() for group in groups])
    share = np.array([len(group) for group in groups]) / len(prior)  # sums to n_outputs
    return np.asarray(share @ (1.0 / (information[:, None] + prior)))


def _find_bends(axis: Axis) -> NDArray[np.float64]:
    """Coefficients of the second differences along an axis, shape (n_curve_nodes - 2, 3); none for levels without order."""
    n_curve = axis.expansion.shape[1]
    if not axis.roughness or n_curve + axis.basis.n_repeated < 3:
        return np.empty((0, 3))
    places = np.arange(n_curve + axis.basis.n_repeated - 2)
    bends = axis.roughness[2][places[:, None], (places[:, None] + np.arange(3)) % n_curve]
    if n_curve == 2:  # of a period of two nodes, that before a node is that after it: both coefficients were summed
        bends[:, [0, 2]] /= 2
    return np.asarray(bends * np.sqrt(6.0 * len(bends) / (bends**2).sum()))


def _compute_spectrum(bends: NDArray[np.float64], axis: Axis) -> NDArray[np.float64]:
    """Eigenvalues of ``DᵀD`` on an axis; zero for nodes without neighbours."""
    values = np.zeros(axis.basis.n_functions)
    if len(bends):
        n_curve = len(bends) + 2
        differences = np.zeros((len(bends), n_curve))
        places = np.arange(len(bends))
        differences[places[:, None], places[:, None] + np.arange(3)] = bends
        if axis.basis.n_repeated:
            free = axis.expansion[-n_curve:]
            differences = differences @ (free / np.linalg.norm(free, axis=0))
        n_free = differences.shape[1]
        values[len(values) - n_curve :][:n_free] = np.maximum(np.linalg.eigvalsh(differences.T @ differences), 0.0)
        values[len(values) - n_curve + n_free :] = _TIED
    return values


def _map_threads(run: Callable[[tuple[int, int]], Any], groups: list[tuple[int, int]], n_threads: int) -> None:
    if len(groups) == 1:
        run(groups[0])
        return
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(run, groups))
