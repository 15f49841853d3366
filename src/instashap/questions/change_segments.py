"""Two models on the same rows: where they differ, by feature and by segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from .._alignment import align_rows, get_index
from .._validation import find_column, is_label
from ..table.columns import take_values
from .change_game import EVERYWHERE, ChangeGame, take_some
from .change_lines import ChangeLine, count_freedom, find_fit_floor, judge_lines
from .change_rows import count_rows

if TYPE_CHECKING:
    from .change_rows import CohortRows

# More different values of a column are bands of a quantity, which the user has to choose; smaller segments have no means.
_MOST_SEGMENTS = 20
_LEAST_ROWS = 20


@dataclass(frozen=True)
class SegmentChange:
    """Mean difference of two models in one segment.

    Attributes
    ----------
    name : str
    n_rows : int
    total : ChangeLine
    lines : tuple of ChangeLine
        What is alike for every row, the features, and what is not reproduced; they sum to the total.
    """

    name: str
    n_rows: int
    total: ChangeLine
    lines: tuple[ChangeLine, ...]


def split_segments(segments: Any, rows: CohortRows, X: Any) -> dict[str, NDArray[np.int64]]:
    """Rows of each segment: a column of the table, or a label for each of its rows.

    Raises
    ------
    ValueError
        For a column of more than 20 different values, or a segment of fewer than 20 rows.
    """
    names = rows.table.schema.names
    if isinstance(segments, (str, int)) or is_label(segments, names):
        found = take_values(rows.table, find_column(segments, names, "segments"))
        label = names[find_column(segments, names, "segments")]
    else:
        given = np.asarray(align_rows(segments, get_index(X), "segments"))
        if given.shape != (count_rows(X),):
            raise ValueError(f"segments has shape {given.shape}: pass one label for each row, or the name of a column")
        found, label = given[rows.kept[0]], "segment"
    texts = np.array([f"{each:.15g}" if isinstance(each, float) else str(each) for each in found.tolist()], dtype=object)
    cells = {f"{label} = {text}": np.flatnonzero(texts == text) for text in sorted(set(texts.tolist()))}
    if len(cells) > _MOST_SEGMENTS:
        raise ValueError(
            f"{label} has {len(cells)} different values; segments are at most {_MOST_SEGMENTS}: cut it into bands first, for "
            "example pd.cut(X[column], 4)"
        )
    small = [name for name, own in cells.items() if len(own) < _LEAST_ROWS]
    if small:
        raise ValueError(
            f"segments of fewer than {_LEAST_ROWS} rows have no reliable mean: {', '.join(small[:5])}; join them with others"
        )
    return cells


def compare_segments(
    game: ChangeGame, values: NDArray[np.float64], cells: Mapping[str, NDArray[np.int64]]
) -> tuple[SegmentChange, ...]:
    """Mean difference in each segment; p-values are adjusted for all lines of all segments."""
    everyone = [game.rows.make_side(1.0, np.arange(len(values)))]
    alike = game.sum_outputs("model", EVERYWHERE, everyone)
    found = []
    for name, rows in cells.items():
        sides = [game.rows.make_side(1.0, rows)]
        total = game.sum_outputs("model", name, sides)
        found.append((name, len(rows), [total, *game.add_rest(total, [alike, *game.sum_lines("model", values, sides)])]))
    judged = iter(judge_lines([line for _, _, lines in found for line in lines]))
    taken = [(name, n_rows, [next(judged) for _ in lines]) for name, n_rows, lines in found]
    return tuple(SegmentChange(name, n_rows, lines[0], tuple(lines[1:])) for name, n_rows, lines in taken)


def measure_spread(game: ChangeGame, values: NDArray[np.float64]) -> tuple[ChangeLine, ...]:
    """Mean absolute value of each feature, with errors and p-values.

    The p-value is that of the values being the fit's noise: their mean square against the mean square of their standard
    errors, by the F distribution of one and 19 degrees of freedom. Values of a wide term would be less extreme under noise.
    """
    everyone = [game.rows.make_side(1.0, np.arange(len(values)))]
    means, spreads = game.groups.compare(np.abs(values), everyone)
    floor, n_groups = find_fit_floor(game.outputs), game.groups.n_groups
    squares, noise = everyone[0][2] @ values**2, np.zeros(len(game.names))
    if game.deviations is not None:
        some, shares = take_some(everyone[0])
        encoded = game.encode(some)
        lookup = game.make_error_lookup()
        noise = shares @ lookup.apply(encoded)[:, :, 0] ** 2
        spreads = spreads + lookup.average(encoded, (shares[:, None] * np.sign(values[some]))[:, :, None])[:, 0].T
    ratios = squares / np.maximum(noise, floor**2 or 1e-300)
    own = np.where(squares > floor**2, fdtrc(1, count_freedom(n_groups), ratios), 1.0)
    lines = [
        ChangeLine("model", name, float(mean), spread, True, floor, chance=float(each))
        for name, mean, spread, each in zip(game.names, means, spreads.T, own, strict=True)
    ]
    return tuple(judge_lines(lines))
