"""Games fitted to what changes between cohorts or models, and lines of their mean values, with the errors of both."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import FitWarning, TooLargeError
from .._progress import show_progress
from .._validation import check_groups, find_column
from ..fits.conditional import fit_game
from ..fits.prepare import FitOptions
from ..fitted.game import FittedGame
from ..game.asymmetric import Asymmetric
from ..game.credits import Index
from ..game.shapley import Shapley
from ..inference.uncertainty import compute_deviations
from ..model.deviations import Deviations, ErrorLookup
from ..table.encoding import Encoded
from ..table.row_hash import hash_table_rows
from .change_lines import ChangeLine, RowGroups, Side, add_lines, deal_rows, find_fit_floor, find_floor
from .change_rows import CohortRows

# Lines that are no feature's: the part that all rows have in common, and what the additive game does not reproduce.
EVERYWHERE, REST = "(every row alike)", "(not reproduced)"
# The most rows of a side from which the fit's own errors are averaged.
_ERROR_ROWS = 4_000
# The presence order of a fit without a linear part.
_PLAIN_ORDER = 3


@dataclass(frozen=True)
class ChangeFit:
    """Rows and options of the fits.

    Attributes
    ----------
    rows : CohortRows
    options : FitOptions
    verbose : int
    given : features that come first in order
    """

    rows: CohortRows
    options: FitOptions
    verbose: int
    given: Any

    def fit(self, values: NDArray[np.float64], scale: str) -> ChangeGame:
        """The game of outputs of shape (n_rows,), with the deviations that its errors are made of."""
        fitted = self._fit(values, scale, self.options)
        index = choose_index(self.given, fitted)
        if fitted.model.linear is not None and isinstance(index, Asymmetric):
            # Errors of a linear part are known for Shapley values alone.
            fitted = self._fit(values, scale, replace(self.options, presence_order=_PLAIN_ORDER))
        return ChangeGame(fitted, values, self.rows, self.groups, index, _find_deviations(fitted, self.groups))

    def _fit(self, values: NDArray[np.float64], scale: str, options: FitOptions) -> FittedGame:
        rows = self.rows
        with show_progress(self.verbose) as progress, warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)  # the report states the held-out R²
            named: Any = {"output_names": ("output",), "output_transform": scale}
            return fit_game(rows.table, values[:, None], rows.weights, options, **named, progress=progress)

    def name_given(self) -> tuple[str, ...]:
        """Names of the features that come first; raises ``ValueError`` for an unknown one."""
        names, _ = check_groups(self.options.groups, self.rows.table.schema.names)
        given = [self.given] if isinstance(self.given, str) else self.given
        return tuple(names[find_column(each, names, "given")] for each in given)

    @cached_property
    def groups(self) -> RowGroups:
        """Groups of rows, the same for all games of a report."""
        return deal_rows(hash_table_rows(self.rows.table), self.rows.cohorts, self.rows.weights, self.rows.copies)


def choose_index(given: Any, fitted: FittedGame) -> Index:
    """The rule that shares out components: Shapley's, or that of orders in which the given features come first."""
    names = fitted.feature_names
    first = {find_column(each, names, "given") for each in ([given] if isinstance(given, str) else given)}
    if len(first) == len(names):
        raise ValueError("given= names every feature, so that none is left to be explained; name the legitimate ones only")
    rest = sorted(set(range(len(names))) - first)
    return Asymmetric((tuple(sorted(first)), tuple(rest))) if first else Shapley()


def _find_deviations(fitted: FittedGame, groups: RowGroups) -> Deviations | None:
    """Deviations of the fit without each group of rows; None where they would take too much memory."""
    record = fitted.get_record("standard errors need")
    places = np.arange(len(record.weights)) if record.positions is None else record.positions
    found = (groups.find_rows(group, places) for group in range(groups.n_groups))
    folds = [(own, record.weights[own] * shares) for own, shares in found]
    try:
        return replace(compute_deviations(record, folds), model=fitted.model)
    except TooLargeError:
        return None


@dataclass(frozen=True)
class ChangeGame:
    """A fitted game, its values for all rows, and how to average them.

    Attributes
    ----------
    fitted : FittedGame
    outputs : ndarray of shape (n_rows,), float64
    rows : CohortRows
    groups : RowGroups
    index : Index
        How components are shared out.
    deviations : Deviations or None
    """

    fitted: FittedGame
    outputs: NDArray[np.float64]
    rows: CohortRows
    groups: RowGroups
    index: Index
    deviations: Deviations | None

    @property
    def names(self) -> tuple[str, ...]:
        return self.fitted.feature_names

    @property
    def held_fidelity(self) -> float | None:
        """R² to the outputs on held-out rows; None if none could be held out."""
        chosen = self.fitted.facts["chosen"]
        return chosen["fidelity"] if chosen["is_held_out"] else None

    def compute_values(self) -> NDArray[np.float64]:
        """Values of the features for all rows, shape (n_rows, n_features)."""
        return self.fitted.look_up(self.fitted.model.make_credits(self.index), self.rows.table)[:, :, 0]

    def compute_residuals(self) -> NDArray[np.float64]:
        """Outputs minus those of the additive model, shape (n_rows,)."""
        return self.outputs - self.fitted.predict(self.rows.table)[:, 0]

    def sum_lines(self, part: str, values: NDArray[np.float64], sides: Sequence[Side]) -> list[ChangeLine]:
        """A line for each feature: signed sums of its mean values over the sides."""
        sums, spreads = self.groups.compare(values, sides)
        spreads = spreads + self._average_errors(sides)
        floor = find_fit_floor(self.outputs)
        return [
            ChangeLine(part, name, float(each), spread, True, floor)
            for name, each, spread in zip(self.names, sums, spreads.T, strict=True)
        ]

    def sum_outputs(self, part: str, name: str, sides: Sequence[Side]) -> ChangeLine:
        """The same of the outputs themselves, which have no errors but those of the rows."""
        sums, spreads = self.groups.compare(self.outputs[:, None], sides)
        return ChangeLine(part, name, float(sums[0]), spreads[:, 0], False, find_floor(self.outputs))

    def add_rest(self, total: ChangeLine, lines: Sequence[ChangeLine], name: str = REST) -> list[ChangeLine]:
        """The lines, and what is left of the total."""
        known = add_lines(lines, total.part, name)
        rest = replace(known, value=total.value - known.value, deviations=total.deviations - known.deviations)
        return [*lines, rest]

    def make_error_lookup(self) -> ErrorLookup:
        """Look-up of the values' errors."""
        assert self.deviations is not None
        return self.deviations.make_credits(self.index)

    def encode(self, rows: NDArray[np.int64]) -> Encoded:
        """Some of the rows, as look-ups take them."""
        return self.fitted.encoder.encode(self.rows.table.take(rows))

    def _average_errors(self, sides: Sequence[Side]) -> NDArray[np.float64]:
        """Deviations of the fit in the sums over sides, shape (n_groups, n_features)."""
        total = np.zeros((self.groups.n_groups, len(self.names)))
        if self.deviations is None:
            return total
        lookup = self.make_error_lookup()
        for side in sides:
            rows, shares = take_some(side)
            encoded = self.encode(rows)
            total += side[0] * lookup.average(encoded, shares)[:, 0].T
        return total


def take_some(side: Side) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """At most 4 000 rows of a side, at equal distances, from which the fit's errors are averaged; with weights of sum 1."""
    _, rows, weights = side
    some = np.linspace(0, len(rows) - 1, min(len(rows), _ERROR_ROWS)).astype(np.int64)
    return rows[some], weights[some] / weights[some].sum()
