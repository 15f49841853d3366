"""Questions about a saved explainer that an assistant may ask over the Model Context Protocol.

They are read-only and bounded, and the answers are sentences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np

from .. import __version__
from .._errors import InstashapError
from .._optional import require
from .._sentences import count, join, percent, write_number
from ..blackbox.held_model import HeldModel
from ..explain.attributes import summarise_game
from ..fitted.explanation import Explanation
from ..fitted.explanation_text import name_explained
from ..fitted.game import FittedGame
from ..fitted.shown_rows import make_explanation
from ..questions.answers import get_errors, get_reach
from ..questions.outside import name_outside, place_rows
from ..questions.overall import ImportanceRequest, tabulate_importance
from ..table.columns import Table
from ..trust.report import TrustReport
from .request_rows import start_reader

# The most rows of one question, features that a row's text names, levels of a column and features that are listed.
MAX_ROWS, MAX_NAMED, MAX_LEVELS, MAX_LISTED = 20, 30, 20, 200
# Rows of the data that importance is measured on: enough for means to about 2 %.
MAX_DATA = 5_000
_INSTRUCTIONS = (
    "Explains the outputs of one machine-learning model by Shapley values, from a saved explainer. Ask describe_model first. "
    "Rows are objects of column names and values; null is missing. Values describe the model, not causes. Nothing here can "
    "change the model or read files."
)


class Assistant:
    """Answers about one fitted game; each method is a tool of the server, and its docstring the tool's description."""

    def __init__(self, fitted: FittedGame, data: Any = None) -> None:
        self._fitted = fitted
        self._data = None if data is None or not len(data) else data.iloc[_space(len(data))]

    def describe_model(self) -> str:
        """Say what is explained, on which scale, and which columns a row needs, with the values they had in the fit."""
        fitted = self._fitted
        bases = join([f"{write_number(each, 4)}" for each in fitted.model.base_value.tolist()])
        names = fitted.output_names
        outputs = f" of {len(names)} outputs ({', '.join(names[:MAX_LISTED])})" if len(names) > 1 else ""
        what = name_explained(names, fitted.output_transform)
        lines = [
            f"An explainer{outputs}: {summarise_game(fitted)}.",
            *([f"The output is {what}."] if what != fitted.output_transform else []),
            f"Without any feature known the output is {bases}. Absent features are treated as in the {fitted.game} game.",
            "Columns:",
        ]
        lines += _describe_columns(fitted)
        if len(fitted.encoder.columns) > MAX_LISTED:
            lines.append(f"- and {len(fitted.encoder.columns) - MAX_LISTED} more, not listed")
        if len(fitted.feature_names) < len(fitted.players):
            lines.append(f"Columns act in groups, as these features: {', '.join(fitted.feature_names[:MAX_LISTED])}.")
        return "\n".join(lines)

    def explain_rows(self, rows: list[dict[str, Any]], max_features: int = 8) -> str:
        """Explain the outputs for up to 20 rows: how much each feature adds to or subtracts from the average output.

        Each row is an object with a value for every column of describe_model.
        """
        return self._explain(rows).to_text(max_features=min(max(int(max_features), 1), MAX_NAMED), max_rows=MAX_ROWS)

    def predict(self, rows: list[dict[str, Any]], known_features: list[str] | None = None) -> str:
        """Give the explained output for up to 20 rows; with known_features, what is expected if only these are known.

        The values of the other features are then ignored, but a value (or null) must be given for every column.
        """
        fitted = self._fitted
        table = self._read(rows)
        mask = np.ones(len(fitted.feature_names), dtype=bool)
        if known_features is not None:
            unknown = sorted(set(known_features) - set(fitted.feature_names))
            if unknown:
                raise ValueError(f"no such feature: {', '.join(unknown[:5])}; describe_model lists them")
            mask = np.isin(np.array(fitted.feature_names, dtype=object), known_features)
        outputs = fitted.predict_masked(table, np.tile(mask, (table.n_rows, 1)))
        known = "all features known" if mask.all() else f"known: {', '.join(known_features or ()) or 'nothing'}"
        lines = [f"{name_explained(fitted.output_names, fitted.output_transform)}; {known}."]
        for row, values in enumerate(outputs):
            named = zip(fitted.output_names, values.tolist(), strict=True)
            several = "; ".join(f"{name}: {write_number(value, 4)}" for name, value in named)
            lines.append(f"Row {row}: {write_number(float(values[0]), 4) if len(values) == 1 else several}.")
        return "\n".join(lines)

    def compare_rows(self, first: dict[str, Any], second: dict[str, Any], max_features: int = 8) -> str:
        """Say which features account for the difference between the outputs of two rows."""
        both = self._explain([first, second])
        moved = replace(
            both[1:],
            values=both.values[1:] - both.values[:1],
            base_values=both.predictions[:1],
            standard_errors=None,
            total_errors=None,
        )
        text = moved.to_text(max_features=min(max(int(max_features), 1), MAX_NAMED))
        head = "Differences of Shapley values, the second row's less the first's; the first row's output is the start."
        return f"{head}\n{text.replace('without any feature known the output is', 'the first row has the output')}"

    def list_importance(self, max_features: int = 20) -> str:
        """Say which features matter most over the service's data: shares of the explained variance of the output."""
        if self._data is None:
            raise ValueError("this service was started without data to measure importance on: instashap mcp --data FILE")
        asked = ImportanceRequest("variance", self._data, None, None, False, True)
        table = tabulate_importance(self._fitted, HeldModel(None), asked)
        limit = min(max(int(max_features), 1), MAX_NAMED)
        outputs = self._fitted.output_names
        lines = [f"Shapley effects on {count(len(self._data), 'row')}: shares of the variance that the explanations hold."]
        for name in outputs:
            own = table.loc[name] if len(outputs) > 1 else table
            parts = [f"{feature} {percent(row.share)}" for feature, row in own.iloc[:limit].iterrows()]
            rest = float(own["share"].iloc[limit:].sum())
            parts += [f"the other {count(len(own) - limit, 'feature')} {percent(rest)}"] if len(own) > limit else []
            lines.append(f"{f'{name}: ' if len(outputs) > 1 else ''}{'; '.join(parts)}.")
        return "\n".join(lines)

    def report_trust(self) -> str:
        """Say how far the explanations can be relied on: the audit that was saved with the explainer."""
        known = self._fitted.answers.audit
        if known is None:
            return "No audit was saved with this explainer, so nothing is known of how well it explains the model."
        return (known if isinstance(known, TrustReport) else TrustReport.from_dict(known)).to_text()

    def _read(self, rows: list[dict[str, Any]]) -> Table:
        fitted = self._fitted
        reader = start_reader(fitted.schema, rows, MAX_ROWS, fitted.recipe)
        if reader.ignored:
            raise ValueError(f"no such column: {', '.join(list(reader.ignored)[:5])}; describe_model lists them")
        table = reader.finish()
        fitted.encoder.check_levels(table)
        return table

    def _explain(self, rows: list[dict[str, Any]]) -> Explanation:
        fitted = self._fitted
        table = self._read(rows)
        explanation = make_explanation(fitted, table, fitted.compute_shapley_values(table, 1), fitted.model.base_value)
        if fitted.answers.errors is not None:
            spread = fitted.look_up(get_errors(fitted).credits, table, 1)
            explanation = replace(explanation, standard_errors=spread[..., 0] if spread.shape[-1] == 1 else spread)
        place = place_rows(fitted, table)
        if place is None:
            return explanation
        outside, pairs = name_outside(place, fitted.schema.names)
        return replace(explanation, outside=outside, new_pairs=pairs)


