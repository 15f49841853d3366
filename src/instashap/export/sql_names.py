"""Names of the columns that a query reads and gives, checked against what a dialect of SQL can hold and distinguish."""

from __future__ import annotations

from collections.abc import Sequence

from .scoring import Scoring
from .sql_text import DIALECTS, Dialect


def name_results(dialect: Dialect, scoring: Scoring, keep: Sequence[str]) -> list[str]:
    """Names of the results; raises ``ValueError`` for names that the dialect cuts, or takes for the same."""
    longest, has_case = DIALECTS[dialect.name]
    fitted = [column.name for column in scoring.columns]
    _refuse_texts(dialect, scoring)
    long = [name for name in fitted if longest and len(name.encode()) > longest]
    if long:
        at_most = f"names in {dialect.name} have at most {longest} bytes"
        raise ValueError(f"{at_most}, and column {long[0]!r} has more: rename it")
    results = [*keep, *scoring.base_names, *scoring.value_names, *scoring.prediction_names]
    cut = [name.encode()[:longest].decode(errors="ignore") for name in results]
    for names in (fitted, cut):
        seen = [name if has_case else name.casefold() for name in names]
        twice = next((name for place, name in enumerate(names) if seen[place] in seen[:place]), None)
        if twice is not None:
            raise ValueError(
                f"{dialect.name} cannot distinguish two columns named {twice!r}: rename one, or leave it out of keep"
            )
    return cut


def _refuse_texts(dialect: Dialect, scoring: Scoring) -> None:
    """Raise ``ValueError`` for a column without a name, and for a character 0, which only DuckDB can have in text."""
    for column in scoring.columns:
        if not column.name:
            raise ValueError("a column has no name, and SQL needs one: rename it before the fit, and fit again")
        texts = [column.name, *(level for level in column.levels or () if isinstance(level, str))]
        if dialect.name != "duckdb" and any("\0" in text for text in texts):
            raise ValueError(
                f"column {column.name!r} holds text with the character 0, which {dialect.name} cannot have: remove it "
                "before the fit, and fit again"
            )
