"""Components of one and two players of a marginal game, each estimated by its own regression.

A sampled coalition costs as many model calls as there are reference rows, and its equations join all unknowns in one system.
Small coalitions avoid both. For a row x and a *single* reference b, the pair's difference of differences

    ``m_ij(x, b) = f(x_ij, b) - f(x_i, b) - f(x_j, b) + f(b)``

does not depend on main effects or other pairs: where f has no interaction of three columns, it is a sum of
``c_kl (a_k(x_i) - a_k(b_i)) (a_l(x_j) - a_l(b_j))``. So every pair is regressed on such products alone, at any resolution, over
draws of x and b (for a model of order two this regression has no noise). The part of ``f(x_i, b) - f(b)`` that the pairs do not
explain is regressed on ``a_k(x_i) - a_k(b_i)``. As the functions have mean zero on the references, averaging over b leaves
``a_k a_l`` for the pair, and constants.

On boosted trees of 30 columns this had a relative error of .27 where sampled equations had .33, with fewer calls; fitting the
remaining residual by sampled equations gave a larger error (.28).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from .._row_arrays import check_magnitude
from .._status import Status
from ..blackbox.value_functions import Game
from ..game.terms import ValueSet
from ..masked.candidate import Candidate, Judgement
from ..masked.design import ValueFunctions
from ..masked.fallback import Rival, choose_rival, measure_missed
from ..masked.penalties import AxisFunctions
from ..masked.search_limits import AXIS_LIMITS, LEVEL_LIMITS
from ..masked.strengths import Strengths
from ..model.additive_model import AdditiveModel
from ..table.bases import LearntColumn
from ..table.encoding import Encoded
from .anchored import compute_anchored_axis, make_anchored_functions
from .asked_rows import AskedRows
from .sample import MAX_CALLS

# Numbers of columns for which sampled equations can hold all pairs at the coarsest resolution only, while the budget of model
# calls still allows ten draws per pair.
MANY_COLUMNS = range(16, 301)
# From this number of references on, a coalition averaged over all of them costs more calls than the draws it replaces.
MANY_REFERENCES = 20
# Largest number of functions of a main effect: its whole basis.
MAIN_LIMIT = 64
# Largest product of ranks of a pair; a finer resolution had no smaller error (boosted trees).
RESOLUTION = 24
# Order of the penalised derivative by which functions are sorted.
_DERIVATIVE = 2
# Draws of a row and a reference: to rank pairs (with at most a quarter of all calls), and to fit the best pairs.
_RANKING_DRAWS = 300
MAX_DRAWS = 10_000
# Pairs kept per column: model calls grow with their number, and few pairs of a model matter.
_PAIRS_PER_COLUMN = 5
# Candidate ridges. Each is relative to the variance of one that each function has on the rows, not to its variance in the
# draws: a product that is only rounding in every draw would otherwise get an arbitrarily large coefficient. Infinity leaves
# the component out.
_RIDGES = (np.inf, 1e-1, 1e-2, 1e-3, 1e-8)
# One draw in this many is held out to choose the ridge.
_HELD_OUT = 5


@dataclass(frozen=True)
class ComponentFit:
    """A model of components and how it was chosen; has the fields that readers of a masked ``FitResult`` use."""

    model: AdditiveModel
    chosen: Judgement
    note: str = ""
    gradient: float = 0.0
    is_held_out: bool = True

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """The one judgement there is, as a tuple."""
        return (self.chosen,)

    @property
    def status(self) -> Status:
        """Status of the chosen model; its equations are solved by factorisation."""
        return self.chosen.status


@dataclass(frozen=True)
class _Draws:
    """Random pairs of a row and a reference, and the model's outputs at coalitions of one player.

    Attributes
    ----------
    game : Game
    positions : ndarray of shape (n_rows,), int64
        Positions of the used rows among the game's rows.
    places, references : ndarray of shape (n_draws,), int64
        Index of each draw into ``positions``, and into the references.
    singles : ndarray of shape (n_columns, n_draws, n_outputs), float64
        ``f(x_i, b) - f(b)``; zero for columns that do not vary.
    """

    game: Game
    positions: NDArray[np.int64]
    places: NDArray[np.int64]
    references: NDArray[np.int64]
    singles: NDArray[np.float64]

    @classmethod
    def ask(
        cls,
        game: Game,
        positions: NDArray[np.int64],
        places: NDArray[np.int64],
        references: NDArray[np.int64],
        n_columns: int,
        varying: Sequence[int],
    ) -> "_Draws":
        rows = positions[places]
        singles = np.zeros((n_columns, len(places), game.reference_outputs.shape[1]))
        for column in varying:
            singles[column] = _evaluate_gains(game, rows, references, (column,), n_columns)
        check_magnitude(singles.transpose(1, 0, 2), "the values of coalitions")
        return cls(game, positions, places, references, singles)

    def compute_pair(self, pair: ValueSet, n_draws: int | None = None) -> NDArray[np.float64]:
        """``m_ij`` of the first draws, shape (n_draws, n_outputs)."""
        rows, references = self.positions[self.places[:n_draws]], self.references[:n_draws]
        both = _evaluate_gains(self.game, rows, references, pair, len(self.singles))
        return both - self.singles[pair[0], :n_draws] - self.singles[pair[1], :n_draws]


@dataclass(frozen=True)
class _Regressions:
    """Regressions of the components, one after the other, on functions of the drawn rows and references.

    Attributes
    ----------
    functions : ValueFunctions
        Main effects, then pairs: products of axis functions, and the constant of each set.
    encoded, references : Encoded
    draws : _Draws
        Draws that index the rows and the references.
    """

    functions: ValueFunctions
    encoded: Encoded
    references: Encoded
    draws: _Draws

    def solve(self) -> list[NDArray[np.float64]]:
        """Coefficients of each value set's functions, shape (n_functions_of_set, n_outputs)."""
        left = self.draws.singles.copy()
        constants = np.zeros((len(left), left.shape[2]))
        found = [np.zeros((len(chosen), left.shape[2])) for chosen in self.functions.choices]
        for owner, values in reversed(list(enumerate(self.functions.value_sets))):
            n_axes = [len(self.functions.axes[len(values), column]) for column in values]
            n_constants = (self.functions.choices[owner] == np.array(n_axes) - 1).sum(axis=1)
            is_free = n_constants == 0
            free = self.functions.choices[owner][is_free]
            if len(values) == 2:
                found[owner][is_free], mean = self._fit_pair((values[0], values[1]), free, left)
                found[owner][n_constants == 2] = mean
                constants[list(values)] -= mean
            else:
                at_rows, at_references, _ = self._values[1, values[0]]
                found[owner][is_free] = _regress((at_rows - at_references)[:, free[:, 0]], left[values[0]])
                found[owner][n_constants == 1] = constants[values[0]]
        return found

    def _fit_pair(
        self, pair: tuple[int, int], chosen: NDArray[np.int64], left: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coefficients of a pair and its mean on the references; subtracts what it explains of single columns from ``left``."""
        (rows, others, means), (rows_too, others_too, means_too) = (
            tuple(values[:, chosen[:, axis]] for values in self._values[2, column]) for axis, column in enumerate(pair)
        )
        coefficients = _regress((rows - others) * (rows_too - others_too), self.draws.compute_pair(pair))
        left[pair[0]] -= ((rows - others) * others_too) @ coefficients
        left[pair[1]] -= (others * (rows_too - others_too)) @ coefficients
        return coefficients, (means * means_too).mean(axis=0) @ coefficients

    @cached_property
    def _values(self) -> dict[tuple[int, int], tuple[NDArray[np.float64], ...]]:
        """Values of the axis functions on the drawn rows, on the drawn references, and on every reference once."""
        found: dict[tuple[int, int], tuple[NDArray[np.float64], ...]] = {}
        for (size, column), axis in self.functions.axes.items():
            cells, offsets = self.encoded.cells[self.draws.places, column], self.encoded.offsets[self.draws.places, column]
            at_rows = axis.basis.combine(cells, offsets, axis.coefficients)
            at_references = axis.basis.combine(*_pick(self.references, column), axis.coefficients)
            found[size, column] = at_rows, at_references[self.draws.references], at_references
        return found


def fit_components(
    game: Game,
    rows: AskedRows,
    references: Encoded,
    columns: tuple[LearntColumn, ...],
    varying: Sequence[int],
    rng: np.random.Generator,
) -> ComponentFit:
    """Fit main effects and the strongest pairs of a game of hybrid rows in which every column is a player.

    A hybrid row has the values of a row in the present columns and those of a reference in the others.

    Parameters
    ----------
    game : Game
    rows : AskedRows
        The game's rows to use, in the order of the fit; their values of the full coalition only choose among the models.
    references : Encoded
    columns : tuple of LearntColumn
    varying : sequence of int
        Columns that have components, in increasing order.
    rng : Generator
    """
    encoded, full, weights = rows.encoded, rows.full, rows.weights
    pairs: list[ValueSet] = list(combinations(varying, 2))
    n_ranking, n_kept, n_draws = _share_out_calls(len(varying), len(pairs))
    places = rng.choice(len(rows.places), n_draws, p=weights / weights.sum())
    draws = _Draws.ask(game, rows.places, places, rng.integers(0, game.n_references, n_draws), len(columns), varying)
    scales = np.maximum(full.var(axis=0), 1e-300)
    strengths = np.array([(draws.compute_pair(pair, n_ranking) ** 2 / scales).sum() for pair in pairs])
    kept = sorted(pairs[place] for place in np.argsort(-strengths, kind="stable")[:n_kept])
    axes = {
        (size, column): _learn_axis(size, column, columns, encoded, weights, references)
        for column in varying
        for size in (1, 2)
    }
    functions = make_anchored_functions([*((column,) for column in varying), *kept], axes, RESOLUTION)
    base_value = game.reference_outputs.mean(axis=0)
    models, rivals = [], []
    for name, size in (("chosen terms of order 2", 2), ("main effects", 1), ("base value", 0)):
        part = functions.select(functions.sizes <= size)
        model = _make_model(_Regressions(part, encoded, references, draws), columns, base_value)
        missed = measure_missed(full, model.predict(encoded), weights)
        candidate = Candidate(max(size, 1), max(size, 1), {2: RESOLUTION}, (0, 0, 0))
        models.append((model, Judgement(candidate, Strengths(), float("inf"), missed, len(part))))
        rivals.append(Rival(name, missed, missed / full.shape[1]))
    place, note = choose_rival(rivals)
    return ComponentFit(*models[place], note)


def _make_model(
    regressions: _Regressions, columns: tuple[LearntColumn, ...], base_value: NDArray[np.float64]
) -> AdditiveModel:
    functions, coefficients = regressions.functions, regressions.solve()
    return AdditiveModel(
        tuple(column.encoder.bases for column in columns),
        functions.value_sets,
        tuple((values,) for values in functions.value_sets),
        tuple(functions.expand(owner, each) for owner, each in enumerate(coefficients)),
        tuple(np.eye(len(base_value))[:, None, :] for _ in coefficients),
        base_value,
        len(columns),
    )


def _share_out_calls(n_columns: int, n_pairs: int) -> tuple[int, int, int]:
    """Number of draws to rank pairs, number of pairs to keep, and number of draws to fit them."""
    n_ranking = max(min(_RANKING_DRAWS, MAX_CALLS // (4 * n_pairs)), 1)
    n_kept = min(_PAIRS_PER_COLUMN * n_columns, n_pairs)
    n_draws = (MAX_CALLS - n_ranking * n_pairs) // (n_columns + n_kept)
    return n_ranking, n_kept, max(min(n_draws, MAX_DRAWS), n_ranking)


def _evaluate_gains(
    game: Game, rows: NDArray[np.int64], references: NDArray[np.int64], present: ValueSet, n_columns: int
) -> NDArray[np.float64]:
    """``f(x_present, b) - f(b)`` for each row with its reference, shape (n_draws, n_outputs)."""
    masks = np.zeros((len(rows), n_columns), dtype=bool)
    masks[:, list(present)] = True
    return np.asarray(game.evaluate_one(rows, references, masks) - game.reference_outputs[references])


def _learn_axis(
    size: int,
    column: int,
    columns: tuple[LearntColumn, ...],
    encoded: Encoded,
    weights: NDArray[np.float64],
    references: Encoded,
) -> AxisFunctions:
    axis = columns[column].axes[size - 1]
    limit = (MAIN_LIMIT, AXIS_LIMITS[1])[size - 1] if axis.roughness else LEVEL_LIMITS[size - 1]
    return compute_anchored_axis(axis, _pick(encoded, column), weights, _pick(references, column), _DERIVATIVE, limit)


def _regress(design: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ridge regression on all draws with the ridge of least held-out error; shape (n_functions, n_outputs)."""
    held_out = np.arange(len(design)) % _HELD_OUT == 0
    parts = [_compute_moments(design[each], target[each]) for each in (~held_out, held_out)]
    trials = []
    for ridge in _RIDGES:
        found = _solve(*parts[0], ridge, int((~held_out).sum()))
        trials.append(float(((target[held_out] - design[held_out] @ found) ** 2).sum()))
    gram, cross = (one + other for one, other in zip(*parts, strict=True))
    return _solve(gram, cross, _RIDGES[int(np.argmin(trials))], len(design))


def _compute_moments(
    design: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return design.T @ design, design.T @ target


def _solve(gram: NDArray[np.float64], cross: NDArray[np.float64], ridge: float, n_draws: int) -> NDArray[np.float64]:
    """Ridge solution; functions that are constant over the draws up to rounding get coefficients near zero."""
    if not np.isfinite(ridge):
        return np.zeros_like(cross)
    return np.asarray(solve(gram + ridge * n_draws * np.eye(len(gram)), cross, assume_a="pos"))


def _pick(encoded: Encoded, column: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    return encoded.cells[:, column], encoded.offsets[:, column]
