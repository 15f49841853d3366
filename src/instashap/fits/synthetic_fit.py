"""Where the model can be asked about rows that are not in the table: what a fit needs for synthetic rows, and what it says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import check_at_least, check_choice
from ..blackbox.hybrid import make_mixer
from ..blackbox.margins import learn_margins, score_table
from ..blackbox.model import BlackBox
from ..masked.fitter import FitResult
from ..masked.synthetic import SyntheticSource
from ..table.columns import Table
from ..table.encoding import Encoded

# Synthetic rows that the model is asked about by default, and where the table has many rows: of trees under a copula, 20 000
# rows, R² of Shapley values is .937 and .947, in 25 and 29 s.
N_ROWS, N_ROWS_OF_MANY = 18_432, 65_536
# Rows of a table that are many.
MANY_ROWS = 10_000
# Seconds of the model above which the rows are fewer, by factors of four; and the fewest rows that are worth asking about.
MAX_SECONDS = 10.0
MIN_ROWS = 1000
# Rows of a table from which synthetic ones add nothing.
MAX_TABLE_ROWS = 50_000


def choose_number(asked: int | str, n_rows: int, seconds: float) -> int:
    """How many synthetic rows to ask the model about at most.

    Parameters
    ----------
    asked : "auto" or int
    n_rows : int
        Of the table.
    seconds : float
        That the model takes for a row.
    """
    if not isinstance(asked, str):
        return check_at_least(asked, 0, "synthetic_rows", "0 asks the model about the rows of X alone")
    check_choice(asked, ("auto",), "synthetic_rows")
    number = N_ROWS if n_rows < MANY_ROWS else N_ROWS_OF_MANY
    number = number if n_rows <= MAX_TABLE_ROWS else 0
    while number >= MIN_ROWS and number * seconds > MAX_SECONDS:
        number //= 4
    return number if number >= MIN_ROWS else 0


@dataclass(frozen=True)
class Asking:
    """How a model is asked about rows that are not in the table.

    Attributes
    ----------
    ask : callable
        Positions of rows of a table, one a column, shape (n, n_columns), to the outputs of the rows made up of their values.
    n_most : int
        The most rows in all.
    """

    ask: Callable[[NDArray[np.int64]], NDArray[np.float64]]
    n_most: int

    def among(self, rows: NDArray[np.int64], unit: float = 1.0) -> "Asking":
        """The same where positions are those among some of the rows, with outputs in a unit."""
        return Asking(lambda places: self.ask(rows[places]) / unit, self.n_most)


def make_asking(box: BlackBox, X: Any, table: Table, n_most: int) -> Asking | None:
    """How the model is asked about rows made up of values of a user's table; None if such tables cannot be made of X."""
    try:
        names = table.schema.names if hasattr(X, "column_names") else None  # an Arrow table may hold an index of pandas, too
        mixer = make_mixer(X, X, names, len(table.schema.names), "table of rows") if n_most else None
    except (TypeError, ValueError):
        return None
    if mixer is None:
        return None

    def ask(places: NDArray[np.int64]) -> NDArray[np.float64]:
        nowhere = np.zeros(len(places), dtype=np.int64)
        return box.predict(mixer.mix(nowhere, places, np.zeros(places.shape, dtype=bool)), len(places))

    return Asking(ask, n_most)


def make_source(
    table: Table, encoded: Encoded, outputs: NDArray[np.float64], weights: NDArray[np.float64], asking: Asking
) -> SyntheticSource:
    """A source of synthetic rows like those of a table; its distributions are of the columns that vary."""
    margins = learn_margins(table, outputs[:, 0], weights)
    varying = np.array([column for column, margin in enumerate(margins) if len(margin.values) > 1], dtype=np.int64)
    scores, kept = score_table(margins, table)[:, varying], tuple(margins[column] for column in varying)
    return SyntheticSource(encoded, outputs, weights, varying, kept, scores, asking.ask, asking.n_most)


def describe_synthetic(result: Any, source: SyntheticSource | None) -> dict[str, Any]:
    """How many synthetic rows the model was asked about, their distribution and share of the fit, as JSON.

    A model that failed on them has a ``refusal``, its error.
    """
    found = result.synthetic if isinstance(result, FitResult) else None
    return {
        "n_asked": 0 if source is None else sum(source.calls),
        "kind": None if found is None else found.kind,
        "share": 0.0 if found is None else float(result.chosen.strengths.synthetic),
        "refusal": None if source is None or not source.refusals else source.refusals[0],
    }
