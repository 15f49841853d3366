"""Value functions that call the model: absent features have values of background rows, of one row, or your own definition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._alignment import align_outputs, get_index, order_outputs, read_columns
from .._errors import ModelOutputError
from .._row_arrays import check_outputs
from .hybrid import Mixer, Positions, make_mixer, take_rows
from .model import BlackBox

# The most hybrid rows, and entries of them (32 MB of float64), that are made at once.
BATCH_ROWS = 65_536
_BATCH_ENTRIES = 2**22


class Game(Protocol):
    """A value function on a table: ``F(x; S)`` for its rows, and any coalition of players."""

    @property
    def n_references(self) -> int:
        """Number of reference rows, whose games are averaged: each coalition of a row needs so many hybrid rows."""

    @property
    def reference_outputs(self) -> NDArray[np.float64]:
        """Value of the empty coalition by reference, shape (n_references, n_outputs).

        Their mean is ``F(x; ∅)``, the same for every row.
        """

    @property
    def output_names(self) -> tuple[str, ...]:
        """Empty if outputs have no names."""

    @property
    def output_transform(self) -> str:
        """Meaning and scale of the outputs."""

    def get_references(self) -> Any:
        """The reference rows as a table in the user's container; None if there are none."""

    def evaluate_full(self) -> NDArray[np.float64]:
        """``F(x; all)`` of every row, shape (n_rows, n_outputs)."""

    def evaluate(self, rows: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """``F(x_rows[k]; masks[k])``, shape (n_coalitions, n_outputs).

        Parameters
        ----------
        rows : ndarray of shape (n_coalitions,), int64
        masks : ndarray of shape (n_coalitions, n_players), bool
            True = present.
        """

    def evaluate_one(self, rows: Positions, references: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """As :meth:`evaluate`, but with one reference row for each coalition instead of the mean over all."""


@dataclass(frozen=True)
class ScaledGame:
    """A game with outputs in a unit: those of ``whole``, divided by it; see :class:`Game`."""

    whole: Game
    unit: float

    @property
    def n_references(self) -> int:
        return self.whole.n_references

    @property
    def reference_outputs(self) -> NDArray[np.float64]:
        """See :class:`Game`."""
        return self.whole.reference_outputs / self.unit

    @property
    def output_names(self) -> tuple[str, ...]:
        return self.whole.output_names

    @property
    def output_transform(self) -> str:
        return self.whole.output_transform

    def get_references(self) -> Any:
        """See :class:`Game`."""
        return self.whole.get_references()

    def evaluate_full(self) -> NDArray[np.float64]:
        """See :class:`Game`."""
        return self.whole.evaluate_full() / self.unit

    def evaluate(self, rows: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """See :class:`Game`."""
        return self.whole.evaluate(rows, masks) / self.unit

    def evaluate_one(self, rows: Positions, references: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """See :class:`Game`."""
        return self.whole.evaluate_one(rows, references, masks) / self.unit


@dataclass(frozen=True, repr=False)
class Marginal:
    """The marginal game: absent columns have the values of background rows, whatever the present ones are.

    ``F(x; S) = mean over background rows b of f(x_S, b_{-S})``  (shap's "interventional")

    Parameters
    ----------
    background : table like the explained rows, or array of shape (n_background, n_columns)
        A hundred rows are usual; the model is called on ``n_background`` hybrid rows for each coalition of a row.

    Examples
    --------
    >>> import numpy as np
    >>> from instashap import Explainer, Marginal
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> explainer = Explainer(lambda X: X[:, 0] * X[:, 1], value_function=Marginal(X[:50])).fit(X)
    >>> explainer(X).game
    'marginal, 50 background rows'
    """

    background: Any

    def bind(self, box: BlackBox, X: Any, names: Sequence[str] | None, players: Sequence[int]) -> Game:
        """The game on rows of a table; ``names`` are the columns of the fit, None if it knew none."""
        return HybridGame(box, make_mixer(X, self.background, names, len(players), "background"), np.array(players))

    def __str__(self) -> str:
        n_rows = len(self.background)
        return f"marginal, {n_rows} background row{'s' if n_rows > 1 else ''}"


@dataclass(frozen=True, repr=False)
class Baseline:
    """The baseline game: absent columns have the values of one row, ``F(x; S) = f(x_S, b_{-S})``.

    Parameters
    ----------
    row : array of shape (n_columns,), pandas Series, dict by column, or table of one row
        The row b with which explained rows are compared.
    """

    row: Any

    def bind(self, box: BlackBox, X: Any, names: Sequence[str] | None, players: Sequence[int]) -> Game:
        """The game on rows of a table; ``names`` are the columns of the fit, None if it knew none."""
        mixer = make_mixer(X, self.row, names, len(players), "baseline")
        if mixer.n_references != 1:
            raise ValueError(f"a baseline is one row, got {mixer.n_references}; use Marginal(background) for several")
        return HybridGame(box, mixer, np.array(players))

    def __str__(self) -> str:
        return "baseline, one row"


@dataclass(frozen=True)
class MixedGame:
    """What games have in common that ask a model about rows mixed from several; see :class:`Game`.

    Attributes
    ----------
    box : BlackBox
    mixer : Mixer
    players : ndarray of shape (n_columns,), int64
        Player of each column: the columns of a group are replaced together.
    """

    box: BlackBox
    mixer: Mixer
    players: NDArray[np.int64]

    @property
    def output_names(self) -> tuple[str, ...]:
        return self.box.output_names

    @property
    def output_transform(self) -> str:
        return self.box.description

    def evaluate_full(self) -> NDArray[np.float64]:
        """See :class:`Game`."""
        rows = np.arange(self.mixer.n_rows)
        return self.evaluate_one(rows, np.zeros_like(rows), np.ones((len(rows), self.players.max() + 1), dtype=bool))

    def evaluate_one(self, rows: Positions, references: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """See :class:`Game`."""
        raise NotImplementedError


@dataclass(frozen=True)
class HybridGame(MixedGame):
    """A game of hybrid rows: present columns from the row, absent ones from reference rows, outputs averaged over these.

    Attributes
    ----------
    reference_outputs : ndarray of shape (n_references, n_outputs), float64
    """

    @cached_property
    def reference_outputs(self) -> NDArray[np.float64]:
        """See :class:`Game`."""
        return self.box.predict(self.get_references(), self.n_references)

    def get_references(self) -> Any:
        """See :class:`Game`."""
        nobody = np.zeros((self.n_references, len(self.players)), dtype=bool)
        return self.mixer.mix(np.zeros(self.n_references, dtype=np.int64), np.arange(self.n_references), nobody)

    @property
    def n_references(self) -> int:
        return self.mixer.n_references

    def evaluate(self, rows: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """See :class:`Game`."""
        sums = np.zeros((len(rows), self.reference_outputs.shape[1]))
        for part in self._iterate(len(rows) * self.n_references):
            coalitions, references = np.divmod(part, self.n_references)
            np.add.at(sums, coalitions, self._predict(rows[coalitions], references, masks[coalitions]))
        return sums / self.n_references

    def evaluate_one(self, rows: Positions, references: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """See :class:`Game`."""
        parts = [self._predict(rows[part], references[part], masks[part]) for part in self._iterate(len(rows))]
        return np.concatenate(parts)

    def _iterate(self, n: int) -> Iterator[Positions]:
        step = max(min(BATCH_ROWS, _BATCH_ENTRIES // len(self.players)), 1)
        for start in range(0, n, step):
            yield np.arange(start, min(start + step, n))

    def _predict(self, rows: Positions, references: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        return self.box.predict(self.mixer.mix(rows, references, masks[:, self.players]), len(rows))


@dataclass(frozen=True)
class CalledGame:
    """A game given by a function of rows and masks.

    Attributes
    ----------
    function : callable
        ``F(X, masks)`` with rows in the user's container, masks bool of shape (n_rows, n_players), True = present; returns
        an array of shape (n_rows,) or (n_rows, n_outputs).
    X : table
    n_rows, n_players : int
    """

    function: Callable[[Any, NDArray[np.bool_]], Any]
    X: Any
    n_rows: int
    n_players: int
    n_references: int = 1

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        """See :class:`Game`."""
        first = take_rows(self.X, np.zeros(1, dtype=np.int64))
        return read_columns(self._ask(first, np.zeros((1, self.n_players), dtype=bool)))

    @cached_property
    def reference_outputs(self) -> NDArray[np.float64]:
        """Value of the empty coalition, computed for the first row: it is the same for all rows, as no feature is known."""
        return self.evaluate(np.zeros(1, dtype=np.int64), np.zeros((1, self.n_players), dtype=bool))

    def get_references(self) -> None:
        """There are no reference rows."""

    @property
    def output_transform(self) -> str:
        return f"value of {describe_function(self.function)}"

    def evaluate_full(self) -> NDArray[np.float64]:
        """See :class:`Game`."""
        return self.evaluate(np.arange(self.n_rows), np.ones((self.n_rows, self.n_players), dtype=bool))

    def evaluate(self, rows: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """See :class:`Game`."""
        parts = [slice(start, start + BATCH_ROWS) for start in range(0, len(rows), BATCH_ROWS)]
        return np.concatenate([self._call(rows[part], masks[part]) for part in parts])

    def evaluate_one(self, rows: Positions, references: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """See :class:`Game`."""
        return self.evaluate(rows, masks)

    def _call(self, rows: Positions, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        given = take_rows(self.X, rows)
        values = self._ask(given, masks)
        return check_outputs(order_outputs(values, self.output_names, self._source), len(rows), self._source)

    def _ask(self, given: Any, masks: NDArray[np.bool_]) -> Any:
        try:
            values = self.function(given, masks)
        except Exception as error:
            raise ModelOutputError(f"{self._source} raised {type(error).__name__}: {error}") from error
        return align_outputs(values, get_index(given), self._source)

    @property
    def _source(self) -> str:
        return f"the value function {describe_function(self.function)}"


def describe_function(function: Any) -> str:
    """Name of a function, or of the class of a callable object."""
    return str(getattr(function, "__name__", type(function).__name__))
