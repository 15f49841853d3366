"""Reason codes: the features that cost a row most against a stated reference, among those that the model reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._errors import FitWarning, warn_caller
from .._sentences import join, write_number
from .._validation import check_at_least, check_choice, check_groups, check_positive, find_column
from ..blackbox.held_model import HeldModel
from ..blackbox.hybrid import make_mixer, take_rows
from ..blackbox.model import BlackBox
from ..blackbox.value_functions import HybridGame
from ..fitted.explanation_text import format_value
from ..fitted.game import FittedGame
from ..fitted.shown_rows import collect_data
from ..table.columns import Table, read_table
from .change_rows import choose_output, count_rows
from .model_outputs import wrap_matched
from .reason_walks import ROUNDING, Walked, walk

if TYPE_CHECKING:
    import pandas as pd

# References that are used of a longer table, and resamples of them that ranks are judged by.
_MAX_REFERENCES = 100
_N_RESAMPLES = 200
# Candidates for the best value of a feature, and rows over which it is judged.
_N_CANDIDATES, _N_JUDGES = 20, 50
_NO_MODEL = "reasons ask the model about rows mixed from X and the reference, and this explainer holds none: pass model="


@dataclass(frozen=True)
class ReasonCode:
    """One reason of one row.

    Attributes
    ----------
    row : object
        The row's label in the table, or its position.
    rank : int
        1 for the reason that costs most. Reasons that cost the same against every reference row have the same rank.
    feature : str
        A column, or a group of related columns.
    points : float
        What the feature costs against the mean of the reference, on the scale of the model's output; above 0.
    standard_error : float
        From the sampled orders of the features.
    how_often : float
        Share of resampled references in which the feature has this rank or a better one; equal reasons that do not all have a
        place among the n share the places that are left.
    is_given : bool
        Whether that share is large enough for the code to be given.
    text : str
    """

    row: Any
    rank: int
    feature: str
    points: float
    standard_error: float
    how_often: float
    is_given: bool
    text: str


@dataclass(frozen=True)
class ReasonReport:
    """Reason codes of rows; :meth:`instashap.Explainer.reasons` makes it.

    Attributes
    ----------
    codes : tuple of ReasonCode
        At most n of each row, by row and rank; those whose rank is not stable are among them, with ``is_given`` false.
    reference : str
        What rows are compared with.
    reference_output : float
        Mean output of the reference.
    outputs : ndarray of shape (n_rows,), float64
    read : tuple of str
        Features that moved the output of some row; no other has a code.
    largest_error : float
        Largest standard error of a value, on the scale of the output.
    labels : tuple
        Labels of the rows; their positions where there are no labels, or two rows have the same.
    """

    codes: tuple[ReasonCode, ...] = field(repr=False)
    reference: str
    reference_output: float
    outputs: NDArray[np.float64] = field(repr=False)
    read: tuple[str, ...]
    largest_error: float
    labels: tuple[Any, ...] = field(repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """The codes that are given, a row each."""
        return self._tabulate(True)

    @property
    def withheld(self) -> pd.DataFrame:
        """The codes that are not given, because resampling the reference changes their ranks."""
        return self._tabulate(False)

    def texts(self, row: Any) -> list[str]:
        """Texts of the codes that are given for a row, by its label; the one that costs most is first."""
        if row not in self.labels:
            raise KeyError(f"there is no row {row!r}; rows are {self.labels[:5]}")
        return [code.text for code in self.codes if code.row == row and code.is_given]

    def to_text(self) -> str:
        """A line for each row: its output, and its reasons."""
        lines = [f"Compared with {self.reference}, whose mean output is {write_number(self.reference_output, 4)}."]
        for label, output in zip(self.labels, self.outputs, strict=True):
            costs = any(code.row == label for code in self.codes)
            said = "; ".join(self.texts(label)) or ("no stable reason" if costs else "no feature costs it anything")
            lines.append(f"Row {label}: output {write_number(float(output), 4)}. {said}.")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.to_text()

    def _tabulate(self, is_given: bool) -> pd.DataFrame:
        import pandas as pd

        columns = ["row", "rank", "feature", "points", "standard_error", "how_often", "text"]
        found = [[getattr(code, name) for name in columns] for code in self.codes if code.is_given == is_given]
        return pd.DataFrame(found, columns=columns)


@dataclass(frozen=True)
class ReasonOptions:
    """Options of :meth:`instashap.Explainer.reasons`."""

    n: int = 4
    better: str = "high"
    texts: Mapping[Any, Any] | None = None
    groups: Any = None
    target: Any = None
    stable: float = 0.8
    error: float = 0.01
    seed: int = 0


def find_reasons(
    fitted: FittedGame, X: Any, reference: Any, held: HeldModel, options: ReasonOptions, fit_rows: Any = None
) -> ReasonReport:
    """Reason codes of rows; see :meth:`instashap.Explainer.reasons`."""
    check_at_least(options.n, 1, "n", "a row has at least one reason to ask for")
    check_choice(options.better, ("high", "low"), "better")
    check_positive(options.error, "error")
    if not 0 <= options.stable <= 1:
        raise ValueError(f"stable={options.stable!r} is a share of resamples, from 0 to 1")
    table = fitted.read(X)
    names, players = fitted.feature_names, fitted.players
    if options.groups is not None:
        names, players = check_groups(options.groups, fitted.schema.names)
    quantities = _find_quantities(table, players)
    options = replace(options, texts=_name_texts(options.texts, names, quantities))
    columns = fitted.schema.names if fitted.schema.has_names else None
    box = wrap_matched(fitted, X, held, table.n_rows, _NO_MODEL)
    output = choose_output(options.target, fitted.output_names, fitted.model.n_outputs, "reasons are those")
    sign = 1.0 if options.better == "high" else -1.0
    rows, described = _choose_reference(reference, fit_rows, box, columns, players, output, sign)
    game = HybridGame(box, make_mixer(X, rows, columns, len(players), "reference"), np.array(players))
    walked = walk(game, output, options.error, options.seed)
    _warn_of_error(walked, options.error)
    own = collect_data(table, names, players)
    others = collect_data(read_table(rows, fitted.schema) if hasattr(rows, "columns") else fitted.read(rows), names, players)
    labels = tuple(range(table.n_rows)) if table.index is None else tuple(table.index.tolist())
    if len(set(labels)) < len(labels):
        labels = tuple(range(table.n_rows))  # no row may get the reasons of another

    def write(row: int, place: int) -> str:
        return _write(names[place], own[row, place], others[:, place], quantities[place], options.texts)

    codes = _rank(walked, sign, names, write, labels, options)
    moved = np.abs(walked.values).max(axis=(0, 1)) > ROUNDING * walked.scale
    read = tuple(name for name, flag in zip(names, moved, strict=True) if flag)
    mean = float(walked.reference_outputs.mean())
    return ReasonReport(codes, described, mean, walked.outputs, read, float(walked.errors.max(initial=0.0)), labels)


def _find_quantities(table: Table, players: tuple[int, ...]) -> list[bool]:
    """Whether values of each feature are high or low: numbers of one column, but neither categories nor booleans."""
    schema, first = table.schema, [players.index(player) for player in range(max(players) + 1)]
    is_quantity = [not flag and name not in schema.flags for flag, name in zip(schema.is_category, schema.names, strict=True)]
    return [players.count(player) == 1 and is_quantity[column] for player, column in enumerate(first)]


def _name_texts(texts: Mapping[Any, Any] | None, names: Sequence[str], quantities: Sequence[bool]) -> dict[str, Any]:
    """Texts by the name of their feature; raises for unknown features, and directions of what has none."""
    named = {}
    for feature, text in (texts or {}).items():
        if not isinstance(text, str) and not (isinstance(text, Mapping) and set(text) <= {"high", "low"}):
            raise ValueError(f"texts[{feature!r}] must be a text, or texts for 'high' and 'low'; got {text!r}")
        place = find_column(feature, names, "texts")
        if not isinstance(text, str) and not quantities[place]:
            raise ValueError(
                f"texts[{feature!r}] has texts for 'high' and 'low', and {names[place]!r} holds categories, "
                "booleans or several columns, which are neither: give it one text"
            )
        named[names[place]] = text
    return named


def _choose_reference(
    reference: Any, rows: Any, box: BlackBox, columns: Any, players: tuple[int, ...], output: int, sign: float
) -> tuple[Any, str]:
    """Reference rows in the user's container, and what they are."""
    if isinstance(reference, str):
        check_choice(reference, ("best",), "reference")
        if rows is None:
            raise ValueError(
                "reference='best' looks for the best values among the rows of the fit, which this explainer does not hold (it "
                "was loaded, is of a fit to labels, or has a value function of its own): pass reference rows"
            )
        return _find_best(rows, box, columns, players, output, sign), "the best value of each feature"
    if reference is None:
        raise ValueError("reasons need a reference: rows of approved cases, one row, or 'best' for each feature's best value")
    if hasattr(reference, "iloc") and not hasattr(reference, "columns"):
        return reference.to_frame().T.infer_objects(), "one reference row"
    if np.ndim(reference) == 1:
        return np.asarray(reference)[None, :], "one reference row"
    n_rows = count_rows(reference)
    if n_rows == 1:
        return reference, "one reference row"
    if n_rows <= _MAX_REFERENCES:
        return reference, f"{n_rows:,} reference rows"
    some = np.linspace(0, n_rows - 1, _MAX_REFERENCES).astype(np.int64)
    return take_rows(reference, some), f"{_MAX_REFERENCES} of {n_rows:,} reference rows"


