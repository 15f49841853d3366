"""New rows added to a fit, old ones forgotten, fits of several places merged: all by sums over rows at one plan."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._alignment import align_rows, get_index
from .._errors import FileFormatError, FitWarning, NotFittedError, warn_caller
from .._progress import show_rows
from .._row_arrays import check_magnitude, check_weights
from ..blackbox.held_model import HeldModel
from ..fits.conditional import get_plan, get_sums, solve_game
from ..fits.summing import choose_columns, sum_source
from ..fitted.file import load_fitted, write_fitted
from ..fitted.game import Answers, FittedGame, follow_recipe
from ..fitted.plan_file import identify_plan
from ..masked.plan import Plan
from ..masked.sums import RowSums, accumulate
from ..rows.opening import open_source
from ..rows.source import FrameSource
from ..table.columns import Schema, Table, read_table
from .answers import get_reach
from .model_outputs import ask_outputs


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over rows, from which a fit is solved: they add over rows, and subtract. :meth:`Explainer.accumulate` makes them.

    They hold the plan of their fit (columns, terms, presence sets) and, for the rows of each fold, the sums of products of the
    plan's functions and the outputs: no rows, but see "What moments disclose" in the documentation.

    Attributes
    ----------
    game : FittedGame
        The fit whose plan it is, without rows.
    sums : RowSums

    Examples
    --------
    >>> import instashap
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(600, 2))
    >>> first = instashap.Explainer().fit(X[:400], outputs=X[:400, 0] * X[:400, 1])
    >>> both = first.moments_ + first.accumulate(X[400:], outputs=X[400:, 0] * X[400:, 1])
    >>> both
    Moments of 600 rows: 2 features, 1 output
    >>> first.refit(both).shap_values(X).shape
    (600, 2)
    """

    game: FittedGame = field(repr=False)
    sums: RowSums

    def __add__(self, other: Moments) -> Moments:
        """Moments of both parts' rows together."""
        if not isinstance(other, Moments):
            return NotImplemented
        check_alike(self, other)
        return replace(self, sums=self.sums + other.sums)

    def __radd__(self, other: int) -> Moments:
        """The moments themselves for 0, with which ``sum`` begins."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __sub__(self, other: Moments) -> Moments:
        """Moments of these rows without the other's, which must be among them."""
        if not isinstance(other, Moments):
            return NotImplemented
        check_alike(self, other)
        if other.n_rows > self.n_rows:
            raise ValueError(
                f"{other.n_rows:,} rows cannot be subtracted from {self.n_rows:,}: subtract only rows that were added before"
            )
        if not other.sums.are_within(self.sums):
            raise ValueError(
                f"the {other.n_rows:,} rows to subtract are not among these {self.n_rows:,}: some of their values are not, or "
                "not as often; subtract only rows that were added before, with the same weights and outputs"
            )
        return replace(self, sums=self.sums - other.sums)

    @property
    def n_rows(self) -> int:
        """Rows of positive weight."""
        return self.sums.n_rows

    @property
    def total_weight(self) -> float:
        """Weight of all rows."""
        return self.sums.total_weight

    @cached_property
    def plan_id(self) -> str:
        """Digest of the plan: moments add only where it is the same."""
        return identify_plan(get_plan(self.game))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the moments and their plan to one file (``.moments``); raises ``OSError`` if the folder cannot be written."""
        write_fitted(self.game, path, None, with_errors=False, sums=self.sums)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Moments:
        """Read what :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        FileFormatError
            If it is truncated, altered, from a newer version, or holds no moments.
        """
        game, _ = load_fitted(path)
        if game.answers.stored is None or "moments" not in game.answers.stored[0]:
            raise FileFormatError(f"{Path(path)} holds no moments; write them with explainer.accumulate(X).save(path)")
        get_plan(game)
        sums = game.answers.sums
        assert sums is not None
        return cls(_without_rows(game), sums)

    def __repr__(self) -> str:
        n_features, n_outputs = len(self.game.feature_names), len(self.game.output_names)
        plural = "s" if n_outputs > 1 else ""
        return f"Moments of {self.n_rows:,} rows: {n_features} features, {n_outputs} output{plural}"


def check_alike(one: Moments, other: Moments) -> None:
    """Raise ``ValueError`` unless two moments were summed at one plan, with the first difference that is found."""
    mine, theirs = one.game, other.game
    if mine.schema.names != theirs.schema.names:
        differing = sorted(set(mine.schema.names) ^ set(theirs.schema.names)) or list(theirs.schema.names)
        raise ValueError(f"these moments are of other columns ({', '.join(map(repr, differing[:5]))}): {_ADVICE}")
    if mine.output_names != theirs.output_names or mine.output_transform != theirs.output_transform:
        raise ValueError(
            f"these moments are of other outputs, {list(theirs.output_names)} ({theirs.output_transform}), not "
            f"{list(mine.output_names)} ({mine.output_transform}): {_ADVICE}"
        )
    if one.plan_id != other.plan_id:
        raise ValueError(f"these moments were summed at another plan, the one of another fit: {_ADVICE}")


_ADVICE = "fit once, save that explainer, load it wherever there are rows, and call its accumulate(X)"


def make_moments(fitted: FittedGame, sums: RowSums) -> Moments:
    """Moments of some sums at the plan of a fit."""
    return Moments(_without_rows(fitted), sums)


def find_plan(fitted: FittedGame) -> Plan | None:
    """The plan of a fit; None where it is of a kind that has none."""
    try:
        return get_plan(fitted)
    except NotFittedError:
        return None


def sum_rows(fitted: FittedGame, X: Any, held: HeldModel, outputs: Any, sample_weight: Any) -> Moments:
    """Moments of new rows at the plan of a fit; see :meth:`instashap.Explainer.accumulate`."""
    plan, source = get_plan(fitted), open_source(X, outputs, sample_weight)
    if source is not None:
        return _sum_source(fitted, source, held)
    table = fitted.read(X)
    weights = check_weights(align_rows(sample_weight, get_index(X), "sample_weight"), table.n_rows)
    values = ask_outputs(fitted, X, held, outputs, table.n_rows) / fitted.output_unit
    check_magnitude(values, "outputs")
    return Moments(_without_rows(fitted), accumulate(plan, table, values, weights))


def _sum_source(fitted: FittedGame, source: FrameSource, held: HeldModel) -> Moments:
    """Moments of the rows of a source, read block by block."""
    choose_columns(fitted, source)
    source.order_outputs(fitted.output_names)

    def read(rows: Any, schema: Schema | None) -> Table:
        return read_table(follow_recipe(fitted.recipe, rows), schema)

    def ask(rows: Any, n_rows: int) -> NDArray[np.float64]:
        return ask_outputs(fitted, rows, held, None, n_rows)

    scale, n_rows = source.measure_weight_scale(), source.count() if held.verbose else None
    with show_rows(held.verbose, "sums", n_rows) as advance:
        sums = sum_source(get_plan(fitted), source, read, ask, scale, fitted.output_unit, advance)
    return Moments(_without_rows(fitted), sums)


def get_moments(fitted: FittedGame) -> Moments:
    """Moments of the rows of a fit; raises ``NotFittedError`` where they are gone."""
    return Moments(_without_rows(fitted), get_sums(fitted))


def refit(fitted: FittedGame, moments: Moments) -> FittedGame:
    """The game of the rows behind some moments; raises ``ValueError`` if these were summed at another plan."""
    if not isinstance(moments, Moments):
        raise TypeError(f"refit needs instashap.Moments, as accumulate(X) returns, got a {type(moments).__name__}")
    own = _without_rows(fitted)
    check_alike(Moments(own, moments.sums), moments)
    share = fitted.facts.get("synthetic", {}).get("share", 0.0)
    if share:
        warn_caller(
            f"synthetic rows have a share of {share:.0%} in this fit, and moments are of rows alone: the new explainer is "
            "solved without them; fit with synthetic_rows=0 what is to be updated",
            FitWarning,
        )
    limit = fitted.facts.get("tail_limit")
    if limit is not None:
        warn_caller(
            f"rows farther than {limit:.3g} mean distances from the middle of the table count less in this fit, and in moments "
            "all rows count alike: Shapley values of the new explainer may be worse; fit(X) on all rows keeps them",
            FitWarning,
        )
    return solve_game(own, moments.sums)


def merge_files(paths: list[Path], forgotten: list[Path]) -> FittedGame:
    """The game of the rows of some files of moments, without those of others."""
    total, *others = map(Moments.load, paths)
    for other in others:
        total = total + other
    for path in forgotten:
        total = total - Moments.load(path)
    return solve_game(total.game, total.sums)


def _without_rows(fitted: FittedGame) -> FittedGame:
    """A fit without its rows and what was computed from them, but for its plan and where its rows lay."""
    plan = get_plan(fitted)
    return replace(fitted, record=None, rows=None, answers=Answers(reach=get_reach(fitted), plan=plan))