def serve_assistant(fitted: FittedGame, data: Any = None) -> None:
    """Answer questions of an assistant on standard input and output until that closes; see :class:`Assistant`.

    Parameters
    ----------
    fitted : FittedGame
    data : DataFrame, optional
        Rows that importance is measured on; the tools never show them.

    Raises
    ------
    OptionalDependencyError
        If the SDK is not installed.
    """
    make_server(Assistant(fitted, data)).run("stdio")


def make_server(assistant: Assistant) -> Any:
    """A server of the official SDK with one read-only tool for each question."""
    sdk = require("mcp.server.mcpserver", "mcp", "answers to assistants")
    types = require("mcp.types", "mcp", "answers to assistants")
    server = sdk.MCPServer("instashap", instructions=_INSTRUCTIONS, version=__version__, log_level="WARNING")
    hints = types.ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
    questions = ("describe_model", "explain_rows", "predict", "compare_rows", "list_importance", "report_trust")
    refuse = require("mcp.server.mcpserver.exceptions", "mcp", "answers to assistants").ToolError
    for name in questions:
        question = _say_errors(getattr(assistant, name), refuse)
        server.add_tool(question, name=name, annotations=hints, structured_output=False)
    return server


def _say_errors(question: Callable[..., str], refuse: type[Exception]) -> Callable[..., str]:
    """The question with errors whose message the assistant is shown; the SDK hides those of other exceptions."""

    @wraps(question)
    def ask(*given: Any, **named: Any) -> str:
        try:
            return question(*given, **named)
        except (InstashapError, ValueError, TypeError) as error:
            raise refuse(str(error)) from error

    return ask


def _space(n_rows: int) -> Any:
    """Positions of rows, evenly spaced where there are too many."""
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, MAX_DATA)).astype(np.int64))


def _describe_columns(fitted: FittedGame) -> list[str]:
    """Each column with the values that it had among the rows of the fit."""
    reach, lines = get_reach(fitted), []
    for place, column in enumerate(fitted.encoder.columns[:MAX_LISTED]):
        if column.levels is not None:
            shown = ", ".join(map(str, column.levels[:MAX_LEVELS]))
            more = f" and {len(column.levels) - MAX_LEVELS} more" if len(column.levels) > MAX_LEVELS else ""
            lines.append(f"- {column.name}: one of {shown}{more}")
        elif column.name in fitted.schema.flags:
            lines.append(f"- {column.name}: true or false")
        elif reach is None:
            lines.append(f"- {column.name}: a number")
        else:
            low, high = (write_number(float(each[place]), 4) for each in (reach.lows, reach.highs))
            lines.append(f"- {column.name}: a number, {low} to {high}")
    return lines