def _find_best(rows: Any, box: BlackBox, columns: Any, players: tuple[int, ...], output: int, sign: float) -> Any:
    """A row of the best value of each feature: that of the best mean output over rows in which it replaces their own."""
    n_rows = count_rows(rows)
    judges = np.linspace(0, n_rows - 1, min(n_rows, _N_JUDGES)).astype(np.int64)
    candidates = np.linspace(0, n_rows - 1, min(n_rows, _N_CANDIDATES)).astype(np.int64)
    mixer = make_mixer(take_rows(rows, judges), take_rows(rows, candidates), columns, len(players), "reference")
    game = HybridGame(box, mixer, np.array(players))
    n_judges, n_candidates = len(judges), len(candidates)
    asked = np.repeat(np.arange(n_judges), n_candidates), np.tile(np.arange(n_candidates), n_judges)
    best = np.zeros((1, len(players)), dtype=np.int64)
    for player in range(max(players) + 1):
        masks = np.ones((len(asked[0]), max(players) + 1), dtype=bool)
        masks[:, player] = False
        means = game.evaluate_one(*asked, masks)[:, output].reshape(n_judges, n_candidates).mean(axis=0)
        best[0, np.array(players) == player] = int(np.argmax(sign * means))
    return mixer.mix(np.zeros(1, dtype=np.int64), best, np.zeros((1, len(players)), dtype=bool))


