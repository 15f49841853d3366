"""Objects that a user may name: bases, likelihoods, value functions, indices, fitters, questions, exports.

An entry is the location of an object, ``module:name``. It is imported at first use, so that objects that are not used need no
extra. To add one, write its file and one line here; CONTRIBUTING describes where the file goes and what it must contain.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ._validation import check_choice


@dataclass(frozen=True)
class Registry:
    """Objects of one kind by name.

    Attributes
    ----------
    what : str
        The option that takes such a name, for messages.
    entries : dict of str to str
    """

    what: str
    entries: dict[str, str]

    def find(self, name: str) -> Any:
        """The object with a name; raises ``ValueError`` that lists all names for an unknown one."""
        module, _, attribute = self.entries[check_choice(name, tuple(self.entries), self.what)].partition(":")
        return getattr(import_module(module), attribute)

    def make(self, given: Any, method: str) -> Any:
        """An object made by name, with its defaults; or the user's own object, if it has the ``method`` of this kind.

        Raises ``ValueError`` for an unknown name and ``TypeError`` for an object without the method.
        """
        made = self.find(given)() if isinstance(given, str) else given
        if isinstance(made, type) or not callable(getattr(made, method, None)):
            names = ", ".join(map(repr, self.entries))
            raise TypeError(f"{self.what} takes a name ({names}) or an object with a method {method}(); got {given!r}")
        return made


FITTERS = Registry(
    "fitter",
    {
        "closed-form": "instashap.masked.fitter:ClosedFormFitter",
        "neural": "instashap.neural.net_fitter:NeuralFitter",
    },
)
FAMILIES = Registry(
    "loss",
    {
        "squared_error": "instashap.likelihood.losses.squared_error:Gaussian",
        "poisson": "instashap.likelihood.losses.poisson:Poisson",
        "gamma": "instashap.likelihood.losses.gamma:Gamma",
        "quantile": "instashap.likelihood.losses.quantile:Quantile",
    },
)
VALUE_FUNCTIONS = Registry(
    "value_function",
    {
        "conditional": "instashap.blackbox.drawn_game:Conditional",
        "marginal": "instashap.blackbox.value_functions:Marginal",
        "baseline": "instashap.blackbox.value_functions:Baseline",
    },
)
INDICES = Registry(
    "index",
    {
        "asymmetric": "instashap.game.asymmetric:Asymmetric",
        "banzhaf": "instashap.game.banzhaf:Banzhaf",
        "owen": "instashap.game.owen:Owen",
        "shapley": "instashap.game.shapley:Shapley",
    },
)
QUESTIONS = Registry(
    "question",
    {
        "index_values": "instashap.questions.values:compute_index_values",
        "rank_terms": "instashap.questions.rank:tabulate_ranking",
    },
)
EXPORTS = Registry(
    "the ending of path",
    {
        ".js": "instashap.export.script_files:write_javascript",
        ".json": "instashap.export.json_tables:write_json",
        ".onnx": "instashap.export.onnx_graph:write_onnx",
        ".py": "instashap.export.script_files:write_python",
        ".sql": "instashap.export.sql_query:write_sql",
        ".xlsx": "instashap.export.excel_file:write_excel",
    },
)
BASES = Registry(
    "bases",
    {
        "codes": "instashap.table.number_codes:Codes",
        "levels": "instashap.table.number_levels:Levels",
        "periodic": "instashap.table.periodic:Periodic",
        "spline": "instashap.table.splines:Spline",
    },
)
