"""A fitted game: encoder, additive model and names, as explainers, estimators and files share them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._errors import ModelOutputError, NotFittedError
from .._threads import count_cores
from ..inference.residuals import ResidualReference
from ..model.additive_model import AdditiveModel
from ..model.deviations import Deviations, ErrorLookup
from ..model.lookup import Lookup
from ..model.replicates import ModelReplicates, ReplicateLookup
from ..table.bases import LearntColumn
from ..table.columns import Schema, Table, read_table
from ..table.containers import open_container
from ..table.encoding import BLOCK_ROWS, Encoded, TableEncoder
from ..table.reach import Reach
from ..table.recipe import Recipe
from .fit_kind import FitKind
from .packing import pack_tables

if TYPE_CHECKING:
    from ..masked.fitter import FitRecord
    from ..masked.plan import Plan
    from ..masked.sums import RowSums


_GONE = (
    "the rows of the fit, which stay in the process that fitted: this explainer was loaded, copied or refitted without them; "
    "call fit(X) again, with the options of the first fit"
)
# Phrase in files of earlier versions, which clipped the probabilities of every model alike.
_FORMER_CUT = "from probabilities clipped to [0.001, 0.999]"


@dataclass(frozen=True)
class GameRows:
    """Rows over whose distribution a game's conditional means were taken.

    Attributes
    ----------
    encoded : Encoded
    weights : ndarray of shape (n_rows,), float64
    columns : tuple of LearntColumn
    size_law : ndarray of shape (n_varying_players + 1,), float64
    replicate : callable or None
        Refits the game's model without each group of rows, for standard errors.
    """

    encoded: Encoded = field(repr=False)
    weights: NDArray[np.float64] = field(repr=False)
    columns: tuple[LearntColumn, ...] = field(repr=False)
    size_law: NDArray[np.float64]
    replicate: Callable[[], ModelReplicates] | None = field(repr=False, default=None, compare=False)


@dataclass
class Answers:
    """Answers about a fitted game that have been computed, or read from its file; None until then.

    Attributes
    ----------
    errors : Deviations, ModelReplicates or None
        Tables of standard errors; those of replicates stay in this process.
    residuals : ResidualReference or None
        Usual residuals of the model from the game.
    reach : Reach or None
        Region of the fitted rows.
    audit : object or None
        The trust report; as JSON after loading.
    plan : Plan or None
        At which rows are summed, of a fit in closed form.
    sums : RowSums or None
        Sums over the rows of the fit, where they were made; they stay in this process.
    stored : (dict, dict of str to ndarray) or None
        Plan and sums as a file holds them (:mod:`.plan_file`), until they are asked for.
    scales : Lookup or None
        Look-up of the effect of where a row lies on the log size of its residual.
    """

    errors: Deviations | ModelReplicates | None = None
    residuals: ResidualReference | None = None
    reach: Reach | None = None
    audit: Any = None
    plan: Plan | None = None
    sums: RowSums | None = None
    stored: tuple[dict[str, Any], dict[str, NDArray[Any]]] | None = None
    scales: Lookup | None = None


@dataclass(frozen=True)
class FittedGame:
    """All that an explanation needs, without the black box.

    Attributes
    ----------
    encoder : TableEncoder
    model : AdditiveModel
    feature_names : tuple of str
        Names of the players.
    players : tuple of int
        Player of each column.
    output_names : tuple of str
    output_transform : str
        The explained output and its scale.
    game : str
        Meaning of an absent feature, for example ``"conditional"``.
    facts : dict
        Figures of the fit, as JSON: order, presence order, cross-validated fidelity, candidates tried.
    record : FitRecord or None
        Rows and solution of the fit, for answers computed on demand; None after loading.
    rows : GameRows or None
        Rows alone, after a fit by likelihood or an edit; None after loading.
    recipe : Recipe or None
        Rules that convert text in the rows (dates, numbers with units) before they are encoded.
    kind : FitKind
        How the terms were fitted, which decides what can be computed beside the values.
    answers : Answers
        Answers computed so far; filled by :mod:`instashap.questions.answers`.
    """

    encoder: TableEncoder
    model: AdditiveModel
    feature_names: tuple[str, ...]
    players: tuple[int, ...]
    output_names: tuple[str, ...]
    output_transform: str
    game: str
    facts: dict[str, Any] = field(repr=False)
    record: FitRecord | None = field(repr=False, default=None, compare=False)
    rows: GameRows | None = field(repr=False, default=None, compare=False)
    recipe: Recipe | None = field(repr=False, default=None)
    kind: FitKind = field(repr=False, default=FitKind.EQUATIONS)
    answers: Answers = field(repr=False, default_factory=Answers, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """State without the rows of the fit, which neither files nor pickles contain."""
        errors = self.answers.errors if isinstance(self.answers.errors, Deviations) else None
        return {**self.__dict__, "record": None, "rows": None, "answers": replace(self.answers, sums=None, errors=errors)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def varying_names(self) -> tuple[str, ...]:
        """Names of the features that varied among the rows of the fit: its players."""
        null = self.model.null_players
        return tuple(name for player, name in enumerate(self.feature_names) if player not in null) or self.feature_names[:1]

    @property
    def schema(self) -> Schema:
        return self.encoder.schema

    @property
    def has_rows(self) -> bool:
        """Whether the rows of the fit are in memory."""
        return self.record is not None or self.rows is not None

    @property
    def is_exact(self) -> bool:
        """Whether the explained model is the additive model itself: a fit to labels, an edited fit, a reproduced model."""
        return self.game == "conditional" and (self.kind.is_exact or bool(self.facts.get("is_of_labels")))

    @property
    def scale(self) -> dict[str, Any] | None:
        """How log-odds were computed from the model's probabilities, for :meth:`BlackBox.restore`; None for other outputs."""
        if _FORMER_CUT in self.output_transform:
            return {"floors": [0.001], "share_cut": 0.0, "description": self.output_transform}
        return self.facts.get("scale")

    @property
    def output_unit(self) -> float:
        """What the rows of the fit hold outputs in units of: 1 but for outputs too large or small to be squared."""
        return float(self.facts.get("output_unit", 1.0))

    def restore_unit(self, unit: float) -> FittedGame:
        """The game of a fit to outputs in a unit as one of the outputs themselves; rows of the fit stay in the unit."""
        if unit == 1.0:
            return self
        return replace(self, model=self.model.scale(unit), facts={**self.facts, "output_unit": unit})

    def read(self, X: Any) -> Table:
        """A user's table as columns of the fitted kinds; raises ``ValueError`` for a category all of whose values are new."""
        table = read_table(follow_recipe(self.recipe, X), self.schema)
        self.encoder.check_levels(table)
        return table

    def check_n_outputs(self, outputs: NDArray[np.float64]) -> None:
        """Raise ``ModelOutputError`` unless outputs of shape (n_rows, n_outputs) are as many as were fitted."""
        if outputs.shape[1] != self.model.n_outputs:
            raise ModelOutputError(
                f"the model gives {outputs.shape[1]} outputs, the explainer was fitted on {self.model.n_outputs}: pass a model "
                "of the same outputs, or fit again"
            )

    def get_record(self, purpose: str) -> FitRecord:
        """Rows and solution of the fit; raises ``NotFittedError`` with the ``purpose`` where they are gone."""
        if self.record is None and (reason := self.kind.explain_missing(self.game)):
            raise NotFittedError(reason)
        if self.record is None:
            raise NotFittedError(f"{purpose} {_GONE}")
        return self.record

    def get_rows(self) -> FitRecord | GameRows:
        """Encoded rows of the fit, their weights and columns; raises ``NotFittedError`` where they are gone."""
        if self.rows is None and self.record is None:
            raise NotFittedError(f"changing a shape function, and errors or a ranking of a fit by likelihood, need {_GONE}")
        return self.rows or self.record  # type: ignore[return-value]

    def look_up(
        self, lookup: Lookup | ErrorLookup | ReplicateLookup, table: Table, n_jobs: int | None = None
    ) -> NDArray[np.float64]:
        """Sums of table entries for every row, shape (n_rows, n_slots, n_outputs).

        Rows are processed in fixed blocks, each by one thread, so the bits do not depend on ``n_jobs``.
        """
        n_threads = 1 if n_jobs is None and table.n_rows <= BLOCK_ROWS else count_threads(n_jobs)
        totals = np.zeros((table.n_rows, lookup.n_slots, lookup.n_outputs))
        if table.n_rows <= BLOCK_ROWS:
            return lookup.apply(self.encoder.encode(table), totals)

        def work(start: int) -> None:
            stop = min(start + BLOCK_ROWS, table.n_rows)
            lookup.apply(self.encoder.encode(table, start, stop), totals[start:stop])

        starts = range(0, table.n_rows, BLOCK_ROWS)
        if n_threads == 1:
            for start in starts:
                work(start)
            return totals
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(work, starts))
        return totals

    def compute_shapley_values(self, table: Table, n_jobs: int | None = None) -> NDArray[np.float64]:
        """Shapley values, shape (n_rows, n_players, n_outputs)."""
        return self.look_up(self.model.credits, table, n_jobs)

    def compute_effects(self, table: Table, n_jobs: int | None = None) -> NDArray[np.float64]:
        """Value of each shape function, shape (n_rows, n_terms, n_outputs)."""
        return self.look_up(self.model.effects, table, n_jobs)[:, : len(self.model.value_sets)]

    def predict(self, table: Table, n_jobs: int | None = None) -> NDArray[np.float64]:
        """Output at the full coalition, shape (n_rows, n_outputs)."""
        return self.model.base_value + self.look_up(self.model.prediction, table, n_jobs)[:, 0]

    def tables(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What scores a row, as plain facts (JSON) and arrays by name; see docs/export.md."""
        return pack_tables(self)

    def predict_masked(self, table: Table, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Output where only the features of ``masks``, shape (n_rows, n_players), are known; shape (n_rows, n_outputs)."""
        values = np.empty((table.n_rows, self.model.n_outputs))
        for start in range(0, table.n_rows, BLOCK_ROWS):
            block = slice(start, min(start + BLOCK_ROWS, table.n_rows))
            values[block] = self.model.predict(self.encoder.encode(table, block.start, block.stop), masks[block])
        return values

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the value sets, columns joined by ``" × "``."""
        return tuple(" × ".join(self.schema.names[column] for column in values) for values in self.model.value_sets)


def follow_recipe(recipe: Recipe | None, X: Any) -> Any:
    """The rows with their text converted by the recipe; unchanged without a recipe, or if columns have no names."""
    if recipe is None:
        return X
    opened = open_container(X)
    return recipe.apply(opened) if hasattr(opened, "columns") else X


def count_threads(n_jobs: Any) -> int:
    """Threads to use: None and -1 mean every core this process may run on."""
    if n_jobs is None:
        return count_cores()
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, (int, np.integer)) or n_jobs == 0:
        raise ValueError(f"n_jobs={n_jobs!r} is not a number of threads: pass 1 or more, or None or -1 for every core")
    return int(n_jobs) if n_jobs > 0 else max(count_cores() + 1 + int(n_jobs), 1)