def _warn_of_error(walked: Walked, error: float) -> None:
    largest = float(walked.errors.max(initial=0.0))
    if largest > error * walked.scale:
        warn_caller(
            f"after {walked.n_passes} passes the largest standard error of a value is {largest:.3g}, "
            f"{largest / walked.scale:.1%} of the outputs' spread, above error={error:g}: the model has strong interactions of "
            "three features and more; raise error=, or group features that act together",
            FitWarning,
        )


def _rank(
    walked: Walked,
    sign: float,
    names: Sequence[str],
    write: Callable[[int, int], str],
    labels: Sequence[Any],
    options: ReasonOptions,
) -> tuple[ReasonCode, ...]:
    """Codes of all rows, each with the share of resampled references in which it has its rank or a better one."""
    n_references = walked.values.shape[1]
    rng = np.random.default_rng(options.seed)
    draws = rng.multinomial(n_references, np.full(n_references, 1 / n_references), size=_N_RESAMPLES) / n_references
    floor = ROUNDING * walked.scale
    codes = []
    for row, label in enumerate(labels):
        lost = -sign * walked.values[row]  # (n_references, n_players)
        points = lost.mean(axis=0)
        noise = walked.errors[row] * rng.standard_normal((_N_RESAMPLES, len(names)))
        resampled = draws @ lost + noise
        order = [int(place) for place in np.argsort(-points, kind="stable") if points[place] > floor]
        for position, place in enumerate(order[: options.n]):
            alike = np.abs(lost - lost[:, place, None]).max(axis=0) <= floor  # equal whatever the reference
            ahead = int(np.sum(~alike[order[:position]]))
            share = _share_places(resampled, place, min(ahead + int(alike.sum()), options.n), floor)
            figures = float(points[place]), float(walked.errors[row, place]), share
            codes.append(ReasonCode(label, ahead + 1, names[place], *figures, share >= options.stable, write(row, place)))
    return tuple(codes)


def _share_places(resampled: NDArray[np.float64], place: int, last: int, floor: float) -> float:
    """Share of resamples in which a feature costs something and is among the ``last`` first; equal ones share places."""
    own = resampled[:, place, None]
    n_ahead, n_level = (resampled > own + floor).sum(axis=1), (np.abs(resampled - own) <= floor).sum(axis=1)
    return float(np.mean(np.clip((last - n_ahead) / n_level, 0.0, 1.0) * (own[:, 0] > floor)))


def _write(name: str, value: Any, reference: NDArray[Any], is_quantity: bool, texts: Mapping[Any, Any] | None) -> str:
    """The text of a feature and direction: the user's, or its value beside that of the reference."""
    numbers = _take_numbers(reference) if is_quantity else None
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and value == value
    middle = float(np.median(numbers)) if is_number and numbers is not None else None
    direction = None if middle is None or value == middle else "high" if value > middle else "low"
    given = (texts or {}).get(name)
    if isinstance(given, str):
        return given
    if given is not None and direction in given:
        return str(given[direction])
    if direction is not None:
        assert middle is not None
        return f"{name} is {direction} ({format_value(value)}; the reference has {format_value(middle)})"
    common = sorted({format_value(each) for each in reference.tolist()}, key=str)
    known = f" (the reference has {join(common)})" if len(common) <= 3 else ""
    return f"{name} is {format_value(value)}{known}"


def _take_numbers(values: NDArray[Any]) -> NDArray[np.float64] | None:
    """Values as numbers, without missing ones; None if they are not numbers."""
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    numbers = numbers[~np.isnan(numbers)]
    return numbers if len(numbers) else None
