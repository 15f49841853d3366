"""What a user may name, one line an entry: bases, likelihoods, value functions, indices, fitters, questions, exports.

An entry is where a thing lives, ``module:name``, imported when it is first asked for: no extra is needed for what is not used.
To add one, write its file and its line here; CONTRIBUTING says where the file goes and what it must have.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ._validation import check_choice


@dataclass(frozen=True)
class Registry:
    """Things of one kind by name.

    Attributes
    ----------
    what : str
        The option that names one, for messages.
    entries : dict of str to str
    """

    what: str
    entries: dict[str, str]

    def find(self, name: str) -> Any:
        """The thing of a name; raises ``ValueError`` with all names for an unknown one."""
        module, _, attribute = self.entries[check_choice(name, tuple(self.entries), self.what)].partition(":")
        return getattr(import_module(module), attribute)


FAMILIES = Registry(
    "loss",
    {
        "squared_error": "instashap.likelihood.losses.squared_error:Gaussian",
        "poisson": "instashap.likelihood.losses.poisson:Poisson",
        "gamma": "instashap.likelihood.losses.gamma:Gamma",
        "quantile": "instashap.likelihood.losses.quantile:Quantile",
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
