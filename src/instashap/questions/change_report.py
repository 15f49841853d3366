"""The answer to what changed a mean: lines that sum to the change, with errors, as a table, sentences and a page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .._validation import check_choice
from ..fitted.explanation import Explanation
from ..store import write_file
from .change_lines import ChangeLine, add_lines, judge_lines
from .change_page import render_html, render_markdown, render_text, write_sentences

if TYPE_CHECKING:
    import pandas as pd

    from .change_segments import SegmentChange


@dataclass(frozen=True, repr=False)
class ChangeReport:
    """What changed a model's mean output, or mean loss, feature by feature; :func:`instashap.explain_change` makes it.

    Attributes
    ----------
    what : str
        What the mean is of: "output", or the name of a loss.
    scale : str
        Meaning and scale of the explained output.
    labels : tuple of str
        Names of the two cohorts, or models.
    kind : {"cohorts", "models", "both"}
        What differs between the two sides.
    n_rows : tuple of int
        Rows of positive weight of each cohort.
    start : float
        Mean of the first side.
    totals : tuple of ChangeLine
        How far the data moved the mean, and the model; one of them, or both. They sum to ``change``.
    lines : tuple of ChangeLine
        Summands of the totals: features, what is alike for every row (a model that moved), and what the additive game does not
        reproduce. They sum to ``change`` exactly.
    fidelities : dict of str to float
        Held-out R² of the additive game to the output ("data") and to the difference of the models ("model"); None where no
        rows could be held out.
    has_fit_errors : bool
        Whether standard errors include those of the fit; else those of the rows alone.
    given : tuple of str
        Features that came first in order.
    spread : tuple of ChangeLine
        Two models on the same rows: mean absolute value of each feature in their difference.
    segments : tuple of SegmentChange
        Two models on the same rows: the mean difference in each segment.
    rows : Explanation or None
        Two models on the same rows: the Shapley values of the difference, row by row.
    whole : ChangeLine or None
        The sum of the totals as one line; see :attr:`total`.
    """

    what: str
    scale: str
    labels: tuple[str, str]
    kind: str
    n_rows: tuple[int, ...]
    start: float = 0.0
    totals: tuple[ChangeLine, ...] = ()
    lines: tuple[ChangeLine, ...] = field(default=(), repr=False)
    fidelities: Mapping[str, float | None] = field(default_factory=dict)
    has_fit_errors: bool = True
    given: tuple[str, ...] = ()
    spread: tuple[ChangeLine, ...] = field(default=(), repr=False)
    segments: tuple[SegmentChange, ...] = field(default=(), repr=False)
    rows: Explanation | None = field(default=None, repr=False)
    whole: ChangeLine | None = field(default=None, repr=False)

    def fill(
        self,
        start: float,
        totals: Sequence[ChangeLine],
        lines: Sequence[ChangeLine],
        fidelities: Mapping[str, float | None],
        has_fit_errors: bool,
    ) -> ChangeReport:
        """The report with its figures; p-values are adjusted for the change, its totals and all lines."""
        own = list(totals) if len(totals) > 1 else []
        change, *judged = judge_lines([add_lines(totals, "change", "change"), *own, *lines])
        return replace(
            self,
            whole=change,
            start=start,
            totals=tuple(judged[: len(own)]) or (replace(change, part=totals[0].part, name=totals[0].name),),
            lines=tuple(judged[len(own) :]),
            fidelities=fidelities,
            has_fit_errors=has_fit_errors,
        )

    @property
    def is_loss(self) -> bool:
        """Whether the mean of a loss is explained."""
        return self.what != "output"

    @property
    def change(self) -> float:
        """Mean of the second side minus that of the first."""
        return float(sum(line.value for line in self.totals))

    @property
    def total(self) -> ChangeLine:
        """The change as a line with its errors."""
        return self.totals[0] if len(self.totals) == 1 or self.whole is None else self.whole

    @property
    def moved(self) -> tuple[str, ...]:
        """Names of the features whose lines are beyond noise, the largest first; of the spread for two models."""
        found = [line for line in self.spread or self.lines if line.is_feature and not line.is_noise]
        return tuple(dict.fromkeys(line.name for line in sorted(found, key=lambda line: -abs(line.value))))

    @property
    def table(self) -> pd.DataFrame:
        """A row for each line: part, name, contribution, its standard error and 90 % interval, and whether it is noise.

        The contributions sum to ``change``. ``p_value`` is adjusted for the change, its totals and all lines together (Holm
        1979): sorted, the smallest is multiplied by their number, the next by one less, and so on. ``is_noise`` is
        ``p_value >= 0.05``; a line whose own 90 % interval leaves out 0 can be within noise among many lines.
        """
        return tabulate(self.lines)

    @property
    def spread_table(self) -> pd.DataFrame:
        """Two models on the same rows: mean absolute value of each feature in the difference, the largest first."""
        return tabulate(sorted(self.spread, key=lambda line: -line.value), "mean_abs")

    @property
    def segment_table(self) -> pd.DataFrame:
        """Two models on the same rows: the lines of each segment's mean difference."""
        import pandas as pd

        frames = [tabulate(each.lines).assign(segment=each.name, n_rows=each.n_rows) for each in self.segments]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    @property
    def sentences(self) -> tuple[str, ...]:
        """The findings, the change first; what is within noise is called noise."""
        return tuple(write_sentences(self))

    def to_text(self) -> str:
        """The findings and the table as plain text; the same for the same report."""
        return render_text(self)

    def to_markdown(self) -> str:
        """A section of a Markdown page."""
        return render_markdown(self)

    def to_html(self) -> str:
        """A section of HTML with a bar for each line; it needs no script, style sheet or other file."""
        return render_html(self)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a page: ``.html``, ``.md`` or ``.txt`` by the ending of the path. Raises ``ValueError`` for another."""
        makers = {".html": self._make_page, ".md": self.to_markdown, ".txt": self.to_text}
        made = makers[check_choice(Path(path).suffix, tuple(makers), "the ending of path")]()
        write_file(Path(path), made + "\n")

    def _make_page(self) -> str:
        head = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>What changed</title></head>'
        style = "font-family:sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem"
        return f'{head}<body style="{style}">{self.to_html()}</body></html>'

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"ChangeReport({self.kind}, {self.what} {self.change:+.4g}, beyond noise: {', '.join(self.moved) or 'nothing'})"

    def _repr_html_(self) -> str:
        """The report for notebooks."""
        return self.to_html()


def tabulate(lines: Sequence[ChangeLine], value: str = "contribution") -> pd.DataFrame:
    """Lines as a table."""
    import pandas as pd

    return pd.DataFrame(
        {
            "part": [line.part for line in lines],
            "feature": [line.name for line in lines],
            value: [line.value for line in lines],
            "standard_error": [line.standard_error for line in lines],
            "low": [line.value - line.reach for line in lines],
            "high": [line.value + line.reach for line in lines],
            "p_value": [line.p_value for line in lines],
            "is_noise": [line.is_noise for line in lines],
        }
    )
