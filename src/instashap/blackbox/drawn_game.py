"""The conditional game by calls of the model: absent columns are drawn from an estimated distribution, given present ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import check_at_least, check_choice
from ..table.columns import Table, read_table
from .hybrid import Mixer, Positions, make_mixer
from .margins import learn_margins, score_table
from .model import BlackBox
from .samplers import KINDS, Sampler, learn_sampler
from .value_functions import BATCH_ROWS, Game, MixedGame


@dataclass(frozen=True, repr=False)
class Conditional:
    """The conditional game by calling the model: absent columns are drawn given the present ones.

    ``F(x; S) = E[f(x_S, X_{-S}) | X_S = x_S]`` under a distribution estimated from rows. Each absent column takes values that
    it has in these rows, so categories, whole numbers and missing values stay what they are. The values are only as right as
    the distribution: a Gaussian copula knows no dependence beyond correlations of ranks.

    Parameters
    ----------
    kind : {"copula", "gaussian", "mixture", "neighbours"}
        A Gaussian copula with the columns' own margins; a Gaussian on the columns' own scales (columns of few values as in the
        copula), which knows exact sums of columns; a mixture of Gaussians in the columns' normal scores; or the nearest
        rows in the known columns (Aas, Jullum and Løland 2021), without parameters.
    rows : table of shape (n_rows, n_columns), optional
        Rows from which the distribution is estimated; default: those of the fit.
    n_draws : int
        Draws for each coalition: the model is asked so many times.

    Examples
    --------
    >>> from instashap import Explainer
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=2000)
    >>> X = np.column_stack([x, x + 0.5 * rng.normal(size=2000)])
    >>> explainer = Explainer(lambda X: X[:, 0], order=1, value_function=Conditional("copula")).fit(X)
    >>> refined = explainer.refine(X[:3], n_coalitions=4)
    >>> refined.game
    'conditional, copula of 2000 rows, 64 draws'
    """

    kind: str = "copula"
    rows: Any = None
    n_draws: int = 64

    def __post_init__(self) -> None:
        check_choice(self.kind, KINDS, "kind")
        check_at_least(self.n_draws, 1, "n_draws", "the model is asked about whole rows")

    def with_rows(self, rows: Any) -> Conditional:
        """The same with rows to estimate from, if it has none."""
        return self if self.rows is not None else Conditional(self.kind, rows, self.n_draws)

    def bind(self, box: BlackBox, X: Any, names: Sequence[str] | None, players: Sequence[int]) -> Game:
        """The game on rows of a table; ``names`` are the columns of the fit, None if it knew none."""
        if self.rows is None:
            raise ValueError(
                f"Conditional({self.kind!r}) has no rows to estimate a distribution from: pass Conditional({self.kind!r}, rows)"
            )
        mixer = make_mixer(X, self.rows, names, len(players), "rows of Conditional")
        return _make_game(self, box, mixer, np.array(players))

    def __str__(self) -> str:
        rows = "" if self.rows is None else f" of {len(self.rows)} rows"
        return f"conditional, {self.kind}{rows}, {self.n_draws} draws"


def _make_game(value_function: Conditional, box: BlackBox, mixer: Mixer, players: NDArray[np.int64]) -> SampledGame:
    """Read both tables as the mixer gives them, ask the model about the rows of the distribution, and estimate it."""
    n_rows, n_references = mixer.n_rows, mixer.n_references
    nobody = np.zeros((n_references, len(players)), dtype=bool)
    references = mixer.mix(np.zeros(n_references, dtype=np.int64), np.arange(n_references), nobody)
    known = read_table(references)
    everybody = np.ones((n_rows, len(players)), dtype=bool)
    rows = mixer.mix(np.arange(n_rows), np.zeros(n_rows, dtype=np.int64), everybody)
    outputs = box.predict(references, n_references)
    own = read_table(rows, known.schema)
    return learn_game(value_function.kind, box, mixer, players, (known, own, outputs), value_function.n_draws)


def learn_game(
    kind: str,
    box: BlackBox,
    mixer: Mixer,
    players: NDArray[np.int64],
    tables: tuple[Table, Table, NDArray[np.float64]],
    n_draws: int,
) -> SampledGame:
    """The game of one kind of distribution.

    Parameters
    ----------
    kind : str
        One of :data:`.samplers.KINDS`.
    box : BlackBox
    mixer : Mixer
    players : ndarray of shape (n_columns,), int64
    tables : (Table, Table, ndarray of shape (n_references, n_outputs))
        The mixer's references, its rows, and the model's outputs for the references.
    n_draws : int
    """
    known, own, outputs = tables
    margins = learn_margins(known, outputs[:, 0], is_straight=kind == "gaussian")
    sampler = learn_sampler(kind, margins, score_table(margins, known))
    return SampledGame(box, mixer, players, sampler, score_table(margins, own), outputs.mean(axis=0), n_draws)


@dataclass(frozen=True)
class SampledGame(MixedGame):
    """A conditional game by draws; the same noise serves every row and coalition, so that differences have little of it.

    Attributes
    ----------
    sampler : Sampler
    scores : ndarray of shape (n_rows, n_columns), float64
        Normal scores of the explained rows.
    mean_outputs : ndarray of shape (n_outputs,), float64
        Of the rows of the distribution: the value of the empty coalition.
    n_references : int
        Draws.
    """

    sampler: Sampler
    scores: NDArray[np.float64]
    mean_outputs: NDArray[np.float64]
    n_references: int

    @cached_property
    def noise(self) -> NDArray[np.float64]:
        """Points that fill the unit cube evenly (Sobol, scrambled), shape (n_draws, n_columns + 1)."""
        from scipy.stats import qmc

        n_powers = int(np.ceil(np.log2(self.n_references)))
        points = qmc.Sobol(len(self.players) + 1, seed=0).random_base2(n_powers)[: self.n_references]
        return np.asarray(np.clip(points, 1e-9, 1 - 1e-9))

    @cached_property
    def reference_outputs(self) -> NDArray[np.float64]:
        """The value of the empty coalition is known, and the same for every draw; see :class:`Game`."""
        return np.tile(self.mean_outputs, (self.n_references, 1))

    def get_references(self) -> None:
        """Draws differ from coalition to coalition: there are no reference rows."""

    def evaluate(self, rows: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """See :class:`Game`."""
        sums = np.zeros((len(rows), len(self.mean_outputs)))
        for draw in range(self.n_references):
            sums += self.evaluate_one(rows, np.full(len(rows), draw), masks)
        return sums / self.n_references

    def evaluate_one(self, rows: Positions, references: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """See :class:`Game`."""
        values = np.tile(self.mean_outputs, (len(rows), 1))
        asked = np.flatnonzero(masks.any(axis=1))
        for start in range(0, len(asked), BATCH_ROWS):
            part = asked[start : start + BATCH_ROWS]
            values[part] = self.draw_outputs(rows[part], masks[part], self.noise[references[part]])
        return values

    def draw_outputs(
        self, rows: Positions, masks: NDArray[np.bool_], noise: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The model's outputs for rows whose absent columns are drawn once, shape (n_rows, n_outputs).

        Parameters
        ----------
        rows : ndarray of shape (n_rows,), int64
        masks : ndarray of shape (n_rows, n_players), bool
        noise : ndarray of shape (n_rows, n_columns + 1), float64
            See :class:`.samplers.Sampler`.
        """
        known = masks[:, self.players]
        drawn = self.sampler.draw(self.scores[rows], known, noise)
        return self.box.predict(self.mixer.mix(rows, drawn, known), len(rows))

