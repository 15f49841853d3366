"""An explanation of rows in sentences, for people and for language models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._sentences import count, join, write_change, write_number
from .._validation import check_at_least
from .shortening import clean, shorten_all

if TYPE_CHECKING:
    from .explanation import Explanation

# A 90 % interval from 20 groups of rows reaches so many standard errors to either side.
_INTERVAL = 1.73
_MEANINGS = {
    "conditional": (
        "Each feature's value is its Shapley value in the conditional game: its mean effect on the expected output when it "
        "becomes known, over all orders of the features. A feature that the model does not read can have a value, because it "
        "says something about others. Values describe the model, not causes."
    ),
    "other": (
        "Each feature's value is its Shapley value in the {game} game: its mean effect on the output when it becomes known, "
        "over all orders of the features. Values describe the model, not causes."
    ),
}


def write_explanation(explanation: Explanation, max_features: int, max_rows: int) -> str:
    """Sentences on each of the first rows; see :meth:`Explanation.to_text`."""
    n_features = check_at_least(max_features, 1, "max_features", "each row's largest values are written first")
    n_rows = check_at_least(max_rows, 1, "max_rows", "rows are written one after the other")
    if explanation.has_outputs:
        n_outputs = len(explanation.output_names)
        parts = [explanation[..., output] for output in range(n_outputs)]
        named = zip(explanation.output_names, parts, strict=True)
        texts = [f"Output {name!r}.\n{write_explanation(part, n_features, n_rows)}" for name, part in named]
        return "\n\n".join([*texts, *_write_classes(explanation, n_rows)])
    game = explanation.game
    meaning = _MEANINGS["conditional" if game == "conditional" else "other"].format(game=game)
    lines = [f"Explained: {name_explained(explanation.output_names, explanation.output_transform)}. {meaning}"]
    lines += [_write_row(explanation, row, n_features) for row in range(min(len(explanation), n_rows))]
    if len(explanation) > n_rows:
        lines.append(f"{count(len(explanation) - n_rows, 'more row')}, not written.")
    return "\n".join(lines + _write_classes(explanation, n_rows))


def name_explained(output_names: Sequence[str], transform: str) -> str:
    """What is explained: the scale, with the one output's name (a class, for example) where the scale does not give it.

    Examples
    --------
    >>> name_explained(("yes",), "log-odds"), name_explained(("yes",), "log-odds of class 'yes'")
    ("'yes' (log-odds)", "log-odds of class 'yes'")
    """
    name = output_names[0]
    is_known = len(output_names) > 1 or name == "output" or re.search(rf"(?<!\w){re.escape(name)}(?!\w)", transform)
    return transform if is_known else f"{name!r} ({transform})"


def _write_classes(explanation: Explanation, n_rows: int) -> list[str]:
    """A line that names the rows, of those written, which the explanation puts in another class than the model."""
    differ = explanation.classes_differ
    if differ is None or not differ[:n_rows].any():
        return []
    rows = np.flatnonzero(differ[:n_rows])
    index = range(len(explanation)) if explanation.index is None else explanation.index
    labels = join([str(index[row]) for row in rows])
    subject = f"Row {labels} is" if len(rows) == 1 else f"Rows {labels} are"
    return [f"{subject} in another class by the additive model than by the model: these values explain another class."]


def _write_row(explanation: Explanation, row: int, n_features: int) -> str:
    values, names = explanation.values[row], explanation.feature_names
    order = np.argsort(-np.abs(values), kind="stable")
    shown, rest = order[:n_features], order[n_features:]
    label = row if explanation.index is None else explanation.index[row]
    base, predicted = (float(each[row]) for each in (explanation.base_values, explanation.predictions))
    is_whole = explanation.remainder is not None or explanation.model_outputs is None
    ends = f"; with them the explained output is {write_number(predicted, 4)}" if is_whole else ""
    sentences = [f"Row {label}: without any feature known the output is {write_number(base, 4)}{ends}."]
    parts = [f"{_name(explanation, row, feature)} {_write_value(explanation, row, feature)}" for feature in shown]
    if len(rest):
        what = f"the other {count(len(rest), 'feature')}" + (" together" if len(rest) > 1 else "")
        total = write_change(float(values[rest].sum()))
        parts.append(f"{what} {total if len(rest) == 1 else total.replace('adds', 'add').replace('subtracts', 'subtract')}")
    sentences.append(f"{'; '.join(parts)}.")
    doubtful = [names[feature] for feature in shown if _is_doubtful(explanation, row, feature)]
    sentences += _write_doubts(explanation, row, doubtful)
    return " ".join(sentences)


def _name(explanation: Explanation, row: int, feature: Any) -> str:
    name: str = explanation.feature_names[feature]
    if explanation.data.shape[1] != len(explanation.feature_names):
        return name
    return f"{name} = {format_value(explanation.data[row, feature])}"


def _write_value(explanation: Explanation, row: int, feature: Any) -> str:
    text = write_change(float(explanation.values[row, feature]))
    errors = explanation.standard_errors
    return text if errors is None else f"{text} (standard error {write_number(float(errors[row, feature]), 2)})"


def _is_doubtful(explanation: Explanation, row: int, feature: Any) -> bool:
    """Whether the 90 % interval of a value holds zero."""
    errors = explanation.total_errors if explanation.total_errors is not None else explanation.standard_errors
    if errors is None or explanation.values[row, feature] == 0:
        return False
    return bool(abs(explanation.values[row, feature]) < _INTERVAL * errors[row, feature])


def _write_doubts(explanation: Explanation, row: int, uncertain: list[str]) -> list[str]:
    """What a reader should know before relying on the values of a row."""
    sentences = []
    if uncertain:
        sentences.append(f"The sign of {join(uncertain)} is uncertain: the 90 % interval holds zero.")
    if explanation.remainder is not None and explanation.model_outputs is not None:
        left = float(explanation.remainder[row])
        sentences.append(
            f"The model's own output is {write_number(float(explanation.model_outputs[row]), 4)}: "
            f"the features leave {write_number(left)} of it unexplained."
        )
    place = explanation.describe_place(row)
    if place:
        sentences.append(f"This row is not like the rows of the fit ({place}): its values are extrapolated.")
    return sentences


def shorten_value(explanation: Explanation, row: int, feature: int, length: int) -> str:
    """A feature's value in at most ``length`` characters, unlike those of the other levels that the fit knows."""
    text = format_value(explanation.data[row, feature])
    if len(clean(text)) <= length:
        return clean(text)
    levels = explanation.levels.get(explanation.feature_names[feature], ())
    others = [other for other in map(format_value, levels) if other != text]
    return shorten_all([*others, text], length)[-1]


def format_value(value: Any) -> str:
    """A feature's value as short text: numbers to four digits, thousands to six (years), missing as "missing"."""
    if value is None or value != value:
        return "missing"
    if isinstance(value, (float, np.floating)):
        size = abs(float(value))
        if 1e4 <= size < 1e7:
            return f"{value:.0f}"
        return f"{value:.6g}" if 1e3 <= size < 1e4 else f"{value:.4g}"
    return str(value)
